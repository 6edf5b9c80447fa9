//! How a connection begins: both sides say what they speak, the owner says what it has.

use std::path::PathBuf;

use pv::FamilyUuid;

use super::error::{OwnerError, Result};
use super::frame::Frame;
use super::wire::{Put, Take, take_all};

/// What both sides begin with.
const MAGIC: [u8; 8] = *b"anyfslvm";
/// The version of everything that is said afterwards. Both sides speak the same one.
pub(super) const VERSION: u16 = 2;

/// What an owner serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// The family of the volume.
    pub family: FamilyUuid,
    /// The volume group, as it was called when the volume was activated.
    pub vg: String,
    /// The volume, likewise.
    pub lv: String,
    /// The process.
    pub pid: u32,
    /// Where it is mounted, if it is.
    pub mounted: Option<PathBuf>,
    /// Whether it can only be read there.
    pub read_only: bool,
}

impl Put for Served {
    fn put(&self, out: &mut Vec<u8>) {
        self.family.put(out);
        (self.vg.as_str()).put(out);
        (self.lv.as_str()).put(out);
        self.pid.put(out);
        self.mounted.as_deref().put(out);
        self.read_only.put(out);
    }
}

impl Take for Served {
    fn take(from: &mut &[u8]) -> Option<Self> {
        let (family, vg, lv) = (Take::take(from)?, Take::take(from)?, Take::take(from)?);
        Some(Self { family, vg, lv, pid: Take::take(from)?, mounted: Take::take(from)?, read_only: Take::take(from)? })
    }
}

/// The first message of a client.
pub(super) fn asked() -> Frame {
    said(|_| ())
}

/// The first message of an owner: what it serves, or nothing when it serves too many.
pub(super) fn answered(served: Option<&Served>) -> Frame {
    said(|out| served.put(out))
}

fn said(more: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut frame = Frame::new();
    frame.body().extend_from_slice(&MAGIC);
    VERSION.put(frame.body());
    more(frame.body());
    frame
}

/// Whether a client begins as it must; what it speaks is its own matter.
pub(super) fn is_asked(message: &[u8]) -> bool {
    version(&mut &*message).is_some()
}

/// What the owner of that number begins with.
///
/// # Errors
/// [`OwnerError::Version`], [`OwnerError::Busy`], [`OwnerError::Garbled`].
pub(super) fn read(message: &[u8], pid: u32) -> Result<Served> {
    let mut left = message;
    match version(&mut left) {
        None => return Err(OwnerError::Garbled { pid }),
        Some(VERSION) => {}
        Some(theirs) => return Err(OwnerError::Version { pid, theirs }),
    }
    let served: Option<Served> = take_all(left).ok_or(OwnerError::Garbled { pid })?;
    served.ok_or(OwnerError::Busy { pid })
}

fn version(left: &mut &[u8]) -> Option<u16> {
    *left = left.strip_prefix(&MAGIC)?;
    Take::take(left)
}

#[cfg(test)]
mod tests {
    use super::super::frame::receive;
    use super::*;

    fn message(frame: Frame) -> Vec<u8> {
        let mut out = Vec::new();
        frame.send(&mut out).unwrap();
        receive(&mut out.as_slice()).unwrap().unwrap()
    }

    #[test]
    fn both_sides_understand_each_other() {
        let served = Served {
            family: FamilyUuid::random().unwrap(),
            vg: "tank".to_owned(),
            lv: "home".to_owned(),
            pid: 4711,
            mounted: Some("/mnt".into()),
            read_only: false,
        };
        assert!(is_asked(&message(asked())));
        assert_eq!(read(&message(answered(Some(&served))), 4711).unwrap(), served);
        assert!(matches!(read(&message(answered(None)), 7), Err(OwnerError::Busy { pid: 7 })));
    }

    #[test]
    fn others_are_told_apart() {
        let mut newer = message(answered(None));
        newer[8] = 9;
        assert!(matches!(read(&newer, 7), Err(OwnerError::Version { pid: 7, theirs: 9 })));
        let whole = message(answered(None));
        for end in 0..whole.len() {
            assert!(matches!(read(&whole[..end], 7), Err(OwnerError::Garbled { .. })), "{end}");
        }
        assert!(!is_asked(b"GET / HTTP/1.1\r\n") && !is_asked(b""));
    }
}
