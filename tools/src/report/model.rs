//! What reports talk about: a plain picture of the volume groups in sight, taken once per command.

/// Everything in sight.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Volume groups, by name.
    pub(crate) vgs: Vec<Vg>,
    /// PVs that belong to no volume group.
    pub(crate) orphans: Vec<Pv>,
    /// Files that are no PVs (`pvs -a`).
    pub(crate) others: Vec<Pv>,
}

/// A volume group.
#[derive(Debug, Default, Clone)]
pub(crate) struct Vg {
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) extent_size: u64,
    pub(crate) seqno: u64,
    pub(crate) alloc: Alloc,
    pub(crate) resizeable: bool,
    pub(crate) exported: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) descriptor_copies: usize,
    pub(crate) pvs: Vec<Pv>,
    pub(crate) lvs: Vec<Lv>,
}

/// A physical volume.
#[derive(Debug, Default, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub(crate) struct Pv {
    /// The file, or `[unknown]` while it is missing.
    pub(crate) name: String,
    pub(crate) uuid: String,
    /// Whether the file is a PV at all.
    pub(crate) labelled: bool,
    pub(crate) missing: bool,
    pub(crate) allocatable: bool,
    pub(crate) has_descriptor: bool,
    pub(crate) exported: bool,
    pub(crate) tags: Vec<String>,
    /// Capacity in bytes, whole extents or not.
    pub(crate) dev_size: u64,
    pub(crate) pe_count: u64,
    /// What the file takes on the host now.
    pub(crate) host_used: Option<u64>,
    /// Free space of the host filesystem that holds it.
    pub(crate) host_free: Option<u64>,
}

/// A logical volume.
#[derive(Debug, Default, Clone)]
pub(crate) struct Lv {
    pub(crate) name: String,
    pub(crate) uuid: String,
    /// Shown by `-a` only, in brackets.
    pub(crate) hidden: bool,
    pub(crate) writable: bool,
    /// `None`: as the VG says.
    pub(crate) alloc: Option<Alloc>,
    /// Whether a process has it open; `None` when that cannot be known.
    pub(crate) active: Option<bool>,
    pub(crate) partial: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) created: Option<i64>,
    pub(crate) host: String,
    /// The visible LV that a hidden one belongs to.
    pub(crate) parent: String,
    /// Size in bytes of a hidden catalogue copy; others take it from their segments.
    pub(crate) own_size: Option<u64>,
    /// Filled part, in hundredths of a percent.
    pub(crate) data_percent: Option<u32>,
    pub(crate) segs: Vec<Seg>,
}

/// A segment of an LV.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seg {
    /// `linear`, `striped`, ...
    pub(crate) kind: &'static str,
    pub(crate) start_le: u64,
    pub(crate) count_le: u64,
    /// Where each stripe or mirror leg lies; empty for a hidden catalogue copy.
    pub(crate) legs: Vec<Leg>,
    /// PEs taken on each leg.
    pub(crate) leg_pes: u64,
    /// Devices of a segment without legs: the files themselves.
    pub(crate) files: Vec<String>,
}

/// A stripe or mirror leg.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub(crate) pv_uuid: String,
    pub(crate) pv_name: String,
    pub(crate) pe: u64,
}

/// A run of PEs of a PV, used by one segment or free.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PvSeg<'a> {
    pub(crate) start: u64,
    pub(crate) count: u64,
    pub(crate) used_by: Option<(&'a Lv, &'a Seg)>,
}

/// Allocation policy.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alloc {
    Contiguous,
    Cling,
    #[default]
    Normal,
    Anywhere,
}

impl Alloc {
    /// The letter in attribute strings.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Contiguous => 'c',
            Self::Cling => 'l',
            Self::Normal => 'n',
            Self::Anywhere => 'a',
        }
    }

    /// The word of `--alloc`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Contiguous => "contiguous",
            Self::Cling => "cling",
            Self::Normal => "normal",
            Self::Anywhere => "anywhere",
        }
    }
}

impl Vg {
    /// Used and free runs of a PV, in order, without gaps.
    pub(crate) fn pv_segs(&self, pv: &Pv) -> Vec<PvSeg<'_>> {
        let mut used: Vec<PvSeg<'_>> = self
            .lvs
            .iter()
            .flat_map(|lv| lv.segs.iter().map(move |seg| (lv, seg)))
            .flat_map(|(lv, seg)| {
                let here = seg.legs.iter().filter(|leg| leg.pv_uuid == pv.uuid);
                here.map(move |leg| PvSeg { start: leg.pe, count: seg.leg_pes, used_by: Some((lv, seg)) })
            })
            .collect();
        used.sort_by_key(|run| run.start);
        let mut all = Vec::with_capacity(used.len());
        let mut next = 0;
        for run in used {
            if run.start > next {
                all.push(PvSeg { start: next, count: run.start.saturating_sub(next), used_by: None });
            }
            next = run.start.saturating_add(run.count);
            all.push(run);
        }
        if pv.pe_count > next {
            all.push(PvSeg { start: next, count: pv.pe_count.saturating_sub(next), used_by: None });
        }
        all
    }

    /// PEs of a PV that segments use.
    pub(crate) fn used_pes(&self, pv: &Pv) -> u64 {
        self.pv_segs(pv).iter().filter(|run| run.used_by.is_some()).map(|run| run.count).sum()
    }

    /// PEs of all PVs.
    pub(crate) fn pe_count(&self) -> u64 {
        self.pvs.iter().map(|pv| pv.pe_count).sum()
    }

    /// Free PEs of all PVs.
    pub(crate) fn free_count(&self) -> u64 {
        self.pvs.iter().map(|pv| pv.pe_count.saturating_sub(self.used_pes(pv))).sum()
    }

    /// Whether a PV is away.
    pub(crate) fn partial(&self) -> bool {
        self.pvs.iter().any(|pv| pv.missing)
    }

    /// Bytes of this many extents.
    pub(crate) fn bytes(&self, extents: u64) -> u64 {
        extents.saturating_mul(self.extent_size)
    }
}

impl Lv {
    /// Logical extents.
    pub(crate) fn le_count(&self) -> u64 {
        self.segs.iter().map(|seg| seg.count_le).sum()
    }

    /// The name as reports show it.
    pub(crate) fn shown_name(&self) -> String {
        if self.hidden { format!("[{}]", self.name) } else { self.name.clone() }
    }
}
