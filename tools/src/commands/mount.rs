//! `mount`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyfs_lvm::fuse::{KernelClock, MountOptions, Mounted, ensure_outside, mounts, remount};
use anyfs_lvm::lv::{Ino, LvError, SetAttr};
use anyfs_lvm::vg::{LvName as Name, VolumeGroup};
use rustix::process::{getegid, geteuid};

use super::{Entry, filing};
use crate::args::{Common, LvName, lv_name};
use crate::cli::{Verb, run};
use crate::failure::{Done, Failure};
use crate::files::volume;
use crate::mount::options;
use crate::mount::owners::{self, Owner};
use crate::mount::stale::{Health, clean, health, listed, on};
use crate::mount::{background, failure, guard, helper, serve};
use crate::mounting::Use;
use crate::picture::shown;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Mount>("Mount a logical volume as a filesystem");

/// Mount a logical volume as a filesystem, or list what is mounted
///
/// The volume is served in the background until it is unmounted: anyfs-lvm umount DIR.
#[derive(Debug, clap::Parser)]
#[command(name = "mount", version, disable_version_flag = true)]
#[command(mut_arg("force", |arg| arg.short(None)))]
pub(crate) struct Mount {
    /// The volume
    #[arg(value_name = "VG/LV", requires = "dir")]
    name: Option<String>,
    /// The folder to mount it on
    dir: Option<PathBuf>,
    /// ro, rw, noatime, relatime, strictatime, `allow_other`, uid=N, gid=N, umask=N, dev, suid, noexec, sync, fsname=NAME,
    /// pool=DIR, remount, `no_writeback_cache`, locks=volume, threads=N, with commas between them; what is meant for mount(8) or
    /// systemd is taken
    #[arg(short, value_name = "OPTIONS")]
    options: Vec<String>,
    /// Serve it here instead of in the background; Ctrl-C unmounts it
    #[arg(short = 'f', long)]
    foreground: bool,
    /// In the background, with the command that the user started waiting
    #[arg(long, hide = true)]
    detached: bool,
    /// Beside the process that serves a mount
    #[arg(long, hide = true, value_name = "PID")]
    guard: Option<u32>,
    #[command(flatten)]
    common: Common,
}

/// Runs the command as mount(8) calls it.
pub(crate) fn as_helper(words: &[OsString], ui: &mut Ui<'_>) -> Done {
    match helper::words(words) {
        Some(words) => run::<Mount>(&words, ui),
        None => Ok(()),
    }
}

impl Verb for Mount {
    const NAME: &'static str = "mount";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(mut self, ui: &mut Ui<'_>) -> Done {
        if let Some(owner) = self.guard {
            return guard::run(owner);
        }
        let (Some(name), Some(dir)) = (self.name.take(), self.dir.take()) else { return list(ui) };
        let dir = dir.as_path();
        let name = lv_name(&name)
            .ok_or_else(|| Failure::usage(Self::NAME, format!("\"{name}\": please give the volume as VG/LV.")))?;
        let wanted = options::read(&self.options, &name.to_string())?;
        if wanted.remount {
            return if self.common.test { Ok(()) } else { change(dir, &wanted.mount) };
        }
        self.common.pool = self.common.pool.or_else(|| wanted.pool.clone());
        let mut session = Session::new(&self.common)?;
        filing::for_real(&session)?;
        if !self.foreground && !self.detached {
            return background::start(&words(&self.common, &self.options, (&name, dir)), ui);
        }
        if self.detached {
            background::detach();
        }
        session.env.clock = Arc::new(KernelClock::default());
        if clean(dir)? {
            ui.complain(&format!("A mount on {} whose process was gone was taken away.", shown(dir)));
        }
        let used = if wanted.mount.read_only { Use::OnlyRead } else { Use::WriteOrRead };
        let volume = session.mount_if(ui, &name, used, &|group| check(&session, group, &name, dir))?;
        if !volume.volume.is_read_only() {
            adopt(&volume.clone().into())?;
        }
        serve::serve(ui, &volume, dir, &wanted.mount, self.detached)
    }
}

impl Mount {
    /// The volume and the folder, where this command serves a mount itself.
    pub(crate) fn serves(self) -> Option<(LvName, PathBuf)> {
        let name = lv_name(self.name.as_deref()?)?;
        (self.foreground || self.detached).then_some((name, self.dir?))
    }
}

/// The words that the process in the background begins with. Its folder is not this one for long.
fn words(common: &Common, options: &[String], (name, dir): (&LvName, &Path)) -> Vec<OsString> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut words: Vec<OsString> = vec!["mount".into(), "--detached".into()];
    if let Some(pool) = &common.pool {
        words.extend(["--pool".into(), absolute(pool).into()]);
    }
    for file in &common.devices {
        words.extend(["--devices".into(), absolute(file).into()]);
    }
    words.extend((0..common.verbose).map(|_| OsString::from("--verbose")));
    // The folder of the pool is named already.
    let rest = options.iter().flat_map(|list| list.split(',')).filter(|word| !word.starts_with("pool="));
    let rest = rest.collect::<Vec<_>>().join(",");
    if !rest.is_empty() {
        words.extend(["-o".into(), rest.into()]);
    }
    words.extend(["--".into(), name.to_string().into(), listed(dir).into()]);
    words
}

/// Changes how what is mounted on a folder is mounted.
fn change(dir: &Path, options: &MountOptions) -> Done {
    let mounted = on(&listed(dir))?.ok_or_else(|| Failure::new(format!("{}: not mounted", shown(dir))))?;
    remount(&mounted.dir, options).map_err(|error| failure(&error))
}

/// Refuses what cannot be mounted, or not there.
fn check(session: &Session, group: &VolumeGroup, name: &LvName, dir: &Path) -> Done {
    // What is not there, or is in use by whoever does not serve a mount, activating it will say.
    let record = Name::new(&name.lv).ok().and_then(|lv| group.lv(&lv).ok());
    let holder = record.and_then(|record| Some((record.family, session.owner(group, record)?.pid?)));
    if let Some((family, pid)) = holder
        && let Some(dir) = owners::mounted_on(family, pid)
    {
        let line = format!("{name} is already mounted on {} by process {pid}", shown(&dir));
        return Err(Failure::new(line).hint(format!("unmount it first: anyfs-lvm umount {}", shown(&dir))));
    }
    // Of what is missing, nothing is read, and where it was is a guess.
    let there = group.pvs().iter().filter(|member| member.present() || member.interrupted());
    ensure_outside(dir, there.map(|member| member.path.as_path())).map_err(|error| failure(&error))
}

/// Gives the root directory of a new volume, which nobody has given to anybody, to a user who is not root: nobody else
/// could make anything in it.
fn adopt(volume: &volume::Mount) -> Done {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let failed = |error: &LvError| volume.trouble(error).about(&volume.name.to_string());
    let root = volume.volume.getattr(Ino::ROOT).map_err(|error| failed(&error))?;
    if uid == 0 || (root.uid, root.gid) != (0, 0) {
        return Ok(());
    }
    let set = SetAttr { uid: Some(uid), gid: Some(gid), ..SetAttr::default() };
    volume.volume.setattr(Ino::ROOT, &set).map(drop).map_err(|error| failed(&error))
}

/// The volumes that are mounted, as mount(8) lists filesystems.
fn list(ui: &mut Ui<'_>) -> Done {
    let all = owners::owners();
    for mounted in mounts().map_err(|error| failure(&error))? {
        ui.say(&line(&mounted, owners::of(&mounted, &all)));
    }
    Ok(())
}

fn line(mounted: &Mounted, owner: Option<Owner>) -> String {
    let Mounted { source, dir, options, .. } = mounted;
    let health = health(dir, owner.as_ref());
    let by = match (owner, health) {
        (_, Health::Stale) => "its process is gone: anyfs-lvm umount takes it away".to_owned(),
        (Some(owner), Health::Well) => format!("process {}", owner.pid),
        (Some(owner), Health::Silent) => format!("process {}, which does not answer", owner.pid),
        (None, Health::Well) => "another program".to_owned(),
        (None, Health::Silent) => "another program, which does not answer".to_owned(),
    };
    format!("{} on {} ({options}) [{by}]", source.to_string_lossy(), shown(dir))
}
