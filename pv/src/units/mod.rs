//! Sizes as people write and read them, in LVM's manner.

mod decimal;
mod parse;
mod show;

pub use parse::{SizeError, Unit, parse_size};
pub use show::Units;
