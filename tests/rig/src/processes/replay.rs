//! What a child did, by what it said.

use lv::Ino;

use crate::fs::{FsOp, Generator, History, Mix, Outcome, Snapshot};

/// The history of a child's volume as far as it was told.
#[derive(Debug)]
pub(super) struct Replay {
    seed: u64,
    generator: Generator,
    history: History,
    begun: Option<FsOp>,
    /// What it complained of, last.
    pub(super) complaint: Option<String>,
    /// Operations that had returned.
    pub(super) returned: u64,
    /// Of these, fsyncs and syncs.
    pub(super) acknowledged: u64,
    /// It ended by itself, with everything durable.
    pub(super) closed: bool,
}

impl Replay {
    /// Of a child that began with this history and seed.
    pub(super) fn new(seed: u64, mix: Mix, history: History) -> Self {
        let generator = Generator::new(seed, mix);
        let (begun, complaint) = (None, None);
        Self { seed, generator, history, begun, complaint, returned: 0, acknowledged: 0, closed: false }
    }

    /// Takes in more of what the child said.
    pub(super) fn take(&mut self, lines: &[String]) -> Result<(), String> {
        for line in lines {
            let outcome = match (line.as_str(), line.strip_prefix("D ").and_then(|ino| ino.parse().ok())) {
                ("B", _) => {
                    self.begun = Some(self.generator.draw(&self.history));
                    continue;
                }
                ("E", _) => {
                    self.history.push(&FsOp::Sync, Outcome::Done(None));
                    self.closed = true;
                    continue;
                }
                ("R", _) => Outcome::Refused,
                (_, Some(ino)) => Outcome::Done(Some(Ino(ino)).filter(|ino| ino.0 != 0)),
                (line, _) if line.starts_with("! ") => {
                    self.complaint = Some(line.to_owned());
                    continue;
                }
                _ => return Err(format!("child says: {line}")),
            };
            let Some(op) = self.begun.take() else { return Err(format!("child answers unasked: {line}")) };
            self.history.push(&op, outcome);
            self.returned += 1;
            self.acknowledged += u64::from(matches!(op, FsOp::Fsync(_) | FsOp::Sync));
        }
        Ok(())
    }

    /// Whether the volume holds what it must.
    pub(super) fn judge(&self, found: &Snapshot) -> Result<(), String> {
        let done = self.history.step();
        let seed = self.seed;
        let Err(message) = self.history.judge(found, done, done) else { return Ok(()) };
        let Some(op) = &self.begun else { return Err(format!("seed {seed}: {message}")) };
        let mut history = self.history.clone();
        history.push(op, Outcome::Done(made(op, found)));
        history
            .judge(found, done, done + 1)
            .map_err(|second| format!("seed {seed}: {message}\n and if the unanswered {op:?} happened: {second}"))
    }
}

/// The inode that an operation made, if what was found shows that it happened.
fn made(op: &FsOp, found: &Snapshot) -> Option<Ino> {
    match op {
        FsOp::Create(place) | FsOp::Mkdir(place) | FsOp::Symlink(place, _) => found.lookup(place),
        FsOp::Together(all) => found.lookup(all.over.as_ref().unwrap_or(&all.place)),
        _ => None,
    }
}
