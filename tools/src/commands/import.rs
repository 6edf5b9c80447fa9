//! `import`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyfs_lvm::lv::{Ino, Kind};

use super::Entry;
use super::filing::{Mounts, volume};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure, code};
use crate::files::io_text;
use crate::files::progress::Progress;
use crate::files::stop::Stop;
use crate::files::tar::import::{Told, import};
use crate::files::tar::input::Input;
use crate::files::volume::Mount;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Import>("Unpack a tar archive into a logical volume");

/// Unpack a tar archive into a directory of a logical volume
///
/// Reads ustar, GNU and pax archives with their long names, hard links, devices, extended attributes and holes; owners by
/// number. Files appear whole or not at all, in place of what has their name; directories that exist are kept. Nothing
/// is made outside the directory: names with ".." and names that pass through a symbolic link are left out. Returns when
/// everything is durable.
#[derive(Debug, clap::Parser)]
#[command(name = "import", version, disable_version_flag = true)]
pub(crate) struct Import {
    /// The directory to unpack into
    #[arg(value_name = "VG/LV[:/PATH]")]
    path: OsString,
    /// The archive, not compressed; standard input without it or with -
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Import {
    const NAME: &'static str = "import";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let mut mounts = Mounts::new(&session, true)?;
        let (name, path) = volume(Self::NAME, &self.path)?;
        let file = self.file.filter(|file| file.as_os_str() != "-");
        if file.is_none() && io::stdin().is_terminal() {
            let failure = Failure::usage(Self::NAME, "Nobody types an archive.");
            return Err(failure.hint("name a file, or pipe the archive into the command"));
        }
        let file = file.map(|file| open(&file).map(|open| (open, crate::picture::shown(&file)))).transpose()?;
        let mount = mounts.get(ui, &name)?;
        let result = directory(&mount, &path).and_then(|root| unpack(ui, &mount, root, file));
        drop(mount);
        let closed = mounts.close();
        result.and(closed)
    }
}

fn open(path: &Path) -> Done<File> {
    let failed = |error: io::Error| Failure::new(format!("{}: {}", crate::picture::shown(path), io_text(&error)));
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Failure::new(format!("{}: Is a directory", crate::picture::shown(path))));
    }
    Ok(file)
}

fn directory(mount: &Mount, path: &[u8]) -> Done<Ino> {
    let shown = mount.shown(path);
    let missing = |failure: Failure| match failure.hint {
        None => failure.hint(format!("make it first: anyfs-lvm mkdir -p {shown}")),
        Some(_) => failure,
    };
    let found = mount.resolve(path).map_err(missing)?;
    match found.kind {
        Kind::Directory => Ok(found.ino),
        _ => Err(Failure::new(format!("{shown}: Not a directory"))),
    }
}

fn unpack(ui: &mut Ui<'_>, mount: &Mount, root: Ino, file: Option<(File, String)>) -> Done {
    let stop = Stop::watch()?;
    let progress = Progress::new(ui.manner.quiet == 0);
    let told = if let Some((mut file, shown)) = file {
        let same = file.try_clone().map_err(|error| Failure::new(format!("{shown}: {}", io_text(&error))))?;
        let mut input = Input::new((&mut file, same.as_fd()), shown, (&progress, &stop));
        input.expect(&same);
        import(mount, root, input, &progress)
    } else {
        let stdin = io::stdin();
        let mut source = ui.input();
        let input = Input::new((&mut source, stdin.as_fd()), "standard input".to_owned(), (&progress, &stop));
        import(mount, root, input, &progress)
    };
    let total = progress.finish();
    tell(ui, &told);
    if !told.failures.is_empty() {
        return Err(Failure::silent(code::FAILED));
    }
    ui.detail(&total.text());
    Ok(())
}

fn tell(ui: &mut Ui<'_>, told: &Told) {
    for note in &told.notes {
        ui.warn(note);
    }
    for failure in &told.failures {
        ui.failure(failure);
    }
}
