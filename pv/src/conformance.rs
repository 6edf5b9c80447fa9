//! What every [`ExtentStore`] must do, as plain functions that panic when it does not.
//!
//! Each makes its own empty store.

use std::sync::Barrier;

use crate::{
    Epoch, ExtentBatch, ExtentStore, FamilyUuid, FlushNo, FreshExtent, LeIndex, ListedExtent, LvUuid, OwnerRow,
    PeIndex, PvError, ReadMode, Result, TocEntry, Txg, encode_toc,
};

const FAMILY: FamilyUuid = FamilyUuid::from_bytes([0xA1; 16]);
const OTHER: FamilyUuid = FamilyUuid::from_bytes([0xB2; 16]);
const LV: LvUuid = LvUuid::from_bytes([0xC3; 16]);
const MODES: [ReadMode; 3] = [ReadMode::Fast, ReadMode::Reopen, ReadMode::Locked];
const LEN: u32 = 64 * 1024;

type Store = Box<dyn ExtentStore>;

/// Runs the whole suite.
pub fn all(make: impl Fn() -> Store) {
    rows_read_back_in_parts(&make);
    what_is_not_there_is_missing(&make);
    a_higher_epoch_fences_the_lower(&make);
    flush_numbers_rise(&make);
    only_the_own_family_is_deleted(&make);
    extents_after_is_ordered_and_bounded(&make);
    a_list_shows_every_extent_page_by_page(&make);
    a_place_can_be_used_again(&make);
    forget_leaves_other_families(&make);
    reads_go_on_beside_commits(&make);
    space_counts_what_is_stored(&make);
}

fn byte(pe: u32, at: u32, salt: u8) -> u8 {
    let [a, b, ..] = at.wrapping_mul(31).wrapping_add(pe.wrapping_mul(7)).to_le_bytes();
    a.wrapping_add(b).wrapping_add(salt)
}

fn toc(pe: u32) -> Vec<u8> {
    let entry = TocEntry {
        fs: 1,
        ino: u64::from(pe),
        offset: 0,
        slice: crate::SliceId(u64::from(pe)),
        slice_epoch: Epoch(1),
        pos: 0,
        stored: LEN,
        raw: LEN,
        codec: 0,
        sum: 5,
    };
    encode_toc(&[entry])
}

fn fresh(pe: u32, salt: u8) -> FreshExtent {
    // Two parts, so that every store has to put them together.
    let bytes: Vec<u8> = (0..LEN).map(|at| byte(pe, at, salt)).collect();
    let (head, tail) = bytes.split_at(bytes.len() / 3);
    let data = vec![head.to_vec().into(), tail.to_vec().into()];
    FreshExtent { pe: PeIndex(pe), lv: LV, le: LeIndex(pe.saturating_add(100)), toc: toc(pe), data }
}

fn commit(
    store: &dyn ExtentStore,
    family: FamilyUuid,
    (epoch, flush): (u64, u64),
    fresh: &[FreshExtent],
    freed: &[u32],
) -> Result<()> {
    let freed: Vec<_> = freed.iter().copied().map(PeIndex).collect();
    let (epoch, flush) = (Epoch(epoch), FlushNo(flush));
    store.commit(&ExtentBatch { family, epoch, flush, txg: Txg(flush.0), fresh, freed: &freed })
}

fn must<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(&error.to_string()),
    }
}

#[expect(clippy::panic, reason = "a failed conformance check is a failed test")]
fn fail(why: &str) -> ! {
    panic!("{why}")
}

fn taken(make: impl Fn() -> Store, family: FamilyUuid, epoch: u64) -> Store {
    let store = make();
    must(store.take(family, Epoch(epoch), Txg(0)));
    store
}

fn check(store: &dyn ExtentStore, (pe, salt): (u32, u8), (at, len): (u32, u32), mode: ReadMode) {
    let mut buf = vec![0u8; usize::try_from(len).unwrap_or(0)];
    must(store.read(PeIndex(pe), at, &mut buf, mode));
    let wanted: Vec<u8> = (at..at.saturating_add(len)).map(|at| byte(pe, at, salt)).collect();
    assert!(buf == wanted, "extent {pe}, {len} bytes from {at}, {mode:?}");
}

fn is_missing(store: &dyn ExtentStore, pe: u32, at: u32, len: usize) {
    for mode in MODES {
        let result = store.read(PeIndex(pe), at, &mut vec![0u8; len], mode);
        let missing = matches!(result, Err(PvError::ExtentMissing { pe: named, .. }) if named == PeIndex(pe));
        assert!(missing, "extent {pe} from {at}, {mode:?}: {result:?}");
    }
}

/// A committed row reads back, whole and in parts, in every mode.
pub fn rows_read_back_in_parts(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 3);
    must(commit(&*store, FAMILY, (3, 1), &[fresh(0, 1), fresh(5, 2), fresh(70_000, 3)], &[]));
    for mode in MODES {
        for (pe, salt) in [(0, 1), (5, 2), (70_000, 3)] {
            for part in [(0, LEN), (0, 1), (LEN - 1, 1), (4096, 4096), (16_383, 3), (LEN, 0), (0, 0)] {
                check(&*store, (pe, salt), part, mode);
            }
        }
    }
    let Some((header, stored)) = must(store.header(PeIndex(5))) else { fail("no header") };
    assert_eq!((header.lv, header.family, header.le), (LV, FAMILY, LeIndex(105)));
    assert_eq!((header.epoch, header.flush), (Epoch(3), FlushNo(1)));
    assert_eq!(stored, toc(5));
}

/// A missing row and a read past the end are `ExtentMissing`; a missing header is `None`.
pub fn what_is_not_there_is_missing(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    is_missing(&*store, 0, 0, 1);
    must(commit(&*store, FAMILY, (1, 1), &[fresh(0, 1)], &[]));
    is_missing(&*store, 1, 0, 1);
    is_missing(&*store, 0, LEN, 1);
    is_missing(&*store, 0, LEN - 1, 2);
    is_missing(&*store, 0, u32::MAX, 1);
    assert_eq!(must(store.header(PeIndex(1))), None);
    assert_eq!(must(store.owner(OTHER)), None);
}

/// Taking needs a higher epoch; after it, the old one's commits change nothing.
pub fn a_higher_epoch_fences_the_lower(make: impl Fn() -> Store) {
    let fenced = |result: Result<()>| assert!(matches!(result, Err(PvError::Fenced { .. })), "{result:?}");
    let store = make();
    fenced(commit(&*store, FAMILY, (1, 1), &[fresh(0, 1)], &[]));
    must(store.take(FAMILY, Epoch(1), Txg(0)));
    must(commit(&*store, FAMILY, (1, 1), &[fresh(0, 1)], &[]));
    must(store.take(FAMILY, Epoch(2), Txg(9)));
    let row = OwnerRow { family: FAMILY, epoch: Epoch(2), flush: FlushNo(0), txg: Txg(9) };
    assert_eq!(must(store.owner(FAMILY)), Some(row));
    for low in [0, 1, 2] {
        fenced(store.take(FAMILY, Epoch(low), Txg(10)));
    }
    // The zombie resumes: neither its insert nor its delete happens.
    fenced(commit(&*store, FAMILY, (1, 2), &[fresh(1, 1)], &[0]));
    fenced(commit(&*store, FAMILY, (3, 2), &[fresh(1, 1)], &[0]));
    assert_eq!(must(store.owner(FAMILY)), Some(row));
    is_missing(&*store, 1, 0, 1);
    check(&*store, (0, 1), (0, LEN), ReadMode::Locked);
    must(commit(&*store, FAMILY, (2, 1), &[fresh(1, 7)], &[]));
    check(&*store, (1, 7), (0, LEN), ReadMode::Fast);
}

/// A flush number is never used twice in an epoch.
pub fn flush_numbers_rise(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    must(commit(&*store, FAMILY, (1, 5), &[], &[]));
    for low in [5, 4, 0] {
        let result = commit(&*store, FAMILY, (1, low), &[fresh(0, 0)], &[]);
        assert!(matches!(result, Err(PvError::FlushNotRising { .. })), "{result:?}");
    }
    is_missing(&*store, 0, 0, 1);
    must(commit(&*store, FAMILY, (1, 6), &[], &[]));
    assert_eq!(must(store.owner(FAMILY)).map(|row| (row.flush, row.txg)), Some((FlushNo(6), Txg(6))));
}

/// Freed rows of other families stay.
pub fn only_the_own_family_is_deleted(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    must(store.take(OTHER, Epoch(1), Txg(0)));
    must(commit(&*store, FAMILY, (1, 1), &[fresh(0, 1)], &[]));
    must(commit(&*store, OTHER, (1, 1), &[fresh(1, 2)], &[0]));
    check(&*store, (0, 1), (0, LEN), ReadMode::Locked);
    must(commit(&*store, FAMILY, (1, 2), &[fresh(2, 3)], &[0, 1, 9]));
    is_missing(&*store, 0, 0, 1);
    check(&*store, (1, 2), (0, LEN), ReadMode::Locked);
}

/// `extents_after` compares (epoch, flush) as a pair, excludes its bound and sorts.
pub fn extents_after_is_ordered_and_bounded(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    must(store.take(OTHER, Epoch(1), Txg(0)));
    must(commit(&*store, OTHER, (1, 9), &[fresh(50, 0)], &[]));
    must(commit(&*store, FAMILY, (1, 1), &[fresh(9, 0)], &[]));
    must(commit(&*store, FAMILY, (1, 7), &[fresh(8, 0), fresh(2, 0)], &[]));
    must(store.take(FAMILY, Epoch(2), Txg(0)));
    must(commit(&*store, FAMILY, (2, 3), &[fresh(0, 0)], &[]));
    let after = |epoch, flush| -> Vec<u32> {
        must(store.extents_after(FAMILY, Epoch(epoch), FlushNo(flush))).iter().map(|f| f.pe.0).collect()
    };
    assert_eq!(after(0, 0), [9, 2, 8, 0]);
    assert_eq!(after(1, 1), [2, 8, 0]);
    assert_eq!(after(1, 6), [2, 8, 0]);
    assert_eq!(after(1, 7), [0]);
    assert_eq!(after(2, 2), [0]);
    assert_eq!(after(2, 3), [] as [u32; 0]);
    assert_eq!(after(u64::MAX, u64::MAX), [] as [u32; 0]);
    let first = must(store.extents_after(FAMILY, Epoch(1), FlushNo(7)));
    assert_eq!(first.first().map(|f| (f.header.epoch, f.header.flush)), Some((Epoch(2), FlushNo(3))));
}

/// All extents are listed in the order of their places, whoever owns them, with what they say about themselves.
pub fn a_list_shows_every_extent_page_by_page(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    must(store.take(OTHER, Epoch(1), Txg(0)));
    must(commit(&*store, FAMILY, (1, 1), &[fresh(7, 0), fresh(2, 0)], &[]));
    must(commit(&*store, OTHER, (1, 1), &[fresh(4, 0)], &[]));
    let first = must(store.list(None, 2));
    let rest = must(store.list(first.last().map(|extent| extent.pe), 2));
    let places: Vec<u32> = first.iter().chain(&rest).map(|extent| extent.pe.0).collect();
    assert_eq!(places, [2, 4, 7]);
    for ListedExtent { pe, found } in first.into_iter().chain(rest) {
        let Some(found) = found else { fail("a sound extent fails its checksum") };
        assert_eq!(found.header.family, if pe == PeIndex(4) { OTHER } else { FAMILY });
        assert_eq!((found.toc, found.len), (toc(pe.0), u64::from(LEN)));
    }
    assert!(must(store.list(Some(PeIndex(7)), 2)).is_empty());
}

/// A deleted row's place takes a new row, and readers see the new one after opening anew.
pub fn a_place_can_be_used_again(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    for round in 0..20u8 {
        let flush = u64::from(round) * 2 + 1;
        must(commit(&*store, FAMILY, (1, flush), &[fresh(0, round), fresh(1, round)], &[]));
        check(&*store, (1, round), (0, LEN), ReadMode::Reopen);
        check(&*store, (0, round), (0, LEN), ReadMode::Locked);
        must(commit(&*store, FAMILY, (1, flush + 1), &[], &[0, 1]));
        let gone = store.read(PeIndex(0), 0, &mut [0], ReadMode::Locked);
        assert!(matches!(gone, Err(PvError::ExtentMissing { .. })), "{gone:?}");
    }
}

/// `forget` removes one family's rows and owner row, all of them and no others.
pub fn forget_leaves_other_families(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    must(store.take(OTHER, Epoch(1), Txg(0)));
    let many: Vec<_> = (0..70).map(|pe| fresh(pe, 0)).collect();
    must(commit(&*store, FAMILY, (1, 1), &many, &[]));
    must(commit(&*store, OTHER, (1, 1), &[fresh(500, 4)], &[]));
    must(store.forget(FAMILY));
    must(store.forget(FAMILY));
    assert_eq!(must(store.owner(FAMILY)), None);
    assert_eq!(must(store.extents_after(FAMILY, Epoch(0), FlushNo(0))), []);
    check(&*store, (500, 4), (0, LEN), ReadMode::Locked);
    assert!(matches!(commit(&*store, FAMILY, (1, 2), &[], &[]), Err(PvError::Fenced { .. })));
    must(store.take(FAMILY, Epoch(1), Txg(0)));
    must(commit(&*store, FAMILY, (1, 1), &[fresh(0, 9)], &[]));
    check(&*store, (0, 9), (0, LEN), ReadMode::Reopen);
}

/// Verified reads are right while commits run, trying harder as callers do.
pub fn reads_go_on_beside_commits(make: impl Fn() -> Store) {
    const ROUNDS: u32 = 40;
    let store = taken(make, FAMILY, 1);
    must(commit(&*store, FAMILY, (1, 1), &[fresh(0, 1)], &[]));
    let store = &*store;
    let start = Barrier::new(3);
    let read = || {
        start.wait();
        let wanted: Vec<u8> = (0..LEN).map(|at| byte(0, at, 1)).collect();
        for _ in 0..ROUNDS {
            let mut buf = vec![0u8; wanted.len()];
            let right = MODES.iter().any(|mode| store.read(PeIndex(0), 0, &mut buf, *mode).is_ok() && buf == wanted);
            assert!(right, "a stored extent could not be read beside commits");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(read);
        scope.spawn(read);
        start.wait();
        for round in 1..=ROUNDS {
            let freed = if round > 4 { vec![round - 4] } else { Vec::new() };
            must(commit(store, FAMILY, (1, u64::from(round) + 1), &[fresh(round, 2)], &freed));
        }
    });
}

/// `space` grows with what is stored.
pub fn space_counts_what_is_stored(make: impl Fn() -> Store) {
    let store = taken(make, FAMILY, 1);
    let before = must(store.space());
    must(commit(&*store, FAMILY, (1, 1), &[fresh(0, 1), fresh(1, 1)], &[]));
    let after = must(store.space());
    let used = |s: crate::StoreSpace| s.file.0.saturating_sub(s.reusable.0);
    assert!(used(after) >= used(before).saturating_add(u64::from(2 * LEN)), "{before:?} {after:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Env, FaultStore, MemStore, Pv, PvOptions};

    fn on_files(env: &Env) {
        let dir = tempfile::tempdir().unwrap();
        let count = std::cell::Cell::new(0);
        all(|| {
            count.set(count.get() + 1);
            let path = dir.path().join(format!("{}.db", count.get()));
            let store = Pv::create(env, &path, &PvOptions::default()).unwrap().store().unwrap();
            Box::new(FaultStore::new(store))
        });
    }

    #[test]
    fn a_pv_file_conforms() {
        on_files(&Env::system());
    }

    #[test]
    fn a_pv_file_conforms_without_threads_of_its_own() {
        on_files(&Env { threads: false, ..Env::system() });
    }

    #[test]
    fn memory_conforms() {
        all(|| Box::<MemStore>::default());
    }
}
