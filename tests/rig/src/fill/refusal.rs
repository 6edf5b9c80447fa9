//! Whether an error says in the project's words that the host is full.

/// Words that belong to SQLite or to a program that failed.
const JARGON: [&str; 12] = [
    "sqlite",
    "database",
    "os error",
    "disk is full",
    "panicked",
    "constraint",
    "transaction",
    "disk i/o",
    "errno",
    "unwrap",
    "wal",
    "journal",
];

/// What is wrong with `text` (and the hint) as the answer to whoever asked for more than the host has.
pub(crate) fn fault(text: &str, hint: Option<&str>) -> Option<String> {
    let lower = text.to_lowercase();
    let plain = lower.replace("-wal", "").replace("-journal", "");
    if text.lines().count() != 1 {
        return Some(format!("an error of {} lines: {text}", text.lines().count()));
    }
    if let Some(word) = JARGON.iter().find(|word| plain.contains(**word)) {
        return Some(format!("\"{word}\" in an error: {text}"));
    }
    if !lower.contains("no space left") {
        return Some(format!("the error does not say that space is missing: {text}"));
    }
    if !lower.contains(".db") && !lower.contains("logical volume") && !lower.contains(".meta") {
        return Some(format!("the error does not say where space is missing: {text}"));
    }
    hint.is_none().then(|| format!("no hint: {text}"))
}
