//! Mounts that other mount namespaces have: containers, services with private mounts.

use std::fs;

use anyfs_lvm::fuse::Mounted;

/// A process that still sees a mount which is gone from here.
pub(crate) fn seen_by(mounted: &Mounted) -> Option<u32> {
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| {
        let list = fs::read_to_string(format!("/proc/{pid}/mountinfo"));
        list.is_ok_and(|list| lists(&list, &mounted.device))
    })
}

/// Whether a list of mounts has one with this device number.
fn lists(list: &str, device: &str) -> bool {
    list.lines().any(|line| line.split(' ').nth(2) == Some(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_known_by_its_device_number() {
        let list = "30 1 0:26 / /proc rw - proc proc rw\n61 30 0:98 / /mnt rw,0:97 - fuse.anyfs-lvm v/home rw\n";
        assert!(lists(list, "0:98") && lists(list, "0:26"));
        assert!(!lists(list, "0:9") && !lists(list, "0:97") && !lists("", "0:98"));
    }
}
