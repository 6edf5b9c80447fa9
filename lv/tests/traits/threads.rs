//! A hundred threads with a thousand operations each: what they leave is what a serial order of them would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

use anyfs_backend::{FsDir, FsError, FsLink, FsRead, FsSync, FsWrite};
use anyfs_lvm_lv::{Filesystem, Ino, LvError, NewNode, Rename};

use crate::p;

const THREADS: u32 = 100;
const OPERATIONS: u32 = 1000;
const TOKENS: u32 = 60;
const SLOTS: u32 = 20;
const LOGS: u32 = 4;
const RECORD: usize = 16;

struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 32) % u64::from(end)).unwrap()
    }
}

/// What all threads work on together, and what they counted meanwhile.
struct Shared<'a> {
    fs: &'a Filesystem,
    slots: Ino,
    /// How often a slot was made, less how often it was removed.
    made: Vec<AtomicI64>,
    links: AtomicI64,
    appended: AtomicI64,
}

/// What one thread should find in its own directory.
struct Own {
    dir: String,
    files: BTreeMap<u32, Vec<u8>>,
}

/// An outcome that a race may have.
fn either<T>(result: Result<T, FsError>) -> bool {
    match result {
        Ok(_) => true,
        Err(FsError::NotFound { .. } | FsError::AlreadyExists { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

impl Own {
    fn path(&self, n: u32) -> String {
        format!("{}/{n}", self.dir)
    }

    /// Nobody else is here: every outcome is known.
    fn step(&mut self, fs: &Filesystem, random: &mut Random) {
        let (a, b, what) = (random.below(8), random.below(8), random.below(7));
        let (path, other) = (self.path(a), self.path(b));
        let there = self.files.contains_key(&a);
        match what {
            0 | 1 => {
                let bytes = vec![random.below(256).to_le_bytes()[0]; random.below(3000) as usize];
                fs.write(p(&path), &bytes).unwrap();
                self.files.insert(a, bytes);
            }
            2 => {
                fs.append(p(&path), b"more").unwrap();
                self.files.entry(a).or_default().extend_from_slice(b"more");
            }
            3 => assert_eq!(either(fs.remove_file(p(&path))), self.files.remove(&a).is_some()),
            4 if a != b => {
                assert_eq!(either(fs.rename(p(&path), p(&other))), there);
                if let Some(bytes) = self.files.remove(&a) {
                    self.files.insert(b, bytes);
                }
            }
            5 if a != b => {
                assert_eq!(either(fs.copy(p(&path), p(&other))), there);
                if let Some(bytes) = self.files.get(&a).cloned() {
                    self.files.insert(b, bytes);
                }
            }
            _ => assert_eq!(fs.read(p(&path)).ok(), self.files.get(&a).cloned()),
        }
    }

    fn check(&self, fs: &Filesystem) {
        let listed: BTreeSet<String> = fs.read_dir(p(&self.dir)).unwrap().map(|entry| entry.unwrap().name).collect();
        assert_eq!(listed, self.files.keys().map(ToString::to_string).collect::<BTreeSet<_>>(), "{}", self.dir);
        for (n, bytes) in &self.files {
            assert!(fs.read(p(&self.path(*n))).unwrap() == *bytes, "{}", self.path(*n));
        }
    }
}

impl Shared<'_> {
    fn step(&self, thread: u32, n: u32, random: &mut Random) {
        let fs = self.fs;
        let token = random.below(TOKENS);
        match random.below(7) {
            0 | 1 => {
                let record = format!("{thread:07} {n:07}\n");
                fs.append(p(&format!("/log{}", thread % LOGS)), record.as_bytes()).unwrap();
                self.appended.fetch_add(1, Ordering::Relaxed);
            }
            2 => {
                // Taken from one place to the other, if it is there: never two of it, never none.
                let places = [format!("/left/{token}"), format!("/right/{token}")];
                let [from, to] = if random.below(2) == 0 { [0, 1] } else { [1, 0] };
                either(fs.rename(p(&places[from]), p(&places[to])));
            }
            3 => {
                let slot = random.below(SLOTS);
                let (name, node) = (slot.to_string(), NewNode::file(0o644));
                let (gained, outcome) = if random.below(2) == 0 {
                    (1, fs.volume().create(self.slots, name.as_bytes(), &node).map(drop))
                } else {
                    (-1, fs.volume().unlink(self.slots, name.as_bytes()))
                };
                match outcome {
                    Ok(()) => drop(self.made[slot as usize].fetch_add(gained, Ordering::Relaxed)),
                    Err(LvError::Exists { .. } | LvError::NotFound { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            4 => {
                let link = format!("/links/{}", random.below(30));
                let gained = i64::from(either(fs.hard_link(p("/target"), p(&link))));
                let lost = i64::from(random.below(2) == 0 && either(fs.remove_file(p(&link))));
                self.links.fetch_add(gained - lost, Ordering::Relaxed);
            }
            5 => {
                let (a, b) = (random.below(6).to_string(), random.below(6).to_string());
                let ring = fs.volume().resolve(b"/ring", true).unwrap().ino;
                fs.volume().rename((ring, a.as_bytes()), (ring, b.as_bytes()), Rename::Exchange).unwrap();
            }
            _ if n.is_multiple_of(97) => fs.sync().unwrap(),
            _ => {
                let seen = fs.read_dir(p("/ring")).unwrap().map(|entry| entry.unwrap().name).collect::<BTreeSet<_>>();
                assert_eq!(seen.len(), 6, "exchanged names are there all the time");
            }
        }
    }

    fn check(&self, fs: &Filesystem) {
        let mut records = 0;
        for log in 0..LOGS {
            let text = fs.read_to_string(p(&format!("/log{log}"))).unwrap();
            let mut last: BTreeMap<&str, &str> = BTreeMap::new();
            assert_eq!(text.len() % RECORD, 0);
            records += text.len() / RECORD;
            for record in text.lines() {
                let (thread, n) = record.split_once(' ').unwrap();
                assert!(record.len() == RECORD - 1 && thread.len() == 7, "appends do not mix: {record}");
                assert!(last.insert(thread, n).is_none_or(|before| before < n), "a thread's appends keep their order");
            }
        }
        assert_eq!(i64::try_from(records).unwrap(), self.appended.load(Ordering::Relaxed));
        for token in 0..TOKENS {
            let places = [format!("/left/{token}"), format!("/right/{token}")];
            let there: Vec<_> = places.iter().filter(|path| fs.exists(p(path)).unwrap()).collect();
            assert_eq!(there.len(), 1, "token {token}");
            assert_eq!(fs.read_to_string(p(there[0])).unwrap(), token.to_string());
        }
        for (slot, made) in self.made.iter().enumerate() {
            let there = fs.exists(p(&format!("/slots/{slot}"))).unwrap();
            assert_eq!(i64::from(there), made.load(Ordering::Relaxed), "slot {slot}");
        }
        let links = self.links.load(Ordering::Relaxed);
        assert_eq!(i64::try_from(fs.metadata(p("/target")).unwrap().nlink).unwrap(), links + 1);
        assert_eq!(i64::try_from(fs.read_dir(p("/links")).unwrap().count()).unwrap(), links);
        let ring: BTreeSet<String> = (0..6).map(|n| fs.read_to_string(p(&format!("/ring/{n}"))).unwrap()).collect();
        assert_eq!(ring.len(), 6, "an exchange loses nothing and doubles nothing");
    }
}

fn prepare(fs: &Filesystem) {
    for dir in ["/left", "/right", "/slots", "/links", "/ring", "/own"] {
        fs.create_dir(p(dir)).unwrap();
    }
    fs.write(p("/target"), b"x").unwrap();
    (0..TOKENS).for_each(|n| fs.write(p(&format!("/left/{n}")), n.to_string().as_bytes()).unwrap());
    (0..6).for_each(|n| fs.write(p(&format!("/ring/{n}")), n.to_string().as_bytes()).unwrap());
    (0..LOGS).for_each(|n| fs.write(p(&format!("/log{n}")), b"").unwrap());
}

#[test]
fn a_hundred_threads_leave_what_a_serial_order_of_their_operations_leaves() {
    let rig = crate::busy(crate::support::Rig::new(2, 1000, 65536));
    let fs = rig.open().filesystem();
    prepare(&fs);
    let slots = fs.volume().resolve(b"/slots", true).unwrap().ino;
    let made = (0..SLOTS).map(|_| AtomicI64::new(0)).collect();
    let shared = Shared { fs: &fs, slots, made, links: AtomicI64::new(0), appended: AtomicI64::new(0) };
    let owns: Vec<Own> = std::thread::scope(|scope| {
        let run = |thread: u32| {
            let shared = &shared;
            move || {
                let mut random = Random(u64::from(thread + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                let mut own = Own { dir: format!("/own/{thread}"), files: BTreeMap::new() };
                shared.fs.create_dir(p(&own.dir)).unwrap();
                for n in 0..OPERATIONS {
                    if random.below(2) == 0 {
                        own.step(shared.fs, &mut random);
                    } else {
                        shared.step(thread, n, &mut random);
                    }
                }
                own
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let check = |fs: &Filesystem| {
        for own in &owns {
            own.check(fs);
        }
        shared.check(fs);
    };
    check(&fs);
    fs.volume().clone().close().unwrap();
    let again = rig.open().filesystem();
    check(&again);
    again.remove_dir_all(p("/own")).unwrap();
    shared.check(&again);
}
