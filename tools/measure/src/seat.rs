//! Where a side works: in this process, or in one of its own.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::worker::Remote;
use crate::{Maker, Place, Result, Scale, Sheet, Stop, Wish, Work};

/// A process that makes a side of its own and works through [`serve`](crate::serve).
#[derive(Debug, Clone)]
pub struct Program {
    /// Name of its side.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// Somebody who takes part.
#[derive(Debug)]
pub enum Contender {
    /// In this process.
    Here(Box<dyn Maker>),
    /// In another.
    There(Program),
}

impl Contender {
    /// Name of its sides.
    pub fn name(&self) -> &str {
        match self {
            Self::Here(maker) => maker.name(),
            Self::There(program) => &program.name,
        }
    }

    pub(crate) fn fresh(&self) -> bool {
        matches!(self, Self::Here(maker) if maker.fresh()) || matches!(self, Self::There(_))
    }

    pub(crate) fn declines(&self, wish: &Wish) -> Option<String> {
        match self {
            Self::Here(maker) => maker.declines(wish),
            Self::There(_) => None,
        }
    }

    pub(crate) fn cold(&self) -> bool {
        matches!(self, Self::Here(maker) if maker.cold()) || matches!(self, Self::There(_))
    }

    /// Makes a side and prepares it for a work.
    pub(crate) fn seat(&self, work: &Work, scale: &Scale, stop: &Stop, folder: PathBuf) -> Result<Seat> {
        match self {
            Self::Here(maker) => {
                let wish = (work.wish)(scale);
                let mut place = Place::new(maker.name(), maker.make(&wish)?, wish, (scale, stop, folder));
                (work.prepare)(&mut place)?;
                Ok(Seat::Here(Box::new(place)))
            }
            Self::There(program) => Ok(Seat::There(Remote::begin(program, work, scale, stop)?)),
        }
    }
}

/// A side that is at work.
#[derive(Debug)]
pub(crate) enum Seat {
    Here(Box<Place>),
    There(Remote),
}

impl Seat {
    /// One turn of the stage with that number.
    pub(crate) fn turn(&mut self, work: &Work, stage: usize, turn: u64) -> Result<Sheet> {
        match self {
            Self::Here(place) => {
                let mut sheet = Sheet::default();
                place.check()?;
                if let Some(stage) = work.stages.get(stage) {
                    (stage.turn)(place, turn, &mut sheet)?;
                }
                Ok(sheet)
            }
            Self::There(remote) => remote.turn(stage, turn),
        }
    }

    /// Removes what the side made.
    pub(crate) fn finish(self) -> Result {
        match self {
            Self::Here(place) => place.remove(),
            Self::There(remote) => remote.finish(),
        }
    }
}
