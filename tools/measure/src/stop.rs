//! A flag that ends a measurement early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Whether the user asked to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Over a flag that somebody else sets, a signal handler for example.
    pub fn of(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// Whether to end. Costs nothing beside any operation of a filesystem.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the user asked to stop.
    pub fn check(&self) -> Result {
        if self.0.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}
