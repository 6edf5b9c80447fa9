//! Requests about extended attributes.

use lv::{Ino, SetXattr};
use rustix::fs::XattrFlags;

use super::acl::{self, Acl};
use super::errno::{Answer, Errno};
use super::server::{Caller, Server};

/// What a program gets that asks for a value or for names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// How large it is.
    Size(u32),
    /// The bytes.
    Bytes(Vec<u8>),
}

/// Bytes for a program that has room for `room` of them; no room is the question how many there are.
fn fit(bytes: Vec<u8>, room: u32) -> Answer<Asked> {
    let len = u32::try_from(bytes.len()).map_err(|_| Errno::TOOBIG)?;
    match room {
        0 => Ok(Asked::Size(len)),
        room if room < len => Err(Errno::RANGE),
        _ => Ok(Asked::Bytes(bytes)),
    }
}

/// The kernel's own names, of which only access control lists are known here.
fn known(name: &[u8]) -> Answer<()> {
    let foreign = name.starts_with(b"system.") && name != acl::ACCESS && name != acl::DEFAULT;
    if foreign { Err(Errno::OPNOTSUPP) } else { Ok(()) }
}

impl Server {
    pub(super) fn getxattr(&self, ino: Ino, name: &[u8], room: u32) -> Answer<Asked> {
        known(name)?;
        fit(self.done(self.volume.getxattr(ino, name))?, room)
    }

    pub(super) fn listxattr(&self, ino: Ino, room: u32) -> Answer<Asked> {
        let names = self.done(self.volume.listxattr(ino))?;
        fit(names.into_iter().flat_map(|name| name.into_iter().chain([0])).collect(), room)
    }

    pub(super) fn setxattr(
        &self,
        caller: Caller,
        ino: Ino,
        name: &[u8],
        value: &[u8],
        flags: XattrFlags,
    ) -> Answer<()> {
        known(name)?;
        let how = match flags {
            flags if flags.is_empty() => SetXattr::Any,
            XattrFlags::CREATE => SetXattr::Create,
            XattrFlags::REPLACE => SetXattr::Replace,
            _ => return Err(Errno::INVAL),
        };
        if name == acl::ACCESS {
            let list = Acl::parse(value).ok_or(Errno::INVAL)?;
            let group = self.done(self.volume.getattr(ino))?.gid;
            return self.done(self.set_acl(ino, &list, caller.is_in(group)));
        }
        if name == acl::DEFAULT && Acl::parse(value).is_none() {
            return Err(Errno::INVAL);
        }
        self.done(self.volume.setxattr(ino, name, value, how))
    }

    pub(super) fn removexattr(&self, ino: Ino, name: &[u8]) -> Answer<()> {
        known(name)?;
        self.done(self.volume.removexattr(ino, name))
    }
}

impl Caller {
    /// Whether a group's set-id bits are this caller's to keep.
    fn is_in(self, group: u32) -> bool {
        self.keeps_set_id() || self.gid == group || groups(self.pid).contains(&group)
    }
}

/// The supplementary groups of a process, which requests do not name.
fn groups(pid: u32) -> Vec<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    line.split_whitespace().filter_map(|group| group.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_or_says_how_large_it_is() {
        assert_eq!(fit(b"abc".to_vec(), 0), Ok(Asked::Size(3)));
        assert_eq!(fit(b"abc".to_vec(), 2), Err(Errno::RANGE));
        assert_eq!(fit(b"abc".to_vec(), 3), Ok(Asked::Bytes(b"abc".to_vec())));
        assert_eq!(fit(Vec::new(), 5), Ok(Asked::Bytes(Vec::new())));
    }

    #[test]
    fn the_kernels_own_names_are_not_kept() {
        assert_eq!(known(b"system.nfs4_acl"), Err(Errno::OPNOTSUPP));
        assert_eq!(known(acl::ACCESS), Ok(()));
        assert_eq!(known(b"user.system.x"), Ok(()));
    }
}
