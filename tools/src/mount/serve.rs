//! A mount from beginning to end, in the process that serves it.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyfs_lvm::fuse::{Mount, MountOptions, Mounted, Report};
use anyfs_lvm::lv::LvError;
use anyfs_lvm::owner;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::apart::{Answer, Call, ask};
use super::guard::Guard;
use super::{background, failure, syslog};
use crate::args::LvName;
use crate::failure::{Done, Failure, chain};
use crate::files::volume;
use crate::ui::Ui;

/// How long whoever still uses a mount has after a signal, before it ends all the same.
const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel has to write out what it has cached and to let go of a mount, after a signal.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ends a mount.
#[derive(Debug)]
enum End {
    /// It was unmounted.
    Unmounted(Done),
    /// Whoever uses it still has had its time.
    Forced,
}

/// Where trouble is told: on standard error, or in the system's log when nobody reads that.
fn report(name: &LvName, in_background: &Arc<AtomicBool>) -> Report {
    let (name, in_background) = (name.to_string(), Arc::clone(in_background));
    Box::new(move |error: &LvError| {
        let line = format!("{name}: {}", chain(error));
        if in_background.load(Ordering::Relaxed) {
            syslog::error(&line);
        } else {
            let hint = error.hint().map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
            let _ = std::io::stderr().write_all(format!("  {line}\n{hint}").as_bytes());
        }
    })
}

/// Mounts an open volume on a folder and serves it until it is unmounted; then commits everything and closes it. With
/// `detached` a command waits to be told that it is mounted.
pub(crate) fn serve(
    ui: &mut Ui<'_>,
    volume: &volume::Active,
    dir: &Path,
    options: &MountOptions,
    detached: bool,
) -> Done {
    let name = &volume.name;
    let in_background = Arc::new(AtomicBool::new(false));
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
        .map_err(|error| Failure::new(format!("cannot watch for signals: {error}")));
    let mounted = signals.and_then(|signals| {
        let mut guard = Guard::start()?;
        let mount = Mount::new(&volume.volume, dir, options, report(name, &in_background));
        let mount = mount.map_err(|error| failure(&error))?;
        guard.watch(mount.mounted()).inspect_err(|_| {
            // Why it cannot be served is what counts.
            let _ = leave(mount.mounted());
        })?;
        Ok((signals, mount, guard))
    });
    let (signals, mount, _guard) = match mounted {
        Ok(mounted) => mounted,
        Err(failure) => {
            // The volume was opened and nothing was changed.
            let _ = volume.volume.clone().close();
            return Err(failure);
        }
    };
    let server = serve_others(ui, volume, &mount);
    if detached {
        in_background.store(true, Ordering::Relaxed);
        background::tell_ready(ui)?;
    } else {
        ui.say(&format!("{name} is mounted on {}; Ctrl-C unmounts it.", crate::picture::shown(&mount.mounted().dir)));
        ui.flush();
    }
    let ended = until_end(mount, signals, (!detached).then(|| name.to_string()));
    // Who is being served has an answer before the volume is closed.
    drop(server);
    finish(ui, volume, ended, detached)
}

/// Lets other commands reach the volume while it is mounted. Without that it is only mounted.
fn serve_others(ui: &mut Ui<'_>, volume: &volume::Active, mount: &Mount) -> Option<owner::Server> {
    let LvName { vg, lv } = &volume.name;
    let served = owner::serve(&volume.volume, (vg, lv), Box::new(mount.outside()));
    served
        .inspect_err(|error| ui.warn(&format!("{}: other commands cannot use it: {}", volume.name, chain(error))))
        .ok()
}

/// Waits until it is unmounted, which signals ask for. In the foreground the user is told, with its name, why that takes time.
fn until_end(mount: Mount, mut signals: Signals, foreground: Option<String>) -> End {
    let (tell, told) = mpsc::channel();
    let (mounted, stopped) = (mount.mounted().clone(), tell.clone());
    let handle = signals.handle();
    // Both end with the process at the latest.
    let watching = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked = false;
        for _ in &mut signals {
            if std::mem::replace(&mut asked, true) {
                let _ = stopped.send(End::Forced);
                return;
            }
            let (mounted, stopped, foreground) = (mounted.clone(), stopped.clone(), foreground.clone());
            // Apart from here, so that a second signal is heard while the first is being followed.
            let _ = std::thread::Builder::new().name("unmount".to_owned()).spawn(move || {
                let left = leave(&mounted);
                if let (Ok(true), Some(name)) = (&left, foreground) {
                    let line =
                        format!("  {name} is still in use: it ends in {} s, or at once with Ctrl-C\n", GRACE.as_secs());
                    let _ = std::io::stderr().write_all(line.as_bytes());
                }
                // Who uses a mount that cannot be taken away has as much time, and then it ends with the reason.
                std::thread::sleep(GRACE);
                let _ = stopped.send(left.map_or_else(|error| End::Unmounted(Err(error)), |_| End::Forced));
            });
        }
    });
    let waiting = std::thread::Builder::new().name("wait".to_owned()).spawn(move || {
        let _ = tell.send(End::Unmounted(mount.wait().map_err(|error| failure(&error))));
    });
    let ended = match (watching, waiting) {
        (Ok(_), Ok(_)) => told.recv().unwrap_or(End::Forced),
        _ => End::Forced,
    };
    handle.close();
    ended
}

/// Takes a mount away. Where somebody still uses it, which is what this says, it disappears for all others. Where it
/// does not go at once, what is in the kernel's cache is written out.
fn leave(mounted: &Mounted) -> Done<bool> {
    if !mounted.is_there().map_err(|error| failure(&error))? {
        return Ok(false);
    }
    match ask(Call::Leave, mounted, |taken| taken < PATIENCE) {
        Answer::Done | Answer::Stale => Ok(false),
        Answer::InUse => Ok(true),
        Answer::Failed(failure) => Err(failure),
        Answer::Silent => Err(Failure::new(format!(
            "{}: the kernel has not let go of it for {} s",
            crate::picture::shown(&mounted.dir),
            PATIENCE.as_secs()
        ))),
    }
}

/// Commits everything and gives the volume free.
fn finish(ui: &mut Ui<'_>, volume: &volume::Active, ended: End, detached: bool) -> Done {
    let closed = volume.volume.clone().close().map_err(|error| {
        let mut failure = Failure::new(format!("{}: {}", volume.name, chain(&error)));
        failure.hint = error.hint().map(str::to_owned);
        failure
    });
    let ended = match ended {
        End::Unmounted(ended) => ended,
        End::Forced => Err(Failure::new(format!("{}: ended while it was still in use", volume.name))),
    };
    let done = closed.and(ended);
    if let Err(failure) = &done
        && detached
    {
        failure.lines.iter().for_each(|line| syslog::error(line));
    }
    if done.is_ok() && !detached {
        ui.detail(&format!("{} is unmounted.", volume.name));
    }
    done
}
