//! The model test: any operations on a volume in any order, with all that can happen around it, against a reference
//! filesystem in memory.
//!
//! * `reference` (with `contents`): the filesystem as plainly as its rules; it knows nothing of the engine.
//! * `op`, `draw`: what can happen, and in which proportions.
//! * `run`, `files`, `list`, `check`: runs an operation on both and compares.
//! * `ground`: the whole stack on a recorded disk; `world`, `grow`, `away`, `full`: what happens around the volume.
//! * `tape`, `past`, `found`: where a crash falls, what it may leave, what it left.
//! * `campaign`: many cases, and the shortest that fails.

mod away;
mod calls;
mod campaign;
mod check;
mod contents;
mod counts;
mod draw;
mod files;
mod found;
mod full;
mod ground;
mod grow;
mod list;
mod op;
mod past;
mod reference;
mod run;
mod setup;
mod tape;
mod world;

pub use campaign::{Campaign, Failed};
pub use counts::Counts;
