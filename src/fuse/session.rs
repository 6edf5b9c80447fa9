//! A mounted volume: its connection to the kernel from beginning to end.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use fuser::{Config, InitFlags, KernelConfig, MountOption, Session, SessionACL};
use lv::{AccessTime, LvError, Volume};

use super::aside::Aside;
use super::error::MountError;
use super::handler::Handler;
use super::kernel::Kernel;
use super::mounts::{MOUNT_TYPE, Mounted, mounted_on, mounts, unmount};
use super::options::{LockPlace, MountOptions};
use super::outside::Outside;
use super::place::mount_point;
use super::server::Server;
use super::tuning;

/// Told of every failure of the volume that programs only see as an I/O error.
pub type Report = Box<dyn Fn(&LvError) + Send + Sync>;

/// Largest write that the kernel sends at once.
const MAX_WRITE: u32 = 1024 * 1024;
/// Requests that the kernel may have under way by itself: reading ahead, writing back.
const MAX_BACKGROUND: u16 = 64;
/// Where the kernel's side of FUSE is.
const DEVICE: &str = "/dev/fuse";

/// A volume that is mounted and served by threads of this process.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use anyfs_lvm::Pool;
/// use anyfs_lvm::fuse::{Mount, MountOptions};
///
/// let home = Pool::open("disks/disk1.db")?.volume("home")?;
/// let report = Box::new(|error: &anyfs_lvm::lv::LvError| eprintln!("home: {error}"));
/// let mount = Mount::new(&home, "mnt".as_ref(), &MountOptions::default(), report)?;
/// mount.wait()?; // until somebody unmounts it
/// home.close()?;
/// # Ok(())
/// # }
/// ```
///
/// Whoever drops it without [`wait`](Self::wait) leaves the volume mounted and served.
pub struct Mount {
    mounted: Mounted,
    server: Arc<Server>,
    kernel: Kernel,
    thread: JoinHandle<io::Result<()>>,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("mounted", &self.mounted).finish_non_exhaustive()
    }
}

impl Mount {
    /// Mounts a volume on a folder. It is served when this returns. For exact times, activate the volume with a
    /// [`KernelClock`](super::KernelClock).
    ///
    /// # Errors
    /// [`MountError`]: everything but what is about unmounting.
    ///
    /// # Concurrency
    /// The volume stays this process's to use. What is changed past the mount is to be told to the [`Kernel`].
    pub fn new(volume: &Volume, dir: &Path, options: &MountOptions, report: Report) -> Result<Self, MountError> {
        let dir = mount_point(dir)?;
        let options = &MountOptions { read_only: options.read_only || volume.is_read_only(), ..options.clone() };
        let aside = Aside::start().map_err(|source| MountError::Connection { dir: dir.clone(), source })?;
        let server = Arc::new(Server::new(volume.clone(), options, aside, report));
        let session =
            Session::new(Handler(Arc::clone(&server)), &dir, &config(options)).map_err(|error| refused(&dir, error))?;
        let kernel = Kernel::new(session.notifier(), volume.clone());
        // Nobody else sets it.
        let _ = server.kernel.set(kernel.clone());
        let thread = std::thread::Builder::new().name("fuse".to_owned()).spawn(move || session.run());
        let thread = thread.map_err(|source| MountError::Connection { dir: dir.clone(), source })?;
        let mounted = match mounted_on(&dir) {
            Ok(Some(mounted)) => mounted,
            lost => {
                // Nothing may stay behind that nobody knows of.
                let _ = unmount(&dir, true);
                return Err(lost.err().unwrap_or(MountError::NotMounted { dir }));
            }
        };
        tuning::read_ahead(&mounted.device);
        Ok(Self { mounted, server, kernel, thread })
    }

    /// Where it is mounted, and how.
    pub fn mounted(&self) -> &Mounted {
        &self.mounted
    }

    /// The way to tell the kernel of changes past the mount.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// What processes that use the volume past the mount have to go through.
    pub fn outside(&self) -> Outside {
        Outside::new(Arc::clone(&self.server), self.kernel.clone(), self.mounted.clone())
    }

    /// Waits until it is unmounted, by whomever. The volume is then no longer in use here, and can be closed.
    ///
    /// # Errors
    /// [`MountError::Connection`].
    pub fn wait(self) -> Result<(), MountError> {
        let ended = match self.thread.join() {
            Ok(ended) => ended,
            Err(_) => Err(io::Error::other("a thread that served it died")),
        };
        ended.or_else(|source| {
            // The kernel's answer to who was just taking a request when it was unmounted.
            let aborted = source.kind() == io::ErrorKind::ConnectionAborted;
            if aborted && matches!(self.mounted.is_there(), Ok(false)) {
                return Ok(());
            }
            Err(MountError::Connection { dir: self.mounted.dir, source })
        })
    }
}

impl Mounted {
    /// Whether it is still there, under this device number.
    ///
    /// # Errors
    /// [`MountError::List`].
    pub fn is_there(&self) -> Result<bool, MountError> {
        Ok(mounts()?.iter().any(|other| other.dir == self.dir && other.device == self.device))
    }

    /// Unmounts it; fine when it is gone.
    ///
    /// # Errors
    /// As [`unmount`].
    pub fn unmount(&self, lazy: bool) -> Result<(), MountError> {
        if !self.is_there()? {
            return Ok(());
        }
        match unmount(&self.dir, lazy) {
            // Somebody else was quicker.
            Err(MountError::NotMounted { .. }) => Ok(()),
            done => done,
        }
    }
}

/// Why the kernel or the helper did not mount.
fn refused(dir: &Path, source: io::Error) -> MountError {
    if !Path::new(DEVICE).exists() {
        return MountError::NoFuse;
    }
    let opened = File::options().read(true).write(true).open(DEVICE);
    if opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return MountError::NotAllowed;
    }
    let dir = dir.to_owned();
    match source.kind() {
        // Only the helper can be missing by now.
        io::ErrorKind::NotFound => MountError::NoHelper { dir },
        _ if source.raw_os_error().is_some() => MountError::Refused { dir, source },
        // In the helper's words, with its name and an end of line.
        _ => {
            let said = source.to_string();
            let said = said.trim().trim_start_matches("fusermount3: ").to_owned();
            MountError::Refused { dir, source: io::Error::other(said) }
        }
    }
}

/// The options as the FUSE crate takes them.
fn config(options: &MountOptions) -> Config {
    let kind = MOUNT_TYPE.strip_prefix("fuse.").unwrap_or(MOUNT_TYPE);
    let mut all = vec![
        MountOption::FSName(options.source.clone()),
        // As an option of the kernel's, so that root's own mounts have a type, too.
        MountOption::CUSTOM(format!("subtype={kind}")),
        MountOption::DefaultPermissions,
    ];
    let switches = [
        (options.read_only, MountOption::RO),
        (options.access_time == AccessTime::Never, MountOption::NoAtime),
        (options.devices, MountOption::Dev),
        (options.set_id, MountOption::Suid),
        (!options.programs, MountOption::NoExec),
        (options.sync, MountOption::Sync),
    ];
    all.extend(switches.into_iter().filter_map(|(on, option)| on.then_some(option)));
    let mut config = Config::default();
    config.mount_options = all;
    config.acl = if options.allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(options.threads.max(2));
    config.clone_fd = true;
    config
}

/// Asks the kernel for what makes a mount fast and exact. A kernel that has less does without.
pub(super) fn configure(config: &mut KernelConfig, server: &Server) {
    let wanted = [
        // Several requests at once.
        InitFlags::FUSE_PARALLEL_DIROPS,
        InitFlags::FUSE_ASYNC_DIO,
        // Few requests for much.
        InitFlags::FUSE_DO_READDIRPLUS,
        InitFlags::FUSE_READDIRPLUS_AUTO,
        InitFlags::FUSE_CACHE_SYMLINKS,
        InitFlags::FUSE_NO_OPENDIR_SUPPORT,
        InitFlags::FUSE_EXPLICIT_INVAL_DATA,
        // What the volume does itself: no request for each write to see whether the file has capabilities, and the
        // default lists of directories in place of the umask.
        InitFlags::FUSE_HANDLE_KILLPRIV_V2,
        InitFlags::FUSE_POSIX_ACL,
        InitFlags::FUSE_DONT_MASK,
        // Inodes are found by their numbers, also after the kernel forgot them.
        InitFlags::FUSE_EXPORT_SUPPORT,
    ];
    let open = if server.access == AccessTime::Never {
        InitFlags::FUSE_NO_OPEN_SUPPORT
    } else {
        InitFlags::FUSE_ATOMIC_O_TRUNC
    };
    let writeback = server.writeback.then_some(InitFlags::FUSE_WRITEBACK_CACHE);
    let locks = (server.locks == LockPlace::Volume).then_some(InitFlags::FUSE_POSIX_LOCKS);
    for flag in wanted.into_iter().chain([open]).chain(writeback).chain(locks) {
        let _ = config.add_capabilities(flag);
    }
    // The first to know; nobody has set it before.
    let _ = server.direct_maps.set(config.add_capabilities(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP).is_ok());
    let _ = config.set_max_write(MAX_WRITE);
    let _ = config.set_max_readahead(MAX_WRITE).or_else(|most| config.set_max_readahead(most));
    let _ = config.set_max_background(MAX_BACKGROUND);
}
