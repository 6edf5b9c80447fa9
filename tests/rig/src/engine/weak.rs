//! The engine with one of its rules switched off: what the rig must find, or it does not look.

use std::path::Path;
use std::sync::Arc;

use lv::{Rule, TestSwitches, VolumeOptions};
use pv::{Env, ExtentStore};

use super::weak_store::WeakStore;
use crate::Disk;

/// Which rule is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weakness {
    /// None.
    #[default]
    None,
    /// A PV commit returns before it is durable (R1, R2): it happens with the next one.
    LazyPv,
    /// A PV commit does not care who owns the family.
    NoPvFence,
    /// One of the engine's own rules is off.
    Without(Rule),
    /// The descriptor names a new volume's metadata copies before they are made (R5).
    NameBeforeFiles,
    /// lvextend returns before the descriptor says so: that happens with the next operation (R5).
    LazyDescriptor,
    /// lvremove gives the extents back before the PVs have forgotten what they held (R5).
    ReleaseBeforeSweep,
    /// vgreduce makes a PV one of no group before the descriptor says so (R5).
    LeaveBeforeDescriptor,
    /// A new PV or metadata volume is named while its name is not durable in its folder (R7).
    UnsyncedNames,
}

/// The engine's own rules by what is done instead.
const RULES: [(&str, Rule); 25] = [
    ("reuse-at-once", Rule::DeferredReuse),
    ("no-catalogue-fence", Rule::CatalogueFence),
    ("blind-takeover", Rule::UnchangedCatalogue),
    ("size-before-data", Rule::SizeWithData),
    ("rename-before-data", Rule::RenameWithData),
    ("split-transactions", Rule::WholeTransactions),
    ("names-later", Rule::NamesInOrder),
    ("holes-before-data", Rule::WholeFiles),
    ("purge-before-place", Rule::WholeMoves),
    ("no-orphans", Rule::Orphans),
    ("pvs-first", Rule::CatalogueFirst),
    ("same-epoch", Rule::NewEpoch),
    ("pv-left-out", Rule::EveryPv),
    ("no-sweep", Rule::Sweep),
    ("one-look", Rule::SecondLook),
    ("go-on", Rule::StopAfterFailure),
    ("first-copy", Rule::AllCopies),
    ("trust-log", Rule::DurableLog),
    ("checkpoint-beside", Rule::HeldCheckpoint),
    ("oldest-copy", Rule::NewestCopy),
    ("unequal-copies", Rule::EqualCopies),
    ("keep-lost-copies", Rule::LostCopies),
    ("blind-host", Rule::HostRoom),
    ("unfinished", Rule::UnfinishedFirst),
    ("no-reserve", Rule::Reserve),
];

impl Weakness {
    /// All, with their names.
    const NAMES: [(&'static str, Self); 8] = [
        ("none", Self::None),
        ("lazy-pv", Self::LazyPv),
        ("no-pv-fence", Self::NoPvFence),
        ("name-before-files", Self::NameBeforeFiles),
        ("lazy-descriptor", Self::LazyDescriptor),
        ("release-before-sweep", Self::ReleaseBeforeSweep),
        ("leave-before-descriptor", Self::LeaveBeforeDescriptor),
        ("unsynced-names", Self::UnsyncedNames),
    ];

    /// The rule of this name switched off.
    pub fn named(name: &str) -> Option<Self> {
        let known = RULES.iter().find(|(known, _)| *known == name).map(|(_, rule)| Self::Without(*rule));
        known.or_else(|| Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, weakness)| *weakness))
    }

    /// What it is called on a command line.
    pub fn name(self) -> &'static str {
        let rule = RULES.iter().find(|(_, rule)| Self::Without(*rule) == self).map(|(name, _)| *name);
        let other = || Self::NAMES.iter().find(|(_, known)| *known == self).map_or("none", |(name, _)| name);
        rule.unwrap_or_else(other)
    }

    /// The store with the rule off, if it is one of stores.
    pub(crate) fn wrap(self, store: Arc<dyn ExtentStore>, env: &Env, path: &Path) -> Arc<dyn ExtentStore> {
        match self {
            Self::LazyPv => Arc::new(WeakStore::lazy(store)),
            Self::NoPvFence => Arc::new(WeakStore::unfenced(store, env, path)),
            _ => store,
        }
    }

    /// What the engine gets from outside, with the rule off if it is one of files.
    pub(super) fn env(self, disk: &Disk) -> Env {
        if self == Self::UnsyncedNames { disk.env_of(&disk.host().without_folder_syncs()) } else { disk.env() }
    }

    /// The options with the rule off, if it is one of the engine's switches.
    pub fn options(self, options: VolumeOptions) -> VolumeOptions {
        let switches = match self {
            Self::Without(rule) => TestSwitches::without(rule),
            _ => TestSwitches::default(),
        };
        VolumeOptions { switches, ..options }
    }
}
