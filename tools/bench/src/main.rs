//! `anyfs-lvm` beside the host and beside other ways to keep files in SQLite, in the same run; `tools/bench/compare.sh`
//! builds and calls this.

mod page;
mod plot;
mod sqlite;

use std::ffi::OsString;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyfs_lvm_tools::bench::measure::{
    Contender, Host, MIB, Machine, Program, Runner, Scale, Stop, WORKS, Wanted, remove_folder,
};
use anyfs_lvm_tools::bench::{
    Child, CurveKind, Curves, LvMaker, Report, Role, Settings, Shape, chain, child, curve, extras,
};
use clap::Parser;

use crate::sqlite::{Blobs, Chunks};

/// Compare anyfs-lvm with the host's filesystem and with other ways to keep files in SQLite.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder to work in, on the disk that is measured
    #[arg(long)]
    dir: PathBuf,
    /// Folder for performance.md and plots; without it the page goes to standard output
    #[arg(long)]
    out: Option<PathBuf>,
    /// The program that lets `LiteboxFS` take part
    #[arg(long)]
    litebox: Option<PathBuf>,
    /// Seconds instead of minutes
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The sizes that the targets are written for
    #[arg(long)]
    full: bool,
    /// MiB of a large file
    #[arg(long)]
    mib: Option<u64>,
    /// Number of small files
    #[arg(long)]
    files: Option<u64>,
    /// Rounds
    #[arg(long)]
    rounds: Option<u64>,
    /// Only works and rows whose names contain one of these words
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Leave out the curves
    #[arg(long)]
    no_curves: bool,
    /// How this was called, for the page
    #[arg(long, default_value = "tools/bench/compare.sh")]
    command: String,
    /// What this process is to do for another
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// Why the comparison has no result.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Measure(#[from] anyfs_lvm_tools::bench::measure::Error),
    #[error("{}: cannot {operation}", path.display())]
    File { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
    #[error("{0}: no such part")]
    Part(String),
    #[error(transparent)]
    Plot(#[from] plot::PlotError),
}

type Done<T = ()> = Result<T, Failure>;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("anyfs-lvm-compare: {}", chain(&failure)));
            ExitCode::FAILURE
        }
    }
}

/// A line about what is going on.
fn say(line: &str) {
    // Nobody is left to tell when standard error itself is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A folder that goes with the run.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&self.0) {
            say(&format!("anyfs-lvm-compare: {error}"));
        }
    }
}

fn file(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |source| Failure::File { operation, path, source }
}

fn run(arguments: &Arguments) -> Done {
    if let Some(word) = &arguments.child {
        let role = Role::read(word, &arguments.dir).ok_or_else(|| Failure::Part(word.clone()))?;
        let (mut input, mut output) = (BufReader::new(std::io::stdin()), std::io::stdout());
        return Ok(child(&role, &mut input, &mut output)?);
    }
    let stop = watch()?;
    let path = arguments.dir.join(format!("anyfs-lvm-compare.{}", std::process::id()));
    std::fs::create_dir(&path).map_err(file("make the folder", &path))?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let folder = Folder(path);
    let scale = arguments.scale();
    let report = arguments.table(&scale, &folder.0, &stop)?;
    let curves = if arguments.no_curves { Vec::new() } else { all_curves(&scale, &folder.0, &stop)? };
    arguments.write(&report, &curves)
}

/// Ends early, and tidily, at Ctrl-C.
fn watch() -> Done<Stop> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag)).map_err(Failure::Signals)?;
        signal_hook::flag::register(signal, Arc::clone(&flag)).map_err(Failure::Signals)?;
    }
    Ok(Stop::of(flag))
}

fn all_curves(scale: &Scale, folder: &Path, stop: &Stop) -> Done<Vec<Curves>> {
    let mut tell = |text: &str| say(text);
    let mut all = Vec::new();
    for kind in CurveKind::ALL {
        all.push(curve(kind, folder, (scale, Shape::default()), stop, &mut tell)?);
    }
    Ok(all)
}

impl Arguments {
    fn scale(&self) -> Scale {
        let mut scale = match (self.quick, self.full) {
            (true, _) => Scale::quick(),
            (_, true) => Scale::full(),
            _ => Scale::usual(),
        };
        scale.bytes = self.mib.map_or(scale.bytes, |mib| mib.saturating_mul(MIB));
        scale.files = self.files.unwrap_or(scale.files);
        scale.rounds = self.rounds.unwrap_or(scale.rounds);
        scale
    }

    /// Everybody who takes part, the host first.
    fn contenders(&self, folder: &Path) -> Vec<Contender> {
        let mut all = vec![
            Contender::Here(Box::new(Host::new(folder))),
            Contender::Here(Box::new(LvMaker::in_folder(folder, Shape::default()))),
            Contender::Here(Box::new(Chunks::new(folder.to_owned(), 4096))),
            Contender::Here(Box::new(Chunks::new(folder.to_owned(), 65_536))),
            Contender::Here(Box::new(Blobs::new(folder.to_owned()))),
        ];
        all.extend(self.litebox.as_ref().map(|program| {
            let command = vec![program.clone().into_os_string(), folder.to_owned().into_os_string()];
            Contender::There(Program { name: "liteboxfs".to_owned(), command })
        }));
        all
    }

    fn table(&self, scale: &Scale, folder: &Path, stop: &Stop) -> Done<Report> {
        let shape = Shape::default();
        let settings = Settings { scale: scale.clone(), pvs: shape.pvs, extent: shape.extent.bytes(), volume: None };
        let mut report = Report::begin(Machine::here(folder), settings);
        let mut tell = |text: &str| say(text);
        let mut runner = Runner {
            scale: scale.clone(),
            wanted: Wanted::new(&self.only),
            contenders: self.contenders(folder),
            folder: folder.to_owned(),
            stop: stop.clone(),
            tell: &mut tell,
        };
        report.outcomes = runner.run(WORKS)?;
        let program = std::env::current_exe().map_err(file("find this program from", Path::new(".")))?;
        let command = vec![program.into_os_string(), OsString::from("--child")];
        for mut extra in extras(folder, shape, &Child { command, stop: stop.clone() }) {
            report.outcomes.extend(runner.extra(&mut *extra)?);
        }
        Ok(report)
    }

    fn write(&self, report: &Report, curves: &[Curves]) -> Done {
        let page = page::page(report, curves, &self.command);
        let Some(out) = &self.out else {
            return std::io::stdout().write_all(page.as_bytes()).map_err(file("write", Path::new("standard output")));
        };
        let plots = out.join("plots");
        std::fs::create_dir_all(&plots).map_err(file("make the folder", &plots))?;
        for curves in curves {
            plot::plot(curves, &plots.join(format!("{}.svg", curves.kind.name())))?;
        }
        let figures = plots.join("figures.json");
        std::fs::write(&figures, format!("{:#}\n", report.json(None))).map_err(file("write", &figures))?;
        let path = out.join("performance.md");
        std::fs::write(&path, page).map_err(file("write", &path))
    }
}
