//! A mount from beginning to end, in the background, the foreground, for root and others.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::PoisonError;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::support::{Ground, NAMESPACES, Started, has, is_alive, is_root, skipped, state, until};

/// A user who has a name, as fusermount3 wants.
const NOBODY: u32 = 65534;

#[test]
fn a_mount_is_listed_named_and_ended() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    // Other tests have volumes of the usual name at the same time.
    let name = format!("home{}", std::process::id());
    ground.run(&format!("lvrename v home {name}")).ok();
    ground.run(&format!("mount -o noatime v/{name} mnt")).ok();
    let listed = ground.run("mount").ok();
    let here = ground.beside("mnt").display().to_string();
    let line = listed.lines().find(|line| line.contains(&here)).unwrap();
    assert!(line.starts_with(&format!("  v/{name} on {here} (rw,")) && line.contains("noatime"), "{line}");
    let pid = ground.owner();
    assert!(is_alive(pid));
    ground.run(&format!("umount v/{name}")).ok();
    assert!(!is_alive(pid) && !ground.is_mounted(), "it is gone when the command is done");
    ground.run(&format!("ls v/{name}:/")).ok();
    ground.run("umount mnt").fails(5, "mnt: not mounted");
    ground.run(&format!("umount v/{name}")).fails(5, ": not mounted");
}

#[test]
fn a_second_mount_is_refused_and_told_where_the_first_is() {
    let Some(ground) = Ground::new() else { return };
    let (pid, here) = (ground.owner(), ground.beside("mnt"));
    let line = format!("v/home is already mounted on {} by process {}", here.display(), pid.as_raw_nonzero());
    ground.run("mount v/home other").fails(5, &line);
    ground.run("mount -f v/home mnt").fails(5, &line);
    let hint = format!("hint: use it on {0}, or unmount it first: anyfs-lvm umount {0}\n", here.display());
    for line in ["check v/home", "lvconvert --metadatacopies 2 v/home"] {
        let ran = ground.run(line);
        ran.fails(5, "in use by process");
        assert!(ran.err.ends_with(&hint), "{ran:?}");
    }
    assert_eq!(fs::read_dir(ground.beside("other")).unwrap().count(), 0);
}

#[test]
fn what_is_mounted_is_not_removed_and_whoever_tries_is_told_where_it_is() {
    let Some(ground) = Ground::new() else { return };
    let (pid, here) = (ground.owner(), ground.beside("mnt"));
    ground.run("lvcreate -n other -L 16m v").ok();
    let (number, dir) = (pid.as_raw_nonzero(), here.display());
    let line = format!("  Logical volume v/home in use by process {number}, mounted on {dir}.\n");
    let unmount = format!("  hint: unmount it first: anyfs-lvm umount {dir}\n");
    for command in ["lvremove v/home", "lvremove -y v/home", "vgremove v", "vgremove -f v"] {
        let ran = ground.run(command);
        assert_eq!((ran.code, ran.out.as_str(), ran.err), (5, "", format!("{line}{unmount}")), "{command}");
    }
    kill_process(pid, Signal::STOP).unwrap();
    until("it is stopped", || state(pid) == Some('T'));
    let ran = ground.run("lvremove -f v/home");
    kill_process(pid, Signal::CONT).unwrap();
    let line = format!("  Logical volume v/home in use by process {number}, which is stopped, mounted on {dir}.\n");
    let go_on = format!("  hint: continue or end that process first: kill -CONT {number}; kill {number}\n");
    assert_eq!((ran.code, ran.err), (5, format!("{line}{go_on}")));
    ground.umount();
    ground.run("vgremove -f v").ok();
}

#[test]
fn a_start_that_fails_is_told_by_the_command_itself() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    fs::write(ground.beside("file"), "x").unwrap();
    fs::create_dir(ground.beside("pool/a.db.d/x")).unwrap();
    for foreground in ["", "--foreground "] {
        let mount = |rest: &str| ground.run(&format!("mount {foreground}{rest}"));
        mount("v/none mnt").fails(5, "Failed to find logical volume \"v/none\"");
        mount("w/none mnt").fails(5, "Volume group \"w\" not found");
        mount("v/home none").fails(5, "none: cannot be mounted on: No such file or directory");
        mount("v/home file").fails(5, "file: not a directory");
        mount("v/home pool").fails(5, "pool: cannot mount there, the volume's own files are in");
        mount("v/home pool/a.db.d/x").fails(5, "own files");
        mount("v/home .").fails(5, "own files");
        mount("-o wow v/home mnt").fails(3, "Unknown mount option \"wow\".");
        mount("-o uid=me v/home mnt").fails(3, "Invalid mount option \"uid=me\"");
        mount("home mnt").fails(3, "please give the volume as VG/LV");
        mount("v/home").fails(3, "");
    }
    let mut other = ground.start_command("put v/home:/x");
    // It has the volume once it has taken what a pipe does not hold.
    other.0.stdin.as_mut().unwrap().write_all(&vec![1; 1 << 20]).unwrap();
    let refused = ground.run("mount v/home mnt");
    refused.fails(5, "in use by process");
    assert!(refused.err.contains("hint: close the other process first"), "{refused:?}");
    drop(other);
    assert!(!ground.is_mounted());
}

/// As with PVs in the folder where somebody works.
#[test]
fn a_folder_beside_the_pvs_can_be_mounted_on() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    let here = ground.beside("pool/here");
    fs::create_dir(&here).unwrap();
    ground.run("mount v/home pool/here").ok();
    fs::write(here.join("file"), "x").unwrap();
    ground.run("pvs").ok();
    ground.run("lvcreate -n more -L 16m v").ok();
    ground.run("ls v/more:/").ok();
    ground.run("umount pool/here").ok();
    ground.check();
    assert_eq!(ground.run("cat v/home:/file").ok(), "x");
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let Some(ground) = Ground::new() else { return };
        fs::write(ground.at("file"), vec![1; 3_000_000]).unwrap();
        let pid = ground.owner();
        kill_process(pid, signal).unwrap();
        until("it ends", || !is_alive(pid));
        assert!(!ground.is_mounted());
        ground.check();
        ground.mount("ro");
        assert!(fs::read(ground.at("file")).unwrap() == vec![1; 3_000_000]);
    }
}

#[test]
fn a_signal_ends_it_also_while_it_is_used() {
    let Some(ground) = Ground::new() else { return };
    let mut file = File::create(ground.at("file")).unwrap();
    file.write_all(&vec![7; 2_000_000]).unwrap();
    let pid = ground.owner();
    kill_process(pid, Signal::TERM).unwrap();
    until("it disappears", || !ground.is_mounted());
    // Who has it open may go on for a while, and the second signal ends that.
    file.write_all(b"more").unwrap();
    file.sync_all().unwrap();
    assert!(is_alive(pid));
    kill_process(pid, Signal::TERM).unwrap();
    until("it ends", || !is_alive(pid));
    assert!(file.write_all(b"lost").and_then(|()| file.sync_all()).is_err());
    drop(file);
    ground.check();
    ground.mount("ro");
    let kept = fs::read(ground.at("file")).unwrap();
    assert!(kept[..2_000_000] == vec![7; 2_000_000] && kept[2_000_000..] == *b"more");
}

#[test]
fn whoever_unmounts_it_it_ends() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    let here = ground.at("").display().to_string();
    let ways = [("umount", is_root()), ("umount -l", is_root()), ("fusermount3 -u", true), ("fusermount3 -uz", true)];
    for (n, (way, possible)) in ways.into_iter().enumerate() {
        if !possible || !has(way.split(' ').next().unwrap()) {
            continue;
        }
        ground.mount("rw");
        fs::write(ground.at(&format!("file{n}")), "x").unwrap();
        let pid = ground.owner();
        assert!(std::process::Command::new("sh").args(["-c", &format!("{way} '{here}'")]).status().unwrap().success());
        until("it ends", || !is_alive(pid));
        assert!(!ground.is_mounted(), "{way}");
        ground.check();
        assert_eq!(ground.run(&format!("cat v/home:/file{n}")).ok(), "x", "{way}");
    }
}

#[test]
fn what_is_busy_is_not_unmounted_but_may_disappear() {
    let Some(ground) = Ground::new() else { return };
    let mut file = File::create(ground.at("file")).unwrap();
    let pid = ground.owner();
    let busy = ground.run("umount mnt");
    busy.fails(5, "target is busy");
    assert!(busy.err.contains("hint: see who uses it"), "{}", busy.err);
    ground.run("umount -l mnt").ok();
    assert!(!ground.is_mounted() && is_alive(pid));
    file.write_all(b"still").unwrap();
    drop(file);
    until("it ends with its last user", || !is_alive(pid));
    assert_eq!(ground.run("cat v/home:/file").ok(), "still");
}

#[test]
fn who_still_has_it_in_another_mount_namespace_is_named() {
    let Some(ground) = Ground::new() else { return };
    if !is_root() || !has("unshare") {
        return skipped("no mount namespace can be made");
    }
    let alone = NAMESPACES.write().unwrap_or_else(PoisonError::into_inner);
    let mut command = std::process::Command::new("unshare");
    let elsewhere = command.args(["-m", "--propagation", "private", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut elsewhere = Started(elsewhere.spawn().unwrap());
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let theirs = format!("/proc/{}/ns/mnt", elsewhere.0.id());
    until("it has its own mounts", || fs::read_link(&theirs).is_ok_and(|theirs| theirs != own));
    let (pid, away) = (ground.owner(), ground.run_beside_namespaces("umount mnt"));
    // Which process that is, another that was started meanwhile may say.
    let told = away.err.contains("is still mounted for process ") && away.err.contains("in another mount namespace");
    assert!(away.code == 0 && told && away.err.contains("hint: end that process"), "{away:?}");
    assert!(!ground.is_mounted() && is_alive(pid));
    drop(elsewhere.0.stdin.take());
    until("it ends with the namespace", || !is_alive(pid));
    drop(alone);
    ground.check();
}

#[test]
fn in_the_foreground_it_says_where_it_is_and_why_a_read_fails() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), vec![b'Z'; 200_000]).unwrap();
    ground.umount();
    // Where the bytes lie in the PV, another byte.
    let pv = ground.beside("pool/a.db");
    let mut bytes = fs::read(&pv).unwrap();
    let at = bytes.windows(5000).position(|window| window.iter().all(|byte| *byte == b'Z')).unwrap();
    bytes[at + 2500] ^= 1;
    fs::write(&pv, bytes).unwrap();
    let mut child = ground
        .command()
        .args(["mount", "-f", "v/home", "mnt"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it is mounted", || ground.is_mounted());
    assert_eq!(fs::read(ground.at("file")).unwrap_err().raw_os_error(), Some(5));
    assert_eq!(fs::metadata(ground.at("file")).unwrap().len(), 200_000);
    kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success(), "{err}");
    assert!(out.starts_with("  v/home is mounted on ") && out.contains("Ctrl-C"), "{out}");
    assert!(err.starts_with("  v/home: /file: damaged at byte ") && err.contains("a.db"), "{err}");
}

#[test]
fn in_the_foreground_it_says_why_it_does_not_end_at_once() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    let mut command = ground.command();
    let child = command.args(["mount", "-f", "v/home", "mnt"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    until("it is mounted", || ground.is_mounted());
    let file = File::create(ground.at("file")).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    let mut line = [0; 200];
    let count = child.stderr.as_mut().unwrap().read(&mut line).unwrap();
    let line = String::from_utf8_lossy(&line[..count]).into_owned();
    assert!(line.starts_with("  v/home is still in use: it ends in 10 s, or at once with Ctrl-C"), "{line}");
    kill_process(pid, Signal::INT).unwrap();
    assert!(!child.wait().unwrap().success());
    drop(file);
    ground.check();
}

#[test]
fn a_signal_that_cannot_unmount_it_ends_it_with_the_reason() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    let mut command = ground.command();
    let child = command.args(["mount", "-f", "v/home", "mnt"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    until("it is mounted", || ground.is_mounted());
    fs::write(ground.at("file"), "kept").unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    // Without room for one more file it cannot read the list of mounts.
    let few = Rlimit { current: Some(3), ..getrlimit(Resource::Nofile) };
    let before = prlimit(Some(pid), Resource::Nofile, few).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    prlimit(Some(pid), Resource::Nofile, before).unwrap();
    assert!(ground.is_mounted() && fs::read(ground.at("file")).unwrap() == b"kept", "its users have some time");
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(!child.wait().unwrap().success() && err.contains("cannot read the list of mounts"), "{err}");
    ground.run("umount mnt").ok();
    ground.check();
    assert_eq!(ground.run("cat v/home:/file").ok(), "kept");
}

#[test]
fn it_is_mounted_as_mount_8_asks_for() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    let run_as = |name: &str, words: &str| {
        let helper = ground.beside(name);
        if !helper.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_anyfs-lvm"), &helper).unwrap();
        }
        let mut command = std::process::Command::new(&helper);
        command.args(words.split_whitespace()).current_dir(ground.beside("")).stdin(Stdio::null());
        command.env("ANYFS_LVM_SYSTEM_DIR", ground.beside("empty")).output().unwrap()
    };
    let run = |words: &str| run_as("mount.anyfs-lvm", words);
    assert!(run("v/home mnt -f -o rw,pool=pool").status.success());
    assert!(!ground.is_mounted(), "-f is a trial");
    let output = run("v/home mnt -sn -t anyfs-lvm -o rw,noatime,nofail,_netdev,x-systemd.automount,pool=pool");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(ground.is_mounted());
    fs::write(ground.at("file"), "x").unwrap();
    if is_root() {
        assert!(run_as("mount.fuse.anyfs-lvm", "v/home mnt -o remount,ro,noatime").status.success());
        assert!(fs::write(ground.at("file"), "y").is_err());
    }
    ground.run("umount mnt").ok();
    assert!(!run("v/none mnt -o pool=pool").status.success());
    // The type fuse.anyfs-lvm comes without a name for the command.
    ground.run("v/home mnt -o rw,noatime,dev,suid").ok();
    assert!(ground.is_mounted());
}

#[test]
fn a_folder_with_files_is_hidden_and_comes_back() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    fs::write(ground.at("below"), "x").unwrap();
    ground.mount("rw");
    assert!(!ground.at("below").exists());
    fs::write(ground.at("above"), "y").unwrap();
    ground.umount();
    assert!(ground.at("below").exists() && !ground.at("above").exists());
}

#[test]
fn a_user_mounts_without_root() {
    if !is_root() {
        return skipped("run by root, the other tests are that of a user");
    }
    if !has("fusermount3") {
        return;
    }
    let Some(ground) = Ground::unmounted("16m") else { return };
    let own = |name: &str| std::os::unix::fs::chown(ground.beside(name), Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in ["pool", "mnt", "other", ""] {
        own(entry);
    }
    let mut open = vec![ground.beside("pool"), ground.beside("sys")];
    while let Some(dir) = open.pop() {
        std::os::unix::fs::chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            open.extend(path.is_dir().then_some(path));
        }
    }
    let run = |line: &str| {
        use std::os::unix::process::CommandExt;
        let output = ground.command().args(line.split_whitespace()).uid(NOBODY).gid(NOBODY).output();
        let Ok(output) = output else { return None };
        Some((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let Some(mounted) = run("mount v/home mnt") else { return skipped("the program cannot be run by another user") };
    let may = fs::metadata("/dev/fuse").map(|meta| std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o6);
    if may.is_ok_and(|bits| bits != 0o6) {
        assert!(mounted.0 == Some(5) && mounted.1.contains("/dev/fuse: this user may not open it"), "{mounted:?}");
        return skipped("/dev/fuse is for root only");
    }
    assert_eq!(mounted, (Some(0), String::new()));
    assert_eq!(ground.shell_as(NOBODY, "echo mine > file; cat file").ok(), "mine\n");
    assert!(fs::read(ground.at("file")).is_err(), "not even root comes in");
    assert_eq!(run("mount"), Some((Some(0), String::new())));
    assert_eq!(run("umount mnt"), Some((Some(0), String::new())));
    assert!(!ground.is_mounted());
    let refused = run("mount -o allow_other v/home mnt").unwrap();
    if refused.0 == Some(0) {
        run("umount mnt").unwrap();
    } else {
        assert!(refused.1.contains("user_allow_other") && refused.1.contains("hint:"), "{}", refused.1);
    }
}
