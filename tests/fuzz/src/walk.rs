//! Everything that can be done with a pool, done with one that may be hostile.
//!
//! Nothing here may panic, hang or take much memory; what is refused says in one line what and why.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use lv::{Attr, Ino, Kind, LvError, NewNode, Rename, Seek, SetAttr, SetXattr, Volume, VolumeOptions, Work};
use pv::Env;
use vg::{LvName, OpenOptions, PoolFiles, VolumeGroup};

use crate::base::{LV, VG};

/// Most entries that are looked at: a hostile tree may claim any number.
const ENTRIES: usize = 2000;
/// Most bytes of a file that are read.
const BYTES: u64 = 4 << 20;

/// What was refused, in words.
#[derive(Debug, Default)]
pub struct Told {
    /// Errors, one line each.
    pub lines: Vec<String>,
    /// Calls made.
    pub calls: u64,
}

impl Told {
    /// Takes note of a result.
    ///
    /// # Panics
    /// When an error is not one line that a terminal can show.
    pub fn note<T, E: std::error::Error>(&mut self, what: &str, result: Result<T, E>) -> Option<T> {
        self.calls += 1;
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.line(what, &error.to_string());
                let mut cause = error.source();
                while let Some(deeper) = cause {
                    self.line(what, &deeper.to_string());
                    cause = deeper.source();
                }
                None
            }
        }
    }

    /// The different kinds of messages, without what an input brings into them.
    pub fn way(&self) -> String {
        let kinds: BTreeSet<String> = self.lines.iter().map(|line| kind(line)).collect();
        kinds.into_iter().collect::<Vec<_>>().join("|")
    }

    /// Takes note of a line for the user.
    ///
    /// # Panics
    /// When it is empty, or holds what steers a terminal.
    pub fn line(&mut self, what: &str, line: &str) {
        assert!(!line.trim().is_empty(), "{what}: an error without words");
        let steers = line.chars().find(|c| c.is_control());
        assert!(steers.is_none(), "{what}: a message with {:?}: {:?}", steers.unwrap_or(' '), line);
        assert!(line.len() < 20_000, "{what}: a message of {} bytes", line.len());
        self.lines.push(format!("{what}: {line}"));
    }
}

/// A message without numbers and what stands in quotes.
fn kind(line: &str) -> String {
    let unquoted = line.split('"').step_by(2).collect::<String>();
    let plain =
        unquoted.split(' ').filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b':' || b == b'_'));
    plain.collect::<Vec<_>>().join(" ")
}

/// The environment of the walk: without threads, so that a failure is in the caller's stack.
pub fn env() -> Env {
    Env { threads: false, ..Env::system() }
}

/// Opens the pool that the PV `path` belongs to, activates its volume, goes through all of it, then changes everything.
pub fn library(path: &Path, told: &mut Told) {
    let env = env();
    let Some(mut group) =
        told.note("open", VolumeGroup::open(&env, &PoolFiles::Pv(path.to_owned()), &OpenOptions::default()))
    else {
        return;
    };
    for notice in group.notices() {
        told.line("notice", &notice.to_string());
    }
    let name = group.descriptor().lvs.first().map(|lv| lv.name.clone());
    let Some(name) = name.or_else(|| LvName::new(LV).ok()) else { return };
    let options = VolumeOptions { cached_rows: 64, ..VolumeOptions::default() };
    let Some(volume) = told.note("activate", anyfs_lvm::activate(&env, &mut group, &name, options)) else { return };
    tree(&volume, told);
    told.note("close", volume.close());
}

/// Reads and then changes a whole volume.
pub fn tree(volume: &Volume, told: &mut Told) {
    told.note("statfs", volume.statfs());
    told.note("usage", volume.usage());
    let found = read(volume, told);
    change(volume, &found, told);
    for work in [Work::Flush, Work::Compact, Work::Intents, Work::Delete, Work::Clean { idle: true }] {
        told.note("work", volume.step(work));
    }
    told.note("sync", volume.sync());
    told.note("statfs", volume.statfs());
}

/// What a walk met: directory, name, inode.
type Found = Vec<(Ino, Vec<u8>, Ino)>;

fn read(volume: &Volume, told: &mut Told) -> Found {
    let mut found = Found::new();
    let mut seen = BTreeSet::from([Ino::ROOT]);
    let mut open = vec![Ino::ROOT];
    while let Some(dir) = open.pop() {
        told.note("readdir_plus", volume.readdir_plus(dir, 0, 50));
        told.note("parent", volume.parent_of(dir));
        let mut cookie = 0;
        while let Some(page) = told.note("readdir", volume.readdir(dir, cookie, 64)).filter(|page| !page.is_empty()) {
            for entry in page {
                assert!(entry.cookie > cookie, "a listing of inode {dir} does not go on after {cookie}");
                cookie = entry.cookie;
                found.push((dir, entry.name.clone(), entry.ino));
                told.note("lookup", volume.lookup(dir, &entry.name));
                let attr = told.note("getattr", volume.getattr(entry.ino));
                if let Some(attr) = attr {
                    inode(volume, &attr, told);
                    if attr.kind == Kind::Directory && seen.insert(entry.ino) {
                        open.push(entry.ino);
                    }
                }
            }
            if found.len() > ENTRIES {
                return found;
            }
        }
    }
    for path in ["/dir/sub/low/d", "/dir/../link/low/./d", "/dir/sub/low/../../../..//copy", "/link", "/a/b"] {
        told.note("resolve", volume.resolve(path.as_bytes(), true));
        told.note("resolve_parent", volume.resolve_parent(path.as_bytes()));
        told.note("resolve_missing", volume.resolve_missing(path.as_bytes()));
    }
    found
}

fn inode(volume: &Volume, attr: &Attr, told: &mut Told) {
    let ino = attr.ino;
    if let Some(Some(path)) = told.note("path_of", volume.path_of(ino)) {
        told.note("resolve", volume.resolve(&path, false));
    }
    for name in told.note("listxattr", volume.listxattr(ino)).unwrap_or_default() {
        told.note("getxattr", volume.getxattr(ino, &name));
    }
    match attr.kind {
        Kind::Symlink => drop(told.note("readlink", volume.readlink(ino))),
        Kind::Directory => {}
        _ => contents(volume, attr, told),
    }
}

/// Reads what is data: sizes and holes may be anything.
fn contents(volume: &Volume, attr: &Attr, told: &mut Told) {
    let ino = attr.ino;
    if attr.size <= BYTES {
        told.note("read_all", volume.read_all(ino));
    }
    let mut buffer = vec![0; 65_536];
    let mut at = 0;
    for _ in 0..64 {
        let Some(data) = told.note("seek", volume.seek(ino, at, Seek::Data)) else { break };
        assert!(data >= at, "inode {ino}: data sought from {at} on is at {data}");
        told.note("read", volume.read(ino, data, &mut buffer));
        let Some(hole) = told.note("seek", volume.seek(ino, data, Seek::Hole)) else { break };
        assert!(hole > data, "inode {ino}: a hole at {hole} where data begins");
        at = hole;
    }
    for off in [attr.size.saturating_sub(10), attr.size / 2, i64::MAX as u64, u64::MAX] {
        told.note("read", volume.read(ino, off, &mut buffer[..100]));
    }
}

fn change(volume: &Volume, found: &Found, told: &mut Told) {
    let stop = |error: &LvError| matches!(error, LvError::Poisoned { .. } | LvError::Closed);
    for (number, (dir, name, ino)) in found.iter().enumerate() {
        let result = volume.write(*ino, 10, b"written");
        if result.as_ref().is_err_and(stop) {
            told.note("write", result);
            return;
        }
        told.note("write", result);
        told.note("append", volume.append(*ino, &[9; 100]));
        told.note("setxattr", volume.setxattr(*ino, b"user.new", b"value", SetXattr::Any));
        told.note("truncate", volume.setattr(*ino, &SetAttr { size: Some(5), ..SetAttr::default() }));
        told.note("fsync", volume.fsync(*ino));
        told.note("link", volume.link(*ino, Ino::ROOT, format!("link{number}").as_bytes()));
        let to = format!("moved{number}").into_bytes();
        told.note("rename", volume.rename((*dir, name), (*ino, &to), Rename::Replace));
        told.note("exchange", volume.rename((*dir, name), (Ino::ROOT, b"dir"), Rename::Exchange));
        told.note("rename", volume.rename((*dir, name), (Ino::ROOT, &to), Rename::Keep));
    }
    told.note("mkdir_all", volume.mkdir_all(b"/dir/sub/low/x/y/z", &NewNode::directory(0o755)));
    let made = told.note("create", volume.create(Ino::ROOT, b"made", &NewNode::file(0o600)));
    if let Some(made) = made {
        let written = told.note("write", volume.write(made.ino, 0, &vec![5; 100_000]));
        told.note("fsync", volume.fsync(made.ino));
        let again = told.note("read_all", volume.read_all(made.ino)).filter(|_| written.is_some());
        assert!(again.is_none_or(|bytes| bytes == vec![5; 100_000]), "a new file reads back as something else");
    }
    for (dir, name, _) in found {
        if told.note("unlink", volume.unlink(*dir, name)).is_none() {
            told.note("rmdir", volume.rmdir(*dir, name));
        }
    }
}

/// What the command is asked to do with the pool, in this order; `{out}` is a folder beside it.
const COMMANDS: &[&str] = &[
    "pvs -a -o +all",
    "vgs -o +all",
    "lvs -a -o +all",
    "pvs --reportformat json -o +all",
    "df",
    "ls -laR {lv}:/",
    "ls {lv}:/",
    "find {lv}:/",
    "tree {lv}:/",
    "du -a {lv}:/",
    "stat {lv}:/ {lv}:/dir",
    "getfattr -R -d -m - {lv}:/",
    "sha256sum {lv}:/small",
    "cp -a {lv}:/dir {out}/copied",
    "cp -r {lv}:/ {out}/all",
    "export {lv} {out}/all.tar",
    "mkdir -p {lv}:/dir/sub/new",
    "mv {lv}:/dir {lv}:/link",
    "chmod -R go-w {lv}:/",
    "rm -r {lv}:/dir",
    "lvextend -L +1m {lv}",
    "lvremove -y {lv}",
    "vgremove -y {vg}",
];

/// Lets the command loose on the pool in `dir`; what it writes goes below `out`.
///
/// # Panics
/// When what it prints would steer a terminal.
pub fn command(dir: &Path, out: &Path, told: &mut Told) {
    for line in COMMANDS {
        let line = line.replace("{lv}", &format!("{VG}/{LV}")).replace("{vg}", VG);
        let line = line.replace("{out}", &out.display().to_string());
        let mut words: Vec<OsString> = vec!["anyfs-lvm".into()];
        words.extend(line.split(' ').map(OsString::from));
        words.extend(["--pool".into(), dir.as_os_str().to_owned()]);
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        let code = anyfs_lvm_tools::run(&words, &mut said, &mut complained, &mut &b""[..]);
        told.calls += 1;
        for (stream, bytes) in [("standard output", &said), ("standard error", &complained)] {
            let text = String::from_utf8_lossy(bytes);
            let steers = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
            assert!(steers.is_none(), "{line}: {stream} holds {:?}: {}", steers, excerpt(&text));
        }
        let complained = String::from_utf8_lossy(&complained).into_owned();
        assert!(code == 0 || !complained.trim().is_empty(), "{line}: exit code {code} without a word");
        told.lines.extend(complained.lines().map(|text| format!("{line}: {}", text.trim())));
    }
}

fn excerpt(text: &str) -> String {
    let at = text.char_indices().find(|(_, c)| c.is_control() && *c != '\n' && *c != '\t').map_or(0, |(at, _)| at);
    let from = text[..at].char_indices().rev().nth(100).map_or(0, |(from, _)| from);
    text[from..].chars().take(200).collect::<String>().escape_debug().to_string()
}
