//! Messages: a length and as many bytes.

use std::io::{self, Read, Write};

/// Bytes of contents that one message carries at most.
pub(super) const MOST_DATA: usize = 1 << 20;
/// Bytes of a message at most: contents, and what says where they belong.
const MOST: usize = MOST_DATA + (64 << 10);
/// Bytes of a length.
const LENGTH: usize = 4;

/// A message under construction.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// One without contents.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; LENGTH] }
    }

    /// Where contents are added.
    pub(super) fn body(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when it is too long: nothing was sent. Those of the connection.
    pub(super) fn send(mut self, to: &mut impl Write) -> io::Result<()> {
        let length = self.bytes.len().saturating_sub(LENGTH);
        let head = u32::try_from(length).ok().filter(|_| length <= MOST).map(u32::to_le_bytes);
        match (head, self.bytes.first_chunk_mut()) {
            (Some(head), Some(start)) => *start = head,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        to.write_all(&self.bytes)
    }
}

/// Takes a length; nothing when the other side has ended the connection between two messages. `begun` is called when the
/// message has begun.
pub(super) fn receive_length<R: Read>(
    from: &mut R,
    begun: impl FnOnce(&R) -> io::Result<()>,
) -> io::Result<Option<usize>> {
    let mut head = [0; LENGTH];
    let mut first = [0];
    loop {
        match from.read(&mut first) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [start, rest @ ..] = &mut head;
    [*start] = first;
    begun(from)?;
    from.read_exact(rest)?;
    let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if length > MOST { Err(io::ErrorKind::InvalidData.into()) } else { Ok(Some(length)) }
}

/// Takes a message whose length is known.
pub(super) fn receive_body(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.min(MOST)];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Takes a message; nothing when the other side has ended the connection between two.
pub(super) fn receive(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    receive_length(from, |_| Ok(()))?.map(|length| receive_body(from, length)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut frame = Frame::new();
        frame.body().extend_from_slice(bytes);
        let mut out = Vec::new();
        frame.send(&mut out).map(|()| out)
    }

    #[test]
    fn messages_follow_each_other() {
        let line = [sent(b"one").unwrap(), sent(b"").unwrap(), sent(b"two").unwrap()].concat();
        let mut from = line.as_slice();
        for expected in [&b"one"[..], b"", b"two"] {
            assert_eq!(receive(&mut from).unwrap().unwrap(), expected);
        }
        assert!(receive(&mut from).unwrap().is_none());
    }

    #[test]
    fn what_is_too_long_or_cut_off_is_refused() {
        assert_eq!(sent(&vec![0; MOST]).unwrap().len(), MOST + LENGTH);
        assert_eq!(sent(&vec![0; MOST + 1]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let huge = u32::MAX.to_le_bytes();
        assert_eq!(receive(&mut huge.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let whole = sent(b"whole").unwrap();
        for end in 1..whole.len() {
            let cut = receive(&mut &whole[..end]).unwrap_err();
            assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof, "{end}");
        }
    }
}
