//! The whole stack below a volume: a recorded disk, a process on it, PVs, a volume group.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lv::{CopyPlace, LvError, Volume, create_catalogue};
use pv::{Bytes, Env, ExtentSize, LeCount, Pv, PvOptions, PvUuid, side_folder};
use vg::{LvName, LvRequest, OpenOptions, PeRange, PoolFiles, PvRange, VgLock, VgName, VgOptions, VolumeGroup};

use super::past::Group;
use super::setup::Setup;
use crate::disk::{Disk, Settings};
use crate::engine::Weakness;
use crate::host::MemHost;
use crate::image::Image;

/// The folder of the PVs.
const DIR: &str = "/pool";
/// Where PVs are taken.
const AWAY: &str = "/away";
/// Bytes that the disk holds.
const CAPACITY: u64 = 256 << 20;

/// Time that only passes between operations, and goes on over crashes: so it can be foretold.
#[derive(Debug, Default)]
pub(super) struct Steps(AtomicI64);

impl Steps {
    /// A second later; says when that is.
    pub(super) fn tick(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl pv::Clock for Steps {
    fn wall(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A second for each operation, so that grace periods end.
    fn running(&self) -> Duration {
        Duration::from_secs(self.wall().unsigned_abs())
    }
}

/// Disk, process and group of a case.
#[derive(Debug)]
pub(super) struct Ground {
    setup: Setup,
    weakness: Weakness,
    pub(super) clock: Arc<Steps>,
    pub(super) disk: Disk,
    host: MemHost,
    group: Option<VolumeGroup>,
    /// Number of the next PV that is made.
    next: u8,
}

fn settings() -> Settings {
    Settings { capacity: CAPACITY, ..Settings::default() }
}

pub(super) fn volume_name() -> LvName {
    LvName::new("v").expect("a name")
}

fn path(number: u8) -> PathBuf {
    Path::new(DIR).join(format!("p{number}.db"))
}

fn uuid(number: u8) -> PvUuid {
    PvUuid::from_bytes([number + 1; 16])
}

/// The file of a PV.
pub(super) fn path_of(pv: PvUuid) -> PathBuf {
    path(pv.as_bytes()[0] - 1)
}

/// New pools, made once per process.
fn made(setup: Setup) -> Image {
    static MADE: Mutex<BTreeMap<String, Image>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(format!("{setup:?}")).or_insert_with(|| make(setup)).clone()
}

fn make(setup: Setup) -> Image {
    let disk = Disk::new(settings());
    let env = Env { clock: Arc::new(Steps::default()), ..disk.env() };
    for dir in [DIR, AWAY] {
        env.host.make_dir(Path::new(dir)).expect("a folder can be made");
    }
    let paths: Vec<PathBuf> = (0..setup.pvs).map(path).collect();
    let uuids: Vec<PvUuid> = (0..setup.pvs).map(|number| make_pv(&env, setup, number)).collect();
    let extent_size = ExtentSize::for_tests(setup.extent()).expect("a power of two");
    let options = VgOptions { extent_size, ..VgOptions::default() };
    let mut group = VolumeGroup::create(&env, &VgName::new("g").expect("a name"), &paths, &options).expect("vgcreate");
    let lock = group.lock().expect("nobody else has it");
    let ranges = vec![PeRange::new(0, setup.share())];
    let request = LvRequest {
        stripes: setup.stripes(),
        pvs: Some(uuids.iter().map(|pv| PvRange { pv: *pv, ranges: ranges.clone() }).collect()),
        copies: setup.copies.into(),
        ..LvRequest::new(Some(volume_name()), LeCount(setup.share() * u32::from(setup.pvs)))
    };
    let catalogues = |group: &VolumeGroup, record: &vg::LvRecord| {
        for copy in &record.copies {
            let path = group.metadata_copy_path(copy.pv, record).ok_or("its PV is there")?;
            // One key for all cases: what they do is decided by their seeds alone.
            create_catalogue(&env, &path, (record.family, record.uuid), (7, 0))?;
        }
        Ok(())
    };
    group.lv_create(&lock, &request, catalogues).expect("lvcreate");
    disk.image()
}

fn make_pv(env: &Env, setup: Setup, number: u8) -> PvUuid {
    let uuid = uuid(number);
    let capacity = Bytes(setup.extent() * u64::from(setup.per_pv()));
    Pv::create(env, &path(number), &PvOptions { capacity, uuid: Some(uuid), ..PvOptions::default() })
        .expect("pvcreate on a disk with room");
    uuid
}

impl Ground {
    /// A new pool.
    pub(super) fn new(setup: Setup, weakness: Weakness) -> Self {
        let disk = Disk::from_image(&made(setup), settings());
        let host = disk.host();
        Self { setup, weakness, clock: Arc::default(), disk, host, group: None, next: setup.pvs }
    }

    pub(super) const fn setup(&self) -> Setup {
        self.setup
    }

    fn env(&self, host: &MemHost) -> Env {
        Env { clock: Arc::clone(&self.clock) as Arc<dyn pv::Clock>, ..self.disk.env_of(host) }
    }

    /// Opens the group and activates the volume.
    pub(super) fn activate(&mut self) -> Result<Volume, anyfs_lvm::Error> {
        let env = self.env(&self.host);
        let opened = VolumeGroup::open(&env, &PoolFiles::Dir(DIR.into()), &OpenOptions::default())?;
        let group = self.group.insert(opened);
        let options = self.setup.options(self.weakness);
        if self.weakness == Weakness::LazyPv {
            return activate_weak(&env, group, options, self.weakness);
        }
        anyfs_lvm::activate(&env, group, &volume_name(), options)
    }

    /// The group, as the last opening or change of it says.
    pub(super) fn group(&self) -> &VolumeGroup {
        self.group.as_ref().expect("the group is open")
    }

    /// Which PVs are missing, and what was found out of order.
    pub(super) fn lacks(&self) -> Option<String> {
        let group = self.group();
        let notices: Vec<String> = group.notices().iter().map(ToString::to_string).collect();
        group.partial().then(|| notices.join("; "))
    }

    /// What matters of it.
    pub(super) fn shape(&self) -> Group {
        let group = self.group();
        Group {
            pvs: group.pvs().iter().map(|member| member.uuid).collect::<BTreeSet<_>>(),
            extents: group.lv(&volume_name()).expect("the volume is in the group").count().0,
        }
    }

    /// Changes the group: through the owner's own connection, or as another process does.
    pub(super) fn change<T>(
        &mut self,
        elsewhere: bool,
        work: impl FnOnce(&Env, &mut VolumeGroup, &VgLock) -> Result<T, vg::VgError>,
    ) -> Result<T, vg::VgError> {
        if !elsewhere {
            let env = self.env(&self.host);
            let group = self.group.as_mut().expect("the group is open");
            let lock = group.lock()?;
            return work(&env, group, &lock);
        }
        let env = self.env(&self.disk.host());
        let mut group = VolumeGroup::open(&env, &PoolFiles::Dir(DIR.into()), &OpenOptions::default())?;
        let lock = group.lock()?;
        let done = work(&env, &mut group, &lock);
        drop(lock);
        self.group.as_mut().expect("the group is open").refresh()?;
        done
    }

    /// Makes the file of a new PV.
    pub(super) fn new_pv(&mut self) -> PvUuid {
        let number = self.next;
        self.next += 1;
        make_pv(&self.env(&self.host), self.setup, number)
    }

    /// The process is gone, with all it had locked; another one takes its place.
    pub(super) fn next_process(&mut self) {
        self.group = None;
        self.host.release_locks();
        self.host = self.disk.host();
    }

    /// The machine starts again with this disk.
    pub(super) fn restart(&mut self, image: &Image) {
        self.group = None;
        self.disk = Disk::from_image(image, settings());
        self.host = self.disk.host();
    }

    /// Leaves so much room on the disk, or all of it.
    pub(super) fn set_free(&self, bytes: Option<u64>) {
        self.disk.set_free(bytes.unwrap_or(CAPACITY));
    }

    /// Moves a PV's file away or back, with the folder beside it if `folder`. Nobody may have the group open.
    pub(super) fn carry(&mut self, file: &Path, folder: bool, back: bool) {
        self.group = None;
        let host = self.disk.env_of(&self.host).host;
        let name = file.file_name().expect("a file in a folder");
        let (here, there) = (Path::new(DIR), Path::new(AWAY));
        let (from, to) = if back { (there, here) } else { (here, there) };
        let plain = name.to_string_lossy().into_owned();
        // SQLite's journal goes with its database.
        for name in [plain.clone(), format!("{plain}-journal")] {
            if host.stat(&from.join(&name)).is_ok() {
                host.rename(&from.join(&name), &to.join(&name)).expect("a file can be moved");
            }
        }
        let beside = (side_folder(&from.join(name)), side_folder(&to.join(name)));
        if folder && host.stat(&beside.0).is_ok() {
            host.make_dir(&beside.1).expect("a folder can be made");
            for file in host.list(&beside.0).expect("a folder can be listed") {
                let name = file.file_name().expect("a file in a folder").to_owned();
                let there = beside.1.join(&name);
                host.rename(&file, &there).expect("a file can be moved");
            }
            host.remove_dir(&beside.0).expect("an empty folder can be removed");
        }
    }
}

/// As [`anyfs_lvm::activate`] with a rule off that is one of the PVs' stores; no copy of the metadata is given up.
fn activate_weak(
    env: &Env,
    group: &VolumeGroup,
    options: lv::VolumeOptions,
    weakness: Weakness,
) -> Result<Volume, anyfs_lvm::Error> {
    let record = group.lv(&volume_name())?.clone();
    let mut extents = group.volume_extents(&volume_name())?;
    let wrapped = extents.pvs.iter().cloned().map(|mut slot| {
        slot.store = slot.store.map(|store| weakness.wrap(store, env, &slot.path));
        slot
    });
    extents.pvs = wrapped.collect();
    let place = |copy: &vg::MetadataCopy| {
        let path = group.metadata_copy_path(copy.pv, &record).unwrap_or_default();
        CopyPlace { pv: copy.pv, path }
    };
    let copies: Vec<CopyPlace> = record.copies.iter().map(place).collect();
    let mut refuse =
        |place: &CopyPlace, why: &str| Err(LvError::NoMetadata { missing: format!("{}: {why}", place.path.display()) });
    Ok(Volume::activate(env, extents, &copies, options, &mut refuse)?)
}
