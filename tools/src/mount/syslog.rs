//! The system's log, for a process without a terminal.

use std::os::unix::net::UnixDatagram;

/// A daemon's error, in the numbers of syslog(3).
const PRIORITY: u8 = 3 << 3 | 3;

/// Writes a line, where there is a log.
pub(super) fn error(line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = format!("<{PRIORITY}>anyfs-lvm[{}]: {line}", std::process::id());
    if let Ok(socket) = UnixDatagram::unbound() {
        // A log that is full must not hold up a filesystem.
        let _ = socket.set_nonblocking(true).and_then(|()| socket.send_to(text.as_bytes(), "/dev/log"));
    }
}
