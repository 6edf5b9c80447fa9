//! rename(2) and renameat2(2), in all combinations of what is moved, what is there, and how.

use anyfs_lvm_lv::{Ino, Kind, NewNode, Rename};

use super::ground::{EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, Ground, ROOT, errno};
use super::support::pattern;

/// What may lie at either end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Nothing,
    File,
    Fifo,
    Link,
    Empty,
    Full,
}

use Thing::{Empty, Fifo, File, Full, Link, Nothing};

const THINGS: [Thing; 6] = [Nothing, File, Fifo, Link, Empty, Full];

impl Thing {
    fn put(self, ground: &Ground, parent: Ino, name: &[u8]) -> Option<Ino> {
        Some(match self {
            Nothing => return None,
            File => ground.file(parent, name),
            Fifo => ground.create(parent, name, &NewNode { kind: Kind::Fifo, ..NewNode::file(0o600) }).unwrap().ino,
            // A link to a directory is no directory.
            Link => ground.symlink(parent, name, b"/", &NewNode::file(0o777)).unwrap().ino,
            Empty => ground.dir(parent, name),
            Full => {
                let dir = ground.dir(parent, name);
                ground.file(dir, b"in it");
                dir
            }
        })
    }

    fn is_dir(self) -> bool {
        matches!(self, Empty | Full)
    }
}

/// What the man page says of moving `from` to where `to` lies; `None`: it succeeds.
fn verdict(from: Thing, to: Thing, how: Rename) -> Option<i32> {
    match (from, to, how) {
        (Nothing, ..) | (_, Nothing, Rename::Exchange) => Some(ENOENT),
        (_, Nothing, _) | (_, _, Rename::Exchange) => None,
        (_, _, Rename::Keep) => Some(EEXIST),
        (from, to, _) if from.is_dir() && !to.is_dir() => Some(ENOTDIR),
        (from, to, _) if !from.is_dir() && to.is_dir() => Some(EISDIR),
        (_, Full, _) => Some(ENOTEMPTY),
        _ => None,
    }
}

/// One rename of `from` to `to`, in one directory or between two, and what must hold after it.
fn one(ground: &Ground, (from, to, how): (Thing, Thing, Rename), apart: bool) {
    let top = ground.dir(ROOT, b"top");
    let other = if apart { ground.dir(ROOT, b"other") } else { top };
    let (source, target) = (from.put(ground, top, b"from"), to.put(ground, other, b"to"));
    let before = (ground.files(), [top, other].map(|dir| ground.names(dir)), [top, other].map(|dir| ground.attr(dir)));
    let case = format!("{from:?} to {to:?} with {how:?}, apart: {apart}");
    let done = ground.rename((top, b"from"), (other, b"to"), how);
    assert_eq!(done.err().map(|error| error.errno()), verdict(from, to, how), "{case}");
    let found = (ground.at(top, b"from"), ground.at(other, b"to"));
    if verdict(from, to, how).is_some() {
        assert_eq!(found, (source, target), "{case}: a failed rename does nothing");
        let after = (ground.files(), [top, other].map(|dir| ground.names(dir)));
        assert_eq!((after.0, after.1, [top, other].map(|dir| ground.attr(dir))), before, "{case}");
    } else if how == Rename::Exchange {
        assert_eq!(found, (target, source), "{case}");
        assert_eq!(ground.files(), before.0, "{case}");
    } else {
        assert_eq!(found, (None, source), "{case}");
        assert_eq!(ground.files(), before.0 - u64::from(target.is_some()), "{case}");
        assert!(target.is_none_or(|target| ground.getattr(target).is_err()), "{case}: what was replaced is gone");
    }
    for dir in [top, other] {
        let entries = ground.readdir(dir, 0, 99).unwrap();
        let below = entries.iter().filter(|entry| entry.kind == Kind::Directory);
        assert_eq!(ground.nlink(dir) as usize, 2 + below.clone().count(), "{case}");
        assert_eq!(ground.attr(dir).size, entries.len() as u64, "{case}");
        for entry in below {
            assert_eq!(ground.parent_of(entry.ino).unwrap(), dir, "{case}");
        }
    }
}

#[test]
fn every_combination_of_kinds_and_modes_does_what_the_man_page_says() {
    let mut ground = Ground::new();
    let fs = |ground: &Ground| anyfs_lvm_lv::Volume::clone(ground).filesystem();
    for how in [Rename::Replace, Rename::Keep, Rename::Exchange] {
        for (from, to) in THINGS.into_iter().flat_map(|from| THINGS.map(|to| (from, to))) {
            for apart in [false, true] {
                one(&ground, (from, to, how), apart);
                for name in ground.names(ROOT) {
                    let path = [b"/".as_slice(), &name].concat();
                    let path = String::from_utf8(path).unwrap();
                    anyfs_backend::FsDir::remove_dir_all(&fs(&ground), path.as_ref()).unwrap();
                }
            }
        }
    }
    assert_eq!((ground.files(), ground.nlink(ROOT)), (1, 2));
    ground.reopen();
    assert_eq!((ground.files(), ground.nlink(ROOT), ground.names(ROOT).len()), (1, 2, 0));
}

#[test]
fn two_names_of_one_inode_stay_whatever_is_asked() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let file = ground.filled(b"a", b"bytes");
    ground.link(file, ROOT, b"b").unwrap();
    ground.link(file, dir, b"c").unwrap();
    let before = [ROOT, dir, file].map(|ino| ground.attr(ino));
    for to in [(ROOT, &b"b"[..]), (dir, b"c"), (ROOT, b"a")] {
        ground.rename((ROOT, b"a"), to, Rename::Replace).unwrap();
        ground.rename((ROOT, b"a"), to, Rename::Exchange).unwrap();
        assert_eq!(errno(ground.rename((ROOT, b"a"), to, Rename::Keep)), EEXIST);
    }
    assert_eq!([ROOT, dir, file].map(|ino| ground.attr(ino)), before);
    assert_eq!(
        (ground.nlink(file), ground.names(ROOT), ground.names(dir)),
        (3, vec![b"a".to_vec(), b"b".to_vec(), b"dir".to_vec()], vec![b"c".to_vec()])
    );
}

#[test]
fn a_name_of_an_inode_with_more_names_is_replaced_and_moved_alone() {
    let ground = Ground::new();
    let (old, new) = (ground.filled(b"old", b"1"), ground.filled(b"new", b"2"));
    ground.link(old, ROOT, b"old 2").unwrap();
    ground.link(new, ROOT, b"new 2").unwrap();
    ground.mv(b"new", b"old").unwrap();
    assert_eq!((ground.nlink(old), ground.nlink(new)), (1, 2));
    assert_eq!(
        [b"old".as_slice(), b"old 2", b"new", b"new 2"].map(|name| ground.at(ROOT, name)),
        [Some(new), Some(old), None, Some(new)]
    );
    ground.rename((ROOT, b"new 2"), (ROOT, b"old 2"), Rename::Exchange).unwrap();
    assert_eq!((ground.nlink(old), ground.nlink(new)), (1, 2));
    assert_eq!([b"old 2".as_slice(), b"new 2"].map(|name| ground.at(ROOT, name)), [Some(new), Some(old)]);
}

#[test]
fn a_directory_to_its_own_name_is_nothing_and_to_keep_it_is_refused() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    ground.file(dir, b"f");
    ground.mv(b"dir", b"dir").unwrap();
    ground.rename((ROOT, b"dir"), (ROOT, b"dir"), Rename::Exchange).unwrap();
    assert_eq!(errno(ground.rename((ROOT, b"dir"), (ROOT, b"dir"), Rename::Keep)), EEXIST);
    assert_eq!((ground.nlink(ROOT), ground.nlink(dir), ground.names(dir).len()), (3, 2, 1));
}

#[test]
fn no_directory_goes_below_itself_nor_over_one_it_lies_in() {
    let ground = Ground::new();
    let a = ground.dir(ROOT, b"a");
    let b = ground.dir(a, b"b");
    let c = ground.dir(b, b"c");
    for (parent, name) in [(a, &b"new"[..]), (b, b"new"), (c, b"new"), (a, b"b"), (b, b"c")] {
        assert_eq!(errno(ground.rename((ROOT, b"a"), (parent, name), Rename::Replace)), EINVAL);
    }
    assert_eq!(errno(ground.rename((ROOT, b"a"), (a, b"b"), Rename::Keep)), EEXIST, "a taken name is seen first");
    assert_eq!(errno(ground.rename((b, b"c"), (ROOT, b"a"), Rename::Replace)), ENOTEMPTY);
    assert_eq!(errno(ground.rename((b, b"c"), (a, b"b"), Rename::Replace)), ENOTEMPTY);
    for (from, to) in [((ROOT, &b"a"[..]), (a, &b"b"[..])), ((ROOT, b"a"), (b, b"c")), ((b, b"c"), (ROOT, b"a"))] {
        assert_eq!(errno(ground.rename(from, to, Rename::Exchange)), EINVAL);
    }
    assert_eq!(ground.resolve(b"/a/b/c", false).unwrap().ino, c);
}

#[test]
fn a_directory_that_moved_is_below_its_new_parent_for_all_later_renames() {
    let mut ground = Ground::new();
    let (a, b) = (ground.dir(ROOT, b"a"), ground.dir(ROOT, b"b"));
    let inner = ground.dir(a, b"inner");
    ground.rename((a, b"inner"), (b, b"inner"), Rename::Keep).unwrap();
    ground.reopen();
    // It left a, so a may go into it; b may not any more.
    assert_eq!(errno(ground.rename((ROOT, b"b"), (inner, b"b"), Rename::Replace)), EINVAL);
    ground.rename((ROOT, b"a"), (inner, b"a"), Rename::Replace).unwrap();
    assert_eq!(ground.resolve(b"/b/inner/a", false).unwrap().ino, a);
    assert_eq!(errno(ground.rename((b, b"inner"), (a, b"x"), Rename::Replace)), EINVAL);
    assert_eq!((ground.nlink(ROOT), ground.nlink(b), ground.nlink(inner), ground.nlink(a)), (3, 3, 3, 2));
}

#[test]
fn a_rename_over_a_file_is_seen_whole_by_everybody_at_every_moment() {
    let ground = Ground::new();
    let volume = &*ground;
    ground.filled(b"config", &[0; 100]);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for n in 1..=100u8 {
                let ino = volume.create(ROOT, b"new", &NewNode::file(0o600)).unwrap().ino;
                volume.write(ino, 0, &[n; 100]).unwrap();
                volume.rename((ROOT, b"new"), (ROOT, b"config"), Rename::Replace).unwrap();
            }
        });
        let mut last = 0;
        while !writer.is_finished() {
            // The name is there at every moment; what it led to may have been replaced since.
            let ino = volume.lookup(ROOT, b"config").unwrap().ino;
            if let Ok(bytes) = volume.read_all(ino) {
                assert!(bytes.len() == 100 && bytes.iter().all(|byte| *byte == bytes[0]) && bytes[0] >= last);
                last = bytes[0];
            }
        }
    });
    assert_eq!((ground.files(), ground.bytes(ground.at(ROOT, b"config").unwrap())), (2, vec![100; 100]));
}

#[test]
fn exchanged_names_lead_to_each_others_inodes_after_a_crash_too() {
    let mut ground = Ground::new();
    let (a, b) = (ground.dir(ROOT, b"a"), ground.dir(ROOT, b"b"));
    let (inner, plain) = (ground.dir(a, b"inner"), ground.file(b, b"plain"));
    ground.write(plain, 0, &pattern(1, 200_000)).unwrap();
    ground.rename((a, b"inner"), (b, b"plain"), Rename::Exchange).unwrap();
    ground.fsync(ROOT).unwrap();
    ground.crash();
    assert_eq!((ground.at(a, b"inner"), ground.at(b, b"plain")), (Some(plain), Some(inner)));
    assert!(ground.bytes(plain) == pattern(1, 200_000), "the name was durable, so its data is");
    assert_eq!(ground.resolve(b"/b/plain/..", true).unwrap().ino, b, "a directory knows its new parent");
    assert_eq!((ground.nlink(a), ground.nlink(b)), (2, 3));
}
