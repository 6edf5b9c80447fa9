//! Pools on filesystems that run full: fill, delete, fill again, with everything that must work in between.
//!
//! The PVs promise more than their host has. What was acknowledged stays, byte for byte; a refusal is one line that says
//! whose space is missing; reading, deleting, closing and opening work with nothing free; space comes back.

mod command;
mod cycle;
mod ground;
mod model;
mod plan;
mod pool;
mod refusal;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use ground::{Kind, ext4_works, namespace};

use crate::watch::{watched, watched_for};

/// What cycles did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cycles by kind of filesystem.
    pub cycles: BTreeMap<Kind, u64>,
    /// Of these, through the command.
    pub by_command: u64,
    /// Times that a pool was filled to the last 4 KiB.
    pub filled: u64,
    /// Bytes that were written for it.
    pub bytes: u64,
    /// Fsyncs, syncs and commands that returned and whose data was looked for.
    pub acknowledged: u64,
    /// Refusals, each judged.
    pub refused: u64,
    /// Overwrites and cuts in a full pool.
    pub changed: u64,
    /// Files that were deleted.
    pub deleted: u64,
    /// Times that another program took the space.
    pub ballasts: u64,
    /// Times that the pool was opened.
    pub opened: u64,
    /// Of these, refused for want of a byte while there was no reserve.
    pub unopened: u64,
}

impl Tally {
    /// Cycles in all.
    pub fn count(&self) -> u64 {
        self.cycles.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.count();
        let kinds: Vec<String> = self.cycles.iter().map(|(kind, n)| format!("{n} {}", kind.name())).collect();
        write!(f, "{all} cycles ({}; {} by command), {} fills, ", kinds.join(", "), self.by_command, self.filled)?;
        write!(f, "{} MiB, {} acknowledged, {} refusals, ", self.bytes >> 20, self.acknowledged, self.refused)?;
        write!(f, "{} changes and {} deletions in full pools, ", self.changed, self.deleted)?;
        write!(f, "{} ballasts, {} openings ({} without a byte)", self.ballasts, self.opened, self.unopened)
    }
}

/// Where cycles take place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Filesystems that can be had.
    pub kinds: Vec<Kind>,
    /// The `anyfs-lvm` command, if it is there.
    pub command: Option<PathBuf>,
    /// A folder for mounts and images.
    pub base: PathBuf,
}

/// Runs the cycle that follows from `seed`.
///
/// # Errors
/// What is wrong.
pub fn fill_cycle(seed: u64, place: &Place, tally: &mut Tally) -> Result<(), String> {
    let _cycle = watched_for(5, || format!("the cycle with seed {seed}"));
    let watched = watched(|| format!("a step of the cycle with seed {seed}"));
    let mut plan = plan::Plan::draw(seed, &place.kinds);
    let real: Vec<Kind> = place.kinds.iter().copied().filter(|kind| *kind != Kind::Memory).collect();
    match place.command.as_deref().filter(|_| !real.is_empty() && seed.is_multiple_of(4)) {
        Some(command) => {
            // A process for each handful of files: too slow for tiny ones.
            plan.sizes = if plan.sizes == plan::Sizes::Tiny { plan::Sizes::Mixed } else { plan.sizes };
            plan.kind = if real.contains(&plan.kind) { plan.kind } else { real[0] };
            command::run(seed, &plan, (&place.base, command), (tally, &watched))?;
            tally.by_command += 1;
        }
        None => cycle::run(seed, plan, &place.base, (tally, &watched))?,
    }
    *tally.cycles.entry(plan.kind).or_default() += 1;
    Ok(())
}

/// The command beside the running program, where a build puts it.
pub fn command_beside() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let dir = own.parent()?;
    let folder = if dir.ends_with("deps") { dir.parent()? } else { dir };
    Some(folder.join("anyfs-lvm")).filter(|path: &PathBuf| Path::is_file(path))
}
