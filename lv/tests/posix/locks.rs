//! Advisory locks: fcntl(2) with `F_SETLK`, `F_SETLKW` and `F_GETLK`, and flock(2).

use std::ops::Range;

use anyfs_lvm_lv::{HeldLock, Ino, LockKind, LockOwner, LvError, Volume};

use super::ground::{EDEADLK, EINVAL, ENOENT, ENOLCK, Ground, ROOT, errno};

use LockKind::{Exclusive, Shared};

const ALL: Range<u64> = 0..u64::MAX;

/// A volume with a file and three owners.
fn ground() -> (Ground, Ino, [LockOwner; 3]) {
    let ground = Ground::new();
    let file = ground.filled(b"file", &[1; 100]);
    let owners = std::array::from_fn(|_| ground.lock_owner());
    (ground, file, owners)
}

/// What holds a probe off.
fn held(volume: &Volume, file: Ino, probe: LockOwner, range: Range<u64>) -> Option<(LockOwner, Range<u64>, LockKind)> {
    let found = volume.find_lock(file, probe, range, Exclusive).unwrap();
    found.map(|HeldLock { owner, range, kind }| (owner, range, kind))
}

/// All locks of a file, as somebody who holds none sees them.
fn all(volume: &Volume, file: Ino) -> Vec<(LockOwner, Range<u64>, LockKind)> {
    let (probe, mut found, mut at) = (volume.lock_owner(), Vec::new(), 0);
    while let Some(lock) = (at < u64::MAX).then(|| held(volume, file, probe, at..u64::MAX)).flatten() {
        at = lock.1.end;
        found.push(lock);
    }
    found
}

#[test]
fn shared_locks_go_together_and_an_exclusive_one_is_alone() {
    let (ground, file, [a, b, c]) = ground();
    ground.lock(file, a, 0..10, Shared).unwrap();
    assert_eq!(ground.try_lock(file, b, 5..15, Shared).unwrap(), None);
    for owner in [a, b, c] {
        assert!(ground.try_lock(file, owner, 5..10, Exclusive).unwrap().is_some());
    }
    // Each may have alone what it shares with nobody.
    assert_eq!(ground.try_lock(file, a, 0..5, Exclusive).unwrap(), None);
    assert_eq!(ground.try_lock(file, b, 10..15, Exclusive).unwrap(), None);
    let expected = [(a, 0..5, Exclusive), (a, 5..10, Shared), (b, 10..15, Exclusive)];
    let seen = all(&ground, file);
    assert_eq!(seen, expected);
    assert_eq!(ground.try_lock(file, c, 20..30, Exclusive).unwrap(), None, "elsewhere nobody is in the way");
}

#[test]
fn a_refused_lock_leaves_the_one_that_was_held() {
    let (ground, file, [a, b, _]) = ground();
    ground.lock(file, a, 0..10, Shared).unwrap();
    ground.lock(file, b, 0..10, Shared).unwrap();
    let refused = ground.try_lock(file, a, 0..20, Exclusive).unwrap().unwrap();
    assert_eq!((refused.owner, refused.range, refused.kind), (b, 0..10, Shared));
    ground.unlock(file, b, ALL).unwrap();
    assert_eq!(all(&ground, file), [(a, 0..10, Shared)]);
}

#[test]
fn unlocking_the_middle_leaves_both_ends_and_locks_that_meet_become_one() {
    let (ground, file, [a, ..]) = ground();
    ground.lock(file, a, 0..100, Exclusive).unwrap();
    ground.unlock(file, a, 40..60).unwrap();
    assert_eq!(all(&ground, file), [(a, 0..40, Exclusive), (a, 60..100, Exclusive)]);
    ground.lock(file, a, 40..60, Exclusive).unwrap();
    assert_eq!(all(&ground, file), [(a, 0..100, Exclusive)]);
    ground.lock(file, a, 20..30, Shared).unwrap();
    assert_eq!(all(&ground, file), [(a, 0..20, Exclusive), (a, 20..30, Shared), (a, 30..100, Exclusive)]);
    ground.lock(file, a, 10..50, Exclusive).unwrap();
    assert_eq!(all(&ground, file), [(a, 0..100, Exclusive)]);
    ground.unlock(file, a, 90..u64::MAX).unwrap();
    ground.unlock(file, a, 0..1).unwrap();
    ground.unlock(file, a, 200..300).unwrap();
    assert_eq!(all(&ground, file), [(a, 1..90, Exclusive)]);
}

#[test]
fn the_first_lock_in_the_way_is_told_and_ones_own_never() {
    let (ground, file, [a, b, c]) = ground();
    ground.lock(file, b, 50..60, Exclusive).unwrap();
    ground.lock(file, a, 10..20, Exclusive).unwrap();
    assert_eq!(held(&ground, file, c, ALL), Some((a, 10..20, Exclusive)));
    assert_eq!(held(&ground, file, c, 20..51), Some((b, 50..60, Exclusive)));
    assert_eq!(held(&ground, file, a, ALL), Some((b, 50..60, Exclusive)));
    assert_eq!(held(&ground, file, c, 20..50), None);
    assert_eq!(ground.find_lock(file, c, 0..10, Shared).unwrap(), None);
}

#[test]
fn a_lock_to_the_end_covers_what_is_written_later_and_need_not_have_bytes() {
    let (ground, file, [a, b, _]) = ground();
    ground.lock(file, a, 1000..u64::MAX, Exclusive).unwrap();
    ground.write(file, 5000, &[1; 100]).unwrap();
    ground.truncate(file, 0).unwrap();
    assert!(ground.try_lock(file, b, 1 << 62..(1 << 62) + 1, Shared).unwrap().is_some());
    assert_eq!(ground.try_lock(file, b, 0..1000, Exclusive).unwrap(), None);
}

#[test]
fn locks_are_advisory_and_belong_to_one_inode() {
    let (ground, file, [a, b, _]) = ground();
    let other = ground.file(ROOT, b"other");
    ground.lock(file, a, ALL, Exclusive).unwrap();
    ground.lock_file(file, a, Exclusive).unwrap();
    ground.write(file, 0, b"all the same").unwrap();
    ground.truncate(file, 3).unwrap();
    assert_eq!(ground.bytes(file), b"all");
    assert_eq!(ground.try_lock(other, b, ALL, Exclusive).unwrap(), None);
    // Not to its name: by any name it is the same file.
    ground.link(file, ROOT, b"second").unwrap();
    ground.unlink(ROOT, b"file").unwrap();
    let second = ground.at(ROOT, b"second").unwrap();
    assert!(ground.try_lock(second, b, 0..1, Shared).unwrap().is_some());
}

#[test]
fn a_lock_of_a_whole_file_changes_its_kind_when_nobody_minds() {
    let (ground, file, [a, b, c]) = ground();
    for file in [file, ROOT] {
        ground.lock_file(file, a, Shared).unwrap();
        assert_eq!(ground.try_lock_file(file, b, Shared).unwrap(), None);
        assert_eq!(ground.try_lock_file(file, a, Exclusive).unwrap().map(|held| held.owner), Some(b));
        ground.unlock_file(file, b);
        assert_eq!(ground.try_lock_file(file, a, Exclusive).unwrap(), None);
        assert_eq!(ground.try_lock_file(file, c, Shared).unwrap().map(|held| held.kind), Some(Exclusive));
        ground.lock_file(file, a, Shared).unwrap();
        assert_eq!(ground.try_lock_file(file, c, Shared).unwrap(), None);
        ground.unlock_file(file, a);
        ground.unlock_file(file, a);
        ground.unlock_file(file, c);
        assert_eq!(ground.try_lock_file(file, b, Exclusive).unwrap(), None);
        ground.unlock_file(file, b);
    }
}

#[test]
fn the_end_of_an_owner_gives_back_all_it_held_in_all_files() {
    let (ground, file, [a, b, c]) = ground();
    let other = ground.file(ROOT, b"other");
    ground.lock(file, a, 0..10, Exclusive).unwrap();
    ground.lock(other, a, 0..10, Shared).unwrap();
    ground.lock_file(file, a, Exclusive).unwrap();
    ground.lock(file, b, 10..20, Exclusive).unwrap();
    ground.unlock_all(a);
    assert_eq!(all(&ground, file), [(b, 10..20, Exclusive)]);
    assert_eq!(ground.try_lock(other, c, ALL, Exclusive).unwrap(), None);
    assert_eq!(ground.try_lock_file(file, c, Exclusive).unwrap(), None);
}

#[test]
fn no_lock_outlives_the_volume() {
    let (mut ground, file, [a, b, _]) = ground();
    for crash in [false, true] {
        ground.lock(file, a, ALL, Exclusive).unwrap();
        ground.lock_file(file, a, Exclusive).unwrap();
        ground.sync().unwrap();
        if crash {
            ground.crash();
        } else {
            ground.reopen();
        }
        assert_eq!(ground.try_lock(file, b, ALL, Exclusive).unwrap(), None);
        assert_eq!(ground.try_lock_file(file, b, Exclusive).unwrap(), None);
        ground.unlock_all(b);
    }
}

#[test]
fn a_ring_over_several_files_is_refused_to_whoever_would_close_it() {
    let (ground, file, [a, b, c]) = ground();
    let volume = &*ground;
    let files = [file, ground.file(ROOT, b"second"), ground.file(ROOT, b"third")];
    for (owner, file) in [a, b, c].into_iter().zip(files) {
        volume.lock(file, owner, 0..1, Exclusive).unwrap();
    }
    let ends: Vec<Result<(), LvError>> = std::thread::scope(|scope| {
        let wants = [(a, files[1]), (b, files[2]), (c, files[0])];
        let threads = wants.map(|(owner, file)| {
            scope.spawn(move || {
                let end = volume.lock(file, owner, 0..1, Exclusive);
                // Whoever is refused, or has got what it wanted, ends: the next in the ring goes on.
                volume.unlock_all(owner);
                end
            })
        });
        threads.map(|thread| thread.join().unwrap()).into()
    });
    let refused: Vec<i32> = ends.iter().filter_map(|end| end.as_ref().err().map(LvError::errno)).collect();
    assert_eq!(refused, [EDEADLK]);
}

#[test]
fn locks_that_cannot_be_have_their_own_errors() {
    let (ground, file, [a, b, _]) = ground();
    assert_eq!(errno(ground.lock(file, a, 7..7, Shared)), EINVAL);
    assert_eq!(errno(ground.try_lock(file, a, 7..7, Shared)), EINVAL);
    assert_eq!(errno(ground.find_lock(file, a, 7..7, Shared)), EINVAL);
    assert_eq!(errno(ground.unlock(file, a, 7..7)), EINVAL);
    for gone in [Ino(999), {
        ground.unlink(ROOT, b"file").unwrap();
        file
    }] {
        assert_eq!(errno(ground.lock(gone, a, 0..1, Shared)), ENOENT);
        assert_eq!(errno(ground.lock_file(gone, a, Shared)), ENOENT);
    }
    // As many as there may be, each apart from the next so that they stay many.
    let many: [Ino; 100] = std::array::from_fn(|n| ground.file(ROOT, format!("many {n}").as_bytes()));
    let locked = (0..100_000usize).find(|n| {
        let at = u64::try_from(n / 100 * 2).unwrap();
        ground.try_lock(many[n % 100], a, at..at + 1, Shared).is_err()
    });
    assert!(locked.unwrap() > 1000);
    assert_eq!(errno(ground.lock(many[0], b, ALL, Shared)), ENOLCK);
    ground.unlock(many[0], a, 0..1).unwrap();
    ground.lock(many[0], b, ALL, Shared).unwrap();
}
