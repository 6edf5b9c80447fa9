//! A volume fills up, the pool gets one more file, the volume grows, and work goes on.
//!
//! `cargo run --example growing_pool`

use std::error::Error;
use std::io::Write;

use anyfs_lvm::lv::{Ino, LvError, NewNode};
use anyfs_lvm::{MIB, Pool, PoolOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let options = PoolOptions { pv_bytes: 24 * MIB, ..PoolOptions::default() };
    let pool = Pool::create_with(folder.path(), &options)?;
    pool.create_volume("data", 16 * MIB)?;

    let piece = vec![7u8; 1 << 20];
    let mut written = 0u64;
    let data = pool.volume("data")?;
    let file = data.create(Ino::ROOT, b"big", &NewNode::file(0o644))?;
    let full = loop {
        match data.write(file.ino, written, &piece) {
            Ok(()) => written += MIB,
            Err(error @ LvError::NoSpace { .. }) => break error,
            Err(other) => return Err(other.into()),
        }
    };
    writeln!(std::io::stdout(), "after {written} bytes: {full}")?;
    data.close()?;

    pool.add_pv("disk2.db", 64 * MIB)?;
    pool.grow_volume("data", 32 * MIB)?;
    let data = pool.volume("data")?;
    data.write(file.ino, written, &piece)?;
    data.sync()?;
    let space = data.statfs()?;
    writeln!(std::io::stdout(), "went on: {} of {} bytes free", space.free, space.total)?;
    Ok(data.close()?)
}
