//! What happened, and what a crash may leave of it.
//!
//! * Names, attributes and extended attributes are as after some operation, not before the last that was acknowledged
//!   by an fsync or sync.
//! * Each file's contents, with size and time, are a state that it had: at or after its last fsync or sync, and at or
//!   after the operation that put it in another's place, if the names are.
//! * A transaction is there with all it wrote, or not at all.
//! * The group is as the last change that returned left it, or as one that was under way would.

use std::collections::{BTreeMap, BTreeSet};

use lv::{Attr, Ino, Kind};
use pv::PvUuid;

use super::found::Found;
use super::reference::{Id, Reference};

/// The volume group, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Its PVs.
    pub(super) pvs: BTreeSet<PvUuid>,
    /// Extents of the volume.
    pub(super) extents: u32,
}

/// What an operation promised when it returned.
#[derive(Debug, Clone, Default)]
pub(super) struct Promise {
    /// Everything before is durable.
    pub(super) everything: bool,
    /// A file is, and all names.
    pub(super) file: Option<Id>,
    /// These files show their contents, or newer ones, whenever the names show the operation.
    pub(super) replaced: Vec<Id>,
    /// As `replaced`, and they show them only then.
    pub(super) joined: Vec<Id>,
}

#[derive(Debug, Clone)]
struct Step {
    files: Reference,
    group: Group,
    promise: Promise,
}

/// All steps since everything was durable; step 0 is that state.
#[derive(Debug, Clone)]
pub(super) struct Past {
    steps: Vec<Step>,
}

/// A state that a crash was allowed to leave.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What the files are then.
    pub(super) files: Reference,
    /// What the group is.
    pub(super) group: Group,
    /// Names of operations that had returned are lost.
    pub(super) lost: bool,
}

impl Past {
    /// Begins with a durable state.
    pub(super) fn new(files: &Reference, group: &Group) -> Self {
        let promise = Promise { everything: true, ..Promise::default() };
        Self { steps: vec![Step { files: files.clone(), group: group.clone(), promise }] }
    }

    /// Adds the next step.
    pub(super) fn push(&mut self, files: &Reference, group: &Group, promise: Promise) {
        self.steps.push(Step { files: files.clone(), group: group.clone(), promise });
    }

    /// Number of the last step.
    pub(super) fn last(&self) -> usize {
        self.steps.len() - 1
    }

    /// Whether a crash may leave `found` and `group` when `done` steps had returned and `begun` had begun.
    pub(super) fn judge(
        &self,
        inos: &BTreeMap<Id, Ino>,
        (found, group): (&Found, &Group),
        (done, begun): (usize, usize),
    ) -> Result<Verdict, String> {
        if !self.steps[done..=begun].iter().any(|step| step.group == *group) {
            return Err(format!("the group is {group:?} instead of {:?}", self.steps[done].group));
        }
        let floor = self.last_where(done, |promise| promise.everything || promise.file.is_some());
        let mut why = Vec::new();
        for at in (floor..=begun).rev() {
            match self.fits(at, inos, found, (done, begun)) {
                Ok(mut files) => {
                    files.reopen();
                    return Ok(Verdict { files, group: group.clone(), lost: at < done });
                }
                Err(message) => why.push(format!("step {at}: {message}")),
            }
        }
        Err(format!("no state from step {floor} to {begun} (done {done}):\n  {}", why.join("\n  ")))
    }

    fn last_where(&self, until: usize, wanted: impl Fn(&Promise) -> bool) -> usize {
        (0..=until).rev().find(|at| wanted(&self.steps[*at].promise)).unwrap_or(0)
    }

    /// The state after step `at`, if `found` shows it, with the contents that were found.
    fn fits(
        &self,
        at: usize,
        inos: &BTreeMap<Id, Ino>,
        found: &Found,
        (done, begun): (usize, usize),
    ) -> Result<Reference, String> {
        let mut files = self.steps[at].files.clone();
        let named: Vec<Id> = files.ids().filter(|id| files.get(*id).is_ok_and(|node| node.nlink > 0)).collect();
        if named.len() != found.nodes.len() {
            return Err(format!("{} nodes instead of {}", found.nodes.len(), named.len()));
        }
        for id in &named {
            let ino = inos.get(id).copied().ok_or_else(|| format!("node {id} has no inode"))?;
            self.node_fits((at, *id, ino), inos, found)?;
        }
        for id in named {
            if files.get(id).is_ok_and(|node| node.kind == Kind::File) {
                let state = self.contents_fit((at, id, inos[&id]), found, (done, begun))?;
                files.rewind(id, &self.steps[state].files);
            }
        }
        Ok(files)
    }

    /// Everything about a node but a file's contents.
    fn node_fits(
        &self,
        (at, id, ino): (usize, Id, Ino),
        inos: &BTreeMap<Id, Ino>,
        found: &Found,
    ) -> Result<(), String> {
        let node = self.steps[at].files.get(id).map_err(|errno| format!("node {id}: {errno}"))?;
        let there = found.nodes.get(&ino).ok_or_else(|| format!("inode {ino} is not there"))?;
        let mut expected = node.attr(ino);
        if node.kind == Kind::File {
            (expected.size, expected.mtime) = (there.attr.size, there.attr.mtime);
        }
        if (Attr { stored: 0, ..there.attr }) != expected {
            return Err(format!("inode {ino}: {:?} instead of {expected:?}", there.attr));
        }
        let entries: BTreeMap<&[u8], Option<Ino>> =
            node.entries.iter().map(|(name, id)| (name.as_slice(), inos.get(id).copied())).collect();
        let listed: BTreeMap<&[u8], Option<Ino>> =
            there.entries.iter().map(|(name, ino)| (name.as_slice(), Some(*ino))).collect();
        if entries != listed {
            return Err(format!("directory {ino}: {listed:?} instead of {entries:?}"));
        }
        if there.target != node.target {
            return Err(format!("inode {ino}: another target"));
        }
        if there.xattrs != node.xattrs {
            let names: Vec<_> = there.xattrs.keys().map(|name| name.escape_ascii().to_string()).collect();
            return Err(format!("inode {ino}: other extended attributes: {names:?}"));
        }
        Ok(())
    }

    /// The step whose contents of a file were found, given that the names are those after step `at`.
    fn contents_fit(
        &self,
        (at, id, ino): (usize, Id, Ino),
        found: &Found,
        (done, begun): (usize, usize),
    ) -> Result<usize, String> {
        let synced = self.last_where(done, |promise| promise.everything || promise.file == Some(id));
        let shown = |promise: &Promise| promise.replaced.contains(&id) || promise.joined.contains(&id);
        let first = synced.max(self.last_where(at, shown));
        let later = (at + 1..=begun).find(|step| self.steps[*step].promise.joined.contains(&id));
        let last = later.map_or(begun, |step| step - 1);
        let there = found.nodes.get(&ino).ok_or_else(|| format!("inode {ino} is not there"))?;
        let same = |step: &usize| {
            let node = self.steps[*step].files.get(id);
            node.is_ok_and(|node| node.mtime == there.attr.mtime && node.contents.same(&there.contents))
        };
        if let Some(step) = (first..=last).rev().find(same) {
            return Ok(step);
        }
        let known = (0..=self.last()).rev().find(same);
        let known = known.map_or("a state it never had".to_owned(), |step| format!("its state after step {step}"));
        let (size, mtime) = (there.attr.size, there.attr.mtime);
        Err(format!(
            "inode {ino}: contents ({size} bytes, of time {mtime}) are {known}, allowed from {first} to {last}"
        ))
    }
}
