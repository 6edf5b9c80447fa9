//! Whole files: read in one state, replaced in one step.

use super::core::Core;
use super::inode::Inode;
use super::state::State;
use super::txg::INTENT_MAX;
use super::write::regular;
use crate::limits::check_name;
use crate::{Attr, Ino, Kind, LvError, Nanos, NewNode, Result};

/// Contents of up to this many bytes are replaced in memory; larger ones are placed first, aside.
const AT_ONCE: usize = 4 * 1024 * 1024;
/// Bytes of one write of larger contents.
const STEP: usize = 1024 * 1024;
/// How often files that are written meanwhile are flushed before what is left is taken as it is.
const ROUNDS: usize = 16;

impl State {
    /// Makes a regular file without a name, open once: it goes when it is released, or after a crash.
    pub(crate) fn make_nameless(&mut self, parent: Ino, node: &NewNode, now: Nanos) -> Result<Attr> {
        let node = self.inherited(parent, node)?;
        let attr = self.new_inode(parent, &node, 0, None, now);
        self.inode_mut(attr.ino)?.opens = 1;
        self.orphans.insert(attr.ino);
        Ok(attr)
    }

    /// Gives a nameless file its name, in place of what has it: no commit has the name without the data.
    pub(crate) fn give_name(&mut self, ino: Ino, parent: Ino, name: &[u8], now: Nanos) -> Result<()> {
        check_name(name)?;
        let attr = self.live(ino)?.attr;
        if attr.nlink > 0 || attr.kind != Kind::File {
            return Err(LvError::Invalid { what: "only a nameless file can be given its first name" });
        }
        if self.directory(parent)?.attr.nlink == 0 {
            return Err(LvError::NoInode { ino: parent });
        }
        match self.find(parent, name)? {
            Some((_, Kind::Directory)) => return Err(LvError::IsDirectory { name: name.to_owned() }),
            Some((old, _)) => {
                self.unlink_entry(parent, name, now)?;
                self.drop_link(old, now)?;
            }
            None => {}
        }
        self.required.insert(ino);
        let inode = self.inode_mut(ino)?;
        inode.attr.nlink = 1;
        inode.attr.ctime = now;
        inode.parent = parent;
        self.orphans.remove(&ino);
        self.link_entry(parent, name, ino, Kind::File, now)
    }

    /// Lets a file have the contents of another, both quiet.
    fn take_contents(&mut self, from: Ino, to: Ino, now: Nanos) -> Result<()> {
        self.install_inline(from)?;
        self.install_inline(to)?;
        let size = self.inode(from)?.attr.size;
        self.map_clear(to, 0, i64::MAX.unsigned_abs())?;
        self.share((from, 0), (to, 0), size)?;
        let inode = self.inode_mut(to)?;
        inode.attr.size = size;
        inode.attr.mtime = now;
        inode.attr.ctime = now;
        inode.named = inode.data_attr();
        self.drop_privileges(to, now)
    }
}

impl Core {
    /// All bytes of a file, as they were at one moment.
    pub(crate) fn read_all(&self, ino: Ino) -> Result<Vec<u8>> {
        loop {
            let mut state = self.state()?;
            regular(state.inode(ino)?)?;
            let size = state.inode(ino)?.attr.size;
            let len = usize::try_from(size).map_err(|_| LvError::TooLarge { ino })?;
            drop(state);
            // One byte more, to see whether the file has grown since.
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(len.saturating_add(1)).map_err(|_| LvError::TooLarge { ino })?;
            bytes.resize(len.saturating_add(1), 0);
            let count = self.read(ino, 0, &mut bytes)?;
            if count <= len {
                bytes.truncate(count);
                return Ok(bytes);
            }
        }
    }

    /// Replaces all bytes of a file: a reader sees the old ones or the new ones.
    pub(crate) fn replace(&self, ino: Ino, bytes: &[u8]) -> Result<()> {
        if bytes.len() > AT_ONCE {
            let now = self.env.clock.wall();
            let aside = self.state()?.make_nameless(Ino::ROOT, &NewNode::file(0o600), now)?.ino;
            let done = self.fill(aside, bytes).and_then(|()| self.copy_file(aside, ino));
            let mut state = self.state()?;
            state.inode(aside)?.opens = 0;
            state.bury(aside)?;
            return done;
        }
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.make_room(ino, Some(0), len).map_err(|error| self.not_a_file_or(ino, error))?;
        let now = self.env.clock.wall();
        self.within_quota(ino, Some(0), bytes.len())?.put_all(ino, bytes, now)
    }

    fn fill(&self, ino: Ino, bytes: &[u8]) -> Result<()> {
        let mut off = 0u64;
        for part in bytes.chunks(STEP) {
            self.write(ino, Some(off), part)?;
            off = off.saturating_add(u64::try_from(part.len()).unwrap_or(0));
        }
        Ok(())
    }

    /// Lets a file have the contents of another, shared, in one step.
    pub(crate) fn copy_file(&self, from: Ino, to: Ino) -> Result<()> {
        let mut state = self.state()?;
        regular(state.inode(from)?)?;
        regular(state.inode(to)?)?;
        drop(state);
        if from == to {
            return Ok(());
        }
        self.metadata_room()?;
        let mut rounds = 0usize;
        loop {
            self.flush_files(&[from, to])?;
            rounds = rounds.saturating_add(1);
            let now = self.env.clock.wall();
            let mut state = self.state()?;
            // What others write all the time ends up in the catalogue rather than never.
            let quiet = |inode: &Inode| inode.sealed.is_empty() && inode.open.data() <= INTENT_MAX;
            if rounds >= ROUNDS || (quiet(state.inode(from)?) && quiet(state.inode(to)?)) {
                return state.take_contents(from, to, now);
            }
        }
    }
}
