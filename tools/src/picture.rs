//! From descriptors and files to the picture that reports show.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyfs_lvm::pv::{Env, PvUuid};
use anyfs_lvm::vg::{AllocPolicy, Descriptor, LvRecord, PvRecord, Segment, SegmentKind};

use crate::report::model::{Alloc, Leg, Lv, Pv, Seg, Vg};

/// What LVM calls a PV that is not there.
const UNKNOWN: &str = "[unknown]";

/// A PV file that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its capacity in bytes.
    pub(crate) capacity: u64,
}

/// The PV files that were found, by uuid.
pub(crate) type Files = BTreeMap<PvUuid, Found>;

/// A path for a report: escaped where a terminal could be misled.
pub(crate) fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    crate::files::show::name(path.as_os_str().as_bytes())
}

/// A PV of no VG.
pub(crate) fn orphan(env: &Env, uuid: PvUuid, found: &Found) -> Pv {
    let mut pv = Pv { uuid: uuid.to_string(), labelled: true, dev_size: found.capacity, ..Pv::default() };
    pv.name = shown(&found.path);
    (pv.host_used, pv.host_free) = host_space(env, &found.path);
    pv
}

/// A file that is no PV.
pub(crate) fn other(path: &Path) -> Pv {
    Pv { name: shown(path), ..Pv::default() }
}

/// What only the open group can tell about an LV.
pub(crate) struct Look<'a> {
    /// Whether a process has it.
    pub(crate) active: &'a dyn Fn(&LvRecord) -> Option<bool>,
    /// Where its catalogue lies beside a PV.
    pub(crate) catalogue: &'a dyn Fn(&LvRecord, PvUuid) -> Option<PathBuf>,
}

/// A volume group.
pub(crate) fn group(env: &Env, descriptor: &Descriptor, files: &Files, look: &Look<'_>) -> Vg {
    let pvs: Vec<Pv> = descriptor.pvs.iter().map(|record| member(env, descriptor, record, files)).collect();
    let mut lvs = Vec::new();
    for record in &descriptor.lvs {
        let copies = record.copies.iter().map(|copy| copy.pv);
        let used = record.segments.iter().flat_map(legs).map(|(uuid, _)| uuid);
        let partial = used.chain(copies).any(|uuid| is_missing(descriptor, uuid, files));
        let mut lv = volume(record, files);
        lv.active = (look.active)(record);
        lv.partial = partial;
        let meta = catalogue(record, look, lv.active);
        lvs.push(lv);
        lvs.extend(meta);
    }
    Vg {
        name: descriptor.name.to_string(),
        uuid: descriptor.vg.to_string(),
        extent_size: descriptor.extent_size.bytes(),
        seqno: descriptor.seqno.get(),
        alloc: alloc(descriptor.alloc).unwrap_or_default(),
        resizeable: descriptor.resizeable,
        exported: descriptor.exported,
        tags: descriptor.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        descriptor_copies: descriptor.holders().len(),
        pvs,
        lvs,
    }
}

fn is_missing(descriptor: &Descriptor, uuid: PvUuid, files: &Files) -> bool {
    !files.contains_key(&uuid) || descriptor.pv(uuid).is_some_and(|record| record.missing)
}

fn member(env: &Env, descriptor: &Descriptor, record: &PvRecord, files: &Files) -> Pv {
    let found = files.get(&record.uuid);
    let extents = descriptor.extent_size.times(record.pe_count.get()).get();
    let (host_used, host_free) = found.map_or((None, None), |found| host_space(env, &found.path));
    Pv {
        name: found.map_or_else(|| UNKNOWN.to_owned(), |found| shown(&found.path)),
        uuid: record.uuid.to_string(),
        labelled: true,
        missing: is_missing(descriptor, record.uuid, files),
        allocatable: record.allocatable,
        has_descriptor: record.holder,
        exported: descriptor.exported,
        tags: record.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        dev_size: found.map_or(extents, |found| found.capacity),
        pe_count: u64::from(record.pe_count.get()),
        host_used,
        host_free,
    }
}

fn host_space(env: &Env, path: &Path) -> (Option<u64>, Option<u64>) {
    // Only looks at the inode: the file is opened through SQLite alone.
    let used = std::fs::metadata(path).ok().map(|found| found.blocks().saturating_mul(512));
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    (used, env.host.space(folder).ok().map(|space| space.free.get()))
}

fn alloc(policy: AllocPolicy) -> Option<Alloc> {
    match policy {
        AllocPolicy::Contiguous => Some(Alloc::Contiguous),
        AllocPolicy::Cling => Some(Alloc::Cling),
        AllocPolicy::Normal => Some(Alloc::Normal),
        AllocPolicy::Anywhere => Some(Alloc::Anywhere),
        AllocPolicy::Inherit => None,
    }
}

fn volume(record: &LvRecord, files: &Files) -> Lv {
    Lv {
        name: record.name.to_string(),
        uuid: record.uuid.to_string(),
        writable: !record.read_only,
        alloc: alloc(record.alloc),
        tags: record.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        created: Some(record.created.div_euclid(1_000_000_000)),
        segs: record.segments.iter().map(|segment| seg(segment, files)).collect(),
        ..Lv::default()
    }
}

/// The hidden LV that stands for the copies of a catalogue: one segment, whose devices are the files.
fn catalogue(record: &LvRecord, look: &Look<'_>, active: Option<bool>) -> Option<Lv> {
    let copies: Vec<Option<PathBuf>> = record.copies.iter().map(|copy| (look.catalogue)(record, copy.pv)).collect();
    let size = copies.iter().flatten().filter_map(|path| std::fs::metadata(path).ok()).map(|found| found.len()).max();
    let names = copies.iter().map(|path| path.as_deref().map_or_else(|| UNKNOWN.to_owned(), shown));
    let files: Vec<String> = names.collect();
    (!files.is_empty()).then(|| Lv {
        name: format!("{}_meta", record.name),
        uuid: record.family.to_string(),
        hidden: true,
        writable: true,
        active,
        partial: copies.iter().any(Option::is_none),
        parent: record.name.to_string(),
        created: Some(record.created.div_euclid(1_000_000_000)),
        own_size: Some(size.unwrap_or(0)),
        segs: vec![Seg { kind: "linear", files, ..Seg::default() }],
        ..Lv::default()
    })
}

fn legs(segment: &Segment) -> Vec<(PvUuid, u32)> {
    let legs = match &segment.kind {
        SegmentKind::Linear(leg) => std::slice::from_ref(leg),
        SegmentKind::Striped(legs) | SegmentKind::Raid1(legs) => legs.as_slice(),
        _ => &[],
    };
    legs.iter().map(|leg| (leg.pv, leg.pe.get())).collect()
}

fn seg(segment: &Segment, files: &Files) -> Seg {
    let legs = legs(segment);
    let count = u64::from(segment.count.get());
    let width = u64::try_from(legs.len()).unwrap_or(u64::MAX).max(1);
    let (kind, leg_pes) = match segment.kind {
        SegmentKind::Striped(_) => ("striped", count / width),
        SegmentKind::Raid1(_) => ("raid1", count),
        _ => ("linear", count),
    };
    let name = |uuid: &PvUuid| files.get(uuid).map_or_else(|| UNKNOWN.to_owned(), |found| shown(&found.path));
    let leg = |(uuid, pe): &(PvUuid, u32)| Leg { pv_uuid: uuid.to_string(), pv_name: name(uuid), pe: u64::from(*pe) };
    let legs = legs.iter().map(leg).collect();
    Seg { kind, start_le: u64::from(segment.start.get()), count_le: count, legs, leg_pes, files: Vec::new() }
}
