//! `stat`.

use std::ffi::OsString;

use anyfs_lvm::lv::{Attr, Kind, Nanos};

use super::{Entry, filing};
use crate::accounts::{Accounts, List};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::show;
use crate::files::volume::Mount;
use crate::report::time_text;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Stat>("Show what is known about files of a logical volume");

/// The unit of checksums, and so of small reads.
const IO_BLOCK: u64 = 4096;
const BILLION: i64 = 1_000_000_000;

/// Show what is known about files of a logical volume
///
/// Blocks are 512 bytes of stored data. Times are UTC.
///
/// In a format, %n is the path, %N the path with a link's target, %s the size, %b blocks, %B their size, %o the unit of
/// reads, %F the kind, %f kind and mode in hex, %a and %A the mode, %h links, %i the inode, %u %U %g %G owner and group,
/// %x %X last access, %y %Y change of contents, %z %Z change of anything, %w %W creation, %m the volume, %% a percent
/// sign.
#[derive(Debug, clap::Parser)]
#[command(name = "stat", version, disable_version_flag = true)]
pub(crate) struct Stat {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Of what symbolic links lead to
    #[arg(short = 'L', long)]
    dereference: bool,
    /// A line of this form for each
    #[arg(short = 'c', long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Stat {
    const NAME: &'static str = "stat";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let mut accounts = Accounts::default();
        filing::each(ui, (Self::NAME, false), &self.paths, &self.common, |ui, mount, path| {
            let follow = self.dereference || path.ends_with(b"/");
            let found = mount.volume.resolve(path, follow).map_err(|error| mount.failure(path, &error))?;
            let mut known = Known { mount, path, attr: found, accounts: &mut accounts };
            let text = match &self.format {
                Some(format) => format!("{}\n", known.format(format)?),
                None => known.block()?,
            };
            ui.raw(text.as_bytes());
            Ok(())
        })
    }
}

/// An inode and what is needed to say something about it.
struct Known<'a> {
    mount: &'a Mount,
    path: &'a [u8],
    attr: Attr,
    accounts: &'a mut Accounts,
}

impl Known<'_> {
    /// The lines without a format.
    fn block(&mut self) -> Done<String> {
        let device = matches!(self.attr.kind, Kind::CharDevice | Kind::BlockDevice);
        let rdev = if device { self.format("     Device type: %r")? } else { String::new() };
        let Attr { size, nlink, ino, mode, uid, gid, .. } = self.attr;
        let [file, blocks, kind] = ["%N", "%b", "%F"].map(|format| self.format(format));
        let (file, blocks, kind) = (file?, blocks?, kind?);
        let letters = self.format("%A")?;
        let (user, group) = (self.format("%U")?, self.format("%G")?);
        let times = self.format("Access: %x\nModify: %y\nChange: %z\n Birth: %w\n")?;
        Ok(format!(
            "  File: {file}\n  Size: {size:<10}\tBlocks: {blocks:<10} IO Block: {IO_BLOCK:<6} {kind}\n\
             Device: {}\tInode: {:<11} Links: {nlink}{rdev}\n\
             Access: ({mode:04o}/{letters})  Uid: ({uid:5}/{user:>8})   Gid: ({gid:5}/{group:>8})\n{times}",
            self.mount.name, ino.0
        ))
    }

    /// A format with everything filled in.
    fn format(&mut self, format: &str) -> Done<String> {
        let mut out = String::with_capacity(format.len());
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            match (c, rest.as_str().chars().next()) {
                ('%', Some(letter)) => {
                    rest.next();
                    out.push_str(&self.field(letter)?);
                }
                _ => out.push(c),
            }
        }
        Ok(out)
    }

    fn field(&mut self, letter: char) -> Done<String> {
        let attr = &self.attr;
        let seconds = |time: Nanos| time.div_euclid(BILLION).to_string();
        Ok(match letter {
            'n' => self.mount.shown(self.path),
            'N' => self.with_target()?,
            's' => attr.size.to_string(),
            'b' => attr.stored.div_ceil(512).to_string(),
            'B' => "512".to_owned(),
            'o' => IO_BLOCK.to_string(),
            'F' => kind(attr).to_owned(),
            'f' => format!("{:x}", bits(attr.kind) | attr.mode),
            'a' => format!("{:o}", attr.mode),
            'A' => show::mode(show::letter(attr.kind), attr.mode),
            'h' => attr.nlink.to_string(),
            'i' => attr.ino.to_string(),
            'm' => self.mount.name.to_string(),
            'r' => format!("{},{}", rustix::fs::major(attr.rdev), rustix::fs::minor(attr.rdev)),
            'u' => attr.uid.to_string(),
            'g' => attr.gid.to_string(),
            'U' => self.account(List::Users, self.attr.uid),
            'G' => self.account(List::Groups, self.attr.gid),
            'x' => time(attr.atime),
            'X' => seconds(attr.atime),
            'y' => time(attr.mtime),
            'Y' => seconds(attr.mtime),
            'z' => time(attr.ctime),
            'Z' => seconds(attr.ctime),
            'w' => time(attr.btime),
            'W' => seconds(attr.btime),
            '%' => "%".to_owned(),
            other => {
                return Err(Failure::usage(Stat::NAME, format!("%{other}: no such field of a format.")));
            }
        })
    }

    fn account(&mut self, list: List, id: u32) -> String {
        self.accounts.name_of(list, id).unwrap_or_else(|| "UNKNOWN".to_owned())
    }

    fn with_target(&self) -> Done<String> {
        let shown = self.mount.shown(self.path);
        if self.attr.kind != Kind::Symlink {
            return Ok(shown);
        }
        let target = self.mount.volume.readlink(self.attr.ino);
        let target = target.map_err(|error| self.mount.failure(self.path, &error))?;
        Ok(format!("{shown} -> {}", show::name(&target)))
    }
}

/// `2026-11-22 12:04:10.123456789 +0000`
fn time(time: Nanos) -> String {
    let text = time_text(time.div_euclid(BILLION));
    let (clock, zone) = text.rsplit_once(' ').unwrap_or((&text, ""));
    format!("{clock}.{:09} {zone}", time.rem_euclid(BILLION))
}

fn kind(attr: &Attr) -> &'static str {
    match attr.kind {
        Kind::Directory => "directory",
        Kind::Symlink => "symbolic link",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice => "character special file",
        Kind::BlockDevice => "block special file",
        _ if attr.size == 0 => "regular empty file",
        _ => "regular file",
    }
}

/// The kind's bits above the permissions, the same on every Unix.
fn bits(kind: Kind) -> u32 {
    match kind {
        Kind::Directory => 0o040_000,
        Kind::Symlink => 0o120_000,
        Kind::Fifo => 0o010_000,
        Kind::Socket => 0o140_000,
        Kind::CharDevice => 0o020_000,
        Kind::BlockDevice => 0o060_000,
        _ => 0o100_000,
    }
}
