//! The executor on replicas in memory that fail, or vanish, at every single operation.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use pv::{Epoch, PvError, Seqno};

use super::*;
use crate::replica::ReplicaState;
use crate::sample::{group, pv};

/// Operations until the crash; every later one fails.
type Fuse = Rc<RefCell<u32>>;

#[derive(Debug, Clone)]
struct Memory {
    uuid: PvUuid,
    state: Rc<RefCell<ReplicaState>>,
    fuse: Fuse,
}

struct MemoryChange {
    at: Memory,
    pending: RefCell<Vec<DescriptorCopy>>,
}

impl Memory {
    fn new(n: u8, copy: &DescriptorCopy) -> Self {
        let state = ReplicaState { promised: copy.epoch, copies: vec![copy.clone()], damaged: 0 };
        Self { uuid: pv(n), state: Rc::new(RefCell::new(state)), fuse: Rc::new(RefCell::new(u32::MAX)) }
    }

    fn burn(&self) -> pv::Result<()> {
        let mut left = self.fuse.borrow_mut();
        *left = left.checked_sub(1).ok_or_else(|| PvError::Io {
            path: PathBuf::from("pv"),
            operation: "go on",
            source: io::Error::other("crashed"),
        })?;
        Ok(())
    }
}

impl DescriptorReplica for Memory {
    fn uuid(&self) -> PvUuid {
        self.uuid
    }

    fn read(&self) -> pv::Result<ReplicaState> {
        Ok(self.state.borrow().clone())
    }

    fn begin(&self) -> pv::Result<Box<dyn ReplicaChange>> {
        self.burn()?;
        let pending = RefCell::new(self.state.borrow().copies.clone());
        Ok(Box::new(MemoryChange { at: self.clone(), pending }))
    }
}

impl ReplicaChange for MemoryChange {
    fn read(&self) -> pv::Result<ReplicaState> {
        self.at.read()
    }

    fn promise(&self, epoch: Epoch) -> pv::Result<()> {
        self.at.burn()?;
        let mut state = self.at.state.borrow_mut();
        if state.promised >= epoch {
            return Err(PvError::Superseded { path: PathBuf::from("pv") });
        }
        state.promised = epoch;
        Ok(())
    }

    fn install(&self, copy: &DescriptorCopy, previous: Option<Seqno>) -> pv::Result<()> {
        self.at.burn()?;
        let mut pending = self.pending.borrow_mut();
        if self.at.state.borrow().promised != copy.epoch || pending.last().map(|c| c.seqno) != previous {
            return Err(PvError::Superseded { path: PathBuf::from("pv") });
        }
        pending.push(copy.clone());
        Ok(())
    }

    fn clear(&self) -> pv::Result<()> {
        self.pending.borrow_mut().clear();
        Ok(())
    }

    fn set_place(&self, _: &Place) -> pv::Result<()> {
        Ok(())
    }

    fn commit(self: Box<Self>) -> pv::Result<()> {
        self.at.burn()?;
        self.at.state.borrow_mut().copies = self.pending.borrow().clone();
        // The commit may have happened although the caller never hears of it.
        self.at.burn()
    }
}

fn replicas(n: u8) -> Vec<Memory> {
    let first = group(&vec![4; usize::from(n)]);
    let copy = stored(&first).unwrap();
    (0..n).map(|n| Memory::new(n, &copy)).collect()
}

fn newest(of: &[Memory]) -> (Choice, Descriptor) {
    let decoded: Vec<_> = of.iter().map(|one| one.state.borrow().decode(one.uuid).unwrap()).collect();
    let choice = choose(&decoded.iter().map(|d| d.replica.clone()).collect::<Vec<_>>()).unwrap();
    let holder = *choice.current.first().unwrap();
    let held = decoded.into_iter().find(|d| d.replica.pv == holder).unwrap();
    (choice, held.descriptor.unwrap())
}

/// One change that adds a tag.
fn change(of: &[Memory], tag: &str) -> Result<Outcome> {
    let (choice, mut next) = newest(of);
    next.tags.insert(tag.parse().unwrap());
    let id = *Hash::of(tag.as_bytes()).0.first_chunk().unwrap();
    let proposal = Proposal { base: Some(choice.newest.hash), next, change: id, force: false };
    let refs: Vec<&dyn DescriptorReplica> = of.iter().map(|one| one as &dyn DescriptorReplica).collect();
    replicate(&refs, &proposal)
}

#[test]
fn a_crash_at_any_operation_loses_no_acknowledged_change() {
    for n in [1u8, 2, 3, 5] {
        for crash in 0..40 {
            let all = replicas(n);
            let mut acknowledged = vec!["first"];
            assert!(matches!(change(&all, "first"), Ok(Outcome::Done(_))));
            let fuse: Fuse = Rc::new(RefCell::new(crash));
            let crashing: Vec<_> = all.iter().map(|one| Memory { fuse: Rc::clone(&fuse), ..one.clone() }).collect();
            if change(&crashing, "second").is_ok() {
                acknowledged.push("second");
            }
            // The next changer reaches only a majority; every choice of it must see what was acknowledged.
            for bits in 0u32..1 << n {
                let some: Vec<_> =
                    (0..n).filter(|at| bits & (1 << at) != 0).map(|at| all[usize::from(at)].clone()).collect();
                if some.len() <= usize::from(n) / 2 {
                    continue;
                }
                let (_, seen) = newest(&some);
                for tag in &acknowledged {
                    assert!(seen.tags.iter().any(|t| t.as_str() == *tag), "{n} PVs, crash {crash}, {bits:b}: {tag}");
                }
            }
            let majority = &all[..=usize::from(n) / 2];
            assert!(matches!(change(majority, "third"), Ok(Outcome::Done(_))), "{n} PVs, crash {crash}");
            let (choice, seen) = newest(&all);
            assert!(choice.acknowledged() && seen.tags.iter().any(|t| t.as_str() == "third"));
            assert!(matches!(change(&all, "fourth"), Ok(Outcome::Done(_))));
            assert!(newest(&all).0.stale.is_empty(), "the change after repairs the rest");
        }
    }
}

#[test]
fn a_plan_made_on_an_older_generation_is_sent_back() {
    let all = replicas(3);
    let (old, mut next) = newest(&all);
    assert!(matches!(change(&all, "other"), Ok(Outcome::Done(_))));
    next.resizeable = false;
    let proposal = Proposal { base: Some(old.newest.hash), next, change: [1; 16], force: false };
    let refs: Vec<&dyn DescriptorReplica> = all.iter().map(|one| one as &dyn DescriptorReplica).collect();
    assert!(matches!(replicate(&refs, &proposal), Ok(Outcome::Moved)));
    assert!(newest(&all).1.resizeable);
}

#[test]
fn a_minority_is_refused_and_writes_nothing() {
    for n in [2u8, 3, 4, 5] {
        let all = replicas(n);
        let before: Vec<_> = all.iter().map(|one| one.state.borrow().promised).collect();
        let refused = change(&all[..usize::from(n) / 2], "x");
        assert!(matches!(refused, Err(VgError::NoMajority { refusing: 0, .. })), "{n}: those that are there agree");
        assert_eq!(before, all.iter().map(|one| one.state.borrow().promised).collect::<Vec<_>>());
    }
}
