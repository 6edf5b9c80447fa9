//! `bench`.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyfs_lvm::pv::units::Unit;
use anyfs_lvm::pv::{Access, ExtentSize};
use indicatif::{ProgressBar, ProgressDrawTarget};
use measure::{Contender, Extra, Host, Machine, Runner, Scale, Stop as Flag, WORKS, Wanted, Work};

use super::{Entry, filing};
use crate::args::{Common, lv_name, size};
use crate::bench::{
    Child, CurveKind, Existing, GUARDS, LvMaker, Paint, Report, Role, Settings, Shape, child, curve, extras, guard,
    table,
};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::stop::Stop;
use crate::mounting::Use;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Bench>("Measure how fast volumes are, beside the host's filesystem");

/// Measure how fast volumes are, beside the host's filesystem
///
/// The same work is done in a folder of the host and in a logical volume, in turns within each round; the table has the
/// medians, the ratio of the two (more than 1: faster than the host), and the target that the project has for it. What
/// a row counts is durable when its clock stops (reads apart), and every byte that was written is read back and
/// compared. Works in a new folder, or with VG/LV in a new directory of that volume, and removes it at the end.
#[derive(Debug, clap::Parser)]
#[command(name = "bench", version, disable_version_flag = true)]
pub(crate) struct Bench {
    /// Measure in this volume; what is in it stays as it is
    #[arg(value_name = "VG/LV", conflicts_with_all = ["dir", "pvs", "extent", "curve"])]
    volume: Option<String>,
    /// Measure in pools made for it in this folder, which should be on a disk (default: the current folder)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only works and rows whose names contain one of these words
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds instead of minutes; the figures say little
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The sizes that the targets are written for: 1 GiB, 10,000 files
    #[arg(long)]
    full: bool,
    /// Bytes of a large file
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
    /// Number of small files
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    files: Option<u64>,
    /// Rounds; the median of them counts
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=99))]
    rounds: Option<u64>,
    /// Physical volumes of the pools
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    pvs: u64,
    /// Size of an extent
    #[arg(long, value_name = "SIZE")]
    extent: Option<String>,
    /// How figures change with one thing: pool, pvs, extent, files or threads
    #[arg(long, value_name = "THING")]
    curve: Option<String>,
    /// The result as JSON
    #[arg(long)]
    json: bool,
    /// What this process is to do for another
    #[arg(long, hide = true, value_name = "ROLE")]
    child: Option<String>,
    /// One hot path alone, for counting instructions
    #[arg(long, hide = true, value_name = "NAME")]
    guard: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Bench {
    const NAME: &'static str = "bench";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        filing::for_real(&session)?;
        if let Some(word) = &self.child {
            return self.play(word, ui);
        }
        let (scale, shape) = (self.scale()?, self.shape()?);
        let (wanted, kind) = (self.wanted()?, self.curve_kind()?);
        let stop = Flag::of(Stop::watch()?.flag());
        let existing = self.volume.as_deref().map(|name| existing(&session, ui, name)).transpose()?;
        let beside = existing.as_ref().and_then(|existing| existing.files.first()).and_then(|pv| pv.parent());
        let dir = beside.or(self.dir.as_deref()).unwrap_or(Path::new("."));
        let folder = Folder::make(if dir.as_os_str().is_empty() { Path::new(".") } else { dir })?;
        let run = Run { scale, shape, wanted, stop, folder: &folder.0, existing };
        let done = match (&self.guard, kind) {
            (Some(name), _) => guard(name, &folder.0).map_err(|error| failure(&error)),
            (None, Some(kind)) => self.curve(kind, &run, ui),
            (None, None) => self.table(&run, ui),
        };
        let done = match self.volume.as_deref().zip(run.existing.as_ref()) {
            Some((volume, existing)) => {
                tidied(done, existing.clear(), &format!("/{} in {volume}", existing.folder), ui)
            }
            None => done,
        };
        let name = folder.0.display().to_string();
        tidied(done, folder.remove(), &name, ui)
    }
}

/// How it went, with removing `what` at the end. Where both failed, the user has to know what may be left.
fn tidied(done: Done, removed: measure::Result, what: &str, ui: &mut Ui<'_>) -> Done {
    match (done, removed) {
        (Err(first), Err(error)) => {
            ui.warn(&format!("{what} may be left: {}", crate::failure::chain(&error)));
            Err(first)
        }
        (Ok(()), Err(error)) => Err(failure(&error).line(format!("{what} may be left."))),
        (done, Ok(())) => done,
    }
}

/// A run, with everything that it needs.
struct Run<'a> {
    scale: Scale,
    shape: Shape,
    wanted: Wanted,
    stop: Flag,
    folder: &'a Path,
    existing: Option<Existing>,
}

impl Bench {
    fn play(&self, word: &str, ui: &mut Ui<'_>) -> Done {
        let dir = self.dir.as_deref().unwrap_or(Path::new("."));
        let role = Role::read(word, dir).ok_or_else(|| Failure::argument("--child", word, ""))?;
        let (input, output) = ui.streams();
        child(&role, input, output).map_err(|error| failure(&error))
    }

    fn scale(&self) -> Done<Scale> {
        let mut scale = match (self.quick, self.full) {
            (true, _) => Scale::quick(),
            (_, true) => Scale::full(),
            _ => Scale::usual(),
        };
        if let Some(text) = &self.size {
            scale.bytes = size("--size", text, Unit::Mebi, false)?.bytes;
            if scale.bytes < measure::MIB {
                return Err(Failure::argument("--size", text, "At least 1 MiB is needed."));
            }
        }
        scale.files = self.files.unwrap_or(scale.files);
        scale.rounds = self.rounds.unwrap_or(scale.rounds);
        Ok(scale)
    }

    fn shape(&self) -> Done<Shape> {
        let mut shape = Shape { pvs: self.pvs, ..Shape::default() };
        if let Some(text) = &self.extent {
            let bytes = size("--extent", text, Unit::Kibi, false)?.bytes;
            let reason = "Extents have 64 KiB to 1 MiB, a power of 2.";
            shape.extent = ExtentSize::new(bytes).ok_or_else(|| Failure::argument("--extent", text, reason))?;
        }
        Ok(shape)
    }

    /// The rows that are wanted; a word that means none is an error.
    fn wanted(&self) -> Done<Wanted> {
        let wanted = Wanted::new(&self.only);
        let rows: Vec<_> = rows().collect();
        let unknown = wanted.unknown(&rows).next().cloned();
        let Some(word) = unknown else { return Ok(wanted) };
        let mut names: Vec<_> = rows.iter().map(|(work, _)| *work).collect();
        names.dedup();
        let failure = Failure::argument("--only", &word, "No work and no row has that in its name.");
        Err(failure.hint(format!("works: {}", names.join(" "))))
    }

    fn curve_kind(&self) -> Done<Option<CurveKind>> {
        if let Some(name) = self.guard.as_deref().filter(|name| !GUARDS.contains(name)) {
            return Err(Failure::argument("--guard", name, ""));
        }
        let Some(name) = &self.curve else { return Ok(None) };
        let reason = "There are pool, pvs, extent, files and threads.";
        CurveKind::named(name).map(Some).ok_or_else(|| Failure::argument("--curve", name, reason))
    }

    fn table(&self, run: &Run<'_>, ui: &mut Ui<'_>) -> Done {
        let mut report = begin(run, self, ui);
        let ours: LvMaker = match &run.existing {
            Some(existing) => LvMaker::in_volume(existing.clone()),
            None => LvMaker::in_folder(run.folder, run.shape),
        };
        let contenders = vec![Contender::Here(Box::new(Host::new(run.folder))), Contender::Here(Box::new(ours))];
        let bar = bar(ui);
        let mut tell = |text: &str| bar.set_message(text.to_owned());
        let mut runner = Runner {
            scale: run.scale.clone(),
            wanted: run.wanted.clone(),
            contenders,
            folder: run.folder.to_owned(),
            stop: run.stop.clone(),
            tell: &mut tell,
        };
        report.outcomes = runner.run(WORKS).map_err(|error| failure(&error))?;
        for mut extra in own_extras(run)? {
            let found = if run.existing.is_none() { runner.extra(&mut *extra) } else { Ok(runner.left_out(&*extra)) };
            report.outcomes.extend(found.map_err(|error| failure(&error))?);
        }
        bar.finish_and_clear();
        let text = if self.json { format!("{:#}\n", report.json(None)) } else { table(&report, paint()) };
        ui.raw(text.as_bytes());
        Ok(())
    }

    fn curve(&self, kind: CurveKind, run: &Run<'_>, ui: &mut Ui<'_>) -> Done {
        let report = begin(run, self, ui);
        let bar = bar(ui);
        let mut tell = |text: &str| bar.set_message(text.to_owned());
        let curves = curve(kind, run.folder, (&run.scale, run.shape), &run.stop, &mut tell);
        bar.finish_and_clear();
        let curves = curves.map_err(|error| failure(&error))?;
        let text = if self.json {
            format!("{:#}\n", report.json(Some(&curves)))
        } else {
            format!("{}{}\n", curves.text(), report.machine.text())
        };
        ui.raw(text.as_bytes());
        Ok(())
    }
}

/// What is measured in further processes of this program.
fn own_extras(run: &Run<'_>) -> Done<Vec<Box<dyn Extra>>> {
    let no = |error: std::io::Error| Failure::new(format!("cannot find out which program this is: {error}"));
    let program = std::env::current_exe().map_err(no)?.into_os_string();
    let command = vec![program, OsString::from(Bench::NAME), OsString::from("--child")];
    Ok(extras(run.folder, run.shape, &Child { command, stop: run.stop.clone() }))
}

/// All rows there are, with their works.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    let works = WORKS.iter().flat_map(|work: &Work| work.rows().map(|row| (work.name, row.key)));
    let shape = Shape::default();
    let nobody = Child { command: Vec::new(), stop: Flag::default() };
    let more = extras(Path::new("."), shape, &nobody);
    let more: Vec<_> = more.iter().flat_map(|extra| extra.rows().iter().map(|row| (extra.name(), row.key))).collect();
    works.chain(more)
}

fn begin(run: &Run<'_>, bench: &Bench, ui: &mut Ui<'_>) -> Report {
    let machine = Machine::here(run.folder);
    if machine.filesystem == "tmpfs" {
        ui.warn("the folder lies in memory (tmpfs): nothing is durable there, and the ratios mean little.");
    }
    let extent = run.shape.extent.bytes();
    let settings = Settings { scale: run.scale.clone(), pvs: run.shape.pvs, extent, volume: bench.volume.clone() };
    Report::begin(machine, settings)
}

/// The volume of that name, to work in.
fn existing(session: &Session, ui: &mut Ui<'_>, text: &str) -> Done<Existing> {
    let Some(name) = lv_name(text) else {
        let failure = Failure::usage(Bench::NAME, format!("{text}: not a logical volume."));
        return Err(failure.hint("write it as VG/LV"));
    };
    // Says what is out of order, and whether there is such a volume.
    let mount = session.mount_if(ui, &name, Use::Write, &|_| Ok(()))?;
    mount.volume.close().map_err(|error| Failure::new(format!("{name}: {}", crate::failure::chain(&error))))?;
    let group = session.group(ui, &name.vg, Access::ReadOnly)?;
    let files = group.pvs().iter().filter(|member| member.present()).map(|member| member.path.clone()).collect();
    Ok(Existing { name: name.lv, files, folder: format!(".anyfs-lvm-bench.{}", std::process::id()) })
}

/// A line that says what is going on, on a terminal.
fn bar(ui: &Ui<'_>) -> ProgressBar {
    let shown = ui.manner.quiet == 0 && std::io::stderr().is_terminal();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if shown {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
    }
    bar
}

fn paint() -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !refused { Paint::Colours } else { Paint::Plain }
}

fn failure(error: &measure::Error) -> Failure {
    match error {
        measure::Error::Interrupted => Failure::new("Interrupted."),
        measure::Error::Room { .. } => Failure::chain(error).hint("make less of it: --size SIZE, --quick"),
        _ => Failure::chain(error),
    }
}

/// A folder that belongs to this run, and goes with it.
struct Folder(PathBuf);

impl Folder {
    fn make(parent: &Path) -> Done<Self> {
        let failed =
            |error: &std::io::Error| Failure::new(format!("{}: {}", parent.display(), crate::files::io_text(error)));
        for number in 0..1000u32 {
            let dir = parent.join(format!("anyfs-lvm-bench.{}.{number}", std::process::id()));
            match std::fs::create_dir(&dir) {
                Ok(()) => return Ok(Self(std::path::absolute(&dir).unwrap_or(dir))),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Err(Failure::new(format!("{}: no free name for a folder", parent.display())))
    }

    /// Removes it, and says how that went.
    fn remove(self) -> measure::Result {
        measure::remove_folder(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After a failure; what could not be removed has been told, or is not the trouble.
        let _ = measure::remove_folder(&self.0);
    }
}
