//! Identifiers: 16 random bytes, shown in LVM's 6-4-4-4-4-4-6 form.

use std::fmt;
use std::str::FromStr;

/// A text that is not a uuid in 6-4-4-4-4-4-6 form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a uuid (expected 32 hexadecimal digits, as in 0a1b2c-3d4e-5f60-...)")]
pub struct ParseUuidError(String);

fn show(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const GROUPS: [usize; 7] = [6, 4, 4, 4, 4, 4, 6];
    let mut digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    for (i, len) in GROUPS.into_iter().enumerate() {
        if i > 0 {
            f.write_str("-")?;
        }
        for digit in digits.by_ref().take(len) {
            write!(f, "{digit:x}")?;
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<[u8; 16], ParseUuidError> {
    let bad = || ParseUuidError(text.to_owned());
    // Signs would pass for digits below.
    let long = text.len() > 64;
    let hex: Vec<u8> = text.bytes().take(64).filter(|b| *b != b'-').collect();
    if long || hex.len() != 32 || !hex.iter().all(u8::is_ascii_hexdigit) {
        return Err(bad());
    }
    let mut out = [0u8; 16];
    for (slot, pair) in out.iter_mut().zip(hex.chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *slot = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(out)
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new random identifier.
            ///
            /// # Errors
            /// The operating system's random source failed.
            pub fn random() -> std::io::Result<Self> {
                let mut bytes = [0u8; 16];
                getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
                Ok(Self(bytes))
            }

            /// The identifier with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, as stored.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The first eight hexadecimal digits, as used in file names.
            pub fn short(&self) -> String {
                self.to_string().chars().filter(|c| *c != '-').take(8).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                show(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseUuidError;
            fn from_str(text: &str) -> Result<Self, ParseUuidError> {
                parse(text).map(Self)
            }
        }
    };
}

uuid_newtype!(
    /// Identifies a physical volume, wherever its file lies.
    PvUuid
);
uuid_newtype!(
    /// Identifies a volume group.
    VgUuid
);
uuid_newtype!(
    /// Identifies a logical volume.
    LvUuid
);
uuid_newtype!(
    /// Identifies a family: a logical volume with its snapshots and clones, which share extents.
    FamilyUuid
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_back_from_its_lvm_form() {
        let id = PvUuid::random().unwrap();
        let text = id.to_string();
        assert_eq!(text.len(), 38);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [6, 4, 4, 4, 4, 4, 6]);
        assert_eq!(text.parse::<PvUuid>().unwrap(), id);
        assert!("nonsense".parse::<PvUuid>().is_err());
        assert!(text.replace(text.get(..2).unwrap(), "+1").parse::<PvUuid>().is_err());
    }
}
