//! All of a volume, read through its own calls after a crash.

use std::collections::BTreeMap;

use lv::{Attr, Ino, Kind, LvError, Seek, Volume};

use super::contents::Contents;

/// Entries asked for at once.
const PAGE: usize = 7;
/// Bytes read at once.
const PIECE: u64 = 48 * 1024;

/// One node.
#[derive(Debug)]
pub(super) struct FoundNode {
    pub(super) attr: Attr,
    pub(super) entries: BTreeMap<Vec<u8>, Ino>,
    pub(super) target: Vec<u8>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) contents: Contents,
}

/// All nodes that names lead to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) nodes: BTreeMap<Ino, FoundNode>,
}

impl Found {
    /// Reads everything.
    pub(super) fn read(volume: &Volume) -> Result<Self, String> {
        let mut found = Self::default();
        let mut open = vec![Ino::ROOT];
        while let Some(ino) = open.pop() {
            if found.nodes.contains_key(&ino) {
                continue;
            }
            let node = read_node(volume, ino).map_err(|error| format!("inode {ino}: {error}"))?;
            open.extend(node.entries.values());
            found.nodes.insert(ino, node);
        }
        Ok(found)
    }
}

fn read_node(volume: &Volume, ino: Ino) -> Result<FoundNode, LvError> {
    let attr = volume.getattr(ino)?;
    let mut node = FoundNode {
        attr,
        entries: BTreeMap::new(),
        target: Vec::new(),
        xattrs: BTreeMap::new(),
        contents: Contents::default(),
    };
    for name in volume.listxattr(ino)? {
        let value = volume.getxattr(ino, &name)?;
        node.xattrs.insert(name, value);
    }
    match attr.kind {
        Kind::Directory => node.entries = list(volume, ino)?,
        Kind::Symlink => node.target = volume.readlink(ino)?,
        Kind::File => node.contents = read_contents(volume, &attr)?,
        _ => {}
    }
    Ok(node)
}

fn list(volume: &Volume, ino: Ino) -> Result<BTreeMap<Vec<u8>, Ino>, LvError> {
    let mut all = BTreeMap::new();
    let mut cookie = 0;
    loop {
        let page = volume.readdir(ino, cookie, PAGE)?;
        let last = page.len() < PAGE;
        cookie = page.last().map_or(cookie, |entry| entry.cookie);
        all.extend(page.into_iter().map(|entry| (entry.name, entry.ino)));
        if last {
            return Ok(all);
        }
    }
}

fn read_contents(volume: &Volume, attr: &Attr) -> Result<Contents, LvError> {
    let mut contents = Contents::default();
    let mut at = 0;
    while at < attr.size {
        let from = match volume.seek(attr.ino, at, Seek::Data) {
            Ok(from) => from,
            Err(LvError::NoData { .. }) => break,
            Err(error) => return Err(error),
        };
        let to = volume.seek(attr.ino, from, Seek::Hole)?;
        at = from;
        while at < to {
            let mut bytes = vec![0; super::contents::index((to - at).min(PIECE))];
            let count = volume.read(attr.ino, at, &mut bytes)?;
            assert!(count == bytes.len(), "inode {}: {count} bytes at {at} instead of {}", attr.ino, bytes.len());
            contents.write(at, &bytes);
            at += count as u64;
        }
    }
    contents.resize(attr.size);
    Ok(contents)
}
