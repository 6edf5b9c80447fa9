//! Calls that only return when whoever serves a mount answers, made by a process beside this one.
//!
//! The kernel waits for the process that serves a mount, for pages that it has written out and for requests that this
//! process has taken, in a way that no signal ends: whoever has such a call under way cannot be killed while that process
//! does nothing. So this command starts itself anew for the call, and leaves that process behind when it takes too long.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyfs_lvm::fuse::{MountError, Mounted, unmount};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::failure;
use crate::failure::{Failure, chain};
use crate::ui::Ui;

/// This program, also after another one was installed in its place.
const PROGRAM: &str = "/proc/self/exe";
/// Times between two looks at whether a call has returned.
const LOOKS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Call {
    /// Unmounts.
    Unmount,
    /// Unmounts, at the latest when nobody uses it any more.
    Detach,
    /// Unmounts; where somebody still uses it, it disappears for all others, and what is in the kernel's cache is written
    /// out.
    Leave,
    /// Asks how it is.
    Look,
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was done.
    Done,
    /// Somebody uses the mount.
    InUse,
    /// The process that served it is gone.
    Stale,
    /// It could not be done.
    Failed(Failure),
    /// It has not returned.
    Silent,
}

/// Makes a call, as long as `patient` says so, which is asked with the time that it has taken.
pub(crate) fn ask(call: Call, mounted: &Mounted, patient: impl FnMut(Duration) -> bool) -> Answer {
    match start(call, mounted) {
        Ok(child) => wait(child, patient),
        Err(error) => Answer::Failed(Failure::new(format!(
            "{}: cannot start a process that asks for it: {}",
            crate::picture::shown(&mounted.dir),
            chain(&error)
        ))),
    }
}

fn start(call: Call, mounted: &Mounted) -> std::io::Result<Child> {
    let word = match call {
        Call::Unmount => "unmount",
        Call::Detach => "detach",
        Call::Leave => "leave",
        Call::Look => "look",
    };
    let mut command = Command::new(PROGRAM);
    command.arg0("anyfs-lvm").args(["umount", "--apart", word]);
    // Nobody is to wait for the end of what this writes to, as long as that process is there.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
    let mut child = command.spawn()?;
    // One that is gone already has no answer either.
    let _ = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(&words(mounted)));
    Ok(child)
}

fn wait(mut child: Child, mut patient: impl FnMut(Duration) -> bool) -> Answer {
    let (began, [mut pause, longest]) = (Instant::now(), LOOKS);
    while matches!(child.try_wait(), Ok(None)) {
        if !patient(began.elapsed()) {
            // It ends when it can.
            let _ = child.kill();
            return Answer::Silent;
        }
        std::thread::sleep(pause);
        pause = pause.saturating_mul(2).min(longest);
    }
    let mut said = String::new();
    let _ = child.stdout.take().map_or(Ok(0), |mut out| out.read_to_string(&mut said));
    read(&said)
}

/// What a process says at its end.
fn read(said: &str) -> Answer {
    let mut lines = said.lines();
    match lines.next() {
        Some("done") => Answer::Done,
        Some("in use") => Answer::InUse,
        Some("stale") => Answer::Stale,
        Some("failed") => {
            let failure = Failure::new(lines.next().unwrap_or_default());
            Answer::Failed(match lines.next() {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
        _ => Answer::Failed(Failure::new("the process that asked for it ended without an answer")),
    }
}

fn written(answer: Answer) -> String {
    match answer {
        Answer::Done => "done\n".to_owned(),
        Answer::InUse => "in use\n".to_owned(),
        Answer::Stale => "stale\n".to_owned(),
        Answer::Silent => String::new(),
        Answer::Failed(failure) => {
            let lines = ["failed".to_owned(), failure.lines.join("; ")].into_iter().chain(failure.hint);
            lines.map(|line| line.replace('\n', " ") + "\n").collect()
        }
    }
}

/// A mount, for another process of this command.
pub(super) fn words(mounted: &Mounted) -> Vec<u8> {
    [mounted.device.as_bytes(), b"\0", mounted.dir.as_os_str().as_bytes()].concat()
}

/// The mount that another process of this command names.
pub(super) fn named(words: &[u8]) -> Option<Mounted> {
    let mut parts = words.splitn(2, |byte| *byte == 0);
    let (device, dir) = (parts.next()?, parts.next()?);
    let device = String::from_utf8_lossy(device).into_owned();
    Some(Mounted { source: "".into(), dir: OsStr::from_bytes(dir).into(), options: String::new(), device })
}

/// What the process does that makes a call: it is told which mount, and says what became of it.
pub(crate) fn run(call: Call, ui: &mut Ui<'_>) {
    let mut given = Vec::new();
    let read = std::io::stdin().read_to_end(&mut given);
    let Some(mounted) = read.ok().and_then(|_| named(&given)) else { return };
    let answer = match call {
        Call::Unmount => answered(unmount(&mounted.dir, false)),
        Call::Detach => answered(unmount(&mounted.dir, true)),
        Call::Leave => leave(&mounted),
        Call::Look => look(&mounted.dir),
    };
    ui.raw(written(answer).as_bytes());
}

fn answered(done: Result<(), MountError>) -> Answer {
    match done {
        Ok(()) => Answer::Done,
        Err(MountError::Busy { .. }) => Answer::InUse,
        Err(error) => Answer::Failed(failure(&error)),
    }
}

fn leave(mounted: &Mounted) -> Answer {
    let Err(why) = mounted.unmount(false) else { return Answer::Done };
    // Kept without asking for anything: it is to disappear also when nobody answers.
    let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(&mounted.dir, path, Mode::empty());
    let busy = matches!(why, MountError::Busy { .. });
    let gone = if busy { mounted.unmount(true) } else { Err(why) };
    let opened = root.and_then(|root| openat(&root, c".", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()));
    if let Ok(root) = opened {
        // What fails here fails for whoever has written it.
        let _ = rustix::fs::syncfs(&root);
    }
    match gone {
        Ok(()) => Answer::InUse,
        Err(error) => Answer::Failed(failure(&error)),
    }
}

fn look(dir: &Path) -> Answer {
    match rustix::fs::statfs(dir) {
        // The second is for who asks at the very moment of its end.
        Err(Errno::NOTCONN | Errno::CONNABORTED) => Answer::Stale,
        _ => Answer::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_as_they_were_given() {
        let failed = || Failure::new("mnt: cannot unmount: why");
        let all = || {
            let hinted = failed().hint("do that");
            [Answer::Done, Answer::InUse, Answer::Stale, Answer::Failed(failed()), Answer::Failed(hinted)]
        };
        for (given, wanted) in all().into_iter().zip(all()) {
            assert_eq!(read(&written(given)), wanted);
        }
        assert!(matches!(read(""), Answer::Failed(_)));
    }

    #[test]
    fn a_mount_is_named_by_device_and_folder() {
        let dir = OsStr::from_bytes(b"/mnt/a\xff b");
        let mounted = Mounted { source: "".into(), dir: dir.into(), options: String::new(), device: "0:98".to_owned() };
        assert_eq!(named(&words(&mounted)), Some(mounted));
        assert_eq!(named(b""), None);
    }

    #[test]
    fn a_call_that_does_not_return_is_given_up() {
        let began = Instant::now();
        let child = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(wait(child, |taken| taken < Duration::from_millis(50)), Answer::Silent);
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
