//! A small pool: a few PVs with tiny extents, one family or two, one or more copies of its metadata.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lv::{CheckOptions, CheckReport, CopyPlace, LvError, Volume, VolumeOptions, create_catalogue};
use pv::{
    Access, Bytes, Env, ExtentSize, ExtentStore, FamilyUuid, LeCount, LeIndex, LvUuid, OwnerRow, PeIndex, Pv,
    PvOptions, PvUuid, side_folder,
};
use vg::{PvSlot, Segment, SegmentKind, StripeLeg, VolumeExtents};

use super::weak::Weakness;

/// How a pool is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// PV files.
    pub pvs: u8,
    /// Bytes of an extent (from 4096).
    pub extent: u64,
    /// Extents of the volume on each PV.
    pub extents: u32,
    /// Copies of the metadata, each beside another PV.
    pub copies: u8,
}

/// A pool that has been made. It knows names, not connections.
#[derive(Debug, Clone)]
pub struct Pool {
    shape: Shape,
    dir: PathBuf,
    number: u8,
}

/// Volumes that a PV has room for.
const VOLUMES: u8 = 2;

/// That a check found nothing.
pub(super) fn clean(report: &CheckReport) -> Result<(), String> {
    let found: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    if found.is_empty() { Ok(()) } else { Err(format!("check: {}", found.join("; "))) }
}

impl Pool {
    /// Makes the files of a pool in `dir`.
    ///
    /// # Errors
    /// As the engine says.
    pub fn create(env: &Env, dir: &Path, shape: Shape) -> Result<Self, LvError> {
        let pool = Self::at(dir, shape);
        for number in 0..shape.pvs {
            let options = PvOptions {
                capacity: Bytes(shape.extent * u64::from(shape.extents * u32::from(VOLUMES)).max(64)),
                uuid: Some(uuid(number)),
                ..PvOptions::default()
            };
            Pv::create(env, &pool.path(number), &options)?;
        }
        pool.create_catalogues(env)?;
        Ok(pool)
    }

    fn create_catalogues(&self, env: &Env) -> Result<(), LvError> {
        for place in self.copies() {
            let folder = place.path.parent().unwrap_or(&self.dir);
            let io = |source| pv::PvError::Io { path: folder.to_owned(), operation: "make", source };
            env.host.make_dir(folder).map_err(io)?;
            create_catalogue(env, &place.path, (self.family(), self.lv()), (7, 0))?;
            env.host.sync_dir(&self.dir).map_err(io)?;
        }
        Ok(())
    }

    /// Another volume on the same PVs (there is room for two): 0 is the first.
    #[must_use]
    pub fn volume(&self, number: u8) -> Self {
        Self { number: number.min(VOLUMES - 1), ..self.clone() }
    }

    /// Makes the files of a volume that is not the first.
    ///
    /// # Errors
    /// As the engine says.
    pub fn add_volume(&self, env: &Env, number: u8) -> Result<Self, LvError> {
        let pool = self.volume(number);
        pool.create_catalogues(env)?;
        Ok(pool)
    }

    /// The owner row of the volume on each PV.
    ///
    /// # Errors
    /// As the engine says.
    pub fn owner_rows(&self, env: &Env) -> Result<Vec<Option<OwnerRow>>, LvError> {
        let row = |number| Pv::open(env, &self.path(number), Access::ReadOnly)?.store()?.owner(self.family());
        (0..self.shape.pvs).map(|number| row(number).map_err(LvError::from)).collect()
    }

    fn family(&self) -> FamilyUuid {
        FamilyUuid::from_bytes([0xfa - self.number; 16])
    }

    fn lv(&self) -> LvUuid {
        LvUuid::from_bytes([0x1f - self.number; 16])
    }

    /// The pool that was made in `dir` with this shape.
    pub fn at(dir: &Path, shape: Shape) -> Self {
        Self { shape, dir: dir.to_owned(), number: 0 }
    }

    /// Activates the volume; PVs first, so that what a crash interrupted is rolled back.
    ///
    /// # Errors
    /// As the engine says.
    pub fn activate(&self, env: &Env, options: VolumeOptions, weakness: Weakness) -> Result<Volume, LvError> {
        let refuse = &mut |place: &CopyPlace, why: &str| {
            Err(LvError::NoMetadata { missing: format!("{}: {why}", place.path.display()) })
        };
        self.activate_without(env, options, weakness, refuse)
    }

    /// As [`Pool::activate`]; `dropped` is told of copies of the metadata that cannot be read.
    ///
    /// # Errors
    /// As the engine says.
    pub fn activate_without(
        &self,
        env: &Env,
        options: VolumeOptions,
        weakness: Weakness,
        dropped: &mut dyn FnMut(&CopyPlace, &str) -> Result<(), LvError>,
    ) -> Result<Volume, LvError> {
        let extents = self.extents(env, weakness)?;
        let options = weakness.options(options);
        Volume::activate(env, extents, &self.copies(), options, dropped)
    }

    /// Checks the volume's files, which nobody has active, to the last byte.
    ///
    /// # Errors
    /// In words: what is wrong with them.
    pub fn check(&self, env: &Env) -> Result<(), String> {
        let extents = self.extents(env, Weakness::None).map_err(|error| format!("check: {error}"))?;
        let report = lv::check(env, &extents, &self.copies(), CheckOptions::ALL);
        clean(&report.map_err(|error| format!("check: {error}"))?)
    }

    /// Where the volume's bytes lie.
    ///
    /// # Errors
    /// A PV cannot be opened.
    pub fn extents(&self, env: &Env, weakness: Weakness) -> Result<VolumeExtents, LvError> {
        let mut slots = Vec::new();
        for number in 0..self.shape.pvs {
            let pv = Pv::open(env, &self.path(number), Access::ReadWrite)?;
            let store: Arc<dyn ExtentStore> = pv.store()?;
            let path = self.path(number);
            let store = Some(weakness.wrap(store, env, &path));
            slots.push(PvSlot { uuid: uuid(number), path, store });
        }
        Ok(VolumeExtents {
            lv: self.lv(),
            family: self.family(),
            extent_size: ExtentSize::for_tests(self.shape.extent).ok_or(LvError::ReadOnly)?,
            segments: self.segments().into(),
            pvs: slots.into(),
        })
    }

    /// The path of a PV.
    pub fn path(&self, number: u8) -> PathBuf {
        self.dir.join(format!("p{number}.db"))
    }

    /// Bytes of all extents together.
    pub fn bytes(&self) -> u64 {
        self.shape.extent * u64::from(self.shape.extents) * u64::from(self.shape.pvs)
    }

    /// The copies of the metadata.
    pub fn copies(&self) -> Vec<CopyPlace> {
        let name = if self.number == 0 { "family.meta".to_owned() } else { format!("family{}.meta", self.number) };
        let place = |number: u8| CopyPlace { pv: uuid(number), path: side_folder(&self.path(number)).join(&name) };
        (0..self.shape.copies).map(place).collect()
    }

    fn segments(&self) -> Vec<Segment> {
        let first = PeIndex(self.shape.extents * u32::from(self.number));
        let segment = |number: u8| Segment {
            start: LeIndex(self.shape.extents * u32::from(number)),
            count: LeCount(self.shape.extents),
            kind: SegmentKind::Linear(StripeLeg { pv: uuid(number), pe: first }),
        };
        (0..self.shape.pvs).map(segment).collect()
    }
}

const fn uuid(number: u8) -> PvUuid {
    PvUuid::from_bytes([number + 1; 16])
}
