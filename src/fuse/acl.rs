//! Access control lists: the part that Linux leaves to the filesystem.
//!
//! The kernel checks them. The filesystem keeps the mode and the list in step, and hands the default list of a directory
//! down to what is made in it: acl(5).

use lv::{Attr, Ino, Kind, LvError, NewNode, Result, SetXattr, Transaction, Volume};

use super::server::Server;

/// The attribute that holds the list of a file.
pub(super) const ACCESS: &[u8] = b"system.posix_acl_access";
/// The attribute that holds the list that a directory hands down.
pub(super) const DEFAULT: &[u8] = b"system.posix_acl_default";

/// What the attributes begin with.
const VERSION: u32 = 2;

const USER_OBJ: u16 = 0x01;
const GROUP_OBJ: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    tag: u16,
    perm: u16,
    id: u32,
}

/// A list as an attribute holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acl(Vec<Entry>);

impl Acl {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*version) != VERSION {
            return None;
        }
        let mut entries = Vec::new();
        while let Some((&[t0, t1, p0, p1, i0, i1, i2, i3], more)) = rest.split_first_chunk::<8>() {
            let (tag, perm) = (u16::from_le_bytes([t0, t1]), u16::from_le_bytes([p0, p1]));
            entries.push(Entry { tag, perm: perm & 7, id: u32::from_le_bytes([i0, i1, i2, i3]) });
            rest = more;
        }
        let has = |tag| entries.iter().any(|entry| entry.tag == tag);
        (rest.is_empty() && has(USER_OBJ) && has(GROUP_OBJ) && has(OTHER)).then_some(Self(entries))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let entry = |entry: &Entry| {
            let (tag, perm) = (entry.tag.to_le_bytes(), entry.perm.to_le_bytes());
            [&tag[..], &perm[..], &entry.id.to_le_bytes()[..]].concat()
        };
        VERSION.to_le_bytes().into_iter().chain(self.0.iter().flat_map(entry)).collect()
    }

    /// Whether the mode says all there is.
    fn is_minimal(&self) -> bool {
        self.0.iter().all(|entry| matches!(entry.tag, USER_OBJ | GROUP_OBJ | OTHER))
    }

    /// The entry that the group bits of the mode stand for.
    fn group_tag(&self) -> u16 {
        if self.0.iter().any(|entry| entry.tag == MASK) { MASK } else { GROUP_OBJ }
    }

    /// How far to the left the bits of an entry stand in the mode.
    fn shift(&self, tag: u16) -> Option<u32> {
        match tag {
            USER_OBJ => Some(6),
            OTHER => Some(0),
            tag if tag == self.group_tag() => Some(3),
            _ => None,
        }
    }

    /// The permission bits that it amounts to.
    fn mode(&self) -> u32 {
        let bits = |entry: &Entry| self.shift(entry.tag).map_or(0, |shift| u32::from(entry.perm) << shift);
        self.0.iter().fold(0, |mode, entry| mode | bits(entry))
    }

    /// The list with other bits in the entries that the mode stands for.
    fn map(&self, bits: impl Fn(u16, u16) -> u16) -> Self {
        let change = |entry: &Entry| {
            let perm =
                self.shift(entry.tag).map_or(entry.perm, |shift| bits(entry.perm, u16::try_from(shift).unwrap_or(0)));
            Entry { perm, ..*entry }
        };
        Self(self.0.iter().map(change).collect())
    }

    /// The list after chmod(2).
    fn after_chmod(&self, mode: u32) -> Self {
        let mode = u16::try_from(mode & 0o777).unwrap_or(0);
        self.map(|_, shift| (mode >> shift) & 7)
    }

    /// The list of a new file made with a mode, where this one is handed down.
    fn handed_down(&self, mode: u32) -> Self {
        let mode = u16::try_from(mode & 0o777).unwrap_or(0);
        self.map(|perm, shift| perm & (mode >> shift) & 7)
    }
}

/// The value of an attribute, if it is set.
fn value(found: Result<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(LvError::NoXattr { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a file's list becomes with another mode, if it has one.
pub(super) fn changed_by_mode(volume: &Volume, ino: Ino, mode: u32) -> Result<Option<Vec<u8>>> {
    let list = value(volume.getxattr(ino, ACCESS))?;
    Ok(list.and_then(|list| Acl::parse(&list)).map(|list| list.after_chmod(mode).bytes()))
}

impl Server {
    /// Makes something in a directory: with the directory's default list, which replaces the umask, or without one.
    pub(super) fn with_acl(
        &self,
        parent: Ino,
        umask: u32,
        node: &NewNode,
        together: impl FnOnce(&mut Transaction<'_>, &NewNode) -> Result<Attr>,
        alone: impl FnOnce(&NewNode) -> Result<Attr>,
    ) -> Result<Attr> {
        let Some((bytes, list)) = value(self.volume.getxattr(parent, DEFAULT))?
            .and_then(|bytes| Acl::parse(&bytes).map(|list| (bytes, list)))
        else {
            return alone(&NewNode { mode: node.mode & !umask, ..*node });
        };
        let list = list.handed_down(node.mode);
        let node = NewNode { mode: (node.mode & 0o7000) | list.mode(), ..*node };
        self.volume.transaction(|tx| {
            let made = together(tx, &node)?;
            if !list.is_minimal() {
                tx.setxattr(made.ino, ACCESS, &list.bytes(), SetXattr::Any)?;
            }
            if made.kind == Kind::Directory {
                tx.setxattr(made.ino, DEFAULT, &bytes, SetXattr::Any)?;
            }
            tx.getattr(made.ino)
        })
    }

    /// Sets a file's list, and the mode that it amounts to; one that the mode says all of is not kept.
    pub(super) fn set_acl(&self, ino: Ino, list: &Acl, keeps_set_gid: bool) -> Result<()> {
        let mode = self.volume.getattr(ino)?.mode;
        let special = if keeps_set_gid { 0o7000 } else { 0o5000 };
        let set = lv::SetAttr { mode: Some((mode & special) | list.mode()), ..lv::SetAttr::default() };
        self.volume.transaction(|tx| {
            if !list.is_minimal() {
                tx.setxattr(ino, ACCESS, &list.bytes(), SetXattr::Any)?;
            } else if value(tx.getxattr(ino, ACCESS))?.is_some() {
                tx.removexattr(ino, ACCESS)?;
            }
            tx.setattr(ino, &set).map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: u16 = 0x02;

    fn list(entries: &[(u16, u16, u32)]) -> Acl {
        Acl(entries.iter().map(|(tag, perm, id)| Entry { tag: *tag, perm: *perm, id: *id }).collect())
    }

    fn full() -> Acl {
        list(&[(USER_OBJ, 7, !0), (USER, 6, 1000), (GROUP_OBJ, 5, !0), (MASK, 6, !0), (OTHER, 4, !0)])
    }

    #[test]
    fn a_list_survives_being_written_and_read() {
        assert_eq!(Acl::parse(&full().bytes()), Some(full()));
        let bytes = full().bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Acl::parse(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(Acl::parse(&[3, 0, 0, 0]), None);
    }

    #[test]
    fn the_group_bits_of_the_mode_are_the_mask_where_there_is_one() {
        assert_eq!(full().mode(), 0o764);
        assert!(!full().is_minimal());
        let plain = list(&[(USER_OBJ, 6, !0), (GROUP_OBJ, 4, !0), (OTHER, 0, !0)]);
        assert_eq!((plain.mode(), plain.is_minimal()), (0o640, true));
        assert_eq!(plain.after_chmod(0o4751).mode(), 0o751);
        let changed = full().after_chmod(0o710);
        assert_eq!((changed.mode(), changed.0[2].perm), (0o710, 5), "the group's own entry stays");
    }

    #[test]
    fn what_is_handed_down_gives_no_more_than_was_asked_for() {
        assert_eq!(full().handed_down(0o666).mode(), 0o664);
        assert_eq!(full().handed_down(0o600).mode(), 0o600);
        assert_eq!(full().handed_down(0o600).0[1].perm, 6, "the mask holds a named user down");
    }
}
