//! What an active volume has done since it was activated: counted where it happens, added up by whoever looks.
//!
//! Counting takes no lock. Reading the clock twice takes a fifth of the time of a lookup, so that of operations that may be
//! that short one in [`EVERY`] is timed; all are counted. Numbers that belong together are counted
//! one after the other, so that a look may see one and not yet the other.

mod seen;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use pv::{PvUuid, Txg};

use self::seen::{BUCKETS, bucket};
pub use self::seen::{Meters, PvMeters, Timings};

/// One in so many short operations is timed: a prime number, because programs do much in rounds of a few operations, of
/// which not always the same is to be timed.
const EVERY: u64 = 17;
/// A number that only grows, or what was last.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to it; what it was before.
    pub(crate) fn add(&self, more: u64) -> u64 {
        self.0.fetch_add(more, Relaxed)
    }

    fn add_len(&self, len: usize) {
        self.add(u64::try_from(len).unwrap_or(u64::MAX));
    }

    fn set(&self, now: u64) {
        self.0.store(now, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counts operations of one kind.
#[derive(Debug)]
pub(crate) struct Timer {
    /// One in so many is timed.
    every: u64,
    count: Counter,
    nanos: Counter,
    buckets: [Counter; BUCKETS],
}

impl Timer {
    const fn new(every: u64) -> Self {
        Self { every, count: Counter::new(), nanos: Counter::new(), buckets: [const { Counter::new() }; BUCKETS] }
    }

    /// Counts one, which ends when this is dropped.
    pub(crate) fn start(&self) -> Running<'_> {
        let timed = self.count.add(1).is_multiple_of(self.every);
        Running(timed.then(|| (self, Instant::now())))
    }

    /// Counts one that took so long.
    fn add(&self, took: Duration) {
        self.count.add(1);
        self.ended(took);
    }

    fn ended(&self, took: Duration) {
        let nanos = nanos(took);
        self.nanos.add(nanos);
        if let Some(count) = self.buckets.get(bucket(nanos)) {
            count.add(1);
        }
    }

    fn seen(&self) -> Timings {
        let buckets: Vec<u64> = self.buckets.iter().map(Counter::get).collect();
        Timings { count: self.count.get(), timed: buckets.iter().sum(), nanos: self.nanos.get(), buckets }
    }
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

/// An operation that is under way, and is timed if this says since when.
#[derive(Debug)]
#[must_use]
pub(crate) struct Running<'a>(Option<(&'a Timer, Instant)>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some((timer, began)) = self.0 {
            timer.ended(began.elapsed());
        }
    }
}

/// Counts what happens on a PV.
#[derive(Debug)]
pub(crate) struct PvMeter {
    reads: Timer,
    read_bytes: Counter,
    writes: Timer,
    written_bytes: Counter,
}

impl PvMeter {
    fn new() -> Self {
        let none = Counter::new;
        Self { reads: Timer::new(1), read_bytes: none(), writes: Timer::new(1), written_bytes: none() }
    }

    /// Counts a read of so many bytes.
    pub(crate) fn reading<T, E>(&self, bytes: usize, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        timed(&self.reads, &self.read_bytes, act, |_| bytes)
    }

    /// Counts a transaction that writes so many bytes.
    pub(crate) fn writing<T, E>(&self, bytes: usize, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        timed(&self.writes, &self.written_bytes, act, |_| bytes)
    }
}

/// Counts an operation, and the bytes of one that succeeds.
fn timed<T, E>(
    timer: &Timer,
    bytes: &Counter,
    act: impl FnOnce() -> Result<T, E>,
    length: impl FnOnce(&T) -> usize,
) -> Result<T, E> {
    let running = timer.start();
    let done = act();
    drop(running);
    if let Ok(value) = &done {
        bytes.add_len(length(value));
    }
    done
}

/// Counts what a volume does.
#[derive(Debug)]
pub(crate) struct Meter {
    activated: Instant,
    read: Timer,
    write: Timer,
    pub(crate) sync: Timer,
    pub(crate) metadata: Timer,
    read_bytes: Counter,
    written_bytes: Counter,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_misses: Counter,
    commits: Timer,
    txg: Counter,
    last_commit: Counter,
    committed_at: Counter,
    /// Whoever counts here waits for a disk anyway.
    pvs: RwLock<BTreeMap<PvUuid, Arc<PvMeter>>>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            activated: Instant::now(),
            read: Timer::new(EVERY),
            write: Timer::new(EVERY),
            sync: Timer::new(1),
            metadata: Timer::new(EVERY),
            read_bytes: Counter::new(),
            written_bytes: Counter::new(),
            cache_hits: Counter::new(),
            cache_misses: Counter::new(),
            commits: Timer::new(1),
            txg: Counter::new(),
            last_commit: Counter::new(),
            committed_at: Counter::new(),
            pvs: RwLock::default(),
        }
    }

    /// Counts a read, by the number of bytes that it returns.
    pub(crate) fn reading<E>(&self, act: impl FnOnce() -> Result<usize, E>) -> Result<usize, E> {
        timed(&self.read, &self.read_bytes, act, |count| *count)
    }

    /// Counts a read of all that there is.
    pub(crate) fn reading_all<E>(&self, act: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Vec<u8>, E> {
        timed(&self.read, &self.read_bytes, act, Vec::len)
    }

    /// Counts a write of so many bytes.
    pub(crate) fn writing<T, E>(&self, bytes: usize, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        timed(&self.write, &self.written_bytes, act, |_| bytes)
    }

    /// A commit has returned that took so long; when, in nanoseconds since 1970.
    pub(crate) fn committed(&self, txg: Txg, took: Duration, now: i64) {
        self.commits.add(took);
        self.txg.set(txg.0);
        self.last_commit.set(nanos(took));
        self.committed_at.set(u64::try_from(now).unwrap_or(0));
    }

    /// What counts for a PV.
    pub(crate) fn pv(&self, pv: PvUuid) -> Arc<PvMeter> {
        let known = self.pvs.read().unwrap_or_else(PoisonError::into_inner).get(&pv).cloned();
        known.unwrap_or_else(|| {
            let mut all = self.pvs.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(pv).or_insert_with(|| Arc::new(PvMeter::new())))
        })
    }

    /// What was counted, with these PVs.
    pub(crate) fn seen(&self, pvs: impl Iterator<Item = (PvUuid, PathBuf)>) -> Meters {
        let pvs = pvs.map(|(uuid, path)| {
            let meter = self.pv(uuid);
            PvMeters {
                path,
                reads: meter.reads.seen(),
                read_bytes: meter.read_bytes.get(),
                writes: meter.writes.seen(),
                written_bytes: meter.written_bytes.get(),
            }
        });
        Meters {
            elapsed: self.activated.elapsed(),
            read: self.read.seen(),
            write: self.write.seen(),
            sync: self.sync.seen(),
            metadata: self.metadata.seen(),
            read_bytes: self.read_bytes.get(),
            written_bytes: self.written_bytes.get(),
            cache_hits: self.cache_hits.get(),
            cache_misses: self.cache_misses.get(),
            commits: self.commits.seen(),
            txg: self.txg.get(),
            last_commit: Duration::from_nanos(self.last_commit.get()),
            committed_at: self.committed_at.get(),
            pvs: pvs.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        let timer = Timer::new(1);
        let micros = Duration::from_micros;
        assert_eq!((timer.seen().mean(), timer.seen().within(990)), (None, None));
        (0..980).for_each(|_| timer.add(micros(10)));
        let before = timer.seen();
        (0..20).for_each(|_| timer.add(micros(1000)));
        let all = timer.seen();
        assert_eq!((all.count, all.mean()), (1000, Some(Duration::from_nanos(29_800))));
        let near =
            |found: Option<Duration>, wanted| found.is_some_and(|found| found > wanted && found <= wanted * 5 / 4);
        assert!(near(all.within(500), micros(10)) && near(all.within(990), micros(1000)), "{all:?}");
        let new = all.since(&before);
        assert_eq!((new.count, new.mean()), (20, Some(micros(1000))));
        assert!(near(new.within(1), micros(1000)) && near(new.within(1000), micros(1000)));
        assert_eq!(all.since(&all).within(1000), None);
    }

    #[test]
    fn pvs_are_counted_apart_also_those_that_come_later() {
        let meter = Meter::new();
        let uuids = [(); 4].map(|()| PvUuid::random().unwrap());
        meter.pv(uuids[2]).reading(7, || Ok::<_, ()>(())).unwrap();
        meter.pv(uuids[2]).reading(7, || Err::<(), _>(())).unwrap_err();
        meter.pv(uuids[0]).writing(0, || Ok::<_, ()>(())).unwrap();
        let paths = [PathBuf::from("a"), PathBuf::from("b"), PathBuf::from("c"), PathBuf::from("d")];
        let seen = meter.seen(uuids.into_iter().zip(paths.clone()));
        let told: Vec<_> = seen.pvs.iter().map(|pv| (pv.reads.count, pv.read_bytes, pv.writes.count)).collect();
        assert_eq!(told, [(0, 0, 1), (0, 0, 0), (2, 7, 0), (0, 0, 0)]);
        assert!(seen.pvs.iter().map(|pv| &pv.path).eq(&paths));
    }

    #[test]
    fn all_are_counted_and_some_are_timed() {
        let timer = Timer::new(EVERY);
        (0..100).for_each(|_| drop(timer.start()));
        let seen = timer.seen();
        assert_eq!((seen.count, seen.timed, seen.buckets.iter().sum()), (100, 6, 6u64));
        let under_way = timer.start();
        assert_eq!((timer.seen().count, timer.seen().timed), (101, 6));
        drop(under_way);
    }
}
