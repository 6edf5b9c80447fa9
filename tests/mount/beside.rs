//! Commands beside a mount: they go through the process that serves it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command};

use super::support::{Ground, has, is_alive, may_change_user, names, until};

/// Bytes that differ from place to place.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at / 4096 + at) % 256).unwrap()).collect()
}

/// How many files there are, with those that have no name.
fn files(ground: &Ground) -> String {
    ground.run("df v/home").ok().split_whitespace().last().unwrap().to_owned()
}

/// A program on the mount that does what it is told and keeps its file open. Neither the test nor a shell may have it open:
/// what they start closes its copy of it, and that writes it out.
struct Writer {
    program: Child,
    said: BufReader<ChildStdout>,
}

impl Writer {
    /// One that writes to `name`; nothing where there is no such program.
    fn new(ground: &Ground, name: &str) -> Option<Self> {
        if !has("python3") {
            return None;
        }
        let script = format!(
            "import sys; f = open(\"{name}\", \"wb\", buffering=0)\nfor line in sys.stdin: exec(line); print(flush=True)"
        );
        let mut program = ground.start(&format!("exec python3 -c '{script}'"));
        let said = BufReader::new(program.stdout.take().unwrap());
        Some(Self { program, said })
    }

    /// Does a line of its language.
    fn does(&mut self, line: &str) {
        writeln!(self.program.stdin.as_ref().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        self.said.read_line(&mut answer).unwrap();
        assert_eq!(answer, "\n", "{line}");
    }

    /// Writes lines with these numbers.
    fn writes(&mut self, from: usize, to: usize) {
        self.does(&format!("[f.write(b\"%d\\n\" % number) for number in range({from}, {to})]"));
    }

    fn ends(mut self) {
        drop(self.program.stdin.take());
        assert!(self.program.wait().unwrap().success());
    }
}

/// Numbers from 10,000 on in lines of six bytes, as many as this.
fn lines(count: usize) -> Vec<u8> {
    (10_000..10_000 + count).flat_map(|number| format!("{number}\n").into_bytes()).collect()
}

#[test]
fn what_is_only_in_the_kernels_cache_is_read_beside_the_mount() {
    for options in ["rw", "noatime", "no_writeback_cache"] {
        let Some(ground) = Ground::with(options) else { return };
        let Some(mut writer) = Writer::new(&ground, "file") else { return };
        let mut written = 0;
        for count in [5_000, 5_001, 20_000] {
            writer.writes(10_000 + written, 10_000 + count);
            written = count;
            // It is open, and nobody has asked for it to be written out.
            let size = format!(" {} ", count * 6);
            assert!(ground.run("stat v/home:/file").ok().contains(&format!("Size:{size}")), "{options}");
            let listed = ground.run("ls -l v/home:/").ok();
            assert!(listed.contains(&size), "{options}: {listed}");
            ground.run("cp v/home:/file out").ok();
            assert!(fs::read(ground.beside("out")).unwrap() == lines(count), "{options}");
            let archive = ground.run("export v/home:/file").ok();
            assert!(archive.contains(std::str::from_utf8(&lines(count)).unwrap()), "{options}");
        }
        for (number, command) in [(30_000, "cat"), (30_001, "sha256sum")] {
            writer.writes(number, number + 1);
            let said = ground.run(&format!("{command} v/home:/file"));
            let whole = ground.shell(&format!("{command} file")).ok();
            assert_eq!(said.ok().split(' ').next(), whole.split(' ').next(), "{options}");
        }
        writer.ends();
        ground.umount();
        ground.check();
    }
}

#[test]
fn reading_commands_answer_beside_a_mount_as_without_it() {
    let Some(ground) = Ground::unmounted("64m") else { return };
    ground.mount("noatime");
    ground.shell("mkdir -p a/b; echo one > a/one; ln -s one a/link; ln a/one a/b/two; truncate -s 1m hole").ok();
    ground.shell("printf x > hole; printf '\\377' > a/odd; setfattr -n user.k -v v a/one 2> /dev/null || true").ok();
    let commands = [
        "ls -la v/home:/a",
        "ls v/home:/none",
        "ls v/none:/",
        "cat v/home:/a/one v/home:/a/link",
        "cat v/home:/a",
        "cat v/home:/a/one/x",
        "stat v/home:/a/link v/home:/hole",
        "find v/home:/ -type f",
        "tree v/home:/",
        "du v/home:/",
        "sha256sum v/home:/a/one",
        "getfattr -d v/home:/a/one",
        "getfattr -n user.none v/home:/a/one",
        "lvs -o lv_name,lv_size",
        "export v/home",
    ];
    let beside: Vec<_> = commands.iter().map(|line| ground.run(line)).collect();
    ground.umount();
    for (line, beside) in commands.iter().zip(beside) {
        let alone = ground.run(line);
        assert_eq!((beside.code, beside.out, beside.err), (alone.code, alone.out, alone.err), "{line}");
    }
}

#[test]
fn what_commands_change_beside_a_mount_is_seen_on_it_at_once() {
    let Some(ground) = Ground::new() else { return };
    ground.shell("mkdir dir; echo old > file; echo gone > dir/gone; echo x > moved; cat file moved > /dev/null").ok();
    fs::write(ground.beside("text"), bytes(3_000_000)).unwrap();
    // The kernel knows what is there and what is not.
    assert_eq!(names(&ground.at("")), ["dir", "file", "moved"]);
    assert_eq!(names(&ground.at("dir")), ["gone"]);
    for name in ["new", "dir/new", "made", "link", "copy"] {
        assert!(!ground.at(name).exists());
    }
    ground.run("cp text v/home:/new").ok();
    assert!(fs::read(ground.at("new")).unwrap() == bytes(3_000_000));
    ground.run("cp text v/home:/file").ok();
    assert!(fs::read(ground.at("file")).unwrap() == bytes(3_000_000));
    ground.run("mv v/home:/moved v/home:/dir/new").ok();
    assert_eq!(fs::read(ground.at("dir/new")).unwrap(), b"x\n");
    assert!(!ground.at("moved").exists());
    ground.run("rm v/home:/dir/gone").ok();
    assert_eq!(names(&ground.at("dir")), ["new"]);
    ground.run("mkdir v/home:/made").ok();
    ground.run("ln -s file v/home:/link").ok();
    ground.run("ln v/home:/file v/home:/copy").ok();
    assert_eq!(names(&ground.at("")), ["copy", "dir", "file", "link", "made", "new"]);
    assert_eq!(fs::read_link(ground.at("link")).unwrap().to_str(), Some("file"));
    assert_eq!(ground.at("file").metadata().unwrap().nlink(), 2);
    ground.run("chmod 640 v/home:/new").ok();
    ground.run("touch -d 2001-02-03T04:05:06Z v/home:/new").ok();
    let seen = ground.at("new").metadata().unwrap();
    assert_eq!((seen.mode() & 0o7777, seen.mtime()), (0o640, 981_173_106));
    ground.run("truncate -s 5 v/home:/new").ok();
    assert_eq!(fs::read(ground.at("new")).unwrap(), bytes(5));
    ground.run("rm -r v/home:/dir v/home:/made").ok();
    assert_eq!(names(&ground.at("")), ["copy", "file", "link", "new"]);
    // Of this name nobody has asked the kernel, only for the listing, which it has by now.
    assert_eq!(names(&ground.at("")).len(), 4);
    assert_eq!(names(&ground.at("")).len(), 4);
    ground.run("mkdir v/home:/a").ok();
    assert_eq!(names(&ground.at("")), ["a", "copy", "file", "link", "new"]);
    ground.again("rw");
    assert_eq!(fs::read(ground.at("new")).unwrap(), bytes(5));
}

#[test]
fn a_file_that_is_open_on_the_mount_outlives_its_removal_beside_it() {
    let Some(ground) = Ground::new() else { return };
    for (number, line) in
        ["rm v/home:/file", "mv v/home:/other v/home:/file", "cp text v/home:/file"].iter().enumerate()
    {
        fs::write(ground.at("file"), format!("kept {number}")).unwrap();
        fs::write(ground.at("other"), "other").unwrap();
        fs::write(ground.beside("text"), "other").unwrap();
        let mut open = File::options().read(true).write(true).open(ground.at("file")).unwrap();
        ground.run(line).ok();
        let mut seen = String::new();
        open.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, format!("kept {number}"), "{line}");
        open.write_all_at(b"KEPT", 0).unwrap();
        open.sync_all().unwrap();
        let now = fs::read_to_string(ground.at("file")).ok();
        assert_eq!(now.as_deref(), (number > 0).then_some("other"), "{line}");
    }
    ground.umount();
    ground.check();
}

#[test]
fn both_sides_change_files_and_nothing_is_lost() {
    let Some(ground) = Ground::new() else { return };
    let Some(mut writer) = Writer::new(&ground, "log") else { return };
    for round in 1..=20 {
        writer.writes(10_000 - 7 + round * 7, 10_000 + round * 7);
        // Beside bytes that the kernel has in its cache and has not written out; the last time in their place.
        fs::write(ground.beside("part"), vec![b'x'; round]).unwrap();
        ground.run(&format!("cp part v/home:/other{round}")).ok();
        ground.run("mv v/home:/log v/home:/moved").ok();
        ground.run("ln v/home:/moved v/home:/log").ok();
        ground.run("rm v/home:/moved").ok();
        ground.run("chmod 600 v/home:/log").ok();
        assert_eq!(fs::read(ground.at(&format!("other{round}"))).unwrap(), vec![b'x'; round]);
    }
    ground.run("truncate -s +6 v/home:/log").ok();
    let mut expected = lines(140);
    expected.extend_from_slice(&[0; 6]);
    assert!(fs::read(ground.at("log")).unwrap() == expected);
    writer.ends();
    ground.again("rw");
    assert!(fs::read(ground.at("log")).unwrap() == expected);
}

#[test]
fn archives_go_in_and_out_beside_a_mount() {
    let Some(ground) = Ground::new() else { return };
    ground.shell("mkdir -p tree/sub; for i in 1 2 3 4 5; do echo $i > tree/sub/$i; done; ls -R > /dev/null").ok();
    ground.run("export v/home:/tree tree.tar").ok();
    ground.run("mkdir v/home:/back").ok();
    ground.run("import v/home:/back tree.tar").ok();
    ground.shell("diff -r tree back").ok();
    ground.again("rw");
    ground.shell("diff -r tree back").ok();
}

#[test]
fn a_mounted_volume_that_is_extended_has_the_room_at_once() {
    let Some(ground) = Ground::unmounted("16m") else { return };
    ground.mount("rw");
    let fill = |name: &str| ground.shell(&format!("head -c 12000000 /dev/urandom > {name} && cat {name} | md5sum"));
    let size = || rustix::fs::statvfs(ground.at("")).unwrap().f_blocks;
    let before = size();
    let sum = fill("one").ok();
    assert_eq!(fill("none").code, 1, "it is full");
    ground.run("rm v/home:/none").ok();
    let said = ground.run("lvextend -L +16m v/home").ok();
    assert!(said.contains("successfully resized"), "{said}");
    assert!(size() > before + 3500, "{} {before}", size());
    let second = fill("two").ok();
    // On a PV that the volume has not had, from a group that has not had it; and under another name.
    ground.run("pvcreate --setphysicalvolumesize 64m pool/b.db").ok();
    ground.run("vgextend v pool/b.db").ok();
    ground.run("lvrename v/home v/renamed").ok();
    ground.run("lvextend -L +16m v/renamed pool/b.db").ok();
    let third = fill("three").ok();
    assert!(ground.run("ls v/renamed:/").ok().contains("three"));
    ground.umount();
    let said = ground.run("check --data v/renamed").ok();
    assert!(said.contains("clean"), "{said}");
    ground.run("mount v/renamed mnt").ok();
    for (name, sum) in [("one", sum), ("two", second), ("three", third)] {
        assert_eq!(ground.shell(&format!("cat {name} | md5sum")).ok(), sum);
    }
}

/// What another user hears who greets the owner behind a socket as a client does.
fn heard(socket: &Path, user: u32) -> String {
    let script = format!(
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('{}')\n\
         s.send(b'\\x0a\\0\\0\\0anyfslvm\\x02\\0'); print(len(s.recv(100)))",
        socket.display()
    );
    let mut command = Command::new("python3");
    let ran = command.args(["-c", &script]).uid(user).gid(user).current_dir("/").output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
}

#[test]
fn another_user_is_not_answered_whatever_the_folder_lets_in() {
    if !may_change_user() || !has("python3") {
        return;
    }
    let Some(ground) = Ground::unmounted("16m") else { return };
    let (folder, mode) = (ground.beside("run"), |mode| fs::Permissions::from_mode(mode));
    fs::create_dir(&folder).unwrap();
    let run =
        |line: &str| ground.command().args(line.split_whitespace()).env("XDG_RUNTIME_DIR", &folder).output().unwrap();
    assert!(run("mount v/home mnt").status.success());
    let sockets = folder.join("anyfs-lvm");
    let socket = sockets.join(&names(&sockets)[0]);
    assert!(run("ls v/home:/").status.success());
    assert_ne!(heard(&socket, 0), "0\n");
    assert!(heard(&socket, 4242).contains("PermissionError"));
    fs::set_permissions(&socket, mode(0o777)).unwrap();
    fs::set_permissions(&sockets, mode(0o777)).unwrap();
    // The end of the connection, before or after it has greeted.
    let other = heard(&socket, 4242);
    assert!(other == "0\n" || other.contains("ConnectionResetError") || other.contains("BrokenPipeError"), "{other}");
    // Nor is a folder trusted that others can change.
    let refused = run("ls v/home:/");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in use by process"), "{refused:?}");
    ground.umount();
    assert!(names(&sockets).is_empty());
}

#[test]
fn a_command_that_is_killed_leaves_nothing_behind() {
    let Some(ground) = Ground::new() else { return };
    let before = files(&ground);
    let mut put = ground.start_command("put v/home:/x");
    put.0.stdin.as_mut().unwrap().write_all(&bytes(1 << 20)).unwrap();
    until("the file is made", || files(&ground) != before);
    put.0.kill().unwrap();
    put.0.wait().unwrap();
    until("it is gone again", || files(&ground) == before);
    assert!(names(&ground.at("")).is_empty());
    ground.umount();
    ground.check();
}

#[test]
fn what_is_mounted_to_be_read_is_not_written_beside() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), "x").unwrap();
    ground.again("ro");
    assert_eq!(ground.run("cat v/home:/file").ok(), "x");
    let pid = ground.owner().as_raw_nonzero();
    let line = format!("v/home can only be read: process {pid} has it only to be read");
    ground.run("rm v/home:/file").fails(5, &line);
    assert_eq!(fs::read(ground.at("file")).unwrap(), b"x");
}

#[test]
fn an_unmount_waits_for_a_command_that_uses_the_volume_and_no_longer() {
    let Some(ground) = Ground::new() else { return };
    let (pid, before) = (ground.owner(), files(&ground));
    let mut put = ground.start_command("put v/home:/x");
    put.0.stdin.as_mut().unwrap().write_all(&bytes(1 << 20)).unwrap();
    until("the file is made", || files(&ground) != before);
    ground.umount();
    assert!(!is_alive(pid));
    // It learns that the volume is gone, and says so.
    drop(put.0.stdin.take());
    assert_eq!(put.0.wait().unwrap().code(), Some(5));
    ground.check();
    assert_eq!(ground.run("ls v/home:/").ok(), "");
}
