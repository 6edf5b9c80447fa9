//! Comparing what came back with what went in, by SHA-256.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::input::Input;
use crate::args::LvName;
use crate::failure::{Done, Failure};
use crate::files::host::Host;
use crate::files::volume::Mount;
use crate::files::{Res, Side, Trouble};
use crate::mounting::Use;
use crate::session::Session;
use crate::ui::Ui;

/// What was compared.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compared {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// A pair of directories, with its name for messages.
struct Pair {
    host: std::sync::Arc<Path>,
    volume: anyfs_lvm::lv::Ino,
}

/// A file on both sides.
struct Job {
    host: std::sync::Arc<Path>,
    volume: anyfs_lvm::lv::Ino,
    name: Vec<u8>,
}

/// Opens the pool in `dir` from its files and compares everything.
pub(super) fn compare(ui: &mut Ui<'_>, dir: &Path, input: &Input) -> Done<Compared> {
    let session = Session::in_folder(dir)?;
    let name = LvName { vg: "quick".to_owned(), lv: "src".to_owned() };
    let mount = session.mount(ui, &name, Use::Read)?;
    let jobs = pairs(&mount, input).map_err(|trouble| trouble.about("listing"))?;
    let result = hash_all(&mount, &jobs);
    let closed = mount.volume.close().map_err(|error| Failure::chain(&error));
    let compared = result?;
    closed?;
    if compared.files != input.files {
        return Err(Failure::new(format!("{} files went in, {} came back", input.files, compared.files)));
    }
    Ok(compared)
}

/// Files on both sides; fails on the first name that is on one side only.
fn pairs(mount: &Mount, input: &Input) -> Res<Vec<Job>> {
    let mut jobs = Vec::new();
    let mut open = Vec::new();
    let root: std::sync::Arc<Path> = input.root.as_path().into();
    let top = Pair { host: root, volume: anyfs_lvm::lv::Ino::ROOT };
    let chosen: BTreeSet<Vec<u8>> =
        input.entries.iter().filter_map(|path| path.file_name()).map(|name| name.as_bytes().to_vec()).collect();
    for name in &chosen {
        visit(mount, &top, name, &mut jobs, &mut open)?;
    }
    while let Some(pair) = open.pop() {
        let (mut host, volume) = (Host.list(&pair.host)?, mount.list(&pair.volume)?);
        host.sort_unstable();
        if host != volume {
            let shown = crate::picture::shown(&pair.host);
            return Err(Failure::new(format!("{shown}: not the same names on both sides")).into());
        }
        for name in &host {
            visit(mount, &pair, name, &mut jobs, &mut open)?;
        }
    }
    Ok(jobs)
}

fn visit(mount: &Mount, pair: &Pair, name: &[u8], jobs: &mut Vec<Job>, open: &mut Vec<Pair>) -> Res<()> {
    use crate::files::Kind;
    let shown = || crate::files::show::name(name);
    let (host, volume) = (Host.entry(&pair.host, name)?, mount.entry(&pair.volume, name)?);
    let (Some(host), Some(volume)) = (host, volume) else {
        return Err(Failure::new(format!("{}: missing", shown())).into());
    };
    if host.kind != volume.kind || host.mode != volume.mode || host.mtime != volume.mtime {
        return Err(Failure::new(format!("{}: kind, mode or time differ", shown())).into());
    }
    match host.kind {
        Kind::Directory => {
            open.push(Pair { host: Host.enter(&pair.host, name)?, volume: mount.enter(&pair.volume, name)? });
        }
        Kind::File => jobs.push(Job { host: pair.host.clone(), volume: pair.volume, name: name.to_vec() }),
        _ => {}
    }
    Ok(())
}

fn hash_all(mount: &Mount, jobs: &[Job]) -> Done<Compared> {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Ok(Compared::default()));
    std::thread::scope(|scope| {
        for _ in 0..crate::commands::workers() {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = same(mount, job);
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&mut *total, one) {
                        (Ok(sum), Ok(bytes)) => {
                            sum.files = sum.files.saturating_add(1);
                            sum.bytes = sum.bytes.saturating_add(bytes);
                        }
                        (slot @ Ok(_), Err(failure)) => *slot = Err(failure),
                        (Err(_), _) => return,
                    }
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Compares one file; its size.
fn same(mount: &Mount, job: &Job) -> Done<u64> {
    let shown = || {
        let path: PathBuf = job.host.join(std::ffi::OsStr::from_bytes(&job.name));
        crate::picture::shown(&path)
    };
    let about = |trouble: Trouble| trouble.about(&shown());
    let mut host =
        fs::File::open(job.host.join(std::ffi::OsStr::from_bytes(&job.name))).map_err(|e| about(e.into()))?;
    let mut volume = mount.reader(&job.volume, &job.name).map_err(about)?;
    let (host, bytes) = sum(&mut host).map_err(|error| about(error.into()))?;
    let (volume, _) = sum(&mut volume).map_err(|error| about(error.into()))?;
    if host == volume { Ok(bytes) } else { Err(Failure::new(format!("{}: the contents differ", shown()))) }
}

fn sum(reader: &mut impl Read) -> std::io::Result<([u8; 32], u64)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut total = 0u64;
    loop {
        let count = reader.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok((hash.finalize().into(), total));
        };
        hash.update(bytes);
        total = total.saturating_add(u64::try_from(count).unwrap_or(0));
    }
}
