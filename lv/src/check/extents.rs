//! Logical extents against the extents on the PVs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use pv::{
    BLOCK, Epoch, ExtentContents, ExtentStore, FlushNo, LeIndex, PeIndex, PvError, PvUuid, ReadMode, TocEntry,
    block_sums, decode_toc,
};
use vg::{PvSlot, VolumeExtents};

use super::CheckOptions;
use super::maps::Taken;
use super::report::{CheckReport, Object};
use super::source::Source;
use crate::catalogue::{LeRow, SliceRow, Table, le_from, pv_from};
use crate::{Ino, LvError, Result};

/// Extents listed at once.
const PAGE: usize = 256;

/// What the catalogue says of LEs and PVs.
#[derive(Debug)]
pub(super) struct Les {
    rows: HashMap<LeIndex, LeRow>,
    /// Last flush of each PV that a commit names.
    marks: HashMap<PvUuid, (Epoch, FlushNo)>,
}

impl Les {
    /// Reads it, and compares LEs with their slices.
    pub(super) fn read(source: &Source, mut taken: HashMap<LeIndex, Taken>, report: &mut CheckReport) -> Self {
        let mut rows = HashMap::new();
        source.walk(report, (Table::Le, Table::Le.key()), le_from, |report, row| {
            let used = taken.remove(&row.le).unwrap_or_default();
            let about = |what: String| format!("logical extent {} {what}", row.le);
            if used.live != row.live {
                let what = format!("holds {} bytes of files and counts {}", used.live, row.live);
                report.problem(source.object(), about(what));
            }
            if used.end > u64::from(row.fill) {
                report.problem(source.object(), about("is not filled so far".to_owned()));
            }
            if row.since.is_some() != (row.live == 0) {
                report.problem(source.object(), about("is free and in use at once".to_owned()));
            }
            rows.insert(row.le, row);
        });
        let mut left: Vec<LeIndex> = taken.into_keys().collect();
        left.sort_unstable();
        for le in left {
            report.problem(source.object(), format!("logical extent {le} holds slices and is not counted"));
        }
        let mut marks = HashMap::new();
        source.walk(report, (Table::Pv, Table::Pv.key()), pv_from, |_, row| {
            marks.insert(row.pv, (row.epoch, row.flush));
        });
        Self { rows, marks }
    }
}

/// What the check of extents works with.
#[derive(Debug)]
pub(super) struct Extents<'a> {
    map: &'a VolumeExtents,
    source: &'a Source,
    /// The copies that are not the newest.
    others: &'a [Source],
    options: CheckOptions,
    les: HashMap<LeIndex, LeRow>,
    /// Last flush of each PV that a commit names.
    marks: HashMap<PvUuid, (Epoch, FlushNo)>,
    places: HashMap<(PvUuid, PeIndex), LeIndex>,
    /// Legs of live LEs that are there and right.
    seen: HashSet<(LeIndex, PvUuid)>,
    /// PVs of which nothing is known.
    unseen: HashSet<PvUuid>,
}

/// Whether what failed is not the PV but a file beside it, such as its lock: of what the PV holds nothing is known then.
fn beside(slot: &PvSlot, error: &LvError) -> bool {
    matches!(error, LvError::Pv(PvError::Io { path, .. }) if *path != slot.path)
}

impl<'a> Extents<'a> {
    /// What is to be where.
    pub(super) fn new(
        (source, others): (&'a Source, &'a [Source]),
        extents: &'a VolumeExtents,
        options: CheckOptions,
        les: Les,
    ) -> Self {
        let pairs = (0..extents.count().0)
            .map(LeIndex)
            .flat_map(|le| extents.places(le).into_iter().map(move |place| ((place.pv, place.pe), le)));
        let places = pairs.collect();
        Self {
            map: extents,
            source,
            others,
            options,
            les: les.rows,
            marks: les.marks,
            places,
            seen: HashSet::new(),
            unseen: HashSet::new(),
        }
    }

    /// Compares with what lies on the PVs.
    pub(super) fn judge(mut self, report: &mut CheckReport) {
        for slot in self.map.pvs.iter() {
            let pv = Object::Pv(slot.path.clone());
            let Some(store) = &slot.store else {
                report.problem(pv, "not checked: this physical volume is missing, or cannot be opened");
                continue;
            };
            let done = self.owner(slot, &**store, report).and_then(|()| self.list(slot, &**store, report));
            if let Err(error) = done {
                if beside(slot, &error) {
                    self.unseen.insert(slot.uuid);
                }
                report.failure(pv, &error);
            } else if self.options.pages {
                // Bytes that are right today may lie where the next ones will be written.
                report.structure(pv, store.contradictions().map_err(LvError::from));
            }
        }
        self.judge_missing(report);
        let mut outside: Vec<&LeIndex> = self.les.keys().filter(|le| le.0 >= self.map.count().0).collect();
        outside.sort_unstable();
        for le in outside {
            report.problem(self.source.object(), format!("logical extent {le} lies outside the volume"));
        }
    }

    /// The PV's owner row against the catalogue.
    fn owner(&self, slot: &PvSlot, store: &dyn ExtentStore, report: &mut CheckReport) -> Result<()> {
        let pv = || Object::Pv(slot.path.clone());
        let mark = self.marks.get(&slot.uuid).copied();
        match store.owner(self.map.family)? {
            None if mark.is_some() => report.problem(pv(), "it has forgotten who owns the volume"),
            None => {}
            Some(row) => {
                let state = &self.source.state;
                if Some((row.epoch, row.flush)) < mark {
                    report.problem(pv(), "it is older than the metadata: a copy from before");
                }
                if row.txg > state.txg || row.epoch > state.epoch {
                    // The newest copy is older, and so is every other.
                    let files = std::iter::once(self.source).chain(self.others).map(|copy| copy.path().display());
                    let files = files.map(|file| file.to_string()).collect::<Vec<_>>().join(" and ");
                    report.problem(pv(), format!("it is newer than the metadata in {files}"));
                }
            }
        }
        Ok(())
    }

    /// All extents on one PV.
    fn list(&mut self, slot: &PvSlot, store: &dyn ExtentStore, report: &mut CheckReport) -> Result<()> {
        let mark = self.marks.get(&slot.uuid).copied().unwrap_or((Epoch(0), FlushNo(0)));
        let mut after = None;
        let mut uncommitted = 0u64;
        loop {
            let page = store.list(after, PAGE)?;
            for extent in &page {
                let place = self.places.get(&(slot.uuid, extent.pe)).copied();
                let object = |le| Object::Extent { pv: slot.path.clone(), pe: extent.pe, le };
                match (&extent.found, place) {
                    (None, Some(le)) => report.problem(object(le), "its header does not match its checksum"),
                    (Some(found), _) if found.header.family == self.map.family => {
                        let late = (found.header.epoch, found.header.flush) > mark;
                        if self.named(found, place) {
                            self.contents((slot, store), (extent.pe, found), report);
                        } else if late {
                            uncommitted = uncommitted.saturating_add(1);
                        } else {
                            report.problem(object(found.header.le), "nothing names it, and nothing will free it");
                        }
                    }
                    _ => {}
                }
            }
            after = page.last().map(|extent| extent.pe);
            if page.len() < PAGE {
                break;
            }
        }
        if uncommitted > 0 {
            let what = format!("{uncommitted} extents were written and not committed; the next activation frees them");
            report.note(Object::Pv(slot.path.clone()), what);
        }
        Ok(())
    }

    /// Whether the catalogue names just this extent.
    fn named(&self, found: &ExtentContents, place: Option<LeIndex>) -> bool {
        let header = &found.header;
        let row = self.les.get(&header.le);
        let same = row.is_some_and(|row| (row.epoch, row.flush) == (header.epoch, header.flush));
        same && place == Some(header.le)
    }

    /// An extent that is where it should be: what it holds.
    fn contents(
        &mut self,
        (slot, store): (&PvSlot, &dyn ExtentStore),
        (pe, found): (PeIndex, &ExtentContents),
        report: &mut CheckReport,
    ) {
        let le = found.header.le;
        report.checked.extents = report.checked.extents.saturating_add(1);
        let Some(row) = self.les.get(&le).filter(|row| row.live > 0) else { return };
        let object = || Object::Extent { pv: slot.path.clone(), pe, le };
        self.seen.insert((le, slot.uuid));
        if found.header.lv != self.map.lv || found.len < u64::from(row.fill) {
            report.problem(object(), "it is shorter than it should be, or of another volume");
        }
        let (Ok(toc), Ok(slices)) = (decode_toc(pe, &found.toc), self.source.slices_of(le)) else {
            report.problem(object(), "its table of contents cannot be read");
            return;
        };
        for slice in slices {
            let listed = |entry: &TocEntry| {
                (entry.slice, entry.slice_epoch, entry.pos, entry.stored)
                    == (slice.id, slice.epoch, slice.pos, slice.stored)
            };
            if !toc.iter().any(listed) {
                let what = format!("its table of contents lacks slice {}", slice.id);
                report.problem(object(), what);
            }
            if self.options.data && !self.sound(store, pe, &slice, report) {
                let (from, to) = (slice.off, slice.off.saturating_add(u64::from(slice.raw)));
                let what = format!("bytes {from} to {to} do not match their checksum, in {}", object());
                report.problem(self.source.named(slice.ino), what);
            }
        }
    }

    /// Whether a slice's bytes are what was written.
    fn sound(&self, store: &dyn ExtentStore, pe: PeIndex, slice: &SliceRow, report: &mut CheckReport) -> bool {
        let Ok(len) = usize::try_from(slice.stored) else { return false };
        let mut bytes = vec![0u8; len];
        report.checked.bytes = report.checked.bytes.saturating_add(u64::from(slice.stored));
        [ReadMode::Fast, ReadMode::Locked].into_iter().any(|mode| {
            let sums = |bytes: &[u8]| block_sums(&self.map.family, slice.epoch, slice.id, bytes);
            let whole = slice.blocks.len() >= len.div_ceil(BLOCK).saturating_mul(4);
            store.read(pe, slice.pos, &mut bytes, mode).is_ok()
                && whole
                && slice.blocks.chunks_exact(4).zip(sums(&bytes)).all(|(stored, sum)| *stored == sum.to_le_bytes())
        })
    }

    /// Live LEs that lack a leg: names the files that are hurt.
    fn judge_missing(&self, report: &mut CheckReport) {
        let mut live: Vec<&LeRow> = self.les.values().filter(|row| row.live > 0).collect();
        live.sort_unstable_by_key(|row| row.le);
        for row in live {
            for place in self.map.places(row.le) {
                if self.seen.contains(&(row.le, place.pv)) || self.unseen.contains(&place.pv) {
                    continue;
                }
                let slot = self.map.pv(place.pv);
                let path = slot.map_or(Path::new(""), |slot| &slot.path).to_owned();
                let away = slot.is_none_or(|slot| slot.store.is_none());
                let object = Object::Extent { pv: path, pe: place.pe, le: row.le };
                self.hurt(&object, row.le, report);
                if !away {
                    report.problem(object, "it is missing, or holds something else");
                }
            }
        }
    }

    fn hurt(&self, object: &Object, le: LeIndex, report: &mut CheckReport) {
        match self.source.slices_of(le) {
            Ok(slices) => {
                let files: BTreeSet<Ino> = slices.iter().map(|slice| slice.ino).collect();
                for ino in files {
                    report.problem(self.source.named(ino), format!("some of its bytes lie in {object}"));
                }
            }
            Err(error) => report.failure(self.source.object(), &error),
        }
    }
}
