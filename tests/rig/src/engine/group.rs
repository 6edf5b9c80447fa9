//! A pool with a real volume group: what a change of the descriptor must happen in.

use std::path::{Path, PathBuf};

use anyfs_lvm::{activate, check, make_catalogues};
use lv::{CheckOptions, Object, Volume, VolumeOptions};
use pv::{Bytes, Env, ExtentSize, LeCount, Pv, PvOptions, PvUuid};
use vg::{LvName, LvRequest, OpenOptions, PoolFiles, VgError, VgName, VgOptions, VolumeGroup};

use super::pool::{Shape, clean};

/// Name of the volume.
const HOME: &str = "home";

/// A volume group with one volume, striped over all its PVs.
#[derive(Debug, Clone)]
pub(super) struct Group {
    dir: PathBuf,
    /// The copies of the volume's metadata, in the order of their PVs.
    copies: Vec<(PvUuid, PathBuf)>,
}

pub(super) fn said(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> String {
    move |error| format!("{what}: {error}")
}

/// Makes the PV with this number.
pub(super) fn make_pv(env: &Env, dir: &Path, number: u8, bytes: u64) -> Result<PathBuf, String> {
    let path = dir.join(format!("p{number}.db"));
    let uuid = Some(PvUuid::from_bytes([number + 1; 16]));
    let options = PvOptions { capacity: Bytes(bytes), uuid, ..PvOptions::default() };
    Pv::create(env, &path, &options).map_err(|error| said("create a PV")(&error))?;
    Ok(path)
}

pub(super) fn extent_size(bytes: u64) -> Result<ExtentSize, String> {
    ExtentSize::for_tests(bytes).ok_or_else(|| "no such extent size".to_owned())
}

impl Group {
    /// Makes it in `dir`.
    pub(super) fn create(env: &Env, dir: &Path, shape: Shape) -> Result<Self, String> {
        let bytes = shape.extent * u64::from(shape.extents).max(64);
        let paths = (0..shape.pvs).map(|number| make_pv(env, dir, number, bytes)).collect::<Result<Vec<_>, _>>()?;
        let name = VgName::new("pool").map_err(|error| error.to_string())?;
        let options = VgOptions { extent_size: extent_size(shape.extent)?, ..VgOptions::default() };
        let text = |error: vg::VgError| error.to_string();
        let mut group = VolumeGroup::create(env, &name, &paths, &options).map_err(text)?;
        let lock = group.lock().map_err(text)?;
        let request = LvRequest {
            copies: shape.copies.into(),
            stripes: shape.pvs.into(),
            ..LvRequest::new(Some(home()?), LeCount(shape.extents * u32::from(shape.pvs)))
        };
        let lv = group.lv_create(&lock, &request, |group, lv| make_catalogues(env, group, lv)).map_err(text)?;
        let copies = lv.copies.iter().filter_map(|copy| Some((copy.pv, group.metadata_copy_path(copy.pv, &lv)?)));
        Ok(Self { dir: dir.to_owned(), copies: copies.collect() })
    }

    /// Activates the volume; the copies that are in sync then, by number.
    pub(super) fn activate(&self, env: &Env, options: VolumeOptions) -> Result<(Volume, Vec<u8>), String> {
        let open = OpenOptions::default();
        let mut group =
            VolumeGroup::open(env, &PoolFiles::Dir(self.dir.clone()), &open).map_err(|error| said("open")(&error))?;
        let name = home()?;
        let volume = activate(env, &mut group, &name, options).map_err(|error| said("activation")(&error))?;
        let record = group.lv(&name).map_err(|error| said("open")(&error))?;
        let number = |pv: PvUuid| self.copies.iter().position(|(known, _)| *known == pv);
        let in_sync = record.copies.iter().filter_map(|copy| number(copy.pv)).filter_map(|at| u8::try_from(at).ok());
        Ok((volume, in_sync.collect()))
    }

    /// Checks the volume, which nobody has active, to the last byte.
    pub(super) fn check(&self, env: &Env) -> Result<(), String> {
        let copies = u32::try_from(self.copies.len()).map_err(|error| error.to_string())?;
        check_volume(env, &self.dir, &home()?, copies)
    }

    /// Where the metadata copy with this number lies.
    pub(super) fn copy(&self, number: u8) -> &Path {
        &self.copies[usize::from(number)].1
    }
}

/// Checks a volume of the group in `dir`, which nobody has active, to the last byte. It was made with so many copies of
/// its metadata.
pub(crate) fn check_volume(env: &Env, dir: &Path, name: &LvName, copies: u32) -> Result<(), String> {
    let open = OpenOptions::default();
    let group = VolumeGroup::open(env, &PoolFiles::Dir(dir.to_owned()), &open).map_err(|error| said("open")(&error))?;
    match check(env, &group, name, CheckOptions::ALL) {
        Ok(mut report) => {
            let kept = group.lv(name).map_err(|error| said("open")(&error))?.copies.len();
            if u32::try_from(kept).is_ok_and(|kept| kept < copies) {
                // Copies were given up, and it has to say so.
                let all = report.problems.len();
                report.problems.retain(|finding| finding.object != Object::Volume);
                if report.problems.len() + 1 != all {
                    return Err("check: it does not say that copies of the metadata were given up".to_owned());
                }
            }
            clean(&report)
        }
        // A change of the group that is still to be completed: the next activation does that first.
        Err(anyfs_lvm::Error::Vg(VgError::Unsettled { .. })) => Ok(()),
        Err(error) => Err(said("check")(&error)),
    }
}

fn home() -> Result<LvName, String> {
    LvName::new(HOME).map_err(|error| error.to_string())
}
