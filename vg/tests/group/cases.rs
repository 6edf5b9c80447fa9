#![cfg(test)]

use std::path::{Path, PathBuf};

use anyfs_lvm_vg::{
    LvExtension, LvName, LvRecord, LvRequest, Notice, OpenOptions, PoolFiles, SegmentKind, VgError, VgName, VgOptions,
    VolumeGroup, scan,
};
use pv::{Access, Bytes, Env, ExtentSize, LeCount, Pv, PvOptions, Seqno};
use tempfile::TempDir;

const EXTENTS: u64 = 32;

fn new_pv(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let capacity = Bytes(EXTENTS * ExtentSize::MIN.bytes());
    Pv::create(&Env::system(), &path, &PvOptions { capacity, ..PvOptions::default() }).unwrap();
    path
}

fn options() -> VgOptions {
    VgOptions { extent_size: ExtentSize::MIN, ..VgOptions::default() }
}

fn name(text: &str) -> LvName {
    LvName::new(text).unwrap()
}

fn group(dir: &Path, pvs: usize) -> (VolumeGroup, Vec<PathBuf>) {
    let paths: Vec<_> = (0..pvs).map(|n| new_pv(dir, &format!("pv{n}.db"))).collect();
    let vg = VolumeGroup::create(&Env::system(), &VgName::new("vg0").unwrap(), &paths, &options()).unwrap();
    (vg, paths)
}

fn open(path: &Path) -> Result<VolumeGroup, VgError> {
    VolumeGroup::open(&Env::system(), &PoolFiles::Pv(path.to_owned()), &OpenOptions::default())
}

fn create(vg: &mut VolumeGroup, lv: &str, count: u32) -> Result<LvRecord, VgError> {
    let lock = vg.lock()?;
    vg.lv_create(&lock, &LvRequest::new(Some(name(lv)), LeCount(count)), |_, _| Ok(()))
}

#[test]
fn a_group_is_found_from_any_of_its_pvs_and_from_the_folder() {
    let dir = TempDir::new().unwrap();
    let (vg, paths) = group(dir.path(), 3);
    assert!(vg.notices().is_empty(), "{:?}", vg.notices());
    assert_eq!(vg.free_map().free(), 3 * EXTENTS);
    for path in &paths {
        let again = open(path).unwrap();
        assert_eq!(again.descriptor(), vg.descriptor());
        assert!(again.notices().is_empty(), "{:?}", again.notices());
        assert!(!again.partial() && again.majority() && again.settled());
    }
    let files = PoolFiles::Dir(dir.path().to_owned());
    assert_eq!(VolumeGroup::open(&Env::system(), &files, &OpenOptions::default()).unwrap().pvs().len(), 3);
}

#[test]
fn a_group_spread_over_folders_is_found_after_it_moved() {
    let dir = TempDir::new().unwrap();
    let old = dir.path().join("old");
    let paths = vec![new_pv(&old, "a/x.db"), new_pv(&old, "b/c/y.db")];
    VolumeGroup::create(&Env::system(), &VgName::new("vg0").unwrap(), &paths, &options()).unwrap();
    std::fs::rename(&old, dir.path().join("new")).unwrap();
    for path in ["new/a/x.db", "new/b/c/y.db"] {
        assert!(!open(&dir.path().join(path)).unwrap().partial(), "{path}");
    }
}

#[test]
fn lvs_are_made_extended_renamed_and_removed() {
    let dir = TempDir::new().unwrap();
    let (mut vg, paths) = group(dir.path(), 2);
    let made = create(&mut vg, "home", 10).unwrap();
    assert_eq!(made.segments.len(), 1);
    let full = create(&mut vg, "big", 1000).unwrap_err();
    assert_eq!(full.to_string(), "Volume group \"vg0\" has insufficient free space (54 extents): 1000 required.");
    let twice = create(&mut vg, "home", 1).unwrap_err();
    assert_eq!(twice.to_string(), "Logical Volume \"home\" already exists in volume group \"vg0\"");
    let lock = vg.lock().unwrap();
    let extension = LvExtension { count: LeCount(40), ..LvExtension::default() };
    let planned = vg.plan_lv_extend(&name("home"), &extension).unwrap();
    assert_eq!(vg.lv(&name("home")).unwrap().count(), LeCount(10), "a plan changes nothing");
    assert_eq!(vg.lv_extend(&lock, &name("home"), &extension).unwrap(), planned);
    assert_eq!(planned.segments.len(), 2);
    vg.lv_rename(&lock, &name("home"), &name("house")).unwrap();
    drop(lock);
    let again = open(&paths[1]).unwrap();
    let extents = again.volume_extents(&name("house")).unwrap();
    assert_eq!(extents.count(), LeCount(40));
    assert!(extents.pvs.iter().all(|pv| pv.store.is_some()));
    let lock = vg.lock().unwrap();
    vg.lv_remove(&lock, &name("house")).unwrap();
    assert_eq!(vg.free_map().free(), 2 * EXTENTS);
    assert!(vg.descriptor().removals.is_empty());
    let gone = vg.lv_remove(&lock, &name("house")).unwrap_err();
    assert_eq!(gone.to_string(), "Failed to find logical volume \"vg0/house\"");
}

#[test]
fn files_of_an_lv_are_made_before_it_is_named_and_removed_with_it() {
    let dir = TempDir::new().unwrap();
    let (mut vg, _) = group(dir.path(), 2);
    let lock = vg.lock().unwrap();
    let request = LvRequest { copies: 2, stripes: 2, ..LvRequest::new(None, LeCount(5)) };
    let mut seen = Vec::new();
    let lv = vg
        .lv_create(&lock, &request, |vg, lv| {
            assert!(vg.descriptor().lvs.is_empty());
            for copy in &lv.copies {
                let path = vg.metadata_copy_path(copy.pv, lv).unwrap();
                std::fs::write(&path, b"x")?;
                seen.push(path);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!((lv.name.as_str(), lv.count(), seen.len()), ("lvol0", LeCount(6), 2));
    assert!(matches!(lv.segments[0].kind, SegmentKind::Striped(_)));
    vg.lv_remove(&lock, &lv.name).unwrap();
    assert!(seen.iter().all(|path| !path.exists()));
    let failed = vg.lv_create(&lock, &request, |vg, lv| {
        std::fs::write(vg.metadata_copy_path(lv.copies[0].pv, lv).unwrap(), b"x")?;
        Err("no".into())
    });
    assert!(matches!(failed, Err(VgError::Hook { .. })));
    let left: Vec<_> =
        std::fs::read_dir(dir.path().join("pv0.db.d")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|file| !file.to_string_lossy().contains(".meta")), "{left:?}");
}

#[test]
fn an_active_lv_is_not_removed() {
    let dir = TempDir::new().unwrap();
    let (mut vg, _) = group(dir.path(), 1);
    let lv = create(&mut vg, "a", 1).unwrap();
    let held = Env::system().host.lock(&vg.activation_lock_paths(&lv)[0], false, "").unwrap();
    let lock = vg.lock().unwrap();
    assert!(matches!(vg.lv_remove(&lock, &lv.name), Err(VgError::LvInUse { .. })));
    drop(held);
    vg.lv_remove(&lock, &lv.name).unwrap();
}

#[test]
fn pvs_are_added_and_removed() {
    let dir = TempDir::new().unwrap();
    let (mut vg, paths) = group(dir.path(), 1);
    let (b, c) = (new_pv(dir.path(), "b.db"), new_pv(dir.path(), "c.db"));
    let lock = vg.lock().unwrap();
    vg.extend(&lock, &[b.clone(), c.clone()]).unwrap();
    assert!(matches!(vg.extend(&lock, std::slice::from_ref(&b)), Err(VgError::AlreadyMember { .. })));
    drop(lock);
    assert!(vg.settled());
    create(&mut vg, "a", 40).unwrap();
    let lock = vg.lock().unwrap();
    let used = vg.reduce(&lock, &[paths[0].clone()]).unwrap_err();
    assert!(used.to_string().ends_with("pv0.db\" still in use"), "{used}");
    vg.reduce(&lock, std::slice::from_ref(&c)).unwrap();
    drop(lock);
    assert_eq!(open(&b).unwrap().pvs().len(), 2);
    assert!(matches!(open(&c), Err(VgError::NoGroup(_))));
    std::fs::remove_file(&c).unwrap();
    create(&mut vg, "b", 1).unwrap();
    let lock = vg.lock().unwrap();
    vg.lv_remove(&lock, &name("a")).unwrap();
    assert!(matches!(vg.plan_remove(), Err(VgError::LvsRemain { .. })));
    vg.lv_remove(&lock, &name("b")).unwrap();
    vg.remove(&lock).unwrap();
    let found = scan(&Env::system(), &[dir.path().to_owned()], Access::ReadOnly).unwrap();
    assert_eq!((found.orphans().count(), found.groups().len()), (2, 0));
}

#[test]
fn ten_pvs_hold_seven_copies_and_the_others_are_found_all_the_same() {
    let dir = TempDir::new().unwrap();
    let (vg, paths) = group(dir.path(), 10);
    assert_eq!(vg.descriptor().holders().len(), 7);
    assert_eq!(open(&paths[9]).unwrap().pvs().iter().filter(|pv| pv.present()).count(), 10);
}

#[test]
fn a_missing_pv_leaves_a_partial_group_that_can_be_read() {
    let dir = TempDir::new().unwrap();
    let (mut vg, paths) = group(dir.path(), 2);
    create(&mut vg, "a", 40).unwrap();
    std::fs::rename(&paths[1], dir.path().join("away")).unwrap();
    let mut part = open(&paths[0]).unwrap();
    assert!(part.partial() && !part.majority());
    assert!(part.notices().iter().any(|n| matches!(n, Notice::Missing { .. })));
    let extents = part.volume_extents(&name("a")).unwrap();
    assert_eq!(extents.pvs.iter().filter(|pv| pv.store.is_none()).count(), 1);
    assert_eq!(create(&mut part, "b", 1).unwrap_err().to_string(), "Cannot change VG vg0 while PVs are missing.");
    let lock = part.lock().unwrap();
    let refused = part.change(&lock, |_| Ok(())).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "volume group \"vg0\" cannot be changed: 1 of 2 copies of its descriptor can be used"
    );
    assert!(refused.hint().unwrap().contains("--force vg0"));
    part.force(&lock).unwrap();
    drop(lock);
    std::fs::rename(dir.path().join("away"), &paths[1]).unwrap();
    let whole = open(&paths[1]).unwrap();
    assert!(whole.notices().iter().any(|n| matches!(n, Notice::Stale { .. })), "{:?}", whole.notices());
    assert_eq!(whole.descriptor().forks.len(), 1);
}

#[test]
fn what_went_two_ways_is_refused() {
    let dir = TempDir::new().unwrap();
    let (_, paths) = group(dir.path(), 2);
    for (keep, hide) in [(0, 1), (1, 0)] {
        std::fs::rename(&paths[hide], dir.path().join("away")).unwrap();
        let mut part = open(&paths[keep]).unwrap();
        let lock = part.lock().unwrap();
        part.force(&lock).unwrap();
        std::fs::rename(dir.path().join("away"), &paths[hide]).unwrap();
    }
    let forked = open(&paths[0]).unwrap_err();
    assert!(forked.to_string().contains("pv0.db") && forked.to_string().contains("pv1.db"), "{forked}");
    assert!(matches!(forked, VgError::Forked { .. }));
}

#[test]
fn copies_links_and_strangers_are_told_apart() {
    let dir = TempDir::new().unwrap();
    let (_, paths) = group(dir.path(), 3);
    std::os::unix::fs::symlink(&paths[0], dir.path().join("link.db")).unwrap();
    std::fs::write(dir.path().join("text.db"), b"not a database at all").unwrap();
    let all = [dir.path().to_owned()];
    let found = scan(&Env::system(), &all, Access::ReadOnly).unwrap();
    assert_eq!(found.pvs().count(), 3);
    assert!(found.notices.iter().any(|n| matches!(n, Notice::SameFile { .. })), "{:?}", found.notices);
    assert!(found.notices.iter().any(|n| matches!(n, Notice::Unusable { .. })), "{:?}", found.notices);
    std::fs::copy(&paths[1], dir.path().join("copy.db")).unwrap();
    let found = scan(&Env::system(), &all, Access::ReadOnly).unwrap();
    let twins = found.notices.iter().find(|n| matches!(n, Notice::Duplicate { .. })).unwrap().to_string();
    assert!(twins.contains("copy.db") && twins.contains("pv1.db"), "{twins}");
    assert_eq!(found.pvs().count(), 2);
}

#[test]
fn a_pv_with_a_copy_beside_it_stays_unused_until_one_is_gone() {
    let dir = TempDir::new().unwrap();
    let (_, paths) = group(dir.path(), 3);
    let copy = dir.path().join("copy.db");
    std::fs::copy(&paths[1], &copy).unwrap();
    let files = PoolFiles::Dir(dir.path().to_owned());
    let mut vg = VolumeGroup::open(&Env::system(), &files, &OpenOptions::default()).unwrap();
    let lost = |vg: &VolumeGroup| vg.pvs().iter().filter(|pv| !pv.present()).count();
    assert_eq!(lost(&vg), 1);
    let _lock = vg.lock().unwrap();
    vg.refresh().unwrap();
    assert_eq!(lost(&vg), 1, "its own hint leads to one of the two files");
    std::fs::remove_file(&copy).unwrap();
    assert_eq!(lost(&VolumeGroup::open(&Env::system(), &files, &OpenOptions::default()).unwrap()), 0);
}

#[test]
fn another_pv_under_the_old_name_is_not_taken_for_the_lost_one() {
    let dir = TempDir::new().unwrap();
    let (_, paths) = group(dir.path(), 3);
    std::fs::remove_file(&paths[2]).unwrap();
    new_pv(dir.path(), "pv2.db");
    let vg = open(&paths[0]).unwrap();
    assert!(vg.partial());
    assert!(vg.notices().iter().any(|n| matches!(n, Notice::Swapped { .. })), "{:?}", vg.notices());
}

#[test]
fn a_stale_copy_is_noticed_and_repaired_by_the_next_change_only() {
    let dir = TempDir::new().unwrap();
    let (mut vg, paths) = group(dir.path(), 3);
    let away = dir.path().join("away");
    std::fs::rename(&paths[2], &away).unwrap();
    let mut part = open(&paths[0]).unwrap();
    let lock = part.lock().unwrap();
    part.change(&lock, |next| {
        next.resizeable = false;
        Ok(())
    })
    .unwrap();
    drop(lock);
    std::fs::rename(&away, &paths[2]).unwrap();
    for _ in 0..2 {
        let again = open(&paths[2]).unwrap();
        assert_eq!(again.descriptor().seqno, Seqno(2));
        assert!(again.notices().iter().any(|n| matches!(n, Notice::Stale { .. })));
    }
    let lock = vg.lock().unwrap();
    vg.settle(&lock).unwrap();
    assert!(open(&paths[2]).unwrap().notices().is_empty());
}

#[test]
fn a_pv_whose_leaving_was_interrupted_carries_a_copy_again_once_it_is_there() {
    let dir = TempDir::new().unwrap();
    let (mut vg, paths) = group(dir.path(), 4);
    let lock = vg.lock().unwrap();
    // The first half of vgreduce.
    vg.change(&lock, |next| {
        next.pvs[3].holder = false;
        Ok(())
    })
    .unwrap();
    assert!(!vg.settled());
    drop(lock);
    let away = dir.path().join("away");
    std::fs::rename(&paths[3], &away).unwrap();
    let mut part = open(&paths[0]).unwrap();
    let lock = part.lock().unwrap();
    part.settle(&lock).unwrap();
    assert_eq!(part.descriptor().holders().len(), 3, "a copy that cannot be written would only cost the majority");
    assert!(part.settled());
    drop(lock);
    std::fs::rename(&away, &paths[3]).unwrap();
    let mut whole = open(&paths[0]).unwrap();
    let lock = whole.lock().unwrap();
    whole.settle(&lock).unwrap();
    assert!(whole.settled());
    assert_eq!(open(&paths[3]).unwrap().descriptor().holders().len(), 4);
}

#[test]
fn settling_completes_what_only_the_joining_pv_has_seen() {
    let dir = TempDir::new().unwrap();
    let (mut vg, paths) = group(dir.path(), 1);
    let old = [paths[0].clone(), dir.path().join("pv0.db-journal")].map(|file| (std::fs::read(&file).unwrap(), file));
    let joining = new_pv(dir.path(), "pv1.db");
    let lock = vg.lock().unwrap();
    vg.extend(&lock, &[joining]).unwrap();
    drop(lock);
    // As an interruption leaves it that came before the old PV had the change.
    for (bytes, file) in old {
        std::fs::write(file, bytes).unwrap();
    }
    let files = PoolFiles::Dir(dir.path().to_owned());
    let mut found = VolumeGroup::open(&Env::system(), &files, &OpenOptions::default()).unwrap();
    assert_eq!((found.pvs().len(), found.settled()), (2, false));
    let lock = found.lock().unwrap();
    found.settle(&lock).unwrap();
    assert_eq!((found.pvs().len(), found.settled()), (2, true));
}

#[test]
fn every_change_archives_the_descriptor_before_it() {
    let dir = TempDir::new().unwrap();
    let (_, paths) = group(dir.path(), 1);
    let archive = dir.path().join("archive");
    let options = OpenOptions {
        archive: Some(archive.clone()),
        command: "lvcreate -l 1 vg0".to_owned(),
        ..OpenOptions::default()
    };
    let mut vg = VolumeGroup::open(&Env::system(), &PoolFiles::Pv(paths[0].clone()), &options).unwrap();
    for lv in ["a", "b", "c"] {
        create(&mut vg, lv, 1).unwrap();
    }
    let mut entries: Vec<_> = std::fs::read_dir(&archive).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    assert_eq!(entries.len(), 3);
    let text = std::fs::read_to_string(&entries[2]).unwrap();
    assert!(text.contains("lvcreate -l 1 vg0") && text.contains("\"seqno\": 3"), "{text}");
}

#[test]
fn two_threads_that_make_lvs_never_share_an_extent() {
    let dir = TempDir::new().unwrap();
    let (_, paths) = group(dir.path(), 3);
    std::thread::scope(|scope| {
        for (who, path) in paths.iter().enumerate() {
            scope.spawn(move || {
                for n in 0..4 {
                    create(&mut open(path).unwrap(), &format!("lv{who}_{n}"), 3).unwrap();
                }
            });
        }
    });
    let vg = open(&paths[0]).unwrap();
    assert_eq!(vg.descriptor().lvs.len(), 12);
    vg.descriptor().validate().unwrap();
}

#[test]
fn a_group_goes_on_without_a_lost_pv_by_force_only_and_takes_it_back() {
    let dir = TempDir::new().unwrap();
    let (mut vg, paths) = group(dir.path(), 2);
    create(&mut vg, "a", 40).unwrap();
    let away = dir.path().join("away");
    std::fs::rename(&paths[1], &away).unwrap();
    let mut part = open(&paths[0]).unwrap();
    let lock = part.lock().unwrap();
    assert!(matches!(part.remove_missing(&lock, false), Err(VgError::NoMajority { .. })));
    assert_eq!(part.remove_missing(&lock, true).unwrap(), [name("a")]);
    assert!(part.majority() && part.settled());
    part.change(&lock, |_| Ok(())).unwrap();
    std::fs::rename(&away, &paths[1]).unwrap();
    drop(lock);
    let mut whole = open(&paths[0]).unwrap();
    assert!(whole.partial(), "what came back late is not used by itself");
    let lock = whole.lock().unwrap();
    whole.restore_missing(&lock, &paths[1]).unwrap();
    assert!(!whole.partial() && whole.settled(), "{:?}", whole.notices());
    assert_eq!(open(&paths[1]).unwrap().descriptor(), whole.descriptor());
    assert_eq!(whole.descriptor().holders().len(), 2);
}
