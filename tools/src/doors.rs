//! Doors for fuzz targets: the parsers that take what a user, a script or an archive says.
//!
//! Each returns what it made of its input in words, or the lines that a user would see.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use anyfs_lvm::lv::{Ino, Volume};
use anyfs_lvm::pv::units::Unit;

use crate::accounts::Accounts;
use crate::args::criteria::{Criteria, split};
use crate::args::{self, LvName, NamePattern};
use crate::failure::Done;
use crate::files::glob::Glob;
use crate::files::progress::Progress;
use crate::files::stop::Stop;
use crate::files::tar::{import, input::Input};
use crate::files::volume::Mount;
use crate::files::{show, value};

/// A parser by its name.
pub type Parser = fn(&[u8]) -> Result<String, Vec<String>>;

/// The parsers.
pub const PARSERS: &[(&str, Parser)] = &[
    ("size", |text| said(args::size("-L", &lossy(text), Unit::Mebi, true))),
    ("extents", |text| said(args::extents("lvcreate", &lossy(text), true))),
    ("length", |text| said(args::length(&lossy(text)).map(|length| [0, 1, u64::MAX].map(|old| length.of(old))))),
    ("mode", |text| {
        said(args::mode(&lossy(text), 0o022).map(|mode| [0, 0o7777, 0o644].map(|old| mode.apply(old, old == 0))))
    }),
    ("date", |text| said(args::date(&lossy(text), NOW))),
    ("stamp", |text| said(args::stamp(&lossy(text), NOW))),
    ("owner", |text| said(args::owner(&lossy(text), &mut Accounts::default()))),
    ("pattern", |text| said(NamePattern::new(&lossy(text)).map(|pattern| pattern.fits(text)))),
    ("criteria", |text| {
        let words = text.split(|byte| *byte == b'\n').map(|word| OsStr::from_bytes(word).to_owned());
        let (tests, rest) = split(words.collect());
        said(Criteria::new(&tests).map(|criteria| (criteria.depths, rest)))
    }),
    ("glob", |text| {
        let (pattern, name) = text.split_at(text.len() / 2);
        Ok(format!("{} {}", Glob::new(pattern, false).fits(name), Glob::new(pattern, true).fits(name)))
    }),
    ("value", |text| match value::decode(text) {
        Ok(bytes) => Ok(value::encode(&bytes, None)),
        Err(why) => Err(vec![why.to_owned()]),
    }),
    ("path", |text| Ok(format!("{:?}", args::file_path(OsStr::from_bytes(text))))),
    ("show", |text| Ok(show::name(text))),
];

/// A moment for what counts from now.
const NOW: i64 = 1_700_000_000_000_000_000;

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn said<T: Debug>(done: Done<T>) -> Result<String, Vec<String>> {
    done.map(|value| format!("{value:?}")).map_err(|failure| failure.lines)
}

/// Unpacks an archive below the root of a volume; what the user would be told.
///
/// # Errors
/// Nothing of the archive: the machine's own.
pub fn unpack(volume: &Volume, archive: &[u8]) -> std::io::Result<Vec<String>> {
    let mount = Mount { volume: volume.clone().into(), name: LvName { vg: "vg".to_owned(), lv: "lv".to_owned() } };
    let (progress, stop) = (Progress::new(false), Stop::default());
    // Always ready, as a file is.
    let ready = File::open("/dev/null")?;
    let mut bytes = archive;
    let input = Input::new((&mut bytes as &mut dyn Read, ready.as_fd()), "archive".to_owned(), (&progress, &stop));
    let told = import::import(&mount, Ino::ROOT, input, &progress);
    Ok(told.notes.into_iter().chain(told.failures.into_iter().flat_map(|failure| failure.lines)).collect())
}
