//! Copying trees: one walker, several workers that copy files whole.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::progress::Progress;
use super::stop::Stop;
use super::{Keep, Kind, Meta, Res, Side, Sparse, Trouble, Whole, show};
use crate::failure::Failure;

/// Bytes moved at a time.
const BUFFER: usize = 256 * 1024;
/// Files waiting for a worker.
const QUEUE: usize = 256;
/// Failures told one by one.
const TOLD: usize = 100;

/// How to copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Keep everything: owner, mode, times, extended attributes, hard links, pipes and devices.
    pub(crate) archive: bool,
    /// Leave out files that are there with the same size and time.
    pub(crate) update: bool,
    /// Workers.
    pub(crate) workers: usize,
}

/// One thing to copy.
#[derive(Debug)]
pub(crate) struct Item<S: Side, D: Side> {
    pub(crate) from: S::Dir,
    /// `None`: what `from` contains.
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) to: D::Dir,
    pub(crate) new_name: Vec<u8>,
    /// A directory of the source that must not be entered: the destination, when it is in the same volume.
    pub(crate) never: Option<S::Dir>,
}

struct Job<S: Side, D: Side> {
    from: S::Dir,
    name: Vec<u8>,
    to: D::Dir,
    new_name: Vec<u8>,
    meta: Meta,
    shown: String,
}

struct Shared<'a, S: Side, D: Side> {
    source: &'a S,
    target: &'a D,
    options: Options,
    progress: &'a Progress,
    stop: &'a Stop,
    full: AtomicBool,
    failures: Mutex<Vec<Failure>>,
    /// Inodes with several names whose first name could not be made.
    lost: Mutex<HashSet<(u64, u64)>>,
}

impl<S: Side, D: Side> Shared<'_, S, D> {
    fn ended(&self) -> bool {
        self.stop.asked() || self.full.load(Ordering::Relaxed)
    }

    /// What an archive copy gives the new entry.
    fn kept(&self, dir: &S::Dir, name: &[u8], meta: &Meta) -> Res<Option<Keep>> {
        if !self.options.archive {
            return Ok(None);
        }
        Ok(Some(Keep { meta: *meta, xattrs: self.source.xattrs(dir, name)? }))
    }

    /// An entry was not made: other names of the same inode must not be linked to whatever has its name.
    fn lose(&self, meta: &Meta) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(meta.id);
    }

    fn failed(&self, shown: &str, trouble: Trouble) {
        let first_full = trouble.is_full() && !self.full.swap(true, Ordering::Relaxed);
        if trouble.is_full() && !first_full {
            // Every worker meets the same wall; one line is enough.
            return;
        }
        let failure = trouble.about(shown);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() == TOLD && !first_full {
            failures.push(Failure::new("... and more like these"));
        } else if failures.len() < TOLD || first_full {
            failures.push(failure);
        }
    }
}

/// Copies everything; what could not be copied is returned.
pub(crate) fn copy<S: Side, D: Side>(
    source: &S,
    target: &D,
    items: Vec<Item<S, D>>,
    options: Options,
    watch: (&Progress, &Stop),
) -> Vec<Failure> {
    let (progress, stop) = watch;
    let full = AtomicBool::new(false);
    let (failures, lost) = (Mutex::default(), Mutex::default());
    let shared = Shared { source, target, options, progress, stop, full, failures, lost };
    let (send, receive) = sync_channel(QUEUE);
    let receive = Mutex::new(receive);
    let mut made = Made { dirs: Vec::new(), first: HashMap::new(), links: Vec::new() };
    thread::scope(|scope| {
        for _ in 0..options.workers.max(1) {
            scope.spawn(|| work(&shared, &receive));
        }
        for item in items {
            walk(&shared, item, &send, &mut made);
        }
        drop(send);
    });
    for link in made.links.iter().take_while(|_| !shared.ended()) {
        if shared.lost.lock().unwrap_or_else(PoisonError::into_inner).contains(&link.id) {
            let text = format!("{}: one more name of a file that could not be copied; left out", link.shown);
            shared.failed(&link.shown, Failure::new(text).into());
            continue;
        }
        match target.make_hard_link((&link.first.0, &link.first.1), (&link.dir, &link.name)) {
            Ok(()) => progress.file(),
            Err(trouble) => shared.failed(&link.shown, trouble),
        }
    }
    // Last, and children before parents: making an entry changes the times of its directory.
    for (dir, keep) in made.dirs.iter().rev() {
        if let Err(trouble) = target.keep(dir, keep) {
            shared.failed("directory", trouble);
        }
    }
    shared.failures.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn work<S: Side, D: Side>(shared: &Shared<'_, S, D>, jobs: &Mutex<Receiver<Job<S, D>>>) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if shared.ended() {
            continue;
        }
        if let Err(trouble) = copy_file(shared, &job, &mut buffer) {
            shared.lose(&job.meta);
            shared.failed(&job.shown, trouble);
        }
    }
}

fn copy_file<S: Side, D: Side>(shared: &Shared<'_, S, D>, job: &Job<S, D>, buffer: &mut [u8]) -> Res<()> {
    let mut reader = shared.source.reader(&job.from, &job.name)?;
    let mut writer = shared.target.writer(&job.to, &job.new_name, job.meta.mode)?;
    loop {
        if shared.ended() {
            // Dropped unfinished, the writer leaves nothing behind.
            return Ok(());
        }
        let hole = reader.hole()?;
        if hole > 0 {
            writer.skip(hole)?;
            shared.progress.advance(hole);
        }
        let count = reader.read(buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        writer.write_all(bytes)?;
        shared.progress.advance(u64::try_from(count).unwrap_or(0));
    }
    writer.finish(shared.kept(&job.from, &job.name, &job.meta)?.as_ref())?;
    shared.progress.file();
    Ok(())
}

/// What is left to do when all files are copied.
struct Made<D: Side> {
    /// Directories, parents first.
    dirs: Vec<(D::Dir, Keep)>,
    /// Where the first name of an inode with several went.
    first: HashMap<(u64, u64), (D::Dir, Vec<u8>)>,
    /// The other names.
    links: Vec<HardLink<D>>,
}

struct HardLink<D: Side> {
    id: (u64, u64),
    first: (D::Dir, Vec<u8>),
    dir: D::Dir,
    name: Vec<u8>,
    shown: String,
}

impl<D: Side> Made<D> {
    /// Whether this is one more name of an inode that was seen already: it is linked later.
    fn links_later(&mut self, meta: &Meta, dir: &D::Dir, name: &[u8], shown: &str) -> bool {
        if meta.nlink < 2 || meta.kind == Kind::Directory {
            return false;
        }
        let Some(first) = self.first.get(&meta.id).cloned() else {
            self.first.insert(meta.id, (dir.clone(), name.to_vec()));
            return false;
        };
        let (dir, name, shown) = (dir.clone(), name.to_vec(), shown.to_owned());
        self.links.push(HardLink { id: meta.id, first, dir, name, shown });
        true
    }
}

/// A directory to go through, with its place in the target and its name for messages.
struct Open<S: Side, D: Side> {
    from: S::Dir,
    to: D::Dir,
    shown: String,
}

fn walk<S: Side, D: Side>(
    shared: &Shared<'_, S, D>,
    item: Item<S, D>,
    jobs: &SyncSender<Job<S, D>>,
    made: &mut Made<D>,
) {
    let mut open = Vec::new();
    match item.name {
        None => {
            if shared.options.archive {
                match shared.source.own(&item.from) {
                    Ok(keep) => made.dirs.push((item.to.clone(), keep)),
                    Err(trouble) => shared.failed("directory", trouble),
                }
            }
            open.push(Open { from: item.from, to: item.to, shown: String::new() });
        }
        Some(name) => {
            let parent = Open { from: item.from, to: item.to, shown: String::new() };
            visit(shared, &parent, (&name, &item.new_name), jobs, &mut open, made);
        }
    }
    // A stack, not recursion: trees may be of any depth.
    while let Some(dir) = open.pop() {
        if shared.ended() {
            return;
        }
        if item.never.as_ref() == Some(&dir.from) {
            shared.failed("", Failure::new(format!("{}: cannot copy a directory into itself", dir.shown)).into());
            continue;
        }
        match shared.source.list(&dir.from) {
            Err(trouble) => shared.failed(&dir.shown, trouble),
            Ok(names) => {
                let before = open.len();
                for name in names {
                    visit(shared, &dir, (&name, &name), jobs, &mut open, made);
                }
                // A directory is gone into by one name only, or a volume with two could make this last for ever.
                let mut entered = HashSet::new();
                for twice in open.extract_if(before.., |below| !entered.insert(below.from.clone())) {
                    let text = format!("{}: damaged metadata: another name of a directory", twice.shown);
                    shared.failed(&twice.shown, Failure::new(text).into());
                }
            }
        }
    }
}

fn visit<S: Side, D: Side>(
    shared: &Shared<'_, S, D>,
    dir: &Open<S, D>,
    names: (&[u8], &[u8]),
    jobs: &SyncSender<Job<S, D>>,
    open: &mut Vec<Open<S, D>>,
    made: &mut Made<D>,
) {
    let (name, new_name) = names;
    let shown = if dir.shown.is_empty() { show::name(name) } else { format!("{}/{}", dir.shown, show::name(name)) };
    let done = place(shared, dir, names, (made, &shown)).and_then(|placed| match placed {
        Placed::Done => Ok(()),
        Placed::Directory(from, to, keep) => {
            made.dirs.extend(keep.map(|keep| (to.clone(), keep)));
            open.push(Open { from, to, shown: shown.clone() });
            Ok(())
        }
        Placed::File(meta) => {
            shared.progress.expect(meta.size);
            let (from, to) = (dir.from.clone(), dir.to.clone());
            let job = Job { from, name: name.to_vec(), to, new_name: new_name.to_vec(), meta, shown: shown.clone() };
            jobs.send(job).map_err(|_| Failure::new("the copy ended early").into())
        }
    });
    if let Err(trouble) = done {
        shared.failed(&shown, trouble);
    }
}

/// What became of an entry.
enum Placed<S: Side, D: Side> {
    Done,
    Directory(S::Dir, D::Dir, Option<Keep>),
    File(Meta),
}

fn place<S: Side, D: Side>(
    shared: &Shared<'_, S, D>,
    dir: &Open<S, D>,
    names: (&[u8], &[u8]),
    (made, shown): (&mut Made<D>, &str),
) -> Res<Placed<S, D>> {
    let Some(meta) = shared.source.entry(&dir.from, names.0)? else {
        return Err(Failure::new(format!("{shown}: No such file or directory")).into());
    };
    if shared.options.archive && made.links_later(&meta, &dir.to, names.1, shown) {
        return Ok(Placed::Done);
    }
    let made = make(shared, dir, names, (&meta, shown));
    if made.is_err() {
        shared.lose(&meta);
    }
    made
}

/// Makes what is no regular file.
fn make<S: Side, D: Side>(
    shared: &Shared<'_, S, D>,
    dir: &Open<S, D>,
    (name, new_name): (&[u8], &[u8]),
    (meta, shown): (&Meta, &str),
) -> Res<Placed<S, D>> {
    match meta.kind {
        Kind::File if shared.options.update && is_same(shared.target, &dir.to, new_name, meta)? => Ok(Placed::Done),
        Kind::File => Ok(Placed::File(*meta)),
        Kind::Directory => {
            let from = shared.source.enter(&dir.from, name)?;
            let to = shared.target.make_dir(&dir.to, new_name, meta.mode).map_err(|trouble| match trouble {
                Trouble::Io(error) if error.kind() == ErrorKind::NotADirectory => {
                    let name = show::name(new_name);
                    Failure::new(format!("{shown}: the target has something named {name} that is not a directory"))
                        .into()
                }
                other => other,
            })?;
            Ok(Placed::Directory(from, to, shared.kept(&dir.from, name, meta)?))
        }
        Kind::Symlink => {
            let target = shared.source.link_target(&dir.from, name)?;
            let keep = shared.kept(&dir.from, name, meta)?;
            shared.target.make_link(&dir.to, new_name, &target, keep.as_ref())?;
            shared.progress.file();
            Ok(Placed::Done)
        }
        _ if shared.options.archive => {
            let keep = Keep { meta: *meta, xattrs: shared.source.xattrs(&dir.from, name)? };
            shared.target.make_special(&dir.to, new_name, &keep)?;
            shared.progress.file();
            Ok(Placed::Done)
        }
        _ => {
            let failure = Failure::new(format!("{shown}: not a file, directory or link; left out"));
            Err(failure.hint("cp -a copies pipes, sockets and devices too").into())
        }
    }
}

fn is_same<D: Side>(target: &D, dir: &D::Dir, name: &[u8], meta: &Meta) -> Res<bool> {
    let found = target.entry(dir, name)?;
    Ok(found.is_some_and(|there| (there.kind, there.size, there.mtime) == (meta.kind, meta.size, meta.mtime)))
}

#[cfg(test)]
mod tests;
