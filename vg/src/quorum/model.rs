//! Every interleaving of changers on a few PVs, with a crash possible at every step.
//!
//! A step is one transaction on one PV; real changers hold all PVs locked meanwhile, so the model allows more than can
//! happen. A changer sees any set of PVs that may be reachable, promises on them one by one, installs on them one by
//! one, and may vanish in between. In every state, whatever majority is reachable must choose one generation, and the
//! history of that generation must hold every acknowledged change.

use std::collections::{BTreeSet, HashSet};

use pv::{Epoch, PvUuid, Seqno};

use super::{Choice, Generation, Replica, Round, choose};
use crate::Hash;

/// What the explorer found.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Safe { states: usize },
    Lost,
    Forked,
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    pvs: u8,
    /// Holders that change number `n` makes the holders, as bits.
    holders: [u8; 3],
    /// How many changes may begin.
    changes: u8,
    /// How many run at a time.
    at_once: usize,
    /// The protocol's promise; off only to prove that this model looks.
    promise: bool,
}

fn pv(n: u8) -> PvUuid {
    PvUuid::from_bytes([n; 16])
}

fn set(bits: u8) -> BTreeSet<PvUuid> {
    (0..8).filter(|n| bits & (1 << n) != 0).map(pv).collect()
}

/// The hash of a model generation is its history: the changes in it, in order.
fn generation(epoch: u64, history: &[u8], holders: BTreeSet<PvUuid>, prior: BTreeSet<PvUuid>) -> Generation {
    let mut text = [0xff; 32];
    text[..history.len()].copy_from_slice(history);
    let seqno = Seqno(history.len() as u64 + 1);
    Generation { epoch: Epoch(epoch), seqno, hash: Hash(text), forks: Vec::new(), holders, prior }
}

fn history(generation: &Generation) -> Vec<u8> {
    generation.hash.0.iter().copied().filter(|n| *n != 0xff).collect()
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Changer {
    id: u8,
    round: Round,
    next: Generation,
    /// What each PV it sees had when it was read.
    seen: Vec<(PvUuid, Option<Seqno>)>,
    /// PVs still to go to in this phase.
    todo: Vec<PvUuid>,
    installing: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    pvs: Vec<Replica>,
    changers: Vec<Changer>,
    begun: u8,
    acknowledged: BTreeSet<u8>,
}

impl State {
    fn first(setup: Setup) -> Self {
        let holders = set(setup.holders[0]);
        let start = generation(1, &[], holders.clone(), BTreeSet::new());
        let replica =
            |n| Replica { pv: pv(n), promised: Epoch(1), newest: holders.contains(&pv(n)).then(|| start.clone()) };
        Self {
            pvs: (0..setup.pvs).map(replica).collect(),
            changers: Vec::new(),
            begun: 0,
            acknowledged: BTreeSet::new(),
        }
    }

    fn sees(&self, bits: u8) -> Vec<Replica> {
        let visible = set(bits);
        self.pvs.iter().filter(|replica| visible.contains(&replica.pv)).cloned().collect()
    }

    /// A new changer that reaches these PVs.
    fn begin(&self, setup: Setup, bits: u8) -> Option<Self> {
        let replicas = self.sees(bits);
        let choice = choose(&replicas).ok()?;
        let id = self.begun;
        let holders = set(setup.holders[usize::from(id).min(2)]);
        let round = Round::new(&choice, holders.clone(), false)?;
        let mut past = history(&choice.newest);
        past.push(id);
        let prior = if holders == choice.newest.holders { BTreeSet::new() } else { choice.newest.holders.clone() };
        let epoch = if setup.promise { round.epoch } else { choice.newest.epoch };
        let targets = round.targets();
        let seen: Vec<_> = replicas
            .iter()
            .filter(|replica| targets.contains(&replica.pv))
            .map(|replica| (replica.pv, replica.newest.as_ref().map(|newest| newest.seqno)))
            .collect();
        let mut changer = Changer {
            id,
            next: generation(epoch.0, &past, holders, prior),
            todo: seen.iter().map(|(pv, _)| *pv).collect(),
            seen,
            round,
            installing: false,
        };
        if !setup.promise {
            changer.skip_promises();
        }
        let mut next = self.clone();
        next.begun += 1;
        next.changers.push(changer);
        Some(next)
    }

    /// One changer makes its next step.
    fn step(&self, at: usize, setup: Setup) -> Self {
        let mut next = self.clone();
        let changer = &mut next.changers[at];
        let target = changer.todo.remove(0);
        let replica = next.pvs.iter_mut().find(|replica| replica.pv == target).unwrap();
        // Reading and promising are one transaction on a real PV, so nothing came in between.
        let seqno = replica.newest.as_ref().map(|newest| newest.seqno);
        let unmoved = changer.seen.iter().any(|(pv, before)| *pv == target && *before == seqno);
        if changer.installing {
            if unmoved && (!setup.promise || replica.promised == changer.round.epoch) {
                replica.newest = Some(changer.next.clone());
                changer.round.install_made(target);
            }
        } else if unmoved && replica.promised < changer.round.epoch {
            replica.promised = changer.round.epoch;
            changer.round.promise_made(target);
        }
        if changer.round.acknowledged() {
            next.acknowledged.insert(changer.id);
        }
        if changer.todo.is_empty() && (changer.installing || !changer.begin_installing()) {
            next.changers.remove(at);
        }
        next
    }

    fn check(&self, setup: Setup) -> Option<Verdict> {
        for bits in 1..(1u8 << setup.pvs) {
            match choose(&self.sees(bits)) {
                Ok(choice) if choice.majority() && !self.keeps_all(&choice) => return Some(Verdict::Lost),
                Err(super::Undecided::Forked { .. }) => return Some(Verdict::Forked),
                _ => {}
            }
        }
        None
    }

    fn keeps_all(&self, choice: &Choice) -> bool {
        let past = history(&choice.newest);
        self.acknowledged.iter().all(|change| past.contains(change))
    }
}

impl Changer {
    fn begin_installing(&mut self) -> bool {
        self.installing = true;
        self.todo = self.seen.iter().map(|(pv, _)| *pv).filter(|pv| self.round.installs_on(*pv)).collect();
        self.round.may_install() && !self.todo.is_empty()
    }

    fn skip_promises(&mut self) {
        for (pv, _) in self.seen.clone() {
            self.round.promise_made(pv);
        }
        self.begin_installing();
    }
}

fn explore(setup: Setup) -> Verdict {
    let first = State::first(setup);
    let mut known: HashSet<State> = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(state) = open.pop() {
        if let Some(bad) = state.check(setup) {
            return bad;
        }
        let mut after = Vec::new();
        if state.begun < setup.changes && state.changers.len() < setup.at_once {
            after.extend((1..(1u8 << setup.pvs)).filter_map(|bits| state.begin(setup, bits)));
        }
        for at in 0..state.changers.len() {
            after.push(state.step(at, setup));
            let mut crashed = state.clone();
            crashed.changers.remove(at);
            after.push(crashed);
        }
        after.retain(|state| known.insert(state.clone()));
        open.extend(after);
    }
    Verdict::Safe { states: known.len() }
}

fn same(pvs: u8, changes: u8, at_once: usize) -> Setup {
    let all = (1u8 << pvs) - 1;
    Setup { pvs, holders: [all; 3], changes, at_once, promise: true }
}

fn assert_safe(setup: Setup, at_least: usize) {
    match explore(setup) {
        Verdict::Safe { states } => assert!(states >= at_least, "only {states} states: {setup:?}"),
        bad => panic!("{bad:?}: {setup:?}"),
    }
}

#[test]
fn two_pvs_never_lose_an_acknowledged_change() {
    assert_safe(same(2, 3, 2), 100);
}

#[test]
fn three_pvs_never_lose_an_acknowledged_change() {
    assert_safe(same(3, 3, 2), 10_000);
}

#[test]
fn without_the_promise_the_model_finds_a_lost_change_or_a_fork() {
    let verdict = explore(Setup { promise: false, ..same(3, 3, 2) });
    assert!(matches!(verdict, Verdict::Lost | Verdict::Forked), "{verdict:?}");
}

#[test]
fn holders_may_change_without_losing_a_change() {
    for holders in [[0b001, 0b011, 0b011], [0b011, 0b111, 0b110], [0b111, 0b011, 0b001], [0b011, 0b110, 0b100]] {
        assert_safe(Setup { holders, ..same(3, 3, 2) }, 100);
    }
}
