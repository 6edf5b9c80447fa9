//! What the last operations did to the disk, so that a crash can fall into the middle of them.

use std::collections::VecDeque;

use crate::image::{Image, Mode, Model};
use crate::log::Op as DiskOp;

/// Operations that a crash may reach back to.
const REACH: usize = 6;

/// The log of a disk: what lies far back as a model, the rest operation by operation.
#[derive(Debug)]
pub(super) struct Tape {
    model: Model,
    /// The steps that the model does not have yet, oldest first.
    tail: VecDeque<Vec<DiskOp>>,
    /// Steps that it has.
    before: usize,
}

/// A crash: what it leaves, and what had happened.
#[derive(Debug)]
pub(super) struct Cut {
    /// The disk.
    pub(super) image: Image,
    /// Steps that had returned.
    pub(super) done: usize,
    /// Steps that had begun.
    pub(super) begun: usize,
}

impl Tape {
    /// All of `image` is durable.
    pub(super) fn new(image: &Image) -> Self {
        Self { model: Model::new(image), tail: VecDeque::new(), before: 0 }
    }

    /// What the next step did.
    pub(super) fn push(&mut self, log: Vec<DiskOp>) {
        self.tail.push_back(log);
        if self.tail.len() > REACH {
            self.settle_first();
        }
    }

    /// The steps so far are over: no crash falls into them any more, though what they left pending may still be lost.
    /// Steps are counted anew.
    pub(super) fn settle(&mut self) {
        while !self.tail.is_empty() {
            self.settle_first();
        }
        self.before = 0;
    }

    fn settle_first(&mut self) {
        for op in self.tail.pop_front().unwrap_or_default() {
            self.model.apply(&op);
        }
        self.before += 1;
    }

    /// Cuts the power `back` of the way back to the oldest operation that can be reached.
    pub(super) fn cut(&self, back: u16, mode: Mode, seed: u64) -> Cut {
        let total: usize = self.tail.iter().map(Vec::len).sum();
        let lost = (total + 1) * usize::from(back) / (usize::from(u16::MAX) + 1);
        let mut left = total - lost;
        let mut model = self.model.clone();
        let mut done = self.before;
        let mut begun = done;
        for step in &self.tail {
            let part = left.min(step.len());
            step[..part].iter().for_each(|op| model.apply(op));
            left -= part;
            if part < step.len() {
                begun = done + usize::from(part > 0);
                break;
            }
            done += 1;
            begun = done;
        }
        let image = model.image(mode, seed).or_else(|| model.image(Mode::Kill, seed));
        Cut { image: image.expect("what a kill leaves can always be made"), done, begun }
    }
}
