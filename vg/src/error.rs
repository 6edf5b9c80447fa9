//! What can go wrong with a volume group.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pv::{Holder, PvError, PvUuid, Seqno, hint_of};

use crate::{AllocError, CodecError, Fault, LvName, NameError, VgName};

/// Result of this crate.
pub type Result<T, E = VgError> = std::result::Result<T, E>;

/// What went wrong, with the objects it concerns. LVM's words where LVM has any.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VgError {
    /// A PV failed.
    #[error(transparent)]
    Pv(#[from] PvError),
    /// A text that is not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A file operation outside SQLite failed.
    #[error("{}: cannot {operation}", path.display())]
    Host {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// An LV is removed, and what it had could not be given back yet.
    #[error("{vg}/{lv} is removed, but the room that it took could not be given back")]
    Unreleased {
        /// The VG.
        vg: VgName,
        /// The LV.
        lv: LvName,
        /// Why not.
        source: Box<VgError>,
    },
    /// The operating system gave no random bytes.
    #[error("cannot choose a random number")]
    Random(#[source] io::Error),
    /// A stored descriptor cannot be read.
    #[error("{}: the copy of the volume group's descriptor cannot be used: {source}", path.display())]
    Stored {
        /// The PV.
        path: PathBuf,
        /// Why.
        source: CodecError,
    },
    /// The descriptor that a change would make cannot be stored.
    #[error("volume group \"{vg}\" cannot be changed so: {source}")]
    Unstorable {
        /// The VG.
        vg: VgName,
        /// Why.
        source: CodecError,
    },
    /// No VG of that name.
    #[error("Volume group \"{0}\" not found")]
    NotFound(String),
    /// No VG at all.
    #[error("{}: no volume group found", .0.display())]
    NoGroup(PathBuf),
    /// No VG was found, and not all files could be used.
    #[error("{}; a file that may be one of its physical volumes cannot be used", absent(vg.as_ref()))]
    Unusable {
        /// The VG, when its name is known.
        vg: Option<String>,
        /// Why, with the file.
        #[source]
        error: Arc<PvError>,
    },
    /// Several VGs, and none was named.
    #[error("several volume groups found ({0}); name one")]
    Ambiguous(String),
    /// No PV with that path in the VG.
    #[error("Failed to find physical volume \"{}\".", .0.display())]
    PvNotFound(PathBuf),
    /// No LV of that name.
    #[error("Failed to find logical volume \"{vg}/{lv}\"")]
    LvNotFound {
        /// The VG.
        vg: VgName,
        /// The name.
        lv: String,
    },
    /// The VG's name is taken.
    #[error("A volume group called {0} already exists.")]
    VgExists(VgName),
    /// The LV is active.
    #[error("Logical volume {vg}/{lv} in use by {owner}.")]
    LvInUse {
        /// The VG.
        vg: VgName,
        /// The LV.
        lv: LvName,
        /// Who has it.
        owner: Holder,
    },
    /// The LV's name is taken.
    #[error("Logical Volume \"{lv}\" already exists in volume group \"{vg}\"")]
    LvExists {
        /// The VG.
        vg: VgName,
        /// The name.
        lv: LvName,
    },
    /// The PV belongs to a VG.
    #[error("Physical volume '{}' is already in volume group '{vg}'", path.display())]
    AlreadyMember {
        /// The PV.
        path: PathBuf,
        /// Its VG.
        vg: String,
    },
    /// A PV has extents or metadata copies of LVs.
    #[error("Physical volume \"{}\" still in use", .0.display())]
    PvInUse(PathBuf),
    /// The VG would have no PV.
    #[error("Can't remove final physical volume \"{}\" from volume group \"{vg}\"", path.display())]
    FinalPv {
        /// The PV.
        path: PathBuf,
        /// The VG.
        vg: VgName,
    },
    /// A PV too small for one extent.
    #[error("{}: too small for one extent of the volume group", .0.display())]
    TooSmall(PathBuf),
    /// The VG has LVs.
    #[error("Volume group \"{vg}\" still contains {lvs} logical volume(s)")]
    LvsRemain {
        /// The VG.
        vg: VgName,
        /// How many.
        lvs: usize,
    },
    /// The VG is exported.
    #[error("Volume group {0} is exported")]
    Exported(VgName),
    /// PVs may be neither added nor removed.
    #[error("Volume group {0} is not resizeable.")]
    NotResizeable(VgName),
    /// PVs are missing.
    #[error("Cannot change VG {vg} while PVs are missing.")]
    MissingPvs {
        /// The VG.
        vg: VgName,
        /// For those that are not lost, as for [`VgError::NotLost`].
        there: Vec<String>,
    },
    /// PVs are there, or may be, and cannot be used: they are not given up.
    #[error("Cannot give up PVs of VG {vg} that are not lost: {}", why.join("; "))]
    NotLost {
        /// The VG.
        vg: VgName,
        /// For each of them its file, or a file that may be it, and why it is not used.
        why: Vec<String>,
    },
    /// Too few copies of the descriptor can be reached.
    #[error("volume group \"{vg}\" cannot be changed: {reachable} of {holders} copies of its descriptor can be used")]
    NoMajority {
        /// The VG.
        vg: VgName,
        /// Copies that can be used.
        reachable: usize,
        /// Copies there are.
        holders: usize,
        /// PVs that are there and could not be written.
        refusing: usize,
    },
    /// Two copies went different ways.
    #[error("{} and {}: volume group \"{vg}\" was changed in two different ways", first.display(), second.display())]
    Forked {
        /// The VG.
        vg: String,
        /// A PV with one history.
        first: PathBuf,
        /// A PV with the other.
        second: PathBuf,
    },
    /// A change that reached too few copies: it may or may not come to stand.
    #[error("volume group \"{vg}\": the change reached only {written} of {holders} copies of the descriptor")]
    Unacknowledged {
        /// The VG.
        vg: VgName,
        /// Copies written.
        written: usize,
        /// Copies there are.
        holders: usize,
    },
    /// The newest change was interrupted and must be completed first.
    #[error("volume group \"{vg}\": an interrupted change (generation {seqno}) must be completed first")]
    Unsettled {
        /// The VG.
        vg: VgName,
        /// Its generation.
        seqno: Seqno,
    },
    /// Others keep changing the VG.
    #[error("volume group \"{0}\" is being changed by another process")]
    Busy(VgName),
    /// Another process changes the VG, and is not waited for.
    #[error("volume group \"{vg}\" is being changed by {holder}")]
    Held {
        /// The VG.
        vg: VgName,
        /// The process.
        holder: Holder,
    },
    /// A lock of another VG.
    #[error("volume group \"{0}\" is not locked by this change")]
    NotLocked(VgName),
    /// Too few free extents in the VG.
    #[error("Volume group \"{vg}\" has insufficient free space ({free} extents): {needed} required.")]
    InsufficientFree {
        /// The VG.
        vg: VgName,
        /// Free extents.
        free: u64,
        /// Extents asked for.
        needed: u64,
    },
    /// Free extents, but not where they are needed.
    #[error("Insufficient suitable allocatable extents for logical volume {lv}: {more} more required")]
    Unsuitable {
        /// The LV.
        lv: LvName,
        /// Extents without a place.
        more: u64,
    },
    /// The allocator refused otherwise.
    #[error(transparent)]
    Alloc(AllocError),
    /// An extension that does not extend.
    #[error("New size given ({new} extents) not larger than existing size ({old} extents)")]
    NotLarger {
        /// Extents asked for.
        new: u32,
        /// Extents there are.
        old: u32,
    },
    /// The last metadata copy of an LV, or one that is not there.
    #[error("logical volume {vg}/{lv}: {what}")]
    Copies {
        /// The VG.
        vg: VgName,
        /// The LV.
        lv: LvName,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// Two files claim to be one PV.
    #[error("{} and {} are both physical volume {uuid}", first.display(), second.display())]
    Duplicate {
        /// The PV.
        uuid: PvUuid,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A PV listed twice in one command, perhaps under two names.
    #[error("{} and {} are one file", first.display(), second.display())]
    SameFile {
        /// One name.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// What the caller's part of a change reported.
    #[error("logical volume {lv}: its metadata volume cannot be made or removed")]
    Hook {
        /// The LV.
        lv: LvName,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// That there is no VG.
fn absent(vg: Option<&String>) -> String {
    vg.map_or_else(|| "no volume group found".to_owned(), |vg| VgError::NotFound(vg.clone()).to_string())
}

impl VgError {
    /// What to do next, for people.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoMajority { refusing, .. } if *refusing > 0 => {
                "make the physical volumes' files writable for this user: one that is there could not be written"
                    .to_owned()
            }
            Self::NoMajority { vg, .. } => format!(
                "bring the missing PVs back, or give them up with: anyfs-lvm vgreduce --removemissing --force {vg}"
            ),
            Self::MissingPvs { there, .. } if there.is_empty() => {
                "See vgreduce --removemissing and vgextend --restoremissing.".to_owned()
            }
            Self::MissingPvs { there, .. } => format!("they are not lost: {}", there.join("; ")),
            Self::NotLost { .. } => {
                "make these files usable again; what is lost for good is given up once its file is moved away"
                    .to_owned()
            }
            Self::Unacknowledged { .. } | Self::Unsettled { .. } => {
                "run the command again when all PVs can be written: it completes the change or makes it anew".to_owned()
            }
            Self::Forked { .. } => "move the PVs of one of the two histories away".to_owned(),
            Self::LvInUse { owner, .. } if owner.is_stopped() => "continue or end that process first".to_owned(),
            Self::LvInUse { .. } => "close it in that process first".to_owned(),
            Self::PvInUse(_) => {
                "lvs -o+devices shows whose extents it holds; remove these logical volumes first".to_owned()
            }
            Self::Duplicate { .. } => "move one of the two files away; a copy needs a uuid of its own".to_owned(),
            Self::LvsRemain { .. } => "remove them first with: anyfs-lvm lvremove".to_owned(),
            Self::InsufficientFree { vg, .. } => format!("add a PV with: anyfs-lvm vgextend {vg} PV"),
            Self::Ambiguous(_) => "name the volume group, or give the path of one of its PVs".to_owned(),
            Self::Pv(error) => error.hint()?.to_owned(),
            Self::Unusable { error, .. } => error.hint()?.to_owned(),
            Self::Held { holder, .. } if holder.is_stopped() => "continue or kill that process first".to_owned(),
            Self::Busy(_) | Self::Held { .. } => "try again when the other command has ended".to_owned(),
            Self::Host { source, .. } => hint_of(source)?.to_owned(),
            Self::Unreleased { vg, source, .. } if matches!(**source, Self::Pv(PvError::NoSpace { .. })) => {
                format!("make some room on the host; the next lvcreate or lvextend in {vg} gives it back")
            }
            Self::Unreleased { source, .. } => return source.hint(),
            Self::Hook { source, .. } => source.downcast_ref::<PvError>()?.hint()?.to_owned(),
            _ => return None,
        };
        Some(text)
    }

    pub(crate) fn invalid(vg: &VgName, fault: Fault) -> Self {
        Self::Unstorable { vg: vg.clone(), source: CodecError::Invalid(fault) }
    }
}
