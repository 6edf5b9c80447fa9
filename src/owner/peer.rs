//! The other side of a connection: reaching it, and who it is.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect as connect_to, socket};

/// How long the other side has to take a connection, to say who it is, and to take or send the rest of a message.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// Connects to a socket. A process that is stopped takes no more than a few connections; what comes then waits no longer
/// than [`SOON`].
pub(super) fn connect(path: &Path) -> Result<UnixStream, Errno> {
    let fd: OwnedFd = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    set_socket_timeout(&fd, Timeout::Send, Some(SOON))?;
    set_socket_timeout(&fd, Timeout::Recv, Some(SOON))?;
    connect_to(&fd, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(fd))
}

/// Whether the other side runs for this user and, when `pid` is given, is that process. Where the system does not say,
/// it is the folder of the socket alone that keeps others out.
#[cfg(target_os = "linux")]
pub(super) fn is_own(stream: impl AsFd, pid: Option<u32>) -> bool {
    let Ok(peer) = rustix::net::sockopt::socket_peercred(stream) else { return false };
    let number = u32::try_from(peer.pid.as_raw_pid()).ok();
    peer.uid == rustix::process::geteuid() && pid.is_none_or(|pid| number == Some(pid))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_own(_: impl AsFd, _: Option<u32>) -> bool {
    true
}
