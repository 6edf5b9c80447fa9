//! What a writer has done to its files, and what may be there after a crash.
//!
//! Every page of a log, and every whole file, says in its first bytes which version it is, and has the bytes that follow
//! from that number; no two have the same.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::fs::bytes;

/// What a log is written in.
pub(super) const PAGE: usize = 4096;
/// Pages of a log, at most.
pub(super) const PAGES: usize = 48;
/// Logs: files that are written in place.
const LOGS: usize = 4;
/// Names of files that are replaced as a whole.
const NAMES: usize = 10;
/// Longest whole file.
const LONGEST: u64 = 90_000;

/// Something that has versions, and what may be of it: what was durable last, and everything since. Version 0 is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct May(Vec<u64>);

impl May {
    pub(super) fn now(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }

    /// Another version is about to be there.
    pub(super) fn push(&mut self, version: u64) {
        if self.now() != version || self.0.is_empty() {
            self.0.push(version);
        }
    }

    /// The last version is durable.
    pub(super) fn settle(&mut self) {
        self.0 = vec![self.now()];
    }

    /// Whether there has been something for as long as may be seen.
    pub(super) fn always(&self) -> bool {
        !self.0.contains(&0)
    }

    fn judge(&mut self, what: &str, found: u64) -> Result<(), String> {
        if !self.0.contains(&found) {
            return Err(format!("{what}: version {found:#x} is there, of {:x?}", self.0));
        }
        self.0 = vec![found];
        Ok(())
    }
}

/// What a writer has done.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) logs: Vec<Vec<May>>,
    pub(super) names: Vec<May>,
    last: u64,
}

pub(super) fn log_name(log: usize) -> String {
    format!("log{log}")
}

pub(super) fn whole_name(name: usize) -> String {
    format!("whole{name}")
}

fn versioned(version: u64, len: usize) -> Vec<u8> {
    let mut made = bytes(version, len);
    made[..8].copy_from_slice(&version.to_le_bytes());
    made
}

/// A page of a log.
pub(super) fn page(version: u64) -> Vec<u8> {
    if version == 0 { vec![0; PAGE] } else { versioned(version, PAGE) }
}

/// A whole file.
pub(super) fn whole(version: u64) -> Vec<u8> {
    let len = 8 + crate::prng::Prng::new(version).below(LONGEST);
    versioned(version, usize::try_from(len).unwrap_or(8))
}

/// Which version some bytes are, if they are one as a whole.
fn version(found: &[u8], made: impl Fn(u64) -> Vec<u8>) -> Option<u64> {
    let number = u64::from_le_bytes(*found.first_chunk()?);
    (made(number) == found).then_some(number)
}

/// The bytes of a file, none when it is not there.
fn contents(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

impl Book {
    pub(super) fn new(number: u64) -> Self {
        let nothing = May(vec![0]);
        let log = vec![nothing.clone(); PAGES];
        Self { logs: vec![log; LOGS], names: vec![nothing; NAMES], last: (number + 1) << 48 }
    }

    /// A version that nothing had.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// All names are durable.
    pub(super) fn settle_names(&mut self) {
        self.names.iter_mut().for_each(May::settle);
    }

    /// Everything is durable.
    pub(super) fn settle(&mut self) {
        self.settle_names();
        self.logs.iter_mut().flatten().for_each(May::settle);
    }

    /// Whether there is what must be; from then on it is what is durable.
    pub(super) fn judge(&mut self, dir: &Path) -> Result<(), String> {
        for (log, pages) in self.logs.iter_mut().enumerate() {
            let name = log_name(log);
            let found = contents(&dir.join(&name))?.unwrap_or_default();
            if found.len() % PAGE != 0 || found.len() > PAGES * PAGE {
                return Err(format!("{name}: {} bytes", found.len()));
            }
            for (number, may) in pages.iter_mut().enumerate() {
                let what = format!("{name}, page {number}");
                let bytes = found.get(number * PAGE..(number + 1) * PAGE);
                let found = bytes.map_or(Some(0), |bytes| version(bytes, page));
                may.judge(&what, found.ok_or_else(|| format!("{what}: no version as a whole"))?)?;
            }
        }
        for (name, may) in self.names.iter_mut().enumerate() {
            let name = whole_name(name);
            let found = contents(&dir.join(&name))?;
            let found = found.map_or(Some(0), |bytes| version(&bytes, whole));
            may.judge(&name, found.ok_or_else(|| format!("{name}: no version as a whole"))?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with the test.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("anyfs-lvm-book-{name}-{}", std::process::id()));
            fs::create_dir(&dir).unwrap();
            Self(dir)
        }

        fn put(&self, name: &str, bytes: &[u8]) {
            fs::write(self.0.join(name), bytes).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// What is said of a folder, and the book stays as it was.
    fn said(book: &Book, folder: &Folder) -> String {
        book.clone().judge(&folder.0).err().unwrap_or_default()
    }

    #[test]
    fn a_page_is_a_version_since_the_last_sync() {
        let folder = Folder::new("page");
        let mut book = Book::new(0);
        assert_eq!(said(&book, &folder), "", "nothing was written, and nothing is there");
        let versions = [book.next(), book.next(), book.next()];
        book.logs[1][0].push(versions[0]);
        book.logs[1][0].settle();
        assert!(said(&book, &folder).starts_with("log1, page 0: version 0x0 is there"), "it is lost");
        versions[1..].iter().for_each(|version| book.logs[1][0].push(*version));
        for version in versions {
            folder.put("log1", &page(version));
            assert_eq!(said(&book, &folder), "");
        }
        book.settle();
        folder.put("log1", &page(versions[1]));
        assert!(said(&book, &folder).contains("is there, of"), "it is older than its sync");
        let mut torn = page(versions[2]);
        torn[2000..].copy_from_slice(&page(versions[1])[2000..]);
        folder.put("log1", &torn);
        assert_eq!(said(&book, &folder), "log1, page 0: no version as a whole");
        folder.put("log1", &page(versions[2])[1..]);
        assert_eq!(said(&book, &folder), "log1: 4095 bytes");
    }

    #[test]
    fn a_name_leads_to_a_whole_file_or_nowhere_since_the_last_sync() {
        let folder = Folder::new("name");
        let mut book = Book::new(3);
        let versions = [book.next(), book.next()];
        book.names[0].push(versions[0]);
        assert_eq!(said(&book, &folder), "");
        book.settle_names();
        assert!(said(&book, &folder).starts_with("whole0: version 0x0 is there"), "it is lost");
        book.names[0].push(versions[1]);
        for version in versions {
            folder.put("whole0", &whole(version));
            assert_eq!(said(&book, &folder), "");
        }
        for bytes in [&b""[..], &whole(versions[1])[1..], &[whole(versions[1]), b"x".to_vec()].concat()] {
            folder.put("whole0", bytes);
            assert_eq!(said(&book, &folder), "whole0: no version as a whole");
        }
        book.names[0].push(0);
        book.settle_names();
        folder.put("whole0", &whole(versions[1]));
        assert!(said(&book, &folder).starts_with("whole0: version 0x4"), "what was removed has come back");
    }
}
