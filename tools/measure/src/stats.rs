//! Numbers that stand for many.

/// The value in the middle, between the two middle ones when their number is even; not a number without any.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = sorted.get(half).copied().unwrap_or(f64::NAN);
    if !sorted.len().is_multiple_of(2) {
        return upper;
    }
    half.checked_sub(1).and_then(|at| sorted.get(at)).map_or(upper, |lower| f64::midpoint(*lower, upper))
}

/// How far the values lie apart: largest less smallest, as a share of the median.
pub fn spread(values: &[f64]) -> f64 {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (high - low) / median(values)
}

/// The value that `part` of 100 values lie below.
pub(crate) fn percentile(sorted: &[f64], part: usize) -> f64 {
    let at = sorted.len().saturating_mul(part) / 100;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn the_median_is_in_the_middle_of_the_sorted_values() {
        assert!(same(median(&[3.0]), 3.0));
        assert!(same(median(&[9.0, 1.0, 4.0]), 4.0));
        assert!(same(median(&[9.0, 1.0, 4.0, 2.0]), 3.0));
        assert!(same(median(&[1.0, 2.0]), 1.5));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert!(same(spread(&[5.0, 5.0, 5.0]), 0.0));
        assert!(same(spread(&[8.0, 10.0, 13.0]), 0.5));
        assert!(spread(&[]).is_nan());
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<f64> = (0..200).map(f64::from).collect();
        assert!(same(percentile(&values, 50), 100.0) && same(percentile(&values, 99), 198.0));
        assert!(same(percentile(&values, 100), 199.0) && same(percentile(&[7.0], 99), 7.0));
        assert!(percentile(&[], 50).is_nan());
    }
}
