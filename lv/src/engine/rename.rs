//! Renaming: a name moves, replaces another, or changes places with it, in one step.

use super::entry::Climb;
use super::rules::Rule;
use super::state::State;
use crate::limits::check_name;
use crate::{Ino, Kind, LvError, Nanos, Rename, Result};

impl State {
    /// Whether `below` is `above` or lies under it.
    fn lies_under(&mut self, mut below: Ino, above: Ino) -> Result<bool> {
        let mut climb = Climb::from(below);
        loop {
            if below == above {
                return Ok(true);
            }
            if below == Ino::ROOT {
                return Ok(false);
            }
            below = self.climb(&mut climb, below)?;
        }
    }

    /// The directories and names of a rename: both directories come before both names.
    fn check_ends(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8])) -> Result<()> {
        self.directory(from.0)?;
        self.directory(to.0)?;
        check_name(from.1)?;
        check_name(to.1)
    }

    /// Renames as `how` asks.
    pub(crate) fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), how: Rename, now: Nanos) -> Result<()> {
        match how {
            Rename::Exchange => self.exchange(from, to, now),
            Rename::Keep => self.move_name(from, to, true, now),
            Rename::Replace => self.move_name(from, to, false, now),
        }
    }

    /// Moves a name; what the new one leads to is replaced unless it is to be kept.
    fn move_name(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), keep: bool, now: Nanos) -> Result<()> {
        self.check_ends(from, to)?;
        let (ino, kind) = self.must_find(from.0, from.1)?;
        if self.directory(to.0)?.attr.nlink == 0 {
            return Err(LvError::NoInode { ino: to.0 });
        }
        let old = self.find(to.0, to.1)?;
        if old.is_some() && keep {
            return Err(LvError::Exists { name: to.1.to_owned() });
        }
        if old.is_some_and(|(old, _)| old == ino) {
            return Ok(());
        }
        let moves_dir = kind == Kind::Directory;
        if moves_dir && self.lies_under(to.0, ino)? {
            return Err(LvError::Invalid { what: "a directory cannot be moved into itself" });
        }
        match old {
            Some((old, Kind::Directory)) if moves_dir => {
                self.empty(old, to.1)?;
                self.unlink_entry(to.0, to.1, now)?;
                self.drop_directory(to.0, old, now)?;
            }
            Some((_, Kind::Directory)) => return Err(LvError::IsDirectory { name: to.1.to_owned() }),
            Some(_) if moves_dir => return Err(LvError::NotDirectory { name: to.1.to_owned() }),
            Some((old, _)) => {
                self.unlink_entry(to.0, to.1, now)?;
                self.drop_link(old, now)?;
                // The new file replaces the old one in the same commit that names its data, never before.
                if self.rules.keep(Rule::RenameWithData) {
                    self.required.insert(ino);
                }
            }
            None => {}
        }
        self.unlink_entry(from.0, from.1, now)?;
        self.link_entry(to.0, to.1, ino, kind, now)?;
        self.moved(ino, kind, (from.0, to.0), now)
    }

    /// An inode's name is in another directory now.
    fn moved(&mut self, ino: Ino, kind: Kind, (from, to): (Ino, Ino), now: Nanos) -> Result<()> {
        if kind == Kind::Directory && from != to {
            let above = self.inode_mut(from)?;
            above.attr.nlink = above.attr.nlink.saturating_sub(1);
            let above = self.inode_mut(to)?;
            above.attr.nlink = above.attr.nlink.saturating_add(1);
        }
        let inode = self.inode_mut(ino)?;
        inode.parent = to;
        inode.attr.ctime = now;
        Ok(())
    }

    /// Lets two names change places.
    fn exchange(&mut self, a: (Ino, &[u8]), b: (Ino, &[u8]), now: Nanos) -> Result<()> {
        self.check_ends(a, b)?;
        let (first, first_kind) = self.must_find(a.0, a.1)?;
        let (second, second_kind) = self.must_find(b.0, b.1)?;
        if first == second {
            return Ok(());
        }
        let into_itself = (first_kind == Kind::Directory && self.lies_under(b.0, first)?)
            || (second_kind == Kind::Directory && self.lies_under(a.0, second)?);
        if into_itself {
            return Err(LvError::Invalid { what: "a directory cannot be moved into itself" });
        }
        self.unlink_entry(a.0, a.1, now)?;
        self.unlink_entry(b.0, b.1, now)?;
        self.link_entry(a.0, a.1, second, second_kind, now)?;
        self.link_entry(b.0, b.1, first, first_kind, now)?;
        self.moved(first, first_kind, (a.0, b.0), now)?;
        self.moved(second, second_kind, (b.0, a.0), now)?;
        // As in a rename over another file: whoever reads either name finds what was written to it before.
        let files = [(first, first_kind), (second, second_kind)];
        self.required.extend(files.into_iter().filter(|(_, kind)| *kind == Kind::File).map(|(ino, _)| ino));
        Ok(())
    }
}
