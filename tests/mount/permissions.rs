//! Whose a new file is, what its mode is, and the bits that go with changes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::support::{Ground, may_change_user};

/// A user, whose group has the same number.
const USER: u32 = 4242;
/// Another.
const OTHER: u32 = 4343;

fn mode(ground: &Ground, name: &str) -> u32 {
    fs::metadata(ground.at(name)).unwrap().permissions().mode() & 0o7777
}

fn ready() -> Option<Ground> {
    if !may_change_user() {
        return None;
    }
    let ground = Ground::with("allow_other")?;
    ground.shell("chmod 1777 .").ok();
    Some(ground)
}

#[test]
fn a_new_file_is_its_makers_with_the_mode_that_is_left_of_the_umask() {
    let Some(ground) = ready() else { return };
    ground.shell_as(USER, "umask 027; touch file; mkdir dir; mkfifo fifo; ln -s x link").ok();
    for (name, bits) in [("file", 0o640), ("dir", 0o750), ("fifo", 0o640), ("link", 0o777)] {
        let meta = fs::symlink_metadata(ground.at(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.permissions().mode() & 0o7777), (USER, USER, bits), "{name}");
    }
    ground.again("allow_other");
    assert_eq!((mode(&ground, "file"), mode(&ground, "dir")), (0o640, 0o750));
}

#[test]
fn a_directory_with_the_set_group_id_bit_hands_its_group_down() {
    let Some(ground) = ready() else { return };
    ground.shell(&format!("mkdir dir; chgrp {OTHER} dir; chmod 2777 dir")).ok();
    ground.shell_as(USER, "umask 022; touch dir/file; mkdir dir/sub").ok();
    let meta = |name: &str| fs::metadata(ground.at(name)).unwrap();
    assert_eq!((meta("dir/file").uid(), meta("dir/file").gid()), (USER, OTHER));
    assert_eq!((meta("dir/sub").gid(), mode(&ground, "dir/sub")), (OTHER, 0o2755));
    assert_eq!(mode(&ground, "dir/file"), 0o644);
}

#[test]
fn in_a_sticky_directory_only_owners_remove() {
    let Some(ground) = ready() else { return };
    ground.shell_as(USER, "touch mine; mkdir dir; chmod 777 mine").ok();
    ground.shell_as(OTHER, "rm -f mine").fails(1, "Operation not permitted");
    ground.shell_as(OTHER, "mv mine yours").fails(1, "Operation not permitted");
    ground.shell_as(OTHER, "rmdir dir").fails(1, "Operation not permitted");
    ground.shell_as(USER, "mv mine still && rm still && rmdir dir").ok();
}

#[test]
fn who_writes_to_a_program_of_others_takes_its_special_bits_off() {
    for options in ["allow_other", "allow_other,no_writeback_cache", "allow_other,noatime"] {
        if !may_change_user() {
            return;
        }
        let Some(ground) = Ground::with(options) else { return };
        let after = |bits: u32, user: u32, line: &str| {
            ground.shell(&format!("rm -f p; printf 0123456789 > p; chown {OTHER}:{OTHER} p; chmod {bits:o} p")).ok();
            ground.shell_as(user, line).ok();
            mode(&ground, "p")
        };
        assert_eq!(after(0o6777, USER, "printf x >> p"), 0o777, "{options}: append");
        assert_eq!(after(0o6777, USER, "printf x 1<> p"), 0o777, "{options}: overwrite");
        assert_eq!(after(0o6777, USER, "truncate -s 5 p"), 0o777, "{options}: cut");
        assert_eq!(after(0o6777, USER, ": > p"), 0o777, "{options}: empty");
        // Without the group's right to execute it is no program of the group's: the bit means something else.
        assert_eq!(after(0o6767, USER, "printf x >> p"), 0o2767, "{options}");
        assert_eq!(after(0o6777, 0, "printf x >> p"), 0o6777, "{options}: root may");
        assert_eq!(after(0o6777, 0, "truncate -s 5 p"), 0o6777, "{options}: root may");
        assert_eq!(after(0o6777, 0, &format!("chown {USER} p")), 0o777, "{options}: a new owner");
        assert_eq!(after(0o6777, OTHER, "chmod 6755 p"), 0o6755, "{options}");
        assert_eq!(after(0o755, OTHER, "printf x >> p; chmod 4755 p"), 0o4755, "{options}");
    }
}

#[test]
fn a_mode_that_is_set_between_write_and_close_stays() {
    let Some(ground) = Ground::new() else { return };
    for n in 0..20 {
        let path = ground.at(&format!("p{n}"));
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&vec![1; 100_000]).unwrap();
        file.set_permissions(fs::Permissions::from_mode(0o4755)).unwrap();
        drop(file);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o4755);
    }
    ground.again("rw");
    assert!((0..20).all(|n| mode(&ground, &format!("p{n}")) == 0o4755));
}

#[test]
fn capabilities_of_a_program_go_when_it_is_written_to() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let Some(ground) = ready() else { return };
    let path = ground.at("p");
    let value = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let give = || {
        fs::write(&path, "program").unwrap();
        setxattr(&path, "security.capability", &value, XattrFlags::empty()).unwrap();
        assert_eq!(getxattr(&path, "security.capability", &mut [0u8; 64]), Ok(20));
    };
    let has = || getxattr(&path, "security.capability", &mut [0u8; 64]).is_ok();
    give();
    ground.shell("chmod 777 p").ok();
    assert!(has());
    ground.shell_as(USER, "printf x >> p").ok();
    assert!(!has(), "written to");
    give();
    ground.shell(&format!("chown {USER} p")).ok();
    assert!(!has(), "given away");
}

#[test]
fn others_stay_out_unless_they_are_let_in() {
    if !may_change_user() {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    ground.shell("chmod 777 .; echo x > file").ok();
    assert_ne!(ground.shell_as(USER, "cat file").code, 0);
    ground.again("allow_other");
    assert_eq!(ground.shell_as(USER, "cat file").ok(), "x\n");
}

#[test]
fn programs_run_with_the_bits_that_the_options_allow() {
    if !may_change_user() {
        return;
    }
    let Some(ground) = Ground::with("allow_other") else { return };
    ground.shell("chmod 755 .; cp \"$(command -v id)\" id; chmod 4755 id").ok();
    assert_eq!(ground.shell_as(USER, "./id -u").ok(), format!("{USER}\n"), "set-id bits mean nothing");
    ground.again("allow_other,suid");
    assert_eq!(ground.shell_as(USER, "./id -u").ok(), "0\n");
    ground.again("allow_other,noexec");
    ground.shell_as(USER, "./id -u").fails(126, "Permission denied");
}
