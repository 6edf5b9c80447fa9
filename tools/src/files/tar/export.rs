//! From a volume into a tar stream.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use ::tar::EntryType;
use anyfs_lvm::lv::{Attr, DirEntry, Ino, Kind as LvKind, LvError, Seek};

use super::header::Head;
use super::sparse::{self, Map, PIECES};
use super::{BLOCK_LEN, BUFFER, padding};
use crate::failure::Failure;
use crate::files::progress::Progress;
use crate::files::stop::Stop;
use crate::files::volume::{Mount, meta_of};
use crate::files::{Res, Xattr, show};

/// What goes into an archive.
#[derive(Debug)]
pub(crate) struct What {
    pub(crate) ino: Ino,
    /// Its name in the archive; `None` for a directory whose entries are at the top.
    pub(crate) name: Option<Vec<u8>>,
}

/// What an export left to tell.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What could not be read.
    pub(crate) failures: Vec<Failure>,
    /// What no archive can hold.
    pub(crate) notes: Vec<String>,
}

/// Writes an archive of `what` and everything below it, each file as it is when its turn comes.
///
/// # Errors
/// What ends the archive: the stream, or the user. What cannot be read of a file becomes zeros, and is told.
pub(crate) fn export(
    mount: &Mount,
    what: What,
    out: &mut dyn Write,
    (progress, stop): (&Progress, &Stop),
) -> (Told, Res<()>) {
    let first = HashMap::new();
    let buffer = vec![0; BUFFER];
    let mut export = Export { mount, out, progress, stop, first, buffer, told: Told::default() };
    let done = export.all(what);
    (export.told, done)
}

struct Export<'a> {
    mount: &'a Mount,
    out: &'a mut dyn Write,
    progress: &'a Progress,
    stop: &'a Stop,
    /// The first name of every file with several.
    first: HashMap<Ino, Vec<u8>>,
    buffer: Vec<u8>,
    told: Told,
}

impl Export<'_> {
    fn all(&mut self, what: What) -> Res<()> {
        // A stack, not recursion: trees may be of any depth.
        let mut open = vec![(what.ino, what.name.unwrap_or_default())];
        while let Some((ino, name)) = open.pop() {
            self.stop.check()?;
            let below = self.member(ino, &name)?;
            open.extend(below.into_iter().rev());
        }
        // The end mark, filled up as tapes want it.
        self.out.write_all(&[0; 20 * super::BLOCK])?;
        Ok(self.out.flush()?)
    }

    /// Writes a member; what is below it.
    fn member(&mut self, ino: Ino, name: &[u8]) -> Res<Vec<(Ino, Vec<u8>)>> {
        let shown = if name.is_empty() { "./".to_owned() } else { show::name(name) };
        let read = self.look(ino);
        let (attr, xattrs) = match read {
            Ok(read) => read,
            Err(error) => {
                self.failed(&shown, &error);
                return Ok(Vec::new());
            }
        };
        let kind = match attr.kind {
            LvKind::Directory => return self.directory(&attr, &xattrs, (name, &shown)),
            LvKind::Socket => {
                self.told.notes.push(format!("{shown}: socket; left out"));
                return Ok(Vec::new());
            }
            LvKind::Symlink => EntryType::Symlink,
            LvKind::Fifo => EntryType::Fifo,
            LvKind::CharDevice => EntryType::Char,
            LvKind::BlockDevice => EntryType::Block,
            _ => EntryType::Regular,
        };
        if attr.nlink > 1 {
            if let Some(link) = self.first.get(&ino) {
                let (kind, link) = (EntryType::Link, link.clone());
                self.head(&attr, (name, &link), kind, &[])?;
                return Ok(Vec::new());
            }
            self.first.insert(ino, name.to_vec());
        }
        match kind {
            EntryType::Regular => self.file(&attr, &xattrs, (name, &shown))?,
            EntryType::Symlink => match self.mount.volume.readlink(ino) {
                Ok(link) => self.head(&attr, (name, &link), kind, &xattrs)?,
                Err(error) => self.failed(&shown, &error),
            },
            _ => self.head(&attr, (name, b""), kind, &xattrs)?,
        }
        Ok(Vec::new())
    }

    fn look(&self, ino: Ino) -> Result<(Attr, Vec<Xattr>), LvError> {
        let volume = &self.mount.volume;
        let get = |name: Vec<u8>| Ok(Xattr { value: volume.getxattr(ino, &name)?, name });
        Ok((volume.getattr(ino)?, volume.listxattr(ino)?.into_iter().map(get).collect::<Result<_, LvError>>()?))
    }

    fn directory(&mut self, attr: &Attr, xattrs: &[Xattr], (name, shown): (&[u8], &str)) -> Res<Vec<(Ino, Vec<u8>)>> {
        let prefix = if name.is_empty() { Vec::new() } else { [name, b"/"].concat() };
        let own = if name.is_empty() { b"./" } else { prefix.as_slice() };
        self.head(attr, (own, b""), EntryType::Directory, xattrs)?;
        match self.mount.entries(attr.ino) {
            Ok(mut entries) => {
                entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                Ok(self.enterable(attr.ino, &prefix, entries))
            }
            Err(error) => {
                self.failed(shown, &error);
                Ok(Vec::new())
            }
        }
    }

    /// Inodes and paths of entries, without directories that are not below this one or have a second name in it: see
    /// `Walk`.
    fn enterable(&mut self, dir: Ino, prefix: &[u8], entries: Vec<DirEntry>) -> Vec<(Ino, Vec<u8>)> {
        let mut entered = HashSet::new();
        let mut below = Vec::new();
        for entry in entries {
            let name = [prefix, entry.name.as_slice()].concat();
            if entry.kind == LvKind::Directory {
                match self.mount.volume.lookup(dir, &entry.name) {
                    // Gone meanwhile.
                    Err(LvError::NotFound { .. }) => continue,
                    Err(error) => {
                        self.failed(&show::name(&name), &error);
                        continue;
                    }
                    Ok(attr) if !entered.insert(attr.ino) => {
                        self.told.failures.push(self.mount.second_name(&name));
                        continue;
                    }
                    Ok(_) => {}
                }
            }
            below.push((entry.ino, name));
        }
        below
    }

    /// A header without contents.
    fn head(&mut self, attr: &Attr, (name, link): (&[u8], &[u8]), kind: EntryType, xattrs: &[Xattr]) -> Res<()> {
        let head = Head { name, link, kind, meta: &meta_of(attr), stored: 0, xattrs, map: None };
        self.out.write_all(&head.blocks())?;
        self.progress.file();
        Ok(())
    }

    fn file(&mut self, attr: &Attr, xattrs: &[Xattr], (name, shown): (&[u8], &str)) -> Res<()> {
        let map = match self.map(attr) {
            Ok(map) => map,
            Err(error) => {
                self.failed(shown, &error);
                return Ok(());
            }
        };
        let list = map.as_ref().map(sparse::text).unwrap_or_default();
        let whole = [(0, attr.size)];
        let pieces = map.as_ref().map_or(&whole[..], |map| &map.pieces);
        let data = pieces.iter().fold(0u64, |sum, (_, len)| sum.saturating_add(*len));
        let stored = data.saturating_add(u64::try_from(list.len()).unwrap_or(0));
        let kind = EntryType::Regular;
        let head = Head { name, link: b"", kind, meta: &meta_of(attr), stored, xattrs, map: map.as_ref() };
        self.progress.expect(data);
        self.out.write_all(&head.blocks())?;
        self.out.write_all(&list)?;
        let mut failed = None;
        for (at, len) in pieces {
            self.piece(attr.ino, (*at, *len), &mut failed)?;
        }
        if let Some(error) = failed {
            self.failed(shown, &error);
            self.told.failures.push(Failure::new(format!("{shown}: what could not be read is zeros in the archive")));
        }
        let fill = usize::try_from(padding(stored)).unwrap_or(0);
        self.out.write_all([0; super::BLOCK].get(..fill).unwrap_or_default())?;
        self.progress.file();
        Ok(())
    }

    /// Writes exactly as many bytes as the header said.
    fn piece(&mut self, ino: Ino, (mut at, len): (u64, u64), failed: &mut Option<LvError>) -> Res<()> {
        let end = at.saturating_add(len);
        while at < end {
            self.stop.check()?;
            let want = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(BUFFER);
            let buffer = self.buffer.get_mut(..want).unwrap_or_default();
            let count = match self.mount.volume.read(ino, at, buffer) {
                Ok(count) => count,
                Err(error) => {
                    failed.get_or_insert(error);
                    0
                }
            };
            buffer.get_mut(count..).unwrap_or_default().fill(0);
            self.out.write_all(buffer)?;
            let want = u64::try_from(want).unwrap_or(0);
            self.progress.advance(want);
            at = at.saturating_add(want);
        }
        Ok(())
    }

    /// The pieces of a file with holes, in whole blocks; `None` for one without.
    fn map(&self, attr: &Attr) -> Result<Option<Map>, LvError> {
        let mut map = Map { size: attr.size, pieces: Vec::new() };
        let volume = &self.mount.volume;
        let mut at = 0;
        while at < attr.size {
            let begin = match volume.seek(attr.ino, at, Seek::Data) {
                Ok(begin) => begin,
                Err(LvError::NoData { .. }) => break,
                Err(error) => return Err(error),
            };
            at = volume.seek(attr.ino, begin, Seek::Hole)?;
            let begin = begin.saturating_sub(begin % BLOCK_LEN);
            let end = at.saturating_add(padding(at)).min(attr.size);
            match map.pieces.last_mut() {
                Some((last, len)) if last.saturating_add(*len) >= begin => *len = end.saturating_sub(*last),
                _ => map.pieces.push((begin, end.saturating_sub(begin))),
            }
            if map.pieces.len() > PIECES / 2 {
                // Nobody gains by a list of millions of holes.
                return Ok(None);
            }
        }
        let is_whole = attr.size == 0 || map.pieces == [(0, attr.size)];
        Ok((!is_whole).then_some(map))
    }

    fn failed(&mut self, shown: &str, error: &LvError) {
        let failure = self.mount.trouble(error).about(shown);
        let volume = format!("{}: ", self.mount.name);
        let lines = failure.lines.iter().map(|line| line.strip_prefix(&volume).unwrap_or(line));
        let lines = lines.map(|line| format!("{shown}: {line}")).collect();
        self.told.failures.push(Failure { lines, ..failure });
    }
}
