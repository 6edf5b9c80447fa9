//! Whose a volume is: lock files beside the copies of its metadata keep a second process out; the epochs decide.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pv::{Env, ExtentBatch, FlushNo, Holder, HostLock, PvError};

use super::core::{Core, lock};
use crate::catalogue::CopyPlace;
use crate::{LvError, Result};

/// What the lock files say about who may activate a volume.
#[derive(Debug, Default)]
pub(crate) struct Owned {
    pub(crate) locks: Vec<Box<dyn HostLock>>,
    /// Who is passed over.
    pub(crate) former: Option<Holder>,
    /// The lock files it holds.
    passed: Vec<PathBuf>,
    /// One of all lock files.
    file: PathBuf,
}

/// The lock file beside a copy.
pub(crate) fn lock_file(copy: &Path) -> PathBuf {
    copy.with_extension("lock")
}

fn note() -> String {
    format!("process {}", std::process::id())
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> PvError {
    move |source| PvError::Io { path: path.to_owned(), operation: "lock it", source }
}

/// How often, and how long apart, a lock is asked for that no owner seems to hold.
const LOOKS: (u32, Duration) = (20, Duration::from_millis(5));

/// Takes a lock file unless an owner has it. A report that looks whether somebody does may have it for a moment.
fn try_lock(env: &Env, path: &Path) -> Result<Option<Box<dyn HostLock>>> {
    for _ in 0..LOOKS.0 {
        let lock = env.host.lock(path, false, &note()).map_err(failed(path))?;
        if lock.is_some() || env.host.lock_holder(path).is_some() {
            return Ok(lock);
        }
        std::thread::sleep(LOOKS.1);
    }
    Ok(None)
}

/// Takes the lock files that say who owns the volume, one beside each copy. With `takeover` those that somebody holds are
/// passed over.
pub(crate) fn own(env: &Env, copies: &[CopyPlace], takeover: bool) -> Result<Owned> {
    let mut owned = Owned::default();
    for place in copies {
        let path = lock_file(&place.path);
        // Nothing is made where a link leads to: the copy is refused when it is opened.
        if path.parent().is_none_or(|folder| env.host.stat(folder).is_err() || env.host.is_link(folder)) {
            continue;
        }
        owned.file.clone_from(&path);
        if let Some(lock) = try_lock(env, &path)? {
            owned.locks.push(lock);
            continue;
        }
        let holder = Holder::of(env, &path);
        if !takeover {
            return Err(LvError::InUse { owner: holder });
        }
        owned.former = Some(holder);
        owned.passed.push(path);
    }
    Ok(owned)
}

/// As [`own`] without takeover, for whoever only reads: who may not make or open a lock file does without it.
pub(crate) fn own_to_read(env: &Env, copies: &[CopyPlace]) -> Result<Vec<Box<dyn HostLock>>> {
    let mut locks = Vec::new();
    for copy in copies {
        match own(env, std::slice::from_ref(copy), false) {
            Ok(owned) => locks.extend(owned.locks),
            Err(LvError::Pv(PvError::Io { source, .. }))
                if matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(locks)
}

impl Owned {
    /// Fails when another process has replaced a lock held here. Asked when the epochs have been read: whoever took over
    /// before that has raised them already, and raising them once more would take the volume from it.
    pub(crate) fn ensure_current(&self, env: &Env) -> Result<()> {
        if self.locks.iter().all(|lock| lock.is_current()) {
            return Ok(());
        }
        Err(LvError::InUse { owner: Holder::of(env, &self.file) })
    }

    /// Puts fresh lock files, held here, in the place of those that were passed over: the epochs are raised, so that the
    /// former owner is none any more. Not before: a takeover that fails leaves the owner its lock.
    ///
    /// Of two takeovers at once the epochs have refused one already. Whoever got a lock meanwhile because the former owner
    /// is gone has raised the epochs again, and keeps it.
    pub(crate) fn seize(&mut self, env: &Env) -> Result<()> {
        for path in std::mem::take(&mut self.passed) {
            if let Some(lock) = try_lock(env, &path)? {
                self.locks.push(lock);
                continue;
            }
            let owner = Holder::of(env, &path);
            if self.former.as_ref().is_some_and(|former| former.pid != owner.pid) {
                return Err(LvError::InUse { owner });
            }
            self.locks.push(env.host.replace_lock(&path, &note()).map_err(failed(&path))?);
        }
        Ok(())
    }
}

/// Says who keeps a takeover from going on: a former owner that was stopped in the middle of a commit holds SQLite's own
/// locks, and nothing can be done while it neither ends its commit nor is gone.
pub(crate) fn name_former(error: LvError, former: Option<&Holder>) -> LvError {
    match (error, former) {
        (LvError::Pv(PvError::Busy { path }), Some(holder)) => PvError::Held { path, holder: holder.clone() }.into(),
        (error, _) => error,
    }
}

impl Core {
    /// Tells a PV which commit was the last, so that older metadata that is put back does not pass for the newest. A PV
    /// learns of commits with what is placed on it: of those since it knows nothing. Preferably one without a copy, which
    /// a restored folder does not take back as well.
    ///
    /// Without it older metadata is found out a little later, or not: no reason to refuse a close.
    pub(crate) fn leave_mark(&self) {
        let holders: Vec<_> = lock(&self.copies).places().into_iter().map(|place| place.pv).collect();
        let extents = self.extents();
        let there = || extents.pvs.iter().filter_map(|slot| Some((slot.uuid, slot.store.as_ref()?)));
        let Some((_, store)) = there().find(|(pv, _)| !holders.contains(pv)).or_else(|| there().next()) else { return };
        let Ok(mut state) = self.state() else { return };
        let known = store.owner(self.family).ok().flatten();
        if known.is_some_and(|row| row.txg >= state.committed) {
            return;
        }
        state.next_flush = FlushNo(state.next_flush.0.saturating_add(1));
        let (flush, txg) = (state.next_flush, state.committed);
        let (family, epoch) = (self.family, self.epoch);
        let _ = store.commit(&ExtentBatch { family, epoch, flush, txg, fresh: &[], freed: &[] });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_lock_refuses_nobody() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let (dir, env) = (tempfile::tempdir().unwrap(), Env::system());
        let places = [CopyPlace { pv: pv::PvUuid::from_bytes([1; 16]), path: dir.path().join("c.meta") }];
        drop(own(&env, &places, false).unwrap());
        let (path, ended) = (lock_file(&places[0].path), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let file = std::fs::File::open(&path).unwrap();
                    // As a report does.
                    let held = file.try_lock_shared();
                    std::thread::sleep(Duration::from_millis(1));
                    drop((held, file));
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            let refused = (0..50).filter(|_| own(&env, &places, false).is_err()).count();
            ended.store(true, Ordering::Relaxed);
            assert_eq!(refused, 0);
        });
    }

    #[test]
    fn who_was_taken_over_while_it_activated_does_not_go_on() {
        let (dir, env) = (tempfile::tempdir().unwrap(), Env::system());
        let place =
            |n: u8| CopyPlace { pv: pv::PvUuid::from_bytes([n; 16]), path: dir.path().join(format!("c{n}.meta")) };
        let places = [place(1), place(2)];
        let stopped = own(&env, &places, false).unwrap();
        stopped.ensure_current(&env).unwrap();
        assert!(matches!(own(&env, &places, false), Err(LvError::InUse { .. })));
        let mut taker = own(&env, &places, true).unwrap();
        assert_eq!(taker.former.as_ref().and_then(|former| former.pid), Some(std::process::id()));
        stopped.ensure_current(&env).unwrap();
        taker.seize(&env).unwrap();
        assert!(matches!(stopped.ensure_current(&env), Err(LvError::InUse { .. })));
        taker.ensure_current(&env).unwrap();
        drop(stopped);
        assert!(matches!(own(&env, &places, false), Err(LvError::InUse { .. })));
        drop(taker);
        own(&env, &places, false).unwrap();
    }
}
