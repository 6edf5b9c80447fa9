//! From the words of the command line to a command.

use std::ffi::OsString;
use std::path::Path;

use crate::args::{Common, lv_name, translate};
use crate::commands::{self, Entry};
use crate::failure::{Done, Failure, code};
use crate::suggest::closest;
use crate::ui::{Manner, Ui};

/// A command of `anyfs-lvm`.
pub(crate) trait Verb: clap::Parser {
    /// Its name.
    const NAME: &'static str;

    /// The options all commands share.
    fn common(&self) -> &Common;

    /// Reads its words, its name first.
    fn read(words: Vec<OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(words)
    }

    /// Does it.
    fn run(self, ui: &mut Ui<'_>) -> Done;
}

/// Runs the command that `arguments` (with the program's name first) ask for; the exit code.
pub(crate) fn main(arguments: &[OsString], ui: &mut Ui<'_>) -> u8 {
    let result = dispatch(arguments, ui);
    let mut exit = finish(result, ui);
    if let Some(failure) = ui.output_error() {
        ui.failure(&failure);
        exit = exit.max(failure.code);
    }
    exit
}

fn finish(result: Done, ui: &mut Ui<'_>) -> u8 {
    match result {
        Ok(()) => code::OK,
        Err(failure) => {
            ui.failure(&failure);
            failure.code
        }
    }
}

fn dispatch(arguments: &[OsString], ui: &mut Ui<'_>) -> Done {
    let (program, rest) = arguments.split_first().map_or((None, arguments), |(first, rest)| (Some(first), rest));
    // A link named `lvs` is `lvs`.
    let called = program.and_then(|name| Path::new(name).file_name()).and_then(|name| name.to_str());
    if let Some(entry) = called.and_then(commands::find) {
        return (entry.run)(rest, ui);
    }
    #[cfg(target_os = "linux")]
    if called.is_some_and(crate::mount::helper::is_named) {
        return commands::mount::as_helper(rest, ui);
    }
    let (leading, rest) = places_first(rest);
    let Some((first, rest)) = rest.split_first() else {
        commands::help::overview(ui);
        return Ok(());
    };
    let word = first.to_string_lossy();
    match word.as_ref() {
        "-h" | "--help" | "--longhelp" => (commands::help::ENTRY.run)(rest, ui),
        "--version" | "-V" => (commands::version::ENTRY.run)(&[], ui),
        name => match commands::find(name) {
            Some(entry) => (entry.run)(&[leading, rest].concat(), ui),
            // As mount(8) calls what serves a filesystem of the type fuse.anyfs-lvm.
            #[cfg(target_os = "linux")]
            None if leading.is_empty() && lv_name(name).is_some() => {
                commands::mount::as_helper(&[std::slice::from_ref(first), rest].concat(), ui)
            }
            None => Err(no_such_command(name)),
        },
    }
}

/// Splits off `--pool DIR` and `--devices FILES` that stand before the command.
fn places_first(words: &[OsString]) -> (&[OsString], &[OsString]) {
    let mut count = 0usize;
    while let Some(word) = words.get(count).and_then(|word| word.to_str()) {
        count = match word {
            "--pool" | "--devices" => count.saturating_add(2),
            _ if word.starts_with("--pool=") || word.starts_with("--devices=") => count.saturating_add(1),
            _ => break,
        };
    }
    words.split_at_checked(count).unwrap_or((&[], words))
}

/// LVM's line, with the nearest command.
pub(crate) fn no_such_command(name: &str) -> Failure {
    let line = "No such command.  Try 'anyfs-lvm help'.";
    let failure = Failure { code: code::NO_SUCH_COMMAND, lines: vec![line.to_owned()], hint: None };
    match closest(name, commands::ALL.iter().map(|entry| entry.name)) {
        Some(near) => failure.hint(format!("did you mean `anyfs-lvm {near}`?")),
        None => failure,
    }
}

/// Parses and runs one command.
pub(crate) fn run<V: Verb>(arguments: &[OsString], ui: &mut Ui<'_>) -> Done {
    let words = std::iter::once(OsString::from(V::NAME)).chain(arguments.iter().cloned());
    let verb = match V::read(words.collect()) {
        Ok(verb) => verb,
        Err(error) => {
            let Some(failure) = translate(V::NAME, &error) else {
                ui.raw(error.render().to_string().as_bytes());
                return Ok(());
            };
            return Err(failure);
        }
    };
    let common = verb.common();
    ui.manner = Manner { quiet: common.quiet, verbose: common.verbose, yes: common.yes };
    for option in common.ignored() {
        ui.detail(&format!("{option} has no effect here."));
    }
    if common.test {
        ui.say("TEST MODE: Metadata will NOT be updated and volumes will not be (de)activated.");
    }
    verb.run(ui)
}

impl Entry {
    /// The table entry of a command.
    pub(crate) const fn of<V: Verb>(about: &'static str) -> Self {
        Self { name: V::NAME, about, run: run::<V>, command: V::command }
    }
}
