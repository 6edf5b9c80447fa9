//! The fields, one file per kind. Adding a field is adding a row.

mod lv;
mod lv_attr;
mod pv;
mod seg;
mod vg;

pub(super) use lv::LV;
pub(super) use pv::PV;
pub(super) use seg::{PVSEG, SEG};
pub(super) use vg::VG;

use super::model::{Lv, Pv, Seg, Vg};
use super::row::Row;
use super::value::Value;

/// The value of a field of the row's PV.
fn pv(row: &Row<'_>, value: impl FnOnce(&Pv) -> Value) -> Value {
    row.pv.map_or(Value::Blank, value)
}

/// The value of a field of the row's VG.
fn vg(row: &Row<'_>, value: impl FnOnce(&Vg) -> Value) -> Value {
    row.vg.map_or(Value::Blank, value)
}

/// The value of a field of the row's LV.
fn lv(row: &Row<'_>, value: impl FnOnce(&Lv) -> Value) -> Value {
    row.lv.map_or(Value::Blank, value)
}

/// The value of a field of the row's segment, with its VG for the extent size.
fn seg(row: &Row<'_>, value: impl FnOnce(&Vg, &Seg) -> Value) -> Value {
    row.vg.zip(row.seg).map_or(Value::Blank, |(vg, seg)| value(vg, seg))
}
