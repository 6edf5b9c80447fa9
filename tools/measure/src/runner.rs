//! Who works when.

use std::fmt::Debug;
use std::path::PathBuf;

use crate::seat::Seat;
use crate::{Cold, Contender, Outcome, Result, Row, Samples, Scale, Sheet, Stage, Stop, Work};

/// Which works and rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    words: Vec<String>,
    whole: bool,
}

impl Wanted {
    /// Those whose work or key contains one of these words; all without any.
    pub fn new(words: &[String]) -> Self {
        Self { words: words.to_vec(), whole: false }
    }

    /// The rows with these keys.
    pub fn exactly(keys: &[String]) -> Self {
        Self { words: keys.to_vec(), whole: true }
    }

    /// Whether a row of a work is wanted.
    pub fn row(&self, work: &str, row: &Row) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| self.means(word, work, row.key))
    }

    /// The rows of a work that are wanted.
    fn of(&self, work: &str, rows: impl Iterator<Item = &'static Row>) -> impl Iterator<Item = Row> {
        rows.filter(move |row| self.row(work, row)).copied()
    }

    fn means(&self, text: &str, work: &str, key: &str) -> bool {
        if self.whole { key == text } else { work.contains(text) || key.contains(text) }
    }

    /// The words that mean no row of these (work and key).
    pub fn unknown<'a>(&'a self, all: &'a [(&'static str, &'static str)]) -> impl Iterator<Item = &'a String> {
        self.words.iter().filter(|word| !all.iter().any(|(work, key)| self.means(word, work, key)))
    }
}

/// Something that only one contender has, measured in the same rounds.
pub trait Extra: Debug {
    /// Name of the work.
    fn name(&self) -> &'static str;
    /// Its rows.
    fn rows(&self) -> &'static [Row];
    /// Name of the side that it measures.
    fn side(&self) -> &str;
    /// Measures once; `turn` is a number of its own.
    ///
    /// # Errors
    /// As it says.
    fn turn(&mut self, turn: u64, scale: &Scale) -> Result<Sheet>;
}

/// Why some things are not measured in a volume that is there.
const OWN: &str = "needs a pool of its own: --dir";

/// Lets contenders work in turns.
pub struct Runner<'a> {
    /// How much is done.
    pub scale: Scale,
    /// What is done.
    pub wanted: Wanted,
    /// Who works, the one that the others are compared with first.
    pub contenders: Vec<Contender>,
    /// On the filesystem that all of them lie on.
    pub folder: PathBuf,
    /// Ends everything early.
    pub stop: Stop,
    /// Told what begins.
    pub tell: &'a mut dyn FnMut(&str),
}

impl Debug for Runner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("scale", &self.scale)
            .field("contenders", &self.contenders)
            .finish_non_exhaustive()
    }
}

impl Runner<'_> {
    /// Does all works that are wanted.
    ///
    /// # Errors
    /// The first failure of a side.
    pub fn run(&mut self, works: &[Work]) -> Result<Vec<Outcome>> {
        let mut out = Vec::new();
        for work in works {
            if self.wanted.of(work.name, work.rows()).next().is_some() {
                self.work(work, &mut out)?;
            }
        }
        Ok(out)
    }

    fn work(&mut self, work: &Work, out: &mut Vec<Outcome>) -> Result {
        if work.fresh && !self.contenders.iter().all(Contender::fresh) {
            let wanted = self.wanted.of(work.name, work.rows());
            out.extend(wanted.map(|row| Outcome::skipped(work.name, row, OWN)));
            return Ok(());
        }
        (self.tell)(&format!("{}: preparing", work.name));
        let (mut seats, mut absent) = (Vec::new(), Vec::new());
        for contender in &self.contenders {
            self.stop.check()?;
            let declined = contender.declines(&(work.wish)(&self.scale));
            let seat = || contender.seat(work, &self.scale, &self.stop, self.folder.clone());
            seats.push(if declined.is_none() { Some(seat()?) } else { None });
            absent.extend(declined.map(|why| (contender.name().to_owned(), why)));
        }
        let before = out.len();
        for (number, stage) in work.stages.iter().enumerate() {
            if stage.rows.is_empty() || self.wanted.of(work.name, stage.rows.iter()).next().is_some() {
                self.stage(work, (number, stage), &mut seats, out)?;
            }
        }
        for outcome in out.iter_mut().skip(before) {
            outcome.absent.clone_from(&absent);
        }
        seats.into_iter().flatten().try_for_each(Seat::finish)
    }

    fn stage(
        &mut self,
        work: &Work,
        (number, stage): (usize, &Stage),
        seats: &mut [Option<Seat>],
        out: &mut Vec<Outcome>,
    ) -> Result {
        let cold = Cold::here() != Cold::Never && self.contenders.iter().all(Contender::cold);
        if stage.cold && !cold {
            let why = "the page cache cannot be emptied: run as root";
            let wanted = self.wanted.of(work.name, stage.rows.iter());
            out.extend(wanted.map(|row| Outcome::skipped(work.name, row, why)));
            return Ok(());
        }
        let sides: Vec<_> = self.contenders.iter().map(|contender| Samples::of(contender.name())).collect();
        let wanted = self.wanted.of(work.name, stage.rows.iter());
        let mut found = Found(wanted.map(|row| Outcome::blank(work.name, row, sides.clone())).collect());
        let mut turn = 0u64;
        if stage.rows.is_empty() || stage.warm_up {
            (self.tell)(&format!("{}: preparing", work.name));
            for seat in seats.iter_mut().flatten() {
                seat.turn(work, number, turn)?;
            }
        }
        if stage.rows.is_empty() {
            return Ok(());
        }
        for round in 1..=self.scale.rounds {
            let keys: Vec<_> = found.0.iter().map(|outcome| outcome.row.key).collect();
            (self.tell)(&format!("{}: {}, round {round} of {}", work.name, keys.join(" "), self.scale.rounds));
            turn = turn.saturating_add(1);
            for (at, seat) in seats.iter_mut().enumerate() {
                if let Some(seat) = seat {
                    found.add(at, &seat.turn(work, number, turn)?);
                }
            }
            turn = turn.saturating_add(1);
            if let Some(Some(first)) = seats.first_mut() {
                found.add_again(&first.turn(work, number, turn)?);
            }
        }
        found.0.iter_mut().for_each(missing);
        out.extend(found.0);
        Ok(())
    }

    /// The rows of what is not measured, because it needs a pool of its own.
    pub fn left_out(&self, extra: &dyn Extra) -> Vec<Outcome> {
        let wanted = self.wanted.of(extra.name(), extra.rows().iter());
        wanted.map(|row| Outcome::skipped(extra.name(), row, OWN)).collect()
    }

    /// Measures what only one contender has.
    ///
    /// # Errors
    /// As it says.
    pub fn extra(&mut self, extra: &mut dyn Extra) -> Result<Vec<Outcome>> {
        let name = extra.name();
        let sides = || vec![Samples::of(extra.side())];
        let wanted = self.wanted.of(name, extra.rows().iter());
        let mut found = Found(wanted.map(|row| Outcome::blank(name, row, sides())).collect());
        if found.0.is_empty() {
            return Ok(Vec::new());
        }
        for round in 1..=self.scale.rounds {
            self.stop.check()?;
            (self.tell)(&format!("{name}: round {round} of {}", self.scale.rounds));
            found.add(0, &extra.turn(round, &self.scale)?);
        }
        found.0.iter_mut().for_each(missing);
        Ok(found.0)
    }
}

/// The rows of a stage that are wanted, while they fill.
struct Found(Vec<Outcome>);

impl Found {
    fn each<'a>(&'a mut self, sheet: &'a Sheet) -> impl Iterator<Item = (&'a mut Outcome, f64)> {
        self.0.iter_mut().filter_map(|outcome| {
            let found = sheet.0.iter().find(|(key, _)| key == outcome.row.key);
            found.map(|(_, value)| (outcome, *value))
        })
    }

    fn add(&mut self, side: usize, sheet: &Sheet) {
        for (outcome, value) in self.each(sheet) {
            if let Some(samples) = outcome.sides.get_mut(side) {
                samples.values.push(value);
            }
        }
    }

    fn add_again(&mut self, sheet: &Sheet) {
        self.each(sheet).for_each(|(outcome, value)| outcome.again.push(value));
    }
}

/// A row that no side had a value for says so.
fn missing(outcome: &mut Outcome) {
    if outcome.sides.iter().all(|samples| samples.values.is_empty()) {
        outcome.skipped = Some("the system does not tell".to_owned());
    }
}
