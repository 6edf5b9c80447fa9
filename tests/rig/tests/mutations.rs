//! Every rule of the engine that is switched off is found by the rig: a tester that was never seen to fail proves
//! nothing. What finds each is the workload of its row; the other proofs are in `engine`, `fences`, `takeover`.

use std::time::Duration;

use anyfs_lvm_rig::{FileKind, Options, Report, Settings, Weakness, Workload, watch};
use lv::Rule;

/// Runs that are searched for one loss; most show it in the first, none needed more than thirty.
const RUNS: u64 = 300;

#[cfg(test)]
mod support {
    use super::*;

    /// Explores run after run until something is wrong; what was found, in words.
    pub(crate) fn search(workload: Workload, settings: Settings) -> Result<String, String> {
        watch(Duration::from_secs(60));
        let mut report = Report::default();
        for seed in 1..=RUNS {
            // Few crashes of many runs: what is wrong shows in one run and not in another.
            let points = Options { seed, one_write_in: 60, one_other_in: 20, repeats: 1, ..Options::default() };
            let options = Options { deep_one_in: 0, shorn: settings.trusted, settings, ..points };
            match workload.explore(options) {
                Err(message) => return Ok(message),
                Ok(found) => report.merge(found),
            }
            if let Some(failure) = report.failures.first() {
                return Ok(failure.to_string());
            }
        }
        Err(report.to_string())
    }

    pub(crate) fn must_find(weakness: Weakness, workload: Workload) {
        let found = search(Workload { weakness, ..workload }, Settings::default());
        assert!(found.is_ok(), "{weakness:?} and nothing was found: {}", found.unwrap_err());
    }

    pub(crate) fn without(rule: Rule) -> Weakness {
        Weakness::Without(rule)
    }
}

use support::{must_find, search, without};

/// What SQLite's synchronous=NORMAL leaves out: every sync of one kind of file is needed.
#[test]
fn a_sync_that_is_left_out_is_found_for_every_kind_of_file() {
    for kind in [FileKind::Pv, FileKind::PvJournal, FileKind::MetadataLog, FileKind::Metadata] {
        let settings = Settings { unsynced: Some(kind), ..Settings::default() };
        let found = search(Workload::random(), settings);
        assert!(found.is_ok(), "{kind:?} is never synced and nothing was found: {}", found.unwrap_err());
    }
}

/// A commit must not share a sector with an earlier one: a disk that loses power may spoil the sector it writes.
#[test]
fn a_log_that_trusts_its_disk_with_neighbouring_bytes_is_found() {
    let found = search(Workload::random(), Settings { trusted: true, ..Settings::default() });
    assert!(found.is_ok(), "nothing was found: {}", found.unwrap_err());
}

#[test]
fn without_the_pv_barrier_the_explorer_fails() {
    must_find(Weakness::LazyPv, Workload::random());
}

#[test]
fn without_the_deferred_reuse_the_explorer_fails() {
    must_find(without(Rule::DeferredReuse), Workload::tight());
}

#[test]
fn a_size_that_a_commit_takes_before_its_data_is_found() {
    must_find(without(Rule::SizeWithData), Workload::random());
}

#[test]
fn a_rename_that_a_commit_takes_before_the_data_is_found() {
    must_find(without(Rule::RenameWithData), Workload::random());
}

#[test]
fn a_transaction_that_commits_split_is_found() {
    must_find(without(Rule::WholeTransactions), Workload::random());
}

#[test]
fn names_that_miss_a_commit_are_found() {
    must_find(without(Rule::NamesInOrder), Workload::random());
}

#[test]
fn holes_that_a_commit_takes_before_the_data_beside_them_are_found() {
    must_find(without(Rule::WholeFiles), Workload::random());
}

/// What waited in the catalogue goes into an extent, and what compaction moves into another one.
#[test]
fn what_leaves_its_place_before_its_new_one_is_named_is_found() {
    must_find(without(Rule::WholeMoves), Workload::random());
}

/// The PVs count flushes anew only in a new epoch, and refuse to be taken in one that was there.
#[test]
fn an_activation_in_the_epoch_of_the_last_one_is_found() {
    must_find(without(Rule::NewEpoch), Workload::tight());
}

#[test]
fn an_activation_that_takes_the_pvs_before_the_catalogue_is_found() {
    must_find(without(Rule::CatalogueFirst), Workload::random());
}

#[test]
fn a_lost_copy_that_still_counts_when_it_returns_is_found() {
    must_find(without(Rule::LostCopies), Workload::lost_copy());
}

#[test]
fn what_was_never_committed_and_is_not_swept_is_found() {
    must_find(without(Rule::Sweep), Workload::random());
}

#[test]
fn copies_that_are_not_made_equal_are_found() {
    must_find(without(Rule::EqualCopies), Workload::copies());
}
