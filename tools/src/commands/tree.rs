//! `tree`.

use std::ffi::OsString;

use anyfs_lvm::lv::{DirEntry, Kind};

use super::{Entry, filing};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::files::show;
use crate::files::walk::{Node, Step, Walk};
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Tree>("Show trees of a logical volume as trees");

/// Show trees of a logical volume as trees
///
/// Symbolic links are shown with what they hold and are not followed.
#[derive(Debug, clap::Parser)]
#[command(name = "tree", version, disable_version_flag = true)]
#[command(mut_arg("debug", |arg| arg.short(None)))]
pub(crate) struct Tree {
    /// The directories
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Also names that begin with a dot
    #[arg(short, long)]
    all: bool,
    /// Directories only
    #[arg(short = 'd', long)]
    directories: bool,
    /// To this depth only
    #[arg(short = 'L', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    level: Option<u32>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Tree {
    const NAME: &'static str = "tree";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let mut count = Count::default();
        let done = filing::each(ui, (Self::NAME, false), &self.paths, &self.common, |ui, mount, path| {
            let found = mount.resolve(path)?;
            let walk = Walk::new(mount, path, &found).only(self.shown());
            count.roots = count.roots.saturating_add(1);
            self.draw(ui, walk, &mut count)
        });
        if count.roots == 0 {
            return done;
        }
        let files =
            if self.directories { String::new() } else { format!(", {}", counted(count.files, "file", "files")) };
        ui.raw(format!("\n{}{files}\n", counted(count.directories, "directory", "directories")).as_bytes());
        done
    }
}

/// What was shown: the paths given, and what lies below them.
#[derive(Debug, Default)]
struct Count {
    roots: u64,
    directories: u64,
    files: u64,
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The lines in front of a name.
#[derive(Debug, Default)]
struct Margin {
    text: String,
    /// Its length at each directory on the way down.
    lengths: Vec<usize>,
}

impl Margin {
    fn enter(&mut self, node: Node) {
        self.lengths.push(self.text.len());
        if node.depth > 0 {
            self.text.push_str(if node.last { "    " } else { "│   " });
        }
    }

    fn leave(&mut self) {
        self.text.truncate(self.lengths.pop().unwrap_or(0));
    }
}

impl Tree {
    fn shown(&self) -> fn(&DirEntry) -> bool {
        match (self.all, self.directories) {
            (true, false) => |_| true,
            (true, true) => |entry| entry.kind == Kind::Directory,
            (false, false) => |entry| !entry.name.starts_with(b"."),
            (false, true) => |entry| entry.kind == Kind::Directory && !entry.name.starts_with(b"."),
        }
    }

    fn draw(&self, ui: &mut Ui<'_>, walk: Walk<'_>, count: &mut Count) -> Done {
        let mut margin = Margin::default();
        let deepest = self.level.and_then(|level| usize::try_from(level).ok()).unwrap_or(usize::MAX);
        filing::walk(ui, walk, None, |ui, walk, step| {
            let Step::Entry(node) = step else {
                margin.leave();
                return Ok(());
            };
            let directory = node.kind == Kind::Directory;
            if node.depth == 0 {
                ui.raw(format!("{}\n", walk.mount().shown(walk.path())).as_bytes());
            } else {
                let branch = if node.last { "└── " } else { "├── " };
                ui.raw(format!("{}{branch}{}\n", margin.text, label(walk, node)?).as_bytes());
                let number = if directory { &mut count.directories } else { &mut count.files };
                *number = number.saturating_add(1);
            }
            if directory && node.depth >= deepest {
                walk.skip();
            } else if directory {
                margin.enter(node);
            }
            Ok(())
        })
    }
}

/// A name, of a link with what it holds.
fn label(walk: &Walk<'_>, node: Node) -> Done<String> {
    let name = show::name(walk.name());
    if node.kind != Kind::Symlink {
        return Ok(name);
    }
    let mount = walk.mount();
    let target = mount.volume.readlink(node.ino).map_err(|error| mount.failure(walk.path(), &error))?;
    Ok(format!("{name} -> {}", show::name(&target)))
}
