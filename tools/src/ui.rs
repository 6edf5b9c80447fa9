//! Everything the user sees goes through here.
//!
//! Normal lines go to standard output, two blanks first as LVM writes them; errors, warnings and prompts to standard
//! error. A closed standard output (`| head`) is remembered, not reported: the command ends quietly.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Debug;
use std::io::{self, BufRead, Write};

use crate::failure::{Done, Failure, chain, code};

/// How much is said, and who answers questions.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Manner {
    /// Number of `-q`.
    pub(crate) quiet: u8,
    /// Number of `-v`.
    pub(crate) verbose: u8,
    /// `-y`.
    pub(crate) yes: bool,
}

/// The terminal, or whatever stands in for it.
pub(crate) struct Ui<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    input: &'a mut dyn BufRead,
    broken: Option<io::Error>,
    warned: HashSet<String>,
    /// Set from the command line once it is read.
    pub(crate) manner: Manner,
}

impl Debug for Ui<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ui").field("manner", &self.manner).finish_non_exhaustive()
    }
}

/// A line with escapes in place of what steers a terminal: names of files and what files say end up in messages. Line
/// breaks are the command's own.
fn harmless(line: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !line.chars().any(steers) {
        return line.into();
    }
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.into()
}

impl<'a> Ui<'a> {
    /// A user behind these streams.
    pub(crate) fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, input: &'a mut dyn BufRead) -> Self {
        Self { out, err, input, broken: None, warned: HashSet::new(), manner: Manner::default() }
    }

    /// A normal line.
    pub(crate) fn say(&mut self, line: &str) {
        if self.manner.quiet == 0 {
            let line = harmless(line);
            self.raw(format!("  {line}\n").as_bytes());
        }
    }

    /// A line for `-v`.
    pub(crate) fn detail(&mut self, line: &str) {
        if self.manner.verbose > 0 {
            self.say(line);
        }
    }

    /// What was asked for: reports and file contents, written even with `-q`.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        if self.broken.is_none()
            && let Err(error) = self.out.write_all(bytes)
        {
            self.broken = Some(error);
        }
    }

    /// A line on standard error.
    pub(crate) fn complain(&mut self, line: &str) {
        self.flush();
        let line = harmless(line);
        // Nobody is left to tell when standard error itself is gone.
        let _ = self.err.write_all(format!("  {line}\n").as_bytes());
    }

    /// A warning, said once however often it is found out.
    pub(crate) fn warn(&mut self, line: &str) {
        if self.warned.insert(line.to_owned()) {
            self.complain(&format!("WARNING: {line}"));
        }
    }

    /// A failure: its lines, then the hint.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        for line in &failure.lines {
            // LVM (through getopt) names the command at the left edge in these.
            if let Some(line) = line.strip_prefix('\u{1}') {
                self.flush();
                let line = harmless(line);
                let _ = self.err.write_all(format!("{line}\n").as_bytes());
            } else {
                self.complain(line);
            }
        }
        if let Some(hint) = &failure.hint {
            self.complain(&format!("hint: {hint}"));
        }
    }

    /// Asks; end of input and `-qq` are "no".
    pub(crate) fn confirm(&mut self, question: &str) -> bool {
        if self.manner.yes {
            return true;
        }
        self.flush();
        loop {
            let _ = self.err.write_all(question.as_bytes());
            if self.manner.quiet > 1 {
                return self.answer("[n]");
            }
            let _ = self.err.flush();
            let mut line = String::new();
            match self.input.read_line(&mut line) {
                Ok(0) | Err(_) => return self.answer("[n]"),
                Ok(_) => {}
            }
            match line.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return true,
                "n" | "no" => return false,
                other => self.complain(&format!("WARNING: Invalid input '{other}'.")),
            }
        }
    }

    fn answer(&mut self, no: &str) -> bool {
        let _ = self.err.write_all(format!("{no}\n").as_bytes());
        false
    }

    /// Whether nobody reads standard output any more.
    pub(crate) fn closed(&self) -> bool {
        self.broken.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether standard output failed.
    pub(crate) fn broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The input, for commands that read it.
    pub(crate) fn input(&mut self) -> &mut dyn BufRead {
        self.input
    }

    /// Standard input and output, to talk with another process.
    pub(crate) fn streams(&mut self) -> (&mut dyn BufRead, &mut dyn Write) {
        (self.input, self.out)
    }

    /// Runs `act` for each object, goes on after failures, and fails with the highest exit code.
    pub(crate) fn each<T>(&mut self, objects: &[T], mut act: impl FnMut(&mut Self, &T) -> Done) -> Done {
        let mut worst = code::OK;
        for object in objects {
            if let Err(failure) = act(self, object) {
                self.failure(&failure);
                worst = worst.max(failure.code);
            }
        }
        if worst == code::OK { Ok(()) } else { Err(Failure::silent(worst)) }
    }

    /// Writes out what is held back.
    pub(crate) fn flush(&mut self) {
        if self.broken.is_none()
            && let Err(error) = self.out.flush()
        {
            self.broken = Some(error);
        }
    }

    /// Why standard output failed, a closed pipe apart.
    pub(crate) fn output_error(&mut self) -> Option<Failure> {
        self.flush();
        let error = self.broken.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)?;
        Some(Failure::new(format!("cannot write to standard output: {}", chain(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(input: &str, manner: Manner) -> (bool, String) {
        let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), input.as_bytes());
        let mut ui = Ui::new(&mut out, &mut err, &mut input);
        ui.manner = manner;
        let answer = ui.confirm("Really? [y/n]: ");
        (answer, String::from_utf8(err).unwrap())
    }

    #[test]
    fn prompts_take_yes_and_no_in_any_case_and_ask_again() {
        let plain = Manner::default();
        assert_eq!(ask("YES\n", plain), (true, "Really? [y/n]: ".to_owned()));
        assert_eq!(ask("No\n", plain), (false, "Really? [y/n]: ".to_owned()));
        let again = "Really? [y/n]:   WARNING: Invalid input 'xyz'.\nReally? [y/n]: ";
        assert_eq!(ask("xyz\ny\n", plain), (true, again.to_owned()));
        assert_eq!(ask("", plain), (false, "Really? [y/n]: [n]\n".to_owned()));
    }

    #[test]
    fn y_and_qq_answer_by_themselves() {
        assert_eq!(ask("n\n", Manner { yes: true, ..Manner::default() }), (true, String::new()));
        assert_eq!(ask("y\n", Manner { quiet: 2, ..Manner::default() }), (false, "Really? [y/n]: [n]\n".to_owned()));
    }

    struct Shut;

    impl Write for Shut {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let (mut err, mut input) = (Vec::new(), &b""[..]);
        let mut shut = Shut;
        let mut ui = Ui::new(&mut shut, &mut err, &mut input);
        ui.say("hello");
        assert!(ui.closed() && ui.output_error().is_none());
    }
}
