//! What happens around a volume: it is closed, dropped, killed, loses power, and comes back.

use lv::{Volume, Work};

use super::found::Found;
use super::op::World;
use super::past::Past;
use super::run::Machine;
use super::tape::{Cut, Tape};
use crate::image::Mode;

impl Machine {
    pub(super) fn run_world(&mut self, world: &World) {
        match world {
            World::Reopen => self.reopen(),
            World::Abandon => self.abandon(),
            World::Kill => {
                let last = self.past.last();
                let image = self.ground.disk.image();
                self.crash(&Cut { image, done: last, begun: last });
            }
            World::PowerLoss { back, mode, seed } => {
                let mode = Mode::ALL[usize::from(*mode) % Mode::ALL.len()];
                let cut = self.tape.cut(*back, mode, *seed);
                self.counts.inside += u64::from(cut.begun > cut.done);
                self.crash(&cut);
            }
            World::Grow { more, elsewhere } => self.grow(*more, *elsewhere),
            World::AddPv { elsewhere } => self.add_pv(*elsewhere),
            World::RemovePv { pv, elsewhere } => self.remove_pv(*pv, *elsewhere),
            World::TakeAway { pv, folder } => self.take_away(*pv, *folder),
            World::BringBack => self.bring_back(),
            World::Fill { at, chunk } => self.fill(*at, *chunk),
            World::Churn { node, rounds, seed } => self.churn(*node, *rounds, *seed),
            World::Squeeze { free } => self.squeeze(*free),
            World::Relax => self.relax(),
        }
    }

    /// Closes the volume properly.
    pub(super) fn close(&mut self) {
        let volume = self.volume.take().expect("it is open between operations");
        volume.close().unwrap_or_else(|error| panic!("close: {error}"));
        self.reference.reopen();
        self.listing = None;
    }

    /// Closed and opened again, by the same process or another.
    pub(super) fn reopen(&mut self) {
        let volume = self.volume.take().expect("it is open between operations");
        self.counts.remounts += 1;
        match volume.close() {
            Ok(()) => {
                self.reference.reopen();
                self.promise.everything = true;
                let opened = self.activate();
                self.come_up(opened);
            }
            Err(error) => {
                assert!(self.squeezed, "close: {error}");
                self.step_back();
            }
        }
    }

    /// Activates, if need be after room was made on the host.
    fn activate(&mut self) -> Volume {
        match self.ground.activate() {
            Ok(volume) => volume,
            Err(error) => {
                assert!(self.squeezed, "activation: {error}");
                assert!(is_full(&error), "activation on a full disk: {error}");
                self.relax();
                self.ground.activate().unwrap_or_else(|error| panic!("activation after room was made: {error}"))
            }
        }
    }

    /// The volume is open again as the reference says.
    fn come_up(&mut self, volume: Volume) {
        self.listing = None;
        self.opened(volume);
        self.tidy();
        if !self.stopped {
            self.check();
        }
    }

    /// What was open without a name goes.
    pub(super) fn tidy(&mut self) {
        let volume = self.volume().clone();
        loop {
            match volume.step(Work::Clean { idle: true }) {
                Ok(true) => {}
                Ok(false) => return,
                other => return self.same(other.map(drop), |_| Ok(())),
            }
        }
    }

    /// Its process drops the volume without a commit and ends; another one opens it.
    fn abandon(&mut self) {
        self.counts.remounts += 1;
        let volume = self.volume.take().expect("it is open between operations");
        volume.abandon();
        self.step_back();
    }

    /// The present operation stopped the volume.
    pub(super) fn come_back(&mut self) {
        self.stopped = false;
        self.counts.stopped += 1;
        let volume = self.volume.take().expect("it is open between operations");
        volume.abandon();
        let last = self.past.last();
        self.recover((last.saturating_sub(1), last));
    }

    /// Between two operations the volume ended without a commit, and the disk is as it was left.
    fn step_back(&mut self) {
        let last = self.past.last();
        self.recover((last, last));
    }

    fn recover(&mut self, (done, begun): (usize, usize)) {
        self.ground.next_process();
        self.tape.push(self.ground.disk.take_log());
        self.tape.settle();
        if self.away.is_some() {
            // What lies on it cannot be judged without it.
            self.put_back();
            let _ = self.ground.disk.take_log();
            self.tape = Tape::new(&self.ground.disk.image());
        }
        let volume = self.activate();
        self.adopt(volume, (done, begun));
    }

    /// The machine stops at `cut` and starts again.
    fn crash(&mut self, cut: &Cut) {
        self.counts.crashes += 1;
        let volume = self.volume.take().expect("it is open between operations");
        volume.abandon();
        self.ground.restart(&cut.image);
        self.squeezed = false;
        self.put_back();
        self.ground.disk.start_recording();
        self.tape = Tape::new(&self.ground.disk.image());
        let volume = self.activate();
        self.adopt(volume, (cut.done, cut.begun));
    }

    /// Takes over what was found, if a crash was allowed to leave it: all of it is durable now.
    fn adopt(&mut self, volume: Volume, (done, begun): (usize, usize)) {
        let lacks = self.ground.lacks().filter(|_| self.away.is_none());
        assert_eq!(lacks, None, "after a crash with all PVs there");
        let found = Found::read(&volume).unwrap_or_else(|error| panic!("after a crash: {error}"));
        let shape = self.ground.shape();
        let verdict = self.past.judge(&self.inos, (&found, &shape), (done, begun));
        let verdict = verdict.unwrap_or_else(|message| panic!("after a crash: {message}"));
        let now = self.reference.now;
        self.counts.losing += u64::from(verdict.lost);
        self.reference = verdict.files;
        self.reference.now = now;
        self.group = verdict.group;
        let made = self.reference.made();
        self.inos.retain(|id, _| *id < made);
        self.past = Past::new(&self.reference, &self.group);
        self.come_up(volume);
    }
}

/// Whether an error says that there is no room on the host.
fn is_full(error: &anyfs_lvm::Error) -> bool {
    let full = |error: &pv::PvError| matches!(error, pv::PvError::NoSpace { .. });
    match error {
        anyfs_lvm::Error::Lv(error) => error.errno() == 28,
        anyfs_lvm::Error::Pv(error) | anyfs_lvm::Error::Vg(vg::VgError::Pv(error)) => full(error),
        _ => false,
    }
}
