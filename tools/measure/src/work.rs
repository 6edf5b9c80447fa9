//! What is done on each side.

use crate::{Place, Result, Row, Scale, Wish};

/// Values that one turn of a stage found, by the keys of their rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet(pub Vec<(String, f64)>);

impl Sheet {
    /// Notes a value.
    pub fn add(&mut self, key: &str, value: f64) {
        self.0.push((key.to_owned(), value));
    }
}

/// One thing that is measured, or that has to be done before the next is.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// The rows that a turn fills; none when it is done once on each side, as preparation.
    pub rows: &'static [Row],
    /// Whether the caches of the host have to be emptied for it.
    pub cold: bool,
    /// Whether a turn that does not count comes first.
    pub warm_up: bool,
    /// Does it, with a number that no other turn on this side has.
    pub turn: fn(&mut Place, u64, &mut Sheet) -> Result,
}

/// A group of stages that share what they work on.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Its name.
    pub name: &'static str,
    /// Whether it means nothing in a folder of a filesystem that holds other things.
    pub fresh: bool,
    /// What it needs.
    pub wish: fn(&Scale) -> Wish,
    /// Done once on each side, before the stages.
    pub prepare: fn(&mut Place) -> Result,
    /// The stages, in order.
    pub stages: &'static [Stage],
}

impl Work {
    /// Its rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.stages.iter().flat_map(|stage| stage.rows)
    }
}
