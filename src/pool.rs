//! A pool of PV files, as an application sees it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lv::{CheckOptions, CheckReport, Volume, VolumeOptions};
use pv::{Access, Bytes, Env, ExtentSize, LeCount, Pv, PvOptions};
use vg::{LvExtension, LvName, LvRequest, OpenOptions, PoolFiles, VgName, VgOptions, VolumeGroup};

use crate::{Error, Result, activate, make_catalogues};

/// Bytes in a mebibyte.
pub const MIB: u64 = 1 << 20;
/// Bytes in a gibibyte.
pub const GIB: u64 = 1 << 30;

/// What a new pool is like.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Name of the volume group. Default `pool`.
    pub name: String,
    /// Name of the first PV's file in the pool's folder. Default `disk1.db`.
    pub first_pv: PathBuf,
    /// What that file may grow to, in bytes. Default 16 GiB; it takes only what is used.
    pub pv_bytes: u64,
    /// Size of an extent. Default 256 KiB.
    pub extent_size: ExtentSize,
    /// Memory and timing of the volumes opened through the pool.
    pub volumes: VolumeOptions,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            name: "pool".to_owned(),
            first_pv: PathBuf::from("disk1.db"),
            pv_bytes: 16 * GIB,
            extent_size: ExtentSize::DEFAULT,
            volumes: VolumeOptions::default(),
        }
    }
}

/// A volume group and its volumes.
///
/// # Concurrency
/// All methods take `&self`; changes of the group queue. Volumes do not keep the pool open.
#[derive(Debug)]
pub struct Pool {
    env: Env,
    volumes: VolumeOptions,
    group: Mutex<VolumeGroup>,
}

impl Pool {
    /// Makes a pool of one PV in `dir` (made when it is missing) with default options.
    ///
    /// # Errors
    /// The PV's file exists, or cannot be made.
    ///
    /// # Durability
    /// Durable when this returns.
    pub fn create(dir: impl AsRef<Path>) -> Result<Self> {
        Self::create_with(dir, &PoolOptions::default())
    }

    /// As [`Pool::create`], with these options.
    ///
    /// # Errors
    /// As there; [`Error::Name`] about the group's name.
    pub fn create_with(dir: impl AsRef<Path>, options: &PoolOptions) -> Result<Self> {
        let env = Env::system();
        let dir = dir.as_ref();
        let name = VgName::new(&options.name)?;
        std::fs::create_dir_all(dir).map_err(|source| Error::Folder { path: dir.to_owned(), source })?;
        let path = dir.join(&options.first_pv);
        Pv::create(&env, &path, &PvOptions { capacity: Bytes(options.pv_bytes), ..PvOptions::default() })?;
        let made = VgOptions { extent_size: options.extent_size, ..VgOptions::default() };
        let group = VolumeGroup::create(&env, &name, &[path], &made)?;
        Ok(Self { env, volumes: options.volumes, group: Mutex::new(group) })
    }

    /// Opens the pool that a PV belongs to. Its other PVs are found by the hints in the descriptor, then in the
    /// folders of those found; each is verified by its uuid.
    ///
    /// # Errors
    /// As [`VolumeGroup::open`].
    pub fn open(pv: impl AsRef<Path>) -> Result<Self> {
        Self::from_files(&PoolFiles::Pv(pv.as_ref().to_owned()))
    }

    /// Opens the one pool whose PVs lie in `dir`.
    ///
    /// # Errors
    /// As [`VolumeGroup::open`]; [`vg::VgError::Ambiguous`] when there are several.
    pub fn open_dir(dir: impl AsRef<Path>) -> Result<Self> {
        Self::from_files(&PoolFiles::Dir(dir.as_ref().to_owned()))
    }

    /// As [`Pool::open_dir`], without a right to write: nothing is rolled back or completed, and volumes can only be
    /// opened [to be read](Pool::volume_to_read).
    ///
    /// # Errors
    /// As there.
    pub fn open_dir_to_read(dir: impl AsRef<Path>) -> Result<Self> {
        Self::from_files_as(&PoolFiles::Dir(dir.as_ref().to_owned()), Access::ReadOnly)
    }

    fn from_files(files: &PoolFiles) -> Result<Self> {
        Self::from_files_as(files, Access::ReadWrite)
    }

    fn from_files_as(files: &PoolFiles, access: Access) -> Result<Self> {
        let env = Env::system();
        let group = VolumeGroup::open(&env, files, &OpenOptions { access, ..OpenOptions::default() })?;
        Ok(Self { env, volumes: VolumeOptions::default(), group: Mutex::new(group) })
    }

    /// The volume group, for everything that has no short form here. Hold it briefly: the pool's other methods wait.
    pub fn group(&self) -> MutexGuard<'_, VolumeGroup> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names of the logical volumes.
    pub fn volumes(&self) -> Vec<String> {
        self.group().descriptor().lvs.iter().map(|lv| lv.name.to_string()).collect()
    }

    /// Activates a volume and gives its filesystem. It stays this process's until the last clone is dropped.
    ///
    /// # Errors
    /// [`vg::VgError::LvNotFound`]; as [`Volume::activate`].
    pub fn volume(&self, name: &str) -> Result<Volume> {
        self.activate(name, self.volumes)
    }

    /// Opens a volume only to read it: nothing is cleaned up, given up or written, and every call that would change
    /// something fails with [`lv::LvError::ReadOnly`]. It works where a volume cannot be opened otherwise: without a
    /// majority of the PVs, and where files cannot be written. What is seen is the newest commit of what is there.
    ///
    /// # Errors
    /// As [`Pool::volume`]; [`pv::PvError::NeedsRecovery`] while a write to a PV waits to be rolled back, and could not be.
    pub fn volume_to_read(&self, name: &str) -> Result<Volume> {
        self.activate(name, VolumeOptions { read_only: true, ..self.volumes })
    }

    /// As [`Pool::volume`], past the lock of a process that has the volume and does not give it free, because it was
    /// stopped: when it goes on, its next commit is refused and changes nothing; what it had not synced is lost.
    ///
    /// # Errors
    /// As there; [`pv::PvError::Held`] when the process was stopped in the middle of a commit: it has to be continued or
    /// killed first.
    pub fn take_over(&self, name: &str) -> Result<Volume> {
        self.activate(name, VolumeOptions { takeover: true, ..self.volumes })
    }

    /// Lets other processes of this user [reach](Pool::reach) the volume `name`, which is open here, until what this
    /// returns is dropped.
    ///
    /// # Errors
    /// As [`owner::serve`](crate::owner::serve).
    #[cfg(unix)]
    pub fn serve(&self, name: &str, volume: &Volume) -> Result<crate::owner::Server> {
        let group = self.group().name().to_string();
        Ok(crate::owner::serve(volume, (&group, name), Box::new(crate::owner::Nothing))?)
    }

    /// As [`Pool::volume`], or through the process that has the volume, if that one [serves](Pool::serve) it.
    ///
    /// # Errors
    /// As there; [`Error::Owner`] when that process cannot be asked.
    #[cfg(unix)]
    pub fn reach(&self, name: &str) -> Result<crate::owner::Reach> {
        let error = match self.volume(name) {
            Ok(volume) => return Ok(volume.into()),
            Err(error) => error,
        };
        let Error::Lv(lv::LvError::InUse { owner }) = &error else { return Err(error) };
        let family = self.group().lv(&LvName::new(name)?)?.family;
        let client = owner.pid.map(|pid| crate::owner::Client::find(family, pid)).transpose()?.flatten();
        client.map(Into::into).ok_or(error)
    }

    fn activate(&self, name: &str, options: VolumeOptions) -> Result<Volume> {
        let name = LvName::new(name)?;
        let mut group = self.group();
        // Another process may have changed the group since it was read.
        group.refresh()?;
        activate(&self.env, &mut group, &name, options)
    }

    /// Checks everything that must be true of a volume that nobody has open; changes nothing.
    ///
    /// # Errors
    /// As [`check`](crate::check()); what is wrong with the volume is no error but in the report.
    pub fn check_volume(&self, name: &str, options: CheckOptions) -> Result<CheckReport> {
        let name = LvName::new(name)?;
        let mut group = self.group();
        group.refresh()?;
        crate::check(&self.env, &group, &name, options)
    }

    /// Makes a volume of `bytes` (rounded up to whole extents).
    ///
    /// # Errors
    /// As [`VolumeGroup::lv_create`].
    ///
    /// # Durability
    /// Durable when this returns.
    pub fn create_volume(&self, name: &str, bytes: u64) -> Result<()> {
        let name = LvName::new(name)?;
        let mut group = self.group();
        let lock = group.lock()?;
        let count = extents(&group, bytes)?;
        let request = LvRequest::new(Some(name), LeCount(count));
        group.lv_create(&lock, &request, |group, lv| make_catalogues(&self.env, group, lv))?;
        Ok(())
    }

    /// Makes a volume larger by `bytes`. Whoever has it open sees the room after [`grow`](crate::grow()), or when it is
    /// opened again.
    ///
    /// # Errors
    /// As [`VolumeGroup::lv_extend`].
    pub fn grow_volume(&self, name: &str, bytes: u64) -> Result<()> {
        let name = LvName::new(name)?;
        let mut group = self.group();
        let lock = group.lock()?;
        let more = extents(&group, bytes)?;
        let count = group.lv(&name)?.count().get().checked_add(more).ok_or(Error::TooLarge(bytes))?;
        group.lv_extend(&lock, &name, &LvExtension { count: LeCount(count), ..LvExtension::default() })?;
        Ok(())
    }

    /// Removes a volume with everything in it.
    ///
    /// # Errors
    /// As [`VolumeGroup::lv_remove`].
    pub fn remove_volume(&self, name: &str) -> Result<()> {
        let name = LvName::new(name)?;
        let mut group = self.group();
        let lock = group.lock()?;
        Ok(group.lv_remove(&lock, &name)?)
    }

    /// Adds a PV that may grow to `bytes`. A relative path starts from the folder of the pool's first PV.
    ///
    /// # Errors
    /// The file exists or cannot be made; as [`VolumeGroup::extend`].
    pub fn add_pv(&self, path: impl AsRef<Path>, bytes: u64) -> Result<()> {
        let mut group = self.group();
        let near = group.pvs().iter().find(|member| member.present()).and_then(|member| member.path.parent());
        let path = near.unwrap_or(Path::new(".")).join(path);
        Pv::create(&self.env, &path, &PvOptions { capacity: Bytes(bytes), ..PvOptions::default() })?;
        let lock = group.lock()?;
        Ok(group.extend(&lock, &[path])?)
    }
}

fn extents(group: &VolumeGroup, bytes: u64) -> Result<u32> {
    let size = group.descriptor().extent_size;
    u32::try_from(bytes.div_ceil(size.bytes())).map_err(|_| Error::TooLarge(bytes))
}
