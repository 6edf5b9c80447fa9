//! The `anyfs-lvm` command.
fn main() {}
