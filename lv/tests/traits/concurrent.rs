//! Many threads on one backend.

use std::sync::atomic::{AtomicBool, Ordering};

use anyfs_backend::{FsDir, FsRead, FsWrite};

use crate::{p, support::Rig};

#[test]
fn a_reader_sees_the_old_contents_or_the_new_ones() {
    let mut rig = Rig::new(2, 400, 65536);
    rig.env.threads = true;
    let fs = rig.open().filesystem();
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

#[test]
fn a_hundred_threads_leave_what_each_of_them_did() {
    let mut rig = Rig::new(2, 800, 65536);
    rig.env.threads = true;
    let fs = rig.open().filesystem();
    std::thread::scope(|scope| {
        for thread in 0..100u32 {
            let fs = &fs;
            scope.spawn(move || {
                let dir = format!("/shared/{}", thread % 10);
                fs.create_dir_all(p(&dir)).unwrap();
                for n in 0..40u32 {
                    let (a, b) = (format!("{dir}/{thread}-{n}.tmp"), format!("{dir}/{thread}-{}", n % 7));
                    fs.write(p(&a), &n.to_le_bytes()).unwrap();
                    fs.append(p(&a), &thread.to_le_bytes()).unwrap();
                    fs.rename(p(&a), p(&b)).unwrap();
                    assert_eq!(fs.read(p(&b)).unwrap()[4..], thread.to_le_bytes());
                    fs.append(p("/log"), format!("{thread:04} {n:04}\n").as_bytes()).unwrap();
                    if n % 10 == 9 {
                        fs.remove_file(p(&b)).unwrap();
                    }
                }
            });
        }
    });
    // Of each thread's seven names, those of the last round but one are left, and which were removed is the same for all.
    let mut left = 0;
    for dir in 0..10 {
        left += fs.read_dir(p(&format!("/shared/{dir}"))).unwrap().count();
    }
    let mut model = std::collections::BTreeSet::new();
    for n in 0..40 {
        model.insert(n % 7);
        if n % 10 == 9 {
            model.remove(&(n % 7));
        }
    }
    assert_eq!(left, model.len() * 100);
    let log = fs.read_to_string(p("/log")).unwrap();
    assert_eq!(log.lines().count(), 4000);
    assert!(log.lines().all(|line| line.len() == 9), "appends do not mix");
}
