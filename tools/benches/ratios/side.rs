//! The two sides of a comparison, and the bytes they are given.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyfs_lvm::lv::{Ino, NewNode, Volume};
use anyfs_lvm::pv::ExtentSize;
use anyfs_lvm::{MIB, Pool, PoolOptions};

/// Bytes per write and read of a stream.
pub(crate) const CHUNK: u64 = 128 * 1024;
/// The unit of small operations, and of what is verified.
pub(crate) const BLOCK: u64 = 4096;

/// Where work is done.
#[derive(Debug, Clone)]
pub(crate) enum Side {
    Host(PathBuf),
    Ours(Volume),
}

/// An open file.
#[derive(Debug)]
pub(crate) enum Handle {
    Host(File),
    Ours(Volume, Ino),
}

impl Side {
    /// Makes a file.
    pub(crate) fn file(&self, name: &str) -> Handle {
        match self {
            Self::Host(dir) => {
                let open = File::options().create_new(true).read(true).write(true).open(dir.join(name));
                Handle::Host(open.unwrap())
            }
            Self::Ours(volume) => {
                let made = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o644)).unwrap();
                Handle::Ours(volume.clone(), made.ino)
            }
        }
    }

    /// Opens a file again.
    pub(crate) fn again(&self, name: &str) -> Handle {
        match self {
            Self::Host(dir) => Handle::Host(File::options().read(true).write(true).open(dir.join(name)).unwrap()),
            Self::Ours(volume) => Handle::Ours(volume.clone(), volume.lookup(Ino::ROOT, name.as_bytes()).unwrap().ino),
        }
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) {
        match self {
            Self::Host(dir) => fs::remove_file(dir.join(name)).unwrap(),
            Self::Ours(volume) => volume.unlink(Ino::ROOT, name.as_bytes()).unwrap(),
        }
    }

    /// Makes a directory and `count` files of one block in it, all durable.
    pub(crate) fn many(&self, dir: &str, count: u64) {
        let mut block = vec![0; BLOCK as usize];
        match self {
            Self::Host(base) => {
                let base = base.join(dir);
                fs::create_dir(&base).unwrap();
                for n in 0..count {
                    fill(&mut block, n, 0);
                    fs::write(base.join(format!("file-{n:05}")), &block).unwrap();
                }
            }
            Self::Ours(volume) => {
                let base = volume.mkdir(Ino::ROOT, dir.as_bytes(), &NewNode::file(0o755)).unwrap().ino;
                for n in 0..count {
                    fill(&mut block, n, 0);
                    let name = format!("file-{n:05}");
                    let file = volume.create(base, name.as_bytes(), &NewNode::file(0o644)).unwrap();
                    volume.write(file.ino, 0, &block).unwrap();
                }
            }
        }
        self.sync();
    }

    /// Reads the files of [`many`](Self::many); whether all are right.
    pub(crate) fn many_right(&self, dir: &str, count: u64) -> bool {
        let (mut block, mut wanted) = (vec![0; BLOCK as usize], vec![0; BLOCK as usize]);
        (0..count).all(|n| {
            let name = format!("{dir}/file-{n:05}");
            match self {
                Self::Host(base) => block = fs::read(base.join(name)).unwrap(),
                Self::Ours(volume) => {
                    let file = volume.resolve(format!("/{name}").as_bytes(), true).unwrap();
                    assert_eq!(volume.read(file.ino, 0, &mut block).unwrap(), block.len());
                }
            }
            fill(&mut wanted, n, 0);
            block == wanted
        })
    }

    /// Makes everything durable.
    pub(crate) fn sync(&self) {
        match self {
            Self::Host(dir) => rustix::fs::syncfs(File::open(dir).unwrap()).unwrap(),
            Self::Ours(volume) => volume.sync().unwrap(),
        }
    }
}

impl Handle {
    pub(crate) fn write(&self, off: u64, bytes: &[u8]) {
        match self {
            Self::Host(file) => file.write_all_at(bytes, off).unwrap(),
            Self::Ours(volume, ino) => volume.write(*ino, off, bytes).unwrap(),
        }
    }

    pub(crate) fn read(&self, off: u64, bytes: &mut [u8]) {
        match self {
            Self::Host(file) => file.read_exact_at(bytes, off).unwrap(),
            Self::Ours(volume, ino) => assert_eq!(volume.read(*ino, off, bytes).unwrap(), bytes.len()),
        }
    }

    pub(crate) fn fsync(&self) {
        match self {
            Self::Host(file) => file.sync_data().unwrap(),
            Self::Ours(volume, ino) => volume.fsync(*ino).unwrap(),
        }
    }

    /// Writes `bytes` bytes from the start in chunks and makes them durable.
    pub(crate) fn stream_in(&self, bytes: u64, seed: u64) {
        let mut chunk = vec![0; CHUNK as usize];
        fill(&mut chunk, seed, 0);
        for off in (0..bytes).step_by(CHUNK as usize) {
            stamp(&mut chunk, seed, off);
            self.write(off, &chunk);
        }
        self.fsync();
    }

    /// Reads `bytes` bytes from the start in chunks.
    pub(crate) fn stream_out(&self, bytes: u64) {
        let mut chunk = vec![0; CHUNK as usize];
        for off in (0..bytes).step_by(CHUNK as usize) {
            self.read(off, &mut chunk);
        }
    }

    /// Stops unless the file holds what [`stream_in`](Self::stream_in) wrote.
    pub(crate) fn verify(&self, bytes: u64, seed: u64) {
        let (mut chunk, mut wanted) = (vec![0; CHUNK as usize], vec![0; CHUNK as usize]);
        fill(&mut wanted, seed, 0);
        for off in (0..bytes).step_by(CHUNK as usize) {
            stamp(&mut wanted, seed, off);
            self.read(off, &mut chunk);
            assert!(chunk == wanted, "wrong bytes at {off}");
        }
    }
}

/// Fills a buffer with bytes that do not compress; the same for the same `seed`.
pub(crate) fn fill(bytes: &mut [u8], seed: u64, off: u64) {
    let mut random = Random::new(seed);
    for word in bytes.chunks_mut(8) {
        let next = random.next().to_le_bytes();
        word.copy_from_slice(&next[..word.len()]);
    }
    stamp(bytes, seed, off);
}

/// Makes each block of a buffer different from every other.
fn stamp(bytes: &mut [u8], seed: u64, off: u64) {
    for (n, block) in (0u64..).zip(bytes.chunks_mut(BLOCK as usize)) {
        block[..8].copy_from_slice(&seed.to_le_bytes());
        block[8..16].copy_from_slice(&(off + n * BLOCK).to_le_bytes());
    }
}

/// Numbers that look random (splitmix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A new pool and its one volume.
#[derive(Debug)]
pub(crate) struct Fresh {
    dir: PathBuf,
    pool: Pool,
    volume: Option<Volume>,
}

impl Fresh {
    /// Makes a pool of `pvs` PVs in the folder `dir`, and a volume of `bytes` that lies on all of them.
    pub(crate) fn new(dir: &Path, extent: ExtentSize, pvs: u64, bytes: u64) -> Self {
        let dir = dir.to_owned();
        let each = bytes.div_ceil(pvs).next_multiple_of(MIB);
        let pool =
            Pool::create_with(&dir, &PoolOptions { pv_bytes: each, extent_size: extent, ..PoolOptions::default() })
                .unwrap();
        for n in 1..pvs {
            pool.add_pv(format!("disk{}.db", n + 1), each).unwrap();
        }
        pool.create_volume("bench", bytes).unwrap();
        let volume = pool.volume("bench").unwrap();
        Self { dir, pool, volume: Some(volume) }
    }

    /// The volume, as a side of a comparison.
    pub(crate) fn side(&self) -> Side {
        Side::Ours(self.volume.clone().unwrap())
    }

    /// Closes the volume and opens it again: nothing is cached in this process.
    pub(crate) fn reopen(&mut self) {
        self.volume.take().unwrap().close().unwrap();
        self.volume = Some(self.pool.volume("bench").unwrap());
    }

    /// Removes everything.
    pub(crate) fn remove(mut self) {
        self.volume.take().unwrap().close().unwrap();
        drop(self.pool);
        fs::remove_dir_all(&self.dir).unwrap();
    }
}
