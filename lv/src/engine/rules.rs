//! The rules that no acknowledged byte is lost by, each of which a test can break.
//!
//! A tester that was never seen to fail proves nothing. So for each of these rules a test of the crash rig switches it
//! off and asserts that the rig finds the loss. Outside of that rig nobody sets a switch.

/// A rule of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
#[non_exhaustive]
pub enum Rule {
    /// A freed extent is not reused before the commit that freed it has returned.
    DeferredReuse,
    /// A catalogue commit of a former owner is refused.
    CatalogueFence,
    /// An activation begins anew when a former owner commits after it has read the catalogue.
    UnchangedCatalogue,
    /// A commit takes a file's size only together with the data.
    SizeWithData,
    /// A commit takes a rename over a file only together with the new file's data.
    RenameWithData,
    /// A commit takes all of a transaction, its data included.
    WholeTransactions,
    /// A commit takes all changes of names up to its moment.
    NamesInOrder,
    /// A commit takes all of what has changed in a file, or none of it.
    WholeFiles,
    /// What moves leaves its old place in the commit that names the new one.
    WholeMoves,
    /// What nothing leads to any more is taken apart after an activation.
    Orphans,
    /// An activation raises the epoch in the catalogue before it does so on the PVs.
    CatalogueFirst,
    /// Each activation has an epoch of its own, in which flushes are counted anew.
    NewEpoch,
    /// An activation takes every PV that is there, also one that was away.
    EveryPv,
    /// Extents that were written and not committed are deleted before anything new is written.
    Sweep,
    /// A read looks again where its bytes are when it did not find them.
    SecondLook,
    /// After a failure with an unknown outcome nothing more is promised until the volume is opened again.
    StopAfterFailure,
    /// A commit that found no room is finished before there is another.
    UnfinishedFirst,
    /// A commit is acknowledged when all copies of the catalogue have it.
    AllCopies,
    /// What a log holds at activation counts once it is in its file.
    DurableLog,
    /// Only a checkpoint that no commit runs beside says what a file has of its log.
    HeldCheckpoint,
    /// Of several copies of the catalogue the newest counts.
    NewestCopy,
    /// A copy of the catalogue that missed a commit is made equal before it counts.
    EqualCopies,
    /// A copy that cannot be read is given up, durably, before the first commit without it.
    LostCopies,
    /// A change is accepted only when the hosts have room for it.
    HostRoom,
    /// Some of each host is kept for deleting, closing and opening.
    Reserve,
}

/// At most one rule, switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(hidden)]
pub struct TestSwitches {
    off: Option<Rule>,
}

impl TestSwitches {
    /// All rules are kept.
    pub const NONE: Self = Self { off: None };

    /// Everything but this rule.
    pub const fn without(rule: Rule) -> Self {
        Self { off: Some(rule) }
    }

    /// Whether the rule is kept.
    pub(crate) fn keep(self, rule: Rule) -> bool {
        self.off != Some(rule)
    }
}
