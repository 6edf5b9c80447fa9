//! Which times each call changes and which it must not: inode(7), and the section on them in each call's page.
//!
//! `stamped` answers with letters: `m` for the time of the last change of contents, `c` for that of the attributes,
//! `a` for the last access, `b` for the birth.

use anyfs_lvm_lv::{Attr, Ino, LockKind, LvError, NewNode, Rename, Seek, SetAttr, SetXattr};

use super::ground::{Ground, ROOT};

/// Runs a call and says which times of these inodes it changed; they must all be one moment, later than any before.
fn stamped<T, const N: usize>(
    ground: &Ground,
    inos: [Ino; N],
    call: impl FnOnce(&Ground) -> Result<T, LvError>,
) -> [String; N] {
    let before = inos.map(|ino| ground.attr(ino));
    call(ground).unwrap();
    let mut moments = Vec::new();
    let letters = std::array::from_fn(|at| {
        let after = ground.attr(inos[at]);
        let times = |attr: &Attr| [attr.atime, attr.mtime, attr.ctime, attr.btime];
        let latest = before.iter().flat_map(times).max();
        let pairs = times(&before[at]).into_iter().zip(times(&after)).zip(['a', 'm', 'c', 'b']);
        let changed = pairs.filter(|((old, new), _)| old != new);
        changed
            .map(|((_, new), letter)| {
                assert!(Some(new) > latest, "a time that changes moves on");
                moments.push(new);
                letter
            })
            .collect()
    });
    moments.dedup();
    assert!(moments.len() <= 1, "one call has one moment: {moments:?}");
    letters
}

fn set(set: SetAttr) -> impl FnOnce(&Ground, Ino) -> Result<Attr, LvError> {
    move |ground, ino| ground.setattr(ino, &set)
}

#[test]
fn a_new_inode_is_born_at_one_moment_that_is_the_change_of_its_directory_too() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let check = |made: Attr| {
        let above = ground.attr(dir);
        assert_eq!([made.atime, made.mtime, made.ctime, made.btime], [made.btime; 4]);
        assert_eq!((above.mtime, above.ctime), (made.btime, made.btime));
        assert!(above.atime < made.btime && above.btime < made.btime);
    };
    check(ground.create(dir, b"file", &NewNode::file(0o600)).unwrap());
    check(ground.mkdir(dir, b"dir", &NewNode::directory(0o700)).unwrap());
    check(ground.symlink(dir, b"link", b"target", &NewNode::file(0o777)).unwrap());
}

#[test]
fn only_the_directory_that_gets_a_name_changes_not_the_one_above_it() {
    let ground = Ground::new();
    let outer = ground.dir(ROOT, b"outer");
    let inner = ground.dir(outer, b"inner");
    let changed = stamped(&ground, [ROOT, outer, inner], |g| g.create(inner, b"f", &NewNode::file(0o600)));
    assert_eq!(changed, ["", "", "mc"]);
}

#[test]
fn looking_changes_no_time() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let file = ground.file(dir, b"file");
    ground.write(file, 0, b"bytes").unwrap();
    ground.setxattr(file, b"user.a", b"1", SetXattr::Any).unwrap();
    let link = ground.symlink(dir, b"link", b"file", &NewNode::file(0o777)).unwrap().ino;
    let owner = ground.lock_owner();
    let changed = stamped(&ground, [dir, file, link], |g| {
        g.lookup(dir, b"file")?;
        g.resolve(b"/dir/link", true)?;
        g.read(file, 0, &mut [0; 9])?;
        g.read_all(file)?;
        g.readlink(link)?;
        g.readdir(dir, 0, 9)?;
        g.readdir_plus(dir, 0, 9)?;
        g.getxattr(file, b"user.a")?;
        g.listxattr(file)?;
        g.seek(file, 0, Seek::Data)?;
        g.open(file)?;
        g.release(file)?;
        g.lock(file, owner, 0..1, LockKind::Exclusive)?;
        g.unlock(file, owner, 0..1)?;
        g.fsync(file)?;
        g.fsync(dir)?;
        g.sync()
    });
    assert_eq!(changed, ["", "", ""]);
}

#[test]
fn writing_changes_the_contents_time_and_the_attributes_time_of_the_file_alone() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let (file, other) = (ground.file(dir, b"file"), ground.file(dir, b"other"));
    ground.write(other, 0, &[1; 9000]).unwrap();
    let inos = [dir, file, other];
    assert_eq!(stamped(&ground, inos, |g| g.write(file, 0, &[2; 9000])), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.append(file, b"more")), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.truncate(file, 10)), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.truncate(file, 9000)), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.punch(file, 0, 5)), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.zero(file, 0, 9, true)), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.allocate(file, 0, 9500, false)), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.copy_range((other, 0), (file, 0), 100)), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.replace(file, b"new")), ["", "mc", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.copy_file(other, file)), ["", "mc", ""]);
}

#[test]
fn what_changes_no_byte_changes_no_time() {
    let ground = Ground::new();
    let file = ground.filled(b"file", &[1; 100]);
    let other = ground.filled(b"other", &[2; 100]);
    ground.chmod(file, 0o6755);
    let inos = [ROOT, file, other];
    assert_eq!(stamped(&ground, inos, |g| g.write(file, 50, b"")), ["", "", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.write(file, 5000, b"")), ["", "", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.append(file, b"")), ["", "", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.copy_range((other, 0), (file, 0), 0)), ["", "", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.copy_range((other, 100), (file, 500), 9)), ["", "", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.punch(file, 100, 200)), ["", "", ""], "there is nothing behind the end");
    assert_eq!(stamped(&ground, inos, |g| g.punch(file, 7, 7)), ["", "", ""]);
    assert_eq!(stamped(&ground, inos, |g| g.zero(file, 100, 50, true)), ["", "", ""]);
    assert_eq!((ground.attr(file).size, ground.attr(file).mode), (100, 0o6755));
}

#[test]
fn new_attributes_change_the_attributes_time_alone() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"bytes");
    let inos = [ROOT, file];
    let none = SetAttr::default();
    for change in [
        SetAttr { mode: Some(0o600), ..none },
        SetAttr { mode: Some(0o600), ..none },
        SetAttr { uid: Some(7), ..none },
        SetAttr { gid: Some(8), ..none },
    ] {
        assert_eq!(stamped(&ground, inos, |g| set(change)(g, file)), ["", "c"], "{change:?}");
    }
    let xattr = |how| move |g: &Ground| g.setxattr(file, b"user.a", b"same", how);
    assert_eq!(stamped(&ground, inos, xattr(SetXattr::Create)), ["", "c"]);
    assert_eq!(stamped(&ground, inos, xattr(SetXattr::Replace)), ["", "c"], "also the value it had");
    assert_eq!(stamped(&ground, inos, |g| g.removexattr(file, b"user.a")), ["", "c"]);
}

#[test]
fn a_time_that_is_set_stays_as_given_and_the_attributes_time_tells_of_it() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"bytes");
    let born = ground.attr(file);
    let (atime, mtime) = (Some(-5), Some(5));
    let once = ground.setattr(file, &SetAttr { mtime, ..SetAttr::default() }).unwrap();
    assert_eq!((once.atime, once.mtime, once.btime), (born.atime, 5, born.btime));
    assert!(once.ctime > born.ctime);
    let twice = ground.setattr(file, &SetAttr { atime, ..SetAttr::default() }).unwrap();
    assert_eq!((twice.atime, twice.mtime), (-5, 5));
    assert!(twice.ctime > once.ctime);
    // Together with a size, the time that is given wins over the one of the cut.
    let cut = ground.setattr(file, &SetAttr { size: Some(1), mtime, ..SetAttr::default() }).unwrap();
    assert_eq!((cut.size, cut.mtime), (1, 5));
    // A chmod does not touch what was set; a write does.
    ground.chmod(file, 0o600);
    assert_eq!((ground.attr(file).atime, ground.attr(file).mtime), (-5, 5));
    ground.write(file, 0, b"x").unwrap();
    assert!(ground.attr(file).mtime > cut.ctime);
    assert_eq!(ground.attr(file).atime, -5);
}

#[test]
fn one_more_name_changes_the_inode_and_the_directory_of_the_name() {
    let ground = Ground::new();
    let (from, to) = (ground.dir(ROOT, b"from"), ground.dir(ROOT, b"to"));
    let file = ground.file(from, b"file");
    let inos = [ROOT, from, to, file];
    assert_eq!(stamped(&ground, inos, |g| g.link(file, to, b"second")), ["", "", "mc", "c"]);
    // The other name is gone, the inode still knows that it has one fewer.
    assert_eq!(stamped(&ground, inos, |g| g.unlink(from, b"file")), ["", "mc", "", "c"]);
}

#[test]
fn an_open_inode_without_names_has_the_time_of_its_last_unlink() {
    let ground = Ground::new();
    let (file, dir) = (ground.filled(b"file", b"bytes"), ground.dir(ROOT, b"dir"));
    ground.open(file).unwrap();
    ground.open(dir).unwrap();
    assert_eq!(stamped(&ground, [ROOT, file, dir], |g| g.unlink(ROOT, b"file")), ["mc", "c", ""]);
    assert_eq!(stamped(&ground, [ROOT, file], |g| g.rmdir(ROOT, b"dir")), ["mc", ""]);
    assert_eq!(ground.attr(dir).ctime, ground.attr(ROOT).ctime);
}

#[test]
fn making_and_removing_a_directory_changes_the_one_above_it() {
    let ground = Ground::new();
    let outer = ground.dir(ROOT, b"outer");
    let inos = [ROOT, outer];
    assert_eq!(stamped(&ground, inos, |g| g.mkdir(outer, b"d", &NewNode::directory(0o700))), ["", "mc"]);
    assert_eq!(stamped(&ground, inos, |g| g.rmdir(outer, b"d")), ["", "mc"]);
}

#[test]
fn a_rename_changes_both_directories_and_the_attributes_time_of_what_is_moved() {
    let ground = Ground::new();
    let (from, to) = (ground.dir(ROOT, b"from"), ground.dir(ROOT, b"to"));
    let (file, dir) = (ground.file(from, b"file"), ground.dir(from, b"dir"));
    let inos = [ROOT, from, to, file, dir];
    let rename = |name: &'static [u8], back: bool| {
        move |g: &Ground| {
            let (a, b) = if back { (to, from) } else { (from, to) };
            g.rename((a, name), (b, name), Rename::Keep)
        }
    };
    assert_eq!(stamped(&ground, inos, rename(b"file", false)), ["", "mc", "mc", "c", ""]);
    assert_eq!(stamped(&ground, inos, rename(b"dir", false)), ["", "mc", "mc", "", "c"]);
    assert_eq!(stamped(&ground, inos, rename(b"file", true)), ["", "mc", "mc", "c", ""]);
    let within = |g: &Ground| g.rename((to, b"dir"), (to, b"new"), Rename::Replace);
    assert_eq!(stamped(&ground, inos, within), ["", "", "mc", "", "c"]);
}

#[test]
fn what_a_rename_replaces_has_lost_a_name_and_an_exchange_changes_both() {
    let ground = Ground::new();
    let (a, b) = (ground.dir(ROOT, b"a"), ground.dir(ROOT, b"b"));
    let (new, old) = (ground.file(a, b"new"), ground.file(b, b"old"));
    ground.link(old, ROOT, b"kept").unwrap();
    let inos = [ROOT, a, b, new, old];
    let exchange = |g: &Ground| g.rename((a, b"new"), (b, b"old"), Rename::Exchange);
    assert_eq!(stamped(&ground, inos, exchange), ["", "mc", "mc", "c", "c"]);
    assert_eq!(stamped(&ground, inos, exchange), ["", "mc", "mc", "c", "c"]);
    let replace = |g: &Ground| g.rename((a, b"new"), (b, b"old"), Rename::Replace);
    assert_eq!(stamped(&ground, inos, replace), ["", "mc", "mc", "c", "c"]);
}

#[test]
fn calls_that_fail_change_no_time() {
    let ground = Ground::new();
    let (full, file) = (ground.dir(ROOT, b"full"), ground.filled(b"file", b"bytes"));
    ground.file(full, b"in");
    ground.chmod(file, 0o6755);
    let node = NewNode::file(0o600);
    let changed = stamped(&ground, [ROOT, full, file], |g| {
        g.create(ROOT, b"file", &node).unwrap_err();
        g.mkdir(full, b"in", &node).unwrap_err();
        g.symlink(full, b"in", b"x", &node).unwrap_err();
        g.link(file, full, b"in").unwrap_err();
        g.link(full, ROOT, b"second").unwrap_err();
        g.unlink(ROOT, b"full").unwrap_err();
        g.rmdir(ROOT, b"full").unwrap_err();
        g.rmdir(ROOT, b"file").unwrap_err();
        g.mv(b"file", b"full").unwrap_err();
        g.mv(b"full", b"file").unwrap_err();
        g.rename((ROOT, b"file"), (full, b"in"), Rename::Keep).unwrap_err();
        g.rename((ROOT, b"file"), (ROOT, b"none"), Rename::Exchange).unwrap_err();
        g.rename((ROOT, b"full"), (full, b"self"), Rename::Replace).unwrap_err();
        g.write(file, u64::MAX, b"x").unwrap_err();
        g.write(full, 0, b"x").unwrap_err();
        g.truncate(file, u64::MAX).unwrap_err();
        g.truncate(full, 0).unwrap_err();
        g.allocate(file, 0, 1 << 40, false).unwrap_err();
        g.setxattr(file, b"user.a", b"", SetXattr::Replace).unwrap_err();
        g.removexattr(file, b"user.a").unwrap_err();
        Ok(())
    });
    assert_eq!(changed, ["", "", ""]);
    assert_eq!(ground.attr(file).mode, 0o6755);
    assert_eq!(ground.names(ROOT), [&b"file"[..], b"full"]);
}
