//! Everything that happened to a volume, and which of its states a crash may leave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lv::Ino;

use super::op::{DIRECTORY_MODE, FILE_MODE, FsOp, Outcome, Place, Together, bytes};
use super::snapshot::{Code, DIRECTORY, Digest, FILE, Marks, SYMLINK, Snapshot, digest, sum};

/// Number of an operation, from 1; 0 is the beginning.
type Step = u64;

/// A state of the names, after an operation.
#[derive(Debug, Clone, Copy)]
struct NamesAt {
    step: Step,
    print: u64,
}

/// A file's or link's states.
#[derive(Debug, Clone, Default)]
struct Contents {
    now: Vec<u8>,
    /// In order; the first is what it began with.
    states: Vec<(Step, Digest)>,
    /// Operations that made it durable, in order.
    synced: Vec<Step>,
}

/// A file was renamed over another: the new name never shows contents older than these.
#[derive(Debug, Clone, Copy)]
struct Replacement {
    step: Step,
    ino: Ino,
}

/// A transaction wrote to a file: its names show if and only if these contents, or later ones, do.
#[derive(Debug, Clone, Copy)]
struct Joined {
    step: Step,
    ino: Ino,
}

/// What happened, in order, and what a crash may leave of it:
///
/// * the names, and the permissions, owners and extended attributes of what they lead to, are as after some prefix of
///   the operations on them that contains all acknowledged by fsync or sync;
/// * each file's contents are a state it really had, not older than its last fsync or sync, nor than the rename that
///   put it in another's place;
/// * all that a transaction did is there, or nothing of it.
#[derive(Debug, Clone, Default)]
pub struct History {
    step: Step,
    names: BTreeMap<Place, (Ino, Code)>,
    marks: BTreeMap<Ino, Marks>,
    prints: Vec<NamesAt>,
    contents: BTreeMap<Ino, Contents>,
    replaced: Vec<Replacement>,
    joined: Vec<Joined>,
    /// Operations that made all names durable.
    fsyncs: Vec<Step>,
    /// Operations that made everything durable.
    syncs: Vec<Step>,
}

/// The fingerprint of all names and of what they lead to, contents left out.
fn print(names: &BTreeMap<Place, (Ino, Code)>, marks: &BTreeMap<Ino, Marks>) -> u64 {
    let inodes: BTreeSet<Ino> = names.values().map(|(ino, _)| *ino).chain([Ino::ROOT]).collect();
    let marked = inodes.iter().filter_map(|ino| Some(marks.get(ino)?.print(*ino)));
    names.iter().map(|(place, node)| name_print(place, *node)).chain(marked).fold(0, |all, one| all ^ one)
}

/// What one name adds to the fingerprint of all.
fn name_print((dir, name): &Place, (ino, kind): (Ino, Code)) -> u64 {
    let mut key = name.clone();
    key.extend_from_slice(&dir.0.to_le_bytes());
    key.extend_from_slice(&ino.0.to_le_bytes());
    key.push(kind);
    sum(&key)
}

impl History {
    /// A history that begins with what is on a volume, all of it durable.
    pub fn new(start: &Snapshot) -> Self {
        let mut history = Self { names: start.names.clone(), marks: start.marks.clone(), ..Self::default() };
        history.marks.entry(Ino::ROOT).or_insert_with(|| Marks::new(DIRECTORY_MODE));
        history.prints.push(NamesAt { step: 0, print: print(&history.names, &history.marks) });
        for (ino, bytes) in &start.bytes {
            let contents = Contents { now: bytes.clone(), states: vec![(0, digest(bytes))], synced: Vec::new() };
            history.contents.insert(*ino, contents);
        }
        history
    }

    /// Operations so far.
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// Adds the next operation.
    pub fn push(&mut self, op: &FsOp, outcome: Outcome) {
        self.step += 1;
        let Outcome::Done(made) = outcome else { return };
        match op {
            FsOp::Create(place) => self.add(place, made.unwrap_or(Ino(0)), FILE, Some(Vec::new())),
            FsOp::Symlink(place, target) => {
                self.add(place, made.unwrap_or(Ino(0)), SYMLINK, Some(target.clone()));
            }
            FsOp::Mkdir(place) => self.add(place, made.unwrap_or(Ino(0)), DIRECTORY, None),
            FsOp::Link(ino, place) => self.add(place, *ino, FILE, None),
            FsOp::Unlink(place) | FsOp::Rmdir(place) => {
                self.names.remove(place);
                self.names_changed();
            }
            FsOp::Rename(from, to) => self.rename(from, to),
            FsOp::Write { ino, off, len, seed } => self.write(*ino, *off, *len, *seed),
            FsOp::Together(all) => self.together(all, made.unwrap_or(Ino(0))),
            FsOp::Replace(place, len, seed) => self.replace(place, made.unwrap_or(Ino(0)), bytes(*seed, *len)),
            FsOp::Chmod(..) | FsOp::Chown(..) | FsOp::SetXattr(..) | FsOp::RemoveXattr(..) => self.mark(op),
            FsOp::Truncate(ino, size) => {
                self.change(*ino, |now| now.resize(usize::try_from(*size).unwrap_or(usize::MAX), 0));
            }
            FsOp::Punch(ino, start, end) => self.change(*ino, |now| {
                let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(now.len());
                let range = clip(*start)..clip(*end);
                now[range].fill(0);
            }),
            FsOp::Copy { from, to, len } => self.copy(*from, *to, *len),
            FsOp::Fsync(ino) => {
                self.fsyncs.push(self.step);
                if let Some(contents) = self.contents.get_mut(ino) {
                    contents.synced.push(self.step);
                }
            }
            FsOp::Sync => {
                self.fsyncs.push(self.step);
                self.syncs.push(self.step);
            }
            FsOp::Work(_) | FsOp::Wait(_) => {}
        }
    }

    fn write(&mut self, ino: Ino, off: u64, len: usize, seed: u64) {
        let end = usize::try_from(off).unwrap_or(usize::MAX) + len;
        self.change(ino, |now| {
            now.resize(now.len().max(end), 0);
            now[end - len..end].copy_from_slice(&bytes(seed, len));
        });
    }

    fn copy(&mut self, (from, start): (Ino, u64), (to, off): (Ino, u64), len: u64) {
        let at = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX);
        let source = self.contents.get(&from).map(|contents| &contents.now[..]).unwrap_or_default();
        let end = at(start).saturating_add(at(len)).min(source.len());
        let bytes = source.get(at(start)..end).unwrap_or_default().to_vec();
        if bytes.is_empty() {
            return;
        }
        self.change(to, |now| {
            let end = at(off) + bytes.len();
            now.resize(now.len().max(end), 0);
            now[end - bytes.len()..end].copy_from_slice(&bytes);
        });
    }

    fn replace(&mut self, place: &Place, made: Ino, bytes: Vec<u8>) {
        // All that it ever was under a name is what was written before it had one.
        self.add(place, made, FILE, Some(bytes));
    }

    fn mark(&mut self, op: &FsOp) {
        let (FsOp::Chmod(ino, _) | FsOp::Chown(ino, ..) | FsOp::SetXattr(ino, ..) | FsOp::RemoveXattr(ino, _)) = op
        else {
            return;
        };
        let marks = self.marks.entry(*ino).or_default();
        match op {
            FsOp::Chmod(_, mode) => marks.mode = *mode,
            FsOp::Chown(_, uid, gid) => (marks.uid, marks.gid) = (*uid, *gid),
            FsOp::SetXattr(_, name, len, seed) => {
                marks.xattrs.insert(name.clone(), digest(&bytes(*seed, *len)));
            }
            FsOp::RemoveXattr(_, name) => drop(marks.xattrs.remove(name)),
            _ => {}
        }
        self.names_changed();
    }

    fn together(&mut self, all: &Together, made: Ino) {
        self.add(&all.place, made, FILE, Some(bytes(all.bytes.1, all.bytes.0)));
        self.joined.push(Joined { step: self.step, ino: made });
        if let Some((ino, off, len, seed)) = all.write {
            self.write(ino, off, len, seed);
            self.joined.push(Joined { step: self.step, ino });
        }
        if let Some(over) = &all.over {
            self.rename(&all.place, over);
        }
        if let Some(place) = &all.unlink {
            self.names.remove(place);
            self.names_changed();
        }
    }

    /// The last state: what a volume shows that did not crash.
    ///
    /// # Errors
    /// What differs.
    pub fn judge_live(&self, found: &Snapshot) -> Result<(), String> {
        if found.print() != print(&self.names, &self.marks) {
            return Err(format!("names: {}", self.difference(found)));
        }
        for (ino, found) in &found.contents {
            let expected = self.contents.get(ino).and_then(|contents| contents.states.last());
            if expected.is_none_or(|(_, digest)| digest != found) {
                return Err(format!("inode {ino}: {found:?} instead of {expected:?}"));
            }
        }
        Ok(())
    }

    /// Whether a crash may leave `found` when `done` operations had returned and `begun` had begun.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, found: &Snapshot, done: Step, begun: Step) -> Result<(), String> {
        let floor = last_until(&self.fsyncs, done);
        let print = found.print();
        let first = self.prints.partition_point(|at| at.step <= floor).saturating_sub(1);
        let candidates = self.prints[first..].iter().filter(|at| at.step <= begun && at.print == print);
        let mut why = None;
        for names in candidates {
            match self.judge_contents(found, names.step, done, begun) {
                Ok(()) => return Ok(()),
                Err(message) => why = Some(message),
            }
        }
        Err(why.unwrap_or_else(|| {
            let (at, difference) = (self.step, self.difference(found));
            format!("names are no state from {floor} to {begun} (done {done}); against the names at {at}: {difference}")
        }))
    }

    /// Judges contents, given that the names are those after `names`.
    fn judge_contents(&self, found: &Snapshot, names: Step, done: Step, begun: Step) -> Result<(), String> {
        let synced = last_until(&self.syncs, done);
        for (ino, digest) in &found.contents {
            let Some(contents) = self.contents.get(ino) else { return Err(format!("inode {ino} never was")) };
            let replaced = self.replaced.iter().filter(|r| r.ino == *ino && r.step <= names).map(|r| r.step);
            let joined = || self.joined.iter().filter(|j| j.ino == *ino).map(|j| j.step);
            let floor = synced.max(last_until(&contents.synced, done)).max(replaced.max().unwrap_or(0));
            let floor = floor.max(joined().rfind(|step| *step <= names).unwrap_or(0));
            let end = joined().find(|step| *step > names).map_or(begun, |step| begun.min(step - 1));
            let first = contents.states.partition_point(|(step, _)| *step <= floor).saturating_sub(1);
            let mut allowed = contents.states[first..].iter().take_while(|(step, _)| *step <= end);
            if !allowed.any(|(_, state)| state == digest) {
                let older = contents.states.iter().rfind(|(_, state)| state == digest).map(|(step, _)| *step);
                let known = older.map_or("no state it ever had".to_owned(), |step| format!("its state after {step}"));
                let states: Vec<_> = contents.states.iter().map(|(step, state)| (*step, state.len)).collect();
                return Err(format!(
                    "inode {ino}: {digest:?} is {known}, allowed from {floor} to {end} (done {done}): {states:?}"
                ));
            }
        }
        Ok(())
    }

    /// The inode behind a name.
    pub(crate) fn find(&self, place: &Place) -> Option<Ino> {
        self.names.get(place).map(|(ino, _)| *ino)
    }

    /// Whether nothing is in this directory.
    pub(crate) fn is_empty(&self, dir: Ino) -> bool {
        !self.names.keys().any(|(parent, _)| *parent == dir)
    }

    /// The names of files and what is in them.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Place, Ino, &[u8])> {
        self.names.iter().filter(|(_, (_, kind))| *kind == FILE).filter_map(|(place, (ino, _))| {
            self.contents.get(ino).map(|contents| (place, *ino, contents.now.as_slice()))
        })
    }

    pub(super) const fn names(&self) -> &BTreeMap<Place, (Ino, Code)> {
        &self.names
    }

    /// The inode behind a name now.
    pub(crate) fn lookup(&self, place: &Place) -> Option<Ino> {
        self.names.get(place).map(|(ino, _)| *ino)
    }

    pub(super) const fn marks(&self) -> &BTreeMap<Ino, Marks> {
        &self.marks
    }

    pub(crate) fn len(&self, ino: Ino) -> u64 {
        self.contents.get(&ino).map_or(0, |contents| contents.now.len() as u64)
    }

    fn add(&mut self, place: &Place, ino: Ino, kind: Code, bytes: Option<Vec<u8>>) {
        self.names.insert(place.clone(), (ino, kind));
        let mode = if kind == DIRECTORY { DIRECTORY_MODE } else { FILE_MODE };
        self.marks.entry(ino).or_insert_with(|| Marks::new(mode));
        if let Some(bytes) = bytes {
            let states = vec![(self.step, digest(&bytes))];
            self.contents.insert(ino, Contents { now: bytes, states, synced: Vec::new() });
        }
        self.names_changed();
    }

    fn rename(&mut self, from: &Place, to: &Place) {
        let Some(node) = self.names.get(from).copied() else { return };
        let over = self.names.get(to).copied();
        // Two names of one file: nothing happens.
        if over.is_some_and(|(ino, _)| ino == node.0) {
            return;
        }
        self.names.remove(from);
        if over.is_some_and(|(_, kind)| kind != DIRECTORY) {
            self.replaced.push(Replacement { step: self.step, ino: node.0 });
        }
        self.names.remove(to);
        self.names.insert(to.clone(), node);
        self.names_changed();
    }

    /// What lies between the changes of one operation never was.
    fn names_changed(&mut self) {
        self.prints.pop_if(|last| last.step == self.step);
        self.prints.push(NamesAt { step: self.step, print: print(&self.names, &self.marks) });
    }

    fn change(&mut self, ino: Ino, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(contents) = self.contents.get_mut(&ino) {
            change(&mut contents.now);
            contents.states.pop_if(|(step, _)| *step == self.step);
            contents.states.push((self.step, digest(&contents.now)));
        }
    }

    fn difference(&self, found: &Snapshot) -> String {
        let mut text = String::new();
        for (sign, these, those) in [("-", &self.names, &found.names), ("+", &found.names, &self.names)] {
            for ((dir, name), node) in these.iter().filter(|(place, node)| those.get(*place) != Some(*node)).take(8) {
                let _ = write!(text, " {sign}{dir}/{}={}", name.escape_ascii(), node.0);
            }
        }
        for (ino, found) in found.marks.iter().filter(|(ino, found)| self.marks.get(*ino) != Some(found)).take(4) {
            let _ = write!(text, " inode {ino}: {found:?} instead of {:?}", self.marks.get(ino));
        }
        text
    }
}

impl Snapshot {
    fn print(&self) -> u64 {
        print(&self.names, &self.marks)
    }
}

/// The last of `steps` (ascending) up to `end`, or 0.
fn last_until(steps: &[Step], end: Step) -> Step {
    steps[..steps.partition_point(|step| *step <= end)].last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        (Ino::ROOT, name.into())
    }

    fn done(made: u64) -> Outcome {
        Outcome::Done(Some(Ino(made)))
    }

    fn shown(names: &[(&str, u64)], contents: &[(u64, &[u8])]) -> Snapshot {
        Snapshot {
            names: names.iter().map(|(name, ino)| (place(name), (Ino(*ino), FILE))).collect(),
            contents: contents.iter().map(|(ino, bytes)| (Ino(*ino), digest(bytes))).collect(),
            bytes: BTreeMap::new(),
            marks: names
                .iter()
                .map(|(_, ino)| (Ino(*ino), Marks::new(FILE_MODE)))
                .chain([(Ino::ROOT, Marks::new(DIRECTORY_MODE))])
                .collect(),
        }
    }

    /// 1 create a, 2 write a, 3 fsync a, 4 create b, 5 write b, 6 rename b over a.
    fn history() -> History {
        let write = |ino, seed| FsOp::Write { ino: Ino(ino), off: 0, len: 4, seed };
        let mut history = History::new(&Snapshot::default());
        history.push(&FsOp::Create(place("a")), done(2));
        history.push(&write(2, 1), Outcome::Done(None));
        history.push(&FsOp::Fsync(Ino(2)), Outcome::Done(None));
        history.push(&FsOp::Create(place("b")), done(3));
        history.push(&write(3, 2), Outcome::Done(None));
        history.push(&FsOp::Rename(place("b"), place("a")), Outcome::Done(None));
        history
    }

    #[test]
    fn acknowledged_names_and_data_must_be_there() {
        let (history, old) = (history(), bytes(1, 4));
        assert!(history.judge(&shown(&[("a", 2)], &[(2, &old)]), 6, 6).is_ok());
        assert!(history.judge(&shown(&[], &[]), 6, 6).is_err());
        assert!(history.judge(&shown(&[], &[]), 2, 3).is_ok());
        assert!(history.judge(&shown(&[("a", 2)], &[(2, b"")]), 6, 6).is_err());
        assert!(history.judge(&shown(&[("a", 2)], &[(2, b"")]), 2, 3).is_ok());
        assert!(history.judge(&shown(&[("a", 2)], &[(2, b"junk")]), 2, 3).is_err());
    }

    #[test]
    fn names_are_a_prefix_and_nothing_from_the_future() {
        let (history, old) = (history(), bytes(1, 4));
        let both = shown(&[("a", 2), ("b", 3)], &[(2, &old), (3, b"")]);
        assert!(history.judge(&both, 4, 4).is_ok());
        assert!(history.judge(&both, 3, 3).is_err());
        assert!(history.judge(&shown(&[("b", 3)], &[(3, b"")]), 6, 6).is_err());
    }

    #[test]
    fn a_transaction_shows_all_it_did_or_nothing() {
        let (mut history, old) = (history(), bytes(2, 4));
        let all = Together {
            place: place("new"),
            bytes: (5, 7),
            write: Some((Ino(3), 0, 4, 8)),
            over: None,
            unlink: None,
            fails: false,
        };
        history.push(&FsOp::Together(Box::new(all)), done(4));
        let (made, changed) = (bytes(7, 5), bytes(8, 4));
        assert!(history.judge(&shown(&[("a", 3), ("new", 4)], &[(3, &changed), (4, &made)]), 7, 7).is_ok());
        assert!(history.judge(&shown(&[("a", 3)], &[(3, &old)]), 7, 7).is_ok());
        assert!(history.judge(&shown(&[("a", 3)], &[(3, &changed)]), 7, 7).is_err());
        assert!(history.judge(&shown(&[("a", 3), ("new", 4)], &[(3, &old), (4, &made)]), 7, 7).is_err());
        assert!(history.judge(&shown(&[("a", 3), ("new", 4)], &[(3, &changed), (4, b"")]), 7, 7).is_err());
    }

    #[test]
    fn permissions_and_attributes_come_with_the_names_of_their_moment() {
        let mut history = history();
        let value = bytes(3, 9);
        history.push(&FsOp::Chmod(Ino(3), 0o600), Outcome::Done(None));
        history.push(&FsOp::SetXattr(Ino(3), b"user.x".to_vec(), 9, 3), Outcome::Done(None));
        let mut found = shown(&[("a", 3)], &[(3, &bytes(2, 4))]);
        assert!(history.judge(&found, 8, 8).is_ok(), "neither was made durable");
        found.marks.get_mut(&Ino(3)).unwrap().xattrs.insert(b"user.x".to_vec(), digest(&value));
        assert!(history.judge(&found, 8, 8).is_err(), "the second without the first");
        found.marks.get_mut(&Ino(3)).unwrap().mode = 0o600;
        assert!(history.judge(&found, 8, 8).is_ok());
        history.push(&FsOp::Fsync(Ino(3)), Outcome::Done(None));
        found.marks.get_mut(&Ino(3)).unwrap().xattrs.clear();
        assert!(history.judge(&found, 9, 9).is_err(), "an acknowledged attribute is gone");
    }

    #[test]
    fn a_file_renamed_over_another_has_its_data() {
        let (history, new) = (history(), bytes(2, 4));
        assert!(history.judge(&shown(&[("a", 3)], &[(3, &new)]), 6, 6).is_ok());
        assert!(history.judge(&shown(&[("a", 3)], &[(3, b"")]), 6, 6).is_err());
    }
}
