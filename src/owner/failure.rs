//! The errors of a volume as bytes: those that callers tell apart as they are, all others in words.

use lv::{Ino, LvError};

use super::error::OwnerError;
use super::wire::{Put, Take};

/// Numbers of the errors that are sent as they are.
mod code {
    pub(super) const TOLD: u16 = 0;
    pub(super) const NOT_FOUND: u16 = 1;
    pub(super) const EXISTS: u16 = 2;
    pub(super) const NOT_DIRECTORY: u16 = 3;
    pub(super) const IS_DIRECTORY: u16 = 4;
    pub(super) const NOT_EMPTY: u16 = 5;
    pub(super) const NAME_TOO_LONG: u16 = 6;
    pub(super) const LOOP: u16 = 7;
    pub(super) const NO_INODE: u16 = 8;
    pub(super) const TOO_LARGE: u16 = 9;
    pub(super) const TOO_MANY_LINKS: u16 = 10;
    pub(super) const NO_XATTR: u16 = 11;
    pub(super) const NO_DATA: u16 = 12;
    pub(super) const NO_SPACE: u16 = 13;
    pub(super) const READ_ONLY: u16 = 14;
    pub(super) const CLOSED: u16 = 15;
}

/// The number of an I/O error: what there is no better one for.
pub(super) const EIO: i32 = 5;

impl Put for LvError {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::NotFound { name } => (code::NOT_FOUND, name.as_slice()).put(out),
            Self::Exists { name } => (code::EXISTS, name.as_slice()).put(out),
            Self::NotDirectory { name } => (code::NOT_DIRECTORY, name.as_slice()).put(out),
            Self::IsDirectory { name } => (code::IS_DIRECTORY, name.as_slice()).put(out),
            Self::NotEmpty { name } => (code::NOT_EMPTY, name.as_slice()).put(out),
            Self::NameTooLong { name } => (code::NAME_TOO_LONG, name.as_slice()).put(out),
            Self::Loop { name } => (code::LOOP, name.as_slice()).put(out),
            Self::NoInode { ino } => (code::NO_INODE, *ino).put(out),
            Self::TooLarge { ino } => (code::TOO_LARGE, *ino).put(out),
            Self::TooManyLinks { ino } => (code::TOO_MANY_LINKS, *ino).put(out),
            Self::NoXattr { ino, name } => (code::NO_XATTR, *ino, name.as_slice()).put(out),
            Self::NoData { ino, off } => (code::NO_DATA, *ino, *off).put(out),
            Self::NoSpace { free, needed } => (code::NO_SPACE, *free, *needed).put(out),
            Self::ReadOnly => code::READ_ONLY.put(out),
            Self::Closed => code::CLOSED.put(out),
            other => (code::TOLD, other.errno(), pv::chain(other).as_str(), other.hint()).put(out),
        }
    }
}

impl Take for LvError {
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(match u16::take(from)? {
            code::TOLD => {
                let (errno, text, hint): (i32, String, Option<String>) = Take::take(from)?;
                // What is shown to a user has one line and no control characters, whoever says it.
                let plain = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                Self::Told { errno, text: plain(text), hint: hint.map(plain) }
            }
            code::NOT_FOUND => Self::NotFound { name: Take::take(from)? },
            code::EXISTS => Self::Exists { name: Take::take(from)? },
            code::NOT_DIRECTORY => Self::NotDirectory { name: Take::take(from)? },
            code::IS_DIRECTORY => Self::IsDirectory { name: Take::take(from)? },
            code::NOT_EMPTY => Self::NotEmpty { name: Take::take(from)? },
            code::NAME_TOO_LONG => Self::NameTooLong { name: Take::take(from)? },
            code::LOOP => Self::Loop { name: Take::take(from)? },
            code::NO_INODE => Self::NoInode { ino: Take::take(from)? },
            code::TOO_LARGE => Self::TooLarge { ino: Take::take(from)? },
            code::TOO_MANY_LINKS => Self::TooManyLinks { ino: Take::take(from)? },
            code::NO_XATTR => {
                let (ino, name) = Take::take(from)?;
                Self::NoXattr { ino, name }
            }
            code::NO_DATA => {
                let (ino, off): (Ino, u64) = Take::take(from)?;
                Self::NoData { ino, off }
            }
            code::NO_SPACE => {
                let (free, needed) = Take::take(from)?;
                Self::NoSpace { free, needed }
            }
            code::READ_ONLY => Self::ReadOnly,
            code::CLOSED => Self::Closed,
            _ => return None,
        })
    }
}

impl<T: Put> Put for Result<T, LvError> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_ok().put(out);
        match self {
            Ok(value) => value.put(out),
            Err(error) => error.put(out),
        }
    }
}

impl<T: Take> Take for Result<T, LvError> {
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(from)? { Ok(T::take(from)?) } else { Err(LvError::take(from)?) })
    }
}

/// What it means for an operation that the owner cannot be asked.
impl From<OwnerError> for LvError {
    fn from(error: OwnerError) -> Self {
        Self::Told { errno: EIO, text: pv::chain(&error), hint: error.hint().map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::take_all;
    use super::*;

    #[test]
    fn errors_come_back_as_what_they_are() {
        let (name, ino) = (b"na\xffme".to_vec(), Ino(7));
        let as_they_are = [
            LvError::NotFound { name: name.clone() },
            LvError::Exists { name: name.clone() },
            LvError::NotDirectory { name: name.clone() },
            LvError::IsDirectory { name: name.clone() },
            LvError::NotEmpty { name: name.clone() },
            LvError::NameTooLong { name: name.clone() },
            LvError::Loop { name: name.clone() },
            LvError::NoInode { ino },
            LvError::TooLarge { ino },
            LvError::TooManyLinks { ino },
            LvError::NoXattr { ino, name },
            LvError::NoData { ino, off: 8 },
            LvError::NoSpace { free: 1, needed: 2 },
            LvError::ReadOnly,
            LvError::Closed,
        ];
        let in_words = [
            LvError::Invalid { what: "why" },
            LvError::Quota { what: "bytes", limit: 1, requested: 2, usage: 3 },
            LvError::HostFull { path: "a.db".into(), free: 1, needed: 2 },
            LvError::Poisoned { why: "x".to_owned(), full: false },
            LvError::Poisoned { why: "x".to_owned(), full: true },
        ];
        for (error, same) in as_they_are.iter().map(|error| (error, true)).chain(in_words.iter().map(|e| (e, false))) {
            let mut out = Vec::new();
            error.put(&mut out);
            let back: LvError = take_all(&out).unwrap();
            assert_eq!(std::mem::discriminant(&back) == std::mem::discriminant(error), same, "{error:?}");
            assert_eq!((back.to_string(), back.errno()), (error.to_string(), error.errno()));
            assert_eq!(back.hint(), error.hint());
            assert!(take_all::<LvError>(out.get(..out.len() - 1).unwrap()).is_none());
        }
    }

    #[test]
    fn what_is_said_is_one_line() {
        let mut out = Vec::new();
        (code::TOLD, 5i32, "a\nb\x1b[1m", None::<&str>).put(&mut out);
        assert_eq!(take_all::<LvError>(&out).unwrap().to_string(), "a b [1m");
    }
}
