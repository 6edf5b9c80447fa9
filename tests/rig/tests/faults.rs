//! The engine under faults of its disk, and the proof that a rule of it that is off is found.

use std::path::Path;
use std::time::Duration;

use anyfs_lvm_rig::{
    Disk, Fault, FaultCampaign, FaultKind, FaultOptions, FaultReport, FileKind, Pool, Weakness, Workload, watch,
};
use lv::{Ino, LvError, NewNode, Rule, SetAttr, Volume};
use pv::{Bytes, Epoch, ExtentStore, FamilyUuid, Pv, PvOptions, Txg};

#[cfg(test)]
mod support {
    use super::*;

    /// Runs a campaign; nothing in it takes long.
    pub(crate) fn run(options: FaultOptions) -> FaultReport {
        watch(Duration::from_secs(60));
        FaultCampaign::run(options).unwrap()
    }

    /// Faults in order until the first that something is wrong with.
    pub(crate) fn hunt(workload: &str, kind: FaultKind, file: Option<FileKind>, weakness: Weakness) -> FaultReport {
        let workload = Some(workload.to_owned());
        run(FaultOptions { workload, kind: Some(kind), file, weakness, hasty: true, ..FaultOptions::default() })
    }
}

use support::{hunt, run};

#[test]
fn faults_drawn_by_lot_lose_nothing() {
    for workload in ["copies", "group", "compaction"] {
        let workload = Some(workload.to_owned());
        let report = run(FaultOptions { seed: 11, runs: Some(12), workload, ..FaultOptions::default() });
        assert!(report.total().bad == 0 && report.total().struck > 5, "{report}");
    }
}

/// The connection that wrote the log believes it as it was; only one that opens it anew reads it by its checksums.
#[test]
fn what_a_failed_sync_lost_of_a_log_is_not_moved_into_the_catalogue() {
    for workload in ["files", "deleting", "compaction", "group"] {
        let report = hunt(workload, FaultKind::SyncDrop, Some(FileKind::MetadataLog), Weakness::None);
        assert!(report.total().bad == 0 && report.total().struck > 25, "{workload}: {report}");
    }
}

/// SQLite tells nobody when the folder of a new journal or log cannot be synced.
#[test]
fn a_folder_that_cannot_be_synced_stops_an_activation_instead_of_losing_the_log() {
    let (kind, file) = (Some(FaultKind::Sync), Some(FileKind::Folder));
    for (workload, stride) in [("activation", 1), ("copies", 3)] {
        let workload = Some(workload.to_owned());
        let report = run(FaultOptions { workload, kind, file, stride, ..FaultOptions::default() });
        assert!(report.total().bad == 0 && report.total().struck > 3, "{report}");
    }
}

#[test]
fn a_pv_is_not_taken_over_before_its_journal_has_a_durable_name() {
    let disk = Disk::default();
    let path = Path::new("/p.db");
    let made = Pv::create(&disk.env(), path, &PvOptions { capacity: Bytes(1 << 20), ..PvOptions::default() }).unwrap();
    let store = made.store().unwrap();
    disk.set_fault(Some(Fault { kind: FaultKind::Sync, file: Some(FileKind::Folder), at: 1, lasting: true }));
    let family = FamilyUuid::random().unwrap();
    assert!(store.take(family, Epoch(1), Txg(0)).is_err() && disk.fault_counts().1 > 0);
}

/// The metadata finds no room, now and then or from some moment on: what was frozen waits, and all goes on with room.
#[test]
fn metadata_that_finds_no_room_stops_no_volume_and_loses_nothing() {
    for file in [FileKind::MetadataLog, FileKind::Metadata] {
        let kind = (Some(FaultKind::Full), Some(file));
        for (workload, stride) in [("replace", 3), ("copies", 7)] {
            let workload = Some(workload.to_owned());
            let report = run(FaultOptions { workload, kind: kind.0, file: kind.1, stride, ..FaultOptions::default() });
            assert!(report.total().bad == 0 && report.total().stopped == 0, "{report}");
            assert!(file == FileKind::Metadata || report.total().struck > 10, "{report}");
        }
    }
}

#[test]
fn a_volume_that_goes_on_after_a_failed_commit_is_found() {
    // A commit of the metadata, and one of a PV: its journal, then itself.
    for (workload, file) in
        [("replace", FileKind::MetadataLog), ("deleting", FileKind::PvJournal), ("deleting", FileKind::Pv)]
    {
        let report = hunt(workload, FaultKind::Sync, Some(file), Weakness::Without(Rule::StopAfterFailure));
        assert!(report.total().bad > 0, "{file:?} is not found: {report}");
        let report = hunt(workload, FaultKind::Sync, Some(file), Weakness::None);
        assert!(report.total().bad == 0, "{file:?}: {report}");
    }
}

#[test]
fn an_acknowledgement_by_the_first_copy_alone_is_found() {
    let report = hunt("copies", FaultKind::Write, Some(FileKind::MetadataLog), Weakness::Without(Rule::AllCopies));
    assert!(report.total().bad > 0, "not found: {report}");
}

#[test]
fn a_log_that_counts_as_durable_before_it_is_in_its_file_is_found() {
    let report = hunt("replace", FaultKind::SyncLie, Some(FileKind::MetadataLog), Weakness::Without(Rule::DurableLog));
    assert!(report.total().bad > 0, "not found: {report}");
    let report = hunt("replace", FaultKind::SyncLie, Some(FileKind::MetadataLog), Weakness::None);
    assert!(report.total().bad == 0, "{report}");
}

/// What waits in memory is on its way from a layer into the map when the map cannot be read; or nothing was begun yet.
/// Either way the sync has failed, and nobody may take the next one for a success.
#[test]
fn a_sync_that_could_not_read_the_catalogue_is_not_followed_by_one_that_succeeds_without_the_data() {
    type Change = fn(&Volume, Ino);
    let write: Change = |volume, file| volume.write(file, 100, &[2; 100]).unwrap();
    let cut: Change = |volume, file| {
        volume.setattr(file, &SetAttr { size: Some(100), ..SetAttr::default() }).unwrap();
    };
    let nothing: Change = |_, _| {};
    for change in [write, cut, nothing] {
        let disk = Disk::default();
        let workload = Workload::random();
        let pool = Pool::create(&disk.env(), Path::new("/"), workload.shape).unwrap();
        let activate = || pool.activate(&disk.env(), workload.options, Weakness::None).unwrap();
        let volume = activate();
        let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &[1; 300]).unwrap();
        volume.close().unwrap();
        let volume = activate();
        change(&volume, file);
        disk.set_fault(Some(Fault { kind: FaultKind::Read, file: None, at: 1, lasting: true }));
        let failed = volume.fsync(file).unwrap_err();
        assert!(disk.fault_counts().1 > 0, "{failed}");
        disk.set_fault(None);
        let again = volume.sync();
        assert!(matches!(again, Err(LvError::Poisoned { .. })), "{again:?}: {:?}", volume.read_all(file));
        volume.abandon();
        assert_eq!(activate().read_all(file).unwrap(), [1; 300]);
    }
}
