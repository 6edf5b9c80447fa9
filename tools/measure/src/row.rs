//! What a figure is.

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// MiB per second.
    MibPerSecond,
    /// Operations per second.
    PerSecond,
    /// Milliseconds per operation.
    Millis,
    /// Seconds in all.
    Seconds,
    /// Bytes per byte, or one rate per another.
    Times,
    /// MiB.
    Mib,
}

impl Unit {
    /// As it is written after a number.
    pub fn text(self) -> &'static str {
        match self {
            Self::MibPerSecond => "MiB/s",
            Self::PerSecond => "/s",
            Self::Millis => "ms",
            Self::Seconds => "s",
            Self::Times => "x",
            Self::Mib => "MiB",
        }
    }

    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        matches!(self, Self::MibPerSecond | Self::PerSecond)
    }
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// No promise.
    Open,
    /// At least this ratio to the side that the others are compared with.
    Ratio(f64),
    /// At most this value.
    AtMost(f64),
    /// At least this value.
    AtLeast(f64),
}

impl Target {
    /// How well a figure does: 1 when the target is just met, more when it is passed.
    pub fn score(self, value: f64, ratio: Option<f64>) -> Option<f64> {
        let score = match self {
            Self::Open => return None,
            Self::Ratio(wanted) => ratio? / wanted,
            // Nothing at all is as good as it gets.
            Self::AtMost(limit) => limit / value.max(1e-9),
            Self::AtLeast(wanted) => value / wanted,
        };
        score.is_finite().then_some(score)
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Its short name.
    pub key: &'static str,
    /// What was done.
    pub item: &'static str,
    /// What its values count.
    pub unit: Unit,
    /// What they should be.
    pub target: Target,
}

impl Row {
    /// A rate with a ratio to reach.
    pub(crate) const fn new(key: &'static str, item: &'static str, unit: Unit, target: Target) -> Self {
        Self { key, item, unit, target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_just_met_scores_one() {
        let near = |score: Option<f64>, wanted: f64| (score.unwrap() - wanted).abs() < 1e-9;
        assert!(near(Target::Ratio(0.5).score(100.0, Some(0.5)), 1.0));
        assert!(near(Target::Ratio(0.5).score(100.0, Some(0.25)), 0.5));
        assert!(near(Target::AtMost(5.0).score(2.5, None), 2.0));
        assert!(near(Target::AtLeast(0.9).score(0.45, None), 0.5));
        assert_eq!(Target::Ratio(0.5).score(1.0, None), None);
        assert_eq!(Target::Open.score(1.0, Some(1.0)), None);
        assert!(Target::AtMost(1.0).score(0.0, None).unwrap() > 1e6);
    }
}
