//! `df`.

use anyfs_lvm::pv::units::Units;
use anyfs_lvm::pv::{Access, Bytes};

use super::filing::Mounts;
use super::{Entry, choosing};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Df>("Show how full logical volumes are");

/// Show how full logical volumes are
#[derive(Debug, clap::Parser)]
#[command(name = "df", version, disable_version_flag = true)]
pub(crate) struct Df {
    /// Only these
    #[arg(value_name = "VG|VG/LV")]
    names: Vec<String>,
    /// h, r, b, s, k, m, g, t, p or e; upper case for powers of 1000
    #[arg(long, value_name = "UNIT")]
    units: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Df {
    const NAME: &'static str = "df";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let units = match &self.units {
            None => Units::default(),
            Some(text) => Units::parse(text).map_err(|_| Failure::argument("--units", text, ""))?,
        };
        let session = Session::new(&self.common)?;
        let chosen = choosing::volumes(&session, ui, &self.names, Access::ReadWrite)?;
        let named = chosen.tell(ui);
        let mut mounts = Mounts::new(&session, false)?;
        let mut lines = vec![["LV", "Size", "Used", "Avail", "Use%", "Files"].map(str::to_owned)];
        let done = ui.each(&chosen.volumes, |ui, name| {
            let mount = mounts.get(ui, name)?;
            let space = mount.volume.statfs().map_err(|error| mount.trouble(&error).about(&name.to_string()))?;
            let show = |bytes| units.show(Bytes(bytes)).trim_end().to_owned();
            let percent = percent(space.used, space.used.saturating_add(space.free));
            let files = space.files.to_string();
            lines.push([name.to_string(), show(space.total), show(space.used), show(space.free), percent, files]);
            Ok(())
        });
        if lines.len() > 1 {
            ui.raw(table(&lines).as_bytes());
        }
        named.and(done).and(mounts.close())
    }
}

/// Rounded up, so that 100 % is never shown before it is reached from below.
fn percent(used: u64, total: u64) -> String {
    let part = u128::from(used).saturating_mul(100).div_ceil(u128::from(total.max(1)));
    format!("{part}%")
}

fn table(lines: &[[String; 6]]) -> String {
    let mut widths = [0; 6];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let row = |line: &[String; 6]| {
        let cells = line.iter().zip(widths).enumerate();
        let cells =
            cells.map(|(i, (cell, width))| if i == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") });
        format!("  {}\n", cells.collect::<Vec<_>>().join(" "))
    };
    lines.iter().map(row).collect()
}
