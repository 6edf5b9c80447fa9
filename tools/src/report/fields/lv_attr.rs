//! The ten characters of `lv_attr`.

use super::super::model::Lv;

/// Type, permissions, allocation, fixed minor, state, open, target, zero, health, skip.
pub(super) fn lv_attr(lv: &Lv) -> String {
    let kind = if lv.hidden { 'e' } else { '-' };
    let permission = if lv.writable { 'w' } else { 'r' };
    let alloc = lv.alloc.map_or('i', super::super::model::Alloc::letter);
    // An LV that a process has is active and open at once: there is no device that could be active by itself.
    let (state, open) = match lv.active {
        Some(true) => ('a', 'o'),
        Some(false) => ('-', '-'),
        None => ('X', 'X'),
    };
    let health = if lv.partial { 'p' } else { '-' };
    format!("{kind}{permission}{alloc}-{state}{open}--{health}-")
}
