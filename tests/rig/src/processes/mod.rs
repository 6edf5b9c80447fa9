//! Real processes on real files: owners that are killed (also of mounts), stopped and taken over, and commands that race.

mod arguments;
mod hold;
mod kill;
mod mounted;
mod races;
mod replay;
mod work;
mod worker;
mod zombie;

pub use arguments::{ProcessArguments, run_processes};
pub use hold::hold_stopped;
pub use kill::{KillCounts, KillLoop};
pub use mounted::{MountCounts, MountKills, cannot_mount};
pub use races::Races;
pub use work::{Work, work};
pub use zombie::{ZombieCounts, Zombies};
