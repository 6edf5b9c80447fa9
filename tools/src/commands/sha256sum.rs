//! `sha256sum`.

use std::ffi::OsString;

use sha2::{Digest, Sha256};

use super::filing::{pieces, regular};
use super::{Entry, filing};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Sha256sum>("Print SHA-256 sums of files of a logical volume");

/// Print SHA-256 sums of files of a logical volume
#[derive(Debug, clap::Parser)]
#[command(name = "sha256sum", version, disable_version_flag = true)]
pub(crate) struct Sha256sum {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Sha256sum {
    const NAME: &'static str = "sha256sum";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        filing::each(ui, (Self::NAME, false), &self.paths, &self.common, |ui, mount, path| {
            let file = regular(mount, path)?;
            let mut hash = Sha256::new();
            pieces(mount, path, file.ino, |bytes| {
                hash.update(bytes);
                true
            })?;
            let line = format!("{}  {}\n", hex(&hash.finalize()), mount.shown(path));
            ui.raw(line.as_bytes());
            Ok(())
        })
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
