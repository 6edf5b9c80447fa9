//! A mount from beginning to end, however it ends.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::support::{Ground, has, is_alive, is_root, skipped, state, until};

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
    let here = ground.at("").to_str().unwrap().trim_end_matches('/').to_owned();
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
    let (pid, here) = (ground.owner(), ground.at("").display().to_string());
    let line =
        format!("v/home is already mounted on {} by process {}", here.trim_end_matches('/'), pid.as_raw_nonzero());
    ground.run("mount v/home other").fails(5, &line);
    ground.run("mount -f v/home mnt").fails(5, &line);
    ground.run("ls v/home:/").fails(5, "in use by process");
    assert_eq!(fs::read_dir(ground.beside("other")).unwrap().count(), 0);
}

#[test]
fn a_start_that_fails_is_told_by_the_command_itself() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    fs::write(ground.beside("file"), "x").unwrap();
    fs::create_dir(ground.beside("pool/inside")).unwrap();
    for foreground in ["", "--foreground "] {
        let mount = |rest: &str| ground.run(&format!("mount {foreground}{rest}"));
        mount("v/none mnt").fails(5, "Failed to find logical volume \"v/none\"");
        mount("w/none mnt").fails(5, "Volume group \"w\" not found");
        mount("v/home none").fails(5, "none: cannot be mounted on: No such file or directory");
        mount("v/home file").fails(5, "file: not a directory");
        mount("v/home pool").fails(5, "pool: cannot mount there, the volume's own files are in");
        mount("v/home pool/inside").fails(5, "own files");
        mount("v/home .").fails(5, "own files");
        mount("-o wow v/home mnt").fails(3, "Unknown mount option \"wow\".");
        mount("-o uid=me v/home mnt").fails(3, "Invalid mount option \"uid=me\"");
        mount("home mnt").fails(3, "please give the volume as VG/LV");
        mount("v/home").fails(3, "");
    }
    let mut other = ground.start_command("put v/home:/x");
    // It has the volume once it has taken what a pipe does not hold.
    other.0.stdin.as_mut().unwrap().write_all(&vec![1; 1 << 20]).unwrap();
    ground.run("mount v/home mnt").fails(5, "in use by process");
    drop(other);
    assert!(!ground.is_mounted());
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

/// Ends the process as nothing can be prepared for.
fn kill(ground: &Ground) {
    let pid = ground.owner();
    kill_process(pid, Signal::KILL).unwrap();
    until("it is gone", || !is_alive(pid));
}

#[test]
fn a_mount_whose_process_was_killed_is_known_and_taken_away() {
    let Some(ground) = Ground::new() else { return };
    let mut file = File::create(ground.at("kept")).unwrap();
    file.write_all(&vec![3; 500_000]).unwrap();
    file.sync_all().unwrap();
    drop(file);
    kill(&ground);
    // Whoever asks at the very moment is told that the connection was aborted.
    until("all are told: Transport endpoint is not connected", || {
        fs::read(ground.at("kept")).unwrap_err().raw_os_error() == Some(107)
    });
    let listed = ground.run("mount").ok();
    assert!(listed.contains("its process is gone"), "{listed}");
    ground.run("umount mnt").ok();
    assert!(!ground.is_mounted());
    ground.mount("rw");
    assert!(fs::read(ground.at("kept")).unwrap() == vec![3; 500_000]);
    fs::write(ground.at("second"), "x").unwrap();
    File::open(ground.at("second")).unwrap().sync_all().unwrap();
    kill(&ground);
    let again = ground.run("mount v/home mnt");
    assert!(again.code == 0 && again.err.contains("whose process was gone was taken away"), "{again:?}");
    assert_eq!(fs::read(ground.at("second")).unwrap(), b"x");
    ground.umount();
    ground.check();
}

#[test]
fn what_was_acknowledged_survives_the_end_of_the_process_each_time() {
    let Some(ground) = Ground::new() else { return };
    for round in 0..6u8 {
        let path = ground.at("log");
        let before = fs::read(&path).unwrap_or_default();
        assert_eq!(before.len(), usize::from(round) * 5000, "round {round}");
        let mut file = File::options().append(true).create(true).open(&path).unwrap();
        for n in 0..5u8 {
            file.write_all(&[round * 5 + n; 1000]).unwrap();
            file.sync_all().unwrap();
        }
        // Never acknowledged.
        fs::write(ground.at(&format!("noise{round}")), vec![1; 100_000]).unwrap();
        drop(file);
        kill(&ground);
        ground.run("umount mnt").ok();
        ground.check();
        ground.mount("rw");
    }
    let log = fs::read(ground.at("log")).unwrap();
    assert!(log.len() == 30_000 && log.chunks(1000).zip(0..).all(|(bytes, n)| bytes.iter().all(|byte| *byte == n)));
}

#[test]
fn a_file_that_is_renamed_while_it_is_open_brings_its_bytes_along() {
    // One that is made is known to be open without access times, too; one that was there is not.
    for (options, there) in [("rw", false), ("rw", true), ("noatime", false), ("noatime", true)] {
        let Some(ground) = Ground::with(options) else { return };
        fs::write(ground.at("file"), vec![1; 300_000]).unwrap();
        if there {
            fs::write(ground.at("new"), vec![3; 100_000]).unwrap();
            ground.again(options);
        }
        File::open(ground.at("file")).unwrap().sync_all().unwrap();
        let mut new = File::create(ground.at("new")).unwrap();
        new.write_all(&vec![2; 400_000]).unwrap();
        fs::rename(ground.at("new"), ground.at("file")).unwrap();
        // Makes the names durable, and asks nothing of the file.
        File::open(ground.at("")).unwrap().sync_all().unwrap();
        kill(&ground);
        drop(new);
        ground.run("umount mnt").ok();
        ground.check();
        ground.mount("ro");
        assert!(fs::read(ground.at("file")).unwrap() == vec![2; 400_000], "{options}, {there}");
    }
}

#[test]
fn nobody_hangs_on_a_process_that_was_stopped() {
    let Some(ground) = Ground::new() else { return };
    let pid = ground.owner();
    kill_process(pid, Signal::STOP).unwrap();
    until("it is stopped", || state(pid) == Some('T'));
    let began = Instant::now();
    let listed = ground.run("mount").ok();
    let second = ground.run("mount v/home other");
    let away = ground.run("umount mnt");
    kill_process(pid, Signal::CONT).unwrap();
    assert!(listed.contains("which does not answer"), "{listed}");
    second.fails(5, "already mounted");
    away.fails(5, "which serves it, is stopped");
    assert!(began.elapsed() < Duration::from_secs(30));
    fs::write(ground.at("file"), "it goes on").unwrap();
}

#[test]
fn the_guard_ends_a_connection_whose_process_cannot() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), vec![1; 100_000]).unwrap();
    let here = ground.at("").display().to_string();
    let here = here.trim_end_matches('/');
    let info = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let device = info.lines().find(|line| line.contains(here)).unwrap().split(' ').nth(2).unwrap();
    let pid = ground.owner();
    kill_process(pid, Signal::STOP).unwrap();
    until("it is stopped", || state(pid) == Some('T'));
    // A process that is not its parent is one that is gone.
    let mut guard = ground.command();
    let mut guard = guard.args(["mount", "--guard", "1"]).stdin(Stdio::piped()).spawn().unwrap();
    guard.stdin.take().unwrap().write_all(format!("{device}\0{here}").as_bytes()).unwrap();
    let done = guard.wait().unwrap();
    if !is_root() && !done.success() {
        kill_process(pid, Signal::CONT).unwrap();
        return skipped("connections are not shown here");
    }
    assert!(done.success());
    assert_eq!(File::create(ground.at("new")).unwrap_err().raw_os_error(), Some(107), "the mount is still there");
    kill_process(pid, Signal::KILL).unwrap();
    until("it is gone", || !is_alive(pid));
    ground.run("umount mnt").ok();
    assert_eq!(fs::read_dir(ground.at("")).unwrap().count(), 0, "nothing was made in the folder below");
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
fn it_is_mounted_as_mount_8_asks_for() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    let helper = ground.beside("mount.anyfs-lvm");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_anyfs-lvm"), &helper).unwrap();
    let run = |words: &str| {
        let mut command = std::process::Command::new(&helper);
        command.args(words.split_whitespace()).current_dir(ground.beside("")).stdin(Stdio::null());
        command.env("ANYFS_LVM_SYSTEM_DIR", ground.beside("empty")).output().unwrap()
    };
    assert!(run("v/home mnt -f -o rw,pool=pool").status.success());
    assert!(!ground.is_mounted(), "-f is a trial");
    let output = run("v/home mnt -sn -t anyfs-lvm -o rw,noatime,nofail,_netdev,x-systemd.automount,pool=pool");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(ground.is_mounted());
    fs::write(ground.at("file"), "x").unwrap();
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
        assert_ne!(mounted.0, Some(0));
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
