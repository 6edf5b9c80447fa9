//! Modes as `chmod` takes them: octal, or symbolic as in `u=rwx,go-w`.

use std::str::Chars;

use crate::failure::{Done, Failure};

/// Read, write and execute of all three.
const ALL: u32 = 0o777;
/// The set-id bits.
const SET_ID: u32 = 0o6000;

/// A change of permission bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModeArg {
    /// A number. Directories keep their set-id bits unless it has so many digits that it means them, too.
    Octal {
        /// The bits.
        bits: u32,
        /// Five digits or more.
        all: bool,
    },
    /// Steps, one after the other.
    Symbolic(Vec<Step>),
}

/// One `u+rw`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The bits of those who are meant.
    who: u32,
    /// Bits that only those named are meant with, not the umask.
    masked: u32,
    sign: Sign,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Add,
    Remove,
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Bits; `x_if` adds execute for directories and for files that somebody may execute.
    Bits { bits: u32, x_if: bool },
    /// What another class has, by the place of its bits.
    Copy(u32),
}

/// Reads a mode. Without `u`, `g`, `o` or `a` it is for all, but leaves out what `umask` holds.
///
/// # Errors
/// Usage, exit code 3.
pub(crate) fn mode(text: &str, umask: u32) -> Done<ModeArg> {
    let octal = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let read = if octal {
        let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o7777);
        bits.map(|bits| ModeArg::Octal { bits, all: text.len() > 4 })
    } else {
        symbolic(text, umask).map(ModeArg::Symbolic)
    };
    let form = "Write it as three or four octal digits, or as in u=rwx,go-w.";
    read.ok_or_else(|| Failure::argument("MODE", text, form))
}

fn symbolic(text: &str, umask: u32) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for clause in text.split(',') {
        let mut rest = clause.chars();
        let (who, masked) = who(&mut rest, umask);
        let mut sign = sign(rest.next()?)?;
        loop {
            let (what, next) = what(&mut rest)?;
            steps.push(Step { who, masked, sign, what });
            match next {
                None => break,
                Some(more) => sign = more,
            }
        }
    }
    Some(steps)
}

/// Reads the letters in front of the sign.
fn who(rest: &mut Chars<'_>, umask: u32) -> (u32, u32) {
    let mut who = 0;
    loop {
        let bits = match rest.clone().next() {
            Some('u') => 0o4700,
            Some('g') => 0o2070,
            Some('o') => 0o1007,
            Some('a') => 0o7777,
            _ => break,
        };
        who |= bits;
        rest.next();
    }
    if who == 0 { (0o7777, umask & ALL) } else { (who, 0) }
}

fn sign(c: char) -> Option<Sign> {
    match c {
        '+' => Some(Sign::Add),
        '-' => Some(Sign::Remove),
        '=' => Some(Sign::Set),
        _ => None,
    }
}

/// Reads the letters after a sign, up to the next sign or the end.
fn what(rest: &mut Chars<'_>) -> Option<(What, Option<Sign>)> {
    let (mut bits, mut x_if, mut copy) = (0, false, None);
    let mut letters = 0u32;
    let next = loop {
        let Some(c) = rest.next() else { break None };
        if let Some(sign) = sign(c) {
            break Some(sign);
        }
        letters = letters.saturating_add(1);
        match c {
            'r' => bits |= 0o444,
            'w' => bits |= 0o222,
            'x' => bits |= 0o111,
            'X' => x_if = true,
            's' => bits |= SET_ID,
            't' => bits |= 0o1000,
            'u' => copy = Some(6),
            'g' => copy = Some(3),
            'o' => copy = Some(0),
            _ => return None,
        }
    };
    match copy {
        // A class is copied alone: `g=ux` has no meaning.
        Some(place) => (letters == 1).then_some((What::Copy(place), next)),
        None => Some((What::Bits { bits, x_if }, next)),
    }
}

impl ModeArg {
    /// The mode of something that has the mode `old`.
    pub(crate) fn apply(&self, old: u32, directory: bool) -> u32 {
        match self {
            Self::Octal { bits, all } if directory && !*all => bits | (old & SET_ID),
            Self::Octal { bits, .. } => *bits,
            Self::Symbolic(steps) => steps.iter().fold(old, |mode, step| step.apply(mode, directory)),
        }
    }
}

impl Step {
    fn apply(&self, old: u32, directory: bool) -> u32 {
        let bits = match self.what {
            What::Bits { bits, x_if } => {
                let execute = if x_if && (directory || old & 0o111 != 0) { 0o111 } else { 0 };
                bits | execute
            }
            What::Copy(place) => ((old >> place) & 7) * 0o111,
        };
        let bits = bits & self.who & !self.masked;
        match self.sign {
            Sign::Add => old | bits,
            Sign::Remove => old & !bits,
            Sign::Set => {
                // As for octal modes, a directory keeps its set-id bits unless they are named.
                let kept = if directory { SET_ID } else { 0 };
                (old & (!self.who | kept)) | bits
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, old: u32) -> u32 {
        mode(text, 0o022).unwrap().apply(old, false)
    }

    #[test]
    fn symbolic_modes_change_what_they_name() {
        for (text, old, new) in [
            ("u+x", 0o644, 0o744),
            ("go-rwx", 0o777, 0o700),
            ("a=r", 0o4777, 0o444),
            ("u=rwx,g=rx,o=", 0o666, 0o750),
            ("+x", 0o600, 0o711),
            ("+w", 0o400, 0o600),
            ("-w", 0o666, 0o466),
            ("g=u", 0o640, 0o660),
            ("o=g-w", 0o660, 0o664),
            ("u+s,g+s", 0o755, 0o6755),
            ("+t", 0o755, 0o1755),
            ("a+X", 0o644, 0o644),
            ("a+X", 0o744, 0o755),
            ("u=", 0o4755, 0o055),
            ("=", 0o755, 0),
        ] {
            assert_eq!(file(text, old), new, "{text} of {old:o}");
        }
    }

    #[test]
    fn directories_keep_set_id_bits_that_are_not_meant() {
        let dir = |text: &str, old| mode(text, 0o022).unwrap().apply(old, true);
        assert_eq!(dir("755", 0o2700), 0o2755);
        assert_eq!(dir("00755", 0o2700), 0o755);
        assert_eq!(dir("1777", 0o700), 0o1777);
        assert_eq!(dir("g-s", 0o2755), 0o755);
        assert_eq!(dir("a=rx", 0o2755), 0o2555);
        assert_eq!(dir("a+X", 0o600), 0o711);
        assert_eq!(file("755", 0o6700), 0o755);
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for bad in ["", "8", "10000", "77777", "u", "u+q", "rwx", "u+x,", "g=ux", "é", "u+x g+x", "-755"] {
            assert_eq!(mode(bad, 0).unwrap_err().code, 3, "{bad}");
        }
    }
}
