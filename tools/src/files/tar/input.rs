//! The stream an archive is read from.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use super::{BLOCK, BUFFER};
use crate::failure::{Done, Failure};
use crate::files::io_text;
use crate::files::progress::Progress;
use crate::files::stop::Stop;

/// An archive's bytes, read ahead, with their place in the stream.
pub(crate) struct Input<'a> {
    source: &'a mut dyn Read,
    fd: BorrowedFd<'a>,
    /// What messages call it.
    pub(super) shown: String,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Bytes taken so far.
    pub(super) at: u64,
    stop: &'a Stop,
    progress: &'a Progress,
    /// Whether the length of the whole is known to `progress`.
    known: bool,
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("shown", &self.shown).field("at", &self.at).finish_non_exhaustive()
    }
}

impl<'a> Input<'a> {
    /// Reads `source`, whose readiness `fd` tells.
    pub(crate) fn new(
        (source, fd): (&'a mut dyn Read, BorrowedFd<'a>),
        shown: String,
        (progress, stop): (&'a Progress, &'a Stop),
    ) -> Self {
        Self { source, fd, shown, buffer: vec![0; BUFFER], begin: 0, end: 0, at: 0, stop, progress, known: false }
    }

    /// Says how long the stream is, where that can be known.
    pub(crate) fn expect(&mut self, file: &File) {
        if let Some(found) = file.metadata().ok().filter(std::fs::Metadata::is_file) {
            self.progress.expect(found.len());
            self.known = true;
        }
    }

    /// Whether nothing more comes.
    pub(super) fn is_at_end(&mut self) -> Done<bool> {
        if self.begin == self.end {
            self.fill()?;
        }
        Ok(self.begin == self.end)
    }

    /// Up to `max` bytes; none only at the end of the stream, or when `max` is 0.
    pub(super) fn some(&mut self, max: u64) -> Done<&[u8]> {
        if self.begin == self.end && max > 0 {
            self.fill()?;
        }
        let have = self.end.saturating_sub(self.begin);
        let count = usize::try_from(max).unwrap_or(usize::MAX).min(have);
        let bytes = self.buffer.get(self.begin..self.begin.saturating_add(count)).unwrap_or_default();
        self.begin = self.begin.saturating_add(count);
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(bytes)
    }

    /// The next bytes, of which fewer than asked mean the end of the stream.
    pub(super) fn block(&mut self) -> Done<(usize, [u8; BLOCK])> {
        let mut block = [0; BLOCK];
        let mut filled = 0usize;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let bytes = self.some(u64::try_from(rest.len()).unwrap_or(0))?;
            if bytes.is_empty() {
                break;
            }
            let (to, _) = rest.split_at_mut_checked(bytes.len()).unwrap_or_default();
            to.copy_from_slice(bytes);
            filled = filled.saturating_add(to.len());
        }
        Ok((filled, block))
    }

    fn fill(&mut self) -> Done {
        self.stop.until_ready(self.fd)?;
        (self.begin, self.end) = (0, 0);
        loop {
            match self.source.read(&mut self.buffer) {
                Ok(count) => {
                    let bytes = u64::try_from(count).unwrap_or(0);
                    if !self.known {
                        self.progress.expect(bytes);
                    }
                    self.progress.advance(bytes);
                    self.end = count;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.stop.check()?,
                Err(error) => return Err(Failure::new(format!("{}: {}", self.shown, io_text(&error)))),
            }
        }
    }
}
