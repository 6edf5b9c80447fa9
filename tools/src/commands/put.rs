//! `put`.

use std::ffi::OsString;
use std::io::Write;

use super::Entry;
use super::filing::{for_real, inside};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::stop::Stop;
use crate::files::volume::Mount;
use crate::files::{Res, Side, Whole, io_text};
use crate::mounting::Use;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Put>("Write standard input to a file of a logical volume");

/// Write standard input to a file of a logical volume
///
/// The file appears under its name when it is complete and durable; one that was there stays until then.
#[derive(Debug, clap::Parser)]
#[command(name = "put", version, disable_version_flag = true)]
pub(crate) struct Put {
    /// The file
    #[arg(value_name = "VG/LV:/PATH")]
    path: OsString,
    #[command(flatten)]
    common: Common,
}

impl Verb for Put {
    const NAME: &'static str = "put";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        for_real(&session)?;
        let (name, path) = inside(Self::NAME, &self.path)?;
        let mount = session.mount(ui, &name, Use::Write)?;
        let place = mount.place(&path, true)?;
        let shown = mount.shown(&path);
        let last = place.name.ok_or_else(|| Failure::new(format!("{shown}: Is a directory")))?;
        let stop = Stop::watch()?;
        write(ui, &mount, (place.dir, &last), &stop).map_err(|trouble| trouble.about(&shown))?;
        mount.sync()
    }
}

fn write(ui: &mut Ui<'_>, mount: &Mount, (dir, name): (anyfs_lvm::lv::Ino, &[u8]), stop: &Stop) -> Res<()> {
    let mut writer = mount.writer(&dir, name, 0o644)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        stop.until_ready(std::io::stdin())?;
        let count = match ui.input().read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::new(format!("standard input: {}", io_text(&error))).into()),
            Ok(count) => count,
        };
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        writer.write_all(bytes)?;
    }
    writer.finish(None)
}
