//! An active logical volume.

mod grow;
mod locks;
mod mounted;
mod notice;
mod range;
mod transaction;
mod usage;
mod whole;
mod xattr;

use std::sync::Arc;
use std::thread::JoinHandle;

use pv::{Env, FamilyUuid};
use vg::VolumeExtents;

pub use self::notice::VolumeNotice;
pub use self::transaction::Transaction;
use crate::catalogue::CopyPlace;
use crate::engine::{Activation, Core, Phase, Poison, VolumeOptions, lock};
use crate::path::Parent;
use crate::{Attr, DirEntry, Ino, Kind, LvError, NewNode, Rename, Result, SetAttr, StatFs};

/// An active logical volume: a filesystem whose operations work on inodes.
///
/// # Durability
/// Operations are visible at once and durable after [`fsync`](Self::fsync) or [`sync`](Self::sync), or within the
/// commit interval (5 s). After a crash the namespace is as after some prefix of the operations that contains all
/// synced ones; every file's contents are a state it really had, at or after its last fsync.
///
/// # Concurrency
/// All methods take `&self`; clones share the volume. The last clone that is dropped commits everything and gives the
/// volume free; [`close`](Self::close) does so and says how it went.
///
/// # Errors
/// Every call that changes something fails with [`LvError::ReadOnly`] on a volume that was activated
/// [only to be read](VolumeOptions::read_only); syncs have nothing to do there.
#[derive(Debug, Clone)]
pub struct Volume {
    core: Arc<Core>,
    closer: Arc<Closer>,
}

#[derive(Debug)]
struct Closer {
    core: Arc<Core>,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Closer {
    fn stop(&self) {
        lock(&self.core.state).phase = Phase::Stopping;
        self.core.work.notify_all();
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            // A thread that died has left its mark on the state.
            let _ = thread.join();
        }
    }

    fn close(&self) -> Result<()> {
        if lock(&self.core.locks).is_empty() && !self.core.options.read_only {
            return Ok(());
        }
        self.stop();
        let settled = if self.core.options.read_only { Ok(()) } else { self.core.settle_all() };
        lock(&self.core.flush).stop();
        lock(&self.core.state).phase = Phase::Closed;
        self.core.end_locks();
        self.core.let_go();
        settled
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        // Nobody is left to tell; whoever wants to know calls `close`.
        let _ = self.close();
    }
}

/// What a symbolic link can hold.
fn check_target(target: &[u8]) -> Result<()> {
    if target.is_empty() || target.len() > 4095 || target.contains(&0) {
        return Err(LvError::Invalid { what: "a symbolic link's target must be 1 to 4095 bytes without NUL" });
    }
    Ok(())
}

impl Volume {
    /// Activates a volume: takes it over, cleans up after a crash, starts its background work.
    ///
    /// `copies` are the in-sync copies of its metadata; `dropped` is called for each that is missing, damaged or something
    /// else, before anything is committed without it, and must make the volume group forget it (or refuse).
    /// [`notices`](Self::notices) tells of them. With [`VolumeOptions::read_only`] nothing of this happens.
    ///
    /// # Errors
    /// [`LvError::InUse`]: another process has it. [`LvError::NoMetadata`]: no copy can be read.
    /// [`LvError::CopyUnread`]: one cannot be read for a reason that may pass. What `dropped` returns. [`LvError::OldPv`],
    /// [`LvError::OldMetadata`]: a file is an old copy. [`LvError::Pv`] and [`LvError::DamagedRow`]: as they say.
    pub fn activate(
        env: &Env,
        extents: VolumeExtents,
        copies: &[CopyPlace],
        options: VolumeOptions,
        dropped: &mut dyn FnMut(&CopyPlace, &str) -> Result<()>,
    ) -> Result<Self> {
        let core = Activation { env, extents, copies, options }.run(dropped)?;
        let threads = core.start().map_err(|source| {
            LvError::Pv(pv::PvError::Io { path: std::path::PathBuf::new(), operation: "start a thread", source })
        })?;
        let closer = Arc::new(Closer { core: Arc::clone(&core), threads: std::sync::Mutex::new(threads) });
        Ok(Self { core, closer })
    }

    /// What the activation found out of order and went on without.
    pub fn notices(&self) -> &[VolumeNotice] {
        &self.core.notices
    }

    /// Whether it was activated [only to be read](VolumeOptions::read_only).
    pub fn is_read_only(&self) -> bool {
        self.core.options.read_only
    }

    /// The family it belongs to, by which other processes find its owner.
    pub fn family(&self) -> FamilyUuid {
        self.core.family
    }

    fn now(&self) -> i64 {
        self.core.env.clock.wall()
    }

    /// The inode that a name in a directory leads to.
    ///
    /// # Errors
    /// [`LvError::NotFound`], [`LvError::NotDirectory`], [`LvError::NameTooLong`].
    pub fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let mut state = self.core.state()?;
        let found = state.find(parent, name)?.ok_or_else(|| LvError::NotFound { name: name.to_owned() })?;
        Ok(state.entered(parent, found)?.shown())
    }

    /// The inode that a path leads to; the last symbolic link is followed when `follow`.
    ///
    /// # Errors
    /// [`LvError::NotFound`], [`LvError::NotDirectory`], [`LvError::Loop`], [`LvError::Invalid`] for an empty path or
    /// one with NUL.
    pub fn resolve(&self, path: &[u8], follow: bool) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.resolve_path(path, follow)
    }

    /// The directory and the last name of a path; the name need not exist.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn resolve_parent(&self, path: &[u8]) -> Result<Parent> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.resolve_parent(path)
    }

    /// Attributes of an inode.
    ///
    /// # Errors
    /// [`LvError::NoInode`].
    pub fn getattr(&self, ino: Ino) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        Ok(self.core.state()?.live(ino)?.shown())
    }

    /// Changes attributes, all at once; what changes becomes known by the change time. A new owner or group takes the
    /// set-id bits (unless a mode is given too) and capabilities off anything but directories.
    ///
    /// # Errors
    /// [`LvError::NoInode`]; with a size also [`LvError::IsDirectory`], [`LvError::Invalid`] and [`LvError::TooLarge`].
    pub fn setattr(&self, ino: Ino, set: &SetAttr) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.small_room()?;
        self.core.state()?.set_attr(ino, set, now)
    }

    /// Makes a file or a special file; the name must be free. In a directory with the set-group-id bit it belongs to that
    /// directory's group.
    ///
    /// # Errors
    /// [`LvError::Exists`], [`LvError::NotDirectory`], [`LvError::NameTooLong`], [`LvError::Invalid`],
    /// [`LvError::Quota`].
    pub fn create(&self, parent: Ino, name: &[u8], node: &NewNode) -> Result<Attr> {
        node.check_plain()?;
        self.make(parent, name, node, None)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn mkdir(&self, parent: Ino, name: &[u8], node: &NewNode) -> Result<Attr> {
        self.make(parent, name, &NewNode { kind: Kind::Directory, ..*node }, None)
    }

    /// Makes the directory at a path and those above it that are missing, in one walk; says what is there then, which is
    /// a directory unless something else has the last name. What a symbolic link leads to is not made.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve) and [`create`](Self::create).
    pub fn mkdir_all(&self, path: &[u8], node: &NewNode) -> Result<Attr> {
        self.core.resolve_making(path, |missing| self.mkdir(missing.ino, &missing.name, node))
    }

    /// Makes a symbolic link that holds `target` as it is.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`LvError::Invalid`] for an empty target or one over 4095 bytes.
    pub fn symlink(&self, parent: Ino, name: &[u8], target: &[u8], node: &NewNode) -> Result<Attr> {
        check_target(target)?;
        self.make(parent, name, &NewNode { kind: Kind::Symlink, ..*node }, Some(target.into()))
    }

    fn make(&self, parent: Ino, name: &[u8], node: &NewNode, target: Option<Arc<[u8]>>) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.metadata_room_for(target.as_ref().map_or(0, |target| target.len()))?;
        let mut state = self.core.state()?;
        self.core.one_more_file(&state)?;
        state.make(parent, name, node, target, now)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// [`LvError::NoInode`]; [`LvError::Invalid`] when it is none.
    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.read_link(ino)
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// [`LvError::Exists`], [`LvError::NotPermitted`] for a directory, [`LvError::NoInode`], [`LvError::TooManyLinks`].
    pub fn link(&self, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.metadata_room()?;
        self.core.state()?.link(ino, parent, name, now)
    }

    /// Removes a name of something that is no directory.
    ///
    /// # Errors
    /// [`LvError::NotFound`], [`LvError::IsDirectory`].
    pub fn unlink(&self, parent: Ino, name: &[u8]) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.small_room()?;
        self.core.state()?.unlink(parent, name, now)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`LvError::NotFound`], [`LvError::NotDirectory`], [`LvError::NotEmpty`].
    pub fn rmdir(&self, parent: Ino, name: &[u8]) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.small_room()?;
        self.core.state()?.rmdir(parent, name, now)
    }

    /// Renames. Atomic, also in a crash: a file renamed over another is not named before its data is durable.
    ///
    /// # Errors
    /// [`LvError::NotFound`], [`LvError::Exists`] when the new name is to be kept, [`LvError::IsDirectory`],
    /// [`LvError::NotDirectory`], [`LvError::NotEmpty`], [`LvError::Invalid`] for a directory moved into itself.
    pub fn rename(&self, from: (Ino, &[u8]), to: (Ino, &[u8]), how: Rename) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.small_room()?;
        self.core.state()?.rename(from, to, how, now)
    }

    /// Entries of a directory after `cookie` (0 at first), in cookie order, at most `limit`; fewer only at the end. What
    /// has its name all the time is listed once, whatever is made, removed and renamed meanwhile.
    ///
    /// # Errors
    /// [`LvError::NotDirectory`], [`LvError::NoInode`].
    pub fn readdir(&self, ino: Ino, cookie: u64, limit: usize) -> Result<Vec<DirEntry>> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.list(ino, cookie, limit)
    }

    /// As [`readdir`](Self::readdir), with the attributes of what each entry names, all as of one moment.
    ///
    /// # Errors
    /// As there.
    pub fn readdir_plus(&self, ino: Ino, cookie: u64, limit: usize) -> Result<Vec<(DirEntry, Attr)>> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.list_plus(ino, cookie, limit)
    }

    /// Fills `buf` from `off` on; returns how many bytes there were, less than asked only at the end of the file.
    /// Every stored byte is verified against its checksum.
    ///
    /// # Errors
    /// [`LvError::Damaged`] and [`LvError::PvMissing`] with the path and the PV, [`LvError::IsDirectory`].
    pub fn read(&self, ino: Ino, off: u64, buf: &mut [u8]) -> Result<usize> {
        self.core.meter.reading(|| self.core.read(ino, off, buf))
    }

    /// Writes all of `bytes` at `off`, or nothing.
    ///
    /// # Errors
    /// [`LvError::NoInode`], [`LvError::IsDirectory`] and [`LvError::Invalid`] for what has no contents,
    /// [`LvError::TooLarge`], [`LvError::NoSpace`], [`LvError::HostFull`], [`LvError::Quota`].
    pub fn write(&self, ino: Ino, off: u64, bytes: &[u8]) -> Result<()> {
        self.core.writable()?;
        self.core.meter.writing(bytes.len(), || self.core.write(ino, Some(off), bytes)).map(drop)
    }

    /// Keeps an inode alive after its last name is gone, until as many [`release`](Self::release) calls.
    ///
    /// # Errors
    /// [`LvError::NoInode`].
    pub fn open(&self, ino: Ino) -> Result<()> {
        let mut state = self.core.state()?;
        let inode = state.live(ino)?;
        inode.opens = inode.opens.saturating_add(1);
        Ok(())
    }

    /// The counterpart of [`open`](Self::open): the last one reclaims an inode without names. Inside a
    /// [`transaction`](Self::transaction) it takes effect when that ends.
    ///
    /// # Errors
    /// [`LvError::NoInode`].
    pub fn release(&self, ino: Ino) -> Result<()> {
        if self.core.held_here() {
            lock(&self.core.released).push(ino);
            return Ok(());
        }
        self.core.state()?.close_inode(ino)
    }

    /// Makes a file's data and all earlier namespace operations durable; for a directory just those. Concurrent calls
    /// share commits.
    ///
    /// # Errors
    /// [`LvError::NoInode`]. [`LvError::NoSpace`], [`LvError::HostFull`] and a busy file: nothing is lost, try again. Any
    /// other failure stops the volume: what was written since the last successful sync is unknown until it is opened
    /// again.
    pub fn fsync(&self, ino: Ino) -> Result<()> {
        let _counted = self.core.meter.sync.start();
        self.core.fsync(ino).map_err(|error| self.core.unsynced(error))
    }

    /// Makes everything durable that was done before the call.
    ///
    /// # Errors
    /// As [`fsync`](Self::fsync).
    pub fn sync(&self) -> Result<()> {
        let _counted = self.core.meter.sync.start();
        self.core.sync().map_err(|error| self.core.unsynced(error))
    }

    /// Space of the volume.
    ///
    /// # Errors
    /// [`LvError::Poisoned`].
    pub fn statfs(&self) -> Result<StatFs> {
        let mut state = self.core.state()?;
        let free = state.free_bytes().min(self.core.host_free(&mut state)?);
        let (total, used) = (state.space.total(), state.used_bytes());
        Ok(StatFs { total, used: used.min(total), free, files: state.files(), name_max: 255 })
    }

    /// One step of background work, for volumes without threads; `true` when there may be more to do.
    ///
    /// # Errors
    /// As [`fsync`](Self::fsync).
    pub fn step(&self, work: Work) -> Result<bool> {
        self.core.writable()?;
        match work {
            Work::Flush => self.core.flush_some(self.core.options.flush_bytes).map(|()| false),
            Work::Compact => self.core.compact_once(),
            Work::Intents => self.core.move_intents(),
            Work::Delete => self.core.delete_dead_once(),
            Work::Clean { idle } => self.core.clean_step(idle),
        }
    }

    /// Commits everything, tidies up and gives the volume free. Other clones fail from here on.
    ///
    /// # Errors
    /// As [`fsync`](Self::fsync); the volume is free all the same.
    pub fn close(self) -> Result<()> {
        self.closer.close()
    }

    /// Drops the volume as a crash would: nothing is committed, nothing tidied.
    #[doc(hidden)]
    pub fn abandon(self) {
        lock(&self.core.state).poison.get_or_insert_with(|| Poison::new("abandoned"));
        self.core.end_locks();
        self.closer.stop();
        lock(&self.core.flush).stop();
        lock(&self.core.locks).clear();
    }
}

/// A kind of background work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Place data that waits.
    Flush,
    /// Move live bytes of sparse extents together.
    Compact,
    /// Move data that fsyncs put into the metadata volume into extents.
    Intents,
    /// Delete extents that quarantine has let go of.
    Delete,
    /// Whatever is due.
    Clean {
        /// Also what only idle time is for.
        idle: bool,
    },
}
