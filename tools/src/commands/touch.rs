//! `touch`.

use std::ffi::OsString;
use std::time::{SystemTime, UNIX_EPOCH};

use anyfs_lvm::lv::{Attr, Kind, LvError, Nanos, SetAttr};

use super::Entry;
use super::filing::{self, make_file, reference};
use crate::args::{Common, LongHelp, date, stamp};
use crate::cli::Verb;
use crate::failure::Done;
use crate::files::volume::Mount;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Touch>("Make files of a logical volume, or set their times");

/// Make files of a logical volume, or set their times
///
/// A file that is missing is made, empty. Times are set to now, unless an option says otherwise. -t is a time here, as
/// in every touch; test mode is --test.
#[derive(Debug, clap::Parser)]
#[command(name = "touch", version, disable_version_flag = true, disable_help_flag = true)]
#[command(mut_arg("debug", |arg| arg.short(None)), mut_arg("test", |arg| arg.short(None)))]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the command line")]
pub(crate) struct Touch {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Make no file
    #[arg(short = 'c', long)]
    no_create: bool,
    /// The time of last access only
    #[arg(short = 'a', long)]
    access: bool,
    /// The time of last change of contents only
    #[arg(short = 'm', long)]
    modification: bool,
    /// Symbolic links themselves, not what they lead to
    #[arg(short = 'h', long)]
    no_dereference: bool,
    /// The time: YYYY-MM-DD [HH:MM[:SS[.FRACTION]]] [+HH:MM] (UTC without a zone), @SECONDS or now
    #[arg(short = 'd', long, value_name = "DATE", allow_hyphen_values = true)]
    date: Option<String>,
    #[arg(short = 't', value_name = "STAMP", conflicts_with = "date", help = "The time: [[CC]YY]MMDDhhmm[.ss], UTC")]
    stamp: Option<String>,
    /// The times of this file, of the host or of a volume
    #[arg(short = 'r', long, value_name = "PATH", conflicts_with_all = ["date", "stamp"])]
    reference: Option<OsString>,
    #[command(flatten)]
    help: LongHelp,
    #[command(flatten)]
    common: Common,
}

impl Verb for Touch {
    const NAME: &'static str = "touch";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let asked = self.asked()?;
        let times = |ui: &mut Ui<'_>, mounts: &mut filing::Mounts<'_>| match &self.reference {
            None => Ok(asked),
            Some(file) => reference(ui, mounts, file, !self.no_dereference).map(|meta| (meta.atime, meta.mtime)),
        };
        let about = (Self::NAME, true);
        filing::each_after(ui, about, &self.paths, &self.common, times, |_, mount, path, times| {
            self.touch(mount, path, *times)
        })
    }
}

impl Touch {
    /// Both times as the options say.
    fn asked(&self) -> Done<(Nanos, Nanos)> {
        let now = now();
        let time = match (&self.date, &self.stamp) {
            (Some(text), _) => date(text, now)?,
            (_, Some(text)) => stamp(text, now)?,
            _ => now,
        };
        Ok((time, time))
    }

    fn touch(&self, mount: &Mount, path: &[u8], (atime, mtime): (Nanos, Nanos)) -> Done {
        let found = match self.find(mount, path) {
            Ok(found) => found,
            Err(LvError::NotFound { .. }) if self.no_create => return Ok(()),
            Err(LvError::NotFound { .. }) if !self.no_dereference && !path.ends_with(b"/") => {
                let made = make_file(mount, path)?;
                // It has the time of its making already.
                if self.date.is_none() && self.stamp.is_none() && self.reference.is_none() {
                    return Ok(());
                }
                made
            }
            Err(error) => return Err(mount.failure(path, &error)),
        };
        let both = self.access == self.modification;
        let set = SetAttr {
            atime: (both || self.access).then_some(atime),
            mtime: (both || self.modification).then_some(mtime),
            ..SetAttr::default()
        };
        mount.volume.setattr(found.ino, &set).map(drop).map_err(|error| mount.failure(path, &error))
    }

    fn find(&self, mount: &Mount, path: &[u8]) -> Result<Attr, LvError> {
        let slash = path.ends_with(b"/");
        let found = mount.volume.resolve(path, slash || !self.no_dereference)?;
        if slash && found.kind != Kind::Directory {
            return Err(LvError::NotDirectory { name: path.to_vec() });
        }
        Ok(found)
    }
}

/// Nanoseconds since 1970 by the clock of this host.
fn now() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_nanos());
    since.ok().and_then(|nanos| Nanos::try_from(nanos).ok()).unwrap_or(0)
}
