//! Damage: pools whose files were changed by something that is not the engine.
//!
//! A pool with known contents is made by the engine and left closed, open, or killed in the middle; then one damage is
//! done to its files, and everything is read: right bytes and names, or an error that names what is damaged, and
//! nothing else.

mod after;
mod ground;
mod inflict;
mod judge;
mod kind;
mod page;
mod real;
mod run;
mod tree;

pub use judge::Verdict;
pub use kind::Kind as DamageKind;
pub use real::RealCommand;
pub use run::{DamageOptions, DamageReport, TRIALS};
