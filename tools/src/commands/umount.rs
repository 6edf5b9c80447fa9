//! `umount`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyfs_lvm::fuse::{Mounted, mounts};
use anyfs_lvm::pv::ProcessState;

use super::Entry;
use crate::args::{Common, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::mount::apart::{self, Answer, Call};
use crate::mount::elsewhere::seen_by;
use crate::mount::failure;
use crate::mount::owners::{self, Owner};
use crate::mount::stale::{Health, health, listed, on};
use crate::picture::shown;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Umount>("Unmount a logical volume");

/// How long a process has for its last commit before it is told that it still writes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the kernel has to take a mount away: what programs wrote, closing the files has written out.
const ANSWER: Duration = Duration::from_secs(10);
/// How long one that is stopped has to go on.
const STOPPED: Duration = Duration::from_secs(3);
/// When it is looked for what else may keep it.
const LOOK: Duration = Duration::from_secs(1);

/// Unmount a logical volume
///
/// Returns when everything is durable and the volume is free. A mount whose process is gone is taken away, too.
#[derive(Debug, clap::Parser)]
#[command(name = "umount", version, disable_version_flag = true)]
pub(crate) struct Umount {
    /// The folders, or the volumes
    #[arg(required_unless_present = "apart", value_name = "DIR|VG/LV")]
    targets: Vec<String>,
    /// Let it disappear now and end when nobody uses it any more
    #[arg(short, long)]
    lazy: bool,
    /// For another process of this command, which does not wait for ever
    #[arg(long, hide = true, value_name = "CALL")]
    apart: Option<Call>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Umount {
    const NAME: &'static str = "umount";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        if let Some(call) = self.apart {
            apart::run(call, ui);
            return Ok(());
        }
        ui.each(&self.targets, |ui, target| {
            let mounted = find(target)?;
            if self.common.test { Ok(()) } else { away(ui, &mounted, self.lazy) }
        })
    }
}

/// What a target means: a mount point, or a volume that is mounted once.
fn find(target: &str) -> Done<Mounted> {
    if let Some(mounted) = on(&listed(Path::new(target)))? {
        return Ok(mounted);
    }
    let all = mounts().map_err(|error| failure(&error))?;
    let name = lv_name(target).map(|name| name.to_string());
    let served = owners::owners();
    let is_it = |mounted: &&Mounted| {
        // Where another name is shown, the process knows.
        let named = || owners::of(mounted, &served).is_some_and(|owner| Some(owner.name.to_string()) == name);
        name.as_deref().is_some_and(|name| mounted.source == name) || named()
    };
    let mut found = all.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (None, _) => Err(Failure::new(format!("{target}: not mounted"))),
        (Some(_), Some(_)) => {
            let failure = Failure::new(format!("{target}: several volumes of this name are mounted"));
            Err(failure.hint("give the folder: anyfs-lvm mount lists them"))
        }
    }
}

fn away(ui: &mut Ui<'_>, mounted: &Mounted, lazy: bool) -> Done {
    let owner = owners::of(mounted, &owners::owners());
    // The kernel tells it that this is the end, and would wait for its answer.
    if owner.as_ref().is_some_and(|owner| owner.state() == ProcessState::Stopped) {
        return Err(silent(mounted, owner.as_ref()));
    }
    let health = health(&mounted.dir, owner.as_ref());
    if health == Health::Silent {
        return Err(silent(mounted, owner.as_ref()));
    }
    // Nobody is left who could finish anything, so nothing is lost by not waiting.
    let stale = health == Health::Stale;
    let call = if lazy || stale { Call::Detach } else { Call::Unmount };
    let mut stopped = Stopped::default();
    let patient = |taken| taken < ANSWER && !owner.as_ref().is_some_and(|owner| stopped.stays(owner));
    match apart::ask(call, mounted, patient) {
        Answer::Done | Answer::Stale => {}
        Answer::InUse => {
            let dir = shown(&mounted.dir);
            let failure = Failure::new(format!("{dir}: target is busy"));
            return Err(failure.hint(format!("see who uses it: fuser -vm {dir}; or: anyfs-lvm umount -l {dir}")));
        }
        Answer::Failed(failure) => return Err(failure),
        Answer::Silent => return Err(silent(mounted, owner.as_ref())),
    }
    if let Some(owner) = owner.filter(|_| !lazy) {
        until_free(ui, mounted, &owner);
    }
    Ok(())
}

/// Since when a process has been stopped.
#[derive(Debug, Default)]
struct Stopped(Option<Instant>);

impl Stopped {
    /// Whether it is, and does not go on soon.
    fn stays(&mut self, owner: &Owner) -> bool {
        if owner.state() != ProcessState::Stopped {
            self.0 = None;
            return false;
        }
        self.0.get_or_insert_with(Instant::now).elapsed() > STOPPED
    }
}

/// Whoever serves a mount does not answer.
fn silent(mounted: &Mounted, owner: Option<&Owner>) -> Failure {
    let dir = shown(&mounted.dir);
    let Some(Owner { pid, .. }) = owner else {
        let failure = Failure::new(format!("{dir}: nobody answers there"));
        return failure.hint(format!("end it by force, as root: umount -f {dir}"));
    };
    if owner.is_some_and(|owner| owner.state() == ProcessState::Stopped) {
        let failure = Failure::new(format!("{dir}: process {pid}, which serves it, is stopped"));
        return failure.hint(format!("let it go on (kill -CONT {pid}), or end it (kill -9 {pid})"));
    }
    let failure = Failure::new(format!("{dir}: process {pid}, which serves it, does not answer"));
    failure.hint(format!("it may be busy and unmount it later; end it with: kill -9 {pid}"))
}

/// Waits until the process that served a mount has ended, as far as that can be waited for.
fn until_free(ui: &mut Ui<'_>, mounted: &Mounted, owner: &Owner) {
    let (pid, dir) = (owner.pid, shown(&mounted.dir));
    let (began, mut looked, mut stopped) = (Instant::now(), false, Stopped::default());
    while matches!(owner.state(), ProcessState::Running | ProcessState::Stopped) {
        // Of a process that is stopped, that is the reason; its device number may be another mount's by now.
        if began.elapsed() > LOOK
            && owner.state() == ProcessState::Running
            && !std::mem::replace(&mut looked, true)
            && let Some(other) = seen_by(mounted)
        {
            ui.warn(&format!(
                "{dir} is still mounted for process {other}, in another mount namespace; process {pid} serves it."
            ));
            ui.complain(&format!("hint: end that process, or, to have the volume back soon: kill {pid}"));
            return;
        }
        if stopped.stays(owner) {
            ui.warn(&format!("process {pid}, which served {dir}, is stopped and still has the volume."));
            ui.complain(&format!("hint: let it go on: kill -CONT {pid}"));
            return;
        }
        if began.elapsed() > PATIENCE {
            ui.warn(&format!("process {pid}, which served {dir}, has not ended yet and still has the volume."));
            ui.complain("hint: it writes what was changed");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
