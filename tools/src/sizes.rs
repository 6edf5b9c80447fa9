//! Sizes in messages.

use anyfs_lvm::pv::Bytes;
use anyfs_lvm::pv::units::Units;

/// `44.00 MiB`
pub(crate) fn long(bytes: u64) -> String {
    Units::parse("h").unwrap_or_default().show_long(Bytes(bytes)).trim_end().to_owned()
}
