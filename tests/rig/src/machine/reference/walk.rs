//! Paths in the reference: recursive, one call for each link.

use lv::{Kind, NewNode};

use super::{EEXIST, EINVAL, ENAMETOOLONG, ENOENT, Errno, Id, ROOT, Reference, Result};

const ELOOP: Errno = 40;
const LINKS: u32 = 40;

/// Why a walk has no end.
enum Stop {
    Failed(Errno),
    /// A name is missing in a directory.
    Missing {
        parent: Id,
        name: Vec<u8>,
        last: bool,
        linked: bool,
    },
}

fn names(path: &[u8]) -> Vec<&[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").collect()
}

fn check(path: &[u8]) -> Result<()> {
    if path.is_empty() || path.contains(&0) { Err(EINVAL) } else { Ok(()) }
}

impl Reference {
    fn walk(&self, from: Id, path: &[u8], follow: bool, hops: &mut u32) -> std::result::Result<Id, Stop> {
        let names = names(path);
        let mut at = from;
        for (n, name) in names.iter().enumerate() {
            let is_last = n + 1 == names.len();
            let dir = self.dir(at).map_err(Stop::Failed)?;
            if *name == b".." {
                at = dir.parent;
                continue;
            }
            if name.len() > 255 {
                return Err(Stop::Failed(ENAMETOOLONG));
            }
            let Some(&next) = dir.entries.get(*name) else {
                return Err(Stop::Missing { parent: at, name: name.to_vec(), last: is_last, linked: false });
            };
            let found = self.get(next).map_err(Stop::Failed)?;
            if found.kind != Kind::Symlink || (is_last && !follow) {
                at = next;
                continue;
            }
            *hops += 1;
            if *hops > LINKS {
                return Err(Stop::Failed(ELOOP));
            }
            let base = if found.target[0] == b'/' { ROOT } else { at };
            at = self.walk(base, &found.target, true, hops).map_err(|stop| match stop {
                Stop::Missing { parent, name, last, .. } => {
                    Stop::Missing { parent, name, last: last && is_last, linked: true }
                }
                failed @ Stop::Failed(_) => failed,
            })?;
        }
        Ok(at)
    }

    pub(crate) fn resolve(&self, path: &[u8], follow: bool) -> Result<Id> {
        check(path)?;
        self.walk(ROOT, path, follow, &mut 0).map_err(|stop| match stop {
            Stop::Failed(errno) => errno,
            Stop::Missing { .. } => ENOENT,
        })
    }

    pub(crate) fn resolve_missing(&self, path: &[u8]) -> Result<(Id, Vec<u8>)> {
        check(path)?;
        match self.walk(ROOT, path, true, &mut 0) {
            Ok(_) => Err(EEXIST),
            Err(Stop::Missing { parent, name, last: true, .. }) => Ok((parent, name)),
            Err(Stop::Missing { .. }) => Err(ENOENT),
            Err(Stop::Failed(errno)) => Err(errno),
        }
    }

    pub(crate) fn resolve_parent(&self, path: &[u8]) -> Result<(Id, Vec<u8>)> {
        check(path)?;
        let mut names = names(path);
        let name = names.pop().filter(|name| *name != b"..").ok_or(EINVAL)?;
        let above = names.iter().fold(b"/".to_vec(), |path, name| [&path, *name, b"/"].concat());
        let dir = self.resolve(&above, true)?;
        self.dir(dir)?;
        Ok((dir, name.to_vec()))
    }

    pub(crate) fn mkdir_all(&mut self, path: &[u8], node: &NewNode) -> Result<Id> {
        check(path)?;
        loop {
            match self.walk(ROOT, path, true, &mut 0) {
                Ok(id) => return Ok(id),
                Err(Stop::Missing { linked: true, .. }) => return Err(ENOENT),
                Err(Stop::Missing { parent, name, .. }) => drop(self.make(parent, &name, node, b"")?),
                Err(Stop::Failed(errno)) => return Err(errno),
            }
        }
    }

    /// Whether a path leads to the node and names it itself.
    pub(crate) fn is_path_of(&self, path: &[u8], id: Id) -> bool {
        self.resolve(path, false) == Ok(id) && !names(path).contains(&&b".."[..])
    }
}
