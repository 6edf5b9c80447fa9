//! An LVM-style volume manager whose disks are SQLite files.
