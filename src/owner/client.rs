//! The side of whoever does not have a volume.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lv::{LvError, Meters, StatFs, Usage};
use pv::FamilyUuid;
use rustix::io::Errno;

use super::error::{OwnerError, Result};
use super::frame::{Frame, receive};
use super::hello::{self, Served};
use super::op::{Change, Look, Op};
use super::wire::{Put, Take, take_all};
use super::{peer, place};

/// How long an answer is waited for: the owner may have much to write before.
const LONG: Duration = Duration::from_secs(120);

/// A connection to the process that has a volume.
#[derive(Debug)]
pub struct Client {
    served: Served,
    /// Nothing when it cannot be used any more.
    line: Mutex<Option<UnixStream>>,
}

impl Client {
    /// Connects to the process that has a family's volume, if it serves it: `owner` is its number, as
    /// [`LvError::InUse`](lv::LvError::InUse) tells.
    ///
    /// # Errors
    /// [`OwnerError`]: it serves the volume and cannot be used.
    pub fn find(family: FamilyUuid, owner: u32) -> Result<Option<Self>> {
        for path in place::of(family, owner) {
            let stream = match peer::connect(&path) {
                Ok(stream) => stream,
                // It is not there any more.
                Err(Errno::CONNREFUSED | Errno::NOENT) => continue,
                Err(Errno::AGAIN) => return Err(silent(owner, peer::SOON)),
                Err(error) => {
                    return Err(OwnerError::Socket { path, operation: "connect to it", source: error.into() });
                }
            };
            if !peer::is_own(&stream, Some(owner)) {
                return Err(OwnerError::Stranger { path });
            }
            return Self::greet(stream, &path, (family, owner)).map(Some);
        }
        Ok(None)
    }

    fn greet(mut stream: UnixStream, path: &Path, (family, owner): (FamilyUuid, u32)) -> Result<Self> {
        let failed = |error| lost(&error, owner, peer::SOON);
        hello::asked().send(&mut stream).map_err(failed)?;
        let said = receive(&mut stream).map_err(failed)?.ok_or(OwnerError::Ended { pid: owner })?;
        let served = hello::read(&said, owner)?;
        if served.family != family || served.pid != owner {
            return Err(OwnerError::Stranger { path: path.to_owned() });
        }
        stream.set_read_timeout(Some(LONG)).map_err(failed)?;
        Ok(Self { served, line: Mutex::new(Some(stream)) })
    }

    /// What the other process has.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// What the volume holds in memory and keeps back on disk, and its space. What the kernel has in its cache of a mounted
    /// volume stays there.
    ///
    /// # Errors
    /// As [`Volume::statfs`](lv::Volume::statfs); [`LvError::Told`] when the owner cannot be asked.
    pub fn counts(&self) -> Result<(Usage, StatFs), LvError> {
        self.call(Look::Counts, &())
    }

    /// What the volume has done since it was activated: [`Volume::meters`](lv::Volume::meters).
    ///
    /// # Errors
    /// [`LvError::Told`] when the owner cannot be asked.
    pub fn meters(&self) -> Result<Meters, LvError> {
        self.call(Look::Meters, &())
    }

    /// Lets the owner use the extents that the volume group has added to the volume.
    ///
    /// # Errors
    /// As [`grow`](crate::grow()); [`LvError::Told`] when the owner cannot be asked.
    pub fn grow(&self) -> Result<(), LvError> {
        self.call(Change::Grow, &())
    }

    /// What the owner sends makes no sense.
    pub(super) fn garbled(&self) -> LvError {
        OwnerError::Garbled { pid: self.served.pid }.into()
    }

    /// Has the owner do something.
    ///
    /// # Errors
    /// What the owner's volume says; [`LvError::Told`] when the owner cannot be asked: whether it has done it is not known.
    pub(super) fn call<T: Take>(&self, op: impl Into<Op>, arguments: &impl Put) -> Result<T, LvError> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        // What comes after a failure would be the answer to another question.
        let mut stream = line.take().ok_or(OwnerError::Ended { pid: self.served.pid })?;
        let answer = self.exchange(&mut stream, op.into(), arguments)?;
        *line = Some(stream);
        answer
    }

    fn exchange<T: Take>(&self, stream: &mut UnixStream, op: Op, arguments: &impl Put) -> Result<Result<T, LvError>> {
        let pid = self.served.pid;
        let mut frame = Frame::new();
        op.put(frame.body());
        arguments.put(frame.body());
        frame.send(stream).map_err(|error| lost(&error, pid, peer::SOON))?;
        let answer = receive(stream).map_err(|error| lost(&error, pid, LONG))?;
        take_all(&answer.ok_or(OwnerError::Ended { pid })?).ok_or(OwnerError::Garbled { pid })
    }
}

fn silent(pid: u32, waited: Duration) -> OwnerError {
    OwnerError::Silent { pid, seconds: waited.as_secs() }
}

/// What a failure of the connection means.
fn lost(error: &io::Error, pid: u32, waited: Duration) -> OwnerError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => silent(pid, waited),
        io::ErrorKind::InvalidData => OwnerError::Garbled { pid },
        _ => OwnerError::Ended { pid },
    }
}
