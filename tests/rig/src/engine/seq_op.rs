//! The operations that sequences are made of, by name of what they act on, and the ways of making them durable.

use lv::{Ino, Work};

use crate::fs::{FsOp, History, Place, Together};

/// One operation on the volume that sequences begin with: files `a`, `b` and `d/c`, folders `d` and `e`.
#[derive(Debug)]
pub(super) struct SeqOp {
    pub(super) name: &'static str,
    /// What it acts on: a path, at most one folder deep.
    on: &'static str,
    /// Where it leads, for those with two paths.
    to: &'static str,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Create,
    Mkdir,
    Rmdir,
    Symlink,
    Append(usize),
    Write(u64, usize),
    Truncate(u64),
    Punch(u64, u64),
    Rename,
    Link,
    Unlink,
    SetXattr,
    RemoveXattr,
    Chmod,
    Together,
    Replace,
}

const fn op(name: &'static str, on: &'static str, to: &'static str, what: What) -> SeqOp {
    SeqOp { name, on, to, what }
}

impl SeqOp {
    pub(super) const ALL: [Self; 26] = [
        op("create n", "n", "", What::Create),
        op("create e/n", "e/n", "", What::Create),
        op("mkdir m", "m", "", What::Mkdir),
        op("rmdir e", "e", "", What::Rmdir),
        op("symlink n", "n", "", What::Symlink),
        op("append to a", "a", "", What::Append(3000)),
        op("append to n", "n", "", What::Append(700)),
        op("overwrite in a", "a", "", What::Write(1000, 200)),
        op("overwrite a", "a", "", What::Write(0, 5000)),
        op("write past the end of b", "b", "", What::Write(9000, 500)),
        op("cut a", "a", "", What::Truncate(100)),
        op("extend b", "b", "", What::Truncate(9000)),
        op("punch a", "a", "", What::Punch(0, 4096)),
        op("rename a to n", "a", "n", What::Rename),
        op("rename a over b", "a", "b", What::Rename),
        op("rename n over a", "n", "a", What::Rename),
        op("rename b over d/c", "b", "d/c", What::Rename),
        op("rename d over e", "d", "e", What::Rename),
        op("link a as n", "a", "n", What::Link),
        op("unlink a", "a", "", What::Unlink),
        op("unlink d/c", "d/c", "", What::Unlink),
        op("setxattr of a", "a", "", What::SetXattr),
        op("removexattr of a", "a", "", What::RemoveXattr),
        op("chmod a", "a", "", What::Chmod),
        op("n and a together, over b", "a", "n", What::Together),
        op("replace b", "b", "", What::Replace),
    ];

    /// The operation on a volume with this history; `None` when what it names is not there.
    pub(super) fn make(&self, history: &History) -> Option<FsOp> {
        let place = place(history, self.on)?;
        let ino = || history.lookup(&place);
        let seed = history.step() + 77;
        Some(match self.what {
            What::Create => FsOp::Create(place),
            What::Mkdir => FsOp::Mkdir(place),
            What::Rmdir => FsOp::Rmdir(place),
            What::Symlink => FsOp::Symlink(place, b"some/target".to_vec()),
            What::Append(len) => FsOp::Write { ino: ino()?, off: history.len(ino()?), len, seed },
            What::Write(off, len) => FsOp::Write { ino: ino()?, off, len, seed },
            What::Truncate(size) => FsOp::Truncate(ino()?, size),
            What::Punch(start, end) => FsOp::Punch(ino()?, start, end),
            What::Rename => FsOp::Rename(place, self.target(history)?),
            What::Link => FsOp::Link(ino()?, self.target(history)?),
            What::Unlink => FsOp::Unlink(place),
            What::SetXattr => FsOp::SetXattr(ino()?, b"user.x".to_vec(), 100, seed),
            What::RemoveXattr => FsOp::RemoveXattr(ino()?, b"user.x".to_vec()),
            What::Chmod => FsOp::Chmod(ino()?, 0o600),
            What::Replace => FsOp::Replace(place, 2000, seed),
            What::Together => FsOp::Together(Box::new(Together {
                place: self.target(history)?,
                bytes: (2500, seed),
                write: Some((ino()?, 100, 400, seed + 1)),
                over: Some((Ino::ROOT, b"b".to_vec())),
                unlink: None,
                fails: false,
            })),
        })
    }

    fn target(&self, history: &History) -> Option<Place> {
        place(history, self.to)
    }

    /// The inode that it acts on, if it makes none.
    pub(super) fn touched(&self, history: &History) -> Option<Ino> {
        match self.what {
            What::Create | What::Mkdir | What::Symlink | What::Together | What::Replace => None,
            _ => history.lookup(&place(history, self.on)?),
        }
    }
}

fn place(history: &History, path: &str) -> Option<Place> {
    match path.split_once('/') {
        None => Some((Ino::ROOT, path.into())),
        Some((folder, name)) => Some((history.lookup(&(Ino::ROOT, folder.into()))?, name.into())),
    }
}

/// What follows an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persist {
    Nothing,
    /// fsync of what it acted on or made.
    File,
    /// fsync of the folder.
    Folder,
    All,
    /// Data goes to the PVs first, as the background would have it, then fsync of the file.
    Placed,
}

impl Persist {
    pub(super) const ALL: [Self; 5] = [Self::Nothing, Self::File, Self::Folder, Self::All, Self::Placed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::File => "fsync",
            Self::Folder => "fsync of the folder",
            Self::All => "sync",
            Self::Placed => "flush and fsync",
        }
    }

    /// Its steps after `op`, which acted on `ino`; `None` when there is nothing to make durable so.
    pub(super) fn steps(self, op: &SeqOp, ino: Option<Ino>, history: &History) -> Option<Vec<FsOp>> {
        let file = || ino.map(FsOp::Fsync).filter(|step| history.fits(step));
        Some(match self {
            Self::Nothing => Vec::new(),
            Self::File => vec![file()?],
            Self::Folder => vec![FsOp::Fsync(place(history, op.on).map_or(Ino::ROOT, |(dir, _)| dir))],
            Self::All => vec![FsOp::Sync],
            Self::Placed => vec![FsOp::Work(Work::Flush), file()?],
        })
    }
}
