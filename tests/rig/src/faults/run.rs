//! One run of a workload with one fault.

use lv::{LvError, Rule, Volume};

use super::script::{Script, Step, operation};
use super::stage::{self, Size, Stage, Trouble, extend, grow};
use super::text;
use crate::disk::{Disk, FaultKind, FileKind};
use crate::engine::Weakness;
use crate::fs::{FsOp, Generator, History, Outcome, Snapshot, apply};
use crate::host::MemHost;
use crate::prng::Prng;

/// A run up to the moment where it is judged.
pub(super) struct Live {
    pub(super) disk: Disk,
    pub(super) stage: Stage,
    pub(super) history: History,
    pub(super) volume: Option<Volume>,
    /// What the volume group has at least, and at most.
    pub(super) acked: Size,
    pub(super) begun: Size,
    /// Calls that failed.
    pub(super) failed: u64,
    /// The volume refuses everything.
    pub(super) stopped: bool,
    /// Its fault cuts reads short.
    pub(super) cut: bool,
    host: MemHost,
    generator: Generator,
    seed: u64,
}

/// How a step ended when nothing is wrong with that.
enum Went {
    Well,
    /// It failed, and says why.
    Failed(Trouble),
}

impl Live {
    /// Runs `script` on `disk`, which holds its files and has its fault, until its end or until the volume stops.
    ///
    /// # Errors
    /// What is wrong, with the step.
    pub(super) fn run(script: &Script, stage: Stage, disk: Disk, (start, seed): (Size, u64)) -> Result<Self, String> {
        let mix = super::judge::mix(&stage);
        let mut live = Self {
            host: disk.host(),
            disk,
            stage,
            history: History::new(&Snapshot::default()),
            volume: None,
            acked: start,
            begun: start,
            failed: 0,
            stopped: false,
            cut: false,
            generator: Generator::new(seed, mix),
            seed,
        };
        live.go(script)?;
        Ok(live)
    }

    fn go(&mut self, script: &Script) -> Result<(), String> {
        self.cut = self.disk.fault().is_some_and(|fault| fault.kind == FaultKind::EarlyEnd);
        let went = self.activate(true).map_err(|why| format!("the first activation: {why}"))?;
        self.told("the first activation", went)?;
        for (number, step) in (1..).zip(&script.steps) {
            if self.volume.is_none() || self.stopped {
                return Ok(());
            }
            let what = format!("step {number} {step:?}");
            let went = self.step(step, number).map_err(|why| format!("{what}: {why}"))?;
            self.told(&what, went)?;
        }
        Ok(())
    }

    /// Judges how a step ended: the text of its failure, and what the volume does after it.
    fn told(&mut self, what: &str, went: Went) -> Result<(), String> {
        let Went::Failed(trouble) = went else { return Ok(()) };
        self.failed += 1;
        if self.disk.fault_counts().1 == 0 {
            return Err(format!("{what} failed though nothing was in its way: {}", text::chain(&*trouble)));
        }
        text::judge(&text::chain(&*trouble)).map_err(|why| format!("{what}: {why}"))?;
        let Some(volume) = &self.volume else { return Ok(()) };
        self.stopped = matches!(volume.getattr(lv::Ino::ROOT), Err(LvError::Poisoned { .. }));
        if self.stopped { self.refuses().map_err(|why| format!("after {what}: {why}")) } else { Ok(()) }
    }

    fn step(&mut self, step: &Step, number: u64) -> Result<Went, String> {
        match step {
            Step::Fs(words) => {
                let seed = Prng::derived(self.seed, &[number]).draw();
                let Some(op) = operation(words, &self.history, seed) else { return Ok(Went::Well) };
                self.apply(&op)
            }
            Step::Random => {
                let op = self.generator.draw(&self.history);
                self.apply(&op)
            }
            Step::Read => self.read(),
            Step::Reopen => self.reopen(),
            Step::Die => {
                self.host.release_locks();
                let after = self.disk.after_kill_keeping_fault();
                if let Some(volume) = self.volume.take() {
                    volume.abandon();
                }
                self.disk = after;
                self.host = self.disk.host();
                self.activate(false)
            }
            // What failed may have happened all the same.
            Step::Extend => {
                self.begun.pvs = self.begun.pvs.max(self.acked.pvs + 1);
                Ok(match extend(&self.disk.env_of(&self.host), self.acked.pvs) {
                    Ok(()) => {
                        self.acked.pvs += 1;
                        Went::Well
                    }
                    Err(trouble) => Went::Failed(trouble),
                })
            }
            Step::Grow => {
                self.begun.les += stage::STEP;
                match grow(&self.disk.env_of(&self.host)) {
                    Ok(()) => {
                        self.acked.les += stage::STEP;
                        self.reopen()
                    }
                    Err(trouble) => Ok(Went::Failed(trouble)),
                }
            }
        }
    }

    fn apply(&mut self, op: &FsOp) -> Result<Went, String> {
        let Some(volume) = &self.volume else { return Ok(Went::Well) };
        match apply(volume, op, Some(&self.disk.clock())) {
            Ok(outcome) => {
                self.history.push(op, outcome);
                Ok(Went::Well)
            }
            Err(error) => {
                // A commit for which there is no room is refused before it begins.
                let durable = (matches!(op, FsOp::Fsync(_) | FsOp::Sync) || self.failed_to_write(op))
                    && !matches!(error, LvError::HostFull { .. })
                    && !self.loss_must_show();
                if durable && !matches!(volume.getattr(lv::Ino::ROOT), Err(LvError::Poisoned { .. })) {
                    return Err(format!("it failed ({}), and the volume goes on", text::chain(&error)));
                }
                Ok(Went::Failed(error.into()))
            }
        }
    }

    /// Whether `op` sends data to the PVs, and what fails is a sync.
    fn failed_to_write(&self, op: &FsOp) -> bool {
        let kind = self.disk.fault().map(|fault| fault.kind);
        let sync = matches!(kind, Some(FaultKind::Sync | FaultKind::SyncDrop | FaultKind::SyncLie));
        sync && matches!(op, FsOp::Work(lv::Work::Flush))
    }

    /// That the volume goes on is what is off, and what is lost by it must show it. Not where a PV fails: it refuses
    /// everything by itself from then on, so that nothing is lost.
    fn loss_must_show(&self) -> bool {
        let file = self.disk.fault().and_then(|fault| fault.file);
        self.stage.weakness == Weakness::Without(Rule::StopAfterFailure)
            && !matches!(file, Some(FileKind::Pv | FileKind::PvJournal))
    }

    /// Reads every file: what it gets is right, or it is told that it cannot have it.
    fn read(&self) -> Result<Went, String> {
        let Some(volume) = &self.volume else { return Ok(Went::Well) };
        for (place, ino, expected) in self.history.files() {
            let found = volume.lookup(place.0, &place.1).and_then(|attr| Ok((attr.ino, volume.read_all(attr.ino)?)));
            match found {
                Ok((found, bytes)) if found == ino && bytes == expected => {}
                Ok((found, _)) => return Err(format!("{place:?}: inode {found} has not what {ino} had")),
                Err(error) => return Ok(Went::Failed(error.into())),
            }
        }
        Ok(Went::Well)
    }

    fn reopen(&mut self) -> Result<Went, String> {
        let Some(volume) = self.volume.take() else { return Ok(Went::Well) };
        match volume.close() {
            Ok(()) => self.history.push(&FsOp::Sync, Outcome::Done(None)),
            Err(error) => self.told("closing it", Went::Failed(error.into()))?,
        }
        self.host.release_locks();
        self.activate(false)
    }

    /// Activates the volume. What it shows then is what it may show, and all of it is durable.
    fn activate(&mut self, first: bool) -> Result<Went, String> {
        let (volume, found) = match self.stage.activate(&self.disk.env_of(&self.host)) {
            Ok(activated) => activated,
            Err(trouble) => return Ok(Went::Failed(trouble)),
        };
        if found != Size::default() {
            self.fits(found)?;
            self.acked = Size { pvs: found.pvs.max(self.acked.pvs), les: found.les.max(self.acked.les) };
        }
        self.begun = self.acked;
        if !first {
            match Snapshot::read(&volume) {
                Ok(shown) => {
                    self.history.judge(&shown, self.history.step(), self.history.step())?;
                    self.history = History::new(&shown);
                }
                // A fault may be in the way of reading; the end of the run judges what is there.
                Err(_) if self.disk.fault_counts().1 > 0 => {
                    volume.abandon();
                    return Ok(Went::Well);
                }
                Err(why) => return Err(why),
            }
        }
        self.volume = Some(volume);
        Ok(Went::Well)
    }

    /// Whether the volume group may be that large.
    pub(super) fn fits(&self, found: Size) -> Result<(), String> {
        let (pvs, les) = (self.acked.pvs..=self.begun.pvs, self.acked.les..=self.begun.les);
        if pvs.contains(&found.pvs) && les.contains(&found.les) {
            return Ok(());
        }
        Err(format!("the volume group has {found:?}, acknowledged were {:?}, begun {:?}", self.acked, self.begun))
    }

    /// The process is gone: what it had locked is free.
    pub(super) fn release_locks(&self) {
        self.host.release_locks();
    }

    /// After a failure with an unknown outcome nothing is acknowledged any more, and everybody is told why.
    fn refuses(&self) -> Result<(), String> {
        let Some(volume) = &self.volume else { return Ok(()) };
        let file = lv::NewNode::file(0o600);
        let answers = [
            ("sync", volume.sync()),
            ("fsync", volume.fsync(lv::Ino::ROOT)),
            ("create", volume.create(lv::Ino::ROOT, b"after", &file).map(drop)),
            ("transaction", volume.transaction(|_| Ok(()))),
        ];
        for (what, answer) in answers {
            match answer {
                Err(error @ LvError::Poisoned { .. }) => text::judge(&text::chain(&error))?,
                other => return Err(format!("{what} on a volume that has stopped says {other:?}")),
            }
        }
        Ok(())
    }
}
