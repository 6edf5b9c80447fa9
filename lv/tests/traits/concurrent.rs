//! Many threads on one backend.

use crate::checks;

checks! { |rig| crate::busy(rig);
    a_reader_sees_the_old_contents_or_the_new_ones
    readers_of_one_file_and_of_many_run_together
    writers_of_different_files_do_not_meet
    one_path_is_made_by_all_who_make_it
    a_listing_beside_changes_has_what_stays_once
    metadata_is_of_one_moment
    a_hundred_threads_make_a_hundred_files_each
}

mod check {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, Ordering};

    use anyfs_backend::{Fs, FsFull};

    use crate::p;

    pub(super) fn a_reader_sees_the_old_contents_or_the_new_ones(fs: &dyn Fs) {
        let contents = |n: u8| vec![n; 1000 + usize::from(n) * 777];
        fs.write(p("/f"), &contents(0)).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let read = fs.read(p("/f")).unwrap();
                        assert!(read == contents(read[0]), "a torn file of {} bytes", read.len());
                    }
                });
            }
            for n in 0..200u8 {
                fs.write(p("/f"), &contents(n)).unwrap();
                fs.copy(p("/f"), p("/g")).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(fs.read(p("/g")).unwrap(), contents(199));
    }

    pub(super) fn readers_of_one_file_and_of_many_run_together(fs: &dyn Fs) {
        for n in 0..10u8 {
            fs.write(p(&format!("/{n}")), &[n; 5000]).unwrap();
        }
        std::thread::scope(|scope| {
            for thread in 0..10u8 {
                scope.spawn(move || {
                    for _ in 0..100 {
                        assert_eq!(fs.read(p("/0")).unwrap(), [0; 5000]);
                        assert_eq!(fs.read(p(&format!("/{thread}"))).unwrap(), [thread; 5000]);
                    }
                });
            }
        });
    }

    pub(super) fn writers_of_different_files_do_not_meet(fs: &dyn Fs) {
        std::thread::scope(|scope| {
            for thread in 0..10u8 {
                scope.spawn(move || {
                    for n in 0..100u8 {
                        fs.write(p(&format!("/{thread}")), &[thread, n]).unwrap();
                    }
                });
            }
        });
        for thread in 0..10u8 {
            assert_eq!(fs.read(p(&format!("/{thread}"))).unwrap(), [thread, 99]);
        }
    }

    pub(super) fn one_path_is_made_by_all_who_make_it(fs: &dyn Fs) {
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| fs.create_dir_all(p("/a/b/c/d/e/f")).unwrap());
            }
        });
        assert_eq!(fs.read_dir(p("/a/b/c/d/e")).unwrap().count(), 1);
    }

    pub(super) fn a_listing_beside_changes_has_what_stays_once(fs: &dyn Fs) {
        fs.create_dir(p("/d")).unwrap();
        for n in 0..1200 {
            fs.write(p(&format!("/d/stays{n}")), b"").unwrap();
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let done = &done;
                scope.spawn(move || {
                    for n in 0u32.. {
                        let (a, b) = (format!("/d/comes{thread}-{}", n % 50), format!("/d/goes{thread}-{}", n % 70));
                        fs.write(p(&a), b"").unwrap();
                        fs.rename(p(&a), p(&b)).unwrap();
                        fs.remove_file(p(&b)).unwrap();
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                });
            }
            for _ in 0..20 {
                let mut seen: BTreeMap<String, u32> = BTreeMap::new();
                for entry in fs.read_dir(p("/d")).unwrap() {
                    *seen.entry(entry.unwrap().name).or_default() += 1;
                }
                for n in 0..1200 {
                    assert_eq!(seen.get(&format!("stays{n}")), Some(&1), "stays{n}");
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }

    pub(super) fn metadata_is_of_one_moment(fs: &dyn FsFull) {
        fs.write(p("/f"), &[1; 100]).unwrap();
        fs.create_dir(p("/d")).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for n in 1..=200usize {
                    fs.write(p("/f"), &vec![1; n * 100]).unwrap();
                    fs.hard_link(p("/f"), p("/d/g")).unwrap();
                    fs.remove_file(p("/d/g")).unwrap();
                }
            });
            while !writer.is_finished() {
                let seen = fs.metadata(p("/f")).unwrap();
                assert!(
                    seen.size.is_multiple_of(100) && (100..=20_000).contains(&seen.size),
                    "a size of {}",
                    seen.size
                );
                assert!((1..=2).contains(&seen.nlink), "{} links", seen.nlink);
            }
        });
        assert_eq!(fs.metadata(p("/f")).unwrap().size, 20_000);
    }

    pub(super) fn a_hundred_threads_make_a_hundred_files_each(fs: &dyn Fs) {
        std::thread::scope(|scope| {
            for thread in 0..100 {
                scope.spawn(move || {
                    fs.create_dir(p(&format!("/{thread}"))).unwrap();
                    for n in 0..100 {
                        fs.write(p(&format!("/{thread}/{n}")), format!("{thread}:{n}").as_bytes()).unwrap();
                    }
                });
            }
        });
        for thread in 0..100 {
            for n in 0..100 {
                let read = fs.read_to_string(p(&format!("/{thread}/{n}"))).unwrap();
                assert_eq!(read, format!("{thread}:{n}"));
            }
        }
    }
}
