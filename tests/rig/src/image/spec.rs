//! Which crash: printable, so that a failure can be repeated.

use std::fmt;
use std::str::FromStr;

/// What a crash does to what was not synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// All kept, as after `kill -9`.
    Kill,
    /// All lost.
    Drop,
    /// Per file, and per folder, a prefix of what was pending.
    Prefix,
    /// Per file a subset of the pending writes, torn at 512 bytes, holes left as zeros or garbage; per folder a prefix.
    Tear,
    /// All contents kept, all changes of names lost.
    Contents,
    /// All contents lost, all changes of names kept.
    Names,
    /// One file's pending contents kept, those of the others lost.
    KeepOne,
    /// One file's pending contents lost, those of the others kept.
    LoseOne,
    /// As [`Mode::Prefix`], and one 512-byte sector of one pending write is garbage: a drive without power-safe
    /// overwrites.
    Shorn,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Kill,
        Self::Drop,
        Self::Prefix,
        Self::Tear,
        Self::Contents,
        Self::Names,
        Self::KeepOne,
        Self::LoseOne,
        Self::Shorn,
    ];

    /// Its name in specifications and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Drop => "drop",
            Self::Prefix => "prefix",
            Self::Tear => "tear",
            Self::Contents => "contents",
            Self::Names => "names",
            Self::KeepOne => "keep-one",
            Self::LoseOne => "lose-one",
            Self::Shorn => "shorn",
        }
    }
}

/// One crash image: made from the log of a run, again and again the same. Written `at:mode:seed`, the seed in
/// hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Crash before this operation of the log, counted from 0.
    pub at: u64,
    /// What it does.
    pub mode: Mode,
    /// Decides what is random in it.
    pub seed: u64,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{:x}", self.at, self.mode.name(), self.seed)
    }
}

/// Text that is no [`Spec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseSpecError;

impl fmt::Display for ParseSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a crash image is written AT:MODE:SEED")
    }
}

impl std::error::Error for ParseSpecError {}

impl FromStr for Spec {
    type Err = ParseSpecError;

    fn from_str(text: &str) -> Result<Self, ParseSpecError> {
        let parts: Vec<&str> = text.split(':').collect();
        let [at, mode, seed] = parts[..] else { return Err(ParseSpecError) };
        let mode = Mode::ALL.into_iter().find(|known| known.name() == mode).ok_or(ParseSpecError)?;
        let at = at.parse().map_err(|_| ParseSpecError)?;
        let seed = u64::from_str_radix(seed, 16).map_err(|_| ParseSpecError)?;
        Ok(Self { at, mode, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_survives_being_printed() {
        for mode in Mode::ALL {
            let spec = Spec { at: 17, mode, seed: 0xdead_beef };
            assert_eq!(spec.to_string().parse(), Ok(spec));
        }
        assert_eq!("1:boom:2".parse::<Spec>(), Err(ParseSpecError));
        assert_eq!("1:kill".parse::<Spec>(), Err(ParseSpecError));
    }
}
