//! Copies on the host, where every effect can be seen.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use super::super::host::Host;
use super::*;

fn run(from: &Path, to: &Path, archive: bool) -> Vec<Failure> {
    let dir = |path: &Path| -> Arc<Path> { path.into() };
    let item = Item { from: dir(from), name: None, to: dir(to), new_name: Vec::new(), never: None };
    let (progress, stop) = (Progress::new(false), Stop::default());
    copy(&Host, &Host, vec![item], Options { archive, update: false, workers: 3 }, (&progress, &stop))
}

#[test]
fn a_tree_arrives_whole_with_modes_times_and_links() {
    let temp = tempfile::tempdir().unwrap();
    let (from, to) = (temp.path().join("a"), temp.path().join("b"));
    fs::create_dir_all(from.join("x/y")).unwrap();
    fs::create_dir(&to).unwrap();
    for i in 0..300 {
        fs::write(from.join(format!("x/y/{i}")), vec![1u8; i * 13]).unwrap();
    }
    fs::set_permissions(from.join("x/y/7"), fs::Permissions::from_mode(0o751)).unwrap();
    symlink("../nowhere", from.join("x/link")).unwrap();
    assert_eq!(run(&from, &to, true), []);
    for i in 0..300 {
        assert_eq!(fs::read(to.join(format!("x/y/{i}"))).unwrap(), vec![1u8; i * 13]);
    }
    let (a, b) = (fs::metadata(from.join("x/y/7")).unwrap(), fs::metadata(to.join("x/y/7")).unwrap());
    assert_eq!((a.mode(), a.mtime_nsec()), (b.mode(), b.mtime_nsec()));
    let (a, b) = (fs::metadata(from.join("x")).unwrap(), fs::metadata(to.join("x")).unwrap());
    assert_eq!((a.mode(), a.mtime_nsec()), (b.mode(), b.mtime_nsec()));
    assert_eq!(fs::read_link(to.join("x/link")).unwrap(), Path::new("../nowhere"));
}

#[test]
fn a_link_in_the_target_leads_nowhere() {
    let temp = tempfile::tempdir().unwrap();
    let (from, to, outside) = (temp.path().join("a"), temp.path().join("b"), temp.path().join("c"));
    for dir in [&from.join("d"), &to, &outside] {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(from.join("d/f"), b"evil").unwrap();
    fs::write(from.join("g"), b"new").unwrap();
    fs::write(outside.join("g"), b"old").unwrap();
    symlink(&outside, to.join("d")).unwrap();
    symlink(outside.join("g"), to.join("g")).unwrap();
    let failures = run(&from, &to, false);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(!outside.join("f").exists());
    assert_eq!(fs::read(outside.join("g")).unwrap(), b"old");
    assert_eq!(fs::read(to.join("g")).unwrap(), b"new");
}

#[test]
fn a_stopped_copy_leaves_whole_files_only() {
    let temp = tempfile::tempdir().unwrap();
    let (from, to) = (temp.path().join("a"), temp.path().join("b"));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    fs::write(from.join("big"), vec![7u8; 1 << 20]).unwrap();
    let dir: Arc<Path> = to.as_path().into();
    let mut writer = Host.writer(&dir, b"big", 0o644).unwrap();
    writer.write_all(b"half").unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
}
