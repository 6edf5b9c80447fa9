//! `top`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm::lv::{StatFs, Usage};
use anyfs_lvm::owner::Client;
use anyfs_lvm::pv::units::Units;
use anyfs_lvm::pv::{Access, Bytes};
use anyfs_lvm::vg;
use serde_json::json;

use super::{Entry, choosing};
use crate::args::{Common, LvName};
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain};
use crate::files::stop::Stop;
use crate::mounting::answers;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Top>("Watch logical volumes that are in use");

/// Watch logical volumes that are mounted, or open in a program that serves them
///
/// What the process that has a volume holds in memory and keeps back on disk, once a second until Ctrl-C. Looking changes
/// nothing: what is in the kernel's cache of a mount is not written out.
#[derive(Debug, clap::Parser)]
#[command(name = "top", version, disable_version_flag = true)]
#[command(mut_arg("debug", |arg| arg.short(None)))]
pub(crate) struct Top {
    /// Only these; all that are in use when none is given
    #[arg(value_name = "VG|VG/LV")]
    names: Vec<String>,
    /// A line of JSON for each volume and look
    #[arg(long)]
    json: bool,
    /// Seconds from one look to the next
    #[arg(short, long, value_name = "SECONDS", default_value_t = 1)]
    delay: u32,
    /// End after so many looks
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// Looks after which the heads of the columns are said again.
const PAGE: u64 = 20;
/// How long Ctrl-C may go unnoticed.
const TICK: Duration = Duration::from_millis(100);

/// The heads of the columns.
const HEADS: [&str; 11] =
    ["LV", "Process", "Dirty", "Intents", "Rows", "Cache", "Log", "Used", "Avail", "Files", "Mounted on"];
/// How wide they are; the last one is as wide as it is.
const WIDTHS: [usize; 10] = [16, 8, 9, 9, 8, 9, 9, 10, 10, 8];

impl Verb for Top {
    const NAME: &'static str = "top";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let (mut watched, done) = self.find(ui, &session)?;
        let stop = Stop::watch()?;
        let delay = Duration::from_secs(self.delay.max(1).into());
        let mut ended = Ok(());
        for number in 0.. {
            let began = Instant::now();
            if !self.json && number % PAGE == 0 && !watched.is_empty() {
                ui.raw(line(&HEADS.map(str::to_owned)).as_bytes());
            }
            watched.retain(|one| match one.client.counts() {
                Ok(counts) => {
                    let text = if self.json { one.json(&counts) } else { one.row(&counts) };
                    ui.raw(text.as_bytes());
                    true
                }
                Err(error) => {
                    let failure = Failure::new(format!("{}: {}", one.name, chain(&error)));
                    ui.failure(&failure);
                    ended = Err(Failure::silent(failure.code));
                    false
                }
            });
            ui.flush();
            let last = self.count.is_some_and(|count| number + 1 >= count);
            if last || watched.is_empty() || ui.closed() {
                break;
            }
            while began.elapsed() < delay && !stop.asked() {
                std::thread::sleep(TICK.min(delay));
            }
            if stop.asked() {
                break;
            }
        }
        done.and(ended)
    }
}

impl Top {
    /// The volumes to watch; those that were named and cannot be watched are told.
    fn find(&self, ui: &mut Ui<'_>, session: &Session) -> Done<(Vec<Watched>, Done)> {
        let chosen = choosing::volumes(session, ui, &self.names, Access::ReadOnly)?;
        let named = chosen.tell(ui);
        let mut watched = Vec::new();
        let done = ui.each(&chosen.volumes, |_, name| {
            match Watched::find(session, name) {
                Ok(one) => watched.push(one),
                // Whoever asks for all asks for those that there are.
                Err(_) if self.names.is_empty() => {}
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
        Ok((watched, named.and(done)))
    }
}

/// A volume and the process that has it.
struct Watched {
    name: LvName,
    client: Client,
}

impl Watched {
    fn find(session: &Session, name: &LvName) -> Done<Self> {
        let (group, _) = session.find_group(&name.vg, Access::ReadOnly)?;
        let missing = || Failure::new(format!("Failed to find logical volume \"{name}\""));
        let lv = vg::LvName::new(&name.lv).map_err(|_| missing())?;
        let record = group.lv(&lv).map_err(|_| missing())?;
        let holder = session.owner(&group, record).ok_or_else(|| Failure::new(format!("{name} is not in use.")))?;
        let asked = holder.pid.filter(|_| answers(&holder)).map(|pid| Client::find(record.family, pid));
        let found = asked.transpose().map_err(|error| Failure::new(format!("{name}: {}", chain(&error))))?.flatten();
        let client =
            found.ok_or_else(|| Failure::new(format!("{name} is in use by {holder}, which takes no requests")))?;
        Ok(Self { name: name.clone(), client })
    }

    fn row(&self, (usage, space): &(Usage, StatFs)) -> String {
        let show = |bytes| Units::default().show(Bytes(bytes)).trim().to_owned();
        let served = self.client.served();
        line(&[
            self.name.to_string(),
            served.pid.to_string(),
            show(usage.dirty_bytes),
            show(usage.intent_bytes),
            usage.rows.to_string(),
            show(usage.cache_bytes),
            show(usage.log_bytes),
            show(space.used),
            show(space.free),
            space.files.to_string(),
            served.mounted.as_deref().map(crate::picture::shown).unwrap_or_default(),
        ])
    }

    fn json(&self, (usage, space): &(Usage, StatFs)) -> String {
        let served = self.client.served();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        let value = json!({
            "time": now,
            "lv": self.name.to_string(),
            "pid": served.pid,
            "mounted": served.mounted.as_deref().map(crate::picture::shown),
            "dirty_bytes": usage.dirty_bytes,
            "intent_bytes": usage.intent_bytes,
            "rows": usage.rows,
            "cache_bytes": usage.cache_bytes,
            "log_bytes": usage.log_bytes,
            "free_extents": usage.free_extents,
            "quarantined_extents": usage.quarantined_extents,
            "total_bytes": space.total,
            "used_bytes": space.used,
            "free_bytes": space.free,
            "files": space.files,
        });
        format!("{value}\n")
    }
}

/// Cells under their heads: numbers to the right.
fn line(cells: &[String; 11]) -> String {
    let padded = cells.iter().zip(WIDTHS).enumerate().map(|(at, (cell, width))| match at {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    let padded = padded.collect::<Vec<_>>().join(" ");
    let last = cells.last().map(|cell| format!(" {cell}")).unwrap_or_default();
    format!("  {}\n", format!("{padded} {last}").trim_end())
}
