//! What a kernel wants that has cached a mounted volume's pages and times.

use super::Volume;
use crate::{AccessTime, Ino, Result};

impl Volume {
    /// As [`write`](Self::write), for bytes that were written into a cache: when that was is told by
    /// [`setattr`](Self::setattr), before or afterwards, and so is what it took off the mode. Neither times nor mode change.
    ///
    /// # Errors
    /// As there.
    pub fn write_back(&self, ino: Ino, off: u64, bytes: &[u8]) -> Result<()> {
        self.core.writable()?;
        self.core.meter.writing(bytes.len(), || {
            self.core.write_with(ino, Some(off), bytes, |state| state.put_cached(ino, off, bytes))
        })
    }

    /// Notes that something was read, when `rule` says so; whether it did. Only the access time changes. On a volume that
    /// is [only read](Self::is_read_only) nothing is noted.
    ///
    /// # Errors
    /// [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn accessed(&self, ino: Ino, rule: AccessTime) -> Result<bool> {
        let rule = if self.is_read_only() { AccessTime::Never } else { rule };
        let now = self.now();
        self.core.state()?.access(ino, rule, now)
    }
}
