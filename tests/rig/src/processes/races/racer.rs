//! One of those who race: draws commands, runs them, knows what must come of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use pv::Env;
use vg::{OpenOptions, PoolFiles, VgError, VgName, VolumeGroup};

use super::Name;
use super::command::{Ran, Runner};
use super::model::{Content, GROWING, OwnVolume, SHARED, Shared};
use crate::prng::Prng;

/// Racers with a spare PV.
const SPARES: u8 = 4;
/// Extents of a mebibyte.
const PER_MIB: u32 = 4;
/// Extents that the volume which grows may have, about.
const GROWN: u32 = 60;
/// The racer that renames the group.
const RENAMER: u8 = 7;

#[derive(Debug)]
pub(super) struct Racer {
    number: u8,
    rng: Prng,
    pub(super) runner: Runner,
    name: Arc<Name>,
    /// By name; two names are its own.
    own: BTreeMap<String, OwnVolume>,
    /// Seeds of files in volumes that belong to nobody.
    given: BTreeSet<u64>,
    joined: bool,
}

impl Racer {
    pub(super) fn new(number: u8, seed: u64, runner: Runner, name: Arc<Name>) -> Self {
        let rng = Prng::derived(seed, &[u64::from(number)]);
        Self { number, rng, runner, name, own: BTreeMap::new(), given: BTreeSet::new(), joined: false }
    }

    /// Its volumes and their sizes in extents.
    pub(super) fn volumes(&self) -> impl Iterator<Item = (String, u32)> + '_ {
        self.own.iter().map(|(name, volume)| (name.clone(), volume.extents))
    }

    /// Its spare PV, and whether the group has it.
    pub(super) fn spare(&self) -> Option<(PathBuf, bool)> {
        (self.number < SPARES).then(|| (self.spare_path(), self.joined))
    }

    fn spare_path(&self) -> PathBuf {
        self.runner.pool().join(format!("x{}.db", self.number))
    }

    fn names(&self) -> [String; 2] {
        ["a", "b"].map(|which| format!("w{}{which}", self.number))
    }

    /// Runs a command; done or refused.
    fn run(&mut self, words: &[&str], more: &[String]) -> Result<Ran, String> {
        self.runner.run(words, more)
    }

    /// `VG/LV`.
    fn lv(&self, name: &str) -> String {
        format!("{}/{name}", self.name.get())
    }

    /// One command.
    pub(super) fn step(&mut self, shared: &Shared) -> Result<(), String> {
        let names = self.names();
        let which = self.rng.index(2);
        let name = names[which].clone();
        match self.rng.below(24) {
            0..=2 => self.create(&name),
            3..=4 => self.extend(&name),
            5 => self.rename(&name, &names[1 - which]),
            6 => self.remove(&name),
            7..=10 => self.copy_in(&name),
            11..=13 => self.cat(&name),
            14 => self.rm(&name),
            15..=17 => self.report(),
            18 if self.number < SPARES => self.spare_pv(),
            18 if self.number == RENAMER => self.rename_group(),
            _ => self.fight(shared),
        }
    }

    fn create(&mut self, name: &str) -> Result<(), String> {
        let mib = 1 + u32::try_from(self.rng.below(3)).unwrap_or(0);
        let vg = self.name.get().to_owned();
        let done = self.run(&["lvcreate", "-n", name, "-L", &format!("{mib}m")], &[vg])?.ok();
        if done && self.own.contains_key(name) {
            return Err(format!("lvcreate made {name} a second time"));
        }
        if done {
            let volume = OwnVolume { extents: mib * PER_MIB, files: BTreeMap::new() };
            self.own.insert(name.to_owned(), volume);
        }
        Ok(())
    }

    fn extend(&mut self, name: &str) -> Result<(), String> {
        let lv = self.lv(name);
        let done = self.run(&["lvextend", "-L", "+1m"], &[lv])?.ok();
        match self.own.get_mut(name) {
            Some(volume) if done => volume.extents += PER_MIB,
            None if done => return Err(format!("lvextend extended {name}, which is not there")),
            _ => {}
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), String> {
        let vg = self.name.get().to_owned();
        if self.run(&["lvrename", &vg, from, to], &[])?.ok() {
            let known = self.own.remove(from).filter(|_| !self.own.contains_key(to));
            let volume = known.ok_or_else(|| format!("lvrename {from} {to} cannot have been done"))?;
            self.own.insert(to.to_owned(), volume);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), String> {
        let lv = self.lv(name);
        if self.run(&["lvremove", "-f", "-y"], &[lv])?.ok() && self.own.remove(name).is_none() {
            return Err(format!("lvremove removed {name}, which was not there"));
        }
        Ok(())
    }

    fn content(&mut self) -> Result<(Content, String), String> {
        let len = usize::try_from(self.rng.below(200_000)).unwrap_or(0);
        let content = Content { seed: self.rng.draw(), len };
        let path = self.runner.file("in");
        std::fs::write(&path, content.bytes()).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((content, path.display().to_string()))
    }

    fn some_file(&mut self) -> String {
        format!("f{}", self.rng.below(3))
    }

    fn copy_in(&mut self, name: &str) -> Result<(), String> {
        let (content, from) = self.content()?;
        let file = self.some_file();
        let to = format!("{}:/{file}", self.lv(name));
        let done = self.run(&["cp", &from], &[to])?.ok();
        match self.own.get_mut(name) {
            Some(volume) if done => drop(volume.files.insert(file, content)),
            None if done => return Err(format!("cp wrote to {name}, which is not there")),
            _ => {}
        }
        Ok(())
    }

    fn cat(&mut self, name: &str) -> Result<(), String> {
        let file = self.some_file();
        let from = format!("{}:/{file}", self.lv(name));
        let ran = self.run(&["cat"], &[from])?;
        let expected = self.own.get(name).and_then(|volume| volume.files.get(&file)).copied();
        let right = expected.is_some_and(|content| content.bytes() == ran.out);
        if ran.ok() && !right {
            let found = Content::of(&ran.out);
            return Err(format!("cat {name}:/{file}: {} bytes ({found:?}) instead of {expected:?}", ran.out.len()));
        }
        Ok(())
    }

    fn rm(&mut self, name: &str) -> Result<(), String> {
        let file = self.some_file();
        let path = format!("{}:/{file}", self.lv(name));
        if self.run(&["rm"], &[path])?.ok() && self.own.get_mut(name).and_then(|v| v.files.remove(&file)).is_none() {
            return Err(format!("rm removed {name}:/{file}, which was not there"));
        }
        Ok(())
    }

    fn report(&mut self) -> Result<(), String> {
        let verb = ["pvs", "vgs", "lvs", "df"][self.rng.index(4)];
        let more = match self.own.keys().next().filter(|_| verb == "df") {
            Some(name) => vec![self.lv(name)],
            None => Vec::new(),
        };
        self.run(&[verb], &more).map(drop)
    }

    fn spare_pv(&mut self) -> Result<(), String> {
        let (vg, path) = (self.name.get(), self.spare_path().display().to_string());
        let joins = self.rng.one_in(2);
        let done = if joins {
            self.run(&["vgextend", "--setphysicalvolumesize", "4m", vg], &[path])?.ok()
        } else {
            self.run(&["vgreduce", vg], &[path])?.ok()
        };
        if done && self.joined == joins {
            return Err(format!(
                "{} of {} cannot have been done",
                if joins { "vgextend" } else { "vgreduce" },
                self.number
            ));
        }
        if done {
            self.joined = joins;
        }
        Ok(())
    }

    /// There is no command for this yet; the library's call is the same one.
    fn rename_group(&mut self) -> Result<(), String> {
        let to = VgName::new(self.name.next()).map_err(|error| error.to_string())?;
        let rename = || -> Result<(), VgError> {
            let files = PoolFiles::Pv(self.runner.pool().join("p0.db"));
            let mut group = VolumeGroup::open(&Env::system(), &files, &OpenOptions::default())?;
            let lock = group.lock()?;
            group.change(&lock, |descriptor| {
                descriptor.name = to.clone();
                Ok(())
            })
        };
        let done = rename();
        self.runner.tally.count("vgrename", done.as_ref().err().map(ToString::to_string).as_deref());
        if done.is_ok() {
            self.name.changed();
        }
        Ok(())
    }

    /// Something with a volume that belongs to nobody.
    fn fight(&mut self, shared: &Shared) -> Result<(), String> {
        let which = self.rng.index(2);
        let (lv, vg) = (self.lv(SHARED[which]), self.name.get().to_owned());
        match self.rng.below(8) {
            0 | 1 => {
                if self.run(&["lvcreate", "-n", SHARED[which], "-L", "1m"], &[vg])?.ok() {
                    shared.made(which);
                }
            }
            2 => {
                if self.run(&["lvremove", "-f", "-y"], &[lv])?.ok() {
                    shared.removed(which);
                }
            }
            3 => {
                if self.run(&["lvrename", &vg, SHARED[which], SHARED[1 - which]], &[])?.ok() {
                    shared.removed(which);
                    shared.made(1 - which);
                }
            }
            4 => self.grow(shared)?,
            5 | 6 => {
                let (content, from) = self.content()?;
                self.given.insert(content.seed);
                self.run(&["cp", &from], &[format!("{lv}:/w{}", self.number)])?;
            }
            _ => {
                let ran = self.run(&["cat"], &[format!("{lv}:/w{}", self.number)])?;
                let right = Content::of(&ran.out).is_some_and(|content| self.given.contains(&content.seed));
                if ran.ok() && !right {
                    return Err(format!("cat {lv}:/w{}: {} bytes that nobody wrote", self.number, ran.out.len()));
                }
            }
        }
        Ok(())
    }

    /// What several add at the same time is all added.
    fn grow(&mut self, shared: &Shared) -> Result<(), String> {
        let more = 1 + u32::try_from(self.rng.below(2)).unwrap_or(0);
        let lv = self.lv(GROWING);
        if shared.grown() < GROWN && self.run(&["lvextend", "-l", &format!("+{more}")], &[lv])?.ok() {
            shared.grew(more);
        }
        Ok(())
    }

    /// All files that must be there.
    pub(super) fn check_files(&mut self) -> Result<(), String> {
        let files = |(name, volume): (&String, &OwnVolume)| -> Vec<_> {
            volume.files.iter().map(|(file, content)| (name.clone(), file.clone(), *content)).collect()
        };
        let all: Vec<(String, String, Content)> = self.own.iter().flat_map(files).collect();
        for (name, file, content) in all {
            let from = format!("{}:/{file}", self.lv(&name));
            let mut ran = self.run(&["cat"], std::slice::from_ref(&from))?;
            for _ in 0..200 {
                let passing = ["not found", "Failed to find", "in use by process"];
                if ran.ok() || !passing.iter().any(|text| ran.err.contains(text)) {
                    break;
                }
                // The group has another name by now, or another racer's `df` has a look at all volumes.
                ran = self.run(&["cat"], &[format!("{}:/{file}", self.lv(&name))])?;
            }
            if !ran.ok() || ran.out != content.bytes() {
                let found = Content::of(&ran.out);
                return Err(format!("{from}: {found:?} instead of {content:?} {}", ran.err));
            }
        }
        Ok(())
    }
}
