//! A small pool with one volume and a little of everything in it, made once and handed out as fresh copies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyfs_lvm::{MIB, Pool, PoolOptions};
use lv::{Ino, Kind, NewNode, SetAttr, SetXattr, Volume};
use pv::ExtentSize;
use rusqlite::Connection;

/// The volume group and the volume.
pub(crate) const VG: &str = "vg0";
/// The volume.
pub(crate) const LV: &str = "home";

/// The files of the pool, with the numbers of the inodes in it.
#[derive(Debug)]
pub struct Base {
    files: Vec<(PathBuf, Vec<u8>)>,
    inos: BTreeMap<&'static str, Ino>,
    name_key: u64,
}

/// The files of one copy.
#[derive(Debug, Clone)]
pub struct Place {
    /// The pool's folder.
    pub dir: PathBuf,
    /// The PV.
    pub pv: PathBuf,
    /// The metadata volume.
    pub meta: PathBuf,
}

/// A folder in memory where there is one.
///
/// # Panics
/// When there is no room for it.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a temporary folder")
}

impl Base {
    /// Makes the pool.
    ///
    /// # Panics
    /// When the engine cannot: then there is nothing to test.
    pub fn make() -> Self {
        let dir = folder();
        let options = PoolOptions {
            name: VG.to_owned(),
            first_pv: PathBuf::from("a.db"),
            pv_bytes: 64 * MIB,
            extent_size: ExtentSize::MIN,
            ..PoolOptions::default()
        };
        let pool = Pool::create_with(dir.path(), &options).expect("a pool");
        pool.create_volume(LV, 4 * MIB).expect("a volume");
        let volume = pool.volume(LV).expect("an active volume");
        let inos = fill(&volume);
        volume.sync().expect("a commit");
        volume.close().expect("a clean end");
        drop(pool);
        let mut files = Vec::new();
        collect(dir.path(), dir.path(), &mut files);
        let meta = place(dir.path(), &files).meta;
        let sql = "SELECT name_key FROM fs";
        let key: i64 = Connection::open(meta).and_then(|c| c.query_row(sql, [], |row| row.get(0))).expect("a key");
        Self { files, inos, name_key: key.cast_unsigned() }
    }

    /// One for all that only copy it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Base> = OnceLock::new();
        SHARED.get_or_init(Self::make)
    }

    /// The descriptors of the pool.
    ///
    /// # Panics
    /// When it has none.
    pub fn descriptors(&self) -> Vec<Vec<u8>> {
        let dir = folder();
        let conn = Connection::open(self.spread(dir.path()).pv).expect("a connection");
        let mut statement = conn.prepare("SELECT body FROM descriptor").expect("a table");
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("documents")
    }

    /// Writes a copy of the pool into a folder.
    ///
    /// # Panics
    /// When there is no room for it.
    pub fn spread(&self, dir: &Path) -> Place {
        for (name, bytes) in &self.files {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("room");
        }
        place(dir, &self.files)
    }

    /// The number of an inode by its name.
    pub fn ino(&self, name: &str) -> Option<Ino> {
        self.inos.get(name).copied()
    }

    /// The first cookie that a name may have.
    pub fn cookie(&self, name: &[u8]) -> u64 {
        (twox_hash::XxHash3_64::oneshot_with_seed(self.name_key, name) >> 8).max(1) << 7
    }
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below the root").to_owned();
        match path.extension().and_then(|end| end.to_str()) {
            _ if path.is_dir() => collect(root, &path, files),
            Some("db" | "meta") => files.push((name, std::fs::read(&path).expect("a file"))),
            _ => {}
        }
    }
}

fn place(dir: &Path, files: &[(PathBuf, Vec<u8>)]) -> Place {
    let ending = |end: &str| {
        let found = files.iter().find(|(name, _)| name.extension().is_some_and(|have| have == end));
        dir.join(&found.expect("a file of that kind").0)
    };
    Place { dir: dir.to_owned(), pv: ending("db"), meta: ending("meta") }
}

/// Bytes that no block of which is like another.
fn pattern(len: usize) -> Vec<u8> {
    (0u32..).map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes()[3]).take(len).collect()
}

fn fill(volume: &Volume) -> BTreeMap<&'static str, Ino> {
    let (file, dir) = (NewNode::file(0o644), NewNode::directory(0o755));
    let mut inos = BTreeMap::new();
    let root = Ino::ROOT;
    let below = volume.mkdir(root, b"dir", &dir).expect("a directory").ino;
    let deep = volume.mkdir(below, b"sub", &dir).expect("a directory").ino;
    let lowest = volume.mkdir(deep, b"low", &dir).expect("a directory").ino;
    for (name, parent, len) in
        [("tiny", root, 100), ("small", root, 5000), ("big", root, 300_000), ("c", below, 20_000), ("d", lowest, 9000)]
    {
        let made = volume.create(parent, name.as_bytes(), &file).expect("a file").ino;
        volume.write(made, 0, &pattern(len)).expect("a write");
        inos.insert(name, made);
    }
    let copy = volume.create(root, b"copy", &file).expect("a file").ino;
    volume.copy_file(inos["big"], copy).expect("a copy");
    let sparse = volume.create(root, b"sparse", &file).expect("a file").ino;
    volume.write(sparse, 1 << 30, b"far out").expect("a write");
    volume.setattr(sparse, &SetAttr { size: Some(1 << 31), ..SetAttr::default() }).expect("a size");
    volume.link(inos["c"], root, b"hard").expect("a link");
    let link = volume.symlink(root, b"link", b"dir/sub", &file).expect("a link").ino;
    let pipe = volume.create(root, b"pipe", &NewNode { kind: Kind::Fifo, ..file }).expect("a pipe").ino;
    for (name, value) in [(b"user.a".as_slice(), b"value".as_slice()), (b"user.b", &[7; 3000])] {
        volume.setxattr(inos["small"], name, value, SetXattr::Any).expect("an attribute");
    }
    inos.extend([("dir", below), ("sub", deep), ("low", lowest), ("copy", copy), ("sparse", sparse)]);
    inos.extend([("link", link), ("pipe", pipe), ("root", root)]);
    inos
}
