//! `umount`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyfs_lvm::fuse::{MountError, Mounted, mounts, unmount};
use anyfs_lvm::pv::ProcessState;

use super::Entry;
use crate::args::{Common, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
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
/// When it is looked for what else may keep it.
const LOOK: Duration = Duration::from_secs(1);

/// Unmount a logical volume
///
/// Returns when everything is durable and the volume is free. A mount whose process is gone is taken away, too.
#[derive(Debug, clap::Parser)]
#[command(name = "umount", version, disable_version_flag = true)]
pub(crate) struct Umount {
    /// The folders, or the volumes
    #[arg(required = true, value_name = "DIR|VG/LV")]
    targets: Vec<String>,
    /// Let it disappear now and end when nobody uses it any more
    #[arg(short, long)]
    lazy: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Umount {
    const NAME: &'static str = "umount";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
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
    if let Some(Owner { pid, .. }) = owner.as_ref().filter(|owner| owner.state() == ProcessState::Stopped) {
        // The kernel tells it that this is the end, and waits for its answer: nothing could end this command either.
        let failure = Failure::new(format!("{}: process {pid}, which serves it, is stopped", shown(&mounted.dir)));
        return Err(failure.hint(format!("let it go on (kill -CONT {pid}), or end it (kill -9 {pid})")));
    }
    let health = health(&mounted.dir, owner.as_ref());
    if health == Health::Silent {
        let failure = Failure::new(format!("{}: nobody answers there", shown(&mounted.dir)));
        return Err(failure.hint(format!("end it by force, as root: umount -f {}", shown(&mounted.dir))));
    }
    // Nobody is left who could finish anything, so nothing is lost by not waiting.
    let stale = health == Health::Stale;
    match unmount(&mounted.dir, lazy || stale) {
        Ok(()) => {}
        Err(MountError::Busy { dir }) => {
            let dir = shown(&dir);
            let failure = Failure::new(format!("{dir}: target is busy"));
            return Err(failure.hint(format!("see who uses it: fuser -vm {dir}; or: anyfs-lvm umount -l {dir}")));
        }
        Err(error) => return Err(failure(&error)),
    }
    if let Some(owner) = owner.filter(|_| !lazy) {
        until_free(ui, mounted, &owner);
    }
    Ok(())
}

/// Waits until the process that served a mount has ended, as far as that can be waited for.
fn until_free(ui: &mut Ui<'_>, mounted: &Mounted, owner: &Owner) {
    let (pid, dir) = (owner.pid, shown(&mounted.dir));
    let (began, mut looked) = (Instant::now(), false);
    while matches!(owner.state(), ProcessState::Running | ProcessState::Stopped) {
        if began.elapsed() > LOOK
            && !std::mem::replace(&mut looked, true)
            && let Some(other) = seen_by(mounted)
        {
            ui.warn(&format!(
                "{dir} is still mounted for process {other}, in another mount namespace; process {pid} serves it."
            ));
            ui.complain(&format!("hint: end that process, or, to have the volume back soon: kill {pid}"));
            return;
        }
        if began.elapsed() > PATIENCE {
            ui.warn(&format!("process {pid}, which served {dir}, has not ended yet and still has the volume."));
            ui.complain("hint: it writes what was changed, or was stopped");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
