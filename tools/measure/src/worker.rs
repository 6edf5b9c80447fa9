//! A side in a process of its own: it does the same works, and says over its standard streams what it found.
//!
//! Lines in words: `begin WORK SCALE..`, `turn STAGE TURN`, `finish`; each is answered by a line `ok KEY=VALUE..` or
//! `error TEXT`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{Contender, Error, Maker, Program, Result, Scale, Sheet, Stop, WORKS, Work};

/// A process that is at work.
#[derive(Debug)]
pub(crate) struct Remote {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    stop: Stop,
}

impl Remote {
    /// Starts the process and lets it prepare a work.
    pub(crate) fn begin(program: &Program, work: &Work, scale: &Scale, stop: &Stop) -> Result<Self> {
        let name = program.name.clone();
        let not = |what: String| Error::Worker { program: name.clone(), what };
        let (path, arguments) = program.command.split_first().ok_or_else(|| not("no program is named".to_owned()))?;
        let mut command = Command::new(path);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| not(format!("cannot be started: {error}")))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(not("has no standard streams".to_owned()));
        };
        let output = BufReader::new(output);
        let mut remote = Self { name, child, input: Some(input), output, stop: stop.clone() };
        remote.ask(&format!("begin {} {}", work.name, scale.line()))?;
        Ok(remote)
    }

    pub(crate) fn turn(&mut self, stage: usize, turn: u64) -> Result<Sheet> {
        self.stop.check()?;
        self.ask(&format!("turn {stage} {turn}"))
    }

    pub(crate) fn finish(mut self) -> Result {
        self.ask("finish").map(drop)
    }

    fn not(&self, what: impl Into<String>) -> Error {
        Error::Worker { program: self.name.clone(), what: what.into() }
    }

    fn ask(&mut self, line: &str) -> Result<Sheet> {
        let told = self.input.as_mut().map(|input| writeln!(input, "{line}").and_then(|()| input.flush()));
        let mut answer = String::new();
        let heard = self.output.read_line(&mut answer);
        // A signal to the group ends the worker, too: that is no failure of its own.
        self.stop.check()?;
        match (told, heard) {
            (Some(Ok(())), Ok(1..)) => {}
            _ => return Err(self.not(format!("ended while it was asked to `{line}'"))),
        }
        match answer.trim_end().split_once(' ').unwrap_or((answer.trim_end(), "")) {
            ("ok", values) => sheet(values).ok_or_else(|| self.not(format!("answered `{}'", answer.trim_end()))),
            ("error", why) => Err(self.not(why)),
            _ => Err(self.not(format!("answered `{}'", answer.trim_end()))),
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        if self.stop.check().is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn sheet(text: &str) -> Option<Sheet> {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=')?;
        Some((key.to_owned(), value.parse().ok()?))
    };
    text.split_whitespace().map(pair).collect::<Option<_>>().map(Sheet)
}

/// Works as the lines of `input` ask, on sides of `maker`, whose disk is that of `folder`, and answers on `output`. Ends
/// with the input.
///
/// # Errors
/// [`Error::Worker`] when nobody listens any more; what goes wrong with the work itself is an answer.
pub fn serve(maker: Box<dyn Maker>, folder: &Path, input: &mut dyn BufRead, output: &mut dyn Write) -> Result {
    let name = maker.name().to_owned();
    let contender = Contender::Here(maker);
    let mut at_work = None;
    let mut line = String::new();
    loop {
        line.clear();
        let heard = input.read_line(&mut line);
        if !matches!(heard, Ok(1..)) {
            return Ok(());
        }
        let answer = match obey(&contender, folder, &mut at_work, line.trim_end()) {
            Ok(sheet) => sheet.0.iter().fold("ok".to_owned(), |text, (key, value)| format!("{text} {key}={value}")),
            Err(error) => format!("error {}", in_one_line(&error)),
        };
        let gone = |_| Error::Worker { program: name.clone(), what: "nobody listens".to_owned() };
        writeln!(output, "{answer}").and_then(|()| output.flush()).map_err(gone)?;
    }
}

type AtWork = Option<(&'static Work, crate::seat::Seat)>;

fn obey(contender: &Contender, folder: &Path, at_work: &mut AtWork, line: &str) -> Result<Sheet> {
    let unclear = || Error::Worker { program: contender.name().to_owned(), what: format!("does not know `{line}'") };
    let words: Vec<&str> = line.split_whitespace().collect();
    match *words.as_slice() {
        ["begin", name, ref scale @ ..] => {
            let work = WORKS.iter().find(|work| work.name == name).ok_or_else(unclear)?;
            let scale = Scale::read(scale).ok_or_else(unclear)?;
            let seat = contender.seat(work, &scale, &Stop::default(), folder.to_owned())?;
            *at_work = Some((work, seat));
            Ok(Sheet::default())
        }
        ["turn", stage, turn] => {
            let (Ok(stage), Ok(turn)) = (stage.parse(), turn.parse()) else { return Err(unclear()) };
            let (work, seat) = at_work.as_mut().ok_or_else(unclear)?;
            seat.turn(work, stage, turn)
        }
        ["finish"] => {
            let (_, seat) = at_work.take().ok_or_else(unclear)?;
            seat.finish().map(|()| Sheet::default())
        }
        _ => Err(unclear()),
    }
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}
