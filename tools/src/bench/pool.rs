//! Pools that belong to a benchmark.

use std::path::{Path, PathBuf};

use anyfs_lvm::lv::{Volume, VolumeOptions};
use anyfs_lvm::pv::{Env, ExtentSize};
use anyfs_lvm::vg::{LvName, OpenOptions, PoolFiles, VolumeGroup};
use anyfs_lvm::{MIB, Pool, PoolOptions};
use measure::{Error, Result};

use super::OURS;

/// What pools are like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// PVs of a pool, where a work does not say.
    pub pvs: u64,
    /// Size of an extent.
    pub extent: ExtentSize,
    /// How their volumes are opened.
    pub volumes: VolumeOptions,
    /// Whether the library may use threads of its own. Without, the same work costs the same instructions each time.
    pub threads: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { pvs: 2, extent: ExtentSize::DEFAULT, volumes: VolumeOptions::default(), threads: true }
    }
}

/// A pool that is to be made, or is there.
#[derive(Debug, Clone)]
pub struct PoolSpec {
    /// Its folder.
    pub dir: PathBuf,
    /// What it is like.
    pub shape: Shape,
}

/// An error of the library, as a failure of our side.
pub(crate) fn ours<E>(operation: &'static str, object: &str) -> impl FnOnce(E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    let object = object.to_owned();
    move |error| Error::Side { side: OURS.to_owned(), operation, object, source: Box::new(error) }
}

impl PoolSpec {
    /// A pool in the folder `dir`.
    pub fn new(dir: &Path, shape: Shape) -> Self {
        Self { dir: dir.to_owned(), shape }
    }

    fn shown(&self) -> String {
        crate::picture::shown(&self.dir)
    }

    pub(crate) fn env(&self) -> Env {
        Env { threads: self.shape.threads, ..Env::system() }
    }

    /// Makes the pool, of PVs of `each` bytes.
    ///
    /// # Errors
    /// [`Error::Side`].
    pub fn create(&self, each: u64) -> Result {
        let failed = |error| ours("make the pool", &self.shown())(error);
        let each = each.next_multiple_of(MIB).max(8 * MIB);
        let options = PoolOptions { pv_bytes: each, extent_size: self.shape.extent, ..PoolOptions::default() };
        let pool = Pool::create_with(&self.dir, &options).map_err(failed)?;
        (2..=self.shape.pvs).try_for_each(|n| pool.add_pv(format!("disk{n}.db"), each)).map_err(failed)
    }

    /// Makes a volume of `bytes` in it.
    ///
    /// # Errors
    /// [`Error::Side`].
    pub fn create_volume(&self, name: &str, bytes: u64) -> Result {
        let failed = |error| ours("make the volume", name)(error);
        let pool = Pool::open_dir(&self.dir).map_err(failed)?;
        pool.create_volume(name, bytes).map_err(failed)
    }

    /// Opens a volume of it.
    ///
    /// # Errors
    /// [`Error::Side`].
    pub fn volume(&self, name: &str) -> Result<Volume> {
        open(&self.env(), &PoolFiles::Dir(self.dir.clone()), name, self.shape.volumes)
    }
}

/// Opens a volume of the pool in these files.
pub(crate) fn open(env: &Env, files: &PoolFiles, name: &str, options: VolumeOptions) -> Result<Volume> {
    let failed = |error| ours("open the volume", name)(error);
    let open = || {
        let mut group = VolumeGroup::open(env, files, &OpenOptions::default())?;
        anyfs_lvm::activate(env, &mut group, &LvName::new(name)?, options)
    };
    open().map_err(failed)
}
