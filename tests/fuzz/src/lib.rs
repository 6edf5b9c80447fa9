//! Hostile input.
//!
//! * [`targets`]: what takes bytes from outside, each with a corpus in `corpus/`; [`driver`]: replays it and looks for more.
//! * [`hostile`]: the table of hostile files.
//! * [`Base`]: a small pool, copied for each run. [`rows`]: right checksums for wrong rows. [`walk`]: everything that can
//!   be done with a pool.
//!
//! `README.md` beside this package says how the programs are run.

// The tests that are shared with the volume's own call it by its package's name.
extern crate lv as anyfs_lvm_lv;

mod base;
pub mod driver;
pub mod hostile;
pub mod mutate;
pub mod rows;
mod source;
pub mod targets;
mod vouch;
pub mod walk;
mod watch;

pub use base::{Base, Place, folder};
pub use watch::{Watch, bound_memory, peak_memory};
