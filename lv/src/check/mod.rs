//! Checking a whole volume: everything that must be true of its files between two commits.
//!
//! Read from the files as they are: nothing is changed, repaired or activated. One pass over each table of the newest
//! copy of the metadata counts what rows say of each other (names and link counts, maps and references, slices and live
//! bytes); then the extents on every PV are compared with the rows that name them, and the other copies of the metadata
//! with the newest.

mod copies;
mod extents;
mod maps;
mod names;
mod report;
mod source;

use pv::Env;
use vg::VolumeExtents;

pub use self::report::{CheckReport, Checked, Finding, Object};

use self::extents::{Extents, Les};
use self::maps::Maps;
use self::names::Tree;
use self::source::Source;
use crate::catalogue::{CopyPlace, same_file};
use crate::engine::own_to_read;
use crate::{LvError, Result};

/// What a check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckOptions {
    /// Also reads all bytes of files and verifies their checksums.
    pub data: bool,
    /// Also reads the physical volumes whole, whatever else is on them, and compares their pages with each other: a free one
    /// that is in use is right until the next write.
    pub pages: bool,
}

impl CheckOptions {
    /// All there is to check.
    pub const ALL: Self = Self { data: true, pages: true };
}

/// Checks a volume that nobody has active.
///
/// # Errors
/// [`LvError::InUse`]: somebody has it ([`Volume::check`](crate::Volume::check) is for its owner).
/// [`LvError::NoMetadata`]: no copy of its metadata can be read. What is wrong with the volume is no error but in the
/// report.
///
/// # Concurrency
/// Holds the owner's lock files meanwhile, so that nobody activates the volume. Where files cannot be written, those that
/// are there are held all the same.
///
/// # Cost
/// O(rows of the metadata + extents), with `data` also all bytes, with `pages` also those of other volumes on the same
/// PVs; their commits wait for it only where something looks wrong. Memory: about 150 bytes for each inode and slice.
pub fn check(env: &Env, extents: &VolumeExtents, copies: &[CopyPlace], options: CheckOptions) -> Result<CheckReport> {
    let _held = own_to_read(env, copies)?;
    examine(env, extents, copies, options)
}

/// Checks one copy of a volume's metadata by itself, also beside its owner: it sees one commit.
///
/// # Errors
/// [`LvError::Pv`] and [`LvError::DamagedRow`]: the copy cannot be opened. What is wrong with it is no error but in the
/// report.
pub fn check_copy(env: &Env, copy: &CopyPlace) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    let source = Source::open(env, copy)?;
    report.checked.copies = 1;
    rows(&source, &mut report);
    Ok(report)
}

/// As [`check`], while nothing changes the volume.
pub(crate) fn examine(
    env: &Env,
    extents: &VolumeExtents,
    copies: &[CopyPlace],
    options: CheckOptions,
) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    let mut sources: Vec<Source> = Vec::new();
    for place in copies {
        if let Some(why) = same_file(env, sources.iter().map(|source| &source.place), place) {
            report.problem(Object::Metadata(place.path.clone()), why);
            continue;
        }
        match Source::open(env, place) {
            Ok(source) => sources.push(source),
            Err(error) => report.failure(Object::Metadata(place.path.clone()), &error),
        }
    }
    sources.sort_by_key(|source| std::cmp::Reverse((source.state.txg, source.state.epoch)));
    report.checked.copies = u64::try_from(sources.len()).unwrap_or(u64::MAX);
    let Some((newest, others)) = sources.split_first() else {
        let missing: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        return Err(LvError::NoMetadata { missing: missing.join("; ") });
    };
    if newest.state.family != extents.family {
        report.problem(newest.object(), "it belongs to another volume");
        return Ok(report);
    }
    let les = rows(newest, &mut report);
    Extents::new((newest, others), extents, options, les).judge(&mut report);
    for other in others {
        copies::compare(newest, other, &mut report);
    }
    Ok(report)
}

/// Checks the rows of one copy with each other.
fn rows(source: &Source, report: &mut CheckReport) -> Les {
    source.judge_structure(report);
    let mut tree = Tree::read(source, report);
    let taken = Maps::read(source, &mut tree, report).judge(source, report);
    tree.judge(source, report);
    let les = Les::read(source, taken, report);
    source.judge_totals(report);
    les
}
