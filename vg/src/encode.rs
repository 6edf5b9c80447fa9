//! Descriptor to bytes and back. Decoding accepts only what encoding writes, and only valid descriptors.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pv::{Epoch, ExtentSize, LeCount, LeIndex, PeCount, PeIndex, PvUuid, Seqno};

use crate::descriptor::{Descriptor, Fork, Hash, LvKind, LvRecord, MetadataCopy, PvRecord, Removal};
use crate::save::{CopySave, DescriptorSave, ForkSave, LvSave, PvSave, RemovalSave, SegmentSave, VERSION, VersionSave};
use crate::validate::Fault;
use crate::{AllocPolicy, LvName, Segment, SegmentKind, StripeLeg, Tag, VgName};

/// Larger descriptors are not written.
pub const SOFT_LIMIT: usize = 1024 * 1024;
/// Larger descriptors are not read.
pub const HARD_LIMIT: usize = 16 * 1024 * 1024;

/// Why a descriptor cannot be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// It breaks an invariant.
    #[error("{0}")]
    Invalid(#[from] Fault),
    /// It is too large.
    #[error("the descriptor has {0} bytes, more than the {1} that are possible")]
    TooLarge(usize, usize),
    /// It was written by a newer version.
    #[error("the descriptor has version {0}, newer than this program")]
    Newer(u32),
    /// It is not JSON of the expected shape.
    #[error("the descriptor cannot be read")]
    Shape(#[from] serde_json::Error),
    /// A field holds something impossible.
    #[error("the descriptor has a damaged field \"{0}\"")]
    Field(&'static str),
    /// It is not in the one form in which descriptors are written.
    #[error("the descriptor is not in canonical form")]
    NotCanonical,
}

type Result<T> = std::result::Result<T, CodecError>;

impl Descriptor {
    /// The canonical bytes. O(size).
    ///
    /// # Errors
    /// [`CodecError::Invalid`] for a broken invariant, [`CodecError::TooLarge`] past [`SOFT_LIMIT`].
    pub fn encode(&self) -> Result<Vec<u8>> {
        self.validate()?;
        let bytes = serde_json::to_vec(&self.save()?)?;
        if bytes.len() > SOFT_LIMIT { Err(CodecError::TooLarge(bytes.len(), SOFT_LIMIT)) } else { Ok(bytes) }
    }

    /// The descriptor that `bytes` encode. O(size).
    ///
    /// # Errors
    /// Every [`CodecError`]: anything but the exact output of [`Descriptor::encode`] is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > HARD_LIMIT {
            return Err(CodecError::TooLarge(bytes.len(), HARD_LIMIT));
        }
        let version = serde_json::from_slice::<VersionSave>(bytes)?.version;
        if version > VERSION {
            return Err(CodecError::Newer(version));
        }
        let descriptor = load(serde_json::from_slice(bytes)?)?;
        descriptor.validate()?;
        if serde_json::to_vec(&descriptor.save()?)? == bytes { Ok(descriptor) } else { Err(CodecError::NotCanonical) }
    }

    fn save(&self) -> Result<DescriptorSave> {
        let places: BTreeMap<PvUuid, usize> = self.pvs.iter().enumerate().map(|(at, pv)| (pv.uuid, at)).collect();
        let removal = |removal: &Removal| -> Result<RemovalSave> {
            Ok(RemovalSave {
                lv: removal.lv.to_string(),
                family: removal.family.to_string(),
                segments: removal.segments.iter().map(|s| save_segment(s, &places)).collect::<Result<_>>()?,
                copies: removal.copies.iter().map(|pv| place(&places, *pv)).collect::<Result<_>>()?,
            })
        };
        Ok(DescriptorSave {
            version: VERSION,
            vg: self.vg.to_string(),
            name: self.name.to_string(),
            epoch: self.epoch.0,
            seqno: self.seqno.0,
            parent: self.parent.map(|hash| hash.to_string()),
            change: hex(&self.change),
            prior_holders: self.prior_holders.iter().map(ToString::to_string).collect(),
            forks: self.forks.iter().map(|f| ForkSave { id: hex(&f.id), seqno: f.seqno.0 }).collect(),
            extent_size: self.extent_size.bytes(),
            alloc: self.alloc.to_string(),
            resizeable: self.resizeable,
            exported: self.exported,
            metadata_copies: self.metadata_copies,
            tags: save_tags(&self.tags),
            pvs: self.pvs.iter().map(save_pv).collect(),
            lvs: self.lvs.iter().map(|lv| save_lv(lv, &places)).collect::<Result<_>>()?,
            removals: self.removals.iter().map(removal).collect::<Result<_>>()?,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N]> {
    let mut out = [0u8; N];
    // Signs would pass for digits below.
    if text.len() != N.saturating_mul(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(CodecError::Field(field));
    }
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| CodecError::Field(field))?;
        *slot = u8::from_str_radix(pair, 16).map_err(|_| CodecError::Field(field))?;
    }
    Ok(out)
}

fn place(places: &BTreeMap<PvUuid, usize>, pv: PvUuid) -> Result<usize> {
    places.get(&pv).copied().ok_or(CodecError::Field("pv"))
}

fn save_tags(tags: &BTreeSet<Tag>) -> Vec<String> {
    tags.iter().map(ToString::to_string).collect()
}

fn save_pv(pv: &PvRecord) -> PvSave {
    PvSave {
        uuid: pv.uuid.to_string(),
        hint: pv.hint.clone(),
        pe_count: pv.pe_count.0,
        allocatable: pv.allocatable,
        missing: pv.missing,
        holder: pv.holder,
        class: pv.class.as_ref().map(ToString::to_string),
        tags: save_tags(&pv.tags),
    }
}

fn save_segment(segment: &Segment, places: &BTreeMap<PvUuid, usize>) -> Result<SegmentSave> {
    let kind = match segment.kind {
        SegmentKind::Linear(_) => "linear",
        SegmentKind::Striped(_) => "striped",
        SegmentKind::Raid1(_) => "raid1",
    };
    let leg = |leg: &StripeLeg| Ok((place(places, leg.pv)?, leg.pe.0));
    Ok(SegmentSave {
        start: segment.start.0,
        count: segment.count.0,
        kind: kind.to_owned(),
        legs: segment.legs().iter().map(leg).collect::<Result<_>>()?,
    })
}

fn save_lv(lv: &LvRecord, places: &BTreeMap<PvUuid, usize>) -> Result<LvSave> {
    let copy = |copy: &MetadataCopy| Ok(CopySave { pv: place(places, copy.pv)?, since: copy.since.0 });
    Ok(LvSave {
        uuid: lv.uuid.to_string(),
        name: lv.name.to_string(),
        family: lv.family.to_string(),
        kind: match lv.kind {
            LvKind::Plain => "plain".to_owned(),
        },
        segments: lv.segments.iter().map(|s| save_segment(s, places)).collect::<Result<_>>()?,
        copies: lv.copies.iter().map(copy).collect::<Result<_>>()?,
        metadata_copies: lv.metadata_copies,
        alloc: lv.alloc.to_string(),
        read_only: lv.read_only,
        created: lv.created,
        tags: save_tags(&lv.tags),
    })
}

fn parse<T: FromStr>(text: &str, field: &'static str) -> Result<T> {
    text.parse().map_err(|_| CodecError::Field(field))
}

fn load_tags(tags: &[String]) -> Result<BTreeSet<Tag>> {
    tags.iter().map(|tag| parse(tag, "tags")).collect()
}

fn load_alloc(text: &str) -> Result<AllocPolicy> {
    AllocPolicy::parse(text).ok_or(CodecError::Field("alloc"))
}

fn load_pv(pv: PvSave) -> Result<PvRecord> {
    Ok(PvRecord {
        uuid: parse(&pv.uuid, "uuid")?,
        pe_count: PeCount(pv.pe_count),
        allocatable: pv.allocatable,
        missing: pv.missing,
        holder: pv.holder,
        class: pv.class.map(|class| parse(&class, "class")).transpose()?,
        tags: load_tags(&pv.tags)?,
        hint: pv.hint,
    })
}

fn load_segment(segment: &SegmentSave, pvs: &[PvRecord]) -> Result<Segment> {
    let leg = |&(at, pe): &(usize, u32)| {
        let pv = pvs.get(at).ok_or(CodecError::Field("legs"))?.uuid;
        Ok(StripeLeg { pv, pe: PeIndex(pe) })
    };
    let legs: Vec<StripeLeg> = segment.legs.iter().map(leg).collect::<Result<_>>()?;
    let kind = match (segment.kind.as_str(), legs.as_slice()) {
        ("linear", [leg]) => SegmentKind::Linear(*leg),
        ("striped", _) => SegmentKind::Striped(legs),
        ("raid1", _) => SegmentKind::Raid1(legs),
        _ => return Err(CodecError::Field("kind")),
    };
    Ok(Segment { start: LeIndex(segment.start), count: LeCount(segment.count), kind })
}

fn load_lv(lv: &LvSave, pvs: &[PvRecord]) -> Result<LvRecord> {
    let copy = |copy: &CopySave| {
        let pv = pvs.get(copy.pv).ok_or(CodecError::Field("copies"))?.uuid;
        Ok(MetadataCopy { pv, since: Epoch(copy.since) })
    };
    Ok(LvRecord {
        uuid: parse(&lv.uuid, "uuid")?,
        name: LvName::new(&lv.name).map_err(|_| CodecError::Field("name"))?,
        family: parse(&lv.family, "family")?,
        kind: if lv.kind == "plain" { LvKind::Plain } else { return Err(CodecError::Field("kind")) },
        segments: lv.segments.iter().map(|s| load_segment(s, pvs)).collect::<Result<_>>()?,
        copies: lv.copies.iter().map(copy).collect::<Result<_>>()?,
        metadata_copies: lv.metadata_copies,
        alloc: load_alloc(&lv.alloc)?,
        read_only: lv.read_only,
        created: lv.created,
        tags: load_tags(&lv.tags)?,
    })
}

fn load_removal(removal: &RemovalSave, pvs: &[PvRecord]) -> Result<Removal> {
    let copy = |at: &usize| pvs.get(*at).map(|pv| pv.uuid).ok_or(CodecError::Field("copies"));
    Ok(Removal {
        lv: parse(&removal.lv, "lv")?,
        family: parse(&removal.family, "family")?,
        segments: removal.segments.iter().map(|s| load_segment(s, pvs)).collect::<Result<_>>()?,
        copies: removal.copies.iter().map(copy).collect::<Result<_>>()?,
    })
}

fn load(save: DescriptorSave) -> Result<Descriptor> {
    let pvs: Vec<PvRecord> = save.pvs.into_iter().map(load_pv).collect::<Result<_>>()?;
    let fork = |fork: &ForkSave| Ok(Fork { id: unhex(&fork.id, "forks")?, seqno: Seqno(fork.seqno) });
    Ok(Descriptor {
        vg: parse(&save.vg, "vg")?,
        name: VgName::new(&save.name).map_err(|_| CodecError::Field("name"))?,
        epoch: Epoch(save.epoch),
        seqno: Seqno(save.seqno),
        parent: save.parent.map(|text| unhex(&text, "parent").map(Hash)).transpose()?,
        change: unhex(&save.change, "change")?,
        prior_holders: save.prior_holders.iter().map(|pv| parse(pv, "prior_holders")).collect::<Result<_>>()?,
        forks: save.forks.iter().map(fork).collect::<Result<_>>()?,
        extent_size: ExtentSize::for_tests(save.extent_size).ok_or(CodecError::Field("extent_size"))?,
        alloc: load_alloc(&save.alloc)?,
        resizeable: save.resizeable,
        exported: save.exported,
        metadata_copies: save.metadata_copies,
        tags: load_tags(&save.tags)?,
        lvs: save.lvs.iter().map(|lv| load_lv(lv, &pvs)).collect::<Result<_>>()?,
        removals: save.removals.iter().map(|r| load_removal(r, &pvs)).collect::<Result<_>>()?,
        pvs,
    })
}

#[cfg(test)]
mod tests;
