//! All of a volume, read through its own calls.

use std::collections::{BTreeMap, BTreeSet};

use lv::{Attr, Ino, Kind, LvError, Volume};

use super::op::{FsOp, Place};
pub(super) use crate::content::sum;

/// Entries asked for at once: few, so that listings are continued.
const LISTING: usize = 5;

/// Names, links and the digests of contents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What every name leads to.
    pub(super) names: BTreeMap<Place, (Ino, Code)>,
    /// Digest and length of every file, and of every link's target.
    pub(super) contents: BTreeMap<Ino, Digest>,
    /// The bytes of every file and link's target.
    pub(super) bytes: BTreeMap<Ino, Vec<u8>>,
    /// Permissions, owners and extended attributes of every inode.
    pub(super) marks: BTreeMap<Ino, Marks>,
}

/// What an inode has besides names and contents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) xattrs: BTreeMap<Vec<u8>, Digest>,
}

impl Marks {
    /// Of a new inode.
    pub(super) fn new(mode: u32) -> Self {
        Self { mode, ..Self::default() }
    }

    fn read(volume: &Volume, attr: &Attr) -> Result<Self, LvError> {
        let mut xattrs = BTreeMap::new();
        for name in volume.listxattr(attr.ino)? {
            let value = volume.getxattr(attr.ino, &name)?;
            xattrs.insert(name, digest(&value));
        }
        Ok(Self { mode: attr.mode, uid: attr.uid, gid: attr.gid, xattrs })
    }

    /// What they add to the fingerprint of all names.
    pub(super) fn print(&self, ino: Ino) -> u64 {
        let mut key = Vec::with_capacity(64);
        key.extend_from_slice(&ino.0.to_le_bytes());
        for number in [self.mode, self.uid, self.gid] {
            key.extend_from_slice(&number.to_le_bytes());
        }
        for (name, value) in &self.xattrs {
            key.extend_from_slice(name);
            key.extend_from_slice(&value.sum.to_le_bytes());
            key.extend_from_slice(&value.len.to_le_bytes());
        }
        sum(&key)
    }
}

/// A kind as something ordered.
pub(super) type Code = u8;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) sum: u64,
    pub(super) len: u64,
}

pub(super) const FILE: Code = 1;
pub(super) const DIRECTORY: Code = 2;
pub(super) const SYMLINK: Code = 3;

pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest { sum: sum(bytes), len: bytes.len() as u64 }
}

impl Snapshot {
    /// Reads everything.
    ///
    /// # Errors
    /// In words: what cannot be read, or contradicts itself.
    pub fn read(volume: &Volume) -> Result<Self, String> {
        let mut found = Self::default();
        let mut dirs = vec![Ino::ROOT];
        while let Some(dir) = dirs.pop() {
            let entries = list(volume, dir).map_err(|error| format!("directory {dir}: {error}"))?;
            let attr = volume.getattr(dir).map_err(|error| format!("directory {dir}: {error}"))?;
            let below = entries.iter().filter(|(_, _, kind)| *kind == DIRECTORY).count();
            if attr.size != entries.len() as u64 || u64::from(attr.nlink) != 2 + below as u64 {
                let (size, nlink, there) = (attr.size, attr.nlink, entries.len());
                return Err(format!(
                    "directory {dir}: size {size}, nlink {nlink}, but {there} entries, {below} folders"
                ));
            }
            let marks = Marks::read(volume, &attr).map_err(|error| format!("directory {dir}: {error}"))?;
            found.marks.insert(dir, marks);
            for (name, ino, kind) in entries {
                if kind == DIRECTORY {
                    dirs.push(ino);
                }
                found.names.insert((dir, name), (ino, kind));
            }
        }
        let inodes: BTreeSet<(Ino, Code)> = found.names.values().copied().collect();
        for (ino, kind) in inodes {
            let what = |error: LvError| format!("inode {ino}: {error}");
            let attr = volume.getattr(ino).map_err(what)?;
            found.check_attr(&attr, kind)?;
            if kind != DIRECTORY {
                found.marks.insert(ino, Marks::read(volume, &attr).map_err(what)?);
            }
            let bytes = match kind {
                FILE => read(volume, &attr).map_err(what)?,
                SYMLINK => volume.readlink(ino).map_err(what)?,
                _ => continue,
            };
            if bytes.len() as u64 != attr.size {
                return Err(format!("inode {ino}: size {}, but {} bytes can be read", attr.size, bytes.len()));
            }
            found.contents.insert(ino, digest(&bytes));
            found.bytes.insert(ino, bytes);
        }
        Ok(found)
    }

    /// The inode behind a name.
    pub fn lookup(&self, place: &Place) -> Option<Ino> {
        self.names.get(place).map(|(ino, _)| *ino)
    }

    fn check_attr(&self, attr: &Attr, kind: Code) -> Result<(), String> {
        let names = self.names.values().filter(|(ino, _)| *ino == attr.ino).count();
        if code(attr.kind) != kind || (kind != DIRECTORY && names as u64 != u64::from(attr.nlink)) {
            return Err(format!("inode {}: {names} names of kind {kind}, but it says {attr:?}", attr.ino));
        }
        Ok(())
    }
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::File => FILE,
        Kind::Directory => DIRECTORY,
        Kind::Symlink => SYMLINK,
        _ => 0,
    }
}

fn list(volume: &Volume, dir: Ino) -> Result<Vec<(Vec<u8>, Ino, Code)>, LvError> {
    let mut all = Vec::new();
    let mut cookie = 0;
    loop {
        let some = volume.readdir(dir, cookie, LISTING)?;
        let last = some.len() < LISTING;
        cookie = some.last().map_or(cookie, |entry| entry.cookie);
        all.extend(some.into_iter().map(|entry| (entry.name, entry.ino, code(entry.kind))));
        if last {
            return Ok(all);
        }
    }
}

fn read(volume: &Volume, attr: &Attr) -> Result<Vec<u8>, LvError> {
    // One byte more than there should be.
    let mut bytes = vec![0; usize::try_from(attr.size).unwrap_or(usize::MAX).saturating_add(1)];
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

/// The inode that an operation made, if what was found shows that it happened.
pub(crate) fn made(op: &FsOp, found: &Snapshot) -> Option<Ino> {
    match op {
        FsOp::Create(place) | FsOp::Mkdir(place) | FsOp::Symlink(place, _) | FsOp::Replace(place, ..) => {
            found.lookup(place)
        }
        FsOp::Together(all) => found.lookup(all.over.as_ref().unwrap_or(&all.place)),
        _ => None,
    }
}
