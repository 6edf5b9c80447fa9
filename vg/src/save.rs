//! The stored form of a descriptor: canonical JSON with a version. One descriptor has exactly one encoding.

use serde::{Deserialize, Serialize};

/// Version of the encoding that this build reads and writes.
pub(crate) const VERSION: u32 = 0;

/// Reads the version alone, so that a newer document is told from a damaged one.
#[derive(Debug, Deserialize)]
pub(crate) struct VersionSave {
    pub(crate) version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescriptorSave {
    pub(crate) version: u32,
    pub(crate) vg: String,
    pub(crate) name: String,
    pub(crate) epoch: u64,
    pub(crate) seqno: u64,
    pub(crate) parent: Option<String>,
    pub(crate) change: String,
    pub(crate) prior_holders: Vec<String>,
    pub(crate) forks: Vec<ForkSave>,
    pub(crate) extent_size: u64,
    pub(crate) alloc: String,
    pub(crate) resizeable: bool,
    pub(crate) exported: bool,
    pub(crate) metadata_copies: u32,
    pub(crate) tags: Vec<String>,
    pub(crate) pvs: Vec<PvSave>,
    pub(crate) lvs: Vec<LvSave>,
    pub(crate) removals: Vec<RemovalSave>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForkSave {
    pub(crate) id: String,
    pub(crate) seqno: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PvSave {
    pub(crate) uuid: String,
    pub(crate) hint: String,
    pub(crate) pe_count: u32,
    pub(crate) allocatable: bool,
    pub(crate) missing: bool,
    pub(crate) holder: bool,
    pub(crate) class: Option<String>,
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LvSave {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) kind: String,
    pub(crate) segments: Vec<SegmentSave>,
    pub(crate) copies: Vec<CopySave>,
    /// Left out where it is not known.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub(crate) metadata_copies: u32,
    pub(crate) alloc: String,
    pub(crate) read_only: bool,
    pub(crate) created: i64,
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemovalSave {
    pub(crate) lv: String,
    pub(crate) family: String,
    pub(crate) segments: Vec<SegmentSave>,
    pub(crate) copies: Vec<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serializer asks for it")]
fn is_unknown(copies: &u32) -> bool {
    *copies == 0
}

/// PVs are named by their place in `pvs`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentSave {
    pub(crate) start: u32,
    pub(crate) count: u32,
    pub(crate) kind: String,
    pub(crate) legs: Vec<(usize, u32)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopySave {
    pub(crate) pv: usize,
    pub(crate) since: u64,
}
