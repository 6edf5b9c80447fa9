//! The command under the name `mount.anyfs-lvm`, as mount(8) calls it for a line of fstab(5), or `mount.fuse.anyfs-lvm`, as it
//! calls it for what is mounted:
//! `mount.anyfs-lvm VG/LV DIR [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]`.

use std::ffi::OsString;

/// Whether a program's name is one of these.
pub(crate) fn is_named(program: &str) -> bool {
    matches!(program, "mount.anyfs-lvm" | "mount.fuse.anyfs-lvm")
}

/// The words for `mount` that those of mount(8) mean; `None` when nothing is to be done (`-f`, which is a trial there).
pub(crate) fn words(given: &[OsString]) -> Option<Vec<OsString>> {
    let mut words = Vec::new();
    let mut rest = given.iter();
    while let Some(word) = rest.next() {
        let letters = word.to_str().and_then(|word| word.strip_prefix('-')).filter(|letters| !letters.is_empty());
        match letters {
            Some("t" | "N") => drop(rest.next()),
            Some("o") => words.extend([word.clone()].into_iter().chain(rest.next().cloned())),
            Some(letters) if letters.chars().all(|letter| "sfnv".contains(letter)) => {
                if letters.contains('f') {
                    return None;
                }
                words.extend(letters.contains('v').then(|| OsString::from("--verbose")));
            }
            _ => words.push(word.clone()),
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<String> {
        let given: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let words = words(&given)?;
        Some(words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_mount_says_is_understood() {
        assert_eq!(said("v/l /mnt -o rw,pool=/p").unwrap(), "v/l /mnt -o rw,pool=/p");
        assert_eq!(said("v/l /mnt -sn -v -t fuse.anyfs-lvm -N 7 -o ro").unwrap(), "v/l /mnt --verbose -o ro");
        assert_eq!(said("v/l /mnt -f -o ro"), None);
    }
}
