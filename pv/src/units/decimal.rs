//! Exact decimal fractions times a factor.

/// `text`, a number with an optional fraction, times `factor`, rounded down. `Err(None)` when `text` is no number,
/// `Err(Some(()))` when the result is too large.
pub(super) fn times(text: &str, factor: u64) -> Result<u64, Option<()>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(None);
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Some(()))? };
    // More digits than these cannot change a whole number of bytes that fits into 64 bits.
    let fraction = fraction.get(..fraction.len().min(18)).unwrap_or("");
    let scale = 10u128.saturating_pow(u32::try_from(fraction.len()).unwrap_or(18));
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| None)? };
    let factor = u128::from(factor);
    let total = whole
        .checked_mul(factor)
        .and_then(|n| n.checked_add(part.checked_mul(factor)?.checked_div(scale)?))
        .ok_or(Some(()))?;
    u64::try_from(total).map_err(|_| Some(()))
}
