//! The header blocks of a member: plain ustar where that says everything, an extended header before it where not.

use ::tar::{EntryType, Header};

use super::sparse::Map;
use super::{BLOCK, acl, number, pax};
use crate::files::{Meta, Xattr};

/// What a header says.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) name: &'a [u8],
    /// Where a link leads.
    pub(super) link: &'a [u8],
    pub(super) kind: EntryType,
    pub(super) meta: &'a Meta,
    /// Bytes of contents in the archive, the list of holes counted.
    pub(super) stored: u64,
    pub(super) xattrs: &'a [Xattr],
    pub(super) map: Option<&'a Map>,
}

/// Longest name in a header.
const NAME: usize = 100;

impl Head<'_> {
    /// All blocks, ready to be written.
    pub(super) fn blocks(&self) -> Vec<u8> {
        let mut records = Vec::new();
        let name = if let Some(map) = self.map {
            self.holes(map, &mut records);
            // Programs that know nothing of holes unpack it under this name.
            [b"GNUSparseFile.0/", last_part(self.name)].concat()
        } else {
            if is_special(self.name) {
                pax::push(&mut records, b"path", self.name);
            }
            self.name.to_vec()
        };
        if is_special(self.link) {
            pax::push(&mut records, b"linkpath", self.link);
        }
        // Other names of a file say nothing new about it.
        let is_link = self.kind == EntryType::Link;
        let header = self.header(&name, if is_link { None } else { Some(&mut records) });
        if !is_link {
            for xattr in self.xattrs {
                pax::push(&mut records, &pax::xattr_key(&xattr.name), &xattr.value);
                // tar takes access control lists from text only.
                let list = acl::KINDS.iter().find(|(name, _)| *name == xattr.name);
                if let Some((key, text)) = list.and_then(|(_, key)| Some((key, acl::text(&xattr.value)?))) {
                    pax::push(&mut records, key, &text);
                }
            }
        }
        let mut out = Vec::new();
        if !records.is_empty() {
            out.extend_from_slice(extended(self.name, records.len()).as_bytes());
            out.extend_from_slice(&records);
            out.resize(out.len().next_multiple_of(BLOCK), 0);
        }
        out.extend_from_slice(header.as_bytes());
        out
    }

    fn holes(&self, map: &Map, records: &mut Vec<u8>) {
        pax::push(records, b"GNU.sparse.major", b"1");
        pax::push(records, b"GNU.sparse.minor", b"0");
        pax::push(records, b"GNU.sparse.name", self.name);
        pax::push(records, b"GNU.sparse.realsize", map.size.to_string().as_bytes());
    }

    /// The block itself; what does not fit into its fields is added to the records.
    fn header(&self, name: &[u8], records: Option<&mut Vec<u8>>) -> Header {
        let mut header = Header::new_ustar();
        let meta = self.meta;
        let old = header.as_old_mut();
        put(&mut old.name, name);
        put(&mut old.linkname, self.link);
        number::write(&mut old.mode, u64::from(meta.mode));
        let seconds = u64::try_from(meta.mtime.div_euclid(1_000_000_000)).unwrap_or(0);
        let mut fits = vec![
            ("uid", number::write(&mut old.uid, u64::from(meta.uid)), meta.uid.to_string()),
            ("gid", number::write(&mut old.gid, u64::from(meta.gid)), meta.gid.to_string()),
            ("size", number::write(&mut old.size, self.stored), self.stored.to_string()),
        ];
        let is_whole = number::write(&mut old.mtime, seconds) && meta.mtime >= 0 && meta.mtime % 1_000_000_000 == 0;
        fits.push(("mtime", is_whole, pax::time_text(meta.mtime)));
        header.set_entry_type(self.kind);
        if let Some(ustar) = header.as_ustar_mut() {
            let (major, minor) = match self.kind {
                EntryType::Char | EntryType::Block => (rustix::fs::major(meta.rdev), rustix::fs::minor(meta.rdev)),
                _ => (0, 0),
            };
            number::write(&mut ustar.dev_major, u64::from(major));
            number::write(&mut ustar.dev_minor, u64::from(minor));
        }
        header.set_cksum();
        if let Some(records) = records {
            for (key, _, text) in fits.iter().filter(|(_, fits, _)| !fits) {
                pax::push(records, key.as_bytes(), text.as_bytes());
            }
        }
        header
    }
}

/// The block before records.
fn extended(name: &[u8], len: usize) -> Header {
    let mut header = Header::new_ustar();
    let old = header.as_old_mut();
    put(&mut old.name, &[b"PaxHeaders/", last_part(name)].concat());
    for field in [&mut old.uid, &mut old.gid] {
        number::write(field, 0);
    }
    number::write(&mut old.mode, 0o644);
    number::write(&mut old.size, u64::try_from(len).unwrap_or(u64::MAX));
    header.set_entry_type(EntryType::XHeader);
    header.set_cksum();
    header
}

/// Names that a plain header cannot hold, or that depend on an alphabet it does not name. Bytes that are no text at all
/// every program takes as they are.
fn is_special(name: &[u8]) -> bool {
    name.len() > NAME || (!name.is_ascii() && std::str::from_utf8(name).is_ok())
}

fn put(field: &mut [u8; NAME], bytes: &[u8]) {
    for (slot, byte) in field.iter_mut().zip(bytes) {
        *slot = *byte;
    }
}

fn last_part(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    name.rsplit(|byte| *byte == b'/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;

    fn meta() -> Meta {
        let time = 1_000_000_000_000_000_000;
        Meta {
            kind: Kind::File,
            mode: 0o4751,
            uid: 1,
            gid: 2,
            size: 0,
            atime: 0,
            mtime: time,
            rdev: 0,
            id: (0, 0),
            nlink: 1,
        }
    }

    fn blocks(name: &[u8], meta: &Meta, xattrs: &[Xattr]) -> usize {
        let head = Head { name, link: b"", kind: EntryType::Regular, meta, stored: 0, xattrs, map: None };
        head.blocks().len() / BLOCK
    }

    #[test]
    fn an_extended_header_is_written_only_where_it_is_needed() {
        let plain = meta();
        assert_eq!(blocks(&[b'x'; 100], &plain, &[]), 1);
        assert_eq!(blocks(b"\xff\xfe", &plain, &[]), 1);
        assert_eq!(blocks(&[b'x'; 101], &plain, &[]), 3);
        assert_eq!(blocks("grün".as_bytes(), &plain, &[]), 3);
        assert_eq!(blocks(b"x", &Meta { mtime: plain.mtime + 1, ..plain }, &[]), 3);
        assert_eq!(blocks(b"x", &Meta { mtime: -1_000_000_000, ..plain }, &[]), 3);
        assert_eq!(blocks(b"x", &Meta { uid: 0o7_777_777, ..plain }, &[]), 1);
        assert_eq!(blocks(b"x", &Meta { uid: 0o10_000_000, ..plain }, &[]), 3);
        assert_eq!(blocks(b"x", &plain, &[Xattr { name: b"user.a".to_vec(), value: vec![0; 1000] }]), 5);
    }
}
