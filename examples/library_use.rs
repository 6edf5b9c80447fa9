//! A pool in a folder, a file in it, and the file back after everything was opened anew.
//!
//! `cargo run --example library_use`

use std::error::Error;
use std::io::Write;

use anyfs_lvm::lv::{Ino, NewNode};
use anyfs_lvm::{MIB, Pool};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;

    // One PV, `disk1.db`, and a volume carved from it.
    let pool = Pool::create(folder.path())?;
    pool.create_volume("home", 64 * MIB)?;

    let home = pool.volume("home")?;
    let docs = home.mkdir(Ino::ROOT, b"docs", &NewNode::directory(0o755))?;
    let file = home.create(docs.ino, b"hello.txt", &NewNode::file(0o644))?;
    home.write(file.ino, 0, b"hello, pool")?;
    home.fsync(file.ino)?; // from here on it survives a power cut
    home.close()?;
    drop(pool);

    // The files alone are the pool.
    let pool = Pool::open_dir(folder.path())?;
    let home = pool.volume("home")?;
    let found = home.resolve(b"/docs/hello.txt", true)?;
    let mut text = vec![0; usize::try_from(found.size)?];
    home.read(found.ino, 0, &mut text)?;
    writeln!(std::io::stdout(), "{:?}: {}", pool.volumes(), String::from_utf8(text)?)?;
    home.close()?;
    Ok(())
}
