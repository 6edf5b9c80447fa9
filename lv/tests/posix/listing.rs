//! readdir(3), telldir(3) and seekdir(3): what is there throughout comes exactly once.

use std::collections::{BTreeMap, BTreeSet};

use anyfs_lvm_lv::{Kind, NewNode, Rename, VolumeOptions};

use super::ground::{ENOENT, Ground, PLAIN_KINDS, ROOT, errno};

fn name(n: usize) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

/// Goes through the root in pages, with `between` after each, and says how often each name came.
fn listed(ground: &mut Ground, page: usize, mut between: impl FnMut(&mut Ground, usize)) -> BTreeMap<Vec<u8>, usize> {
    let (mut seen, mut cookie, mut turn) = (BTreeMap::new(), 0, 0);
    loop {
        let entries = ground.readdir(ROOT, cookie, page).unwrap();
        assert!(entries.len() <= page);
        let Some(last) = entries.last() else { return seen };
        assert!(entries.iter().all(|entry| entry.cookie > cookie), "a listing goes on");
        assert!(entries.windows(2).all(|two| two[0].cookie < two[1].cookie));
        cookie = last.cookie;
        for entry in entries {
            *seen.entry(entry.name).or_insert(0) += 1;
        }
        between(ground, turn);
        turn += 1;
    }
}

#[test]
fn a_quiet_directory_is_listed_whole_at_every_page_size() {
    let mut ground = Ground::new();
    for n in 0..200 {
        ground.file(ROOT, &name(n));
    }
    let expected: BTreeMap<Vec<u8>, usize> = (0..200).map(|n| (name(n), 1)).collect();
    for page in [1, 2, 3, 7, 64, 199, 200, 201, usize::MAX] {
        assert_eq!(listed(&mut ground, page, |_, _| ()), expected, "page of {page}");
    }
    ground.reopen();
    for page in [1, 7, usize::MAX] {
        assert_eq!(listed(&mut ground, page, |_, _| ()), expected, "page of {page}, reopened");
    }
    assert_eq!(ground.readdir(ROOT, 0, 0).unwrap().len(), 0);
    // A commit or a reopen in the middle changes no place.
    for page in [1, 3, 50] {
        let moved = listed(&mut ground, page, |ground, turn| match turn % 20 {
            3 => ground.sync().unwrap(),
            13 => ground.reopen(),
            _ => (),
        });
        assert_eq!(moved, expected, "page of {page}");
    }
}

#[test]
fn what_is_there_throughout_comes_once_whatever_comes_and_goes_meanwhile() {
    for (page, fresh) in [(1, true), (1, false), (4, true), (4, false), (33, false)] {
        let mut ground = Ground::with(|options| VolumeOptions { cached_rows: 100, ..options });
        for n in 0..150 {
            ground.file(ROOT, &name(n));
            ground.file(ROOT, &[b"comes and goes ", name(n).as_slice()].concat());
        }
        if !fresh {
            ground.reopen();
        }
        let mut made = 0;
        let seen = listed(&mut ground, page, |ground, turn| {
            let gone = [b"comes and goes ", name(turn % 150).as_slice()].concat();
            match turn % 4 {
                0 => drop(ground.unlink(ROOT, &gone)),
                1 => drop(ground.mv(&gone, &[b"renamed ", gone.as_slice()].concat())),
                2 => drop(ground.create(ROOT, &gone, &NewNode::file(0o600))),
                _ => drop(ground.file(ROOT, format!("new {made}").as_bytes())),
            }
            made += 1;
            match turn % 50 {
                20 => ground.sync().unwrap(),
                40 => ground.reopen(),
                _ => (),
            }
        });
        assert!(made > 4, "nothing happened meanwhile");
        for n in 0..150 {
            assert_eq!(seen.get(&name(n)), Some(&1), "{n}, page of {page}, fresh: {fresh}");
        }
        assert!(seen.values().all(|count| *count <= 2), "a name may come once more only under another cookie");
    }
}

#[test]
fn a_rename_onto_a_name_and_an_exchange_keep_that_name_in_its_place() {
    let mut ground = Ground::new();
    for n in 0..60 {
        ground.file(ROOT, &name(n));
    }
    let dir = ground.dir(ROOT, b"aside");
    let seen = listed(&mut ground, 1, |ground, turn| {
        let target = name(turn % 60);
        ground.file(dir, b"new");
        if turn % 2 == 0 {
            ground.rename((dir, b"new"), (ROOT, &target), Rename::Replace).unwrap();
        } else {
            ground.rename((dir, b"new"), (ROOT, &target), Rename::Exchange).unwrap();
            ground.unlink(dir, b"new").unwrap();
        }
    });
    let expected: BTreeMap<Vec<u8>, usize> =
        (0..60).map(name).chain([b"aside".to_vec()]).map(|name| (name, 1)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_directory_emptied_while_it_is_listed_is_emptied_whole() {
    // As `rm -r` does: list a page, remove what it shows, go on behind it.
    for reopened in [false, true] {
        for page in [1, 3, 40] {
            let mut ground = Ground::new();
            for n in 0..120 {
                ground.file(ROOT, &name(n));
            }
            if reopened {
                ground.reopen();
            }
            let mut cookie = 0;
            loop {
                let entries = ground.readdir(ROOT, cookie, page).unwrap();
                let Some(last) = entries.last() else { break };
                cookie = last.cookie;
                for entry in &entries {
                    ground.unlink(ROOT, &entry.name).unwrap();
                }
            }
            assert_eq!((ground.names(ROOT).len(), ground.attr(ROOT).size, ground.files()), (0, 0, 1));
        }
    }
}

#[test]
fn a_cookie_leads_behind_its_entry_also_when_that_is_gone() {
    for reopened in [false, true] {
        let mut ground = Ground::new();
        for n in 0..40 {
            ground.file(ROOT, &name(n));
        }
        let all = ground.readdir(ROOT, 0, 99).unwrap();
        if reopened {
            ground.reopen();
        }
        for (at, entry) in all.iter().enumerate() {
            ground.unlink(ROOT, &entry.name).unwrap();
            assert_eq!(ground.readdir(ROOT, entry.cookie, 99).unwrap(), all[at + 1..]);
        }
    }
}

#[test]
fn behind_the_last_cookie_and_any_that_cannot_be_there_is_nothing() {
    let mut ground = Ground::new();
    for n in 0..10 {
        ground.file(ROOT, &name(n));
    }
    let last = ground.readdir(ROOT, 0, 99).unwrap().last().unwrap().cookie;
    for _ in 0..2 {
        for cookie in [last, last + 1, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX] {
            for limit in [1, 5, 99, usize::MAX] {
                assert_eq!(ground.readdir(ROOT, cookie, limit).unwrap(), [], "{cookie:x} {limit}");
                assert_eq!(ground.readdir_plus(ROOT, cookie, limit).unwrap(), []);
            }
        }
        ground.reopen();
    }
}

#[test]
fn a_listing_with_attributes_agrees_with_one_without_and_with_each_inode() {
    let mut ground = Ground::new();
    for kind in PLAIN_KINDS {
        ground.create(ROOT, format!("{kind:?}").as_bytes(), &NewNode { kind, ..NewNode::file(0o640) }).unwrap();
    }
    let dir = ground.dir(ROOT, b"dir");
    ground.file(dir, b"in it");
    ground.symlink(ROOT, b"link", b"dir", &NewNode::file(0o777)).unwrap();
    let file = ground.filled(b"full", &vec![1; 100_000]);
    ground.link(file, ROOT, b"second").unwrap();
    for _ in 0..2 {
        for (cookie, limit) in [(0, 99), (0, 3), (ground.readdir(ROOT, 0, 2).unwrap()[1].cookie, 4)] {
            let plus = ground.readdir_plus(ROOT, cookie, limit).unwrap();
            let plain: Vec<_> = plus.iter().map(|(entry, _)| entry.clone()).collect();
            assert_eq!(plain, ground.readdir(ROOT, cookie, limit).unwrap());
            for (entry, attr) in plus {
                assert_eq!((entry.ino, entry.kind), (attr.ino, attr.kind));
                assert_eq!(attr, ground.attr(entry.ino), "{}", entry.name.escape_ascii());
                assert_eq!(attr, ground.lookup(ROOT, &entry.name).unwrap());
            }
        }
        ground.reopen();
    }
    let kinds: BTreeSet<String> =
        ground.readdir(ROOT, 0, 99).unwrap().into_iter().map(|entry| format!("{:?}", entry.kind)).collect();
    assert_eq!(kinds.len(), 7, "every kind: {kinds:?}");
}

#[test]
fn the_size_of_a_directory_is_the_number_of_its_entries() {
    let mut ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    for n in 0..10 {
        ground.file(dir, &name(n));
    }
    ground.mkdir(dir, b"inner", &NewNode::directory(0o700)).unwrap();
    ground.unlink(dir, &name(3)).unwrap();
    ground.rename((dir, &name(4)), (dir, &name(5)), Rename::Replace).unwrap();
    ground.rename((dir, &name(6)), (ROOT, b"out"), Rename::Replace).unwrap();
    ground.reopen();
    assert_eq!((ground.attr(dir).size, ground.names(dir).len()), (8, 8));
}

#[test]
fn only_directories_are_listed() {
    let ground = Ground::new();
    let removed = ground.dir(ROOT, b"removed");
    ground.open(removed).unwrap();
    ground.rmdir(ROOT, b"removed").unwrap();
    assert_eq!(ground.attr(removed).kind, Kind::Directory);
    assert_eq!(ground.readdir(removed, 0, 9).unwrap(), []);
    ground.release(removed).unwrap();
    assert_eq!(errno(ground.readdir(removed, 0, 9)), ENOENT);
}
