//! Shell patterns, as `find -name` takes them.

/// `*` any text, `?` any character, `[a-z]` one of these, `[!a-z]` none of them, `\` before a character meant as it is.
/// Bytes that are no UTF-8 count as characters of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Vec<Part>,
    fold: bool,
}

/// A character, or a byte that is part of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Char(char),
    Byte(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Is(Unit),
    Set { not: bool, ranges: Vec<(Unit, Unit)> },
}

fn units(bytes: &[u8], fold: bool) -> Vec<Unit> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.extend(chunk.valid().chars().map(|c| Unit::Char(c).folded(fold)));
        out.extend(chunk.invalid().iter().map(|byte| Unit::Byte(*byte)));
    }
    out
}

impl Unit {
    /// In lower case where that is one character, too.
    fn folded(self, fold: bool) -> Self {
        match self {
            Self::Char(c) if fold => {
                let mut lower = c.to_lowercase();
                match (lower.next(), lower.next()) {
                    (Some(one), None) => Self::Char(one),
                    _ => self,
                }
            }
            _ => self,
        }
    }
}

impl Glob {
    /// Reads a pattern; every text is one. Case does not count when `fold`.
    pub(crate) fn new(text: &[u8], fold: bool) -> Self {
        let mut rest: &[Unit] = &units(text, fold);
        let mut parts: Vec<Part> = Vec::new();
        while let [first, after @ ..] = rest {
            rest = after;
            parts.push(match first {
                Unit::Char('*') if parts.last() == Some(&Part::Any) => continue,
                Unit::Char('*') => Part::Any,
                Unit::Char('?') => Part::One,
                Unit::Char('[') => match set(after) {
                    Some((set, after)) => {
                        rest = after;
                        set
                    }
                    None => Part::Is(*first),
                },
                Unit::Char('\\') => match after {
                    [next, after @ ..] => {
                        rest = after;
                        Part::Is(*next)
                    }
                    [] => Part::Is(*first),
                },
                plain => Part::Is(*plain),
            });
        }
        Self { parts, fold }
    }

    /// Whether all of `name` fits. Never more than the product of both lengths, because only the last `*` is tried
    /// again: what came before it fits already.
    pub(crate) fn fits(&self, name: &[u8]) -> bool {
        let name = units(name, self.fold);
        let (mut part, mut at) = (0usize, 0usize);
        // The part behind the last `*`, and where the text it stands for ends.
        let mut star: Option<(usize, usize)> = None;
        while let Some(unit) = name.get(at) {
            match self.parts.get(part) {
                Some(Part::Any) => {
                    part += 1;
                    star = Some((part, at));
                }
                Some(one) if one.takes(*unit) => {
                    part += 1;
                    at += 1;
                }
                _ => {
                    let Some((behind, end)) = star else { return false };
                    (part, at) = (behind, end + 1);
                    star = Some((behind, at));
                }
            }
        }
        self.parts.get(part..).unwrap_or_default().iter().all(|part| *part == Part::Any)
    }
}

impl Part {
    fn takes(&self, unit: Unit) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Is(wanted) => *wanted == unit,
            Self::Set { not, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&unit)) != *not,
        }
    }
}

/// Reads a set behind its `[`; `None` when no `]` ends it, so that the bracket is one.
fn set(units: &[Unit]) -> Option<(Part, &[Unit])> {
    let (not, mut rest) = match units {
        [Unit::Char('!' | '^'), after @ ..] => (true, after),
        all => (false, all),
    };
    let mut ranges = Vec::new();
    loop {
        match rest {
            // A bracket that comes first is a member.
            [Unit::Char(']'), after @ ..] if !ranges.is_empty() => return Some((Part::Set { not, ranges }, after)),
            [] => return None,
            _ => {}
        }
        if let Some((class, after)) = class(rest) {
            ranges.extend(class.iter().map(|(low, high)| (Unit::Char(*low), Unit::Char(*high))));
            rest = after;
            continue;
        }
        let (low, after) = member(rest)?;
        rest = after;
        let high = match rest {
            [Unit::Char('-'), after @ ..] if !matches!(after, [] | [Unit::Char(']'), ..]) => {
                let (high, after) = member(after)?;
                rest = after;
                high
            }
            _ => low,
        };
        ranges.push((low, high));
    }
}

fn member(units: &[Unit]) -> Option<(Unit, &[Unit])> {
    match units {
        [Unit::Char('\\'), one, after @ ..] | [one, after @ ..] => Some((*one, after)),
        [] => None,
    }
}

/// Characters from the first to the second.
type Range = (char, char);

/// Reads `[:alpha:]` and its like, of ASCII.
fn class(units: &[Unit]) -> Option<(&'static [Range], &[Unit])> {
    const CLASSES: [(&str, &[Range]); 9] = [
        ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
        ("alpha", &[('A', 'Z'), ('a', 'z')]),
        ("blank", &[(' ', ' '), ('\t', '\t')]),
        ("digit", &[('0', '9')]),
        ("lower", &[('a', 'z')]),
        ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
        ("space", &[('\t', '\r'), (' ', ' ')]),
        ("upper", &[('A', 'Z')]),
        ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
    ];
    CLASSES.iter().find_map(|(name, ranges)| {
        let mut rest = units;
        for wanted in ["[:", name, ":]"].iter().flat_map(|text| text.chars()) {
            rest = rest.strip_prefix(&[Unit::Char(wanted)])?;
        }
        Some((*ranges, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Glob::new(pattern.as_bytes(), false).fits(name.as_bytes())
    }

    #[test]
    fn stars_and_marks_stand_for_text() {
        for (pattern, name) in
            [("*", ""), ("*.rs", "lib.rs"), ("a*b*c", "aXbXbc"), ("?", "ü"), ("**a", "a"), ("", ""), (".*", ".x")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.rs", "lib.rss"), ("a*b*c", "aXbXb"), ("?", ""), ("?", "ab"), ("", "a"), ("a", "A")]
        {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn sets_are_ranges_classes_and_their_opposites() {
        for (pattern, name) in [
            ("[a-c]x", "bx"),
            ("[!a-c]", "d"),
            ("[^a]", "b"),
            ("[]]", "]"),
            ("[a-]", "-"),
            ("[[:digit:]_]", "7"),
            ("[\\]]", "]"),
            ("[", "["),
            ("[a", "[a"),
            ("\\*", "*"),
            ("\\", "\\"),
            ("[ä-ö]", "ä"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("[a-c]", "d"), ("[!a-c]", "b"), ("[[:digit:]]", "x"), ("\\*", "x"), ("[c-a]", "b")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn case_counts_unless_it_is_not_to() {
        assert!(Glob::new("*.JPG".as_bytes(), true).fits(b"a.jpg"));
        assert!(Glob::new("gRÜn".as_bytes(), true).fits("GrüN".as_bytes()));
    }

    #[test]
    fn bytes_that_are_no_text_fit_as_they_are() {
        assert!(Glob::new(b"a\xff*", false).fits(b"a\xff\xfe"));
        assert!(Glob::new(b"a??", false).fits(b"a\xff\xfe"));
        assert!(!Glob::new(b"\xff", false).fits(b"\xfe"));
    }

    #[test]
    fn many_stars_cost_no_more_than_the_lengths_allow() {
        let pattern = "*a".repeat(100) + "*b";
        assert!(!fits(&pattern, &"a".repeat(255)));
    }
}
