//! The crash rig: SQLite on a disk in memory that remembers every write, sync and rename, and the disks that a crash
//! at any moment could have left behind.
//!
//! * [`Disk`]: files in memory behind a SQLite VFS of its own, [`MemHost`] and [`TestClock`] for what is not SQLite's.
//! * [`Model`], [`Image`], [`Mode`], [`Spec`]: what is durable, and crash images.
//! * [`Campaign`]: the model test, against a reference filesystem.
//! * [`Explorer`]: feeds a log through the model and lets a [`Check`] judge the images, in parallel, also crashes
//!   during the recovery from a crash.
//! * [`FaultCampaign`]: operation 1, 2, 3 and so on of a disk fails, and the engine is judged by what it does then.
//! * [`Toy`]: two files with a right and several wrong commit orders, to see that it looks.
//!
//! `README.md` beside this package says how a test is built from them.

mod clock;
mod content;
mod damage;
mod disk;
mod engine;
mod explore;
mod faults;
mod fill;
mod fs;
mod host;
mod image;
mod log;
mod machine;
mod manual;
mod prng;
mod processes;
mod report;
mod tale;
mod toy;
#[expect(unsafe_code, reason = "SQLite calls a VFS through C; see the module for what it relies on")]
mod vfs;
mod watch;

pub use clock::TestClock;
pub use content::Content;
pub use damage::{DamageKind, DamageOptions, DamageReport, RealCommand, TRIALS, Verdict};
pub use disk::{Before, Disk, Fault, FaultKind, FileKind, ParseFaultError, Settings};
pub use engine::{
    Descriptor, Pool, Run, Sequences, SequencesReport, Shape, Step, Told, VgOp, VgTold, Weakness, Workload,
};
pub use explore::{Check, Crash, Explorer, Options};
pub use faults::{FaultCampaign, FaultOptions, FaultReport, FaultTally};
pub use fill::{
    Kind as GroundKind, Place as FillPlace, Tally as FillTally, command_beside, ext4_works, fill_cycle, namespace,
};
pub use fs::{FsOp, Generator, History, Mix, Outcome, Place, Snapshot, apply};
pub use host::MemHost;
pub use image::{Image, Mode, Model, ParseSpecError, Spec};
pub use log::{Inode, Name, NameOp, Node, Op};
pub use machine::{Campaign, Counts, Failed};
pub use manual::manual;
pub use prng::Prng;
pub use processes::{
    KillCounts, KillLoop, MountCounts, MountKills, ProcessArguments, Races, Work, ZombieCounts, Zombies, cannot_mount,
    hold_stopped, run_processes, work,
};
pub use report::{Failure, Report, Tally};
pub use tale::{Shrunk, Story, Tale, shrink};
pub use toy::Toy;
pub use vfs::seed_sqlite;
pub use watch::watch;
