//! Values as bytes: numbers with the lowest byte first, everything of variable length with its length before it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use pv::FamilyUuid;

/// What can be sent.
pub(super) trait Put {
    /// Adds it to a message.
    fn put(&self, out: &mut Vec<u8>);
}

/// What can be received.
pub(super) trait Take: Sized {
    /// Takes it from the start of what is left of a message; nothing when it is not there.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

/// A whole message.
pub(super) fn take_all<T: Take>(bytes: &[u8]) -> Option<T> {
    let mut left = bytes;
    let value = T::take(&mut left)?;
    left.is_empty().then_some(value)
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Put for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }

        impl Take for $number {
            fn take(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

numbers!(u16, u32, u64, i32, i64);

impl Put for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Take for bool {
    fn take(from: &mut &[u8]) -> Option<Self> {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        match byte {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Put for [u8] {
    fn put(&self, out: &mut Vec<u8>) {
        // What is longer than a number can say is longer than a message can be, which is refused when it is sent.
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(out);
        out.extend_from_slice(self);
    }
}

impl Put for Vec<u8> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_slice().put(out);
    }
}

impl Take for Vec<u8> {
    fn take(from: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u32::take(from)?).ok()?;
        let (bytes, rest) = from.split_at_checked(length)?;
        *from = rest;
        Some(bytes.to_vec())
    }
}

impl Put for str {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }
}

impl Take for String {
    fn take(from: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(Take::take(from)?).ok()
    }
}

impl Put for Path {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_os_str().as_bytes().put(out);
    }
}

impl Put for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_path().put(out);
    }
}

impl Take for PathBuf {
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(OsString::from_vec(Take::take(from)?).into())
    }
}

impl Put for FamilyUuid {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Take for FamilyUuid {
    fn take(from: &mut &[u8]) -> Option<Self> {
        let (bytes, rest) = from.split_first_chunk()?;
        *from = rest;
        Some(Self::from_bytes(*bytes))
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Take> Take for Option<T> {
    fn take(from: &mut &[u8]) -> Option<Self> {
        if bool::take(from)? { T::take(from).map(Some) } else { Some(None) }
    }
}

impl<T: Put + ?Sized> Put for &T {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
}

impl Put for usize {
    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).put(out);
    }
}

impl Take for usize {
    fn take(from: &mut &[u8]) -> Option<Self> {
        u64::take(from)?.try_into().ok()
    }
}

impl Put for () {
    fn put(&self, _: &mut Vec<u8>) {}
}

impl Take for () {
    fn take(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

macro_rules! tuples {
    ($(($($name:ident: $at:tt),*)),*) => {$(
        impl<$($name: Put),*> Put for ($($name,)*) {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$at.put(out);)*
            }
        }

        impl<$($name: Take),*> Take for ($($name,)*) {
            fn take(from: &mut &[u8]) -> Option<Self> {
                Some(($($name::take(from)?,)*))
            }
        }
    )*};
}

tuples!((A: 0, B: 1), (A: 0, B: 1, C: 2), (A: 0, B: 1, C: 2, D: 3));

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(out);
        for value in self {
            value.put(out);
        }
    }
}

impl<T: Take> Take for Vec<T> {
    fn take(from: &mut &[u8]) -> Option<Self> {
        // Memory is taken for what is there, not for what is said to be there.
        (0..u32::take(from)?).map(|_| T::take(from)).collect()
    }
}

/// One of a few values, sent as its number in a list.
pub(super) trait Choice: Sized + 'static {
    /// The list.
    const ALL: &'static [Self];
}

/// Implements [`Choice`], [`Put`] and [`Take`] for an enumeration.
macro_rules! choices {
    ($type:ty { $($name:ident),* }) => {
        impl Choice for $type {
            const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        impl Put for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let number = Self::ALL.iter().position(|one| one == self);
                number.and_then(|number| u16::try_from(number).ok()).unwrap_or(u16::MAX).put(out);
            }
        }

        impl Take for $type {
            fn take(from: &mut &[u8]) -> Option<Self> {
                Self::ALL.get(usize::from(u16::take(from)?)).copied()
            }
        }
    };
}
pub(super) use choices;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &(impl Put + ?Sized)) -> Vec<u8> {
        let mut out = Vec::new();
        value.put(&mut out);
        out
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        assert_eq!(take_all(&bytes(&7u16)), Some(7u16));
        assert_eq!(take_all(&bytes(&-7i64)), Some(-7i64));
        assert_eq!(take_all(&bytes(&[1u8, 2, 3][..])), Some(vec![1u8, 2, 3]));
        assert_eq!(take_all(&bytes("é")), Some("é".to_owned()));
        assert_eq!(take_all(&bytes(&Some(&b"x"[..]))), Some(Some(b"x".to_vec())));
        assert_eq!(take_all(&bytes(&None::<u64>)), Some(None::<u64>));
    }

    #[test]
    fn what_is_cut_off_too_long_or_no_value_is_refused() {
        let whole = bytes(&b"whole"[..]);
        for end in 0..whole.len() {
            assert_eq!(take_all::<Vec<u8>>(&whole[..end]), None, "{end}");
        }
        assert_eq!(take_all::<Vec<u8>>(&[whole, vec![0]].concat()), None);
        assert_eq!(take_all::<bool>(&[2]), None);
        assert_eq!(take_all::<String>(&bytes(&[0xffu8][..])), None);
        assert_eq!(take_all::<Vec<u8>>(&u32::MAX.to_le_bytes()), None);
    }
}
