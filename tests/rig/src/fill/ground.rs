//! Where a pool lies that is to run full: a small filesystem of the host, or a disk in memory.

use std::path::{Path, PathBuf};
use std::process::Command;

use pv::{Bytes, Env};

use crate::disk::{Disk, Settings};

/// What kind of filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `tmpfs`, mounted for this run.
    Tmpfs,
    /// An ext4 image on a loop device.
    Ext4,
    /// The rig's disk in memory, with a limited capacity.
    Memory,
}

impl Kind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Ext4 => "ext4",
            Self::Memory => "memory",
        }
    }
}

/// The reserve of a small filesystem when it is whole.
const RESERVE: u64 = 1 << 20;

/// A small filesystem of its own; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Ground {
    /// The folder for the pool.
    pub(super) dir: PathBuf,
    /// What the engine works with.
    pub(super) env: Env,
    disk: Option<Disk>,
    mounted: bool,
    image: Option<PathBuf>,
    bytes: u64,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{}: the name is no text", path.display()))
}

/// Whether this process may mount, or may do so in a namespace of its own, and how: the words before its own command
/// line. `Err` says why not.
///
/// # Errors
/// What is missing.
pub fn namespace() -> Result<Vec<String>, String> {
    let words = |more: &[&str]| -> Vec<String> {
        let words = ["unshare", "--mount", "--propagation", "private"];
        words.iter().chain(more).map(ToString::to_string).collect()
    };
    let mut refused = String::new();
    for more in [&[][..], &["--user", "--map-root-user"]] {
        let words = words(more);
        let rest: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let probe = [&rest[..], &["sh", "-c", "mount -t tmpfs -o size=1m none /tmp"]].concat();
        match run("unshare", &probe) {
            Ok(()) => return Ok(words),
            Err(why) => refused = why,
        }
    }
    Err(refused)
}

/// Whether ext4 images can be made and mounted here. `dir` is any folder.
///
/// # Errors
/// What is missing.
pub fn ext4_works(dir: &Path) -> Result<(), String> {
    Ground::new(Kind::Ext4, dir, 4 << 20).map(drop)
}

impl Ground {
    /// A new filesystem of about `bytes`, mounted on a new folder in `base`.
    ///
    /// # Errors
    /// In words.
    pub(super) fn new(kind: Kind, base: &Path, bytes: u64) -> Result<Self, String> {
        let dir = base.join("ground");
        let io = |error: std::io::Error| format!("{}: {error}", dir.display());
        if kind == Kind::Memory {
            let disk = Disk::new(Settings { capacity: bytes, ..Settings::default() });
            let env = disk.env();
            env.host.make_dir(Path::new("/ground")).map_err(io)?;
            let dir = PathBuf::from("/ground");
            return Ok(Self { dir, env, disk: Some(disk), mounted: false, image: None, bytes });
        }
        std::fs::create_dir_all(&dir).map_err(io)?;
        let mut ground = Self { dir: dir.clone(), env: Env::system(), disk: None, mounted: false, image: None, bytes };
        if kind == Kind::Tmpfs {
            run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "none", text(&dir)?])?;
        } else {
            // In memory, so that every sync does not wait for the disk below.
            let below = base.join("below");
            std::fs::create_dir_all(&below).map_err(|error| format!("{}: {error}", below.display()))?;
            run("mount", &["-t", "tmpfs", "-o", &format!("size={}", bytes + (1 << 20)), "none", text(&below)?])?;
            let image = below.join("ground.img");
            let made = std::fs::File::create(&image).and_then(|file| file.set_len(bytes));
            made.map_err(|error| format!("{}: {error}", image.display()))?;
            ground.image = Some(image.clone());
            run("mkfs.ext4", &["-q", "-F", "-m", "0", "-O", "^has_journal", text(&image)?])?;
            run("mount", &["-o", "loop,nosuid", text(&image)?, text(&dir)?])?;
        }
        ground.mounted = true;
        Ok(ground)
    }

    /// Free bytes.
    pub(super) fn free(&self) -> u64 {
        self.env.host.space(&self.dir).map_or(0, |space| space.free.0)
    }

    /// Whether a reserve is there, and whole.
    pub(super) fn reserved(&self) -> bool {
        let dirs = self.env.host.list(&self.dir).unwrap_or_default();
        dirs.iter().any(|dir| self.env.host.stat(&dir.join("reserve")).is_ok_and(|file| file.len.0 >= RESERVE))
    }

    /// Another program takes all but `leave` bytes.
    ///
    /// # Errors
    /// In words.
    pub(super) fn ballast(&self, leave: u64) -> Result<(), String> {
        if let Some(disk) = &self.disk {
            disk.set_free(leave.min(self.free()));
            return Ok(());
        }
        let io = |error: std::io::Error| format!("ballast: {error}");
        // Filesystems keep some for themselves, and say so only when asked for it.
        for part in 0..64 {
            let take = self.free().saturating_sub(leave);
            if take < 4096 {
                break;
            }
            let file = self.dir.join(format!("ballast{part}"));
            let (mut size, mut taken) = (take / 4096 * 4096, false);
            while !taken && size >= 4096 {
                taken = self.env.host.allocate(&file, Bytes(size)).is_ok();
                if !taken {
                    self.env.host.remove_file(&file).map_err(io)?;
                    size = size / 2 / 4096 * 4096;
                }
            }
            if !taken {
                break;
            }
        }
        Ok(())
    }

    /// The other program gives it all back.
    ///
    /// # Errors
    /// In words.
    pub(super) fn lift(&self) -> Result<(), String> {
        if let Some(disk) = &self.disk {
            let space = self.env.host.space(&self.dir).map_err(|error| error.to_string())?;
            disk.set_free(self.bytes.saturating_sub(space.total.0.saturating_sub(space.free.0)));
            return Ok(());
        }
        for part in 0..64 {
            let file = self.dir.join(format!("ballast{part}"));
            self.env.host.remove_file(&file).map_err(|error| format!("ballast: {error}"))?;
        }
        Ok(())
    }

    /// Copies what is left of the pool to a folder that stays; says where.
    pub(super) fn save(&self, to: &Path) -> String {
        if self.disk.is_some() {
            return "its pool was in memory".to_owned();
        }
        let copied =
            text(to).and_then(|to| run("cp", &["-a", "--sparse=always", text(&self.dir)?, to]).map(|()| to.to_owned()));
        copied.map_or_else(|why| why, |to| format!("its pool is left in {to}"))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.mounted
            && let Ok(dir) = text(&self.dir)
        {
            // At the latest the namespace's end takes it away.
            let _ = run("umount", &["-l", dir]);
        }
        if let Some(below) = self.image.as_deref().and_then(Path::parent).and_then(Path::to_str) {
            let _ = run("umount", &["-l", below]);
        }
    }
}
