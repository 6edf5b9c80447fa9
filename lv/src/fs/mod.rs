//! The traits of `anyfs-backend` over a volume: one file each.

mod dir;
mod error;
mod handles;
mod inode;
mod link;
mod lock;
mod permissions;
mod read;
mod stats;
mod stream;
mod sync;
mod write;
mod xattr;

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyfs_backend::{FileType, FsError, Metadata, Permissions};

use self::error::fs_error;
use self::handles::Handles;
pub use self::stream::{Reader, Writer};
use crate::path::Parent;
use crate::{Attr, Kind, LvError, Nanos, NewNode, Volume};

/// A volume behind the path-based traits of `anyfs-backend`, up to `FsPosix`.
///
/// Paths need not be resolved before: `.`, `..`, repeated and trailing slashes and symbolic links are walked in one pass,
/// following at most 40 links in all; `..` never leaves the root, and a path is relative to the root with or without a
/// leading slash. An empty path and one with NUL are errors. Names are bytes; those that are no UTF-8 are listed with
/// replacement characters in `name` and exactly in `path`.
///
/// Whole-file calls are atomic: `write` and `copy` let a reader see the old contents or the new ones, `read` returns one
/// state of a file. `copy` shares the bytes of its source instead of storing them again.
///
/// # Errors
/// The crate's variants with path and operation. What they have no variant for is `FsError::Io` with the system's error
/// number: ENOSPC, ELOOP, ENAMETOOLONG, EFBIG, EMLINK, EBUSY (for the root), E2BIG and ERANGE. Stored data that fails its
/// checksum is `CorruptedData`; a volume that has stopped, or is closed, is `Backend`.
///
/// # Durability
/// That of [`Volume`]: `sync` and `fsync` make durable, everything else is within the commit interval.
///
/// # Thread Safety
/// `Send` and `Sync`; clones share the volume and the open handles. Readers of different files, and of one file, run in
/// parallel; operations on names are serialised for a moment each. A blocked `lock` holds nothing but its own thread.
///
/// # Performance Characteristics
///
/// | operation | cost | notes |
/// |---|---|---|
/// | `metadata`, `exists`, `lookup` | O(path components) | one b-tree search each when not cached |
/// | `read`, `read_range`, `read_at` | O(bytes) | blocks of 4 KiB are verified; up to 64 KiB through the cache |
/// | `write`, `append`, `write_at` | O(bytes) | into memory; waits when more is pending than the options allow |
/// | `copy` | O(128 KiB pieces) | shares; what is pending is placed first |
/// | `rename`, `remove_file` | O(1) | a large file's map is taken apart in the background |
/// | `read_dir` | O(entries) | by pages, each a range of one b-tree |
/// | `remove_dir_all` | O(entries) | iterative, any depth |
/// | `fsync` | one commit | up to 128 KiB inline, else one PV transaction before it; concurrent calls share |
/// | `inode_to_path` | O(depth) | a search of all names when the inode's first name is gone |
#[derive(Debug, Clone)]
pub struct Filesystem {
    volume: Volume,
    owner: (u32, u32),
    handles: Arc<Handles>,
}

type FsResult<T> = Result<T, FsError>;

impl Volume {
    /// The volume behind the traits of `anyfs-backend`. What is made through it belongs to user and group 0.
    pub fn filesystem(&self) -> Filesystem {
        Filesystem { volume: self.clone(), owner: (0, 0), handles: Arc::default() }
    }
}

fn bytes<T: AsRef<OsStr> + ?Sized>(name: &T) -> &[u8] {
    name.as_ref().as_bytes()
}

fn path_from(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

fn time(nanos: Nanos) -> SystemTime {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    let time = if nanos < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.unwrap_or(UNIX_EPOCH)
}

/// The trait crate knows three types: what is neither directory nor link counts as a file.
fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        _ => FileType::File,
    }
}

fn metadata(attr: &Attr) -> Metadata {
    Metadata {
        file_type: file_type(attr.kind),
        size: if attr.kind == Kind::Directory { 0 } else { attr.size },
        permissions: Permissions::from_mode(attr.mode),
        created: time(attr.btime),
        modified: time(attr.mtime),
        accessed: time(attr.atime),
        inode: attr.ino.0,
        nlink: attr.nlink.into(),
    }
}

impl Filesystem {
    /// The same, with another owner of what is made.
    #[must_use]
    pub fn owned_by(mut self, uid: u32, gid: u32) -> Self {
        self.owner = (uid, gid);
        self
    }

    /// The volume, for what the traits do not have.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    fn node(&self, node: NewNode) -> NewNode {
        node.owned_by(self.owner.0, self.owner.1)
    }

    /// What a path leads to, links followed.
    fn find(&self, operation: &'static str, path: &Path) -> FsResult<Attr> {
        self.volume.resolve(bytes(path), true).map_err(|error| fs_error(operation, path, error))
    }

    /// The regular file that a path leads to.
    fn file(&self, operation: &'static str, path: &Path) -> FsResult<Attr> {
        let attr = self.find(operation, path)?;
        if attr.kind == Kind::File { Ok(attr) } else { Err(FsError::NotAFile { path: path.to_owned() }) }
    }

    /// The directory and the last name of a path. The root has none.
    fn place(&self, operation: &'static str, path: &Path) -> FsResult<Parent> {
        self.volume.resolve_parent(bytes(path)).map_err(|error| fs_error(operation, path, error))
    }

    /// The inode of a last name that is not followed.
    fn at(&self, operation: &'static str, path: &Path) -> FsResult<(Parent, Attr)> {
        let place = self.place(operation, path)?;
        let found = self.volume.lookup(place.ino, &place.name).map_err(|error| fs_error(operation, path, error))?;
        Ok((place, found))
    }

    /// The file that a path leads to, made when there is none; a link to a missing file makes that file.
    fn file_or_new(&self, operation: &'static str, path: &Path) -> FsResult<Attr> {
        let failed = |error| fs_error(operation, path, error);
        // A few times, because others may make or remove it in between.
        for _ in 0..8 {
            match self.volume.resolve(bytes(path), true) {
                Ok(attr) if attr.kind == Kind::File => return Ok(attr),
                Ok(_) => return Err(FsError::NotAFile { path: path.to_owned() }),
                Err(LvError::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
            let place = self.volume.resolve_missing(bytes(path)).map_err(failed)?;
            match self.volume.create(place.ino, &place.name, &self.node(NewNode::file(0o644))) {
                Err(LvError::Exists { .. }) => {}
                other => return other.map_err(failed),
            }
        }
        Err(FsError::Conflict { path: path.to_owned() })
    }
}
