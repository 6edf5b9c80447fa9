//! Chunks on their way to the PVs.
//!
//! Each PV has a worker that runs its transactions in the order of the chunks, so that flush numbers rise on every PV.
//! PVs do not wait for each other: one computes while another waits for its disk. Chunks belong to rounds, and rounds
//! end in the order in which they began, so that the newer of two layers of a file is taken over last.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use pv::{Epoch, ExtentBatch, ExtentStore, FamilyUuid, FlushNo, FreshExtent, LeIndex, PvError, Txg};

use super::core::Core;
use super::flush::FlushToken;
use super::install::Filled;
use super::layer::Layer;
use super::place::{Chunk, PvWork};
use crate::meter::PvMeter;
use crate::{Ino, LvError, Result};

/// Chunks on their way at the same time.
const DEPTH: usize = 6;

/// One PV transaction.
struct Job {
    family: FamilyUuid,
    epoch: Epoch,
    flush: FlushNo,
    committed: Txg,
    work: PvWork,
}

/// Sealed layers and whose they are.
pub(crate) type Layers = Vec<(Ino, Arc<Layer>)>;

type Report = (FlushNo, Result<()>);

/// The thread of one PV; it ends when nobody can send to it any more.
#[derive(Debug)]
struct Worker {
    queue: Sender<Job>,
    thread: JoinHandle<()>,
}

/// Files' layers, or moved slices, that are being placed.
#[derive(Debug, Default)]
struct Round {
    layers: Layers,
    /// More chunks may come.
    open: bool,
    /// Chunks on their way.
    running: usize,
    /// What is durable.
    filled: Vec<Filled>,
}

/// The PVs' workers and what is on its way.
#[derive(Debug)]
pub(crate) struct Pipeline {
    workers: BTreeMap<usize, Worker>,
    report: Sender<Report>,
    reports: Receiver<Report>,
    /// Each with the number of PVs that still work on it, and its round.
    running: BTreeMap<FlushNo, (Chunk, usize, u64)>,
    rounds: VecDeque<Round>,
    /// Number of the first round.
    first: u64,
}

impl Default for Pipeline {
    fn default() -> Self {
        let (report, reports) = channel();
        let (workers, running, rounds) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { workers, report, reports, running, rounds, first: 0 }
    }
}

impl Pipeline {
    /// Begins a round; the chunks that come are its.
    pub(crate) fn begin(&mut self, layers: Layers) {
        self.rounds.push_back(Round { layers, open: true, ..Round::default() });
    }

    /// All chunks of the last round are on their way.
    pub(crate) fn end(&mut self) {
        if let Some(round) = self.rounds.back_mut() {
            round.open = false;
        }
    }

    /// Takes the last round out of the order: whoever began it knows what to do with it.
    pub(crate) fn take_back(&mut self) -> (Layers, Vec<Filled>) {
        self.rounds.pop_back().map(|round| (round.layers, round.filled)).unwrap_or_default()
    }

    /// The first round, when all of it is durable.
    fn take_done(&mut self) -> Option<(Layers, Vec<Filled>)> {
        self.rounds.front().filter(|round| !round.open && round.running == 0)?;
        let round = self.rounds.pop_front()?;
        self.first = self.first.saturating_add(1);
        Some((round.layers, round.filled))
    }

    /// The extents that are being written, each with its bytes.
    pub(crate) fn on_their_way(&self) -> impl Iterator<Item = (LeIndex, u32)> {
        self.running.values().flat_map(|(chunk, _, _)| chunk.extents())
    }

    fn round(&mut self, number: u64) -> Option<&mut Round> {
        self.rounds.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Why a worker takes no more jobs: its last report says so, which may not have been read yet.
    fn failure(&mut self) -> LvError {
        // What others still write, nobody will ask for.
        self.running.clear();
        self.reports.try_iter().find_map(|(_, written)| written.err()).unwrap_or_else(died)
    }

    /// Forgets everything and waits until the PVs' workers have ended.
    pub(crate) fn stop(&mut self) {
        for (_, Worker { queue, thread }) in std::mem::take(&mut self.workers) {
            drop(queue);
            // Its reports say how it ended.
            let _ = thread.join();
        }
        *self = Self::default();
    }
}

impl Core {
    /// Sends a chunk of the last round on its way as soon as there is room for one more.
    pub(crate) fn send_chunk(&self, token: &mut FlushToken<'_>, mut chunk: Chunk) -> Result<()> {
        while token.running.len() >= DEPTH {
            self.wait_one(token)?;
        }
        let (flush, committed) = (chunk.flush, chunk.committed);
        let work = std::mem::take(&mut chunk.work);
        let number = token.first.saturating_add(u64::try_from(token.rounds.len()).unwrap_or(0)).saturating_sub(1);
        if let Some(round) = token.rounds.back_mut() {
            round.running = round.running.saturating_add(1);
        }
        token.running.insert(flush, (chunk, work.len(), number));
        for (pv, work) in work {
            let job = Job { family: self.family, epoch: self.epoch, flush, committed, work };
            self.send(token, pv, job)?;
        }
        // Without threads everything has happened already.
        if self.env.threads { Ok(()) } else { self.drain(token) }
    }

    fn send(&self, token: &mut FlushToken<'_>, pv: usize, job: Job) -> Result<()> {
        let slot = self.extents().pvs.get(pv).and_then(|slot| Some((slot.store.clone()?, slot.uuid)));
        let (store, uuid) =
            slot.ok_or(LvError::Invalid { what: "an extent was to be written to a missing physical volume" })?;
        let (report, meter) = (token.report.clone(), self.meter.pv(uuid));
        if self.env.threads
            && !token.workers.contains_key(&pv)
            && let Ok(worker) = Worker::spawn(Arc::clone(&store), report.clone(), Arc::clone(&meter))
        {
            token.workers.insert(pv, worker);
        }
        let sent = match token.workers.get(&pv) {
            Some(worker) => worker.queue.send(job).is_ok(),
            None => report.send((job.flush, write(&*store, &job, &meter))).is_ok(),
        };
        if sent { Ok(()) } else { Err(self.poison(token.failure())) }
    }

    /// Waits until everything on its way is durable and taken over.
    pub(crate) fn drain(&self, token: &mut FlushToken<'_>) -> Result<()> {
        while self.wait_one(token)? {}
        Ok(())
    }

    /// Waits for one PV to be done with one chunk; `false` when nothing is on its way. Any failure has an unknown outcome
    /// and stops the volume.
    pub(crate) fn wait_one(&self, token: &mut FlushToken<'_>) -> Result<bool> {
        if token.running.is_empty() {
            return Ok(false);
        }
        let (flush, written) = token.reports.recv().map_err(|_| self.poison(died()))?;
        if let Err(error) = written {
            // The failed worker takes no more jobs; what others still write, nobody will ask for.
            token.running.clear();
            return Err(self.poison(error));
        }
        let Some((_, left, _)) = token.running.get_mut(&flush) else { return Ok(true) };
        *left = left.saturating_sub(1);
        if *left == 0
            && let Some((chunk, _, number)) = token.running.remove(&flush)
        {
            let filled = self.written(chunk)?;
            if let Some(round) = token.round(number) {
                round.running = round.running.saturating_sub(1);
                round.filled.extend(filled);
            }
            self.install_done(token)?;
        }
        Ok(true)
    }

    /// Takes over the rounds that are durable.
    pub(crate) fn install_done(&self, token: &mut FlushToken<'_>) -> Result<()> {
        while let Some((layers, filled)) = token.take_done() {
            self.install(&layers, filled)?;
        }
        Ok(())
    }

    /// Ends the last round, which has failed; what it has put on the PVs is named, if only to be given back. A volume that
    /// has stopped leaves that to its next activation.
    pub(crate) fn give_up(&self, token: &mut FlushToken<'_>) -> Result<Layers> {
        let drained = self.drain(token);
        let (layers, filled) = token.take_back();
        if drained.is_ok()
            && let Ok(mut state) = self.state()
        {
            state.install_filled(self, filled, |_| false)?;
        }
        Ok(layers)
    }
}

impl Worker {
    fn spawn(store: Arc<dyn ExtentStore>, report: Sender<Report>, meter: Arc<PvMeter>) -> std::io::Result<Self> {
        let (queue, jobs) = channel::<Job>();
        let run = move || {
            for job in jobs {
                // Somebody waits for this report: even a panic must send one.
                let written =
                    catch_unwind(AssertUnwindSafe(|| write(&*store, &job, &meter))).unwrap_or_else(|_| Err(died()));
                let failed = written.is_err();
                if report.send((job.flush, written)).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("anyfs-lvm-pv".to_owned()).spawn(run)?;
        Ok(Self { queue, thread })
    }
}

fn died() -> LvError {
    LvError::Poisoned { why: "a worker thread died".to_owned(), full: false }
}

fn write(store: &dyn ExtentStore, job: &Job, meter: &PvMeter) -> Result<()> {
    let Job { family, epoch, flush, committed, work } = job;
    let batch = ExtentBatch {
        family: *family,
        epoch: *epoch,
        flush: *flush,
        txg: *committed,
        fresh: &work.fresh,
        freed: &work.freed,
    };
    let bytes = work.fresh.iter().map(FreshExtent::fill).sum();
    loop {
        match meter.writing(bytes, || store.commit(&batch)) {
            // Nothing was begun. Stopping another volume's owner must not end this one: it waits, as for a slow disk.
            Err(PvError::Held { .. }) => {}
            done => return Ok(done?),
        }
    }
}
