//! What was found.

use crate::{Row, median};

/// All values of one side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Name of the side.
    pub side: String,
    /// Its values, in the order of the rounds.
    pub values: Vec<f64>,
}

impl Samples {
    /// Nothing yet of this side.
    pub fn of(side: &str) -> Self {
        Self { side: side.to_owned(), values: Vec::new() }
    }

    /// The value in the middle; none without any.
    pub fn median(&self) -> Option<f64> {
        Some(median(&self.values)).filter(|value| value.is_finite())
    }
}

/// A row with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Name of its work.
    pub work: String,
    /// What it is.
    pub row: Row,
    /// Values of all sides, the one that the others are compared with first.
    pub sides: Vec<Samples>,
    /// Values of the first side when it worked again at the end of each round.
    pub again: Vec<f64>,
    /// Sides that did not take part, and why.
    pub absent: Vec<(String, String)>,
    /// Why there are no values.
    pub skipped: Option<String>,
}

impl Outcome {
    /// A row of these sides, before there are values.
    pub(crate) fn blank(work: &str, row: Row, sides: Vec<Samples>) -> Self {
        Self { work: work.to_owned(), row, sides, again: Vec::new(), absent: Vec::new(), skipped: None }
    }

    /// A row without values, and why.
    pub fn skipped(work: &str, row: Row, why: &str) -> Self {
        Self { skipped: Some(why.to_owned()), ..Self::blank(work, row, Vec::new()) }
    }

    /// The values of a side.
    pub fn side(&self, name: &str) -> Option<&Samples> {
        self.sides.iter().find(|samples| samples.side == name)
    }

    /// The median of a side.
    pub fn median(&self, side: &str) -> Option<f64> {
        self.side(side)?.median()
    }

    /// How much better a side is than the one that all are compared with: 2 is twice as good, whether more or less is
    /// better.
    pub fn ratio(&self, side: &str) -> Option<f64> {
        let first = self.sides.first().filter(|first| first.side != side)?;
        self.better(self.median(side)?, first.median()?)
    }

    /// The same for the first side, when it worked again: 1 on a quiet machine.
    pub fn control(&self) -> Option<f64> {
        let again = Some(median(&self.again)).filter(|value| value.is_finite())?;
        self.better(again, self.sides.first()?.median()?)
    }

    fn better(&self, value: f64, than: f64) -> Option<f64> {
        let ratio = if self.row.unit.more_is_better() { value / than } else { than / value };
        ratio.is_finite().then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Target, Unit};

    fn outcome(unit: Unit) -> Outcome {
        let row = Row { key: "k", item: "i", unit, target: Target::Open };
        let sides = vec![
            Samples { side: "host".to_owned(), values: vec![10.0, 20.0, 30.0] },
            Samples { side: "ours".to_owned(), values: vec![10.0, 9.0, 11.0] },
        ];
        Outcome { work: "w".to_owned(), row, sides, again: vec![16.0], absent: Vec::new(), skipped: None }
    }

    #[test]
    fn a_ratio_is_larger_when_the_side_is_better() {
        let near = |value: Option<f64>, wanted: f64| (value.unwrap() - wanted).abs() < 1e-9;
        assert!(near(outcome(Unit::PerSecond).ratio("ours"), 0.5));
        assert!(near(outcome(Unit::Millis).ratio("ours"), 2.0));
        assert!(near(outcome(Unit::PerSecond).control(), 0.8));
        assert!(near(outcome(Unit::Millis).control(), 1.25));
        assert_eq!(outcome(Unit::Millis).ratio("host"), None);
        assert_eq!(outcome(Unit::Millis).ratio("nobody"), None);
    }

    #[test]
    fn without_values_there_is_no_ratio() {
        let mut one = outcome(Unit::PerSecond);
        one.sides[0].values.clear();
        assert_eq!((one.ratio("ours"), one.control()), (None, None));
        let none = Outcome::skipped("w", one.row, "why");
        assert_eq!((none.ratio("ours"), none.median("ours"), none.control()), (None, None, None));
    }
}
