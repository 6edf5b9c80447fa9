//! The demonstration behind `anyfs-lvm quickstart`: real commands on real files, each timed.

pub(crate) mod input;
mod verify;

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use input::Input;

use crate::failure::{Done, Failure, code};
use crate::sizes::long;
use crate::ui::{Manner, Ui};

/// PVs are whole multiples of this.
const STEP: u64 = 1 << 20;

/// A run of the demonstration.
#[derive(Debug)]
pub(crate) struct Demo<'a> {
    /// The pool's folder.
    pub(crate) dir: &'a Path,
    /// What goes in.
    pub(crate) input: &'a Input,
}

impl Demo<'_> {
    /// All of it.
    pub(crate) fn run(&self, ui: &mut Ui<'_>) -> Done {
        let began = Instant::now();
        // Two PVs hold less than the input, three hold it comfortably, reserve and metadata included.
        let pv_size = (self.input.room * 45 / 100).div_ceil(STEP).max(4) * STEP;
        ui.raw(
            format!(
                "Input: {} files, {} from {}\nPool:  {}, files of {} each\n\n",
                self.input.files,
                long(self.input.bytes),
                crate::picture::shown(&self.input.root),
                crate::picture::shown(self.dir),
                long(pv_size)
            )
            .as_bytes(),
        );
        self.make(ui, pv_size)?;
        self.overflow(ui)?;
        self.grow(ui)?;
        self.fill(ui, &["-u"])?;
        self.compare(ui, "every file against the host, by SHA-256")?;
        self.compare(ui, "again, with the pool opened anew from its files alone")?;
        for report in [&["pvs", "-o+pv_host_used,pv_host_free"][..], &["vgs"], &["lvs", "-a", "-o+devices"], &["df"]] {
            self.step(ui, report)?;
        }
        ui.raw(format!("Done in {}: every byte is back.\n", seconds(began.elapsed())).as_bytes());
        Ok(())
    }

    fn file(&self, number: u8) -> String {
        self.dir.join(format!("disk{number}.db")).to_string_lossy().into_owned()
    }

    fn make(&self, ui: &mut Ui<'_>, pv_size: u64) -> Done {
        let capacity = format!("{pv_size}b");
        let (first, second, third) = (self.file(1), self.file(2), self.file(3));
        self.step(ui, &["pvcreate", "--setphysicalvolumesize", &capacity, &first, &second, &third])?;
        self.step(ui, &["vgcreate", "quick", &first, &second])?;
        self.step(ui, &["lvcreate", "-l", "100%FREE", "-n", "src", "quick"])
    }

    /// More goes in than there is room for.
    fn overflow(&self, ui: &mut Ui<'_>) -> Done {
        match self.fill(ui, &[]) {
            Ok(()) => Err(Failure::new("the volume was expected to be too small, and was not")),
            Err(failure) if failure.code == code::FAILED && failure.lines.is_empty() => {
                ui.raw(b"  (That was expected: the volume is full. What was copied so far is safe.)\n\n");
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn grow(&self, ui: &mut Ui<'_>) -> Done {
        self.step(ui, &["vgextend", "quick", &self.file(3)])?;
        self.step(ui, &["lvextend", "-l", "+100%FREE", "quick/src"])
    }

    fn fill(&self, ui: &mut Ui<'_>, more: &[&str]) -> Done {
        let mut words: Vec<OsString> = ["-a", "-v"].iter().chain(more).map(OsString::from).collect();
        let options = [&["cp", "-a"], more].concat().join(" ");
        let root = crate::picture::shown(&self.input.root);
        let shown = format!("{options} {root}/<{} entries> quick/src:/", self.input.entries.len());
        words.extend(self.input.entries.iter().map(|entry| entry.clone().into_os_string()));
        words.push("quick/src:/".into());
        self.timed(ui, "cp", &shown, words)
    }

    /// Runs a command as a user would, shows it and its time.
    fn step(&self, ui: &mut Ui<'_>, words: &[&str]) -> Done {
        let Some((name, rest)) = words.split_first() else { return Ok(()) };
        self.timed(ui, name, &words.join(" "), rest.iter().map(OsString::from).collect())
    }

    fn timed(&self, ui: &mut Ui<'_>, name: &str, shown: &str, mut words: Vec<OsString>) -> Done {
        let entry = crate::commands::find(name).ok_or_else(|| Failure::new(format!("no command {name}")))?;
        ui.raw(format!("$ anyfs-lvm {shown}\n").as_bytes());
        ui.flush();
        words.extend(["--pool".into(), self.dir.as_os_str().to_owned()]);
        let began = Instant::now();
        let result = (entry.run)(&words, ui);
        ui.manner = Manner::default();
        // A failure is shown here, where it belongs; the caller only learns of it.
        let result = result.map_err(|failure| {
            ui.failure(&failure);
            Failure::silent(failure.code)
        });
        ui.raw(format!("  [{}]\n\n", seconds(began.elapsed())).as_bytes());
        ui.flush();
        result
    }

    fn compare(&self, ui: &mut Ui<'_>, what: &str) -> Done {
        ui.raw(format!("# comparing {what}\n").as_bytes());
        ui.flush();
        let began = Instant::now();
        let compared = verify::compare(ui, self.dir, self.input)?;
        let elapsed = began.elapsed();
        let total = crate::files::progress::Total {
            bytes: compared.bytes,
            files: compared.files,
            seconds: elapsed.as_secs_f64(),
        };
        ui.raw(format!("  identical: {}\n\n", total.text()).as_bytes());
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
