//! What POSIX and the Linux man pages promise of a filesystem, clause by clause, asked of the inode-level core.
//!
//! Where they leave a choice, the answer is what a user of a usual Linux filesystem mounted with `noatime` sees.

#![cfg(test)]

mod allocate;
mod copies;
mod durable;
mod ground;
mod kinds;
mod links;
mod listing;
mod locks;
mod mounted;
mod moves;
mod nameless;
mod names;
mod owner;
mod precedence;
mod size;
mod space;
mod stamps;
#[expect(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../engine/support.rs"]
mod support;
mod times;
mod transactions;
mod xattrs;
