//! What `find` looks for.
//!
//! Its tests are words with one dash, which the option parser cannot read; they are taken out of the command line
//! before it sees the rest.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use anyfs_lvm::lv::Kind;

use crate::failure::{Done, Failure, PARSING, code};
use crate::files::glob::Glob;

/// Words with a value behind them.
const VALUED: [&str; 7] = ["-name", "-iname", "-type", "-size", "-newer", "-maxdepth", "-mindepth"];
/// Words that stand alone.
const ALONE: [&str; 9] = ["!", "-not", "-a", "-and", "-o", "-or", "-empty", "-print", "-print0"];

/// Splits the words of `find` into those of its tests and the rest.
pub(crate) fn split(words: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let (mut tests, mut rest) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if VALUED.contains(&text) {
            tests.push(word);
            tests.extend(words.next());
        } else if ALONE.contains(&text) {
            tests.push(word);
        } else {
            rest.push(word);
        }
    }
    (tests, rest)
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    /// The last part of the path fits.
    Name(Glob),
    /// One of these kinds.
    Type(Vec<Kind>),
    /// So many units, rounded up.
    Size(Compare, u64),
    /// Changed after this file was.
    Newer(OsString),
    /// An empty file or directory.
    Empty,
}

/// How a size is compared, with the number of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// `10k`
    Equal(u64),
    /// `+10k`
    More(u64),
    /// `-10k`
    Less(u64),
}

/// A test, or its opposite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) not: bool,
    pub(crate) test: Test,
}

/// Everything that tests say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Criteria {
    /// What is found fits every term of one of these.
    pub(crate) any: Vec<Vec<Term>>,
    /// Depths to look at.
    pub(crate) depths: (usize, usize),
    /// What stands behind each path.
    pub(crate) end: u8,
}

impl Criteria {
    /// Reads the words that [`split`] found.
    ///
    /// # Errors
    /// Usage, exit code 3.
    pub(crate) fn new(words: &[OsString]) -> Done<Self> {
        let mut out = Self { any: Vec::new(), depths: (0, usize::MAX), end: b'\n' };
        let mut all: Vec<Term> = Vec::new();
        // A word that needs a test behind it.
        let mut open: Option<&str> = None;
        let mut not = false;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let word = word.to_str().unwrap_or_default();
            let mut value = || words.next().map(OsString::as_os_str).ok_or_else(|| missing(word));
            let test = match word {
                "!" | "-not" => {
                    (not, open) = (!not, Some(word));
                    continue;
                }
                "-a" | "-and" | "-o" | "-or" if open.is_some() || all.is_empty() => {
                    return Err(alone(word));
                }
                "-a" | "-and" => {
                    open = Some(word);
                    continue;
                }
                "-o" | "-or" => {
                    open = Some(word);
                    out.any.push(std::mem::take(&mut all));
                    continue;
                }
                "-maxdepth" => {
                    out.depths.1 = depth(word, value()?)?;
                    continue;
                }
                "-mindepth" => {
                    out.depths.0 = depth(word, value()?)?;
                    continue;
                }
                "-print" => {
                    out.end = b'\n';
                    continue;
                }
                "-print0" => {
                    out.end = 0;
                    continue;
                }
                "-empty" => Test::Empty,
                "-newer" => Test::Newer(value()?.to_owned()),
                "-type" => kinds(value()?)?,
                "-size" => size(value()?)?,
                name => Test::Name(Glob::new(value()?.as_bytes(), name == "-iname")),
            };
            all.push(Term { not: std::mem::take(&mut not), test });
            open = None;
        }
        if let Some(word) = open {
            return Err(alone(word));
        }
        out.any.push(all);
        Ok(out)
    }
}

fn missing(word: &str) -> Failure {
    let line = format!("\u{1}find: option '{word}' requires an argument");
    Failure { code: code::USAGE, lines: vec![line, PARSING.to_owned()], hint: None }
}

fn alone(word: &str) -> Failure {
    Failure::usage("find", format!("{word} needs a test at each side that it joins or turns."))
}

fn bad(word: &str, value: &OsStr, reason: &str) -> Failure {
    Failure::argument(word, &crate::files::show::name(value.as_bytes()), reason)
}

fn depth(word: &str, value: &OsStr) -> Done<usize> {
    let text = value.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| bad(word, value, "A depth is a number."))
}

/// Reads letters, with commas between them.
fn kinds(value: &OsStr) -> Done<Test> {
    let kind = |letter: &str| {
        Some(match letter {
            "f" => Kind::File,
            "d" => Kind::Directory,
            "l" => Kind::Symlink,
            "p" => Kind::Fifo,
            "s" => Kind::Socket,
            "c" => Kind::CharDevice,
            "b" => Kind::BlockDevice,
            _ => return None,
        })
    };
    let kinds: Option<Vec<Kind>> = value.to_str().and_then(|text| text.split(',').map(kind).collect());
    kinds.map(Test::Type).ok_or_else(|| bad("-type", value, "A type is one of f, d, l, p, s, c and b."))
}

/// Reads `[+-]N[cwbkMGT]`.
fn size(value: &OsStr) -> Done<Test> {
    let read = || {
        let text = value.to_str()?;
        let (compare, rest): (fn(u64) -> Compare, &str) = match text.split_at_checked(1)? {
            ("+", rest) => (Compare::More, rest),
            ("-", rest) => (Compare::Less, rest),
            _ => (Compare::Equal, text),
        };
        let (digits, letter) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))?;
        let unit = match letter {
            "c" => 1,
            "w" => 2,
            "" | "b" => 512,
            "k" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            "T" => 1 << 40,
            _ => return None,
        };
        Some(Test::Size(compare(digits.parse().ok()?), unit))
    };
    read().ok_or_else(|| bad("-size", value, "A size is [+-]N, with c for bytes, k, M, G or T; else in units of 512."))
}

impl Compare {
    /// Whether so many bytes are that many units, the last one counted whole.
    pub(crate) fn fits(self, bytes: u64, unit: u64) -> bool {
        let units = bytes.div_ceil(unit.max(1));
        match self {
            Self::Equal(number) => units == number,
            Self::More(number) => units > number,
            Self::Less(number) => units < number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn read(line: &str) -> Done<Criteria> {
        Criteria::new(&words(line))
    }

    #[test]
    fn tests_are_told_from_options_wherever_they_stand() {
        let (tests, rest) = split(words("find -v v/h:/ -name -type ! -type f --pool d -print0"));
        assert_eq!(tests, words("-name -type ! -type f -print0"));
        assert_eq!(rest, words("find -v v/h:/ --pool d"));
        assert_eq!(split(words("find -name")).0, words("-name"));
    }

    #[test]
    fn or_joins_what_and_holds_together() {
        let read = read("-type f -empty -o ! -type d,l -a -size +2k -maxdepth 3 -mindepth 1").unwrap();
        let term = |not, test| Term { not, test };
        let first = vec![term(false, Test::Type(vec![Kind::File])), term(false, Test::Empty)];
        let kinds = Test::Type(vec![Kind::Directory, Kind::Symlink]);
        let second = vec![term(true, kinds), term(false, Test::Size(Compare::More(2), 1024))];
        assert_eq!(read, Criteria { any: vec![first, second], depths: (1, 3), end: b'\n' });
    }

    #[test]
    fn nothing_at_all_fits_everything() {
        assert_eq!(read("-print0").unwrap(), Criteria { any: vec![vec![]], depths: (0, usize::MAX), end: 0 });
    }

    #[test]
    fn sizes_are_rounded_up_to_units() {
        assert!(Compare::Equal(1).fits(1, 1024) && !Compare::Less(1).fits(1, 1024) && Compare::Less(1).fits(0, 1024));
        assert!(Compare::More(1).fits(1025, 1024) && !Compare::More(1).fits(1024, 1024));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "-name",
            "-type x",
            "-type f,",
            "-size k",
            "-size 1x",
            "-size +-1",
            "-maxdepth -1",
            "-mindepth",
            "-o -empty",
            "-empty -o",
            "-empty -o -o -empty",
            "-a -empty",
            "!",
            "-empty ! -o -empty",
        ] {
            assert_eq!(read(bad).unwrap_err().code, 3, "{bad}");
        }
    }
}
