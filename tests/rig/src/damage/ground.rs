//! The pool that is damaged: made by the engine, its contents known at every sync.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lv::{
    CheckOptions, CheckReport, CopyPlace, Ino, LvError, NewNode, SetAttr, SetXattr, Volume, VolumeOptions, Work,
    create_catalogue,
};
use pv::{Access, Bytes, Env, ExtentSize, Pv, PvOptions, PvUuid, chain, side_folder};
use vg::{LvName, LvRequest, OpenOptions, PoolFiles, VgName, VgOptions, VolumeExtents, VolumeGroup};

use super::tree::Tree;
use crate::prng::Prng;
use crate::{Disk, Image, Mode, Model, Settings};

/// How the pool was left before it was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Closed.
    Closed,
    /// Its owner was killed between two operations: the log holds commits.
    Open,
    /// Its owner was killed in the middle of one.
    Killed,
}

/// The pool at an earlier moment.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    pub(super) image: Image,
    /// Which activation it was in.
    pub(super) session: u32,
    /// Taken while the pool was open.
    pub(super) open: bool,
}

/// A pool whose contents are known.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) image: Image,
    pub(super) left: Left,
    pub(super) pvs: u8,
    pub(super) copies: u32,
    /// What it holds.
    pub(super) now: Tree,
    /// What it held at each sync, with the activation that made it.
    pub(super) states: Vec<(u32, Tree)>,
    pub(super) earlier: Vec<Earlier>,
    /// The last activation.
    pub(super) session: u32,
    /// Another pool.
    pub(super) foreign: Image,
}

/// Sizes of a pool, by seed.
#[derive(Debug, Clone, Copy)]
struct Plan {
    pvs: u8,
    copies: u32,
    extent: u64,
    tag: u8,
}

impl Plan {
    fn draw(rng: &mut Prng, extent: u64) -> Self {
        let pvs = u8::try_from(1 + rng.below(3)).unwrap_or(1);
        let copies = if pvs > 1 && rng.one_in(2) { 2 } else { 1 };
        Self { pvs, copies, extent, tag: 1 }
    }
}

/// Options that make the engine write often and remember little.
pub(super) fn options() -> VolumeOptions {
    VolumeOptions {
        cache_bytes: 64 * 1024,
        dirty_bytes: 256 * 1024,
        flush_bytes: 64 * 1024,
        cached_rows: 60,
        grace: Duration::from_secs(1),
        wal_bytes: 256 * 1024,
        ..VolumeOptions::default()
    }
}

const VG: &str = "data";
/// The name of the other pool.
const OTHER: &str = "other";
const LV: &str = "home";

fn create(env: &Env, dir: &Path, plan: Plan) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| format!("making a pool: {error}");
    let mut paths = Vec::new();
    for number in 0..plan.pvs {
        let path = dir.join(format!("p{number}.db"));
        let uuid = PvUuid::from_bytes([plan.tag * 16 + number; 16]);
        let pv = PvOptions { capacity: Bytes(plan.extent * 400), uuid: Some(uuid), ..PvOptions::default() };
        Pv::create(env, &path, &pv).map_err(|error| text(&error))?;
        paths.push(path);
    }
    let extent_size = ExtentSize::for_tests(plan.extent).ok_or("a wrong extent size")?;
    let vg = VgOptions { extent_size, metadata_copies: plan.copies, ..VgOptions::default() };
    let name = VgName::new(if plan.tag == 1 { VG } else { OTHER }).map_err(|error| text(&error))?;
    let mut group = VolumeGroup::create(env, &name, &paths, &vg).map_err(|error| text(&error))?;
    let lock = group.lock().map_err(|error| text(&error))?;
    let name = LvName::new(LV).map_err(|error| text(&error))?;
    let count = pv::LeCount(u32::from(plan.pvs) * 150);
    let request = LvRequest { stripes: u32::from(plan.pvs), ..LvRequest::new(Some(name), count) };
    let made = group.lv_create(&lock, &request, |group, lv| {
        for copy in &lv.copies {
            let path = group.metadata_copy_path(copy.pv, lv).ok_or("no place for a copy")?;
            create_catalogue(env, &path, (lv.family, lv.uuid), (7, 0))?;
        }
        Ok(())
    });
    made.map(drop).map_err(|error| text(&error))
}

/// What opening a pool came to.
#[derive(Debug)]
pub(super) struct Opened {
    /// The volume, or why there is none.
    pub(super) volume: Result<Volume, String>,
    /// What the scan told.
    pub(super) notices: Vec<String>,
}

/// Opens the pool in `dir` and activates its volume, as a user of the library would.
pub(super) fn open(env: &Env, dir: &Path, options: VolumeOptions) -> Opened {
    open_named(env, dir, options, VG)
}

fn open_named(env: &Env, dir: &Path, options: VolumeOptions, name: &str) -> Opened {
    let how = OpenOptions { vg: VgName::new(name).ok(), ..OpenOptions::default() };
    let mut group = match VolumeGroup::open(env, &PoolFiles::Dir(dir.to_owned()), &how) {
        Ok(group) => group,
        Err(error) => {
            let found = vg::scan(env, &[dir.to_owned()], Access::ReadOnly).map(|scan| scan.notices).unwrap_or_default();
            let notices = found.iter().map(ToString::to_string).collect();
            return Opened { volume: Err(chain(&error)), notices };
        }
    };
    let notices = group.notices().iter().map(ToString::to_string).collect();
    Opened { volume: activate(env, &mut group, options), notices }
}

/// The extents of the pool's volume and where the copies of its metadata are.
fn parts(group: &mut VolumeGroup) -> Result<(VolumeExtents, Vec<CopyPlace>), String> {
    let name = LvName::new(LV).map_err(|error| chain(&error))?;
    let extents = match group.volume_extents(&name) {
        Err(vg::VgError::Unsettled { .. }) => {
            let lock = group.lock().map_err(|error| chain(&error))?;
            group.settle(&lock).map_err(|error| chain(&error))?;
            group.volume_extents(&name)
        }
        other => other,
    };
    let extents = extents.map_err(|error| chain(&error))?;
    let record = group.lv(&name).map_err(|error| chain(&error))?.clone();
    let place = |copy: &vg::MetadataCopy| {
        let beside = || side_folder(Path::new("/gone.db")).join("home.meta");
        CopyPlace { pv: copy.pv, path: group.metadata_copy_path(copy.pv, &record).unwrap_or_else(beside) }
    };
    let copies = record.copies.iter().map(place).collect();
    Ok((extents, copies))
}

fn activate(env: &Env, group: &mut VolumeGroup, options: VolumeOptions) -> Result<Volume, String> {
    let (extents, copies) = parts(group)?;
    let name = LvName::new(LV).map_err(|error| chain(&error))?;
    let mut dropped = |copy: &CopyPlace, why: &str| -> Result<(), LvError> {
        let refused = |error: &vg::VgError| LvError::NoMetadata {
            missing: format!("{} ({why}), and it cannot be given up: {error}", copy.path.display()),
        };
        let lock = group.lock().map_err(|error| refused(&error))?;
        group.drop_metadata_copy(&lock, &name, copy.pv).map_err(|error| refused(&error))
    };
    Volume::activate(env, extents, &copies, options, &mut dropped).map_err(|error| chain(&error))
}

/// Checks the volume of the pool in `dir`, as a user of the library would.
pub(super) fn check(env: &Env, dir: &Path) -> Result<CheckReport, String> {
    let how = OpenOptions { vg: VgName::new(VG).ok(), ..OpenOptions::default() };
    let mut group = VolumeGroup::open(env, &PoolFiles::Dir(dir.to_owned()), &how).map_err(|error| chain(&error))?;
    let (extents, copies) = parts(&mut group)?;
    lv::check(env, &extents, &copies, CheckOptions::ALL).map_err(|error| chain(&error))
}

impl Ground {
    /// Makes a pool by seed, on a disk in memory, with extents of `extent` bytes.
    pub(super) fn build(seed: u64, extent: u64) -> Result<Self, String> {
        let mut rng = Prng::derived(seed, &[0x6772]);
        let plan = Plan::draw(&mut rng, extent);
        let foreign = other_pool(seed, plan)?;
        let disk = Disk::new(Settings::default());
        create(&disk.env(), Path::new("/"), plan)?;
        let mut builder = Builder { disk, rng, states: Vec::new(), earlier: Vec::new(), session: 0, made: 0, name: VG };
        let sessions = 2 + builder.rng.below(3);
        for _ in 1..sessions {
            let volume = builder.session(6)?;
            volume.close().map_err(|error| format!("close: {}", chain(&error)))?;
            builder.keep(false);
        }
        let left = [Left::Closed, Left::Closed, Left::Open, Left::Killed][builder.rng.index(4)];
        let image = builder.finish(left)?;
        let probe = Disk::from_image(&image, Settings::default());
        let volume = open(&probe.env(), Path::new("/"), options()).volume.map_err(|e| format!("undamaged: {e}"))?;
        let now = Tree::read(&volume);
        volume.abandon();
        if let Some(((path, part), error)) = now.troubles.first_key_value() {
            return Err(format!("undamaged: {part:?} of {}: {}", super::tree::shown(path), error.text));
        }
        let Builder { states, earlier, session, .. } = builder;
        Ok(Self { image, left, pvs: plan.pvs, copies: plan.copies, now, states, earlier, session, foreign })
    }
}

impl Ground {
    /// The older states of the whole volume that may be found where nothing knows better than activation `from`: those
    /// of that activation, and the one it began with.
    pub(super) fn acceptable(&self, from: Option<u32>) -> impl Iterator<Item = &Tree> {
        let before = self.states.iter().take_while(|(session, _)| from.is_some_and(|from| *session < from)).count();
        let known = self.states.iter().skip(if from.is_some() { before.saturating_sub(1) } else { usize::MAX });
        // A commit that one copy has and the other not was never acknowledged: either state may be found.
        let acknowledged = self.states.last().filter(|_| self.left == Left::Killed && self.copies > 1);
        known.chain(acknowledged).map(|(_, state)| state)
    }
}

fn other_pool(seed: u64, plan: Plan) -> Result<Image, String> {
    let disk = Disk::new(Settings::default());
    create(&disk.env(), Path::new("/"), Plan { tag: 2, ..plan })?;
    let rng = Prng::derived(seed, &[0x6f74]);
    let mut builder = Builder { disk, rng, states: Vec::new(), earlier: Vec::new(), session: 0, made: 0, name: OTHER };
    builder.finish(Left::Open)
}

struct Builder {
    disk: Disk,
    rng: Prng,
    states: Vec<(u32, Tree)>,
    earlier: Vec<Earlier>,
    session: u32,
    /// Files made so far, for their names.
    made: u32,
    name: &'static str,
}

fn said(error: &LvError) -> String {
    format!("building: {}", chain(error))
}

impl Builder {
    fn keep(&mut self, open: bool) {
        self.earlier.push(Earlier { image: self.disk.image(), session: self.session, open });
    }

    /// One activation with some rounds of work, each ending in a sync.
    fn session(&mut self, rounds: u64) -> Result<Volume, String> {
        self.session += 1;
        let volume = open_named(&self.disk.env(), Path::new("/"), options(), self.name).volume?;
        if self.session == 1 {
            self.first(&volume).map_err(|error| said(&error))?;
        }
        for _ in 0..=self.rng.below(rounds) {
            self.round(&volume).map_err(|error| said(&error))?;
        }
        Ok(volume)
    }

    fn round(&mut self, volume: &Volume) -> Result<(), LvError> {
        self.disk.clock().advance(Duration::from_millis(700));
        for _ in 0..=self.rng.below(12) {
            match self.change(volume) {
                // A small pool is full sooner or later.
                Err(LvError::NoSpace { .. }) => break,
                other => other?,
            }
        }
        self.synced(volume)
    }

    fn synced(&mut self, volume: &Volume) -> Result<(), LvError> {
        if self.rng.one_in(3) {
            volume.step([Work::Flush, Work::Delete, Work::Intents, Work::Clean { idle: true }][self.rng.index(4)])?;
        }
        volume.sync()?;
        self.states.push((self.session, Tree::read(volume)));
        self.keep(true);
        Ok(())
    }

    /// The last activation, and how it ends.
    fn finish(&mut self, left: Left) -> Result<Image, String> {
        let volume = self.session(3)?;
        match left {
            Left::Closed => volume.close().map_err(|error| said(&error))?,
            Left::Open => volume.abandon(),
            Left::Killed => return self.killed(volume),
        }
        Ok(self.disk.image())
    }

    fn killed(&mut self, volume: Volume) -> Result<Image, String> {
        let mut model = Model::new(&self.disk.image());
        self.disk.start_recording();
        let states = self.states.len();
        self.round(&volume).map_err(|error| said(&error))?;
        // What this round kept is later than the end.
        self.states.truncate(states);
        self.earlier.pop();
        let log = self.disk.take_log();
        volume.abandon();
        let upto = self.rng.index(log.len());
        log.iter().take(upto).for_each(|op| model.apply(op));
        model.image(Mode::Kill, 0).ok_or_else(|| "no image of a killed owner".to_owned())
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let len = self.rng.index(usize::try_from(most).unwrap_or(0)) + 1;
        let mut bytes = vec![0; len];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// What every pool has: one of each kind.
    fn first(&mut self, volume: &Volume) -> Result<(), LvError> {
        let dir = volume.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755))?.ino;
        let many = volume.mkdir(Ino::ROOT, b"many", &NewNode::directory(0o700))?.ino;
        volume.mkdir(dir, b"deep", &NewNode::directory(0o750))?;
        for number in 0..40 + self.rng.below(200) {
            let ino = volume.create(many, format!("entry-{number:04}").as_bytes(), &NewNode::file(0o644))?.ino;
            if number % 3 == 0 {
                volume.write(ino, 0, format!("contents of {number}").as_bytes())?;
            }
        }
        let sparse = volume.create(Ino::ROOT, b"sparse", &NewNode::file(0o600))?.ino;
        for at in [0, 100_000, 3_000_000] {
            let bytes = self.bytes(9000);
            volume.write(sparse, at, &bytes)?;
        }
        if self.rng.one_in(4) {
            // More than one window of a map.
            volume.write(sparse, 17 * 1024 * 1024, b"far away")?;
        }
        volume.symlink(dir, b"link", b"../sparse", &NewNode::file(0o777))?;
        volume.link(sparse, dir, b"second name")?;
        volume.setxattr(dir, b"user.kind", b"a directory", SetXattr::Any)?;
        self.synced(volume)
    }

    /// One change somewhere.
    fn change(&mut self, volume: &Volume) -> Result<(), LvError> {
        let dirs = [&b"/"[..], b"/dir", b"/many", b"/dir/deep"];
        let dir = volume.resolve(dirs[self.rng.index(4)], false)?.ino;
        let old: Vec<_> = volume.readdir(dir, 0, 1000)?.into_iter().filter(|e| e.kind == lv::Kind::File).collect();
        let pick = self.rng.below(10);
        let Some(entry) = (if pick < 3 { None } else { old.get(self.rng.index(old.len())) }) else {
            return self.make(volume, dir);
        };
        match pick {
            3 | 4 => {
                let (bytes, at) = (self.bytes(12_000), self.rng.below(30_000));
                volume.write(entry.ino, at, &bytes)
            }
            5 => volume.unlink(dir, &entry.name),
            6 => {
                let value = self.bytes(300);
                let name = [&b"user.a"[..], b"user.b"][self.rng.index(2)];
                volume.setxattr(entry.ino, name, &value, SetXattr::Any)
            }
            7 => {
                let mode = u32::try_from(self.rng.below(0o1000)).ok();
                volume.setattr(entry.ino, &SetAttr { mode, ..SetAttr::default() }).map(drop)
            }
            8 => {
                self.made += 1;
                let name = format!("moved-{}", self.made);
                volume.rename((dir, &entry.name), (Ino::ROOT, name.as_bytes()), lv::Rename::Replace)
            }
            _ => {
                let size = Some(self.rng.below(20_000));
                volume.setattr(entry.ino, &SetAttr { size, ..SetAttr::default() }).map(drop)
            }
        }
    }

    fn make(&mut self, volume: &Volume, dir: Ino) -> Result<(), LvError> {
        self.made += 1;
        let name = format!("file-{}", self.made);
        let ino = volume.create(dir, name.as_bytes(), &NewNode::file(0o640))?.ino;
        let most = [300, 5000, 70_000][self.rng.index(3)];
        let bytes = self.bytes(most);
        volume.write(ino, 0, &bytes)
    }
}

/// The files of a pool's folder on a disk in memory that are worth damaging: PVs, metadata, logs and journals.
pub(super) fn targets(image: &Image) -> Vec<String> {
    let ends = [".db", ".meta", "-wal", "-journal"];
    let all = image.list().into_iter().filter(|(name, len)| *len > 0 && ends.iter().any(|end| name.ends_with(end)));
    all.map(|(name, _)| name.to_string()).collect()
}

/// A path as the pool's folder has it.
pub(super) fn file_name(path: &str) -> PathBuf {
    Path::new(path).file_name().map(PathBuf::from).unwrap_or_default()
}
