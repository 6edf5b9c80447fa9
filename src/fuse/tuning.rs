//! What only the system's own files can set of a mount.

use std::fs;

/// KiB that the kernel reads ahead: as much as the requests that it may have under way hold.
const READ_AHEAD_KIB: u32 = 4096;

/// Lets the kernel read further ahead than the 128 KiB it begins with. Only root may; others read with those.
pub(super) fn read_ahead(device: &str) {
    let file = format!("/sys/class/bdi/{device}/read_ahead_kb");
    let _ = fs::write(file, READ_AHEAD_KIB.to_string());
}
