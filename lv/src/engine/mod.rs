//! The filesystem engine of one family: log-structured data, SQL metadata, transaction groups.
//!
//! Data flows one way: a write goes into its file's open [`layer`]; [`flush`] places layers in fresh extents, through
//! [`place`] and the PVs' [`pipeline`]; [`txg`] commits rows that name only placed data; [`space`] lets go of what a
//! commit freed; [`compact`] makes whole free extents out of scattered free bytes.

mod activate;
mod ahead;
mod background;
mod commit;
mod commit_cost;
mod compact;
mod core;
mod directory;
mod entry;
mod file_map;
mod flush;
mod gather;
mod grow;
mod held;
mod host_gain;
mod host_reserve;
mod host_space;
mod inode;
mod install;
mod layer;
mod lock_table;
mod more_copies;
mod namespace;
mod own;
mod pack;
mod pipeline;
mod place;
mod range;
mod read;
mod rename;
mod replace;
mod rules;
mod space;
mod state;
mod table;
mod to_read;
mod txg;
mod undo;
mod victims;
mod way_back;
mod without;
mod write;
mod xattr;

pub(crate) use activate::Activation;
pub(crate) use core::{Core, lock};
pub use core::{Quota, VolumeOptions};
pub(crate) use directory::{bucket_at, bucket_of};
pub(crate) use held::Held;
pub(crate) use host_space::Brings;
pub(crate) use lock_table::Wanted;
pub(crate) use own::own_to_read;
pub use rules::{Rule, TestSwitches};
pub use space::hidden_reserve;
pub(crate) use state::{FS, Phase, Poison, State};
