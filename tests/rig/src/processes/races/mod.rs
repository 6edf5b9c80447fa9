//! Commands that race: processes of the real `anyfs-lvm` change one volume group at the same time.
//!
//! Every racer has logical volumes, files and a spare PV of its own, of which it knows exactly what must be there; all of
//! them fight for extents, for the group's name, and for two logical volumes that belong to nobody. After each round, when
//! nobody runs, the group is compared with what was acknowledged.

mod check;
mod command;
mod model;
mod racer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use self::command::Runner;
use self::model::{GROWING, Shared};
use self::racer::Racer;

/// Processes at the same time.
const RACERS: u8 = 8;
/// Commands of each in a round.
const COMMANDS: u64 = 20;
/// PVs to begin with.
const PVS: u8 = 4;

/// Names of the volume group, in turn.
const NAMES: [&str; 2] = ["vg", "other"];

/// The present name of the group.
#[derive(Debug, Default)]
struct Name(AtomicU8);

impl Name {
    fn get(&self) -> &'static str {
        NAMES[usize::from(self.0.load(Ordering::Acquire)) % NAMES.len()]
    }

    fn next(&self) -> &'static str {
        NAMES[usize::from(self.0.load(Ordering::Acquire).wrapping_add(1)) % NAMES.len()]
    }

    fn changed(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A volume group and those who race for it.
#[derive(Debug)]
pub struct Races {
    pool: PathBuf,
    name: Arc<Name>,
    racers: Vec<Racer>,
    shared: Shared,
    /// Runs what nobody races with.
    own: Runner,
}

impl Races {
    /// Makes a volume group in the folder `dir` with the `anyfs-lvm` at `command`.
    ///
    /// # Errors
    /// In words.
    pub fn new(dir: &Path, seed: u64, command: &Path) -> Result<Self, String> {
        let pool = dir.join("pool");
        std::fs::create_dir(&pool).map_err(|error| format!("{}: {error}", pool.display()))?;
        let name = Arc::new(Name::default());
        let mut own = Runner::new(dir, command, RACERS);
        let pvs: Vec<String> = (0..PVS).map(|n| pool.join(format!("p{n}.db")).display().to_string()).collect();
        let made = own.run(&["vgcreate", "--setphysicalvolumesize", "16m", name.get()], &pvs)?;
        if !made.ok() {
            return Err(format!("vgcreate: {}", made.err));
        }
        let grows = own.run(&["lvcreate", "-n", GROWING, "-l", "1"], &[name.get().to_owned()])?;
        if !grows.ok() {
            return Err(format!("lvcreate: {}", grows.err));
        }
        let shared = Shared::default();
        shared.grew(1);
        let racer = |n| Racer::new(n, seed, Runner::new(dir, command, n), Arc::clone(&name));
        Ok(Self { pool, racers: (0..RACERS).map(racer).collect(), name, shared, own })
    }

    /// Commands so far.
    pub fn commands(&self) -> u64 {
        self.own.tally.commands()
    }

    /// Those of them that were not refused.
    pub fn done(&self) -> u64 {
        self.own.tally.done()
    }

    /// Everybody runs some commands, then the group is checked.
    ///
    /// # Errors
    /// What is wrong.
    pub fn round(&mut self) -> Result<(), String> {
        let shared = &self.shared;
        let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let run = |racer| scope.spawn(move || racer_round(racer, shared));
            let running: Vec<_> = self.racers.iter_mut().map(run).collect();
            running.into_iter().map(|thread| thread.join().unwrap_or(Err("a racer died".to_owned()))).collect()
        });
        for racer in &mut self.racers {
            self.own.tally.add(&mut racer.runner.tally);
        }
        results.into_iter().collect::<Result<(), String>>()?;
        let mut expected = BTreeMap::new();
        for racer in &self.racers {
            expected.extend(racer.volumes());
        }
        let spares = self.racers.iter().filter_map(Racer::spare).collect();
        check::group(
            &self.pool,
            self.name.get(),
            &check::Expected { volumes: expected, shared: &self.shared, spares },
        )?;
        let checked = self.own.run(&["check", "--data"], &[self.name.get().to_owned()])?;
        if checked.ok() {
            Ok(())
        } else {
            Err(format!("check: {}{}", String::from_utf8_lossy(&checked.out), checked.err))
        }
    }

    /// What was run, and how often it was refused.
    pub fn summary(&self) -> String {
        self.own.tally.to_string()
    }
}

fn racer_round(racer: &mut Racer, shared: &Shared) -> Result<(), String> {
    for _ in 0..COMMANDS {
        racer.step(shared)?;
    }
    racer.check_files()
}
