//! A former owner that commits while another takes over: what it acknowledged is kept, or it is refused.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyfs_lvm_rig::{Disk, MemHost, Pool, Settings, Weakness, Workload};
use lv::{Ino, LvError, NewNode, Rule, Volume, Work};
use pv::{
    Epoch, ExtentBatch, ExtentHeader, ExtentStore, FamilyUuid, FlushNo, FoundExtent, ListedExtent, OwnerRow, PeIndex,
    ReadMode, StoreSpace, Txg,
};

#[cfg(test)]
mod support {
    use super::*;

    type Act = Box<dyn FnOnce() + Send>;

    /// A PV at which something happens while its owner row is looked at for the first time.
    pub(crate) struct Meanwhile {
        store: Arc<dyn ExtentStore>,
        act: Mutex<Option<Act>>,
    }

    impl fmt::Debug for Meanwhile {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.store.fmt(f)
        }
    }

    impl ExtentStore for Meanwhile {
        fn owner(&self, family: FamilyUuid) -> pv::Result<Option<OwnerRow>> {
            let act = self.act.lock().unwrap().take();
            if let Some(act) = act {
                act();
            }
            self.store.owner(family)
        }
        fn commit(&self, batch: &ExtentBatch<'_>) -> pv::Result<()> {
            self.store.commit(batch)
        }
        fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> pv::Result<()> {
            self.store.read(pe, at, buf, mode)
        }
        fn header(&self, pe: PeIndex) -> pv::Result<Option<(ExtentHeader, Vec<u8>)>> {
            self.store.header(pe)
        }
        fn extents_after(&self, family: FamilyUuid, epoch: Epoch, flush: FlushNo) -> pv::Result<Vec<FoundExtent>> {
            self.store.extents_after(family, epoch, flush)
        }
        fn list(&self, pe: Option<PeIndex>, limit: usize) -> pv::Result<Vec<ListedExtent>> {
            self.store.list(pe, limit)
        }
        fn take(&self, family: FamilyUuid, epoch: Epoch, txg: Txg) -> pv::Result<()> {
            self.store.take(family, epoch, txg)
        }
        fn forget(&self, family: FamilyUuid) -> pv::Result<()> {
            self.store.forget(family)
        }
        fn space(&self) -> pv::Result<StoreSpace> {
            self.store.space()
        }

        fn contradictions(&self) -> pv::Result<usize> {
            self.store.contradictions()
        }
        fn shrink(&self, bytes: pv::Bytes) -> pv::Result<()> {
            self.store.shrink(bytes)
        }
    }

    pub(crate) struct Scene {
        pub(crate) disk: Disk,
        pub(crate) pool: Pool,
        workload: Workload,
    }

    impl Scene {
        pub(crate) fn new() -> Self {
            let workload = Workload::copies();
            let disk = Disk::new(Settings::default());
            let pool = Pool::create(&disk.env(), Path::new("/"), workload.shape).unwrap();
            Self { disk, pool, workload }
        }

        pub(crate) fn activate(&self, host: &MemHost) -> Volume {
            self.pool.activate(&self.disk.env_of(host), self.workload.options, Weakness::None).unwrap()
        }

        /// Takes over while `act` happens: after the catalogue was read, before its epoch is raised.
        pub(crate) fn take_over(
            &self,
            weakness: Weakness,
            act: impl FnOnce() + Send + 'static,
        ) -> Result<Volume, LvError> {
            let env = self.disk.env();
            let mut extents = self.pool.extents(&env, Weakness::None).unwrap();
            let mut slots = extents.pvs.to_vec();
            let store = slots[0].store.take().unwrap();
            slots[0].store = Some(Arc::new(Meanwhile { store, act: Mutex::new(Some(Box::new(act))) }));
            extents.pvs = slots.into();
            Volume::activate(
                &env,
                extents,
                &self.pool.copies(),
                weakness.options(self.workload.options),
                &mut |_, why| Err(LvError::NoMetadata { missing: why.to_owned() }),
            )
        }
    }

    pub(crate) fn write(volume: &Volume, name: &[u8], bytes: &[u8]) {
        let file = volume.create(Ino::ROOT, name, &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, bytes).unwrap();
        volume.fsync(file).unwrap();
    }

    pub(crate) fn read(volume: &Volume, name: &[u8]) -> Vec<u8> {
        volume.read_all(volume.lookup(Ino::ROOT, name).unwrap().ino).unwrap()
    }
}

use support::{Scene, read, write};

/// The former owner commits between the new one's reading of the catalogue and its raising of the epoch.
fn scene(weakness: Weakness) -> (Scene, Volume, Result<Volume, LvError>) {
    let scene = Scene::new();
    let host = scene.disk.host();
    let old = scene.activate(&host);
    write(&old, b"before", &[1; 3000]);
    host.release_locks();
    let zombie = old.clone();
    let act = move || {
        write(&zombie, b"meanwhile", &[2; 3000]);
        write(&zombie, b"placed", &vec![4; 40_000]);
        zombie.step(Work::Flush).unwrap();
        zombie.sync().unwrap();
        // Its next flush tells the PVs of the commit.
        write(&zombie, b"late", &vec![5; 40_000]);
        zombie.step(Work::Flush).unwrap();
    };
    let new = scene.take_over(weakness, act);
    (scene, old, new)
}

#[test]
fn without_a_second_look_what_a_former_owner_commits_meanwhile_is_lost() {
    let (scene, old, new) = scene(Weakness::Without(Rule::UnchangedCatalogue));
    old.abandon();
    // The sums in the rows above may notice it at once.
    let Ok(new) = new else { return };
    write(&new, b"after", &[3; 3000]);
    let kept = new.lookup(Ino::ROOT, b"meanwhile").and_then(|file| new.read_all(file.ino));
    new.abandon();
    let sound = scene.pool.check(&scene.disk.env());
    assert!(sound.is_err() || !kept.is_ok_and(|bytes| bytes == [2; 3000]));
}

#[test]
fn what_a_former_owner_commits_while_another_takes_over_is_kept() {
    let (scene, old, new) = scene(Weakness::None);
    let new = new.unwrap();
    assert_eq!(read(&new, b"before"), [1; 3000]);
    assert_eq!(read(&new, b"meanwhile"), [2; 3000]);
    assert_eq!(read(&new, b"placed"), vec![4; 40_000]);
    write(&new, b"after", &[3; 3000]);
    assert_eq!(read(&new, b"meanwhile"), [2; 3000]);
    old.create(Ino::ROOT, b"refused", &NewNode::file(0o600)).unwrap();
    assert!(matches!(old.sync(), Err(LvError::Fenced { .. })), "the former owner is not refused");
    new.close().unwrap();
    old.abandon();
    scene.pool.check(&scene.disk.env()).unwrap();
}
