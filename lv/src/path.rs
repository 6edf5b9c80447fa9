//! Path resolution, in one place and one pass.
//!
//! `/foo/../bar` is `/bar`, `/foo/./bar` and `//foo//bar/` are `/foo/bar`; `..` never leaves the root. At most 40
//! symbolic links are followed in one walk, counted over the whole of it.

use crate::engine::{Core, State};
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

/// A walk on its way.
struct Way<'a> {
    path: &'a [u8],
    at: Ino,
    /// Names that are still to be walked, the next one last.
    todo: Vec<Vec<u8>>,
    /// How many of them are the path's own; those above come from links.
    own: usize,
    hops: usize,
}

impl<'a> Way<'a> {
    fn new(path: &'a [u8]) -> Result<Self> {
        check(path)?;
        let todo = components(path);
        Ok(Self { path, at: Ino::ROOT, own: todo.len(), todo, hops: 0 })
    }

    /// Puts the names of a link's target before the others.
    fn follow(&mut self, target: &[u8]) -> Result<()> {
        self.hops = self.hops.saturating_add(1);
        let long = self.todo.iter().map(Vec::len).sum::<usize>().saturating_add(target.len()) > PATH_MAX;
        if self.hops > HOPS || long {
            return Err(LvError::Loop { name: self.path.to_owned() });
        }
        if target.first() == Some(&b'/') {
            self.at = Ino::ROOT;
        }
        self.todo.extend(components(target));
        Ok(())
    }
}

/// Where a walk stopped.
enum Walk {
    Found(Attr),
    /// A name is missing; what comes after it is still to be walked.
    Missing {
        parent: Parent,
        /// The name is from a link's target.
        linked: bool,
    },
}

impl State {
    /// The inode a path leads to.
    pub(crate) fn resolve_path(&mut self, path: &[u8], follow_last: bool) -> Result<Attr> {
        match self.walk(&mut Way::new(path)?, follow_last)? {
            Walk::Found(attr) => Ok(attr),
            Walk::Missing { .. } => Err(LvError::NotFound { name: path.to_owned() }),
        }
    }

    /// The name that is missing at the end of a path, links followed to the last.
    pub(crate) fn resolve_missing(&mut self, path: &[u8]) -> Result<Parent> {
        let mut way = Way::new(path)?;
        match self.walk(&mut way, true)? {
            Walk::Found(_) => Err(LvError::Exists { name: path.to_owned() }),
            Walk::Missing { parent, .. } if way.todo.is_empty() => Ok(parent),
            Walk::Missing { .. } => Err(LvError::NotFound { name: path.to_owned() }),
        }
    }

    fn walk(&mut self, way: &mut Way<'_>, follow_last: bool) -> Result<Walk> {
        while let Some(name) = way.todo.pop() {
            let linked = way.todo.len() >= way.own;
            way.own = way.own.min(way.todo.len());
            if self.inode(way.at)?.attr.kind != Kind::Directory {
                return Err(LvError::NotDirectory { name: way.path.to_owned() });
            }
            if name == b".." {
                way.at = self.inode(way.at)?.parent;
            } else {
                let Some((found, kind)) = self.find(way.at, &name)? else {
                    return Ok(Walk::Missing { parent: Parent { ino: way.at, name }, linked });
                };
                let target = self.entered(way.at, (found, kind))?.target.clone();
                if kind != Kind::Symlink || (way.todo.is_empty() && !follow_last) {
                    way.at = found;
                } else {
                    let none = || self.damaged(format!("symbolic link {found} leads nowhere"));
                    way.follow(&target.filter(|target| !target.is_empty()).ok_or_else(none)?)?;
                }
            }
        }
        Ok(Walk::Found(self.inode(way.at)?.shown()))
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

impl Core {
    /// The inode a path leads to, after `make` has made each of its names that is missing. What a link leads to is not
    /// made.
    pub(crate) fn resolve_making(&self, path: &[u8], make: impl Fn(&Parent) -> Result<Attr>) -> Result<Attr> {
        let mut way = Way::new(path)?;
        loop {
            let parent = match self.state()?.walk(&mut way, true)? {
                Walk::Found(attr) => return Ok(attr),
                Walk::Missing { linked: true, .. } => return Err(LvError::NotFound { name: path.to_owned() }),
                Walk::Missing { parent, .. } => parent,
            };
            match make(&parent) {
                // Whoever was faster may have made something else: look again.
                Ok(_) | Err(LvError::Exists { .. }) => way.todo.push(parent.name),
                Err(error) => return Err(error),
            }
            way.own = way.todo.len();
        }
    }
}
