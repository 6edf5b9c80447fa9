//! Sizes and numbers as types: checked arithmetic only, no operator that can wrap.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl $name {
            /// The next number, or `None` past the end of the range.
            pub fn next(self) -> Option<Self> {
                self.0.checked_add(1).map(Self)
            }

            /// The number as a plain integer.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A size in bytes.
    Bytes(u64)
);
number!(
    /// Place of a physical extent in its PV, from 0.
    PeIndex(u32)
);
number!(
    /// A number of physical extents.
    PeCount(u32)
);
number!(
    /// Place of a logical extent in its LV, from 0.
    LeIndex(u32)
);
number!(
    /// A number of logical extents.
    LeCount(u32)
);
number!(
    /// Activation number of a family (or promise number of a VG): rises, is never reused.
    Epoch(u64)
);
number!(
    /// Number of a PV transaction within one epoch of a family.
    FlushNo(u64)
);
number!(
    /// Transaction group: the number of a catalogue commit.
    Txg(u64)
);
number!(
    /// Generation of a VG descriptor.
    Seqno(u64)
);
number!(
    /// An immutable run of file bytes; never reused within an epoch.
    SliceId(u64)
);

/// Size of one extent in bytes.
///
/// Users choose a power of two from 64 KiB to 1 MiB ([`ExtentSize::new`]); tests may go down to 4 KiB
/// ([`ExtentSize::for_tests`]) so that small pools wrap quickly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtentSize(u32);

impl ExtentSize {
    /// What `vgcreate` uses unless told otherwise: 256 KiB.
    pub const DEFAULT: Self = Self(256 * 1024);
    /// The smallest size a user may choose: 64 KiB.
    pub const MIN: Self = Self(64 * 1024);
    /// The largest size a user may choose: 1 MiB.
    pub const MAX: Self = Self(1024 * 1024);

    /// A power of two from 64 KiB to 1 MiB, else `None`.
    pub fn new(bytes: u64) -> Option<Self> {
        Self::for_tests(bytes).filter(|size| *size >= Self::MIN)
    }

    /// A power of two from 4 KiB to 1 MiB, else `None`. What a stored descriptor may say; only tests make new pools
    /// below [`ExtentSize::MIN`].
    pub fn for_tests(bytes: u64) -> Option<Self> {
        let bytes = u32::try_from(bytes).ok()?;
        (bytes.is_power_of_two() && (4096..=Self::MAX.0).contains(&bytes)).then_some(Self(bytes))
    }

    /// The size in bytes.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The size in bytes, widened.
    pub const fn bytes(self) -> u64 {
        // Lossless: `u64::from` is not const.
        self.0 as u64
    }

    /// `count` extents in bytes (cannot overflow: both factors are below 2^32).
    pub fn times(self, count: u32) -> Bytes {
        Bytes(self.bytes().saturating_mul(u64::from(count)))
    }

    /// How many whole extents fit into `bytes`, capped at what a `u32` holds.
    pub fn whole(self, bytes: Bytes) -> u32 {
        u32::try_from(bytes.0.checked_div(self.bytes()).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// How many extents are needed for `bytes`, capped at what a `u32` holds.
    pub fn covering(self, bytes: Bytes) -> u32 {
        u32::try_from(bytes.0.div_ceil(self.bytes())).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extent_size_accepts_powers_of_two_from_64k_to_1m() {
        for good in [64, 128, 256, 512, 1024] {
            assert!(ExtentSize::new(good * 1024).is_some());
        }
        for bad in [0, 1, 32 * 1024, 63 * 1024, 3 * 1024 * 1024, 2 * 1024 * 1024, u64::MAX] {
            assert!(ExtentSize::new(bad).is_none());
        }
    }

    #[test]
    fn numbers_stop_at_the_end_of_their_range() {
        assert_eq!(PeIndex(u32::MAX).next(), None);
        assert_eq!(PeIndex(1).next(), Some(PeIndex(2)));
    }
}
