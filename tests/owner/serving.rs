//! What others can do with a volume that is open, and what not.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use anyfs_lvm::lv::{Ino, LvError, NewNode, Rename, Seek, SetAttr, SetXattr};
use anyfs_lvm::owner::{Client, OwnerError, Reach};

use super::support::{Ground, run};

/// Through the socket, though the process is the same.
fn through(ground: &Ground) -> Reach {
    let reach = ground.pool.reach("home").unwrap();
    assert!(matches!(reach, Reach::Through(_)));
    reach
}

#[test]
fn the_socket_is_this_users_alone_and_goes_with_the_server() {
    let ground = Ground::new();
    let path = ground.server.path().to_owned();
    let found = path.symlink_metadata().unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o777, 0o600);
    assert_eq!(path.parent().unwrap().symlink_metadata().unwrap().mode() & 0o777, 0o700);
    let again = ground.pool.serve("home", &ground.volume).unwrap_err();
    assert!(matches!(again, anyfs_lvm::Error::Owner(OwnerError::AlreadyServed { .. })), "{again}");
    drop(ground.server);
    assert!(!path.exists());
}

#[test]
fn every_operation_does_through_the_owner_what_it_does_there() {
    let ground = Ground::new();
    let (own, other) = (&ground.volume, through(&ground));
    let dir = other.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o750)).unwrap();
    assert_eq!(own.lookup(Ino::ROOT, b"dir").unwrap(), dir);
    let file = other.create(dir.ino, b"file", &NewNode::file(0o640)).unwrap().ino;
    // More than one message, and not a whole number of them.
    let data: Vec<u8> = (0..3_000_001u32).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
    other.write(file, 7, &data).unwrap();
    let mut back = vec![1; data.len() + 100];
    assert_eq!(other.read(file, 0, &mut back).unwrap(), data.len() + 7);
    assert!(
        back[..7] == [0; 7] && back[7..data.len() + 7] == data && own.read_all(file).unwrap() == back[..data.len() + 7]
    );
    assert_eq!(other.read(file, 1 << 40, &mut back).unwrap(), 0);
    other.setxattr(file, b"user.a", b"value", SetXattr::Create).unwrap();
    assert_eq!(
        (other.getxattr(file, b"user.a").unwrap(), other.listxattr(file).unwrap()),
        (b"value".to_vec(), vec![b"user.a".to_vec()])
    );
    other.removexattr(file, b"user.a").unwrap();
    assert!(own.listxattr(file).unwrap().is_empty());
    let link = other.symlink(dir.ino, b"link", b"file", &NewNode::file(0o777)).unwrap().ino;
    assert_eq!(other.readlink(link).unwrap(), b"file");
    assert_eq!(other.link(file, dir.ino, b"second").unwrap().nlink, 2);
    let listed = other.readdir_plus(dir.ino, 0, 10_000).unwrap();
    assert_eq!(listed, own.readdir_plus(dir.ino, 0, 10_000).unwrap());
    assert_eq!(other.readdir(dir.ino, 0, 2).unwrap(), own.readdir(dir.ino, 0, 2).unwrap());
    let hole = SetAttr { size: Some(1 << 30), ..SetAttr::default() };
    assert_eq!(other.setattr(file, &hole).unwrap(), own.getattr(file).unwrap());
    assert_eq!(other.seek(file, 0, Seek::Hole).unwrap(), own.seek(file, 0, Seek::Hole).unwrap());
    assert!(matches!(other.seek(file, 1 << 29, Seek::Data), Err(LvError::NoData { .. })));
    other.rename((dir.ino, b"second"), (Ino::ROOT, b"moved"), Rename::Keep).unwrap();
    assert_eq!(other.resolve(b"/dir/link", true).unwrap(), own.lookup(Ino::ROOT, b"moved").unwrap());
    assert_eq!(other.resolve_parent(b"/dir/none").unwrap(), own.resolve_parent(b"/dir/none").unwrap());
    other.unlink(Ino::ROOT, b"moved").unwrap();
    assert!(matches!(other.rmdir(Ino::ROOT, b"dir"), Err(LvError::NotEmpty { .. })));
    assert_eq!(other.getattr(file).unwrap(), own.getattr(file).unwrap());
    other.fsync(file).unwrap();
    other.sync().unwrap();
    assert_eq!(own.usage().unwrap().dirty_bytes, 0);
    assert_eq!(other.statfs().unwrap().files, own.statfs().unwrap().files);
    let Reach::Through(client) = other else { panic!("it is not its own") };
    let (usage, space) = client.counts().unwrap();
    assert_eq!((usage.dirty_bytes, space.files), (0, own.statfs().unwrap().files));
}

#[test]
fn errors_are_those_of_the_volume() {
    let ground = Ground::new();
    let (own, other) = (&ground.volume, through(&ground));
    let file = own.create(Ino::ROOT, b"file", &NewNode::file(0o644)).unwrap().ino;
    let long = vec![b'x'; 300];
    let pairs = [
        (own.lookup(Ino::ROOT, b"none").unwrap_err(), other.lookup(Ino::ROOT, b"none").unwrap_err()),
        (own.lookup(Ino::ROOT, &long).unwrap_err(), other.lookup(Ino::ROOT, &long).unwrap_err()),
        (own.unlink(Ino::ROOT, b"none").unwrap_err(), other.unlink(Ino::ROOT, b"none").unwrap_err()),
        (own.rmdir(Ino::ROOT, b"file").unwrap_err(), other.rmdir(Ino::ROOT, b"file").unwrap_err()),
        (own.resolve(b"", true).unwrap_err(), other.resolve(b"", true).unwrap_err()),
        (own.resolve(b"a\0", true).unwrap_err(), other.resolve(b"a\0", true).unwrap_err()),
        (own.getattr(Ino(u64::MAX)).unwrap_err(), other.getattr(Ino(u64::MAX)).unwrap_err()),
        (own.write(file, u64::MAX, b"x").unwrap_err(), other.write(file, u64::MAX, b"x").unwrap_err()),
        (own.readlink(file).unwrap_err(), other.readlink(file).unwrap_err()),
        (own.removexattr(file, b"user.no").unwrap_err(), other.removexattr(file, b"user.no").unwrap_err()),
    ];
    for (here, there) in pairs {
        assert_eq!((here.to_string(), here.errno(), here.hint()), (there.to_string(), there.errno(), there.hint()));
    }
}

#[test]
fn who_goes_lets_go_and_nobody_lets_go_for_others() {
    let ground = Ground::new();
    let (one, two) = (through(&ground), through(&ground));
    let before = ground.volume.statfs().unwrap().files;
    let made = one.create_nameless(Ino::ROOT, &NewNode::file(0o600)).unwrap().ino;
    one.write(made, 0, b"x").unwrap();
    assert!(matches!(two.release(made), Err(LvError::NoInode { .. })), "it is not its own");
    assert_eq!(two.getattr(made).unwrap().size, 1);
    let named = two.create_nameless(Ino::ROOT, &NewNode::file(0o600)).unwrap().ino;
    two.give_name(named, Ino::ROOT, b"named").unwrap();
    drop((one, two));
    while ground.volume.statfs().unwrap().files != before + 1 {
        std::thread::yield_now();
    }
    assert!(ground.volume.getattr(made).is_err());
    assert_eq!(ground.volume.lookup(Ino::ROOT, b"named").unwrap().ino, named);
}

#[test]
fn commands_go_through_a_program_that_serves_and_are_refused_by_one_that_does_not() {
    let ground = Ground::new();
    std::fs::write(ground.temp.path().join("text"), "from outside").unwrap();
    let done = |out: &str| (Some(0), out.to_owned(), String::new());
    assert_eq!(ground.run("cp text pool/home:/text"), done(""));
    let ino = ground.volume.lookup(Ino::ROOT, b"text").unwrap().ino;
    assert_eq!(ground.volume.read_all(ino).unwrap(), b"from outside");
    ground.volume.replace(ino, b"from inside").unwrap();
    assert_eq!(ground.run("cat pool/home:/text"), done("from inside"));
    let Ground { temp, volume, server, .. } = ground;
    drop(server);
    let (code, out, said) = run(temp.path(), "cat pool/home:/text");
    let owner = format!("  pool/home: the logical volume is in use by process {}\n", std::process::id());
    assert!((code, out.as_str()) == (Some(5), "") && said.starts_with(&owner), "{said}");
    volume.close().unwrap();
    assert_eq!(run(temp.path(), "cat pool/home:/text"), done("from inside"));
}

#[test]
fn a_copy_of_a_pool_is_not_mistaken_for_the_pool() {
    let ground = Ground::new();
    ground.volume.create(Ino::ROOT, b"pool", &NewNode::file(0o644)).unwrap();
    ground.volume.sync().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let copied =
        std::process::Command::new("cp").arg("-a").arg(ground.temp.path().join("pool")).arg(copy.path()).status();
    assert!(copied.unwrap().success());
    // Nobody has the copy: it is opened itself, and so is the pool's owner not asked.
    let (code, _, said) = run(copy.path(), "mkdir pool/home:/copy");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(ground.volume.lookup(Ino::ROOT, b"copy").is_err());
    // Another number than that of the process behind a socket finds nothing.
    assert!(Client::find(ground.volume.family(), 1).unwrap().is_none());
}

#[test]
fn what_is_under_way_is_answered_when_the_server_goes_and_then_nothing_is() {
    let ground = Ground::new();
    let other = through(&ground);
    let Ground { temp: _temp, pool: _pool, volume, server } = ground;
    let file = other.create(Ino::ROOT, b"file", &NewNode::file(0o644)).unwrap().ino;
    let writing = std::thread::spawn(move || {
        let mut written = 0u64;
        loop {
            match other.write(file, written, &[7; 1000]) {
                Ok(()) => written += 1000,
                Err(error) => return (written, error, other),
            }
        }
    });
    while volume.getattr(file).unwrap().size < 100_000 {
        std::thread::yield_now();
    }
    drop(server);
    let (written, error, other) = writing.join().unwrap();
    assert!(volume.getattr(file).unwrap().size >= written, "what was acknowledged is there");
    let line = format!("process {}, which had the volume, has ended the connection", std::process::id());
    assert_eq!((error.to_string(), error.errno()), (line.clone(), 5));
    assert_eq!(other.getattr(file).unwrap_err().to_string(), line);
    volume.close().unwrap();
}

#[test]
fn no_more_clients_are_served_than_there_may_be_and_the_others_go_on() {
    let ground = Ground::new();
    let all: Vec<Reach> = (0..64).map(|_| through(&ground)).collect();
    let refused = ground.pool.reach("home").unwrap_err();
    assert!(matches!(refused, anyfs_lvm::Error::Owner(OwnerError::Busy { .. })), "{refused}");
    for one in &all {
        one.getattr(Ino::ROOT).unwrap();
    }
    drop(all);
    while ground.pool.reach("home").is_err() {
        std::thread::yield_now();
    }
}

#[test]
fn a_volume_that_is_extended_beside_its_owner_is_larger_there_if_it_is_told() {
    let ground = Ground::new();
    let before = ground.volume.statfs().unwrap().total;
    let (code, _, said) = ground.run("lvextend -L +64m pool/home");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let between = ground.volume.statfs().unwrap().total;
    assert!(between > before + (55 << 20), "{before} {between}");
    let Ground { temp, pool, volume, server } = ground;
    drop(server);
    let (code, _, said) = run(temp.path(), "lvextend -L +64m pool/home");
    let line = format!(
        "  WARNING: pool/home is in use by process {}, which sees the room when it opens the volume again: \
         it takes no requests\n",
        std::process::id()
    );
    assert_eq!((code, said), (Some(0), line));
    assert_eq!(volume.statfs().unwrap().total, between);
    anyfs_lvm::grow(&volume).unwrap();
    let after = volume.statfs().unwrap().total;
    assert!(after > between + (55 << 20), "{between} {after}");
    pool.grow_volume("home", 64 << 20).unwrap();
    anyfs_lvm::grow(&volume).unwrap();
    assert!(volume.statfs().unwrap().total > after);
}

#[test]
fn what_an_owner_holds_is_watched() {
    let ground = Ground::new();
    let file = ground.volume.create(Ino::ROOT, b"file", &NewNode::file(0o644)).unwrap().ino;
    ground.volume.write(file, 0, &vec![7; 300_000]).unwrap();
    let (code, out, said) = ground.run("top --json -n 1 pool/home");
    assert_eq!((code, said.as_str(), out.lines().count()), (Some(0), "", 1));
    let space = ground.volume.statfs().unwrap();
    let pid = std::process::id();
    for part in [
        r#""lv":"pool/home""#.to_owned(),
        format!(r#""pid":{pid}"#),
        r#""mounted":null"#.to_owned(),
        format!(r#""files":{}"#, space.files),
        format!(r#""total_bytes":{}"#, space.total),
        r#""dirty_bytes":"#.to_owned(),
        r#""log_bytes":"#.to_owned(),
        r#""bytes":300000"#.to_owned(),
    ] {
        assert!(out.contains(&part), "{part}: {out}");
    }
    // All that are in use, more than once, for people.
    let (code, out, said) = ground.run("top -n 2");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let lines: Vec<&str> = out.lines().collect();
    let heads: Vec<usize> = (0..lines.len()).filter(|at| lines[*at] == format!("  pool/home: process {pid}")).collect();
    assert!(heads.len() == 2 && lines[heads[0] + 1].starts_with("    Operation "), "{out}");
    let Ground { temp, volume, server, .. } = ground;
    drop(server);
    let line = format!("  pool/home is in use by process {pid}, which takes no requests\n");
    assert_eq!(run(temp.path(), "top -n 1 pool/home"), (Some(5), String::new(), line));
    volume.close().unwrap();
    let (code, out, said) = run(temp.path(), "top -n 1 pool/home");
    assert_eq!((code, out.as_str(), said.as_str()), (Some(5), "", "  pool/home is not in use.\n"));
    assert_eq!(run(temp.path(), "top -n 1"), (Some(0), String::new(), String::new()));
}

#[test]
fn a_watch_ends_with_what_it_watches() {
    let ground = Ground::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_anyfs-lvm"));
    command.args(["top", "--json", "--pool", "pool", "pool/home"]).current_dir(ground.temp.path());
    let mut top = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = [0];
    std::io::Read::read_exact(top.stdout.as_mut().unwrap(), &mut first).unwrap();
    drop(ground.server);
    let ended = top.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let pid = std::process::id();
    let line = format!("  pool/home: process {pid}, which had the volume, has ended the connection\n");
    assert_eq!((ended.status.code(), said), (Some(5), line));
}
