//! `kill -9` of the process that serves a mount, while programs work on it.

mod book;
mod owner;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::book::Book;
use self::owner::{Owner, Tool};
use self::writer::Writer;
use crate::prng::Prng;
use crate::watch::watched;

/// Programs that write at the same time, each in a folder of its own.
const WRITERS: u64 = 4;
/// The longest life of an owner, in milliseconds.
const LIFE: u64 = 900;
/// What volumes are mounted with.
const OPTIONS: [&str; 5] = ["rw", "noatime", "no_writeback_cache", "locks=volume", "strictatime,threads=2"];

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct MountCounts {
    /// Owners ended with SIGKILL.
    pub kills: u64,
    /// Mounts that were unmounted instead.
    pub unmounts: u64,
    /// Operations that had returned.
    pub returned: u64,
    /// Of these, syncs.
    pub acknowledged: u64,
}

/// A mounted volume whose owner is killed again and again.
#[derive(Debug)]
pub struct MountKills {
    tool: Tool,
    books: Vec<Book>,
    rng: Prng,
    /// What was done so far.
    pub counts: MountCounts,
}

/// Why nothing can be mounted here, if nothing can.
pub fn cannot_mount() -> Option<String> {
    let device = std::fs::File::options().read(true).write(true).open("/dev/fuse");
    if let Err(error) = device {
        return Some(format!("/dev/fuse: {error}"));
    }
    let helper = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("fusermount3").is_file()));
    let root = rustix::process::geteuid().is_root();
    (!root && !helper).then(|| "neither root nor fusermount3 is there".to_owned())
}

impl MountKills {
    /// Makes a pool with a volume and a mount point in the folder `dir`, with the `anyfs-lvm` command.
    ///
    /// # Errors
    /// In words.
    pub fn new(dir: &Path, seed: u64, command: &Path) -> Result<Self, String> {
        let tool = Tool { dir: dir.to_owned(), command: command.to_owned() };
        for folder in ["pool", "mnt"] {
            std::fs::create_dir(dir.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
        }
        tool.run("vgcreate --metadatacopies 2 --setphysicalvolumesize 128m v pool/a.db pool/b.db")?;
        tool.run("lvcreate -n home -L 96m v")?;
        let books = (0..WRITERS).map(Book::new).collect();
        Ok(Self { tool, books, rng: Prng::new(seed), counts: MountCounts::default() })
    }

    /// Mounts the volume, looks at what is there, lets programs work on it, and ends that.
    ///
    /// # Errors
    /// What is wrong.
    pub fn round(&mut self) -> Result<(), String> {
        let _watched = watched(|| "a round of a mount".to_owned());
        let options = OPTIONS[self.rng.index(OPTIONS.len())];
        let mut owner = self.mount(options)?;
        let unmount = self.rng.one_in(4);
        let life = Duration::from_millis(5 + self.rng.below(LIFE));
        let stop = AtomicBool::new(false);
        let folders: Vec<PathBuf> = (0..WRITERS).map(|number| self.folder(number)).collect();
        let seeds: Vec<u64> = folders.iter().map(|_| self.rng.draw()).collect();
        let done: Result<Vec<_>, String> = std::thread::scope(|scope| {
            let started: Vec<_> = (self.books.iter_mut().zip(folders).zip(seeds))
                .map(|((book, dir), seed)| {
                    let stop = &stop;
                    scope.spawn(move || Writer::new(book, dir, seed).work(stop))
                })
                .collect();
            std::thread::sleep(life);
            stop.store(true, Ordering::SeqCst);
            if !unmount {
                owner.kill();
            }
            started.into_iter().map(|writer| writer.join().map_err(|_| "a writer died".to_owned())?).collect()
        });
        for (returned, acknowledged) in done.map_err(|message| format!("{options}: {message}"))? {
            self.counts.returned += returned;
            self.counts.acknowledged += acknowledged;
        }
        owner.away(unmount)?;
        if unmount {
            self.counts.unmounts += 1;
            self.books.iter_mut().for_each(Book::settle);
        } else {
            self.counts.kills += 1;
        }
        // A write that was interrupted is rolled back by whoever uses the volume, and not by a check.
        self.tool.run("df")?;
        let said = self.tool.run("check --data v/home")?;
        if said.contains("clean") { Ok(()) } else { Err(format!("check: {said}")) }
    }

    /// Looks at what the last round left.
    ///
    /// # Errors
    /// What is wrong.
    pub fn finish(&mut self) -> Result<(), String> {
        let _watched = watched(|| "the last look".to_owned());
        self.mount("ro")?.away(true)
    }

    fn folder(&self, number: u64) -> PathBuf {
        self.tool.dir.join("mnt").join(format!("w{number}"))
    }

    /// Mounts the volume, and judges what is on it.
    fn mount(&mut self, options: &str) -> Result<Owner, String> {
        let owner = Owner::new(&self.tool, options)?;
        for number in 0..WRITERS {
            let folder = self.folder(number);
            let Some(book) = self.books.get_mut(usize::try_from(number).unwrap_or(0)) else { continue };
            book.judge(&folder)
                .map_err(|message| format!("after a mount with {options}, writer {number}: {message}"))?;
        }
        Ok(owner)
    }
}
