//! What may be found in a damaged pool.

use std::collections::BTreeSet;
use std::path::Path;

use lv::{CheckReport, Volume};

use super::after::go_on;
use super::ground::{Ground, Opened, check, file_name, open, options};
use super::inflict::Damaged;
use super::kind::Kind;
use super::tree::{LvText, Node, Part, Tree, above, shown};
use crate::Disk;
use crate::prng::Prng;

/// How a trial ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The pool or the volume was not opened, and the error named what was wrong.
    Refused,
    /// Something could not be read, or a file was reported, everything else was right.
    Detected,
    /// Everything was there.
    Harmless,
    /// An older state of the whole volume, where nothing could know better.
    Older,
    /// Attributes of a file are old; only a check of the whole catalogue notices.
    LeftToCheck,
    /// Several pages fell back together, so that what vouches fell back with what it vouches for; only a check of the
    /// whole catalogue notices.
    OldTogether,
    /// What was right at first is an error after more was written; a check of the whole catalogue would have noticed.
    Later,
}

impl Verdict {
    /// All of them, each with a word for it.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Refused, "refused"),
        (Self::Detected, "detected"),
        (Self::Harmless, "harmless"),
        (Self::Older, "older"),
        (Self::LeftToCheck, "left to check"),
        (Self::OldTogether, "old together"),
        (Self::Later, "told later"),
    ];
}

/// Judges a damaged pool.
pub(super) fn judge(
    ground: &Ground,
    (kind, damaged): (Kind, &Damaged),
    disk: &Disk,
    rng: &mut Prng,
) -> Result<Verdict, String> {
    let Opened { volume, notices } = open(&disk.env(), Path::new("/"), options());
    for text in &notices {
        check_text(text)?;
    }
    let volume = match volume {
        Ok(volume) => volume,
        Err(text) => {
            check_text(&text)?;
            let all = format!("{text}\n{}", notices.join("\n"));
            // Where the only PV is gone or another there is nothing but the group to name.
            let group = ground.pvs == 1 && text.contains("\"data\" not found");
            return if group || names(&all, damaged) {
                Ok(Verdict::Refused)
            } else {
                Err(format!("names no file: {all}"))
            };
        }
    };
    let first = rng.one_in(2).then(|| lookups(&volume, ground, &Tree::default()));
    let found = Tree::read(&volume);
    for ((path, _), error) in &found.troubles {
        check_text(&error.text)?;
        let own = names_of(path, &ground.now).iter().any(|name| error.text.contains(name));
        if !own && !names(&error.text, damaged) {
            return Err(format!("{}: names no object: {}", shown(path), error.text));
        }
    }
    let mut wrong = compare(&found, &ground.now);
    let later = lookups(&volume, ground, &found);
    if wrong.is_empty() {
        wrong.extend(later.err());
        wrong.extend(first.and_then(Result::err));
    }
    if !wrong.is_empty() {
        volume.abandon();
        let mut known = ground.acceptable(damaged.older_from).map(|state| compare(&found, state));
        return match known.find(Vec::is_empty) {
            Some(_) => Ok(Verdict::Older),
            None if attributes_only(&found, &ground.now) && checked(damaged)? => Ok(Verdict::LeftToCheck),
            None if kind == Kind::StaleSome && checked(damaged)? => Ok(Verdict::OldTogether),
            None => Err(told(&wrong)),
        };
    }
    let told = !found.troubles.is_empty() || !notices.is_empty();
    match go_on(&found, disk, volume, rng) {
        Ok(()) => {}
        Err(worse) if worse.told.iter().all(|text| names(text, damaged)) && worse.silent == 0 && checked(damaged)? => {
            return Ok(Verdict::Later);
        }
        Err(worse) => return Err(format!("going on: {}", worse.text)),
    }
    Ok(if told { Verdict::Detected } else { Verdict::Harmless })
}

/// Whether names and bytes are right (or not readable), and only attributes of inodes are not. What an old size cuts or
/// adds is an attribute's fault.
fn attributes_only(found: &Tree, right: &Tree) -> bool {
    let same = |path: &[u8], node: &Node, have: &Node| {
        let len = have.bytes.len().min(node.bytes.len());
        let resized = have.attr.size != node.attr.size && have.bytes[len..].iter().all(|byte| *byte == 0);
        let bytes = have.bytes == node.bytes || (resized && have.bytes[..len] == node.bytes[..len]);
        (bytes || found.troubled(path, Part::Bytes))
            && (have.xattrs == node.xattrs || found.troubled(path, Part::Xattrs))
            && have.attr.kind == node.attr.kind
    };
    let known = |path: &[u8]| found.troubled(path, Part::Attr) || found.troubled(above(path), Part::List);
    right.nodes.iter().all(|(path, node)| match found.nodes.get(path) {
        Some(have) => same(path, node, have),
        None => known(path) || !found.nodes.contains_key(above(path)),
    }) && found.nodes.keys().all(|path| right.nodes.contains_key(path))
}

/// Whether a check says what was damaged, in words that name it: each damaged copy of the metadata by itself, or a
/// damaged PV as one of the whole volume's.
fn checked(damaged: &Damaged) -> Result<bool, String> {
    let disk = Disk::from_image(&damaged.image, crate::Settings::default());
    let (metadata, pvs): (Vec<&String>, Vec<_>) = damaged.files.iter().partition(|file| file.contains(".meta"));
    for file in metadata {
        let path = Path::new(file.trim_end_matches("-wal")).to_owned();
        let copy = lv::CopyPlace { pv: pv::PvUuid::from_bytes([0; 16]), path };
        if told_by(lv::check_copy(&disk.env(), &copy).map_err(|error| LvText::of(&error).text))?.is_some() {
            return Ok(true);
        }
    }
    if pvs.is_empty() {
        return Ok(false);
    }
    let text = told_by(check(&disk.env(), Path::new("/")))?;
    Ok(text.is_some_and(|text| names(&text, damaged)))
}

/// What a check said, if it is not content.
fn told_by(report: Result<CheckReport, String>) -> Result<Option<String>, String> {
    let found = match report {
        Ok(report) => report.problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error],
    };
    found.iter().try_for_each(|text| check_text(text))?;
    Ok((!found.is_empty()).then(|| found.join("; ")))
}

/// The first of what is wrong, and how much there is.
pub(super) fn told(wrong: &[String]) -> String {
    format!(
        "{} ({} wrong in all)",
        wrong.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; "),
        wrong.len()
    )
}

/// One line, in the words of this project.
fn check_text(text: &str) -> Result<(), String> {
    let jargon = ["malformed", "disk image", "SQLITE_", "constraint", "no such table", "b-tree", "panicked"];
    match jargon.into_iter().find(|word| text.contains(word)) {
        Some(word) => Err(format!("an error says {word}: {text}")),
        None if text.contains('\n') => Err(format!("an error of several lines: {text}")),
        None => Ok(()),
    }
}

/// Whether an error names one of the damaged files: itself, or the PV that a journal or log belongs to.
pub(super) fn names(text: &str, damaged: &Damaged) -> bool {
    let mut known = BTreeSet::new();
    for file in &damaged.files {
        let name = file_name(file).display().to_string();
        known.insert(name.trim_end_matches("-wal").trim_end_matches("-journal").to_owned());
    }
    known.iter().any(|name| text.contains(name.as_str()))
}

/// Looks every path up by its name. What an earlier listing could not read may fail, but not be absent.
fn lookups(volume: &Volume, ground: &Ground, found: &Tree) -> Result<(), String> {
    for (path, node) in &ground.now.nodes {
        match volume.resolve(path, false) {
            Ok(attr) if attr.kind != node.attr.kind || attr.size != node.attr.size || attr.mode != node.attr.mode => {
                return Err(format!("{} leads to another file: {attr:?}", shown(path)));
            }
            Ok(_) => {}
            Err(error) => {
                let LvText { text, absent } = LvText::of(&error);
                let listed = found.troubled(above(path), Part::List);
                if absent {
                    let how = if listed { ", its directory cannot be listed" } else { "" };
                    return Err(format!("looking up {} finds nothing{how}: {text}", shown(path)));
                }
                check_text(&text)?;
            }
        }
    }
    Ok(())
}

/// A path, and with it the other names that the same file may have.
fn names_of(path: &[u8], right: &Tree) -> Vec<String> {
    let own = right.nodes.get(path).filter(|node| node.attr.nlink > 1);
    let twins = right.nodes.iter().filter(|(_, node)| own.is_some_and(|own| *own == **node));
    std::iter::once(shown(path)).chain(twins.map(|(path, _)| shown(path))).collect()
}

/// What was found and is not so; what an error stands for is not wrong.
pub(super) fn compare(found: &Tree, right: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, node) in &right.nodes {
        let Some(have) = found.nodes.get(path) else {
            let dir = above(path);
            let excused = found.troubled(path, Part::Attr)
                || found.troubled(dir, Part::List)
                || (path != b"/" && !found.nodes.contains_key(dir));
            if !excused {
                wrong.push(format!("{} is missing", shown(path)));
            }
            continue;
        };
        let path_text = shown(path);
        if have.attr != node.attr {
            wrong.push(format!("{path_text}: {:?} instead of {:?}", have.attr, node.attr));
        }
        if have.bytes != node.bytes && !found.troubled(path, Part::Bytes) {
            let at = have.bytes.iter().zip(&node.bytes).position(|(one, two)| one != two);
            wrong.push(format!("{path_text}: wrong bytes from {at:?}"));
        }
        if have.xattrs != node.xattrs && !found.troubled(path, Part::Xattrs) {
            wrong.push(format!("{path_text}: wrong extended attributes"));
        }
    }
    let extra = found.nodes.keys().filter(|path| !right.nodes.contains_key(*path));
    wrong.extend(extra.map(|path| format!("{} should not be there", shown(path))));
    wrong
}
