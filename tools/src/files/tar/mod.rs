//! Tar streams into volumes and out of them.
//!
//! Headers are those of the `tar` crate; what lies between them is read here, because an archive from anywhere must
//! neither fill the memory nor be misread: extended attributes may hold any bytes, a size may be in an extended header,
//! and an archive that was cut off has to be noticed.

mod acl;
pub(crate) mod export;
mod header;
pub(crate) mod import;
pub(crate) mod input;
mod member;
mod number;
mod pax;
mod sparse;
mod target;

/// Bytes of a block: headers are one, contents are filled up to whole ones.
const BLOCK: usize = 512;
/// The same as a length.
const BLOCK_LEN: u64 = 512;
/// Bytes moved at a time.
const BUFFER: usize = 256 * 1024;

/// Bytes that fill contents up to a whole block.
fn padding(len: u64) -> u64 {
    (BLOCK_LEN - len % BLOCK_LEN) % BLOCK_LEN
}
