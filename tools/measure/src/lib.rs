//! What the benchmark of `anyfs-lvm` measures, for any filesystem.
//!
//! A [`Side`] is what a benchmark needs from a filesystem; [`Host`] is one over a folder of the host. A [`Work`] is a
//! list of stages that do the same on each side and say what they found; [`WORKS`] are all there are. The [`Runner`]
//! lets the sides take turns within each round, so that what the machine does meanwhile meets all of them, and keeps
//! all values; [`Outcome`] has medians and ratios. The first side is the one that the others are compared with, and it
//! works once more at the end of each round: how far that is from the first time says how far the ratios can be trusted.
//!
//! Everything that a value counts as written is durable when its clock stops (reads apart), and every byte that was
//! written is read back and compared.
//!
//! Nothing here knows `anyfs-lvm`: what cannot be linked together with it (another copy of SQLite) takes part as a
//! process of its own, through [`serve`].

#![forbid(unsafe_code)]

mod bytes;
mod cold;
mod error;
mod host;
mod machine;
mod outcome;
mod place;
mod row;
mod runner;
mod scale;
mod seat;
mod side;
mod stats;
mod stop;
mod work;
mod worker;
mod works;

pub use bytes::{BLOCK, CHUNK, MIB, Random, fill, float};
pub use cold::Cold;
pub use error::{Error, Result};
pub use host::{Host, HostSide, disk_bytes, remove_folder};
pub use machine::{Machine, free_space, peak_memory, written};
pub use outcome::{Outcome, Samples};
pub use place::Place;
pub use row::{Row, Target, Unit};
pub use runner::{Extra, Runner, Wanted};
pub use scale::Scale;
pub use seat::{Contender, Program};
pub use side::{Dir, Maker, OpenFile, Side, Wish};
pub use stats::{median, spread};
pub use stop::Stop;
pub use work::{Sheet, Stage, Work};
pub use worker::serve;
pub use works::{WORKS, compare, read_through, write_through};
