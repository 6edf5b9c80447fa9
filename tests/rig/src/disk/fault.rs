//! Faults of a disk: which operation fails, how, and on which files.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

/// What an operation does, as far as faults go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// Opens or makes a file.
    Open,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Sets the length.
    Truncate,
    /// Makes contents (or, of a folder, names) durable.
    Sync,
    /// Removes a name.
    Unlink,
    /// Changes a name.
    Rename,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// An I/O error on opening or making a file.
    Open,
    /// An I/O error on reading.
    Read,
    /// Half of a read happens, then an I/O error.
    ShortRead,
    /// A file seems to end in the middle of a read, and SQLite takes zeros for the rest. `os_unix.c` asks again for the
    /// rest of a short read, so it reports this only of a file that somebody has cut: damage, not a failing disk.
    EarlyEnd,
    /// An I/O error on writing; nothing was written.
    Write,
    /// Half of a write happens, then an I/O error, or (every second one) a full disk.
    ShortWrite,
    /// A full disk on writing or setting a length.
    Full,
    /// An I/O error on setting a length.
    Truncate,
    /// A failed sync; what was pending stays pending.
    Sync,
    /// A failed sync after which the file shows what was last made durable.
    SyncDrop,
    /// A failed sync after which the file still shows everything, but what was pending is never written: the next sync
    /// succeeds, and a power loss shows what is missing.
    SyncLie,
    /// An I/O error on removing a name.
    Unlink,
    /// An I/O error on changing a name.
    Rename,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Open,
        Self::Read,
        Self::ShortRead,
        Self::EarlyEnd,
        Self::Write,
        Self::ShortWrite,
        Self::Full,
        Self::Truncate,
        Self::Sync,
        Self::SyncDrop,
        Self::SyncLie,
        Self::Unlink,
        Self::Rename,
    ];

    /// Its name in specifications and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::ShortRead => "short-read",
            Self::EarlyEnd => "early-end",
            Self::Write => "write",
            Self::ShortWrite => "short-write",
            Self::Full => "full",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::SyncDrop => "sync-drop",
            Self::SyncLie => "sync-lie",
            Self::Unlink => "unlink",
            Self::Rename => "rename",
        }
    }

    /// Whether it can strike such an operation.
    const fn strikes(self, act: Act) -> bool {
        match self {
            Self::Open => matches!(act, Act::Open),
            Self::Read | Self::ShortRead | Self::EarlyEnd => matches!(act, Act::Read),
            Self::Write | Self::ShortWrite => matches!(act, Act::Write),
            Self::Full => matches!(act, Act::Write | Act::Truncate),
            Self::Truncate => matches!(act, Act::Truncate),
            Self::Sync | Self::SyncDrop | Self::SyncLie => matches!(act, Act::Sync),
            Self::Unlink => matches!(act, Act::Unlink),
            Self::Rename => matches!(act, Act::Rename),
        }
    }
}

/// What a file is to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A PV.
    Pv,
    /// The rollback journal of one.
    PvJournal,
    /// A metadata volume.
    Metadata,
    /// The write-ahead log of one, or its journal while it is made.
    MetadataLog,
    /// Any other file: locks, the reserve, archives.
    Host,
    /// A folder.
    Folder,
}

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Pv, Self::PvJournal, Self::Metadata, Self::MetadataLog, Self::Host, Self::Folder];

    /// Its name in specifications and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pv => "pv",
            Self::PvJournal => "pv-journal",
            Self::Metadata => "metadata",
            Self::MetadataLog => "metadata-log",
            Self::Host => "host",
            Self::Folder => "folder",
        }
    }

    /// What a file of this name is. One that is being made is what it will be: `.NAME.new-HEX`.
    pub(crate) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (name, end) = match name.split_once(".new-") {
            Some((name, rest)) => (name.trim_start_matches('.'), rest.split_once('-').map_or("", |(_, end)| end)),
            None => ["-journal", "-wal"]
                .iter()
                .find_map(|end| name.strip_suffix(end).map(|name| (name, end.trim_start_matches('-'))))
                .unwrap_or((name, "")),
        };
        match (name.rsplit('.').next(), end) {
            (Some("db"), "") => Self::Pv,
            (Some("db"), _) => Self::PvJournal,
            (Some("meta"), "") => Self::Metadata,
            (Some("meta"), _) => Self::MetadataLog,
            _ => Self::Host,
        }
    }
}

/// Which operation fails, and how. Written `kind:file:at:once` or `kind:file:at:always`, `any` for every file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// How.
    pub kind: FaultKind,
    /// On which files; `None` for all.
    pub file: Option<FileKind>,
    /// The how manieth operation that it can strike, from 1.
    pub at: u64,
    /// All later ones too.
    pub lasting: bool,
}

impl Fault {
    fn concerns(&self, act: Act, file: FileKind) -> bool {
        // Names have no pages to drop: a folder's failed sync is one kind of thing.
        let folder = file == FileKind::Folder && self.kind != FaultKind::Sync;
        self.kind.strikes(act) && self.file.is_none_or(|only| only == file) && !folder
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, file) = (self.kind.name(), self.file.map_or("any", FileKind::name));
        write!(f, "{kind}:{file}:{}:{}", self.at, if self.lasting { "always" } else { "once" })
    }
}

/// A text that is no [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseFaultError(String);

impl fmt::Display for ParseFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no fault (KIND:FILE:AT:once or KIND:FILE:AT:always)", self.0)
    }
}

impl std::error::Error for ParseFaultError {}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseFaultError(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let [kind, file, at, lasting] = parts[..] else { return Err(wrong()) };
        let named = FileKind::ALL.into_iter().find(|known| known.name() == file);
        Ok(Self {
            kind: FaultKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(wrong)?,
            file: if file == "any" { None } else { Some(named.ok_or_else(wrong)?) },
            at: at.parse().map_err(|_| wrong())?,
            lasting: match lasting {
                "once" => false,
                "always" => true,
                _ => return Err(wrong()),
            },
        })
    }
}

/// A fault that waits for its operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    fault: Option<Fault>,
    seen: u64,
    struck: u64,
    /// All operations, by what they do and to which files.
    counts: BTreeMap<(Act, FileKind), u64>,
}

impl Plan {
    /// From now on this fault, counted from here.
    pub(crate) fn set(&mut self, fault: Option<Fault>) {
        *self = Self { fault, ..Self::default() };
    }

    /// The fault.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Operations that the fault could have struck, and those that it did strike.
    pub(crate) const fn counts(&self) -> (u64, u64) {
        (self.seen, self.struck)
    }

    /// Operations since it was set that such a fault could strike.
    pub(crate) fn operations(&self, fault: &Fault) -> u64 {
        self.counts.iter().filter(|((act, file), _)| fault.concerns(*act, *file)).map(|(_, count)| count).sum()
    }

    /// Whether this operation fails, and how.
    pub(crate) fn strike(&mut self, act: Act, file: FileKind) -> Option<FaultKind> {
        *self.counts.entry((act, file)).or_default() += 1;
        let fault = self.fault.filter(|fault| fault.concerns(act, file))?;
        self.seen += 1;
        if self.seen == fault.at || (fault.lasting && self.seen > fault.at) {
            self.struck += 1;
            return Some(fault.kind);
        }
        None
    }

    /// What a write says that was done in half: a real disk says either.
    pub(crate) fn half_error(&self) -> io::Error {
        if self.seen.is_multiple_of(2) { io::ErrorKind::StorageFull.into() } else { failure() }
    }
}

/// What an operation says that fails.
pub(crate) fn error(kind: FaultKind) -> io::Error {
    if kind == FaultKind::Full { io::ErrorKind::StorageFull.into() } else { failure() }
}

/// EIO.
fn failure() -> io::Error {
    io::Error::from_raw_os_error(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for (path, kind) in [
            ("/p0.db", FileKind::Pv),
            ("/.p0.db.new-0123456789abcdef", FileKind::Pv),
            ("/.p0.db.new-0123456789abcdef-journal", FileKind::PvJournal),
            ("/p0.db-journal", FileKind::PvJournal),
            ("/p0.db.d/family.meta", FileKind::Metadata),
            ("/p0.db.d/family.meta-wal", FileKind::MetadataLog),
            ("/p0.db.d/.family.meta.new-0123456789abcdef-wal", FileKind::MetadataLog),
            ("/p0.db.d/pv.lock", FileKind::Host),
            ("/p0.db.d/family.lock", FileKind::Host),
            ("/p0.db.d/reserve", FileKind::Host),
        ] {
            assert_eq!(FileKind::of(path), kind, "{path}");
        }
    }

    #[test]
    fn a_fault_is_written_and_read() {
        for kind in FaultKind::ALL {
            for (file, lasting) in [(None, false), (Some(FileKind::MetadataLog), true)] {
                let fault = Fault { kind, file, at: 17, lasting };
                assert_eq!(fault.to_string().parse(), Ok(fault));
            }
        }
        assert!("read:any:1".parse::<Fault>().is_err() && "read:none:1:once".parse::<Fault>().is_err());
    }

    #[test]
    fn a_fault_strikes_once_or_from_then_on() {
        let struck = |lasting| {
            let mut plan = Plan::default();
            plan.set(Some(Fault { kind: FaultKind::Write, file: Some(FileKind::Pv), at: 2, lasting }));
            let files = [FileKind::Pv, FileKind::Host, FileKind::Pv, FileKind::Pv];
            let struck: Vec<bool> = files.iter().map(|file| plan.strike(Act::Write, *file).is_some()).collect();
            assert!(plan.strike(Act::Read, FileKind::Pv).is_none());
            (struck, plan.counts())
        };
        assert_eq!(struck(false), (vec![false, false, true, false], (3, 1)));
        assert_eq!(struck(true), (vec![false, false, true, true], (3, 2)));
    }
}
