//! What must hold after a fault: however the process ended, everything acknowledged is there, and work goes on.

use lv::Volume;

use super::run::Live;
use super::script::Script;
use super::stage::Stage;
use super::text;
use crate::Disk;
use crate::fs::{FsOp, Generator, History, Mix, Outcome, Snapshot, apply};
use crate::image::{Image, Mode};
use crate::prng::Prng;

/// Operations after a recovery.
const AFTER: u32 = 10;

/// One of these power losses is looked at besides the plain one.
const LOSSES: [Mode; 3] = [Mode::Prefix, Mode::Tear, Mode::LoseOne];

/// What random operations on a stage are like.
pub(super) fn mix(stage: &Stage) -> Mix {
    let bytes = stage.bytes();
    Mix { live: bytes * 45 / 100, file: bytes / 8, write: 9 * 1024, work: 20, sync: 15, overwrites: false }
}

/// Whether something was refused or named as damaged, by the engine itself.
fn detected(why: &str) -> bool {
    why.contains("activation of") || why.contains("damaged")
}

/// Ends a run in every way and judges what is there then; how many disks that were.
pub(super) fn endings(mut live: Live, script: &Script, seed: u64) -> Result<u64, String> {
    let mut rng = Prng::derived(seed, &[0x656e]);
    let killed = live.disk.after_kill();
    let other = LOSSES[rng.index(LOSSES.len())];
    let losses = [(Mode::Drop, live.disk.crash(Mode::Drop, 0)), (other, live.disk.crash(other, rng.draw()))];
    let survivors = survivors(&live.stage, &killed.image());

    let judge = Judge { name: script.name, seed: rng.draw(), lenient: live.cut };
    let mut images = 0;
    for (what, image) in losses.into_iter().filter_map(|(mode, image)| Some((mode.name(), image?))) {
        let disk = Disk::from_image(&image, killed.settings());
        disk.clock().set(&killed.clock());
        judge.disk(&live, &disk, Then::Nothing).map_err(|why| format!("power loss ({what}): {why}"))?;
        images += 1;
    }
    for (what, image) in survivors {
        let disk = Disk::from_image(&image, killed.settings());
        judge.disk(&live, &disk, Then::OneCopy).map_err(|why| format!("{what}: {why}"))?;
        images += 1;
    }
    judge.disk(&live, &killed, Then::Work).map_err(|why| format!("killed: {why}"))?;
    // A program may keep what it has of a volume long after closing it.
    let _kept = finish(&mut live, rng.one_in(2))?;
    let disk = live.disk.clone();
    disk.set_fault(None);
    judge.disk(&live, &disk, Then::Work).map_err(|why| format!("closed: {why}"))?;
    Ok(images + 2)
}

/// Images with one copy of the metadata each, where there are several.
fn survivors(stage: &Stage, image: &Image) -> Vec<(String, Image)> {
    let copies = stage.copies();
    if copies.len() < 2 {
        return Vec::new();
    }
    let name = |number: usize| copies[number].path.display().to_string();
    let left = |number: usize| {
        let lost = (0..copies.len()).filter(|other| *other != number).map(name);
        let image = lost.fold(image.clone(), |image, lost| image.without(&[lost.clone(), format!("{lost}-wal")]));
        (format!("with {} alone", name(number)), image)
    };
    (0..copies.len()).map(left).collect()
}

/// The volume is closed while the fault is still there, or the process ends as it is. What is left of a closed volume.
fn finish(live: &mut Live, tidily: bool) -> Result<Option<Volume>, String> {
    let mut kept = None;
    match live.volume.take() {
        Some(volume) if tidily => {
            kept = Some(volume.clone());
            match volume.close() {
                Ok(()) => live.history.push(&FsOp::Sync, Outcome::Done(None)),
                Err(error) => text::judge(&text::chain(&error)).map_err(|why| format!("closing: {why}"))?,
            }
        }
        Some(volume) => volume.abandon(),
        None => {}
    }
    live.release_locks();
    Ok(kept)
}

/// What comes after the look at a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing more.
    Nothing,
    /// Nothing more, and not all copies of the metadata are there.
    OneCopy,
    /// Work goes on, and power is lost.
    Work,
}

struct Judge {
    name: &'static str,
    seed: u64,
    /// Reads were cut short.
    lenient: bool,
}

impl Judge {
    /// As [`Judge::look`]. SQLite takes what is missing of a page for zeros and may write such a page: then what is lost
    /// must be named as damaged, or the volume refused.
    fn disk(&self, live: &Live, disk: &Disk, then: Then) -> Result<(), String> {
        self.look(live, disk, then).or_else(|why| if self.lenient && detected(&why) { Ok(()) } else { Err(why) })
    }

    /// Activates what is on `disk`, compares it with what may be there, works on and loses power.
    fn look(&self, live: &Live, disk: &Disk, then: Then) -> Result<(), String> {
        // Follows what is durable from here on, if it was not followed before.
        disk.set_fault(None);
        let volume = self.activate(live, disk, then)?;
        let found = Snapshot::read(&volume)?;
        let now = live.history.step();
        live.history.judge(&found, now, now)?;
        if then == Then::Work {
            return self.go_on(live, disk, (volume, &found)).map_err(|why| format!("going on: {why}"));
        }
        volume.abandon();
        self.check(live, disk, then)
    }

    /// The volume's files contradict themselves nowhere. Copies of the metadata that are away would be named.
    fn check(&self, live: &Live, disk: &Disk, then: Then) -> Result<(), String> {
        if then == Then::OneCopy || self.lenient { Ok(()) } else { live.stage.check(&disk.env()) }
    }

    fn activate(&self, live: &Live, disk: &Disk, then: Then) -> Result<Volume, String> {
        let failed = |error: super::stage::Trouble| format!("activation of {}: {}", self.name, text::chain(&*error));
        if then == Then::OneCopy {
            return live.stage.activate_what_is_left(&disk.env()).map_err(failed);
        }
        let (volume, size) = live.stage.activate(&disk.env()).map_err(failed)?;
        live.fits(size)?;
        Ok(volume)
    }

    /// Some operations and a sync, and everything is there after a power loss.
    fn go_on(&self, live: &Live, disk: &Disk, (volume, found): (Volume, &Snapshot)) -> Result<(), String> {
        let mut history = History::new(found);
        let mut generator = Generator::new(self.seed, mix(&live.stage));
        for _ in 0..AFTER {
            let op = generator.draw(&history);
            let outcome = apply(&volume, &op, Some(&disk.clock()));
            let outcome = outcome.map_err(|error| format!("{op:?}: {}", text::chain(&error)))?;
            history.push(&op, outcome);
        }
        volume.sync().map_err(|error| format!("sync: {}", text::chain(&error)))?;
        let image = disk.crash(Mode::Drop, 0).unwrap_or_else(|| disk.image());
        volume.abandon();
        let after = Disk::from_image(&image, disk.settings());
        let volume = self.activate(live, &after, Then::Nothing)?;
        let shown = Snapshot::read(&volume)?;
        volume.abandon();
        history.judge_live(&shown)?;
        self.check(live, &after, Then::Work)
    }
}
