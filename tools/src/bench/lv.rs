//! A logical volume as a side.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyfs_lvm::lv::{Ino, Kind, LvError, NewNode, Rename, Volume, VolumeOptions, Work};
use anyfs_lvm::pv::Env;
use anyfs_lvm::vg::PoolFiles;
use measure::{Cold, Dir, Error, Maker, OpenFile, Result, Side, Wish, disk_bytes, remove_folder};

use super::pool::{open, ours};
use super::{OURS, PoolSpec, Shape};

/// A volume that holds other things, too.
#[derive(Debug, Clone)]
pub struct Existing {
    /// Its name in its group.
    pub name: String,
    /// The files of the group.
    pub files: Vec<PathBuf>,
    /// Name of the directory in it that belongs to the benchmark.
    pub folder: String,
}

#[derive(Debug)]
enum Ground {
    Folder(PathBuf, Shape),
    Existing(Existing),
}

/// Makes volumes, each in a pool of its own, or folders in one volume that is there.
#[derive(Debug)]
pub struct LvMaker {
    ground: Ground,
    made: AtomicU64,
}

impl LvMaker {
    /// Pools below the folder `dir`.
    pub fn in_folder(dir: &Path, shape: Shape) -> Self {
        Self { ground: Ground::Folder(dir.to_owned(), shape), made: AtomicU64::new(0) }
    }

    /// Folders in a volume.
    pub fn in_volume(existing: Existing) -> Self {
        Self { ground: Ground::Existing(existing), made: AtomicU64::new(0) }
    }
}

/// Where a side lies.
#[derive(Debug, Clone)]
enum Home {
    /// In a pool that is its own.
    Pool(PoolSpec, String),
    /// In a directory of a volume.
    Folder(Existing, String),
}

/// The volume of pools that are made for one work.
const VOLUME: &str = "bench";

#[derive(Debug)]
struct LvSide {
    volume: Volume,
    root: Ino,
    home: Home,
}

#[derive(Debug)]
struct LvFile {
    volume: Volume,
    ino: Ino,
}

impl Maker for LvMaker {
    fn name(&self) -> &str {
        OURS
    }

    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", wish.name);
        let home = match &self.ground {
            Ground::Folder(dir, shape) => {
                let volumes = wish.grace.map_or(shape.volumes, |grace| VolumeOptions { grace, ..shape.volumes });
                let shape = Shape { pvs: wish.disks.unwrap_or(shape.pvs), volumes, ..*shape };
                let spec = PoolSpec::new(&dir.join(format!("pool-{name}")), shape);
                make_pool(&spec, wish)?;
                Home::Pool(spec, VOLUME.to_owned())
            }
            Ground::Existing(existing) => Home::Folder(existing.clone(), name),
        };
        Ok(Box::new(home.open(Some(wish))?))
    }

    fn fresh(&self) -> bool {
        matches!(self.ground, Ground::Folder(..))
    }

    fn cold(&self) -> bool {
        // Dropping the pages of single files means opening them, which is SQLite's alone where a pool is in use.
        self.fresh() || Cold::here() == Cold::All
    }
}

/// Makes a pool with the room that is wished for.
fn make_pool(spec: &PoolSpec, wish: &Wish) -> Result {
    // Some of it is the volume's own: a reserve, and what quarantine holds back for a moment.
    let slack = if wish.tight { 0 } else { wish.room / 8 };
    let least = spec.shape.extent.bytes().saturating_mul(64);
    let bytes = wish.room.saturating_add(slack).max(least);
    spec.create(bytes.div_ceil(spec.shape.pvs.max(1)).saturating_add(spec.shape.extent.bytes()))?;
    spec.create_volume(VOLUME, bytes)
}

impl Home {
    /// Opens the volume; in one that is there, makes the directory, when there is room for a `wish`.
    fn open(self, wish: Option<&Wish>) -> Result<LvSide> {
        let (volume, root) = match &self {
            Self::Pool(spec, name) => (spec.volume(name)?, Ino::ROOT),
            Self::Folder(existing, name) => existing.enter(name, wish)?,
        };
        Ok(LvSide { volume, root, home: self })
    }

    /// Files of the host that hold it.
    fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Pool(spec, _) => vec![spec.dir.clone()],
            Self::Folder(existing, _) => existing.files.clone(),
        }
    }
}

impl Existing {
    fn open(&self) -> Result<Volume> {
        open(&Env::system(), &PoolFiles::Files(self.files.clone()), &self.name, VolumeOptions::default())
    }

    /// Opens the volume and the directory of that name in the benchmark's.
    fn enter(&self, name: &str, wish: Option<&Wish>) -> Result<(Volume, Ino)> {
        let failed = |error| ours("make the folder", &self.folder)(error);
        let volume = self.open()?;
        if let Some(wish) = wish {
            let space = volume.statfs().map_err(failed)?;
            let wanted = wish.live.saturating_add(wish.live / 2);
            if space.free < wanted {
                return Err(Error::Room { side: self.name.clone(), wanted, free: space.free });
            }
        }
        let path = format!("/{}/{name}", self.folder);
        let root = volume.mkdir_all(path.as_bytes(), &NewNode::directory(0o700)).map_err(failed)?.ino;
        Ok((volume, root))
    }

    /// Removes the benchmark's directory from the volume, if it is there.
    ///
    /// # Errors
    /// [`Error::Side`].
    pub fn clear(&self) -> Result {
        let volume = self.open()?;
        let failed = |error| ours("remove the folder", &self.folder)(error);
        match volume.lookup(Ino::ROOT, self.folder.as_bytes()) {
            Ok(found) => empty(&volume, found.ino).map_err(failed)?,
            Err(LvError::NotFound { .. }) => return volume.close().map_err(failed),
            Err(error) => return Err(failed(error)),
        }
        volume.rmdir(Ino::ROOT, self.folder.as_bytes()).map_err(failed)?;
        volume.close().map_err(failed)
    }
}

/// Parent and name of a directory that is being emptied; none of the one where that began.
type Named = Option<(Ino, Vec<u8>)>;

/// Removes everything in a directory.
fn empty(volume: &Volume, dir: Ino) -> Result<(), LvError> {
    let mut open: Vec<(Ino, Named)> = vec![(dir, None)];
    while let Some((dir, named)) = open.last().cloned() {
        let mut deeper = None;
        for entry in volume.readdir(dir, 0, 256)? {
            match entry.kind {
                Kind::Directory => deeper = Some((entry.ino, Some((dir, entry.name)))),
                _ => volume.unlink(dir, &entry.name)?,
            }
        }
        if let Some(deeper) = deeper {
            open.push(deeper);
        } else if volume.readdir(dir, 0, 1)?.is_empty() {
            open.pop();
            if let Some((parent, name)) = named {
                volume.rmdir(parent, &name)?;
            }
        }
    }
    Ok(())
}

/// The side that a volume of a pool is, opened.
pub(crate) fn side(spec: PoolSpec, name: &str) -> Result<Box<dyn Side>> {
    Ok(Box::new(Home::Pool(spec, name.to_owned()).open(None)?))
}

impl LvSide {
    fn file(&self, ino: Ino) -> Box<dyn OpenFile> {
        Box::new(LvFile { volume: self.volume.clone(), ino })
    }
}

impl Side for LvSide {
    fn root(&self) -> Dir {
        Dir { path: PathBuf::new(), id: self.root.0 }
    }

    fn mkdir(&self, dir: &Dir, name: &str) -> Result<Dir> {
        let made = self.volume.mkdir(Ino(dir.id), name.as_bytes(), &NewNode::directory(0o755));
        Ok(Dir { path: PathBuf::new(), id: made.map_err(|error| ours("make the folder", name)(error))?.ino.0 })
    }

    fn enter(&self, dir: &Dir, name: &str) -> Result<Dir> {
        let found = self.volume.lookup(Ino(dir.id), name.as_bytes());
        Ok(Dir { path: PathBuf::new(), id: found.map_err(|error| ours("find", name)(error))?.ino.0 })
    }

    fn rmdir(&self, dir: &Dir, name: &str) -> Result {
        self.volume.rmdir(Ino(dir.id), name.as_bytes()).map_err(|error| ours("remove the folder", name)(error))
    }

    fn create(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        let made = self.volume.create(Ino(dir.id), name.as_bytes(), &NewNode::file(0o644));
        Ok(self.file(made.map_err(|error| ours("make", name)(error))?.ino))
    }

    fn open(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        let found = self.volume.lookup(Ino(dir.id), name.as_bytes());
        Ok(self.file(found.map_err(|error| ours("open", name)(error))?.ino))
    }

    fn unlink(&self, dir: &Dir, name: &str) -> Result {
        self.volume.unlink(Ino(dir.id), name.as_bytes()).map_err(|error| ours("remove", name)(error))
    }

    fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result {
        let dir = Ino(dir.id);
        let done = self.volume.rename((dir, from.as_bytes()), (dir, to.as_bytes()), Rename::Replace);
        done.map_err(|error| ours("rename", from)(error))
    }

    fn size_of(&self, dir: &Dir, name: &str) -> Result<u64> {
        let found = self.volume.lookup(Ino(dir.id), name.as_bytes());
        Ok(found.map_err(|error| ours("look at", name)(error))?.size)
    }

    fn list(&self, dir: &Dir) -> Result<u64> {
        let (mut count, mut cookie) = (0u64, 0);
        loop {
            let names =
                self.volume.readdir(Ino(dir.id), cookie, 1024).map_err(|error| ours("list", "a folder")(error))?;
            let Some(last) = names.last() else { return Ok(count) };
            cookie = last.cookie;
            count = count.saturating_add(u64::try_from(names.len()).unwrap_or(u64::MAX));
        }
    }

    fn sync_all(&self) -> Result {
        self.volume.sync().map_err(|error| ours("sync", "the volume")(error))
    }

    fn clean(&self) -> Result {
        let all = || {
            self.volume.sync()?;
            for work in [Work::Intents, Work::Compact, Work::Delete] {
                while self.volume.step(work)? {}
                self.volume.sync()?;
            }
            while self.volume.step(Work::Clean { idle: true })? {}
            self.volume.sync()
        };
        all().map_err(|error| ours("clean", "the volume")(error))
    }

    fn room(&self) -> Option<u64> {
        self.volume.statfs().ok().map(|space| space.total)
    }

    fn stored(&self) -> Result<Option<u64>> {
        match &self.home {
            Home::Pool(spec, _) => Ok(Some(disk_bytes(&spec.dir)?)),
            Home::Folder(..) => Ok(None),
        }
    }

    fn reopen(self: Box<Self>, cold: bool) -> Result<Box<dyn Side>> {
        let Self { volume, home, .. } = *self;
        volume.close().map_err(|error| ours("close", "the volume")(error))?;
        if cold {
            Cold::here().empty(&home.paths())?;
        }
        Ok(Box::new(home.open(None)?))
    }

    fn remove(self: Box<Self>) -> Result {
        let Self { volume, root, home } = *self;
        let failed = |error| ours("close", "the volume")(error);
        match home {
            Home::Pool(spec, _) => {
                volume.close().map_err(failed)?;
                remove_folder(&spec.dir)
            }
            Home::Folder(..) => {
                // The directory itself goes with the one that holds all of them.
                empty(&volume, root).map_err(|error| ours("empty", "the folder")(error))?;
                volume.close().map_err(failed)
            }
        }
    }
}

impl OpenFile for LvFile {
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result {
        self.volume.write(self.ino, off, bytes).map_err(|error| ours("write", "a file")(error))
    }

    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result {
        let count = self.volume.read(self.ino, off, bytes).map_err(|error| ours("read", "a file")(error))?;
        if count == bytes.len() {
            return Ok(());
        }
        Err(ours("read", "a file")(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)))
    }

    fn fsync(&self) -> Result {
        self.volume.fsync(self.ino).map_err(|error| ours("sync", "a file")(error))
    }
}
