//! The kinds of damage.

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One bit flipped.
    Bit,
    /// Several bits flipped.
    Bits,
    /// 512 bytes to 64 KiB of zeros.
    Zero,
    /// Two sectors or pages of one file swapped.
    Swap,
    /// Two sectors or pages of two files swapped.
    SwapAcross,
    /// An older version of a page.
    Stale,
    /// An older version of several pages.
    StaleSome,
    /// A page written to a wrong place of its file too.
    Misdirect,
    /// A page written to a place in another file too.
    MisdirectAcross,
    /// One byte shorter.
    CutByte,
    /// One page shorter.
    CutPage,
    /// Half as long.
    CutHalf,
    /// Garbage at the end.
    Grow,
    /// A PV or a metadata copy as it was when the pool was closed, earlier.
    OldClosed,
    /// The same, taken while the pool was open, without its log or journal.
    OldOpen,
    /// An older file beside the log or journal of now.
    OldWithLog,
    /// All metadata copies older, the PVs as they are.
    OldMetadata,
    /// All files older, together.
    OldAll,
    /// The log or journal of an earlier moment.
    LogEarlier,
    /// The log or journal of another pool.
    LogForeign,
    /// The log or journal of another file.
    LogOther,
    /// The log or journal deleted.
    LogGone,
    /// A PV or metadata copy of another pool under its name.
    Foreign,
    /// Two PVs under each other's names.
    Swapped,
    /// A PV twice.
    Twice,
    /// A file of zeros.
    Zeros,
    /// A text file.
    Text,
    /// An empty file.
    Empty,
    /// A folder.
    Folder,
    /// Nothing.
    Gone,
}

impl Kind {
    /// All kinds with their names.
    pub const ALL: [(Self, &'static str); 30] = [
        (Self::Bit, "bit"),
        (Self::Bits, "bits"),
        (Self::Zero, "zero"),
        (Self::Swap, "swap"),
        (Self::SwapAcross, "swap-across"),
        (Self::Stale, "stale"),
        (Self::StaleSome, "stale-some"),
        (Self::Misdirect, "misdirect"),
        (Self::MisdirectAcross, "misdirect-across"),
        (Self::CutByte, "cut-byte"),
        (Self::CutPage, "cut-page"),
        (Self::CutHalf, "cut-half"),
        (Self::Grow, "grow"),
        (Self::OldClosed, "old-closed"),
        (Self::OldOpen, "old-open"),
        (Self::OldWithLog, "old-with-log"),
        (Self::OldMetadata, "old-metadata"),
        (Self::OldAll, "old-all"),
        (Self::LogEarlier, "log-earlier"),
        (Self::LogForeign, "log-foreign"),
        (Self::LogOther, "log-other"),
        (Self::LogGone, "log-gone"),
        (Self::Foreign, "foreign"),
        (Self::Swapped, "swapped"),
        (Self::Twice, "twice"),
        (Self::Zeros, "zeros"),
        (Self::Text, "text"),
        (Self::Empty, "empty"),
        (Self::Folder, "folder"),
        (Self::Gone, "gone"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}
