//! Rows: which objects stand in one line of a report.

use super::field::Kind;
use super::model::{Lv, Model, Pv, PvSeg, Seg, Vg};

/// The objects a line is about; fields of absent ones are blank.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row<'a> {
    pub(crate) vg: Option<&'a Vg>,
    pub(crate) pv: Option<&'a Pv>,
    pub(crate) lv: Option<&'a Lv>,
    pub(crate) seg: Option<&'a Seg>,
    pub(crate) pvseg: Option<PvSeg<'a>>,
}

/// What one line of the report stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Pvs,
    Vgs,
    Lvs,
    Segs,
    PvSegs,
}

impl Subject {
    /// The subject that can fill fields of all these kinds, starting from what the command reports.
    pub(crate) fn widen(self, kinds: &[Kind]) -> Self {
        let has = |kind| kinds.contains(&kind);
        match self {
            Self::Pvs if has(Kind::PvSeg) || has(Kind::Seg) || has(Kind::Lv) => Self::PvSegs,
            Self::Vgs | Self::Lvs | Self::Segs if has(Kind::PvSeg) => Self::PvSegs,
            Self::Vgs if has(Kind::Pv) && (has(Kind::Seg) || has(Kind::Lv)) => Self::PvSegs,
            Self::Lvs | Self::Segs if has(Kind::Pv) => Self::PvSegs,
            Self::Vgs | Self::Lvs if has(Kind::Seg) => Self::Segs,
            Self::Vgs if has(Kind::Lv) => Self::Lvs,
            Self::Vgs if has(Kind::Pv) => Self::Pvs,
            same => same,
        }
    }

    /// The name of the list in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pvs => "pv",
            Self::Vgs => "vg",
            Self::Lvs => "lv",
            Self::Segs => "seg",
            Self::PvSegs => "pvseg",
        }
    }
}

/// All lines about `subject`. Files that are no PVs and hidden LVs are included when `all`.
pub(crate) fn rows(model: &Model, subject: Subject, all: bool) -> Vec<Row<'_>> {
    let mut out: Vec<Row<'_>> = model.vgs.iter().flat_map(|vg| vg_rows(vg, subject, all)).collect();
    if matches!(subject, Subject::Pvs | Subject::PvSegs) {
        let others = if all { model.others.as_slice() } else { &[] };
        out.extend(model.orphans.iter().chain(others).map(|pv| Row { pv: Some(pv), ..Row::default() }));
    }
    out
}

fn vg_rows(vg: &Vg, subject: Subject, all: bool) -> Vec<Row<'_>> {
    let base = Row { vg: Some(vg), ..Row::default() };
    let lvs = || vg.lvs.iter().filter(move |lv| all || !lv.hidden);
    match subject {
        Subject::Vgs => vec![base],
        Subject::Pvs => vg.pvs.iter().map(|pv| Row { pv: Some(pv), ..base }).collect(),
        Subject::Lvs => lvs().map(|lv| Row { lv: Some(lv), seg: lv.segs.first(), ..base }).collect(),
        Subject::Segs => {
            lvs().flat_map(|lv| lv.segs.iter().map(move |seg| Row { lv: Some(lv), seg: Some(seg), ..base })).collect()
        }
        Subject::PvSegs => vg.pvs.iter().flat_map(|pv| pv_seg_rows(vg, pv)).collect(),
    }
}

fn pv_seg_rows<'a>(vg: &'a Vg, pv: &'a Pv) -> Vec<Row<'a>> {
    let row = |run: PvSeg<'a>| Row {
        vg: Some(vg),
        pv: Some(pv),
        lv: run.used_by.map(|(lv, _)| lv),
        seg: run.used_by.map(|(_, seg)| seg),
        pvseg: Some(run),
    };
    vg.pv_segs(pv).into_iter().map(row).collect()
}
