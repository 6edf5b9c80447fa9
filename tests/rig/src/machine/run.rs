//! A volume and what it should be: runs operations on both and compares what they say.

use std::collections::BTreeMap;
use std::fmt::Debug;

use lv::{Attr, CheckOptions, Ino, LvError, Volume, Work};

use super::away::Away;
use super::counts::Counts;
use super::ground::Ground;
use super::list::Listing;
use super::op::{Op, Pick, Place, name};
use super::past::{Group, Past, Promise};
use super::reference::{Id, ROOT, Reference, Result};
use super::setup::Setup;
use super::tape::Tape;
use crate::engine::Weakness;
use crate::prng::Prng;

/// Bytes that follow from a seed.
pub(super) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Prng::new(seed).fill(&mut bytes);
    bytes
}

/// How an operation may end other than the reference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excuse {
    /// There was no room, or a PV is away: nothing happened.
    Refused,
    /// The volume stopped for want of room on the host: whether it happened is unknown.
    Stopped,
}

/// A volume, the stack below it, and the reference.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four questions about the present operation, with nothing in common")]
pub(super) struct Machine {
    pub(super) ground: Ground,
    /// `None` only while it is closed.
    pub(super) volume: Option<Volume>,
    pub(super) reference: Reference,
    pub(super) group: Group,
    /// Extents of the volume when it was opened: the later ones are not seen yet.
    pub(super) opened_with: u32,
    /// Inode numbers of the reference's nodes.
    pub(super) inos: BTreeMap<Id, Ino>,
    pub(super) listing: Option<Listing>,
    pub(super) past: Past,
    pub(super) tape: Tape,
    /// What the present operation promises.
    pub(super) promise: Promise,
    /// The present operation writes data, and may find no room.
    pub(super) may_refuse: bool,
    /// A transaction runs.
    pub(super) together: bool,
    /// The PV that is not there.
    pub(super) away: Option<Away>,
    /// The host's disk may be full.
    pub(super) squeezed: bool,
    /// The present operation stopped the volume.
    pub(super) stopped: bool,
    pub(super) counts: Counts,
}

impl Machine {
    pub(super) fn new(setup: Setup, weakness: Weakness) -> Self {
        let mut ground = Ground::new(setup, weakness);
        ground.disk.start_recording();
        let mut tape = Tape::new(&ground.disk.image());
        let volume = ground.activate().unwrap_or_else(|error| panic!("a new volume cannot be activated: {error}"));
        let reference = Reference::new(&volume.getattr(Ino::ROOT).unwrap());
        let group = ground.shape();
        tape.push(ground.disk.take_log());
        let mut past = Past::new(&reference, &group);
        past.push(&reference, &group, Promise::default());
        Self {
            ground,
            volume: Some(volume),
            past,
            tape,
            reference,
            opened_with: group.extents,
            group,
            inos: BTreeMap::from([(ROOT, Ino::ROOT)]),
            listing: None,
            promise: Promise::default(),
            may_refuse: false,
            together: false,
            away: None,
            squeezed: false,
            stopped: false,
            counts: Counts::default(),
        }
    }

    pub(super) fn volume(&self) -> &Volume {
        self.volume.as_ref().expect("it is open between operations")
    }

    pub(super) fn ino(&self, id: Id) -> Ino {
        self.inos[&id]
    }

    /// A node that is there, or now and then one that is gone.
    pub(super) fn pick(&self, pick: Pick) -> (Id, Ino) {
        let mut ids: Vec<Id> = self.reference.ids().collect();
        if !self.together {
            ids.extend((0..self.reference.made()).rev().find(|id| self.is_gone(*id)));
        }
        let id = ids[usize::from(pick) % ids.len()];
        (id, self.ino(id))
    }

    /// A node that was there and is not.
    fn is_gone(&self, id: Id) -> bool {
        self.reference.get(id).is_err() && self.inos.contains_key(&id)
    }

    /// A directory, or now and then anything.
    pub(super) fn pick_dir(&self, pick: Pick) -> (Id, Ino) {
        if pick >= 240 {
            return self.pick(pick);
        }
        let dirs: Vec<Id> = self.reference.ids().filter(|id| self.reference.dir(*id).is_ok()).collect();
        let id = dirs[usize::from(pick) % dirs.len()];
        (id, self.ino(id))
    }

    pub(super) fn place(&self, at: Place) -> ((Id, Ino), Vec<u8>) {
        (self.pick_dir(at.0), name(at.1))
    }

    fn excuse<T>(&mut self, got: &std::result::Result<T, LvError>) -> Option<Excuse> {
        let error = got.as_ref().err()?;
        match error {
            LvError::NoSpace { free, needed } => {
                assert!(self.may_refuse && free < needed, "{error}");
                self.counts.refused += 1;
                self.check_refusal(*needed);
                Some(Excuse::Refused)
            }
            LvError::HostFull { free, needed, .. } => {
                assert!(self.squeezed && free < needed, "{error}");
                self.counts.refused += 1;
                Some(Excuse::Refused)
            }
            LvError::TooBig { .. } if self.together && self.may_refuse => Some(Excuse::Refused),
            LvError::PvMissing { pv, .. } => {
                let away = self.away.as_mut().unwrap_or_else(|| panic!("all PVs are there: {error}"));
                assert_eq!(*pv, away.file, "{error}");
                Some(Excuse::Refused)
            }
            _ if self.squeezed && !self.together && self.has_stopped() => {
                self.stopped = true;
                Some(Excuse::Stopped)
            }
            _ => None,
        }
    }

    fn has_stopped(&self) -> bool {
        matches!(self.volume().statfs(), Err(LvError::Poisoned { .. }))
    }

    /// Both say the same, or there is an [`Excuse`].
    pub(super) fn same<T: PartialEq + Debug>(
        &mut self,
        got: std::result::Result<T, LvError>,
        expected: impl FnOnce(&mut Self) -> Result<T>,
    ) {
        match self.excuse(&got) {
            None => {
                let text = got.as_ref().err().map(ToString::to_string).unwrap_or_default();
                assert_eq!(got.map_err(|error| error.errno()), expected(self), "{text}");
            }
            Some(Excuse::Refused) => {}
            Some(Excuse::Stopped) => drop(expected(self)),
        }
    }

    /// The same for calls that return attributes of a node. What makes a node does not happen when it fails.
    pub(super) fn same_attr(
        &mut self,
        got: std::result::Result<Attr, LvError>,
        expected: impl FnOnce(&mut Reference) -> Result<Id>,
    ) {
        if self.excuse(&got).is_some() {
            return;
        }
        let ino = got.as_ref().ok().map(|attr| attr.ino);
        let expected = expected(&mut self.reference).map(|id| {
            let known = *self.inos.entry(id).or_insert(ino.unwrap_or(Ino(0)));
            self.reference.get(id).map(|node| node.attr(known))
        });
        let got = got.map(|attr| Ok(Attr { stored: 0, ..attr })).map_err(|error| error.errno());
        assert_eq!(got, expected);
    }

    /// Runs one operation and notes what a crash may leave of it.
    pub(super) fn run(&mut self, op: &Op) {
        self.reference.now = self.ground.clock.tick();
        self.counts.operations += 1;
        match op {
            Op::World(world) => self.run_world(world),
            Op::Together { ops, fails } => self.run_together(ops, *fails),
            _ => self.run_files(op),
        }
        self.forget_what_left();
        self.note();
    }

    /// The step is over.
    pub(super) fn note(&mut self) {
        let mut promise = std::mem::take(&mut self.promise);
        promise.replaced = self.reference.take_replaced();
        self.past.push(&self.reference, &self.group, promise);
        self.tape.push(self.ground.disk.take_log());
        let mut tries = 0;
        while self.stopped {
            // Coming back needs room itself.
            if tries > 1 {
                self.relax();
            }
            self.come_back();
            tries += 1;
        }
    }

    /// The volume is open.
    pub(super) fn opened(&mut self, volume: Volume) {
        if let Some(notices) = self.ground.lacks() {
            assert!(self.away.is_some(), "all PVs are there, and the group says: {notices}");
        }
        self.opened_with = self.ground.shape().extents;
        self.volume = Some(volume);
    }

    /// The case is over: everything is brought back, compared, and taken away.
    pub(super) fn end(&mut self) {
        self.relax();
        self.bring_back();
        self.check();
        let report = self.volume().check(CheckOptions::ALL).expect("a whole volume can be checked");
        assert!(report.is_clean(), "{:#?}", report.problems);
        self.reopen();
        self.empty();
        self.counts.cases += 1;
    }

    fn run_files(&mut self, op: &Op) {
        let mut volume = self.volume().clone();
        self.may_refuse = op.writes();
        match op {
            // What a lack of room leaves of a path is not foretold.
            Op::MkdirAll { path } if !self.squeezed => self.mkdir_all(path),
            Op::MkdirAll { .. } => {}
            Op::Zero { .. } | Op::Allocate { .. } => self.run_range(op),
            Op::CopyRange { .. } | Op::CopyFile { .. } => self.run_copy(op),
            Op::Open { .. } | Op::Release { .. } => self.run_open(op),
            Op::List { dir, page } => self.list(*dir, *page),
            Op::Fsync { .. } | Op::Sync | Op::Step { .. } => self.run_whole(op),
            _ => self.run_with(op, &mut volume),
        }
        self.run_look(op);
        self.may_refuse = false;
    }

    /// Runs an operation that a transaction can hold.
    fn run_with(&mut self, op: &Op, calls: &mut dyn super::calls::Calls) {
        self.run_make(op, calls);
        self.run_name(op, calls);
        self.run_write(op, calls);
        self.run_xattr(op, calls);
    }

    /// Several operations as one.
    fn run_together(&mut self, ops: &[Op], fails: bool) {
        let volume = self.volume().clone();
        let before = self.reference.clone();
        let mut ran = false;
        let done = volume.transaction(|tx| {
            ran = true;
            self.together = true;
            for op in ops {
                self.may_refuse = op.writes();
                self.run_with(op, tx);
            }
            if fails { Err(LvError::Interrupted) } else { Ok(()) }
        });
        self.together = false;
        self.may_refuse = false;
        if ran && !fails {
            done.expect("nothing in it failed");
            self.promise.joined = self.reference.written_since(&before);
            self.counts.transactions += 1;
            return;
        }
        let now = self.reference.now;
        self.reference = before;
        self.reference.now = now;
        let made = self.reference.made();
        self.inos.retain(|id, _| *id < made);
        if !ran {
            self.same(done, |_| Ok(()));
        }
    }

    fn run_whole(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Fsync { node } => {
                let (id, ino) = self.pick(*node);
                let got = volume.fsync(ino);
                self.promise.file = got.is_ok().then_some(id);
                self.same(got, |machine| machine.reference.get(id).map(drop));
            }
            Op::Sync => {
                let got = volume.sync();
                self.promise.everything = got.is_ok();
                self.same(got, |_| Ok(()));
            }
            Op::Step { work } => {
                let kinds = [Work::Flush, Work::Compact, Work::Intents, Work::Delete, Work::Clean { idle: true }];
                self.same(volume.step(kinds[usize::from(*work)]).map(drop), |_| Ok(()));
            }
            _ => {}
        }
    }
}
