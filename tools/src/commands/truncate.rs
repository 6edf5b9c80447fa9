//! `truncate`.

use std::ffi::OsString;

use anyfs_lvm::lv::{Attr, Kind, LvError, SetAttr};

use super::Entry;
use super::filing::{self, make_file, reference};
use crate::args::{Common, Length, length};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::volume::Mount;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Truncate>("Cut or extend files of a logical volume");

/// Cut or extend files of a logical volume
///
/// What is added reads as zeros and stores nothing. A file that is missing is made.
///
/// SIZE is a number of bytes, with K, M, G, T, P or E for powers of 1024 and KB, MB, .. for powers of 1000. In front of
/// it + and - change the size by that much, < and > are the most and the least it may be, / and % round it down and up
/// to a multiple.
#[derive(Debug, clap::Parser)]
#[command(name = "truncate", version, disable_version_flag = true)]
pub(crate) struct Truncate {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// The size, or how it changes
    #[arg(short, long, value_name = "SIZE", allow_hyphen_values = true, required_unless_present = "reference")]
    size: Option<String>,
    /// The size of this file, of the host or of a volume; --size may change it
    #[arg(short, long, value_name = "PATH")]
    reference: Option<OsString>,
    /// Make no file
    #[arg(short = 'c', long)]
    no_create: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Truncate {
    const NAME: &'static str = "truncate";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let length = self.size.as_deref().map(length).transpose()?;
        if self.reference.is_some() && matches!(length, Some(Length::Exactly(_))) {
            return Err(Failure::usage(Self::NAME, "With --reference, --size needs one of + - < > / % in front."));
        }
        let about = (Self::NAME, true);
        let first = |ui: &mut Ui<'_>, mounts: &mut filing::Mounts<'_>| {
            self.reference.as_ref().map(|file| reference(ui, mounts, file, true)).transpose()
        };
        filing::each_after(ui, about, &self.paths, &self.common, first, |_, mount, path, like| {
            let Some(found) = self.file(mount, path)? else { return Ok(()) };
            let old = like.map_or(found.size, |like| like.size);
            let size = length.map_or(Some(old), |length| length.of(old));
            let large = || Failure::new(format!("{}: File too large", mount.shown(path)));
            let set = SetAttr { size: Some(size.ok_or_else(large)?), ..SetAttr::default() };
            mount.volume.setattr(found.ino, &set).map(drop).map_err(|error| match error {
                LvError::TooLarge { .. } => large(),
                error => mount.failure(path, &error),
            })
        })
    }
}

impl Truncate {
    /// What the path leads to, made when it is missing; `None` when it is to stay missing.
    fn file(&self, mount: &Mount, path: &[u8]) -> Done<Option<Attr>> {
        let found = match mount.volume.resolve(path, true) {
            Ok(found) => found,
            Err(LvError::NotFound { .. }) if self.no_create => return Ok(None),
            Err(LvError::NotFound { .. }) if !path.ends_with(b"/") => make_file(mount, path)?,
            Err(error) => return Err(mount.failure(path, &error)),
        };
        match found.kind {
            Kind::File if path.ends_with(b"/") => Err(Failure::new(format!("{}: Not a directory", mount.shown(path)))),
            Kind::File => Ok(Some(found)),
            Kind::Directory => Err(Failure::new(format!("{}: Is a directory", mount.shown(path)))),
            _ => Err(Failure::new(format!("{}: Not a regular file", mount.shown(path)))),
        }
    }
}
