//! Patterns for names of extended attributes.

use crate::failure::{Done, Failure};

/// The part of regular expressions that such names need: text, `.` for any character, `\` before a character that is
/// meant as it is, `^` for the beginning, `$` for the end. `-` alone fits everything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamePattern {
    begin: bool,
    end: bool,
    /// `None` is any byte.
    bytes: Vec<Option<u8>>,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Usage, exit code 3, for what only a whole regular expression could mean.
    pub(crate) fn new(text: &str) -> Done<Self> {
        let text = if text == "-" { "" } else { text };
        let (begin, rest) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
        let mut pattern = Self { begin, end: false, bytes: Vec::new() };
        let mut rest = rest.bytes();
        while let Some(byte) = rest.next() {
            pattern.bytes.push(match byte {
                b'\\' => Some(rest.next().ok_or_else(|| refused(text))?),
                b'.' => None,
                b'$' if rest.len() == 0 => {
                    pattern.end = true;
                    break;
                }
                b'*' | b'+' | b'?' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'|' | b'^' | b'$' => {
                    return Err(refused(text));
                }
                plain => Some(plain),
            });
        }
        Ok(pattern)
    }

    /// Whether a name fits.
    pub(crate) fn fits(&self, name: &[u8]) -> bool {
        let here = |part: &[u8]| part.iter().zip(&self.bytes).all(|(byte, wanted)| wanted.is_none_or(|w| w == *byte));
        let Some(last) = name.len().checked_sub(self.bytes.len()) else { return false };
        let first = if self.end { last } else { 0 };
        let end = if self.begin { 0 } else { last };
        (first..=end).any(|at| name.get(at..).is_some_and(here))
    }
}

fn refused(text: &str) -> Failure {
    Failure::argument("--match", text, "Only text, ., ^, $ and \\ are understood in a pattern.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_beginnings_ends_and_all() {
        let fits = |pattern: &str, name: &str| NamePattern::new(pattern).unwrap().fits(name.as_bytes());
        assert!(fits("-", "trusted.x") && fits("", "trusted.x"));
        assert!(fits(r"^user\.", "user.x") && !fits(r"^user\.", "userx.") && !fits(r"^user\.", "a.user.x"));
        assert!(fits("posix", "system.posix_acl_access") && !fits("posix", "posi"));
        assert!(fits("x$", "user.x") && !fits("x$", "user.xy"));
        assert!(fits("^a.c$", "abc") && !fits("^a.c$", "abcd") && !fits("^a.c$", "ac"));
        assert!(fits("^$", "") && !fits("^$", "a"));
    }

    #[test]
    fn what_only_regular_expressions_mean_is_refused() {
        for bad in ["a*", "(a)", "[ab]", "a|b", "a+", "a^", "a$b", "\\"] {
            assert_eq!(NamePattern::new(bad).unwrap_err().code, 3, "{bad}");
        }
    }
}
