//! Activation for reading only: the volume as its last commit left it, nothing taken over, cleaned up or written.
//!
//! No epoch rises, so nobody is fenced; the locks, where they can be had, keep owners away meanwhile. What an owner left
//! behind that it never committed is not seen, since no map names it.

use std::sync::{Arc, MutexGuard};

use super::activate::{Activation, Look, Taken};
use super::core::Core;
use super::own::own_to_read;
use super::state::State;
use crate::catalogue::{CatalogueReader, CopySet, Newest, newest_to_read};
use crate::{LvError, Result, VolumeNotice};

impl Activation<'_> {
    /// Opens the newest copy of the metadata that can be read, and goes on from there.
    pub(super) fn run_to_read(self) -> Result<Arc<Core>> {
        let mut locks = own_to_read(self.env, self.copies)?;
        let Newest { view, unread } = newest_to_read(self.env, self.extents.family, self.copies)?;
        let state = view.state;
        let reader = CatalogueReader::of_view(view);
        reader.expect_until(state.txg);
        let Look { reader, pvs, .. } = self.look_through(reader, &state)?;
        let passed_over = |(copy, why): (crate::CopyPlace, String)| VolumeNotice::CopyNotRead { file: copy.path, why };
        let notices = unread.into_iter().map(passed_over).collect();
        let epoch = state.epoch;
        self.start(&mut locks, Taken { copies: CopySet::none(), state, reader, pvs, epoch, notices })
    }
}

impl Core {
    /// Refuses what would change a volume that is only read.
    pub(crate) fn writable(&self) -> Result<()> {
        if self.options.read_only { Err(LvError::ReadOnly) } else { Ok(()) }
    }

    /// The state, to be changed.
    pub(crate) fn change(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state()?;
        self.writable().map(|()| state)
    }
}
