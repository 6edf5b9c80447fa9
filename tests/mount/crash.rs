//! The process that serves a mount is killed, or stopped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};

use super::support::{Ground, Started, has, is_alive, is_root, skipped, state, until};

/// `O_DSYNC`; that of [`OFlags`] is `O_SYNC`.
const DSYNC: i32 = 0o10000;

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

/// The kernel then writes past its cache, and leaves it to the mount to make durable what has to be.
#[test]
fn what_has_to_be_durable_at_once_is_also_when_the_volume_is_nearly_full() {
    let sync = OFlags::SYNC.bits().cast_signed();
    for (options, flags) in [("rw", DSYNC), ("rw", sync), ("sync", 0), ("no_writeback_cache", DSYNC)] {
        let Some(ground) = Ground::with(options) else { return };
        let mut big = File::create(ground.at("big")).unwrap();
        let space = || rustix::fs::statvfs(ground.at("")).unwrap();
        while space().f_bavail * 4 >= space().f_blocks {
            big.write_all(&vec![1; 1 << 20]).unwrap();
            big.sync_all().unwrap();
        }
        let mut log = File::options().append(true).create(true).custom_flags(flags).open(ground.at("log")).unwrap();
        for n in 0..3 {
            log.write_all(&[n; 1000]).unwrap();
        }
        kill(&ground);
        drop((big, log));
        ground.run("umount mnt").ok();
        ground.check();
        ground.mount("ro");
        let kept = fs::read(ground.at("log")).unwrap_or_default();
        assert_eq!(kept, [[0; 1000], [1; 1000], [2; 1000]].concat(), "{options}, {flags:o}");
    }
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

/// Holds the threads of a process that have such a name, or all but its first, until a line comes or the end.
const HOLD: &str = "
import ctypes, os, select, sys
libc, pid, name = ctypes.CDLL(None, use_errno=True), int(sys.argv[1]), sys.argv[2]
for thread in sorted(int(name) for name in os.listdir(f'/proc/{pid}/task')):
    if thread != pid and open(f'/proc/{pid}/task/{thread}/comm').read().startswith(name):
        if libc.ptrace(16, thread, None, None): sys.exit(os.strerror(ctypes.get_errno()))
        os.waitpid(thread, 0x40000000)
print('held', flush=True)
while not select.select([sys.stdin], [], [], 0.05)[0]:
    # A thread that was killed meanwhile is gone when this has seen it.
    try: os.waitpid(-1, 0x40000000 | os.WNOHANG)
    except ChildProcessError: pass
";

/// Such threads of the process that serves a mount do nothing until this is dropped; nothing where that cannot be.
fn hold(pid: Pid, name: &str) -> Option<Started> {
    if !has("python3") {
        return None;
    }
    let mut command = std::process::Command::new("python3");
    command.args(["-c", HOLD, &pid.as_raw_nonzero().to_string(), name]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut held = Started(command.spawn().unwrap());
    let told = held.0.stdout.as_mut().unwrap().read_exact(&mut [0; 5]);
    if told.is_err() {
        skipped("no thread can be held");
    }
    told.ok().map(|()| held)
}

#[test]
fn whoever_unmounts_it_ends_although_its_process_is_stopped_meanwhile() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), "kept").unwrap();
    let pid = ground.owner();
    let Some(held) = hold(pid, "") else { return };
    let mut command = ground.command();
    let away = command.args(["umount", "mnt"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut away = Started(away.unwrap());
    until("the kernel takes it away", || !ground.is_mounted());
    kill_process(pid, Signal::STOP).unwrap();
    let began = Instant::now();
    let done = away.0.wait().unwrap();
    let took = began.elapsed();
    drop(held);
    kill_process(pid, Signal::CONT).unwrap();
    let mut said = String::new();
    away.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let (number, dir) = (pid.as_raw_nonzero(), ground.beside("mnt"));
    let wanted = format!(
        "  WARNING: process {number}, which served {}, is stopped and still has the volume.\n  \
        hint: let it go on: kill -CONT {number}\n",
        dir.display()
    );
    assert!(done.success() && said == wanted && took < Duration::from_secs(30), "{said} {took:?}");
    until("the process ends", || !is_alive(pid));
    ground.check();
    assert_eq!(ground.run("cat v/home:/file").ok(), "kept");
}

/// It has what is in the kernel's cache written out, which nobody takes.
#[test]
fn a_mount_disappears_and_ends_at_a_signal_also_when_none_of_its_threads_answers() {
    let Some(ground) = Ground::new() else { return };
    let mut file = File::create(ground.at("file")).unwrap();
    file.write_all(&vec![1; 1 << 20]).unwrap();
    let pid = ground.owner();
    let number = pid.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap();
    let Some(held) = hold(pid, "fuser") else { return };
    // Nobody else is to end its connection.
    for child in children.split_whitespace() {
        kill_process(Pid::from_raw(child.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    }
    kill_process(pid, Signal::TERM).unwrap();
    until("it disappears", || !ground.is_mounted());
    std::thread::sleep(Duration::from_millis(500));
    kill_process(pid, Signal::TERM).unwrap();
    let began = Instant::now();
    while is_alive(pid) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = !is_alive(pid);
    drop(held);
    until("it is gone", || !is_alive(pid));
    assert!(ended, "it waits for itself");
    drop(file);
    ground.check();
}

#[test]
fn the_guard_ends_a_connection_whose_process_cannot() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), vec![1; 100_000]).unwrap();
    let here = ground.beside("mnt").display().to_string();
    let info = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let device = info.lines().find(|line| line.contains(&here)).unwrap().split(' ').nth(2).unwrap();
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
