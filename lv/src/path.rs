//! Path resolution, in one place and one pass.
//!
//! `/foo/../bar` is `/bar`, `/foo/./bar` and `//foo//bar/` are `/foo/bar`; `..` never leaves the root. At most 40
//! symbolic links are followed in one walk, counted over the whole of it.

use crate::engine::State;
use crate::{Attr, Ino, Kind, LvError, Result};

/// Symbolic links followed in one walk.
const HOPS: usize = 40;
/// Longest path, links expanded.
const PATH_MAX: usize = 1024 * 1024;

/// A path split into its parent directory and its last name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The directory.
    pub ino: Ino,
    /// The name in it.
    pub name: Vec<u8>,
}

fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".").rev().map(<[u8]>::to_vec).collect()
}

fn check(path: &[u8]) -> Result<()> {
    if path.is_empty() {
        return Err(LvError::Invalid { what: "an empty path names nothing" });
    }
    if path.contains(&0) {
        return Err(LvError::Invalid { what: "a path cannot contain NUL" });
    }
    if path.len() > PATH_MAX {
        return Err(LvError::NameTooLong { name: path.to_owned() });
    }
    Ok(())
}

/// Where a walk ended.
enum Walk {
    Found(Attr),
    /// Only the last name is missing.
    Missing(Parent),
}

impl State {
    /// The inode a path leads to.
    pub(crate) fn resolve_path(&mut self, path: &[u8], follow_last: bool) -> Result<Attr> {
        match self.walk(path, follow_last)? {
            Walk::Found(attr) => Ok(attr),
            Walk::Missing(_) => Err(LvError::NotFound { name: path.to_owned() }),
        }
    }

    /// The name that is missing at the end of a path, links followed to the last.
    pub(crate) fn resolve_missing(&mut self, path: &[u8]) -> Result<Parent> {
        match self.walk(path, true)? {
            Walk::Found(_) => Err(LvError::Exists { name: path.to_owned() }),
            Walk::Missing(parent) => Ok(parent),
        }
    }

    fn walk(&mut self, path: &[u8], follow_last: bool) -> Result<Walk> {
        check(path)?;
        let mut todo = components(path);
        let mut at = Ino::ROOT;
        let mut hops = 0usize;
        while let Some(name) = todo.pop() {
            if self.inode(at)?.attr.kind != Kind::Directory {
                return Err(LvError::NotDirectory { name: path.to_owned() });
            }
            if name == b".." {
                at = self.inode(at)?.parent;
                continue;
            }
            let Some((found, kind)) = self.find(at, &name)? else {
                if todo.is_empty() {
                    return Ok(Walk::Missing(Parent { ino: at, name }));
                }
                return Err(LvError::NotFound { name: path.to_owned() });
            };
            if kind != Kind::Symlink || (todo.is_empty() && !follow_last) {
                at = found;
                continue;
            }
            hops = hops.saturating_add(1);
            let target = self.inode(found)?.target.clone().unwrap_or_default();
            let long = todo.iter().map(Vec::len).sum::<usize>().saturating_add(target.len()) > PATH_MAX;
            if hops > HOPS || long {
                return Err(LvError::Loop { name: path.to_owned() });
            }
            if target.first() == Some(&b'/') {
                at = Ino::ROOT;
            }
            todo.extend(components(&target));
        }
        Ok(Walk::Found(self.inode(at)?.shown()))
    }

    /// The directory that holds (or would hold) a path's last name, and that name.
    pub(crate) fn resolve_parent(&mut self, path: &[u8]) -> Result<Parent> {
        check(path)?;
        let mut parts = components(path);
        if parts.is_empty() {
            return Err(LvError::Invalid { what: "the root directory has no name" });
        }
        let name = parts.remove(0);
        let above = parts.iter().rev().fold(vec![b'/'], |mut path, part| {
            path.extend_from_slice(part);
            path.push(b'/');
            path
        });
        if name == b".." {
            return Err(LvError::Invalid { what: "a path cannot end in .. here" });
        }
        let attr = self.resolve_path(&above, true).map_err(|error| match error {
            LvError::NotFound { .. } => LvError::NotFound { name: path.to_owned() },
            other => other,
        })?;
        if attr.kind != Kind::Directory {
            return Err(LvError::NotDirectory { name: path.to_owned() });
        }
        Ok(Parent { ino: attr.ino, name })
    }
}
