//! Answers to a client's requests.
//!
//! A request is an operation's number with its arguments. The volume checks them as it does for its own process; what it
//! cannot know is checked here: how much may be asked for at once, and that nobody releases what others hold.

use std::collections::HashMap;

use lv::{Attr, DirEntry, Ino, LvError, NewNode, Rename, Result, Seek, SetAttr, SetXattr, Volume};

use super::beside::{Beside, Changed};
use super::failure::EIO;
use super::frame::{Frame, MOST_DATA};
use super::op::{Change, Look, Op};
use super::wire::{Put, Take, take_all};

/// Entries of a directory that one answer lists at most.
pub(super) const MOST_LISTED: usize = 1024;

/// An error about more than the volume.
fn of_group(error: crate::Error) -> LvError {
    match error {
        crate::Error::Lv(error) => error,
        other => LvError::Told { errno: EIO, text: pv::chain(&other), hint: other.hint() },
    }
}

/// A name in a directory.
type Name = (Ino, Vec<u8>);

/// What a client may use, and what it has.
pub(super) struct Asked<'a> {
    volume: &'a Volume,
    beside: &'a dyn Beside,
    /// How often it holds inodes open.
    held: HashMap<Ino, u32>,
}

/// An answer with what an operation did with its arguments; nothing when there are no such arguments.
fn reply<A: Take, T: Put>(arguments: &[u8], act: impl FnOnce(A) -> Result<T>) -> Option<Frame> {
    let done = act(take_all(arguments)?);
    let mut frame = Frame::new();
    done.put(frame.body());
    Some(frame)
}

impl<'a> Asked<'a> {
    pub(super) fn new(volume: &'a Volume, beside: &'a dyn Beside) -> Self {
        Self { volume, beside, held: HashMap::new() }
    }

    /// The answer to a message; nothing when it cannot be understood.
    pub(super) fn answer(&mut self, message: &[u8]) -> Option<Frame> {
        let mut arguments = message;
        match Op::take(&mut arguments)? {
            Op::Look(look) => self.look(look, arguments),
            Op::Change(change) => self.change(change, arguments),
        }
    }

    fn look(&self, look: Look, arguments: &[u8]) -> Option<Frame> {
        let Self { volume, beside, .. } = self;
        match look {
            Look::Lookup => reply(arguments, |(dir, name): (Ino, Vec<u8>)| self.fresh(|| volume.lookup(dir, &name))),
            Look::Resolve => {
                reply(arguments, |(path, follow): (Vec<u8>, bool)| self.fresh(|| volume.resolve(&path, follow)))
            }
            Look::ResolveParent => reply(arguments, |path: Vec<u8>| volume.resolve_parent(&path)),
            Look::GetAttr => reply(arguments, |ino| self.fresh(|| volume.getattr(ino))),
            Look::ReadLink => reply(arguments, |ino| volume.readlink(ino)),
            Look::ReadDir => reply(arguments, |(ino, cookie, limit): (Ino, u64, usize)| {
                volume.readdir(ino, cookie, limit.min(MOST_LISTED))
            }),
            Look::ReadDirPlus => reply(arguments, |(ino, cookie, limit): (Ino, u64, usize)| {
                self.fresh_list(|| volume.readdir_plus(ino, cookie, limit.min(MOST_LISTED)))
            }),
            Look::Read => reply(arguments, |(ino, off, len): (Ino, u64, usize)| {
                beside.write_out(ino);
                let mut bytes = vec![0; len.min(MOST_DATA)];
                let count = volume.read(ino, off, &mut bytes)?;
                bytes.truncate(count);
                Ok(bytes)
            }),
            Look::Seek => reply(arguments, |(ino, off, what): (Ino, u64, Seek)| {
                beside.write_out(ino);
                volume.seek(ino, off, what)
            }),
            Look::ListXattr => reply(arguments, |ino| volume.listxattr(ino)),
            Look::GetXattr => reply(arguments, |(ino, name): (Ino, Vec<u8>)| volume.getxattr(ino, &name)),
            Look::StatFs => reply(arguments, |()| {
                beside.write_out_all();
                volume.statfs()
            }),
            // Whoever watches is not to change what is watched: nothing is written out.
            Look::Counts => reply(arguments, |()| Ok((volume.usage()?, volume.statfs()?))),
            Look::Meters => reply(arguments, |()| Ok(volume.meters())),
            Look::Sync => reply(arguments, |()| {
                beside.write_out_all();
                volume.sync()
            }),
            Look::Fsync => reply(arguments, |ino| {
                beside.write_out(ino);
                volume.fsync(ino)
            }),
        }
    }

    /// Attributes that tell of all that was written to the inode.
    fn fresh(&self, ask: impl Fn() -> Result<Attr>) -> Result<Attr> {
        let found = ask()?;
        if self.beside.write_out(found.ino) { ask() } else { Ok(found) }
    }

    fn fresh_list(&self, ask: impl Fn() -> Result<Vec<(DirEntry, Attr)>>) -> Result<Vec<(DirEntry, Attr)>> {
        let found = ask()?;
        let newer = found.iter().fold(false, |newer, (_, attr)| self.beside.write_out(attr.ino) || newer);
        if newer { ask() } else { Ok(found) }
    }

    fn change(&mut self, change: Change, arguments: &[u8]) -> Option<Frame> {
        let volume = self.volume;
        match change {
            Change::SetAttr => reply(arguments, |(ino, set): (Ino, SetAttr)| self.set_attr(ino, &set)),
            Change::Create => reply(arguments, |(dir, name, node): (Ino, Vec<u8>, NewNode)| {
                self.made(dir, &name, volume.create(dir, &name, &node))
            }),
            Change::MkDir => reply(arguments, |(dir, name, node): (Ino, Vec<u8>, NewNode)| {
                self.made(dir, &name, volume.mkdir(dir, &name, &node))
            }),
            Change::SymLink => reply(arguments, |(dir, name, target, node): (Ino, Vec<u8>, Vec<u8>, NewNode)| {
                self.made(dir, &name, volume.symlink(dir, &name, &target, &node))
            }),
            Change::Link => reply(arguments, |(ino, dir, name): (Ino, Ino, Vec<u8>)| {
                let linked = volume.link(ino, dir, &name)?;
                self.tell(&[Changed::Name(dir, &name), Changed::Attributes(ino)]);
                Ok(linked)
            }),
            Change::Unlink => {
                reply(arguments, |(dir, name): (Ino, Vec<u8>)| self.losing((dir, &name), || volume.unlink(dir, &name)))
            }
            Change::RmDir => {
                reply(arguments, |(dir, name): (Ino, Vec<u8>)| self.losing((dir, &name), || volume.rmdir(dir, &name)))
            }
            Change::Rename => reply(arguments, |(from, to, how): (Name, Name, Rename)| {
                self.rename((from.0, &from.1), (to.0, &to.1), how)
            }),
            Change::Write => reply(arguments, |(ino, off, bytes): (Ino, u64, Vec<u8>)| {
                self.beside.write_out(ino);
                volume.write(ino, off, &bytes)?;
                self.tell(&[Changed::Contents(ino)]);
                Ok(())
            }),
            Change::SetXattr => reply(arguments, |(ino, name, value, how): (Ino, Vec<u8>, Vec<u8>, SetXattr)| {
                volume.setxattr(ino, &name, &value, how)?;
                self.tell(&[Changed::Attributes(ino)]);
                Ok(())
            }),
            Change::RemoveXattr => reply(arguments, |(ino, name): (Ino, Vec<u8>)| {
                volume.removexattr(ino, &name)?;
                self.tell(&[Changed::Attributes(ino)]);
                Ok(())
            }),
            Change::CreateNameless => reply(arguments, |(dir, node): (Ino, NewNode)| self.create_nameless(dir, &node)),
            Change::GiveName => reply(arguments, |(ino, dir, name): (Ino, Ino, Vec<u8>)| {
                self.losing((dir, &name), || volume.give_name(ino, dir, &name))
            }),
            Change::Release => reply(arguments, |ino| self.release(ino)),
            Change::Grow => reply(arguments, |()| crate::grow(volume).map_err(of_group)),
        }
    }

    fn tell(&self, changes: &[Changed<'_>]) {
        for changed in changes {
            self.beside.changed(*changed);
        }
    }

    /// Passes on what was made, of which others learn by its name.
    fn made(&self, dir: Ino, name: &[u8], attr: Result<Attr>) -> Result<Attr> {
        let attr = attr?;
        self.tell(&[Changed::Name(dir, name)]);
        Ok(attr)
    }

    fn set_attr(&self, ino: Ino, set: &SetAttr) -> Result<Attr> {
        self.beside.write_out(ino);
        let attr = self.volume.setattr(ino, set)?;
        self.tell(&[if set.size.is_some() { Changed::Contents(ino) } else { Changed::Attributes(ino) }]);
        Ok(attr)
    }

    fn rename(&self, from: (Ino, &[u8]), to: (Ino, &[u8]), how: Rename) -> Result<()> {
        if let Ok(moved) = self.volume.lookup(from.0, from.1) {
            // What takes the place of another file has all its bytes with it.
            self.beside.write_out(moved.ino);
        }
        let act = || self.volume.rename(from, to, how);
        if how == Rename::Replace { self.losing(to, act) } else { act() }?;
        self.tell(&[Changed::Name(from.0, from.1), Changed::Name(to.0, to.1)]);
        Ok(())
    }

    /// Does what may take the last name of the inode that a name leads to. Whoever uses that inode keeps it.
    fn losing(&self, (dir, name): (Ino, &[u8]), act: impl FnOnce() -> Result<()>) -> Result<()> {
        let victim = self.volume.lookup(dir, name).ok().map(|attr| attr.ino);
        let Some(victim) = victim.filter(|victim| self.volume.open(*victim).is_ok()) else {
            act()?;
            self.tell(&[Changed::Name(dir, name)]);
            return Ok(());
        };
        let done = act();
        let nameless = done.is_ok() && self.volume.getattr(victim).is_ok_and(|attr| attr.nlink == 0);
        if !(nameless && self.beside.keeps(victim)) {
            self.volume.release(victim)?;
        }
        done?;
        self.tell(&[Changed::Name(dir, name), Changed::Attributes(victim)]);
        Ok(())
    }

    fn create_nameless(&mut self, dir: Ino, node: &NewNode) -> Result<Attr> {
        let made = self.volume.create_nameless(dir, node)?;
        let held = self.held.entry(made.ino).or_default();
        *held = held.saturating_add(1);
        Ok(made)
    }

    fn release(&mut self, ino: Ino) -> Result<()> {
        let held = self.held.get_mut(&ino).ok_or(LvError::NoInode { ino })?;
        *held = held.saturating_sub(1);
        if *held == 0 {
            self.held.remove(&ino);
        }
        self.volume.release(ino)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        // A client that is gone holds nothing.
        for (ino, times) in self.held.drain() {
            for _ in 0..times {
                let _ = self.volume.release(ino);
            }
        }
    }
}
