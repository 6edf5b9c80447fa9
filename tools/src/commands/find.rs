//! `find`.

use std::ffi::OsString;

use anyfs_lvm::lv::{Attr, Kind, LvError, Nanos};

use super::Entry;
use super::filing::{self, Mounts, reference};
use crate::args::Common;
use crate::args::criteria::{Criteria, Term, Test, split};
use crate::cli::Verb;
use crate::failure::Done;
use crate::files::walk::{Node, Step, Walk};
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Find>("Find files of a logical volume");

/// What stands below the options in the help.
const TESTS: &str = "\
Tests:
  -name PATTERN          The last part of the path, with * ? and [..]
  -iname PATTERN         The same in any case
  -type f,d,l,p,s,c,b    One of these kinds
  -size [+-]N[ckMGT]     So large, larger or smaller, in units, rounded up (of 512 bytes without a letter)
  -newer PATH            Contents changed after those of this file, of the host or of a volume
  -empty                 Empty files and directories
  ! TEST, -not TEST      What does not fit
  TEST -o TEST           Alternatives; tests in a row must all fit
  -maxdepth N            So deep at most; the path given has 0
  -mindepth N            So deep at least
  -print0                A NUL behind each path, and names as they are: for xargs -0";

/// Find files of a logical volume
///
/// Links are never followed. Names are escaped where they could mislead a terminal, unless -print0 is given.
#[derive(Debug, clap::Parser)]
#[command(name = "find", version, disable_version_flag = true, after_help = TESTS)]
#[command(override_usage = "find [OPTIONS] <VG/LV:/PATH>... [TESTS]")]
pub(crate) struct Find {
    /// Where to look
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    #[command(flatten)]
    common: Common,
    #[arg(skip)]
    tests: Vec<OsString>,
}

impl Verb for Find {
    const NAME: &'static str = "find";

    fn common(&self) -> &Common {
        &self.common
    }

    fn read(words: Vec<OsString>) -> Result<Self, clap::Error> {
        let (tests, rest) = split(words);
        let find = <Self as clap::Parser>::try_parse_from(rest)?;
        Ok(Self { tests, ..find })
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let criteria = Criteria::new(&self.tests)?;
        let first = |ui: &mut Ui<'_>, mounts: &mut Mounts<'_>| sought(ui, mounts, &criteria);
        let about = (Self::NAME, false);
        filing::each_after(ui, about, &self.paths, &self.common, first, |ui, mount, path, sought| {
            let follow = path.ends_with(b"/");
            let found = mount.volume.resolve(path, follow).map_err(|error| mount.failure(path, &error))?;
            let (least, most) = criteria.depths;
            filing::walk(ui, Walk::new(mount, path, &found), None, |ui, walk, step| {
                let Step::Entry(node) = step else { return Ok(()) };
                if node.depth >= most {
                    walk.skip();
                }
                let fits = node.depth >= least && sought.fits(walk, node)?;
                if fits {
                    show(ui, walk, criteria.end);
                }
                Ok(())
            })
        })
    }
}

fn show(ui: &mut Ui<'_>, walk: &Walk<'_>, end: u8) {
    let mount = walk.mount();
    if end == 0 {
        ui.raw(format!("{}:", mount.name).as_bytes());
        ui.raw(walk.path());
    } else {
        ui.raw(mount.shown(walk.path()).as_bytes());
    }
    ui.raw(&[end]);
}

/// Tests, with the times of the files they name.
struct Sought<'a> {
    any: Vec<Vec<(&'a Term, Nanos)>>,
}

fn sought<'a>(ui: &mut Ui<'_>, mounts: &mut Mounts<'_>, criteria: &'a Criteria) -> Done<Sought<'a>> {
    let mut known = |term: &'a Term| match &term.test {
        Test::Newer(path) => Ok((term, reference(ui, mounts, path, false)?.mtime)),
        _ => Ok((term, 0)),
    };
    let mut all = |terms: &'a Vec<Term>| terms.iter().map(&mut known).collect::<Done<Vec<_>>>();
    Ok(Sought { any: criteria.any.iter().map(&mut all).collect::<Done<_>>()? })
}

impl Sought<'_> {
    fn fits(&self, walk: &Walk<'_>, node: Node) -> Done<bool> {
        let mut inode = Inode { walk, node, attr: None };
        let failed = |error| walk.mount().failure(walk.path(), &error);
        for all in &self.any {
            let mut fits = true;
            for (term, time) in all {
                if inode.fits(&term.test, *time).map_err(failed)? == term.not {
                    fits = false;
                    break;
                }
            }
            if fits {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// An entry; its attributes are read when a test asks for them.
struct Inode<'a> {
    walk: &'a Walk<'a>,
    node: Node,
    attr: Option<Attr>,
}

impl Inode<'_> {
    fn fits(&mut self, test: &Test, time: Nanos) -> Result<bool, LvError> {
        let directory = self.node.kind == Kind::Directory;
        Ok(match test {
            Test::Name(glob) => glob.fits(self.walk.name()),
            Test::Type(kinds) => kinds.contains(&self.node.kind),
            Test::Size(compare, unit) => compare.fits(self.attr()?.size, *unit),
            Test::Newer(_) => self.attr()?.mtime > time,
            Test::Empty => (directory || self.node.kind == Kind::File) && self.attr()?.size == 0,
        })
    }

    fn attr(&mut self) -> Result<Attr, LvError> {
        if let Some(attr) = self.attr {
            return Ok(attr);
        }
        let attr = self.walk.mount().volume.getattr(self.node.ino)?;
        self.attr = Some(attr);
        Ok(attr)
    }
}
