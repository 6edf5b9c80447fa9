//! What `mount` and `umount` are made of.

pub(crate) mod apart;
pub(crate) mod background;
pub(crate) mod elsewhere;
pub(crate) mod guard;
pub(crate) mod helper;
pub(crate) mod options;
pub(crate) mod owners;
pub(crate) mod serve;
pub(crate) mod stale;
mod syslog;

use anyfs_lvm::fuse::MountError;

use crate::failure::{Failure, chain};

/// What an error means for the user.
pub(crate) fn failure(error: &MountError) -> Failure {
    let failure = Failure::new(chain(error));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
