//! `pvremove`.

use std::path::{Path, PathBuf};

use anyfs_lvm::pv::{Access, Pv, side_folder};

use super::Entry;
use super::pvcreate::unused;
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain, code};
use crate::picture::shown;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<PvRemove>("Remove physical volumes: delete their files");

/// Remove physical volumes: delete their files
///
/// A PV that belongs to a volume group is only removed with -ff.
#[derive(Debug, clap::Parser)]
#[command(name = "pvremove", version, disable_version_flag = true)]
pub(crate) struct PvRemove {
    /// The files
    #[arg(required = true, value_name = "PV")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Verb for PvRemove {
    const NAME: &'static str = "pvremove";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        ui.each(&self.paths, |ui, path| self.remove(&session, ui, path))
    }
}

impl PvRemove {
    fn remove(&self, session: &Session, ui: &mut Ui<'_>, path: &Path) -> Done {
        let name = shown(path);
        if std::fs::symlink_metadata(path).is_err() {
            return Err(Failure::new(format!("Cannot use {name}: device not found")));
        }
        let kept = format!("{name}: physical volume label not removed.");
        let pv = Pv::open(&session.env, path, Access::ReadOnly)
            .map_err(|error| Failure::new(chain(&error)).line(kept.clone()))?;
        if let Some(member) = &pv.label().membership {
            let group = &member.name;
            if self.common.force < 2 {
                let failure = Failure::new(format!("PV {name} is used by VG {group} so please use vgreduce first."));
                return Err(failure
                    .line("(If you are certain you need pvremove, then confirm by using --force twice.)")
                    .line(kept));
            }
            unused(session, ui, path, group)?;
            ui.warn(&format!("PV {name} is used by VG {group}."));
            let ask = format!("Really WIPE LABELS from physical volume \"{name}\" of volume group \"{group}\" [y/n]? ");
            if !ui.confirm(&ask) {
                return Err(Failure { code: code::FAILED, lines: vec![kept], hint: None });
            }
        }
        if !session.test {
            let uuid = pv.label().pv;
            let file = pv.path().to_owned();
            drop(pv);
            delete(&file)
                .map_err(|error| Failure::new(format!("{name}: {}", crate::files::io_text(&error))).line(kept))?;
            session.unregister(uuid)?;
        }
        ui.say(&format!("Labels on physical volume \"{name}\" successfully wiped."));
        Ok(())
    }
}

/// The database first: without it the rest means nothing.
pub(super) fn delete(file: &Path) -> std::io::Result<()> {
    std::fs::remove_file(file)?;
    let missing_is_fine = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let mut journal = file.as_os_str().to_owned();
    journal.push("-journal");
    missing_is_fine(std::fs::remove_file(journal))?;
    missing_is_fine(std::fs::remove_dir_all(side_folder(file)))
}
