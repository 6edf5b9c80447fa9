//! A whole pool, with volume group and descriptor, that promises more than its host filesystem has.

use anyfs_lvm::{activate, make_catalogues};
use lv::{Volume, VolumeOptions};
use pv::{Bytes, ExtentSize, LeCount, Pv, PvOptions};
use vg::{LvName, LvRequest, OpenOptions, PoolFiles, VgName, VgOptions, VolumeGroup};

use super::ground::Ground;
use super::plan::Plan;
use crate::engine::check_volume;

/// What every PV promises.
const PROMISED: u64 = 256 << 20;

fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// The volume's name.
pub(crate) fn home() -> Result<LvName, String> {
    LvName::new("home").map_err(|error| error.to_string())
}

/// Copies of the volume's metadata.
fn copies(plan: &Plan) -> u32 {
    plan.copies.min(plan.pvs.into())
}

/// Makes the pool `pool` with the volume `home`.
pub(crate) fn create(ground: &Ground, plan: &Plan) -> Result<(), String> {
    let mut paths = Vec::new();
    for number in 0..plan.pvs {
        let path = ground.dir.join(format!("p{number}.db"));
        let options = PvOptions { capacity: Bytes(PROMISED), ..PvOptions::default() };
        Pv::create(&ground.env, &path, &options).map_err(|error| words(&error))?;
        paths.push(path);
    }
    let name = VgName::new("pool").map_err(|error| error.to_string())?;
    let extent_size = ExtentSize::new(plan.extent).ok_or("no such size of an extent")?;
    let options = VgOptions { extent_size, metadata_copies: copies(plan), ..VgOptions::default() };
    let mut group = VolumeGroup::create(&ground.env, &name, &paths, &options).map_err(|error| words(&error))?;
    let lock = group.lock().map_err(|error| words(&error))?;
    let extents = u64::from(plan.pvs) * (PROMISED / plan.extent - 2);
    let request = LvRequest::new(Some(home()?), LeCount(u32::try_from(extents).unwrap_or(u32::MAX)));
    let made = group.lv_create(&lock, &request, |group, lv| make_catalogues(&ground.env, group, lv));
    made.map(drop).map_err(|error| words(&error))
}

/// Checks the volume, which nobody has open, to the last byte.
pub(crate) fn check(ground: &Ground, plan: &Plan) -> Result<(), String> {
    check_volume(&ground.env, &ground.dir, &home()?, copies(plan))
}

/// Opens the volume as a new process would.
pub(crate) fn open(ground: &Ground, threads: bool) -> Result<Volume, String> {
    let env = pv::Env { threads, ..ground.env.clone() };
    let files = PoolFiles::Dir(ground.dir.clone());
    let mut group = VolumeGroup::open(&env, &files, &OpenOptions::default()).map_err(|error| words(&error))?;
    let options = VolumeOptions { dirty_bytes: 8 << 20, flush_bytes: 1 << 20, ..VolumeOptions::default() };
    activate(&env, &mut group, &home()?, options).map_err(|error| words(&error))
}
