//! All works, one file each or a few that belong together.

mod aged;
mod append;
mod beside;
mod overwrite;
mod scattered;
mod sizes;
mod small;
mod space;
mod stream;

use crate::bytes::{buffer, stamp};
use crate::{BLOCK, CHUNK, OpenFile, Place, Result, Work, fill};

/// Every work, in the order of the table.
pub static WORKS: &[Work] = &[
    stream::WRITE_1,
    stream::WRITE,
    aged::AGED,
    stream::READ,
    scattered::SCATTERED,
    stream::RANDOM,
    overwrite::OVERWRITE,
    append::APPEND,
    sizes::SIZES,
    small::CREATE,
    small::NAMES,
    small::SMALL,
    beside::BESIDE,
    space::SPACE,
];

/// Name of the file that a work keeps.
pub(crate) const BASE: &str = "base";
/// What that file is filled with.
pub(crate) const SEED: u64 = 0xba5e;

/// Writes `bytes` bytes from the start of a file in chunks and makes them durable.
///
/// # Errors
/// As the side says; [`Error::Interrupted`](crate::Error::Interrupted).
pub fn write_through(place: &Place, file: &dyn OpenFile, bytes: u64, seed: u64) -> Result {
    let mut chunk = buffer(CHUNK);
    fill(&mut chunk, seed, 0);
    for off in chunks(bytes) {
        place.check()?;
        stamp(&mut chunk, seed, off);
        file.write_at(off, piece(&mut chunk, bytes, off))?;
    }
    file.fsync()
}

/// Reads `bytes` bytes from the start of a file in chunks.
///
/// # Errors
/// As [`write_through`].
pub fn read_through(place: &Place, file: &dyn OpenFile, bytes: u64) -> Result {
    let mut chunk = buffer(CHUNK);
    for off in chunks(bytes) {
        place.check()?;
        file.read_at(off, piece(&mut chunk, bytes, off))?;
    }
    Ok(())
}

/// Compares a file with what [`write_through`] wrote to it, and with what was written over it block by block since, as
/// the place's marks say.
///
/// # Errors
/// [`Error::Contents`](crate::Error::Contents); as [`write_through`].
pub fn compare(place: &Place, file: &dyn OpenFile, bytes: u64, seed: u64) -> Result {
    let (mut chunk, mut wanted) = (buffer(CHUNK), buffer(CHUNK));
    let step = usize::try_from(BLOCK).unwrap_or(usize::MAX);
    fill(&mut wanted, seed, 0);
    for off in chunks(bytes) {
        place.check()?;
        file.read_at(off, piece(&mut chunk, bytes, off))?;
        stamp(&mut wanted, seed, off);
        let blocks = piece(&mut chunk, bytes, off).chunks(step).zip(wanted.chunks(step));
        for (n, (found, plain)) in (0u64..).zip(blocks) {
            let at = off.saturating_add(n.saturating_mul(BLOCK));
            let same = match place.marks.get(&at) {
                None => plain.get(..found.len()) == Some(found),
                Some(seed) => {
                    let mut over = vec![0; found.len()];
                    fill(&mut over, *seed, at);
                    over == found
                }
            };
            if !same {
                return Err(place.wrong("a file", at));
            }
        }
    }
    Ok(())
}

/// Where the chunks of a file begin.
fn chunks(bytes: u64) -> impl Iterator<Item = u64> {
    (0..bytes.div_ceil(CHUNK)).map(|n| n.saturating_mul(CHUNK))
}

/// The part of a chunk at `off` that is before the end of the file.
fn piece(chunk: &mut [u8], bytes: u64, off: u64) -> &mut [u8] {
    let left = usize::try_from(bytes.saturating_sub(off)).unwrap_or(usize::MAX).min(chunk.len());
    chunk.get_mut(..left).unwrap_or_default()
}

/// Makes the work's file, of the scale's size, and leaves it open.
fn prepare_base(place: &mut Place) -> Result {
    let bytes = place.scale.bytes;
    make_base(place, bytes)
}

/// Makes the work's file of that size, and leaves it open.
fn make_base(place: &mut Place, bytes: u64) -> Result {
    let file = place.side()?.create(&place.root()?, BASE)?;
    write_through(place, &*file, bytes, SEED)?;
    compare(place, &*file, bytes, SEED)?;
    place.side()?.sync_all()?;
    place.files = vec![file];
    Ok(())
}

/// Nothing to prepare.
#[expect(clippy::unnecessary_wraps, reason = "stands where works prepare something")]
fn nothing(_: &mut Place) -> Result {
    Ok(())
}
