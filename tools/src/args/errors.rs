//! Errors of the command-line parser in LVM's words.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::failure::{Failure, PARSING, code};

/// Options without effect.
const IGNORED: [&str; 8] = [
    "--lockopt",
    "--nohints",
    "--nolocking",
    "--journal",
    "--devicesfile",
    "--driverloaded",
    "--commandprofile",
    "--longhelp",
];

/// The failure of `command` for a parser error; `None` when it is help or the version.
pub(crate) fn translate(command: &str, error: &clap::Error) -> Option<Failure> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" "),
        _ => String::new(),
    };
    let argument = text(ContextKind::InvalidArg);
    let line = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::UnknownArgument => unknown(command, &argument),
        ErrorKind::MissingRequiredArgument => {
            let line =
                format!("No command with matching syntax recognised.  Run '{command} --help' for more information.");
            return Some(Failure { code: code::USAGE, lines: vec![line], hint: Some(format!("give {argument}")) });
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue).is_empty() => missing(command, &argument),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues | ErrorKind::NoEquals => missing(command, &argument),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let option = argument.split_whitespace().next().unwrap_or_default();
            return Some(Failure::argument(option, &text(ContextKind::InvalidValue), ""));
        }
        ErrorKind::ArgumentConflict => {
            let first = argument.split_whitespace().next().unwrap_or_default().to_owned();
            let other = text(ContextKind::PriorArg);
            let other = other.split_whitespace().next().unwrap_or_default();
            let line = if other.is_empty() || other == first {
                format!("Option {first} may not be repeated.")
            } else {
                format!("Option {first} may not be used together with {other}.")
            };
            return Some(Failure::usage(command, line));
        }
        _ => "Cannot read the command line.".to_owned(),
    };
    let suggestion = text(ContextKind::SuggestedArg);
    // Options that only exist to be accepted help nobody.
    let useful = !suggestion.is_empty() && !IGNORED.contains(&suggestion.as_str());
    let hint = useful.then(|| format!("did you mean {suggestion}?"));
    Some(Failure { code: code::USAGE, lines: vec![line, PARSING.to_owned()], hint })
}

/// As getopt writes them, at the left edge.
fn unknown(command: &str, argument: &str) -> String {
    match argument.strip_prefix('-') {
        Some(long) if long.starts_with('-') => format!("\u{1}{command}: unrecognized option '{argument}'"),
        Some(short) => format!("\u{1}{command}: invalid option -- '{short}'"),
        None => format!("Unexpected argument \"{argument}\"."),
    }
}

fn missing(command: &str, argument: &str) -> String {
    let option = argument.split_whitespace().next().unwrap_or_default();
    format!("\u{1}{command}: option '{option}' requires an argument")
}
