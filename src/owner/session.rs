//! One client, from its first message to its last.

use std::os::unix::net::UnixStream;

use lv::Volume;

use super::asked::Asked;
use super::beside::Beside;
use super::frame::{receive, receive_body, receive_length};
use super::hello::{self, Served};
use super::peer;

/// Greets a client; whether it is to be served.
pub(super) fn greet(stream: &mut UnixStream, served: Option<&Served>) -> bool {
    // Others than this user cannot come this far. Neither can they be told anything.
    let timed = stream.set_read_timeout(Some(peer::SOON)).and_then(|()| stream.set_write_timeout(Some(peer::SOON)));
    if timed.is_err() || !peer::is_own(&*stream, None) {
        return false;
    }
    let asked = receive(stream).is_ok_and(|message| message.is_some_and(|message| hello::is_asked(&message)));
    asked && hello::answered(served).send(stream).is_ok() && served.is_some()
}

/// Answers a client's requests until it goes, or sends what cannot be understood.
pub(super) fn answer(stream: &mut UnixStream, volume: &Volume, beside: &dyn Beside) {
    let mut asked = Asked::new(volume, beside);
    while let Some(message) = next(stream) {
        let Some(answer) = asked.answer(&message) else { return };
        if answer.send(stream).is_err() {
            return;
        }
    }
}

/// The next request. A client may take its time before it asks, but not in the middle.
fn next(stream: &mut UnixStream) -> Option<Vec<u8>> {
    stream.set_read_timeout(None).ok()?;
    let length = receive_length(stream, |stream| stream.set_read_timeout(Some(peer::SOON))).ok()??;
    receive_body(stream, length).ok()
}
