//! Access control lists: text in archives, bytes in the extended attributes of Linux.
//!
//! The bytes are a version (2) and entries of tag, permissions and user or group, little endian: the format of
//! `system.posix_acl_access` and `system.posix_acl_default`. The text is that of acl(5); star and GNU tar write entries
//! of people with their number as a fourth field.

use crate::accounts::{Accounts, List};

const VERSION: u32 = 2;
/// What stands for "nobody in particular".
const NOBODY: u32 = u32::MAX;

const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// The extended attribute and the key of an archive that hold the same list.
pub(super) const KINDS: [(&[u8], &[u8]); 2] =
    [(b"system.posix_acl_access", b"SCHILY.acl.access"), (b"system.posix_acl_default", b"SCHILY.acl.default")];

/// The bytes of a list in text form; `None` when it makes no sense or names somebody who is not known here.
pub(super) fn bytes(text: &[u8], accounts: &mut Accounts) -> Option<Vec<u8>> {
    let mut entries: Vec<(u16, u32, u16)> = Vec::new();
    for line in std::str::from_utf8(text).ok()?.split([',', '\n']) {
        let line = line.split('#').next()?.trim();
        if !line.is_empty() {
            entries.push(entry(line, accounts)?);
        }
    }
    entries.sort_unstable();
    let alone = |tag| entries.iter().filter(|(of, ..)| *of == tag).count() == 1;
    let twice = entries.windows(2).any(|pair| matches!(pair, [(a, b, _), (c, d, _)] if (a, b) == (c, d)));
    let named = entries.iter().any(|(tag, ..)| matches!(*tag, USER | GROUP));
    if twice || ![USER_OBJ, GROUP_OBJ, OTHER].into_iter().all(alone) || (named && !alone(MASK)) {
        return None;
    }
    let mut out = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in entries {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&permissions.to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
    }
    Some(out)
}

fn entry(line: &str, accounts: &mut Accounts) -> Option<(u16, u32, u16)> {
    let mut fields = line.split(':');
    let (kind, who, permissions, number) = (fields.next()?, fields.next()?, fields.next()?, fields.next());
    let (tag, list) = match (kind, who) {
        ("user" | "u", "") => (USER_OBJ, None),
        ("user" | "u", _) => (USER, Some(List::Users)),
        ("group" | "g", "") => (GROUP_OBJ, None),
        ("group" | "g", _) => (GROUP, Some(List::Groups)),
        ("mask" | "m", "") => (MASK, None),
        ("other" | "o", "") => (OTHER, None),
        _ => return None,
    };
    let id = match list {
        None => NOBODY,
        // The number is what the archive's own host knew; a name may be somebody else here.
        Some(list) => match number.unwrap_or(who).parse() {
            Ok(id) => id,
            Err(_) => accounts.named(list, who)?.id,
        },
    };
    let bits = permissions.bytes().try_fold(0u16, |bits, letter| match letter {
        b'r' => Some(bits | 4),
        b'w' => Some(bits | 2),
        b'x' => Some(bits | 1),
        b'-' => Some(bits),
        _ => None,
    })?;
    Some((tag, id, bits))
}

/// The text of a list in bytes, people by number; `None` when the bytes are no list.
pub(super) fn text(bytes: &[u8]) -> Option<Vec<u8>> {
    let (version, entries) = bytes.split_first_chunk::<4>()?;
    let (entries, []) = entries.as_chunks::<8>() else { return None };
    if u32::from_le_bytes(*version) != VERSION {
        return None;
    }
    let mut lines = Vec::with_capacity(entries.len());
    for [t0, t1, p0, p1, id @ ..] in entries {
        let (id, bits) = (u32::from_le_bytes(*id), u16::from_le_bytes([*p0, *p1]));
        let letter = |bit: u16, letter: char| if bits & bit == 0 { '-' } else { letter };
        let permissions: String = [letter(4, 'r'), letter(2, 'w'), letter(1, 'x')].iter().collect();
        lines.push(match u16::from_le_bytes([*t0, *t1]) {
            USER_OBJ => format!("user::{permissions}"),
            USER => format!("user:{id}:{permissions}:{id}"),
            GROUP_OBJ => format!("group::{permissions}"),
            GROUP => format!("group:{id}:{permissions}:{id}"),
            MASK => format!("mask::{permissions}"),
            OTHER => format!("other::{permissions}"),
            _ => return None,
        });
    }
    Some(lines.join(",").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "user::rwx,user:1000:r-x:1000,group::r--,group:7:-w-:7,mask::rwx,other::---";

    fn read(text: &str) -> Option<Vec<u8>> {
        bytes(text.as_bytes(), &mut Accounts::default())
    }

    #[test]
    fn a_list_survives_the_way_there_and_back() {
        let all = read(LIST).unwrap();
        assert_eq!(all.len(), 4 + 6 * 8);
        assert_eq!(all[..12], [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255]);
        assert_eq!(all[12..20], [2, 0, 5, 0, 232, 3, 0, 0]);
        assert_eq!(text(&all).unwrap(), LIST.as_bytes());
    }

    #[test]
    fn lists_of_other_programs_are_read() {
        let spread = "# file: x\nother::---\nmask::rwx # all\nuser:root:r-x\nuser::rwx\n\ngroup::r--\n";
        assert_eq!(text(&read(spread).unwrap()).unwrap(), b"user::rwx,user:0:r-x:0,group::r--,mask::rwx,other::---");
        assert!(read("u::rw-,g::r--,o::---").is_some());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let without_mask = "user::rwx,user:5:r--,group::r--,other::---";
        let twice = "user::rwx,user::r--,group::r--,other::---";
        let unknown = "user::rwx,user:no-such-user:r--,group::r--,mask::rwx,other::---";
        for bad in ["", "user::rwx", without_mask, twice, unknown, "user::rwz,group::r--,other::---", "x::r,g::r,o::r"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
        for bad in [&b""[..], b"\x02\0\0", b"\x03\0\0\0", b"\x02\0\0\0\x01\0", b"\x02\0\0\0\x77\0\0\0\0\0\0\0"] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }
}
