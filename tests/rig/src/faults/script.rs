//! Workloads as texts: one step a line, files by name, so that a run that lost a step to a fault can go on.

use std::time::Duration;

use lv::{Ino, VolumeOptions, Work};

use super::stage::Layout;
use crate::engine::{Shape, Workload};
use crate::fs::{FsOp, History, Place, Together};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// An operation on the volume, in words.
    Fs(Vec<&'static str>),
    /// A random operation.
    Random,
    /// Everything is read and compared.
    Read,
    /// Closed and activated again.
    Reopen,
    /// Killed and activated again.
    Die,
    /// The volume group gets one more PV.
    Extend,
    /// The volume gets more extents, and is activated again.
    Grow,
}

/// A workload.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) layout: Layout,
    pub(super) options: VolumeOptions,
    pub(super) steps: Vec<Step>,
}

const FILES: &str = "create a / write a 0 300 / fsync a / create b / write b 0 9000 / fsync b / write b 4000 3000 /
    write a 100 700 / fsync b / mkdir d / create d/c / write d/c 0 20000 / work flush / write d/c 5000 6000 / sync /
    read / truncate d/c 7000 / punch b 1000 6000 / symlink l / link b d/b / fsync d/c / write d/c 0 14000 / work flush /
    unlink a / sync / read";

const REPLACE: &str = "create a / write a 0 5000 / sync / create t / write t 0 7000 / rename t a / fsync a / create t /
    write t 0 200 / rename t a / create b / fsync b / create t / write t 0 30000 / work flush / rename t b / work flush /
    write b 100 100 / create t / rename b t / sync / rename t a / unlink b / fsync a / read";

const TRANSACTIONS: &str = "create a / write a 0 6000 / fsync a / together n a 3000 / fsync n / together m n 500 /
    together-over x a 4000 / work flush / together-fails y m 2000 / sync / together-over z n 6000 / fsync m /
    together q m 300 / work flush / unlink q / together q m 5000 / sync / read";

const DELETING: &str = "mkdir d / create d/a / write d/a 0 16000 / create d/b / write d/b 0 16000 / create d/c /
    write d/c 0 300 / sync / unlink d/a / sync / work delete / wait 3000 / work delete / unlink d/b / unlink d/c /
    rmdir d / sync / wait 3000 / work clean / work delete / create e / write e 0 20000 / work flush / fsync e / wait 3000 /
    work clean / sync / read";

const COMPACTION: &str = "create a / write a 0 24000 / work flush / create b / write b 0 24000 / work flush / sync /
    punch a 0 3000 / punch a 4096 7000 / punch a 9000 12000 / punch b 5000 9000 / write b 13000 5000 / work flush / sync /
    work compact / sync / wait 2000 / work delete / punch b 0 4000 / truncate a 14000 / work compact / work clean / sync /
    write a 0 9000 / work flush / wait 2000 / work delete / sync / work compact / work delete / sync / read";

const COPIES: &str = "create a / write a 0 3000 / fsync a / create b / write b 0 12000 / work flush / fsync b /
    rename b a / sync / create c / write c 0 600 / fsync c / die / write c 0 3000 / fsync c / reopen / unlink c / sync /
    create d / write d 0 5000 / fsync d / work intents / sync / read";

const ACTIVATION: &str = "create a / write a 0 8000 / sync / create b / write b 0 12000 / work flush / write a 0 100 /
    fsync a / die / read / create c / write c 0 9000 / work flush / die / write c 0 6000 / unlink a / fsync c / die /
    reopen / work clean / read / create e / write e 0 300 / reopen / read";

const LOG: &str = "create a / write a 0 3000 / fsync a / write a 1000 3000 / fsync a / create b / write b 0 3500 /
    fsync b / work clean / write b 2000 3000 / fsync b / create c / fsync c / write c 0 3800 / fsync c / write a 0 3900 /
    fsync a / unlink c / sync / write b 0 3000 / fsync b / work intents / fsync b / work clean / sync / read";

const GROUP: &str =
    "create a / write a 0 20000 / sync / extend / create b / write b 0 30000 / work flush / fsync b / grow /
    write a 0 9000 / create c / write c 0 200 / fsync c / write b 0 60000 / work flush / sync / extend / die / read /
    grow / write c 0 5000 / sync";

const RANDOM: &str = "* 12 / die / * 12 / reopen / * 10 / sync / read";

impl Script {
    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        let usual = Workload::random();
        let plain = |pvs, extents, copies| Layout::Plain(Shape { pvs, extents, copies, ..usual.shape });
        let long_log = VolumeOptions { wal_bytes: 4 << 20, ..usual.options };
        let short_log = VolumeOptions { wal_bytes: 24 * 1024, ..usual.options };
        let patient = VolumeOptions { dirty_bytes: 1 << 20, flush_bytes: 1 << 19, ..usual.options };
        let make = |name, layout, options, text| Self { name, layout, options, steps: steps(text) };
        vec![
            make("files", plain(2, 40, 1), usual.options, FILES),
            make("replace", plain(3, 30, 1), long_log, REPLACE),
            make("transactions", plain(2, 40, 2), usual.options, TRANSACTIONS),
            make("deleting", plain(2, 16, 1), usual.options, DELETING),
            make("compaction", plain(1, 20, 1), usual.options, COMPACTION),
            make("copies", plain(2, 40, 2), usual.options, COPIES),
            make("activation", plain(2, 40, 1), long_log, ACTIVATION),
            make("log", plain(1, 40, 2), short_log, LOG),
            make("group", Layout::Group, patient, GROUP),
            make("random", plain(2, 24, 2), usual.options, RANDOM),
        ]
    }
}

/// The steps of a text: between slashes, `*` and a number for so many random ones.
fn steps(text: &'static str) -> Vec<Step> {
    let mut steps = Vec::new();
    for step in text.split(" /") {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words[..] {
            ["*", count] => steps.extend((0..number(count)).map(|_| Step::Random)),
            ["read"] => steps.push(Step::Read),
            ["reopen"] => steps.push(Step::Reopen),
            ["die"] => steps.push(Step::Die),
            ["extend"] => steps.push(Step::Extend),
            ["grow"] => steps.push(Step::Grow),
            _ => steps.push(Step::Fs(words)),
        }
    }
    steps
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

/// Where a name is, as far as its folder exists.
fn place(history: &History, name: &str) -> Option<Place> {
    match name.split_once('/') {
        None => Some((Ino::ROOT, name.into())),
        Some((dir, name)) => Some((history.find(&place(history, dir)?)?, name.into())),
    }
}

fn inode(history: &History, name: &str) -> Option<Ino> {
    history.find(&place(history, name)?)
}

/// A place where nothing is.
fn free(history: &History, name: &str) -> Option<Place> {
    place(history, name).filter(|place| history.find(place).is_none())
}

/// A place where something is.
fn taken(history: &History, name: &str) -> Option<Place> {
    place(history, name).filter(|place| history.find(place).is_some())
}

/// The operation of a step; `None` when an earlier failure left nothing to do it on. `seed` decides the bytes.
pub(super) fn operation(words: &[&str], history: &History, seed: u64) -> Option<FsOp> {
    let length = |word: &str| usize::try_from(number(word)).unwrap_or(0);
    Some(match *words {
        ["create", name] => FsOp::Create(free(history, name)?),
        ["mkdir", name] => FsOp::Mkdir(free(history, name)?),
        ["symlink", name] => FsOp::Symlink(free(history, name)?, b"some/target".to_vec()),
        ["link", from, to] => FsOp::Link(inode(history, from)?, free(history, to)?),
        ["unlink", name] => FsOp::Unlink(taken(history, name)?),
        ["rmdir", name] => {
            let ino = inode(history, name)?;
            FsOp::Rmdir(taken(history, name).filter(|_| history.is_empty(ino))?)
        }
        ["rename", from, to] => FsOp::Rename(taken(history, from)?, place(history, to)?),
        ["write", name, off, len] => {
            FsOp::Write { ino: inode(history, name)?, off: number(off), len: length(len), seed }
        }
        ["truncate", name, len] => FsOp::Truncate(inode(history, name)?, number(len)),
        ["punch", name, start, end] => FsOp::Punch(inode(history, name)?, number(start), number(end)),
        ["together", name, other, len] => together(history, (name, other), (length(len), seed), "")?,
        ["together-over", name, other, len] => together(history, (name, other), (length(len), seed), "over")?,
        ["together-fails", name, other, len] => together(history, (name, other), (length(len), seed), "fails")?,
        ["fsync", name] => FsOp::Fsync(inode(history, name)?),
        ["sync"] => FsOp::Sync,
        ["work", "flush"] => FsOp::Work(Work::Flush),
        ["work", "compact"] => FsOp::Work(Work::Compact),
        ["work", "intents"] => FsOp::Work(Work::Intents),
        ["work", "delete"] => FsOp::Work(Work::Delete),
        ["work", "clean"] => FsOp::Work(Work::Clean { idle: true }),
        ["wait", millis] => FsOp::Wait(Duration::from_millis(number(millis))),
        _ => panic!("no such step: {words:?}"),
    })
}

/// A new file with contents, and a write to another, or the new one takes the other's name.
fn together(history: &History, (name, other): (&str, &str), (len, seed): (usize, u64), how: &str) -> Option<FsOp> {
    let ino = inode(history, other)?;
    Some(FsOp::Together(Box::new(Together {
        place: free(history, name)?,
        bytes: (len, seed),
        write: (how != "over").then_some((ino, 10, len / 2 + 1, seed + 1)),
        over: if how == "over" { place(history, other) } else { None },
        unlink: None,
        fails: how == "fails",
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Snapshot;

    #[test]
    fn every_step_is_known() {
        let empty = History::new(&Snapshot::default());
        for script in Script::all() {
            assert!(script.steps.len() > 15, "{}", script.name);
            for step in &script.steps {
                if let Step::Fs(words) = step {
                    operation(words, &empty, 1);
                }
            }
        }
    }
}
