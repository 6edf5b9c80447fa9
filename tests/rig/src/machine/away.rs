//! A PV whose file is not there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lv::{Ino, LvError};

use super::ground::{path_of, volume_name};
use super::past::Past;
use super::reference::Id;
use super::run::Machine;
use super::tape::Tape;

/// The PV that was taken away.
#[derive(Debug)]
pub(super) struct Away {
    /// Where the group thinks its file is.
    pub(super) file: PathBuf,
    path: PathBuf,
    folder: bool,
    /// A change of the group that a crash had interrupted was not settled: it needs a majority of the PVs before it, too.
    pub(super) unsettled: bool,
    /// Nodes there ever were when it went: newer ones have nothing on it, but for what was copied into them.
    made: usize,
    copied: BTreeSet<Id>,
}

impl Machine {
    /// Takes a PV away and opens the volume without it.
    pub(super) fn take_away(&mut self, pv: u8, folder: bool) {
        if self.away.is_some() || self.squeezed {
            return;
        }
        let uuid = self.pick_pv(pv);
        let path = path_of(uuid);
        let record = self.ground.group().lv(&volume_name()).expect("the volume is there");
        let lost = record.copies.iter().filter(|copy| copy.pv == uuid && folder).count();
        let holders = self.group.pvs.len();
        let majority = 2 * (holders - 1) > holders;
        let opens = holders > 1 && (lost == 0 || (record.copies.len() > lost && majority));
        // Then more copies of the descriptor may be needed to give up one of the metadata. A PV whose leaving was interrupted
        // still has a copy of its own, which counts as long as no newer one is there.
        let group = self.ground.group();
        let left = group.notices().iter().any(|notice| matches!(notice, vg::Notice::NotMember { .. }));
        let unsettled = left || !group.settled();
        self.close();
        self.ground.carry(&path, folder, false);
        self.counts.missing += 1;
        let (made, copied) = (self.reference.made(), BTreeSet::new());
        let opened = self.ground.activate();
        match opened {
            Ok(volume) => {
                assert!(opens || unsettled, "opened without {}", path.display());
                let member = self.ground.group().pvs().iter().find(|member| member.uuid == uuid);
                let file = member.map(|member| member.path.clone()).unwrap_or_default();
                self.away = Some(Away { file, path, folder, unsettled, made, copied });
                self.opened(volume);
                self.tidy();
                self.check();
                self.forget_the_past();
            }
            Err(error) => {
                let text = error.to_string();
                assert!(!opens || unsettled, "not opened without {}: {text}", path.display());
                let known =
                    matches!(error, anyfs_lvm::Error::Lv(LvError::NoMetadata { .. } | LvError::CopyLost { .. }))
                        || matches!(error, anyfs_lvm::Error::Vg(vg::VgError::NoGroup(_)) if holders == 1);
                assert!(known, "opened without {}: {text}", path.display());
                self.counts.refused_partial += 1;
                self.ground.carry(&path, folder, true);
                self.open_again();
            }
        }
    }

    /// Brings the PV back and opens the whole volume.
    pub(super) fn bring_back(&mut self) {
        if self.away.is_some() {
            self.close();
            self.put_back();
            self.open_again();
        }
    }

    /// Moves the file back while nobody has the group open.
    pub(super) fn put_back(&mut self) {
        if let Some(away) = self.away.take() {
            self.ground.carry(&away.path, away.folder, true);
        }
    }

    /// Opens after a clean close: everything is there.
    fn open_again(&mut self) {
        let volume = self.ground.activate().unwrap_or_else(|error| panic!("activation with all PVs: {error}"));
        self.opened(volume);
        self.tidy();
        self.check();
        self.forget_the_past();
    }

    /// Everything is durable, and no crash reaches back: whoever moved files waited until they lay.
    fn forget_the_past(&mut self) {
        self.past = Past::new(&self.reference, &self.group);
        let _ = self.ground.disk.take_log();
        self.tape = Tape::new(&self.ground.disk.image());
    }

    /// A file got bytes of another.
    pub(super) fn copied(&mut self, id: Id) {
        if let Some(away) = &mut self.away {
            away.copied.insert(id);
        }
    }

    /// A read failed: it must be because of the PV, and say so.
    pub(super) fn check_missing(&mut self, (id, ino): (Id, Ino), (from, to): (u64, u64), error: &LvError) {
        let away = self.away.as_ref().unwrap_or_else(|| panic!("inode {ino}, bytes {from}..{to}: {error}"));
        let LvError::PvMissing { path, offset, pv } = error else { panic!("inode {ino}, {from}..{to}: {error}") };
        assert_eq!(*pv, away.file, "{error}");
        assert!((from..to).contains(offset), "bytes {from}..{to}: {error}");
        let new = id >= away.made && !away.copied.contains(&id);
        assert!(!new, "written since the PV went: {error}");
        let named = self.reference.get(id).is_ok_and(|node| node.nlink > 0);
        assert!(!named || self.reference.is_path_of(path, id), "{error}");
        self.counts.read_missing += 1;
    }
}
