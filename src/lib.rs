//! An LVM-style volume manager whose disks are SQLite files.
//!
//! A `.db` file is a physical volume (PV); PVs form a volume group; logical volumes are carved from its extents, and
//! each is a complete filesystem. [`Pool`] is the front door:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use anyfs_lvm::lv::{Ino, NewNode};
//! use anyfs_lvm::{GIB, MIB, Pool};
//!
//! let folder = tempfile::tempdir()?;
//! let pool = Pool::create(folder.path())?;
//! pool.create_volume("home", 64 * MIB)?;
//!
//! let home = pool.volume("home")?;
//! let file = home.create(Ino::ROOT, b"hello.txt", &NewNode::file(0o644))?;
//! home.write(file.ino, 0, b"hello")?;
//! home.sync()?;
//! home.close()?;
//!
//! pool.add_pv("more.db", GIB)?;
//! pool.grow_volume("home", 256 * MIB)?;
//! # Ok(())
//! # }
//! ```
//!
//! The library never reads a system directory: a pool is found from its files alone.

#![forbid(unsafe_code)]

mod activate;
mod check;
mod copies;
mod error;
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub mod fuse;
mod grow;
#[cfg(unix)]
pub mod owner;
mod pool;

pub use activate::{activate, make_catalogues};
pub use check::check;
pub use copies::set_metadata_copies;
pub use error::{Error, Result};
pub use grow::grow;
pub use pool::{GIB, MIB, Pool, PoolOptions};
pub use {lv, pv, vg};
