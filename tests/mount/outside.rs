//! A volume mounted by a program that uses it at the same time.

use std::fs;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyfs_lvm::fuse::{Mount, MountOptions, unmount};
use anyfs_lvm::lv::{Ino, NewNode, Volume};
use anyfs_lvm::{MIB, Pool};

use super::support::{can_mount, until};

/// A mounted volume, and what was reported about it.
struct Both {
    temp: tempfile::TempDir,
    volume: Volume,
    mount: Option<Mount>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Both {
    fn new() -> Option<Self> {
        if !can_mount() {
            return None;
        }
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("mnt")).unwrap();
        let pool = Pool::create(temp.path().join("pool")).unwrap();
        pool.create_volume("home", 64 * MIB).unwrap();
        let volume = pool.volume("home").unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let report = Box::new(move |error: &anyfs_lvm::lv::LvError| heard.lock().unwrap().push(error.to_string()));
        let mount = Mount::new(&volume, &temp.path().join("mnt"), &MountOptions::default(), report).unwrap();
        Some(Self { temp, volume, mount: Some(mount), told })
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.temp.path().join("mnt").join(name)
    }

    fn mount(&self) -> &Mount {
        self.mount.as_ref().unwrap()
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        if let Some(mount) = self.mount.take() {
            unmount(&mount.mounted().dir, true).unwrap();
            mount.wait().unwrap();
        }
    }
}

#[test]
fn what_changed_past_the_mount_is_seen_when_the_kernel_was_told() {
    let Some(both) = Both::new() else { return };
    let kernel = both.mount().kernel().clone();
    fs::write(both.at("file"), "from the mount").unwrap();
    let ino = both.volume.lookup(Ino::ROOT, b"file").unwrap().ino;
    assert_eq!(fs::read(both.at("file")).unwrap(), b"from the mount");
    both.volume.replace(ino, b"from the library, longer").unwrap();
    kernel.contents_changed(ino);
    assert_eq!(fs::read(both.at("file")).unwrap(), b"from the library, longer");
    both.volume.replace(ino, b"shorter").unwrap();
    kernel.contents_changed(ino);
    assert_eq!(fs::read(both.at("file")).unwrap(), b"shorter");
    let mut opened = fs::File::open(both.at("file")).unwrap();
    both.volume.append(ino, b", and longer again").unwrap();
    kernel.contents_changed(ino);
    let mut seen = String::new();
    std::io::Read::read_to_string(&mut opened, &mut seen).unwrap();
    assert_eq!(seen, "shorter, and longer again");
    assert!(!both.at("new").exists());
    both.volume.create(Ino::ROOT, b"new", &NewNode::file(0o644)).unwrap();
    kernel.name_changed(Ino::ROOT, b"new");
    assert!(both.at("new").exists());
    both.volume.unlink(Ino::ROOT, b"new").unwrap();
    kernel.name_changed(Ino::ROOT, b"new");
    assert!(!both.at("new").exists());
    let mode = anyfs_lvm::lv::SetAttr { mode: Some(0o600), ..Default::default() };
    both.volume.setattr(ino, &mode).unwrap();
    kernel.attributes_changed(ino);
    let seen = fs::metadata(both.at("file")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&seen.permissions()) & 0o777, 0o600);
}

#[test]
fn what_is_only_in_the_kernels_cache_is_written_out_when_it_is_told() {
    use std::io::Write;
    let Some(both) = Both::new() else { return };
    let mut file = fs::File::create(both.at("file")).unwrap();
    file.write_all(&vec![5; 100_000]).unwrap();
    let ino = both.volume.lookup(Ino::ROOT, b"file").unwrap().ino;
    both.mount().kernel().write_out(ino);
    assert!(both.volume.read_all(ino).unwrap() == vec![5; 100_000]);
}

#[test]
fn a_volume_that_stopped_answers_with_an_error_and_says_why_once() {
    let Some(both) = Both::new() else { return };
    fs::write(both.at("file"), "x").unwrap();
    both.volume.clone().abandon();
    for name in ["a", "b", "c"] {
        assert_eq!(fs::write(both.at(name), "x").unwrap_err().raw_os_error(), Some(5));
    }
    let told = both.told.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("stopped after a failed write"), "{told:?}");
}

#[test]
fn a_mount_of_a_program_says_itself_where_it_is() {
    let Some(both) = Both::new() else { return };
    let dir = &both.mount().mounted().dir;
    let served = anyfs_lvm::owner::serve(&both.volume, ("pool", "home"), Box::new(both.mount().outside())).unwrap();
    assert_eq!(served.served().mounted.as_ref(), Some(dir));
    let mount = |at: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_anyfs-lvm"));
        command.args(["mount", "--pool", "pool", "pool/home", at]).current_dir(both.temp.path());
        let ran = command.output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };
    fs::create_dir(both.temp.path().join("other")).unwrap();
    let (here, pid) = (dir.display(), std::process::id());
    let line = format!(
        "  pool/home is already mounted on {here} by process {pid}\n  hint: unmount it first: anyfs-lvm umount {here}\n"
    );
    assert_eq!(mount("other"), (Some(5), line));
    drop(served);
    let (code, said) = mount("other");
    assert!(code == Some(5) && said.contains(&format!("in use by process {pid}")), "{said}");
}

#[test]
fn the_volume_is_still_there_when_it_is_unmounted() {
    let Some(mut both) = Both::new() else { return };
    fs::write(both.at("file"), "kept").unwrap();
    let mount = both.mount.take().unwrap();
    let mounted = mount.mounted().clone();
    assert!(mounted.is_there().unwrap());
    // A program that another test starts has this one's open files for a moment.
    until("it is unmounted", || mounted.unmount(false).is_ok());
    mount.wait().unwrap();
    assert!(!mounted.is_there().unwrap());
    mounted.unmount(false).unwrap();
    let ino = both.volume.lookup(Ino::ROOT, b"file").unwrap().ino;
    assert_eq!(both.volume.read_all(ino).unwrap(), b"kept");
    both.volume.clone().close().unwrap();
}

/// Nobody takes the threads away from whoever waits for an answer that the kernel knows to be under way.
#[test]
fn whoever_unmounts_or_lists_it_ends_although_nobody_answers() {
    let Some(both) = Both::new() else { return };
    let here = both.mount().mounted().dir.display().to_string();
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_anyfs-lvm"));
        let child = command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        (ended, child)
    };
    // Whatever asks for something of the volume waits for the end of this.
    let (away, listed) = both.volume.transaction(|_| Ok((run(&["umount", &here]), run(&["mount"])))).unwrap();
    let said = |(ended, child): (bool, std::process::Child)| {
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (ended, output.status.code(), String::from_utf8(text).unwrap())
    };
    let line = format!("  {here}: nobody answers there\n  hint: end it by force, as root: umount -f {here}\n");
    assert_eq!(said(away), (true, Some(5), line));
    let (ended, code, text) = said(listed);
    let own = text.lines().find(|line| line.contains(&here)).unwrap_or_default();
    assert!(ended && code == Some(0) && own.ends_with("[another program, which does not answer]"), "{text}");
}
