//! Shared bytes on their way to a PV.

use std::ops::Deref;
use std::sync::Arc;

/// A part of bytes that several may hold; cloning and cutting it copies nothing.
#[derive(Clone)]
pub struct Part {
    bytes: Arc<Vec<u8>>,
    start: usize,
    end: usize,
}

impl Part {
    /// The first `len` bytes (at most all) and the rest.
    pub fn split(self, len: usize) -> (Self, Self) {
        let middle = self.start.saturating_add(len).min(self.end);
        let head = Self { bytes: Arc::clone(&self.bytes), end: middle, ..self };
        (head, Self { start: middle, ..self })
    }
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }
}

impl From<Arc<Vec<u8>>> for Part {
    fn from(bytes: Arc<Vec<u8>>) -> Self {
        Self { start: 0, end: bytes.len(), bytes }
    }
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Self {
        Arc::new(bytes).into()
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("start", &self.start).field("end", &self.end).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_keeps_every_byte_in_order() {
        let (head, tail) = Part::from(vec![1, 2, 3, 4, 5]).split(2);
        let (middle, rest) = tail.split(9);
        assert_eq!((&head[..], &middle[..], &rest[..]), (&[1, 2][..], &[3, 4, 5][..], &[][..]));
    }
}
