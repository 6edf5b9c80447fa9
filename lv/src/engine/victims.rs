//! Which extents a round of compaction empties: a plan that says before anything is read or written whether extents are
//! gained.

/// Bytes that move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) len: u32,
    /// It may go to several extents.
    pub(crate) splits: bool,
}

/// Extents to be filled, and what empties others into them, by the rule of [`Packer`](super::pack::Packer): each piece goes
/// to the first extent that has room for it, or for a part of it when it splits.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    extent: u32,
    free: usize,
    /// What is left of the extents that are filled.
    rooms: Vec<u32>,
    /// Extents that are emptied, or from which all room that was left was filled.
    touched: usize,
}

impl Plan {
    /// Nothing yet, with `free` extents of `extent` bytes to fill.
    pub(crate) const fn new(extent: u32, free: usize) -> Self {
        Self { extent, free, rooms: Vec::new(), touched: 0 }
    }

    /// Whether nothing more fits.
    pub(crate) fn is_full(&self) -> bool {
        self.rooms.len() >= self.free && self.rooms.iter().all(|room| *room == 0)
    }

    /// Extents that are filled so far.
    pub(crate) fn filled(&self) -> usize {
        self.rooms.len()
    }

    /// Whether moving these pieces could ever gain anything: not when they are a whole extent.
    pub(crate) fn may_gain(&self, pieces: &[Piece]) -> bool {
        pieces.iter().map(|piece| u64::from(piece.len)).sum::<u64>() < u64::from(self.extent)
    }

    /// Takes up the pieces of one extent: how much of each moves, or `None` when they do not fit. The last extent may be
    /// taken up in part, if that leaves no room at all.
    pub(crate) fn add(&mut self, pieces: &[Piece]) -> Option<Vec<u32>> {
        let mut rooms = self.rooms.clone();
        let taken: Vec<u32> = pieces.iter().map(|piece| self.fit(&mut rooms, *piece)).collect();
        let whole = taken.iter().zip(pieces).all(|(taken, piece)| *taken == piece.len);
        if !whole && !pieces.iter().all(|piece| piece.splits) {
            return None;
        }
        self.rooms = rooms;
        self.touched = self.touched.saturating_add(1);
        Some(taken)
    }

    /// Whether more extents are emptied than filled. One that moves in part counts: what it moves to is full then, and full
    /// extents are never emptied, so that the next rounds end.
    pub(crate) fn gains(&self) -> bool {
        self.touched > self.rooms.len()
    }

    fn fit(&self, rooms: &mut Vec<u32>, piece: Piece) -> u32 {
        let mut left = piece.len;
        while left > 0 {
            let fits = |room: &&mut u32| if piece.splits { **room > 0 } else { **room >= left };
            if let Some(room) = rooms.iter_mut().find(fits) {
                let part = left.min(*room);
                *room = room.saturating_sub(part);
                left = left.saturating_sub(part);
            } else if rooms.len() < self.free {
                rooms.push(self.extent);
            } else {
                break;
            }
        }
        piece.len.saturating_sub(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(len: u32, splits: bool) -> Vec<Piece> {
        vec![Piece { len, splits }]
    }

    #[test]
    fn an_extent_that_moves_alone_gains_nothing() {
        let mut plan = Plan::new(100, 4);
        assert_eq!(plan.add(&piece(30, true)), Some(vec![30]));
        assert!(!plan.gains());
        assert_eq!(plan.add(&piece(60, true)), Some(vec![60]));
        assert!(plan.gains() && !plan.is_full());
    }

    #[test]
    fn what_is_whole_waits_for_room_and_the_rest_fills_gaps() {
        let mut plan = Plan::new(100, 2);
        assert!(!plan.may_gain(&piece(100, false)) && plan.may_gain(&piece(99, false)));
        assert_eq!(plan.add(&piece(60, false)), Some(vec![60]));
        assert_eq!(plan.add(&piece(70, false)), Some(vec![70]));
        assert_eq!(plan.add(&piece(50, false)), None, "no extent has so much room in one piece");
        assert!(!plan.gains());
        assert_eq!(plan.add(&piece(50, true)), Some(vec![50]));
        assert!(plan.gains());
    }

    #[test]
    fn the_last_extent_moves_in_part_and_leaves_no_room() {
        let mut plan = Plan::new(100, 2);
        for _ in 0..2 {
            assert_eq!(plan.add(&piece(90, true)), Some(vec![90]));
        }
        assert!(!plan.gains());
        assert_eq!(plan.add(&piece(90, true)), Some(vec![20]));
        assert!(plan.gains() && plan.is_full());
    }
}
