//! Inodes, names and attributes: the tree.

use std::collections::{HashMap, HashSet};

use super::report::CheckReport;
use super::source::Source;
use crate::catalogue::{
    Columns, DirentRow, InodeRow, MapRow, Table, WINDOW, dirent_from, entry_mark, fs_from, inode_from, map_mark,
    xattr_from, xattr_mark,
};
use crate::engine::{FS, bucket_at, bucket_of};
use crate::{Ino, Kind};

/// An inode: what its row says, and what was counted.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    nlink: u32,
    size: u64,
    stored: u64,
    parent: Ino,
    /// Names that lead to it.
    names: u32,
    /// A directory's entries.
    entries: u64,
    /// Those that are directories.
    below: u32,
    /// Bytes that its map names.
    mapped: u64,
    /// End of its map.
    end: u64,
    /// What vouches for what is below it, and what that adds up to.
    below_sum: (u64, u64),
    /// The same of its extended attributes.
    xattr_sum: (u64, u64),
}

/// All inodes, and what hangs where.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: HashMap<Ino, Node>,
    /// Directories by the one entry that leads to each.
    above: HashMap<Ino, Ino>,
    name_key: u64,
    next_ino: u64,
    files: u64,
}

/// The key columns that tables of files have: filesystem and inode.
pub(super) fn first_two(columns: &Columns<'_>) -> Option<(i64, Ino)> {
    let mut columns = columns.clone();
    Some((columns.int()?, Ino(columns.u64()?)))
}

impl Tree {
    /// Reads all inodes, names and attributes.
    pub(super) fn read(source: &Source, report: &mut CheckReport) -> Self {
        let mut tree = Self::default();
        tree.read_fs(source, report);
        tree.read_inodes(source, report);
        tree.read_names(source, report);
        let known = |columns: Columns<'_>| Some((first_two(&columns)?, xattr_from(columns)?));
        source.walk(report, (Table::Xattr, Table::Xattr.key()), known, |report, ((fs, ino), row)| {
            match tree.nodes.get_mut(&ino).filter(|_| fs == FS) {
                Some(node) => node.xattr_sum.1 = node.xattr_sum.1.wrapping_add(xattr_mark(&row.name, &row.value)),
                None => report.problem(source.named(ino), "it has attributes and does not exist"),
            }
        });
        tree
    }

    fn read_fs(&mut self, source: &Source, report: &mut CheckReport) {
        let mut count = 0u32;
        let with_number = |columns: Columns<'_>| Some((columns.clone().int()?, fs_from(columns)?));
        source.walk(report, (Table::Fs, Table::Fs.key()), with_number, |_, (number, row)| {
            count = count.saturating_add(1);
            if number == FS {
                self.name_key = row.name_key;
                self.next_ino = row.next_ino;
                self.files = row.files;
            }
        });
        if count != 1 || self.next_ino == 0 {
            report.problem(source.object(), format!("{count} filesystems instead of one"));
        }
    }

    fn read_inodes(&mut self, source: &Source, report: &mut CheckReport) {
        let keyed = |columns: Columns<'_>| Some((first_two(&columns)?, inode_from(columns)?));
        source.walk(report, (Table::Inode, Table::Inode.key()), keyed, |report, ((fs, ino), row)| {
            let InodeRow { attr, parent, ref target, .. } = row;
            if fs != FS || ino.0 == 0 || ino.0 >= self.next_ino {
                report.problem(source.named(ino), "its number is one that was never given out");
            }
            if (attr.kind == Kind::Symlink) != target.is_some() {
                report.problem(source.named(ino), "it is a symbolic link without a target, or the reverse");
            }
            let node = Node {
                kind: attr.kind,
                nlink: attr.nlink,
                size: attr.size,
                stored: attr.stored,
                parent,
                names: 0,
                entries: 0,
                below: 0,
                mapped: 0,
                end: 0,
                below_sum: (row.below, 0),
                xattr_sum: (row.xattr_sum, 0),
            };
            self.nodes.insert(ino, node);
        });
        report.checked.inodes = u64::try_from(self.nodes.len()).unwrap_or(u64::MAX);
        if report.checked.inodes != self.files {
            let (counted, said) = (report.checked.inodes, self.files);
            report.problem(source.object(), format!("{counted} inodes, but it counts {said}"));
        }
    }

    fn read_names(&mut self, source: &Source, report: &mut CheckReport) {
        let mut bucket: (Ino, u64, HashSet<Vec<u8>>) = (Ino(0), 0, HashSet::new());
        let keyed = |columns: Columns<'_>| Some((first_two(&columns)?, dirent_from(columns)?));
        source.walk(report, (Table::Dirent, Table::Dirent.key()), keyed, |report, ((fs, parent), row)| {
            let base = bucket_at(row.cookie);
            if (bucket.0, bucket.1) != (parent, base) {
                bucket = (parent, base, HashSet::new());
            }
            let about = |what: &str| format!("its entry {} {what}", row.name.escape_ascii());
            if fs != FS {
                report.problem(source.named(parent), about("is of another filesystem"));
            }
            if bucket_of(self.name_key, &row.name) != base {
                report.problem(source.named(parent), about("is filed where it cannot be found"));
            }
            if !bucket.2.insert(row.name.to_vec()) {
                report.problem(source.named(parent), about("is there twice"));
            }
            self.entry(source, report, parent, &row);
        });
    }

    /// Counts one entry of a directory.
    fn entry(&mut self, source: &Source, report: &mut CheckReport, parent: Ino, row: &DirentRow) {
        let about = |what: &str| format!("its entry {} {what}", row.name.escape_ascii());
        let directory = row.kind == Kind::Directory;
        match self.nodes.get_mut(&parent).filter(|node| node.kind == Kind::Directory) {
            Some(dir) => {
                dir.entries = dir.entries.saturating_add(1);
                dir.below = dir.below.saturating_add(u32::from(directory));
                dir.below_sum.1 = dir.below_sum.1.wrapping_add(entry_mark(row));
            }
            None => report.problem(source.named(parent), "it has entries and is no directory"),
        }
        let Some(node) = self.nodes.get_mut(&row.ino) else {
            report.problem(source.named(parent), about("leads to nothing"));
            return;
        };
        node.names = node.names.saturating_add(1);
        let hangs_elsewhere = directory && node.parent != parent;
        if node.kind != row.kind {
            report.problem(source.named(parent), about("says another kind than the inode"));
        }
        if row.ino == Ino::ROOT {
            report.problem(source.named(parent), about("leads to the root"));
        } else if hangs_elsewhere || (directory && self.above.insert(row.ino, parent).is_some()) {
            report.problem(source.named(parent), about("is a directory that hangs elsewhere, too"));
        }
    }

    /// Compares what inodes say with what was counted, once maps are counted, too.
    pub(super) fn judge(&self, source: &Source, report: &mut CheckReport) {
        if !self.nodes.get(&Ino::ROOT).is_some_and(|root| root.kind == Kind::Directory) {
            report.problem(source.object(), "it has no root directory");
        }
        let mut inodes: Vec<(&Ino, &Node)> = self.nodes.iter().collect();
        inodes.sort_unstable_by_key(|(ino, _)| **ino);
        let mut deleted = 0u64;
        for (ino, node) in inodes {
            deleted = deleted.saturating_add(u64::from(node.nlink == 0));
            if let Some(what) = node.fault(*ino) {
                report.problem(source.named(*ino), what);
            }
        }
        if deleted > 0 {
            report.note(source.object(), format!("{deleted} deleted files wait to be taken apart"));
        }
        self.judge_reach(source, report);
    }

    /// Every directory hangs below the root.
    fn judge_reach(&self, source: &Source, report: &mut CheckReport) {
        let mut reached: HashSet<Ino> = HashSet::from([Ino::ROOT]);
        let mut directories: Vec<Ino> = self.above.keys().copied().collect();
        directories.sort_unstable();
        for start in directories {
            let mut way = Vec::new();
            let mut on_way = HashSet::new();
            let mut at = start;
            while !reached.contains(&at) && on_way.insert(at) {
                way.push(at);
                let Some(above) = self.above.get(&at) else { break };
                at = *above;
            }
            if !reached.contains(&at) {
                report.problem(source.named(start), "this directory cannot be reached from the root");
            }
            // Told once for all that hang on the same way.
            reached.extend(way);
        }
    }
}

impl Node {
    /// Counts an entry of its map.
    pub(super) fn count(&mut self, row: &MapRow) {
        let end = row.off.saturating_add(u64::from(row.len));
        self.mapped = self.mapped.saturating_add(u64::from(row.len));
        self.end = self.end.max(end);
        if row.off < WINDOW {
            self.below_sum.1 = self.below_sum.1.wrapping_add(map_mark(row));
        }
    }

    /// What contradicts itself.
    fn fault(&self, ino: Ino) -> Option<String> {
        let directory = self.kind == Kind::Directory;
        let links = match (directory, self.nlink) {
            (true, 0) => 0,
            (true, _) => self.below.saturating_add(2),
            (false, _) => self.names,
        };
        let names = u32::from(directory && self.nlink > 0 && ino != Ino::ROOT);
        if self.nlink != links || (directory && self.names != names) {
            let (nlink, names) = (self.nlink, self.names);
            return Some(format!("link count {nlink}, but {names} names and {} directories in it", self.below));
        }
        if directory && self.size != self.entries {
            return Some(format!("it should have {} entries and has {}", self.size, self.entries));
        }
        if self.stored != self.mapped {
            return Some(format!("it should store {} bytes and stores {}", self.stored, self.mapped));
        }
        if self.below_sum.0 != self.below_sum.1 {
            let what = if directory { "names" } else { "contents" };
            return Some(format!("its {what} are not all there, or old"));
        }
        if self.xattr_sum.0 != self.xattr_sum.1 {
            return Some("its extended attributes are not all there, or old".to_owned());
        }
        if !directory && self.nlink > 0 && self.end > self.size {
            return Some(format!("it stores bytes up to {}, past its size of {}", self.end, self.size));
        }
        None
    }
}
