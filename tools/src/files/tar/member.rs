//! Members of an archive, one after another, with all that headers before a member say about it.

use ::tar::{EntryType, Header};

use super::input::Input;
use super::pax::{self, Record};
use super::sparse::{self, Map, Nonsense, Said};
use super::{BLOCK, BLOCK_LEN, acl, number, padding};
use crate::accounts::Accounts;
use crate::failure::Failure;
use crate::files::{Kind, Meta, Xattr, show};

/// Most bytes of one header that describes the next member: a volume's extended attributes of one file fit many times.
const EXTENDED: u64 = 16 << 20;

/// What a member makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    /// Something of this kind.
    New(Kind),
    /// One more name of what an earlier member made.
    HardLink,
    /// Nothing known.
    Unknown(u8),
}

/// A member of an archive.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    /// Where a link leads.
    pub(super) link: Vec<u8>,
    pub(super) makes: Makes,
    /// Kind, owner, mode, times and size; it has no inode.
    pub(super) meta: Meta,
    pub(super) xattrs: Vec<Xattr>,
    /// It has an access control list that makes no sense here.
    pub(super) strange_acl: bool,
    /// Pieces of contents, when there are holes.
    pub(super) map: Option<Map>,
}

/// Why reading stops: the archive, or the stream it comes from.
#[derive(Debug)]
pub(super) struct Broken(pub(super) Failure);

/// Result of reading an archive.
pub(super) type Read<T = ()> = Result<T, Broken>;

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

/// What headers before a member say about it.
#[derive(Debug, Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Option<Vec<Record>>,
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.link.is_none() && self.records.is_none()
    }
}

/// Reads members.
#[derive(Debug)]
pub(super) struct Members<'a> {
    input: Input<'a>,
    /// Records for all members from here on.
    global: Vec<Record>,
    /// The last member, for messages.
    last: String,
    /// Bytes of its contents that were not taken.
    left: u64,
    /// Bytes behind its contents.
    padding: u64,
    /// Last access of members that do not say.
    now: i64,
    /// People whom access control lists name.
    accounts: Accounts,
}

impl<'a> Members<'a> {
    /// Reads members from `input`.
    pub(super) fn new(input: Input<'a>, now: i64) -> Self {
        let (last, accounts) = (String::new(), Accounts::default());
        Self { input, global: Vec::new(), last, left: 0, padding: 0, now, accounts }
    }

    /// The next member; `None` behind the last, when nothing but zeros follows.
    pub(super) fn next(&mut self) -> Read<Option<Member>> {
        self.skip()?;
        let mut extended = Extended::default();
        loop {
            let Some(header) = self.header()? else {
                if !extended.is_empty() {
                    return Err(self.broken("the archive ends where a member should be"));
                }
                self.rest()?;
                return Ok(None);
            };
            let size = number::read_size(&header.as_old().size);
            let size = size.ok_or_else(|| self.broken("damaged archive: a header without a valid size"))?;
            match header.as_old().linkflag {
                [b'L'] if extended.name.is_none() => extended.name = Some(until_nul(&self.whole(size)?)),
                [b'K'] if extended.link.is_none() => extended.link = Some(until_nul(&self.whole(size)?)),
                [b'x' | b'X'] if extended.records.is_none() => extended.records = Some(self.records(size)?),
                [b'g'] => self.globals(size)?,
                [b'L' | b'K' | b'x' | b'X'] => {
                    return Err(self.broken("damaged archive: two headers of a kind describe the same member"));
                }
                // The name of the archive.
                [b'V'] => {
                    (self.left, self.padding) = (size, padding(size));
                    self.skip()?;
                }
                _ => return self.member(&header, size, extended).map(Some),
            }
        }
    }

    /// More of the last member's contents: at most `max` bytes, none at their end.
    pub(super) fn contents(&mut self, max: u64) -> Read<&[u8]> {
        let max = max.min(self.left);
        if max == 0 {
            return Ok(&[]);
        }
        if self.input.is_at_end()? {
            return Err(self.bad(&format!("{CUT} in the middle of this member")));
        }
        let bytes = self.input.some(max)?;
        self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(bytes)
    }

    /// Goes to the end of the last member.
    fn skip(&mut self) -> Read {
        while !self.contents(self.left)?.is_empty() {}
        while self.padding > 0 {
            let count = self.input.some(self.padding)?.len();
            if count == 0 {
                return Err(self.bad(&format!("{CUT} right behind this member")));
            }
            self.padding = self.padding.saturating_sub(u64::try_from(count).unwrap_or(0));
        }
        Ok(())
    }

    /// The next header; `None` at the end mark.
    fn header(&mut self) -> Read<Option<Header>> {
        let (filled, block) = self.input.block()?;
        let is_first = self.input.at <= BLOCK_LEN;
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(&block);
        if filled == BLOCK && block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if filled == BLOCK && is_sum_right(&header) {
            return Ok(Some(header));
        }
        Err(match (is_first, filled) {
            (true, 0) => self.broken("not a tar archive, it is empty"),
            (true, _) => self.foreign(&block),
            (_, 0) => self.broken(&format!("{CUT}, its end mark is missing")),
            (_, BLOCK) => self.broken("damaged archive: a header with a wrong checksum"),
            _ => self.broken(&format!("{CUT} in a header")),
        })
    }

    /// What is no archive may be a compressed one.
    fn foreign(&self, block: &[u8]) -> Broken {
        let forms: [(&[u8], &str); 4] =
            [(b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")];
        let failure = Failure::new(format!("{}: not a tar archive", self.input.shown));
        let found = forms.into_iter().find(|(magic, _)| block.starts_with(magic));
        Broken(match found {
            Some((_, program)) => {
                failure.hint(format!("it is compressed: {program} -dc FILE | anyfs-lvm import VG/LV:/PATH"))
            }
            None => failure,
        })
    }

    /// What follows the end mark: zeros at most, else something is lost.
    fn rest(&mut self) -> Read {
        loop {
            let bytes = self.input.some(u64::MAX)?;
            if bytes.is_empty() {
                return Ok(());
            }
            if bytes.iter().any(|byte| *byte != 0) {
                let broken = self.broken("something follows the end mark of the archive, and was left out");
                // A program that writes the stream is not to fail because nobody reads it.
                while !self.input.some(u64::MAX)?.is_empty() {}
                return Err(broken);
            }
        }
    }

    /// All contents of a header that describes another.
    fn whole(&mut self, size: u64) -> Read<Vec<u8>> {
        if size > EXTENDED {
            return Err(self.broken(&format!("damaged archive: a header of {size} bytes")));
        }
        let mut all = Vec::new();
        while u64::try_from(all.len()).is_ok_and(|len| len < size) {
            let missing = size.saturating_sub(u64::try_from(all.len()).unwrap_or(u64::MAX));
            let bytes = self.input.some(missing)?;
            if bytes.is_empty() {
                return Err(self.broken(&format!("{CUT} in a header")));
            }
            all.extend_from_slice(bytes);
        }
        self.padding = padding(size);
        self.skip()?;
        Ok(all)
    }

    fn records(&mut self, size: u64) -> Read<Vec<Record>> {
        let bytes = self.whole(size)?;
        pax::parse(&bytes).ok_or_else(|| self.broken("damaged archive: an extended header that cannot be read"))
    }

    /// Records for all members to come. Those that can only be meant for one are left out.
    fn globals(&mut self, size: u64) -> Read {
        for (key, value) in self.records(size)? {
            if matches!(key.as_slice(), b"mtime" | b"atime" | b"uid" | b"gid") {
                self.global.retain(|(known, _)| *known != key);
                self.global.push((key, value));
            }
        }
        Ok(())
    }

    fn member(&mut self, header: &Header, size: u64, extended: Extended) -> Read<Member> {
        let own = extended.records.unwrap_or_default();
        let find = |key: &str| {
            let found = |(name, _): &&Record| name == key.as_bytes();
            let said = own.iter().rev().find(found).or_else(|| self.global.iter().find(found));
            // An empty value takes a record back.
            said.map(|(_, value)| value.as_slice()).filter(|value| !value.is_empty())
        };
        let name = find("GNU.sparse.name").or_else(|| find("path")).map(<[u8]>::to_vec);
        let name = name.or(extended.name).unwrap_or_else(|| plain_name(header));
        let link = find("linkpath").map(<[u8]>::to_vec).or(extended.link);
        let link = link.unwrap_or_else(|| until_nul(&header.as_old().linkname));
        let stored = find("size").map_or(Some(size), pax::decimal);
        let meta = meta(header, &name, find, self.now);
        self.last = show::name(&name);
        let (Some(stored), Some(meta)) = (stored, meta) else {
            return Err(self.bad("damaged archive: the header of this member has a number that cannot be read"));
        };
        let makes = makes(header, &name, meta.kind);
        // A hard link's size is that of the file, whose contents came before.
        let stored = if makes == Makes::HardLink { 0 } else { stored };
        (self.left, self.padding) = (stored, padding(stored));
        let map = if makes == Makes::New(Kind::File) { self.map(header, &own)? } else { None };
        let size = map.as_ref().map_or(stored, |map| map.size);
        let (xattrs, strange_acl) = self.xattrs(own);
        Ok(Member { name, link, makes, meta: Meta { size, ..meta }, xattrs, strange_acl, map })
    }

    /// Extended attributes, access control lists among them; and whether one of these makes no sense.
    fn xattrs(&mut self, records: Vec<Record>) -> (Vec<Xattr>, bool) {
        let lists: Vec<Record> =
            records.iter().filter(|(key, _)| acl::KINDS.iter().any(|(_, of)| of == key)).cloned().collect();
        let named = records.into_iter().filter_map(|(key, value)| Some(Xattr { name: pax::xattr_name(&key)?, value }));
        let mut xattrs: Vec<Xattr> = named.collect();
        let mut strange = false;
        for (name, key) in acl::KINDS {
            // Where an archive has both forms, the attribute is the one that nothing was lost in.
            let list = lists.iter().rev().find(|(of, value)| of == key && !value.is_empty());
            let Some((_, text)) = list.filter(|_| xattrs.iter().all(|xattr| xattr.name != name)) else { continue };
            match acl::bytes(text, &mut self.accounts) {
                Some(value) => xattrs.push(Xattr { name: name.to_vec(), value }),
                None => strange = true,
            }
        }
        (xattrs, strange)
    }

    /// The holes of the member whose contents come next.
    fn map(&mut self, header: &Header, records: &[Record]) -> Read<Option<Map>> {
        let bad = "damaged archive: the list of this member's holes makes no sense";
        let map = if header.entry_type() == EntryType::GNUSparse {
            let (mut map, mut more) = sparse::from_header(header).ok_or_else(|| self.bad(bad))?;
            while more {
                let (filled, block) = self.input.block()?;
                if filled < BLOCK {
                    return Err(self.bad(&format!("{CUT} in the header of this member")));
                }
                more = sparse::more(&mut map, &block).ok_or_else(|| self.bad(bad))?;
            }
            map
        } else {
            match sparse::from_records(records).ok_or_else(|| self.bad(bad))? {
                Said::Dense => return Ok(None),
                Said::Map(map) => map,
                Said::Inside(size) => self.inside(size, bad)?,
            }
        };
        map.checked(self.left).ok_or_else(|| self.bad(bad)).map(Some)
    }

    /// The list that stands at the beginning of the contents.
    fn inside(&mut self, size: u64, bad: &str) -> Read<Map> {
        let mut lines = sparse::Lines::new(size);
        loop {
            let (filled, block) = self.input.block()?;
            self.left = self.left.checked_sub(BLOCK_LEN).ok_or_else(|| self.bad(bad))?;
            if filled < BLOCK {
                return Err(self.bad(&format!("{CUT} in the middle of this member")));
            }
            if let Some(map) = lines.take(&block).map_err(|Nonsense| self.bad(bad))? {
                return Ok(map);
            }
        }
    }

    /// A failure between members.
    fn broken(&self, what: &str) -> Broken {
        let Input { shown, at, .. } = &self.input;
        let after = if self.last.is_empty() { String::new() } else { format!(", after {}", self.last) };
        Broken(Failure::new(format!("{shown}: {what} (byte {at} of the archive{after})")))
    }

    /// A failure of the last member.
    fn bad(&self, what: &str) -> Broken {
        let Input { shown, at, .. } = &self.input;
        Broken(Failure::new(format!("{shown}: {}: {what} (byte {at} of the archive)", self.last)))
    }
}

/// The beginning of what is said of an archive that ends too soon.
const CUT: &str = "the archive is cut off";

fn until_nul(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// Old programs added up signed bytes.
fn is_sum_right(header: &Header) -> bool {
    let Some(said) = number::read(&header.as_old().cksum) else { return false };
    let is_sum = |at: usize| (148..156).contains(&at);
    let bytes = || header.as_bytes().iter().enumerate().map(|(at, byte)| if is_sum(at) { b' ' } else { *byte });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    said == unsigned || said == signed
}

fn plain_name(header: &Header) -> Vec<u8> {
    let name = until_nul(&header.as_old().name);
    let prefix = header.as_ustar().map(|ustar| until_nul(&ustar.prefix)).filter(|prefix| !prefix.is_empty());
    match prefix {
        Some(prefix) => [prefix, name].join(&b'/'),
        None => name,
    }
}

fn makes(header: &Header, name: &[u8], kind: Kind) -> Makes {
    match header.entry_type() {
        EntryType::Link => Makes::HardLink,
        EntryType::Regular if name.ends_with(b"/") => Makes::New(Kind::Directory),
        _ => match header.as_old().linkflag {
            [0 | b'0' | b'2'..=b'7' | b'D' | b'S'] => Makes::New(kind),
            [other] => Makes::Unknown(other),
        },
    }
}

/// Everything of a member but its size; `None` when a number cannot be read.
fn meta<'r>(header: &Header, name: &[u8], find: impl Fn(&str) -> Option<&'r [u8]>, now: i64) -> Option<Meta> {
    let old = header.as_old();
    let id = |key: &str, field: &[u8]| match find(key) {
        Some(text) => u32::try_from(pax::decimal(text)?).ok(),
        None => u32::try_from(number::read(field)?).ok(),
    };
    let kind = match header.entry_type() {
        EntryType::Symlink => Kind::Symlink,
        EntryType::Char => Kind::CharDevice,
        EntryType::Block => Kind::BlockDevice,
        EntryType::Directory => Kind::Directory,
        EntryType::Fifo => Kind::Fifo,
        EntryType::Regular if name.ends_with(b"/") => Kind::Directory,
        _ if old.linkflag == [b'D'] => Kind::Directory,
        _ => Kind::File,
    };
    let mtime = match find("mtime") {
        Some(text) => pax::time(text)?,
        None => number::read(&old.mtime)?.saturating_mul(1_000_000_000),
    };
    let rdev = if matches!(kind, Kind::CharDevice | Kind::BlockDevice) { device(header)? } else { 0 };
    Some(Meta {
        kind,
        mode: u32::try_from(number::read(&old.mode)? & 0o7777).ok()?,
        uid: id("uid", &old.uid)?,
        gid: id("gid", &old.gid)?,
        size: 0,
        atime: find("atime").map_or(Some(now), pax::time)?,
        mtime,
        rdev,
        id: (0, 0),
        nlink: 1,
    })
}

fn device(header: &Header) -> Option<u64> {
    let (major, minor) = match (header.as_ustar(), header.as_gnu()) {
        (Some(ustar), _) => (&ustar.dev_major, &ustar.dev_minor),
        (_, Some(gnu)) => (&gnu.dev_major, &gnu.dev_minor),
        _ => return None,
    };
    let number = |field: &[u8]| u32::try_from(number::read(field)?).ok();
    Some(rustix::fs::makedev(number(major)?, number(minor)?))
}

#[cfg(test)]
mod tests;
