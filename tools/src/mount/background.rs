//! Serving a mount in the background: this command starts itself anew, waits until the volume is mounted, and ends. What
//! goes wrong until then is told by the command that the user started.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::failure::{Done, Failure, code};
use crate::ui::Ui;

/// What the process in the background says when the volume is mounted.
const READY: &str = "mounted";

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what}: {}", crate::failure::chain(error)))
}

/// Starts this command with these words in the background, and waits until it serves its mount.
pub(crate) fn start(words: &[OsString], ui: &mut Ui<'_>) -> Done {
    let program = std::env::current_exe().map_err(|error| failed("find this program", &error))?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| failed("start a process in the background", &error))?;
    wait(child, ui)
}

fn wait(mut child: Child, ui: &mut Ui<'_>) -> Done {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    // Read at the same time, so that whoever says much can go on.
    let complaints = std::thread::spawn(move || {
        let mut said = Vec::new();
        err.map(|mut err| err.read_to_end(&mut said));
        said
    });
    let mut ready = false;
    for line in BufReader::new(out.ok_or_else(|| Failure::silent(code::FAILED))?).lines().map_while(Result::ok) {
        match line.as_str() {
            READY => {
                ready = true;
                break;
            }
            line => ui.say(line.trim_start()),
        }
    }
    let said = complaints.join().unwrap_or_default();
    for line in String::from_utf8_lossy(&said).lines() {
        ui.complain(line.strip_prefix("  ").unwrap_or(line));
    }
    if ready {
        return Ok(());
    }
    let status = child.wait().map_err(|error| failed("wait for the process in the background", &error))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) if code != code::OK && !said.is_empty() => Err(Failure::silent(code)),
        _ => Err(Failure::new(format!("the process in the background ended before the volume was mounted ({status})"))),
    }
}

/// Makes this process one that no terminal and no shell takes with it.
pub(crate) fn detach() {
    // It is the leader of its session already when this fails.
    let _ = rustix::process::setsid();
}

/// Tells the command that waits that the volume is mounted; nobody reads what this process says from then on.
pub(crate) fn tell_ready(ui: &mut Ui<'_>) -> Done {
    let nowhere = File::options().read(true).write(true).open("/dev/null");
    let nowhere = nowhere.map_err(|error| failed("open /dev/null", &error))?;
    let _ = std::env::set_current_dir("/");
    ui.raw(format!("{READY}\n").as_bytes());
    ui.flush();
    let turned = rustix::stdio::dup2_stdout(&nowhere).and_then(|()| rustix::stdio::dup2_stderr(&nowhere));
    turned.map_err(|error| failed("leave the terminal", &error.into()))
}
