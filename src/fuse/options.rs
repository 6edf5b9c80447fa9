//! How a volume is mounted.

use lv::AccessTime;

/// Who keeps the locks that programs take on bytes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockPlace {
    /// The kernel, as for a local filesystem: exact, and no request for each.
    #[default]
    Kernel,
    /// The volume: users of the library in this process meet them. Locks of open file descriptions (`F_OFD_SETLK`) are
    /// then not given back when they are closed, because FUSE does not say so.
    Volume,
}

/// Settings of a mount.
///
/// The kernel checks permissions with the modes, owners and access control lists of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent option of mount(8)")]
pub struct MountOptions {
    /// What the list of mounts calls the volume. Default `anyfs-lvm`.
    pub source: String,
    /// Refuse every change, as for a volume that is only read. Default no.
    pub read_only: bool,
    /// When a read changes the time of the last access. Default [`AccessTime::Relative`].
    pub access_time: AccessTime,
    /// Let other users in, not only who mounts. Default no.
    pub allow_other: bool,
    /// Owner that every file is shown with. Default its own.
    pub uid: Option<u32>,
    /// Group that every file is shown with. Default its own.
    pub gid: Option<u32>,
    /// Permission bits that no file is shown with, all others it is. Default its own.
    pub umask: Option<u32>,
    /// Device files work. Default no.
    pub devices: bool,
    /// Set-user-id and set-group-id bits work. Default no.
    pub set_id: bool,
    /// Programs can be run. Default yes.
    pub programs: bool,
    /// Every write is durable before it returns. Default no.
    pub sync: bool,
    /// Writes are collected in the kernel's cache: much faster, but a full volume is told by `close` and `fsync` instead of
    /// `write`. Default yes.
    pub writeback: bool,
    /// Who keeps locks of bytes. Default the kernel.
    pub locks: LockPlace,
    /// Threads that serve requests; at least 2. Default 8.
    pub threads: usize,
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            source: "anyfs-lvm".to_owned(),
            read_only: false,
            access_time: AccessTime::Relative,
            allow_other: false,
            uid: None,
            gid: None,
            umask: None,
            devices: false,
            set_id: false,
            programs: true,
            sync: false,
            writeback: true,
            locks: LockPlace::Kernel,
            threads: 8,
        }
    }
}

impl MountOptions {
    /// The rule for access times that is in force: what may not be changed is not changed by reads.
    pub(super) fn access_rule(&self) -> AccessTime {
        if self.read_only { AccessTime::Never } else { self.access_time }
    }
}
