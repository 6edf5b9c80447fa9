//! `export`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyfs_lvm::lv::Kind;
use rustix::fs::Mode;

use super::Entry;
use super::filing::{Mounts, for_real, volume};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure, code};
use crate::files::host::{Host, HostWriter};
use crate::files::progress::Progress;
use crate::files::stop::Stop;
use crate::files::tar::export::{What, export};
use crate::files::volume::Mount;
use crate::files::{Side, Trouble, Whole, io_text};
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Export>("Write a tar archive of a logical volume");

/// Write a tar archive of a logical volume, or of a part of it
///
/// The archive holds what the directory contains, and the directory itself as "./"; of a single file, that file. It is
/// plain ustar where that says everything, and pax (as GNU tar writes and reads it) for nanoseconds, long and
/// international names, extended attributes and holes. Sockets are left out. What is damaged in the volume is zeros in
/// the archive, and the command fails in the end.
#[derive(Debug, clap::Parser)]
#[command(name = "export", version, disable_version_flag = true)]
pub(crate) struct Export {
    /// What to write
    #[arg(value_name = "VG/LV[:/PATH]")]
    path: OsString,
    /// The archive; standard output without it or with -
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Export {
    const NAME: &'static str = "export";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let (name, path) = volume(Self::NAME, &self.path)?;
        let file = self.file.filter(|file| file.as_os_str() != "-");
        match &file {
            Some(_) => for_real(&session)?,
            None if io::stdout().is_terminal() => {
                let failure = Failure::usage(Self::NAME, "An archive is nothing for a terminal.");
                return Err(failure.hint("name a file, or pipe it into another program"));
            }
            None => {}
        }
        let mut mounts = Mounts::new(&session, false)?;
        let mount = mounts.get(ui, &name)?;
        let result = what(&mount, &path).and_then(|what| write(ui, &mount, what, file.as_deref()));
        drop(mount);
        let closed = mounts.close();
        result.and(closed)
    }
}

/// What the path names.
fn what(mount: &Mount, path: &[u8]) -> Done<What> {
    let found = mount.resolve(path)?;
    if found.kind == Kind::Directory {
        return Ok(What { ino: found.ino, name: None });
    }
    let place = mount.place(path, true)?;
    Ok(What { ino: found.ino, name: place.name })
}

fn write(ui: &mut Ui<'_>, mount: &Mount, what: What, file: Option<&Path>) -> Done {
    let stop = Stop::watch()?;
    let progress = Progress::new(ui.manner.quiet == 0);
    let mut out = match file {
        Some(file) => Out::file(file)?,
        None => Out::Ui(ui),
    };
    let (told, done) = export(mount, what, &mut out, (&progress, &stop));
    let shown = file.map_or_else(|| "standard output".to_owned(), crate::picture::shown);
    let done = done.and_then(|()| out.finish()).map_err(|trouble: Trouble| trouble.about(&shown));
    if let (Err(_), Some(file)) = (&done, file)
        && std::fs::symlink_metadata(file).is_ok_and(|found| found.is_file())
    {
        // Part of an archive looks like one; the failure is what is told.
        let _ = std::fs::remove_file(file);
    }
    let total = progress.finish();
    for note in &told.notes {
        ui.warn(note);
    }
    for failure in &told.failures {
        ui.failure(failure);
    }
    // What happened to standard output is told once, by whoever owns it; who closed it has seen enough.
    if !ui.broken() {
        done?;
    } else if !ui.closed() {
        return Err(Failure::silent(code::FAILED));
    }
    if !told.failures.is_empty() {
        return Err(Failure::silent(code::FAILED));
    }
    if file.is_some() {
        ui.detail(&total.text());
    }
    Ok(())
}

/// Where an archive goes.
enum Out<'a, 'b> {
    /// Standard output.
    Ui(&'a mut Ui<'b>),
    /// A file, which gets its name when it is complete, in its folder.
    File(HostWriter, Arc<Path>),
    /// A pipe or a device.
    Device(File),
}

impl Out<'_, '_> {
    fn file(path: &Path) -> Done<Self> {
        let shown = crate::picture::shown(path);
        let failed = |error: io::Error| Failure::new(format!("{shown}: {}", io_text(&error)));
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(Failure::new(format!("{shown}: Is a directory"))),
            Ok(found) if !found.is_file() => {
                return Ok(Self::Device(OpenOptions::new().write(true).open(path).map_err(failed)?));
            }
            _ => {}
        }
        // What a link given by the user leads to is written, as cp does.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = real.file_name().ok_or_else(|| Failure::new(format!("{shown}: Is a directory")))?;
        let dir = real.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let dir: Arc<Path> = dir.into();
        // There is no way to ask for the mask but to change it; nobody makes a file meanwhile.
        let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        rustix::process::umask(mask);
        let mode = 0o666 & !mask.bits();
        let writer = Host.writer(&dir, name.as_bytes(), mode).map_err(|trouble| trouble.about(&shown))?;
        Ok(Self::File(writer, dir))
    }

    /// Makes it durable, and gives it its name.
    fn finish(self) -> Result<(), Trouble> {
        match self {
            Self::Ui(_) | Self::Device(_) => Ok(()),
            Self::File(writer, dir) => {
                writer.finish(None)?;
                Host.sync(&[dir])
            }
        }
    }
}

impl Write for Out<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file, _) => file.write(bytes),
            Self::Device(file) => file.write(bytes),
            Self::Ui(ui) => {
                ui.raw(bytes);
                self.flushed(false)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed(true)
    }
}

impl Out<'_, '_> {
    /// What the user's side of standard output remembers, as an error.
    fn flushed(&mut self, flush: bool) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Device(file) => file.flush(),
            Self::Ui(ui) => {
                if flush {
                    ui.flush();
                }
                if ui.broken() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
            }
        }
    }
}
