//! Fields of logical volumes.

use super::super::field::{Field, Kind, Type};
use super::super::model::Lv;
use super::super::row::Row;
use super::super::value::Value;
use super::lv;
use super::lv_attr::lv_attr;

macro_rules! field {
    ($name:literal, $heading:literal, $width:literal, $ty:ident, $help:literal, $value:expr) => {
        Field {
            kind: Kind::Lv,
            name: $name,
            heading: $heading,
            width: $width,
            ty: Type::$ty,
            value: $value,
            help: $help,
        }
    };
}

/// A column that LVM shows and that nothing here fills yet.
macro_rules! empty {
    ($name:literal, $heading:literal, $width:literal, $ty:ident, $help:literal) => {
        field!($name, $heading, $width, $ty, $help, |_| Value::Blank)
    };
}

/// All of them.
pub(in super::super) static LV: &[Field] = &[
    field!("lv_uuid", "LV UUID", 38, Str, "Unique identifier.", |r| lv(r, |l| Value::text(&l.uuid))),
    field!("lv_name", "LV", 4, Str, "Name, in brackets when internal.", |r| lv(r, |l| Value::Text(l.shown_name()))),
    field!("lv_full_name", "LV", 4, Str, "VG/LV.", |r| full_name(r)),
    field!("lv_parent", "Parent", 0, Str, "The LV that an internal one belongs to.", |r| lv(r, |l| Value::text(
        &l.parent
    ))),
    field!("lv_layout", "Layout", 10, List, "Layout.", |r| lv(r, layout)),
    field!("lv_role", "Role", 10, List, "Role.", |r| lv(r, role)),
    field!("lv_allocation_policy", "AllocPol", 10, Str, "Allocation policy.", |r| lv(r, |l| {
        Value::text(l.alloc.map_or("inherit", super::super::model::Alloc::word))
    })),
    field!("lv_skip_activation", "SkipAct", 15, Bin, "Set if not activated by itself.", |r| lv(r, |_| {
        Value::Flag(false, "skip activation")
    })),
    field!("lv_active", "Active", 0, Str, "Whether a process has it.", |r| lv(r, |l| Value::text(match l.active {
        Some(true) => "active",
        Some(false) => "",
        None => "unknown",
    }))),
    field!("lv_major", "Maj", 0, Num, "Always -1: there is no device.", |r| lv(r, |_| Value::Number(-1))),
    field!("lv_minor", "Min", 0, Num, "Always -1: there is no device.", |r| lv(r, |_| Value::Number(-1))),
    field!("lv_size", "LSize", 0, Siz, "Size.", |r| size(r)),
    field!("seg_count", "#Seg", 0, Num, "Number of segments.", |r| lv(r, |l| Value::count(l.segs.len()))),
    empty!("origin", "Origin", 0, Str, "For snapshots, the LV they were taken of."),
    empty!("move_pv", "Move", 0, Str, "The PV that a pvmove empties."),
    empty!("convert_lv", "Convert", 0, Str, "The LV that a conversion builds."),
    empty!("mirror_log", "Log", 0, Str, "The log of a mirror."),
    field!("metadata_lv", "Meta", 0, Str, "The catalogue of the LV.", |r| lv(r, |l| {
        if l.hidden { Value::text("") } else { Value::Text(format!("[{}_meta]", l.name)) }
    })),
    empty!("pool_lv", "Pool", 0, Str, "The thin pool of a thin LV."),
    field!("lv_tags", "LV Tags", 0, List, "Tags.", |r| lv(r, |l| Value::List(l.tags.clone()))),
    field!("lv_profile", "LProfile", 0, Str, "Configuration profile.", |r| lv(r, |_| Value::text(""))),
    field!("lv_time", "CTime", 26, Tim, "When it was made.", |r| lv(r, |l| l
        .created
        .map_or(Value::Blank, Value::Time))),
    field!("lv_host", "Host", 10, Str, "Where it was made.", |r| lv(r, |l| Value::text(&l.host))),
    field!("lv_kernel_major", "KMaj", 0, Num, "Always -1: there is no device.", |r| lv(r, |_| Value::Number(-1))),
    field!("lv_kernel_minor", "KMin", 0, Num, "Always -1: there is no device.", |r| lv(r, |_| Value::Number(-1))),
    field!("lv_permissions", "LPerms", 8, Str, "Permissions.", |r| lv(r, |l| Value::text(
        match (l.active, l.writable) {
            (None, _) => "unknown",
            (_, true) => "writeable",
            (_, false) => "read-only",
        }
    ))),
    field!("lv_device_open", "DevOpen", 10, Bin, "Set if a process has it.", |r| lv(r, |l| {
        Value::Flag(l.active == Some(true), "open")
    })),
    field!("data_percent", "Data%", 6, Pct, "How full it is.", |r| lv(r, |l| {
        l.data_percent.map_or(Value::Blank, Value::Percent)
    })),
    empty!("snap_percent", "Snap%", 6, Pct, "How full a snapshot is."),
    empty!("metadata_percent", "Meta%", 6, Pct, "How full a thin pool's metadata is."),
    empty!("copy_percent", "Cpy%Sync", 6, Pct, "How far a mirror is in sync."),
    empty!("sync_percent", "Cpy%Sync", 6, Pct, "How far a mirror is in sync."),
    field!("lv_health_status", "Health", 15, Str, "Health.", |r| lv(r, |l| {
        Value::text(if l.partial { "partial" } else { "" })
    })),
    field!("lv_attr", "Attr", 0, Str, "Attributes.", |r| lv(r, |l| Value::Text(lv_attr(l)))),
];

fn full_name(row: &Row<'_>) -> Value {
    row.vg.zip(row.lv).map_or(Value::Blank, |(vg, lv)| Value::Text(format!("{}/{}", vg.name, lv.name)))
}

fn size(row: &Row<'_>) -> Value {
    row.vg
        .zip(row.lv)
        .map_or(Value::Blank, |(vg, lv)| Value::Size(lv.own_size.unwrap_or_else(|| vg.bytes(lv.le_count()))))
}

fn layout(lv: &Lv) -> Value {
    let mut kinds: Vec<String> = Vec::new();
    for seg in &lv.segs {
        if !kinds.iter().any(|known| known == seg.kind) {
            kinds.push(seg.kind.to_owned());
        }
    }
    Value::List(kinds)
}

fn role(lv: &Lv) -> Value {
    let words: &[&str] = if lv.hidden { &["private", "metadata"] } else { &["public"] };
    Value::List(words.iter().map(|word| (*word).to_owned()).collect())
}
