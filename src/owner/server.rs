//! The side of the process that has a volume.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use lv::Volume;

use super::beside::Beside;
use super::error::{OwnerError, Result};
use super::hello::Served;
use super::{place, session};

/// Clients that are served at the same time.
const CLIENTS: usize = 64;
/// How long no connection is taken after one could not be, for want of memory or of files.
const PAUSE: Duration = Duration::from_millis(100);

/// A volume that is served to other processes of this user, until this is dropped.
///
/// It keeps the volume active; requests that are under way when it is dropped are answered before.
pub struct Server {
    shared: Arc<Shared>,
    path: PathBuf,
    listener: UnixListener,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What all threads of a server use.
struct Shared {
    served: Served,
    volume: Volume,
    beside: Box<dyn Beside>,
    stopping: AtomicBool,
    clients: Mutex<HashMap<u64, One>>,
}

/// A client.
struct One {
    stream: UnixStream,
    thread: Option<JoinHandle<()>>,
}

/// Serves an active volume, and what is beside it, to other processes of this user, as `VG/LV`.
///
/// # Errors
/// [`OwnerError::NoFolder`], [`OwnerError::AlreadyServed`], [`OwnerError::Socket`].
pub fn serve(volume: &Volume, (vg, lv): (&str, &str), beside: Box<dyn Beside>) -> Result<Server> {
    let served = Served {
        family: volume.family(),
        vg: vg.to_owned(),
        lv: lv.to_owned(),
        pid: std::process::id(),
        mounted: beside.mounted().map(Path::to_owned),
        read_only: volume.is_read_only(),
    };
    let path = place::own(served.family)?;
    let failed = |operation| {
        let path = path.clone();
        move |source| OwnerError::Socket { path, operation, source }
    };
    let listener = UnixListener::bind(&path).map_err(failed("listen on it"))?;
    let (volume, stopping) = (volume.clone(), AtomicBool::new(false));
    let shared = Arc::new(Shared { served, volume, beside, stopping, clients: Mutex::default() });
    let started = fs::set_permissions(&path, Permissions::from_mode(0o600)).and_then(|()| {
        let (shared, listener) = (Arc::clone(&shared), listener.try_clone()?);
        std::thread::Builder::new().name("owner".to_owned()).spawn(move || shared.accept(&listener))
    });
    match started {
        Ok(thread) => Ok(Server { shared, path, listener, thread: Some(thread) }),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(failed("serve it")(error))
        }
    }
}

impl Server {
    /// What is served.
    pub fn served(&self) -> &Served {
        &self.shared.served
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.shared.stopping.store(true, Ordering::Release);
        // Whoever waits for a connection is woken up.
        let woken = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take()
            && woken.is_ok()
        {
            let _ = thread.join();
        }
        let clients = std::mem::take(&mut *self.shared.clients());
        for one in clients.values() {
            // What it asked for is answered; more cannot come.
            let _ = one.stream.shutdown(Shutdown::Read);
        }
        for thread in clients.into_values().filter_map(|one| one.thread) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, HashMap<u64, One>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes connections until the server stops.
    fn accept(self: &Arc<Self>, listener: &UnixListener) {
        for number in 0.. {
            let accepted = listener.accept();
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            let begun = accepted.and_then(|(stream, _)| self.begin(number, stream));
            if begun.is_err() {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Gives a client a thread of its own.
    fn begin(self: &Arc<Self>, number: u64, stream: UnixStream) -> io::Result<()> {
        let mut clients = self.clients();
        clients.retain(|_, one| one.thread.as_ref().is_some_and(|thread| !thread.is_finished()));
        // One more for each that is only told so.
        if clients.len() >= CLIENTS.saturating_mul(2) {
            return Ok(());
        }
        let room = clients.len() < CLIENTS;
        let (shared, kept) = (Arc::clone(self), stream.try_clone()?);
        let thread = std::thread::Builder::new().name("client".to_owned()).spawn(move || shared.serve(stream, room))?;
        clients.insert(number, One { stream: kept, thread: Some(thread) });
        Ok(())
    }

    /// Serves a client until it goes.
    fn serve(&self, mut stream: UnixStream, room: bool) {
        if session::greet(&mut stream, room.then_some(&self.served)) {
            session::answer(&mut stream, &self.volume, &*self.beside);
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
}
