//! All that a volume shows to its users: names, attributes, contents, and what could not be read.

use std::collections::BTreeMap;

use lv::{Attr, Ino, Kind, LvError, Volume};

/// Entries asked for at once: few, so that listings are continued.
const LISTING: usize = 6;
/// Most entries of one listing, and names in all: an endless listing must not look like a slow one.
const MOST: usize = 20_000;

/// A path in a volume.
pub(super) type Path = Vec<u8>;

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Kind, permissions, owner, group, links, size, time of change.
    pub(super) attr: Shown,
    /// Bytes of a file, or the target of a link.
    pub(super) bytes: Vec<u8>,
    /// Extended attributes.
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The attributes that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) nlink: u32,
    pub(super) size: u64,
    pub(super) mtime: i64,
}

impl Shown {
    fn of(attr: &Attr) -> Self {
        Self {
            kind: attr.kind,
            mode: attr.mode,
            owner: (attr.uid, attr.gid),
            nlink: attr.nlink,
            size: attr.size,
            mtime: attr.mtime,
        }
    }
}

/// Which part of a node could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The inode itself.
    Attr,
    /// The names in a directory.
    List,
    /// Contents.
    Bytes,
    /// Extended attributes.
    Xattrs,
}

/// A volume as read.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// What every path leads to.
    pub(super) nodes: BTreeMap<Path, Node>,
    /// What could not be read, and the error.
    pub(super) troubles: BTreeMap<(Path, Part), LvText>,
}

/// An error of the engine: its text, and whether it only says that something does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LvText {
    pub(super) text: String,
    pub(super) absent: bool,
}

impl LvText {
    pub(super) fn of(error: &LvError) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(below) = source {
            let below_text = below.to_string();
            if !text.ends_with(&below_text) {
                text = format!("{text}: {below_text}");
            }
            source = below.source();
        }
        Self { text, absent: matches!(error, LvError::NotFound { .. } | LvError::NoInode { .. }) }
    }
}

impl Tree {
    /// Reads everything that can be read.
    pub(super) fn read(volume: &Volume) -> Self {
        let mut tree = Self::default();
        let mut dirs = vec![(b"/".to_vec(), Ino::ROOT)];
        tree.add(volume, b"/", volume.getattr(Ino::ROOT));
        while let Some((path, dir)) = dirs.pop() {
            for (name, ino) in tree.list(volume, &path, dir) {
                let below = join(&path, &name);
                if tree.nodes.len() > MOST {
                    tree.trouble(&path, Part::List, &LvError::Invalid { what: "the rig found names without end" });
                    return tree;
                }
                let kind = tree.add(volume, &below, volume.lookup(dir, &name));
                // A path that was seen before would be a cycle.
                if kind == Some(Kind::Directory) && below.len() < 4096 {
                    dirs.push((below, ino));
                }
            }
        }
        tree
    }

    fn trouble(&mut self, path: &[u8], part: Part, error: &LvError) {
        self.troubles.insert((path.to_vec(), part), LvText::of(error));
    }

    fn list(&mut self, volume: &Volume, path: &[u8], dir: Ino) -> Vec<(Vec<u8>, Ino)> {
        let mut all: Vec<(Vec<u8>, Ino)> = Vec::new();
        let mut cookie = 0;
        loop {
            let some = match volume.readdir(dir, cookie, LISTING) {
                Ok(some) if all.len() < MOST => some,
                Ok(_) => {
                    self.trouble(path, Part::List, &LvError::Invalid { what: "the rig found a listing without end" });
                    return all;
                }
                Err(error) => {
                    self.trouble(path, Part::List, &error);
                    return all;
                }
            };
            let last = some.len() < LISTING;
            cookie = some.last().map_or(cookie, |entry| entry.cookie);
            all.extend(some.into_iter().map(|entry| (entry.name, entry.ino)));
            if last {
                return all;
            }
        }
    }

    /// Reads one node; its kind, if that could be read.
    fn add(&mut self, volume: &Volume, path: &[u8], found: Result<Attr, LvError>) -> Option<Kind> {
        let attr = match found {
            Ok(attr) => attr,
            Err(error) => {
                self.trouble(path, Part::Attr, &error);
                return None;
            }
        };
        let bytes = match attr.kind {
            Kind::File => contents(volume, &attr),
            Kind::Symlink => volume.readlink(attr.ino),
            _ => Ok(Vec::new()),
        };
        let bytes = bytes.unwrap_or_else(|error| {
            self.trouble(path, Part::Bytes, &error);
            Vec::new()
        });
        let xattrs = xattrs(volume, attr.ino).unwrap_or_else(|error| {
            self.trouble(path, Part::Xattrs, &error);
            BTreeMap::new()
        });
        self.nodes.insert(path.to_vec(), Node { attr: Shown::of(&attr), bytes, xattrs });
        Some(attr.kind)
    }

    /// Whether this part could not be read, and an error said so.
    pub(super) fn troubled(&self, path: &[u8], part: Part) -> bool {
        self.troubles.contains_key(&(path.to_vec(), part))
    }
}

/// A name in a directory as one path.
pub(super) fn join(dir: &[u8], name: &[u8]) -> Path {
    let mut path = dir.to_vec();
    if path != b"/" {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The directory that a path is in.
pub(super) fn above(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) | None => b"/",
        Some(at) => &path[..at],
    }
}

/// A path as text.
pub(super) fn shown(path: &[u8]) -> String {
    path.escape_ascii().to_string()
}

fn contents(volume: &Volume, attr: &Attr) -> Result<Vec<u8>, LvError> {
    if attr.size > 1 << 26 {
        return Err(LvError::TooLarge { ino: attr.ino });
    }
    // One byte more than there should be.
    let mut bytes = vec![0; usize::try_from(attr.size).unwrap_or(0).saturating_add(1)];
    let mut done = 0;
    loop {
        match volume.read(attr.ino, done as u64, &mut bytes[done..])? {
            0 => break,
            n => done += n,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

fn xattrs(volume: &Volume, ino: Ino) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, LvError> {
    let names = volume.listxattr(ino)?;
    names.into_iter().map(|name| volume.getxattr(ino, &name).map(|value| (name, value))).collect()
}
