//! A child process that says what it does.

use std::io::{self, ErrorKind, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// How often a pipe is looked at.
const TICK: Duration = Duration::from_millis(2);

/// A child and what it has said so far. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    pipe: ChildStdout,
    rest: Vec<u8>,
    lines: Vec<String>,
    ended: bool,
}

impl Worker {
    /// Starts it.
    pub(super) fn start(mut command: Command) -> Result<Self, String> {
        let mut start = || -> io::Result<Self> {
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
            let pipe = child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
            fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
            Ok(Self { child, pipe, rest: Vec::new(), lines: Vec::new(), ended: false })
        };
        start().map_err(|error| format!("child: {error}"))
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes in all that is in the pipe.
    fn drain(&mut self) -> Result<(), String> {
        let mut buffer = [0; 4096];
        loop {
            match self.pipe.read(&mut buffer) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(());
                }
                Ok(n) => self.rest.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("child: {error}")),
            }
            // The last line may be cut off for ever.
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                self.lines.push(String::from_utf8_lossy(&line[..end]).into_owned());
            }
        }
    }

    /// The whole lines since the last call.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Listens for so long, or until it has ended.
    pub(super) fn run_for(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        loop {
            self.drain()?;
            if self.ended || Instant::now() >= end {
                return Ok(());
            }
            std::thread::sleep(TICK);
        }
    }

    /// It has closed its end of the pipe.
    pub(super) fn has_ended(&mut self) -> Result<bool, String> {
        self.drain()?;
        Ok(self.ended)
    }

    /// Sends a signal. One that comes too late is none.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.ended {
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Stops it, and takes in what it has said; `false` when it ended instead.
    pub(super) fn stop(&mut self) -> Result<bool, String> {
        self.signal(Signal::STOP);
        let pid = Pid::from_child(&self.child);
        let status = waitpid(Some(pid), WaitOptions::UNTRACED).map_err(|error| format!("child: {error}"))?;
        let stopped = status.is_some_and(|(_, status)| status.stopped());
        self.drain()?;
        Ok(stopped)
    }

    /// Waits for its end.
    pub(super) fn end(&mut self) -> Result<ExitStatus, String> {
        while !self.has_ended()? {
            std::thread::sleep(TICK);
        }
        self.child.wait().map_err(|error| format!("child: {error}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
