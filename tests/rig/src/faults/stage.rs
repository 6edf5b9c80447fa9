//! What a workload runs on: a pool by itself, or a volume group.

use std::path::{Path, PathBuf};

use lv::{CopyPlace, LvError, Volume, VolumeOptions, create_catalogue};
use pv::{Bytes, Env, ExtentSize, LeCount, Pv, PvOptions, PvUuid};
use vg::{LvExtension, LvName, LvRecord, LvRequest, OpenOptions, PoolFiles, VgError, VgName, VgOptions, VolumeGroup};

use crate::engine::{Pool, Shape, Weakness, check_volume};

/// Any failure of the engine.
pub(super) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// The folder that everything lies in.
const ROOT: &str = "/";
/// Bytes of an extent of the volume group, and extents per PV.
const EXTENT: u64 = 4096;
const EXTENTS: u64 = 64;
/// Copies of its volume's metadata.
const COPIES: u32 = 2;
/// Extents of its volume at first, and how many it gets each time.
pub(super) const STEP: u32 = 24;

/// How the files lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// PVs and copies of the metadata that the rig names itself.
    Plain(Shape),
    /// A volume group with two PVs at first, and two copies of the metadata.
    Group,
}

/// How large a volume group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// Its PVs.
    pub(super) pvs: usize,
    /// Extents of its volume.
    pub(super) les: u32,
}

/// A layout with what volumes on it are set to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    pub(super) layout: Layout,
    pub(super) options: VolumeOptions,
    pub(super) weakness: Weakness,
}

impl Stage {
    /// Makes the files.
    pub(super) fn create(&self, env: &Env) -> Result<(), Trouble> {
        match self.layout {
            Layout::Plain(shape) => drop(Pool::create(env, Path::new(ROOT), shape)?),
            Layout::Group => {
                let paths: Vec<PathBuf> = (0..2).map(|number| make_pv(env, number)).collect::<Result<_, _>>()?;
                let extent_size = ExtentSize::for_tests(EXTENT).ok_or("no such extent size")?;
                let options = VgOptions { extent_size, metadata_copies: COPIES, ..VgOptions::default() };
                let mut group = VolumeGroup::create(env, &VgName::new("vg")?, &paths, &options)?;
                let lock = group.lock()?;
                let request = LvRequest::new(Some(name()?), LeCount(STEP));
                group.lv_create(&lock, &request, |group, lv| make_catalogues(env, group, lv))?;
            }
        }
        Ok(())
    }

    /// Activates the volume, and says how large the group is, if there is one.
    pub(super) fn activate(&self, env: &Env) -> Result<(Volume, Size), Trouble> {
        match self.layout {
            Layout::Plain(shape) => {
                let volume = Pool::at(Path::new(ROOT), shape).activate(env, self.options, self.weakness)?;
                Ok((volume, Size::default()))
            }
            Layout::Group => self.activate_in_group(env),
        }
    }

    /// Activates the volume with the copies of its metadata that can be read, without asking whether the others may be
    /// given up.
    pub(super) fn activate_what_is_left(&self, env: &Env) -> Result<Volume, Trouble> {
        let Layout::Plain(shape) = self.layout else { return Ok(self.activate(env)?.0) };
        let pool = Pool::at(Path::new(ROOT), shape);
        Ok(pool.activate_without(env, self.options, self.weakness, &mut |_, _| Ok(()))?)
    }

    /// Checks the volume, which nobody has active, to the last byte.
    pub(super) fn check(&self, env: &Env) -> Result<(), String> {
        match self.layout {
            Layout::Plain(shape) => Pool::at(Path::new(ROOT), shape).check(env),
            Layout::Group => {
                let name = name().map_err(|error| error.to_string())?;
                check_volume(env, Path::new(ROOT), &name, COPIES)
            }
        }
    }

    /// The copies of the metadata, where the rig knows them.
    pub(super) fn copies(&self) -> Vec<CopyPlace> {
        match self.layout {
            Layout::Plain(shape) => Pool::at(Path::new(ROOT), shape).copies(),
            Layout::Group => Vec::new(),
        }
    }

    /// Bytes of the volume, about.
    pub(super) fn bytes(&self) -> u64 {
        match self.layout {
            Layout::Plain(shape) => Pool::at(Path::new(ROOT), shape).bytes(),
            Layout::Group => u64::from(STEP) * EXTENT,
        }
    }

    fn activate_in_group(&self, env: &Env) -> Result<(Volume, Size), Trouble> {
        let (mut group, name) = (open(env)?, name()?);
        let extents = match group.volume_extents(&name) {
            Err(VgError::Unsettled { .. }) => {
                let lock = group.lock()?;
                group.settle(&lock)?;
                group.volume_extents(&name)?
            }
            other => other?,
        };
        let record = group.lv(&name)?.clone();
        let size = Size { pvs: group.pvs().len(), les: record.count().0 };
        let place = |pv: PvUuid| group.metadata_copy_path(pv, &record).map(|path| CopyPlace { pv, path });
        let copies: Option<Vec<CopyPlace>> = record.copies.iter().map(|copy| place(copy.pv)).collect();
        let copies = copies.ok_or("vg/lv: a physical volume with a copy of its metadata is missing")?;
        let mut dropped = |copy: &CopyPlace, why: &str| -> Result<(), LvError> {
            let refused = |error: &VgError| LvError::NoMetadata {
                missing: format!("{} ({why}), and it cannot be given up: {error}", copy.path.display()),
            };
            let lock = group.lock().map_err(|error| refused(&error))?;
            group.drop_metadata_copy(&lock, &name, copy.pv).map_err(|error| refused(&error))
        };
        let options = self.weakness.options(self.options);
        Ok((Volume::activate(env, extents, &copies, options, &mut dropped)?, size))
    }
}

/// How large the volume group is.
pub(super) fn size(env: &Env) -> Result<Size, Trouble> {
    let group = open(env)?;
    Ok(Size { pvs: group.pvs().len(), les: group.lv(&name()?)?.count().0 })
}

/// Adds the PV of this number.
pub(super) fn extend(env: &Env, number: usize) -> Result<(), Trouble> {
    let mut group = open(env)?;
    let path = match env.host.stat(&pv_path(number)) {
        Ok(_) => pv_path(number),
        Err(_) => make_pv(env, number)?,
    };
    let lock = group.lock()?;
    Ok(group.extend(&lock, &[path])?)
}

/// Gives the volume more extents.
pub(super) fn grow(env: &Env) -> Result<(), Trouble> {
    let mut group = open(env)?;
    let lock = group.lock()?;
    let count = LeCount(group.lv(&name()?)?.count().0 + STEP);
    group.lv_extend(&lock, &name()?, &LvExtension { count, ..LvExtension::default() })?;
    Ok(())
}

fn open(env: &Env) -> Result<VolumeGroup, Trouble> {
    Ok(VolumeGroup::open(env, &PoolFiles::Dir(ROOT.into()), &OpenOptions::default())?)
}

fn name() -> Result<LvName, Trouble> {
    Ok(LvName::new("lv")?)
}

fn pv_path(number: usize) -> PathBuf {
    Path::new(ROOT).join(format!("p{number}.db"))
}

fn make_pv(env: &Env, number: usize) -> Result<PathBuf, Trouble> {
    let uuid = [u8::try_from(number).unwrap_or(u8::MAX).saturating_add(1); 16];
    let options =
        PvOptions { capacity: Bytes(EXTENT * EXTENTS), uuid: Some(PvUuid::from_bytes(uuid)), ..PvOptions::default() };
    Pv::create(env, &pv_path(number), &options)?;
    Ok(pv_path(number))
}

fn make_catalogues(env: &Env, group: &VolumeGroup, record: &LvRecord) -> Result<(), vg::HookError> {
    for copy in &record.copies {
        let path = group.metadata_copy_path(copy.pv, record).ok_or("a physical volume is missing")?;
        create_catalogue(env, &path, (record.family, record.uuid), (7, 0))?;
    }
    Ok(())
}
