//! Failures as the user sees them: lines, a hint, an exit code.

use std::error::Error;

pub(crate) use anyfs_lvm::pv::chain;

/// Exit codes, as LVM's.
pub(crate) mod code {
    /// All done.
    pub(crate) const OK: u8 = 0;
    /// No such command.
    pub(crate) const NO_SUCH_COMMAND: u8 = 2;
    /// The command line makes no sense.
    pub(crate) const USAGE: u8 = 3;
    /// The surroundings are not usable.
    pub(crate) const INIT_FAILED: u8 = 4;
    /// It did not work.
    pub(crate) const FAILED: u8 = 5;
}

/// Result of a command or a part of it.
pub(crate) type Done<T = ()> = Result<T, Failure>;

/// Why a command stops.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) code: u8,
    /// What to print, one fact per line; nothing when it was printed already.
    pub(crate) lines: Vec<String>,
    /// The next step, when there is one.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// The command failed.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self { code: code::FAILED, lines: vec![line.into()], hint: None }
    }

    /// Already reported.
    pub(crate) fn silent(code: u8) -> Self {
        Self { code, lines: Vec::new(), hint: None }
    }

    /// The arguments do not fit together, or one is out of range.
    pub(crate) fn usage(command: &str, line: impl Into<String>) -> Self {
        let run = format!("Run `{command} --help' for more information.");
        Self { code: code::USAGE, lines: vec![line.into(), run], hint: None }
    }

    /// One option's value cannot be read. `reason` may be empty.
    pub(crate) fn argument(option: &str, value: &str, reason: &str) -> Self {
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        let rest = [format!("Invalid argument for {option}: {value}"), PARSING.to_owned()];
        Self { code: code::USAGE, lines: reason.into_iter().chain(rest).collect(), hint: None }
    }

    /// A library error with its causes, each named once.
    pub(crate) fn chain(error: &dyn Error) -> Self {
        Self::new(chain(error))
    }

    /// One more line.
    #[must_use]
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// The next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// LVM's last line when the command line cannot be read.
pub(crate) const PARSING: &str = "Error during parsing of command line.";
