//! One cycle: a pool on a small filesystem is filled, emptied and filled again.

use std::path::Path;

use lv::{Ino, LvError, NewNode, SetAttr, Volume};

use super::ground::{Ground, Kind};
use super::model::Model;
use super::plan::Plan;
use super::{Tally, pool, refusal};
use crate::fs::bytes;
use crate::prng::Prng;
use crate::watch::Watched;

/// Bytes of one write.
const PIECE: u64 = 100_000;
/// Below this a full volume is full.
const LAST: u64 = 4096;
/// Files of one fill, at most.
const FILES: u64 = 40_000;

/// A cycle at work.
pub(super) struct Cycle<'a> {
    plan: Plan,
    ground: &'a Ground,
    rng: Prng,
    model: Model,
    next: u64,
    tally: &'a mut Tally,
    watched: &'a Watched,
    /// The other program holds space.
    loaded: bool,
    /// The reserve was there when it took it.
    reserved: bool,
    /// Something that `df` showed and that was not true.
    lie: Option<String>,
}

/// How a fill ended.
enum Filled {
    /// The host is full; bytes that were there then.
    Full(u64),
    /// The volume stopped, which only happens when another program took what it counted on.
    Stopped,
}

pub(super) fn run(seed: u64, plan: Plan, base: &Path, (tally, watched): (&mut Tally, &Watched)) -> Result<(), String> {
    let ground = Ground::new(plan.kind, base, plan.host)?;
    let (rng, model) = (Prng::derived(seed, &[2]), Model::default());
    let mut cycle =
        Cycle { plan, ground: &ground, rng, model, next: 0, tally, watched, loaded: false, reserved: false, lie: None };
    let done = cycle.turns();
    done.map_err(|why| {
        let kept = base.with_extension("kept");
        let tree = if plan.kind == Kind::Memory { String::new() } else { sizes(&ground) };
        format!("{why}\n  {plan:?}\n  {}\n{tree}", ground.save(&kept))
    })
}

/// Names and sizes of what is on the host.
fn sizes(ground: &Ground) -> String {
    let mut lines = vec![format!("  {} bytes free", ground.free())];
    let mut open = vec![ground.dir.clone()];
    while let Some(dir) = open.pop() {
        for path in ground.env.host.list(&dir).unwrap_or_default() {
            if path.is_dir() {
                open.push(path);
            } else if let Ok(file) = ground.env.host.stat(&path) {
                lines.push(format!("  {:>10}  {}", file.len.0, path.display()));
            }
        }
    }
    lines.join("\n")
}

impl Cycle<'_> {
    fn turns(&mut self) -> Result<(), String> {
        pool::create(self.ground, &self.plan)?;
        let mut volume = self.open()?;
        let mut best = 0;
        for turn in 0..self.plan.turns {
            let began = self.model.bytes();
            let disturbed = self.plan.ballast && self.rng.one_in(2);
            volume = match self.fill(&volume, disturbed)? {
                Filled::Full(reached) => {
                    if !disturbed && best == 0 {
                        best = reached;
                    }
                    if !disturbed && reached == 0 {
                        return Err(format!("turn {turn}: nothing was accepted"));
                    }
                    if !disturbed && reached < best / 10 * 8 {
                        return Err(format!(
                            "turn {turn} reached {reached} bytes (began with {began}), an earlier one {best}"
                        ));
                    }
                    self.tally.bytes += reached.saturating_sub(began);
                    self.at_full(volume)?
                }
                Filled::Stopped => self.again(volume)?,
            };
            volume = self.delete(volume)?;
            self.lift()?;
            self.must(volume.sync(), "sync with space")?;
            self.model.acknowledge_all();
            self.model.judge(&volume)?;
        }
        self.must(volume.close(), "close with space")?;
        self.model.acknowledge_all();
        let volume = self.open()?;
        self.model.judge(&volume)?;
        self.must(volume.close(), "close with space")?;
        pool::check(self.ground, &self.plan)
    }

    fn open(&mut self) -> Result<Volume, String> {
        self.tally.opened += 1;
        self.watched.goes_on();
        pool::open(self.ground, self.plan.threads).map_err(|why| format!("opening: {why}"))
    }

    fn must(&self, done: Result<(), LvError>, what: &str) -> Result<(), String> {
        done.map_err(|error| format!("{what} ({} bytes free): {error}", self.ground.free()))
    }

    /// An error that there may be while the host is full.
    fn refused(&mut self, error: &LvError, what: &str) -> Result<(), String> {
        self.tally.refused += 1;
        if let Some(lie) = self.lie.take() {
            return Err(lie);
        }
        if error.errno() != 28 && !self.stopped(error) {
            return Err(format!("{what}: error {} instead of 28: {error}", error.errno()));
        }
        match refusal::fault(&error.to_string(), error.hint()) {
            Some(why) if !self.stopped(error) => Err(format!("{what}: {why}")),
            _ => Ok(()),
        }
    }

    /// Whether the volume has stopped for a reason that is none of its faults.
    fn stopped(&self, error: &LvError) -> bool {
        // Who met the failed write is told of it, all others of the stop.
        let stops = matches!(error, LvError::Poisoned { .. } | LvError::Pv(pv::PvError::NoSpace { .. }));
        self.loaded && stops && error.to_string().contains("no space left")
    }

    /// Whether deleting must work: the reserve is enough for that, and not for data as well that was accepted before the
    /// other program took its room.
    fn secured(&self) -> bool {
        self.reserved && !self.model.owes()
    }

    fn load(&mut self) -> Result<(), String> {
        // It may be in use already, or be what was left when somebody closed.
        self.reserved = self.ground.reserved();
        let leave = [0, 0, 0, 4096, 65_536, 300_000][self.rng.index(6)];
        self.ground.ballast(leave)?;
        self.loaded = true;
        self.tally.ballasts += 1;
        Ok(())
    }

    fn lift(&mut self) -> Result<(), String> {
        self.ground.lift()?;
        self.loaded = false;
        Ok(())
    }

    /// Makes files until there is no room for [`LAST`] bytes.
    fn fill(&mut self, volume: &Volume, disturbed: bool) -> Result<Filled, String> {
        let mut largest = u64::MAX;
        let first = self.model.count();
        while largest >= LAST && self.model.count() < first + FILES {
            if disturbed && !self.loaded && self.rng.one_in(30) {
                self.load()?;
            }
            let len = self.plan.length(&mut self.rng).min(largest);
            match self.file(volume, len) {
                Ok(()) => {}
                Err((what, error)) => {
                    self.refused(&error, &what)?;
                    if self.stopped(&error) {
                        return Ok(Filled::Stopped);
                    }
                    largest = largest.min(len.max(LAST)) / 2;
                }
            }
        }
        if largest >= LAST {
            return Err(format!("{FILES} files and still not full"));
        }
        self.tally.filled += 1;
        Ok(Filled::Full(self.model.bytes()))
    }

    /// Makes a file of `len` bytes, and now and then makes it durable.
    fn file(&mut self, volume: &Volume, len: u64) -> Result<(), (String, LvError)> {
        let name = format!("f{:05}", self.next);
        self.next += 1;
        let made = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o600));
        let ino = made.map_err(|error| (format!("creating {name}"), error))?.ino;
        self.model.create(&name);
        let mut off = 0;
        while off < len {
            let part = PIECE.min(len - off);
            self.write(volume, (&name, ino), off, part)?;
            off += part;
        }
        if self.plan.fsync > 0 && self.rng.one_in(self.plan.fsync) {
            volume.fsync(ino).map_err(|error| (format!("fsync of {name}"), error))?;
            self.model.acknowledge(&name);
            self.tally.acknowledged += 1;
        }
        Ok(())
    }

    fn write(&mut self, volume: &Volume, file: (&str, Ino), off: u64, len: u64) -> Result<(), (String, LvError)> {
        self.watched.goes_on();
        let data = bytes(self.rng.draw(), usize::try_from(len).unwrap_or(0));
        let shown = volume.statfs().map_err(|error| ("statfs".to_owned(), error))?.free;
        match volume.write(file.1, off, &data) {
            Ok(()) => {
                self.model.write(file.0, off, &data);
                Ok(())
            }
            Err(error) => {
                if shown >= len && !self.loaded {
                    self.lie
                        .get_or_insert_with(|| format!("df showed {shown} bytes free, {len} were refused: {error}"));
                }
                Err((format!("writing {len} bytes to {}", file.0), error))
            }
        }
    }

    /// Everything that must work when the host is full.
    fn at_full(&mut self, volume: Volume) -> Result<Volume, String> {
        self.model.judge(&volume)?;
        if self.loaded {
            // What it counted on was taken.
            match volume.sync() {
                Ok(()) => self.model.acknowledge_all(),
                Err(error) => self.refused(&error, "sync of a full volume")?,
            }
        } else {
            self.must(volume.sync(), "sync of a full volume")?;
            self.model.acknowledge_all();
        }
        self.tally.acknowledged += 1;
        if self.plan.ballast && self.rng.one_in(2) {
            self.load()?;
        }
        let volume = self.change(volume)?;
        if self.rng.one_in(3) {
            return Ok(volume);
        }
        self.again(volume)
    }

    /// Overwrites and cuts files of a full volume.
    fn change(&mut self, volume: Volume) -> Result<Volume, String> {
        let names = self.model.names_of_all();
        // Somebody else may have taken everything before the first file.
        let changes = if names.is_empty() { 0 } else { self.rng.below(40) };
        for _ in 0..changes {
            let name = &names[self.rng.index(names.len())];
            let found = volume.lookup(Ino::ROOT, name.as_bytes());
            let Ok(attr) = found else { return self.after(volume, found.map(drop), "looking up a name") };
            let done = if self.rng.one_in(4) {
                let len = self.rng.below(attr.size + 1);
                let set = SetAttr { size: Some(len), ..SetAttr::default() };
                let done = volume.setattr(attr.ino, &set).map(drop);
                if done.is_ok() {
                    self.model.truncate(name, len);
                }
                done
            } else {
                let len = 1 + self.rng.below(attr.size.clamp(1, PIECE));
                let off = self.rng.below(attr.size.saturating_sub(len) + 1);
                self.write(&volume, (name, attr.ino), off, len).map_err(|(_, error)| error)
            };
            if let Err(error) = done {
                self.refused(&error, "changing a full volume")?;
                if self.stopped(&error) {
                    return self.again(volume);
                }
            }
            self.tally.changed += 1;
        }
        let synced = volume.sync();
        self.after(volume, synced, "sync after changes of a full volume")
    }

    /// Goes on after something that makes all durable when it works; opens again when the volume has stopped.
    fn after(&mut self, volume: Volume, done: Result<(), LvError>, what: &str) -> Result<Volume, String> {
        match done {
            Ok(()) => {
                self.model.acknowledge_all();
                Ok(volume)
            }
            Err(error) if self.loaded => {
                self.refused(&error, what)?;
                if self.stopped(&error) { self.again(volume) } else { Ok(volume) }
            }
            Err(error) => Err(format!("{what} ({} bytes free): {error}", self.ground.free())),
        }
    }

    /// Closes and opens again, with whatever is free.
    fn again(&mut self, volume: Volume) -> Result<Volume, String> {
        match volume.close() {
            Ok(()) => self.model.acknowledge_all(),
            Err(error) if self.loaded => self.refused(&error, "close of a full volume")?,
            Err(error) => return Err(format!("close of a full volume ({} bytes free): {error}", self.ground.free())),
        }
        let free = self.ground.free();
        let volume = match self.open() {
            Ok(volume) => volume,
            Err(why) if self.loaded && !self.reserved => {
                // Not one byte, and no reserve: whoever took it must give some back.
                if let Some(fault) = refusal::fault(&why, Some("")) {
                    return Err(format!("with {free} bytes free: {fault}"));
                }
                self.tally.unopened += 1;
                self.lift()?;
                self.open()?
            }
            Err(why) => return Err(format!("with {free} bytes free, reserve {}: {why}", self.reserved)),
        };
        self.model.judge_after_crash(&volume)?;
        Ok(volume)
    }

    /// Deletes at least half of the files with what is free, and makes it durable.
    fn delete(&mut self, mut volume: Volume) -> Result<Volume, String> {
        let all = self.rng.one_in(2);
        let mut count = 0;
        for name in self.model.names_of_all() {
            if !all && self.rng.one_in(3) {
                continue;
            }
            self.watched.goes_on();
            match volume.unlink(Ino::ROOT, name.as_bytes()) {
                Ok(()) => self.model.unlink(&name),
                Err(error) if self.loaded && !self.secured() => {
                    self.refused(&error, "deleting")?;
                    self.lift()?;
                    if matches!(error, LvError::Poisoned { .. }) {
                        volume = self.again(volume)?;
                    }
                    continue;
                }
                Err(error) => return Err(format!("deleting {name} ({} bytes free): {error}", self.ground.free())),
            }
            count += 1;
            if count % 1000 == 1 {
                let synced = volume.sync();
                volume = self.deleted(volume, synced)?;
            }
        }
        self.tally.deleted += count;
        let synced = volume.sync();
        let volume = self.deleted(volume, synced)?;
        self.model.judge(&volume)?;
        Ok(volume)
    }

    /// What was deleted is durable: the reserve is there for that.
    fn deleted(&mut self, volume: Volume, synced: Result<(), LvError>) -> Result<Volume, String> {
        match synced {
            Ok(()) => {
                self.model.acknowledge_all();
                Ok(volume)
            }
            Err(error) if self.loaded && !self.secured() => {
                self.refused(&error, "sync after deleting")?;
                self.lift()?;
                self.again(volume)
            }
            Err(error) => Err(format!(
                "sync after deleting ({} bytes free, reserve {}): {error}",
                self.ground.free(),
                self.reserved
            )),
        }
    }
}
