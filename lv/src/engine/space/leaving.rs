//! LEs that an active volume is to give up: nothing new goes into them, and they are emptied.

use pv::LeIndex;

use super::{Le, LeState, Space};

impl Space {
    pub(super) fn is_leaving(&self, le: LeIndex) -> bool {
        le.0 >= self.usable && self.get(le).is_some()
    }

    /// Fills only the first `count` LEs from here on. `false` when others are leaving already, or one that would is on a
    /// PV that is not there.
    pub(crate) fn leave(&mut self, count: u32) -> bool {
        let mut ends = self.les.iter().skip(usize::try_from(count).unwrap_or(usize::MAX));
        if self.is_leaving(LeIndex(self.usable)) || ends.any(|le| le.state == LeState::Away) {
            return false;
        }
        self.usable = count;
        self.take_back();
        true
    }

    /// Lets compaction fill one that is leaving and holds nothing, where there is no other: what it gains by that are others.
    /// `false` when there is none.
    pub(crate) fn lend(&mut self) -> bool {
        let empty = self.leaving().find(|(_, le)| le.state == LeState::Free).map(|(le, entry)| (entry.pv, le));
        let Some((pv, le)) = empty.filter(|_| self.free_count() == 0) else { return false };
        self.free.entry(pv).or_default().push_back(le);
        true
    }

    /// What was lent and not used is lent no longer.
    pub(crate) fn take_back(&mut self) {
        let usable = self.usable;
        for list in self.free.values_mut() {
            list.retain(|le| le.0 < usable);
        }
    }

    /// Those that were leaving stay.
    pub(crate) fn stay(&mut self) {
        let leaving: Vec<LeIndex> = self.leaving().map(|(le, _)| le).collect();
        self.usable = u32::try_from(self.les.len()).unwrap_or(u32::MAX);
        for le in leaving {
            if let Some(pv) = self.get(le).filter(|entry| entry.state == LeState::Free).map(|entry| entry.pv) {
                self.free.entry(pv).or_default().push_back(le);
            }
        }
    }

    /// The LEs that are leaving.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = (LeIndex, &Le)> {
        (0u32..).map(LeIndex).zip(&self.les).skip(usize::try_from(self.usable).unwrap_or(usize::MAX))
    }

    /// Forgets those that are leaving.
    pub(crate) fn cut(&mut self) {
        self.les.truncate(usize::try_from(self.usable).unwrap_or(usize::MAX));
    }
}
