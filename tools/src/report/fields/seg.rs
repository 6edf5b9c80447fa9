//! Fields of LV segments and of PV segments.

use super::super::field::{Field, Kind, Type};
use super::super::model::{Leg, Seg};
use super::super::row::Row;
use super::super::value::Value;
use super::seg;

macro_rules! field {
    ($kind:ident, $name:literal, $heading:literal, $ty:ident, $help:literal, $value:expr) => {
        Field { kind: Kind::$kind, name: $name, heading: $heading, width: 0, ty: Type::$ty, value: $value, help: $help }
    };
}

/// Fields of LV segments.
pub(in super::super) static SEG: &[Field] = &[
    field!(Seg, "segtype", "Type", Str, "Type of the segment.", |r| segtype(r)),
    field!(Seg, "stripes", "#Str", Num, "Number of stripes or mirror legs.", |r| seg(r, |_, s| {
        Value::count(s.legs.len().max(1))
    })),
    field!(Seg, "data_stripes", "#DStr", Num, "Number of stripes that hold data.", |r| seg(r, |_, s| {
        Value::count(if s.kind == "striped" { s.legs.len() } else { 1 })
    })),
    field!(Seg, "data_copies", "#Cpy", Num, "Number of copies of the data.", |r| seg(r, |_, s| {
        Value::count(if s.kind == "raid1" { s.legs.len() } else { 1 })
    })),
    field!(Seg, "stripe_size", "Stripe", Siz, "Bytes on one stripe before the next.", |r| seg(r, |g, s| {
        Value::Size(if s.kind == "striped" { g.extent_size } else { 0 })
    })),
    field!(Seg, "chunk_size", "Chunk", Siz, "Unused here.", |r| seg(r, |_, _| Value::Size(0))),
    field!(Seg, "seg_start", "Start", Siz, "Where it begins in the LV.", |r| seg(r, |g, s| Value::Size(
        g.bytes(s.start_le)
    ))),
    field!(Seg, "seg_start_pe", "Start", Num, "Its first logical extent.", |r| seg_start_pe(r)),
    field!(Seg, "seg_size", "SSize", Siz, "Its size.", |r| seg(r, |g, s| Value::Size(g.bytes(s.count_le)))),
    field!(Seg, "seg_size_pe", "SSize", Num, "Its size in extents.", |r| seg(r, |_, s| Value::count(s.count_le))),
    field!(Seg, "seg_tags", "Seg Tags", List, "Tags.", |r| seg(r, |_, _| Value::List(Vec::new()))),
    field!(Seg, "seg_pe_ranges", "PE Ranges", List, "PVs with ranges of extents, as commands take them.", |r| seg(
        r,
        |_, s| ranges(s)
    )),
    field!(Seg, "seg_le_ranges", "LE Ranges", List, "PVs with ranges of extents.", |r| seg(r, |_, s| ranges(s))),
    field!(Seg, "devices", "Devices", List, "PVs with the first extent.", |r| seg(r, |_, s| devices(s))),
];

/// Fields of PV segments.
pub(in super::super) static PVSEG: &[Field] = &[
    field!(PvSeg, "pvseg_start", "Start", Num, "First physical extent.", |r| r
        .pvseg
        .map_or(Value::Number(0), |run| Value::count(run.start))),
    field!(PvSeg, "pvseg_size", "SSize", Num, "Number of physical extents.", |r| r
        .pvseg
        .map_or(Value::Number(0), |run| Value::count(run.count))),
];

/// A free run of a PV has the type `free`.
fn segtype(row: &Row<'_>) -> Value {
    match (row.seg, row.pvseg) {
        (Some(seg), _) => Value::text(seg.kind),
        (None, Some(_)) => Value::text("free"),
        (None, None) => Value::Blank,
    }
}

fn seg_start_pe(row: &Row<'_>) -> Value {
    match (row.seg, row.pvseg) {
        (Some(seg), _) => Value::count(seg.start_le),
        (None, Some(_)) => Value::Number(0),
        (None, None) => Value::Blank,
    }
}

fn devices(seg: &Seg) -> Value {
    if seg.legs.is_empty() {
        return Value::List(seg.files.clone());
    }
    Value::List(seg.legs.iter().map(|leg| format!("{}({})", leg.pv_name, leg.pe)).collect())
}

fn ranges(seg: &Seg) -> Value {
    let range = |leg: &Leg| {
        let last = leg.pe.saturating_add(seg.leg_pes).saturating_sub(1);
        format!("{}:{}-{last}", leg.pv_name, leg.pe)
    };
    Value::List(seg.legs.iter().map(range).collect())
}
