//! No argument makes a call panic, or the volume unusable: everything returns a `Result`.
//!
//! The tables of calls are complete: `listed` reads the sources and names what is missing.

#![cfg(test)]

mod arguments;
mod core;
mod listed;
#[expect(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../engine/support.rs"]
mod support;
mod traits;
