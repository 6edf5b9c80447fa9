//! Advisory locks of bytes and of whole files.

use std::sync::mpsc;
use std::time::Duration;

use anyfs_lvm_lv::{Ino, LockKind, LvError, NewNode, Volume};

use super::support::Rig;

use LockKind::{Exclusive, Shared};

fn volume() -> (Rig, Volume, Ino) {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let ino = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    (rig, volume, ino)
}

#[test]
fn an_owner_meets_others_and_never_itself() {
    let (_rig, volume, ino) = volume();
    let (a, b) = (volume.lock_owner(), volume.lock_owner());
    volume.lock(ino, a, 10..20, Exclusive).unwrap();
    volume.lock(ino, a, 15..30, Shared).unwrap();
    let in_the_way = volume.try_lock(ino, b, 0..100, Shared).unwrap().unwrap();
    assert_eq!((in_the_way.owner, in_the_way.range, in_the_way.kind), (a, 10..15, Exclusive));
    assert_eq!(volume.try_lock(ino, b, 15..u64::MAX, Shared).unwrap(), None);
    // Both now share 15..30: neither can have it alone, until the other's part is given back.
    assert_eq!(volume.find_lock(ino, a, 0..16, Exclusive).unwrap().map(|held| held.owner), Some(b));
    volume.unlock(ino, b, 0..29).unwrap();
    assert_eq!(volume.try_lock(ino, a, 0..29, Exclusive).unwrap(), None);
    assert_eq!(volume.find_lock(ino, a, 0..30, Exclusive).unwrap().map(|held| held.range), Some(29..u64::MAX));
    volume.unlock_all(b);
    assert_eq!(volume.find_lock(ino, a, 0..u64::MAX, Exclusive).unwrap(), None);
}

#[test]
fn locks_of_whole_files_and_of_bytes_do_not_meet() {
    let (_rig, volume, ino) = volume();
    let (a, b) = (volume.lock_owner(), volume.lock_owner());
    volume.lock(ino, a, 0..u64::MAX, Exclusive).unwrap();
    volume.lock_file(ino, b, Exclusive).unwrap();
    assert_eq!(volume.try_lock_file(ino, a, Shared).unwrap().map(|held| held.owner), Some(b));
    volume.unlock_file(ino, b);
    assert_eq!(volume.try_lock_file(ino, a, Shared).unwrap(), None);
}

#[test]
fn whoever_waits_goes_on_when_the_lock_is_given_back() {
    let (_rig, volume, ino) = volume();
    let (a, b) = (volume.lock_owner(), volume.lock_owner());
    volume.lock(ino, a, 0..10, Exclusive).unwrap();
    let (told, hears) = mpsc::channel();
    std::thread::scope(|scope| {
        let volume = &volume;
        scope.spawn(move || {
            volume.lock(ino, b, 5..6, Shared).unwrap();
            told.send(()).unwrap();
        });
        assert!(hears.recv_timeout(Duration::from_millis(50)).is_err(), "b has a lock that a holds alone");
        volume.lock(ino, a, 0..10, Shared).unwrap();
        hears.recv().unwrap();
    });
}

#[test]
fn a_ring_of_waiting_owners_is_refused_at_its_last_link() {
    let (_rig, volume, ino) = volume();
    let (a, b) = (volume.lock_owner(), volume.lock_owner());
    volume.lock(ino, a, 0..1, Exclusive).unwrap();
    volume.lock(ino, b, 1..2, Exclusive).unwrap();
    std::thread::scope(|scope| {
        let one = scope.spawn(|| volume.lock(ino, a, 1..2, Exclusive).inspect_err(|_| volume.unlock_all(a)));
        let other = scope.spawn(|| volume.lock(ino, b, 0..1, Exclusive).inspect_err(|_| volume.unlock_all(b)));
        let ends = [one.join().unwrap(), other.join().unwrap()];
        // Whoever came second is refused, gives up what it had, and the other one goes on.
        let refused = ends.iter().filter(|end| matches!(end, Err(LvError::Deadlock { .. }))).count();
        assert_eq!((refused, ends.iter().filter(|end| end.is_ok()).count()), (1, 1), "{ends:?}");
    });
}

#[test]
fn waiting_ends_when_it_is_cancelled_and_when_the_volume_is_closed() {
    for close in [false, true] {
        let (_rig, volume, ino) = volume();
        let (a, b) = (volume.lock_owner(), volume.lock_owner());
        volume.lock(ino, a, 0..1, Exclusive).unwrap();
        let waiting = volume.clone();
        let waiter = std::thread::spawn(move || waiting.lock(ino, b, 0..1, Exclusive));
        if close {
            volume.close().unwrap();
            let ended = waiter.join().unwrap();
            assert!(matches!(ended, Err(LvError::Closed)), "{ended:?}");
        } else {
            while !waiter.is_finished() {
                volume.cancel_lock(b);
                std::thread::yield_now();
            }
            let ended = waiter.join().unwrap();
            assert!(matches!(&ended, Err(error @ LvError::Interrupted) if error.errno() == 4), "{ended:?}");
            assert!(volume.find_lock(ino, b, 0..1, Shared).unwrap().is_some(), "a has lost its lock");
        }
    }
}

#[test]
fn locks_that_cannot_be_are_refused() {
    let (_rig, volume, ino) = volume();
    let a = volume.lock_owner();
    #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
    let backwards = 5..4;
    assert!(matches!(volume.lock(ino, a, 4..4, Shared), Err(LvError::Invalid { .. })));
    assert!(matches!(volume.unlock(ino, a, backwards), Err(LvError::Invalid { .. })));
    assert!(matches!(volume.lock(Ino(99), a, 0..1, Shared), Err(LvError::NoInode { .. })));
    for n in 0..16_384 {
        volume.lock(ino, volume.lock_owner(), n..n + 1, Shared).unwrap();
    }
    assert!(matches!(volume.lock(ino, a, 0..1, Shared), Err(LvError::TooManyLocks)));
}
