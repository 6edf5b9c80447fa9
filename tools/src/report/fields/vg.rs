//! Fields of volume groups.

use super::super::field::{Field, Kind, Type};
use super::super::model::Vg;
use super::super::value::Value;
use super::vg;

macro_rules! field {
    ($name:literal, $heading:literal, $width:literal, $ty:ident, $help:literal, $value:expr) => {
        Field {
            kind: Kind::Vg,
            name: $name,
            heading: $heading,
            width: $width,
            ty: Type::$ty,
            value: $value,
            help: $help,
        }
    };
}

/// All of them.
pub(in super::super) static VG: &[Field] = &[
    field!("vg_fmt", "Fmt", 0, Str, "Format of the descriptor: asq1.", |r| vg(r, |_| Value::text("asq1"))),
    field!("vg_uuid", "VG UUID", 38, Str, "Unique identifier.", |r| vg(r, |g| Value::text(&g.uuid))),
    field!("vg_name", "VG", 0, Str, "Name.", |r| vg(r, |g| Value::text(&g.name))),
    field!("vg_attr", "Attr", 0, Str, "Attributes.", |r| vg(r, |g| Value::Text(attr(g)))),
    field!("vg_permissions", "VPerms", 10, Str, "Permissions.", |r| vg(r, |_| Value::text("writeable"))),
    field!("vg_extendable", "Extendable", 0, Bin, "Set if PVs may be added and removed.", |r| vg(r, |g| {
        Value::Flag(g.resizeable, "extendable")
    })),
    field!("vg_exported", "Exported", 10, Bin, "Set if exported.", |r| vg(r, |g| Value::Flag(g.exported, "exported"))),
    field!("vg_partial", "Partial", 10, Bin, "Set if a PV is missing.", |r| vg(r, |g| {
        Value::Flag(g.partial(), "partial")
    })),
    field!("vg_allocation_policy", "AllocPol", 10, Str, "Allocation policy.", |r| vg(r, |g| {
        Value::text(g.alloc.word())
    })),
    field!("vg_size", "VSize", 0, Siz, "Total size.", |r| vg(r, |g| Value::Size(g.bytes(g.pe_count())))),
    field!("vg_free", "VFree", 0, Siz, "Free size.", |r| vg(r, |g| Value::Size(g.bytes(g.free_count())))),
    field!("vg_extent_size", "Ext", 0, Siz, "Size of an extent.", |r| vg(r, |g| Value::Size(g.extent_size))),
    field!("vg_extent_count", "#Ext", 0, Num, "Number of extents.", |r| vg(r, |g| Value::count(g.pe_count()))),
    field!("vg_free_count", "Free", 0, Num, "Number of free extents.", |r| vg(r, |g| Value::count(g.free_count()))),
    field!("max_lv", "MaxLV", 0, Num, "Most LVs allowed, 0 for no limit.", |r| vg(r, |_| Value::Number(0))),
    field!("max_pv", "MaxPV", 0, Num, "Most PVs allowed, 0 for no limit.", |r| vg(r, |_| Value::Number(0))),
    field!("pv_count", "#PV", 0, Num, "Number of PVs.", |r| vg(r, |g| Value::count(g.pvs.len()))),
    field!("vg_missing_pv_count", "#PV Missing", 0, Num, "Number of missing PVs.", |r| vg(r, |g| {
        Value::count(g.pvs.iter().filter(|pv| pv.missing).count())
    })),
    field!("lv_count", "#LV", 0, Num, "Number of LVs.", |r| vg(r, |g| {
        Value::count(g.lvs.iter().filter(|lv| !lv.hidden).count())
    })),
    field!("snap_count", "#SN", 0, Num, "Number of snapshots.", |r| vg(r, |_| Value::Number(0))),
    field!("vg_seqno", "Seq", 0, Num, "Generation of the descriptor.", |r| vg(r, |g| Value::count(g.seqno))),
    field!("vg_tags", "VG Tags", 0, List, "Tags.", |r| vg(r, |g| Value::List(g.tags.clone()))),
    field!("vg_profile", "VProfile", 0, Str, "Configuration profile.", |r| vg(r, |_| Value::text(""))),
    field!("vg_mda_count", "#VMda", 0, Num, "Number of descriptor copies.", |r| vg(r, |g| {
        Value::count(g.descriptor_copies)
    })),
];

fn attr(vg: &Vg) -> String {
    let resizeable = if vg.resizeable { 'z' } else { '-' };
    let exported = if vg.exported { 'x' } else { '-' };
    format!("w{resizeable}{exported}{}{}-", if vg.partial() { 'p' } else { '-' }, vg.alloc.letter())
}
