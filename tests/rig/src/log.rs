//! What happened on a disk, in order.

use std::sync::Arc;

/// Number of a file's contents; names point at it.
pub type Inode = u64;

/// A full path: absolute, normalised, UTF-8.
pub type Name = Arc<str>;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Dir,
    /// A file.
    File(Inode),
}

/// A change of names. It lives in the folder that holds the (new) name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameOp {
    /// A new name, for an empty file or folder.
    Add(Name, Node),
    /// A name goes.
    Remove(Name),
    /// A name changes, replacing what the new one stood for; one step.
    Rename(Name, Name),
}

impl NameOp {
    /// The folder whose synchronisation makes the change durable.
    pub fn dir(&self) -> &str {
        match self {
            Self::Add(name, _) | Self::Remove(name) | Self::Rename(_, name) => parent(name),
        }
    }
}

/// One step of a disk's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Bytes written.
    Write {
        /// Where.
        inode: Inode,
        /// First byte.
        at: u64,
        /// The bytes.
        data: Arc<[u8]>,
    },
    /// A file cut or extended.
    Truncate {
        /// Which.
        inode: Inode,
        /// To how many bytes.
        len: u64,
    },
    /// A file's contents (not its name) are durable from here on.
    Sync(Inode),
    /// A sync failed, and the file shows again what was last made durable.
    Revert(Inode),
    /// A sync failed, and what was pending will never be written, though the file shows it.
    Forget(Inode),
    /// A change of names.
    Name(NameOp),
    /// A folder's names (not the contents of files) are durable from here on.
    SyncDir(Name),
    /// The workload's own mark: something was acknowledged, or is about to be tried.
    Mark(u64),
}

/// The folder of a path; `/` is its own.
pub(crate) fn parent(name: &str) -> &str {
    match name.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &name[..at],
    }
}

/// Makes a path absolute and plain: no empty parts, no `.`, no `..`.
pub(crate) fn normalise(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_plain() {
        for (from, to) in [("", "/"), ("a", "/a"), ("//a/./b/../c/", "/a/c"), ("/..", "/")] {
            assert_eq!(normalise(from), to);
        }
        assert_eq!((parent("/a"), parent("/a/b"), parent("/")), ("/", "/a", "/"));
    }
}
