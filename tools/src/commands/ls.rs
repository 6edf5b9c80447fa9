//! `ls`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write;

use anyfs_lvm::lv::{Attr, Ino, Kind};

use super::{Entry, filing};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::files::show;
use crate::files::volume::Mount;
use crate::report::time_text;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Ls>("List files of a logical volume");

/// List files of a logical volume
#[derive(Debug, clap::Parser)]
#[command(name = "ls", version, disable_version_flag = true)]
pub(crate) struct Ls {
    /// Files and directories
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Mode, links, owner, group, size and time
    #[arg(short, long)]
    long: bool,
    /// Also names that begin with a dot
    #[arg(short, long)]
    all: bool,
    /// Directories below as well
    #[arg(short = 'R', long)]
    recursive: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Ls {
    const NAME: &'static str = "ls";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        filing::each(ui, (Self::NAME, false), &self.paths, &self.common, |ui, mount, path| self.list(ui, mount, path))
    }
}

impl Ls {
    fn list(&self, ui: &mut Ui<'_>, mount: &Mount, path: &[u8]) -> Done {
        // As ls does: the long form shows a link that is named, unless a slash asks for what it leads to.
        let follow = !self.long || path.ends_with(b"/");
        let found = mount.volume.resolve(path, follow).map_err(|error| mount.failure(path, &error))?;
        if found.kind != Kind::Directory {
            let lines = self.lines(mount, vec![(path.to_vec(), found)])?;
            ui.raw(lines.as_bytes());
            return Ok(());
        }
        let titled = self.recursive || self.paths.len() > 1;
        let mut open = vec![(path.to_vec(), found.ino)];
        let mut first = true;
        // A stack, not recursion: trees may be of any depth.
        while let Some((path, ino)) = open.pop() {
            if ui.closed() {
                return Ok(());
            }
            if titled {
                let gap = if first { "" } else { "\n" };
                ui.raw(format!("{gap}{}:\n", mount.shown(&path)).as_bytes());
            }
            first = false;
            let entries = self.entries(mount, &path, ino)?;
            if self.recursive {
                let mut entered = HashSet::new();
                let below = entries.iter().rev().filter(|(_, attr)| attr.kind == Kind::Directory);
                // By one name only: see `Walk`.
                let below = below.filter(|(_, attr)| entered.insert(attr.ino));
                open.extend(below.map(|(name, attr)| (join(&path, name), attr.ino)));
            }
            ui.raw(self.lines(mount, entries)?.as_bytes());
        }
        Ok(())
    }

    fn entries(&self, mount: &Mount, path: &[u8], ino: Ino) -> Done<Vec<(Vec<u8>, Attr)>> {
        let failed = |error| mount.failure(path, &error);
        let all = mount.entries_plus(ino).map_err(failed)?.into_iter();
        let shown = all.filter(|(entry, _)| self.all || !entry.name.starts_with(b"."));
        let mut out: Vec<_> = shown.map(|(entry, attr)| (entry.name, attr)).collect();
        out.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(out)
    }

    fn lines(&self, mount: &Mount, entries: Vec<(Vec<u8>, Attr)>) -> Done<String> {
        if !self.long {
            let names: Vec<String> = entries.iter().map(|(name, _)| show::name(name)).collect();
            return Ok(names.iter().flat_map(|name| [name.as_str(), "\n"]).collect());
        }
        let width = |number: fn(&Attr) -> u64| {
            entries.iter().map(|(_, attr)| number(attr).to_string().len()).max().unwrap_or(0)
        };
        let links = width(|attr| u64::from(attr.nlink));
        let (uid, gid, size) = (width(|a| u64::from(a.uid)), width(|a| u64::from(a.gid)), width(|a| a.size));
        let mut out = String::new();
        for (name, attr) in entries {
            let mut text = show::name(&name);
            if attr.kind == Kind::Symlink {
                let target = mount.volume.readlink(attr.ino).map_err(|error| mount.failure(&name, &error))?;
                text = format!("{text} -> {}", show::name(&target));
            }
            let mode = show::mode(show::letter(attr.kind), attr.mode);
            let time = time_text(attr.mtime.div_euclid(1_000_000_000));
            let time = time.strip_suffix(" +0000").unwrap_or(&time);
            let (n, u, g, s) = (attr.nlink, attr.uid, attr.gid, attr.size);
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{mode} {n:links$} {u:uid$} {g:gid$} {s:size$} {time} {text}");
        }
        Ok(out)
    }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    [path, name].join(b"/".as_slice())
}
