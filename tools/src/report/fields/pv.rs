//! Fields of physical volumes.

use super::super::field::{Field, Kind, Type};
use super::super::model::Pv;
use super::super::row::Row;
use super::super::value::Value;
use super::pv;

macro_rules! field {
    ($name:literal, $heading:literal, $width:literal, $ty:ident, $help:literal, $value:expr) => {
        Field {
            kind: Kind::Pv,
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
pub(in super::super) static PV: &[Field] = &[
    field!("pv_fmt", "Fmt", 0, Str, "Format of the PV: asq1.", |r| pv(r, format)),
    field!("pv_uuid", "PV UUID", 38, Str, "Unique identifier.", |r| pv(r, |p| Value::text(&p.uuid))),
    field!("dev_size", "DevSize", 0, Siz, "Capacity of the file.", |r| pv(r, |p| Value::Size(p.dev_size))),
    field!("pv_name", "PV", 10, Str, "The file.", |r| pv(r, |p| Value::text(&p.name))),
    field!("pv_size", "PSize", 0, Siz, "Size usable for extents.", |r| pv(r, |p| Value::Size(size(r, p)))),
    field!("pv_free", "PFree", 0, Siz, "Size not yet allocated.", |r| pv(r, |p| Value::Size(
        size(r, p).saturating_sub(used(r, p))
    ))),
    field!("pv_used", "Used", 0, Siz, "Size allocated.", |r| pv(r, |p| Value::Size(used(r, p)))),
    field!("pv_host_used", "HostUsed", 0, Siz, "What the file takes on the host now.", |r| pv(r, |p| {
        p.host_used.map_or(Value::Blank, Value::Size)
    })),
    field!("pv_host_free", "HostFree", 0, Siz, "Free space of the host filesystem that holds the file.", |r| pv(
        r,
        |p| p.host_free.map_or(Value::Blank, Value::Size)
    )),
    field!("pv_attr", "Attr", 0, Str, "Attributes.", |r| pv(r, |p| Value::Text(attr(r, p)))),
    field!("pv_allocatable", "Allocatable", 0, Bin, "Set if it may be used for allocation.", |r| pv(r, |p| {
        Value::Flag(r.vg.is_some() && p.allocatable, "allocatable")
    })),
    field!("pv_exported", "Exported", 10, Bin, "Set if exported.", |r| pv(r, |p| Value::Flag(p.exported, "exported"))),
    field!("pv_missing", "Missing", 10, Bin, "Set if the file is missing.", |r| pv(r, |p| {
        Value::Flag(p.missing, "missing")
    })),
    field!("pv_pe_count", "PE", 0, Num, "Number of physical extents.", |r| pv(r, |p| Value::count(p.pe_count))),
    field!("pv_pe_alloc_count", "Alloc", 0, Num, "Number of allocated physical extents.", |r| pv(r, |p| {
        Value::count(r.vg.map_or(0, |vg| vg.used_pes(p)))
    })),
    field!("pv_tags", "PV Tags", 0, List, "Tags.", |r| pv(r, |p| Value::List(p.tags.clone()))),
    field!("pv_mda_count", "#PMda", 0, Num, "Number of descriptor copies on this PV.", |r| pv(r, |p| {
        Value::count(i64::from(p.has_descriptor))
    })),
    field!("pv_mda_used_count", "#PMdaUse", 0, Num, "Number of descriptor copies in use on this PV.", |r| pv(r, |p| {
        Value::count(i64::from(p.has_descriptor))
    })),
    field!("pv_in_use", "PInUse", 10, Bin, "Set if it belongs to a VG.", |r| pv(r, |_| {
        Value::Flag(r.vg.is_some(), "used")
    })),
    field!("pv_duplicate", "Duplicate", 10, Bin, "Set if another file has the same UUID.", |r| pv(r, |_| {
        Value::Flag(false, "duplicate")
    })),
];

fn format(pv: &Pv) -> Value {
    if pv.labelled { Value::text("asq1") } else { Value::text("") }
}

/// Whole extents once it belongs to a VG; before that the capacity.
fn size(row: &Row<'_>, pv: &Pv) -> u64 {
    match row.vg {
        Some(vg) => vg.bytes(pv.pe_count),
        None if pv.labelled => pv.dev_size,
        None => 0,
    }
}

fn used(row: &Row<'_>, pv: &Pv) -> u64 {
    row.vg.map_or(0, |vg| vg.bytes(vg.used_pes(pv)))
}

fn attr(row: &Row<'_>, pv: &Pv) -> String {
    let allocatable = match row.vg {
        None => '-',
        Some(_) if pv.allocatable => 'a',
        Some(_) => 'u',
    };
    let exported = if pv.exported { 'x' } else { '-' };
    format!("{allocatable}{exported}{}", if pv.missing { 'm' } else { '-' })
}
