//! `du`.

use std::collections::HashSet;
use std::ffi::OsString;

use anyfs_lvm::lv::{Attr, Ino, Kind};

use super::{Entry, filing};
use crate::args::{Common, LongHelp, LvName};
use crate::cli::Verb;
use crate::failure::Done;
use crate::files::volume::Mount;
use crate::files::walk::{Step, Walk};
use crate::sizes;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Du>("Show how much the files of a logical volume store");

/// Show how much the files of a logical volume store
///
/// In units of 1024 bytes, rounded up. Holes store nothing; an inode with several names counts once; what copies share
/// counts for each of them. Directories and attributes lie in the metadata volume and count nothing.
#[derive(Debug, clap::Parser)]
#[command(name = "du", version, disable_version_flag = true, disable_help_flag = true)]
#[command(mut_arg("debug", |arg| arg.short(None)))]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the command line")]
pub(crate) struct Du {
    /// Files and directories
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// One line for each path given
    #[arg(short, long, conflicts_with_all = ["all", "max_depth"])]
    summarize: bool,
    /// 1.5K, 23M, 4.0G
    #[arg(short, long)]
    human_readable: bool,
    /// Lines for files, too
    #[arg(short, long)]
    all: bool,
    /// Lines to this depth only; 0 is the path given
    #[arg(short = 'd', long, value_name = "N")]
    max_depth: Option<usize>,
    /// A last line with the sum of all
    #[arg(short = 'c', long)]
    total: bool,
    /// Sizes of files instead of what they store
    #[arg(long)]
    apparent_size: bool,
    #[command(flatten)]
    help: LongHelp,
    #[command(flatten)]
    common: Common,
}

impl Verb for Du {
    const NAME: &'static str = "du";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let mut counted = Counted::default();
        let mut sum = 0u64;
        let done = filing::each(ui, (Self::NAME, false), &self.paths, &self.common, |ui, mount, path| {
            let follow = path.ends_with(b"/");
            let found = mount.volume.resolve(path, follow).map_err(|error| mount.failure(path, &error))?;
            let (bytes, done) = self.tree(ui, Walk::new(mount, path, &found), &mut counted);
            sum = sum.saturating_add(bytes);
            done
        });
        if self.total {
            self.line(ui, sum, "total");
        }
        done
    }
}

/// Inodes with several names that were counted already.
#[derive(Debug, Default)]
struct Counted(HashSet<(LvName, Ino)>);

impl Counted {
    fn again(&mut self, mount: &Mount, attr: &Attr) -> bool {
        attr.nlink > 1 && attr.kind != Kind::Directory && !self.0.insert((mount.name.clone(), attr.ino))
    }
}

impl Du {
    /// A tree; the bytes it stores, and how it went.
    fn tree(&self, ui: &mut Ui<'_>, walk: Walk<'_>, counted: &mut Counted) -> (u64, Done) {
        // One sum for each directory on the way down, and one for all.
        let mut sums = vec![0u64];
        let done = filing::walk(ui, walk, None, |ui, walk, step| {
            let (bytes, depth, directory) = match step {
                Step::Left(depth) => (sums.pop().unwrap_or(0), depth, true),
                Step::Entry(node) if node.kind == Kind::Directory => {
                    sums.push(0);
                    return Ok(());
                }
                Step::Entry(node) => {
                    let mount = walk.mount();
                    let attr = mount.volume.getattr(node.ino).map_err(|error| mount.failure(walk.path(), &error))?;
                    if counted.again(mount, &attr) {
                        return Ok(());
                    }
                    (if self.apparent_size { attr.size } else { attr.stored }, node.depth, false)
                }
            };
            if let Some(above) = sums.last_mut() {
                *above = above.saturating_add(bytes);
            }
            let deepest = if self.summarize { 0 } else { self.max_depth.unwrap_or(usize::MAX) };
            if depth <= deepest && (directory || self.all || depth == 0) {
                self.line(ui, bytes, &walk.mount().shown(walk.path()));
            }
            Ok(())
        });
        (sums.first().copied().unwrap_or(0), done)
    }

    fn line(&self, ui: &mut Ui<'_>, bytes: u64, name: &str) {
        let size = if self.human_readable { sizes::short(bytes) } else { bytes.div_ceil(1024).to_string() };
        ui.raw(format!("{size}\t{name}\n").as_bytes());
    }
}
