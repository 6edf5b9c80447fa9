//! The FUSE crate's types and the volume's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo, TimeOrNow};
use lv::{Attr, Ino, Kind, LockKind, Nanos};

use super::clock::now;
use super::errno::Errno;
use super::server::Caller;

/// Bytes that programs had best read and write at once: a slice of the volume.
const BLOCK: u32 = 128 * 1024;

pub(super) fn ino(number: INodeNo) -> Ino {
    Ino(number.0)
}

pub(super) fn caller(request: &fuser::Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid(), pid: request.pid() }
}

pub(super) fn error(errno: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(errno.raw_os_error())
}

pub(super) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

pub(super) fn attr(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.stored.div_ceil(512),
        atime: moment(attr.atime),
        mtime: moment(attr.mtime),
        ctime: moment(attr.ctime),
        crtime: moment(attr.btime),
        kind: file_type(attr.kind),
        perm: u16::try_from(attr.mode & 0o7777).unwrap_or(0),
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        // The kernel has no more bits.
        rdev: u32::try_from(attr.rdev).unwrap_or(0),
        blksize: BLOCK,
        flags: 0,
    }
}

/// What stands for a name that leads nowhere: the kernel remembers that, too.
pub(super) fn nothing() -> FileAttr {
    let none = Attr {
        ino: Ino(0),
        kind: Kind::File,
        mode: 0,
        uid: 0,
        gid: 0,
        nlink: 0,
        size: 0,
        stored: 0,
        atime: 0,
        mtime: 0,
        ctime: 0,
        btime: 0,
        rdev: 0,
    };
    attr(&none)
}

fn moment(nanos: Nanos) -> SystemTime {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    let there = if nanos < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    there.unwrap_or(UNIX_EPOCH)
}

/// A time of a request. Before 1970 the crate takes the part of a second off where it is to be added, because it counts
/// seconds downwards and nanoseconds upwards as the kernel does.
pub(super) fn nanos(time: SystemTime) -> Nanos {
    let whole =
        |distance: Duration| Nanos::try_from(distance.as_secs()).unwrap_or(Nanos::MAX).saturating_mul(1_000_000_000);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => whole(after).saturating_add(after.subsec_nanos().into()),
        Err(before) => {
            let before = before.duration();
            whole(before).saturating_neg().saturating_add(before.subsec_nanos().into())
        }
    }
}

pub(super) fn time_or_now(time: TimeOrNow) -> Nanos {
    match time {
        TimeOrNow::SpecificTime(time) => nanos(time),
        TimeOrNow::Now => now(),
    }
}

/// A kind of lock in the kernel's numbers; `None` gives one back.
pub(super) fn lock_kind(number: i32) -> Result<Option<LockKind>, Errno> {
    match number {
        0 => Ok(Some(LockKind::Shared)),
        1 => Ok(Some(LockKind::Exclusive)),
        2 => Ok(None),
        _ => Err(Errno::INVAL),
    }
}

/// The other way round.
pub(super) fn lock_number(kind: Option<LockKind>) -> i32 {
    match kind {
        Some(LockKind::Shared) => 0,
        Some(LockKind::Exclusive) => 1,
        None => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_the_way_to_the_kernel_and_back() {
        for time in [0, 1, 999_999_999, 1_000_000_000, 1_700_000_000_123_456_789, i64::MAX] {
            assert_eq!(nanos(moment(time)), time);
        }
        // As the crate hands over a time of a request: -2 s and 800,000,000 ns, which is 1.2 s before 1970.
        let crate_says = UNIX_EPOCH - Duration::new(2, 800_000_000);
        assert_eq!(nanos(crate_says), -1_200_000_000);
        assert_eq!(nanos(UNIX_EPOCH - Duration::from_secs(3)), -3_000_000_000);
        assert_eq!(moment(-1_200_000_000), UNIX_EPOCH - Duration::new(1, 200_000_000));
        assert_eq!(nanos(UNIX_EPOCH + Duration::from_secs(u64::MAX / 4)), i64::MAX);
    }

    #[test]
    fn locks_have_the_numbers_of_fcntl() {
        for kind in [None, Some(LockKind::Shared), Some(LockKind::Exclusive)] {
            assert_eq!(lock_kind(lock_number(kind)), Ok(kind));
        }
        assert_eq!(lock_kind(3), Err(Errno::INVAL));
    }
}
