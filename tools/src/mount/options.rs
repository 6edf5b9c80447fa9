//! The words behind `-o`, as mount(8) spells them.

use std::path::PathBuf;

use anyfs_lvm::fuse::{LockPlace, MountOptions};
use anyfs_lvm::lv::AccessTime;

use crate::failure::{Done, Failure, code};

/// Words that mean something to others: mount(8), systemd, libfuse.
const OTHERS: [&str; 21] = [
    "auto",
    "noauto",
    "nofail",
    "fail",
    "_netdev",
    "user",
    "nouser",
    "users",
    "nousers",
    "owner",
    "noowner",
    "group",
    "nogroup",
    "diratime",
    "nodiratime",
    "default_permissions",
    "big_writes",
    "nonempty",
    "lazytime",
    "nolazytime",
    "silent",
];
/// Such words with something behind them.
const OTHERS_BEGIN: [&str; 8] =
    ["x-", "X-", "comment=", "subtype=", "max_read=", "rootcontext=", "user_id=", "group_id="];

/// What the words ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) mount: MountOptions,
    /// Only these of the kernel's own options change of what is mounted.
    pub(crate) remount: bool,
    /// The folder of the pool, for fstab(5).
    pub(crate) pool: Option<PathBuf>,
}

/// Reads words with commas between them; later ones win.
pub(crate) fn read(lists: &[String], source: &str) -> Done<Wanted> {
    let mount = MountOptions { source: source.to_owned(), ..MountOptions::default() };
    let mut wanted = Wanted { mount, remount: false, pool: None };
    for word in lists.iter().flat_map(|list| list.split(',')).filter(|word| !word.is_empty()) {
        let known = switch(&mut wanted.mount, word) || value(&mut wanted, word)?;
        let others = || OTHERS.contains(&word) || OTHERS_BEGIN.iter().any(|start| word.starts_with(start));
        if !known && !others() {
            return Err(unknown(word));
        }
    }
    Ok(wanted)
}

/// A word that stands alone; `false` when it is none of these.
fn switch(mount: &mut MountOptions, word: &str) -> bool {
    match word {
        "ro" => mount.read_only = true,
        "rw" => mount.read_only = false,
        "noatime" => mount.access_time = AccessTime::Never,
        "relatime" | "atime" | "nostrictatime" => mount.access_time = AccessTime::Relative,
        "strictatime" | "norelatime" => mount.access_time = AccessTime::Always,
        "allow_other" => mount.allow_other = true,
        "dev" => mount.devices = true,
        "nodev" => mount.devices = false,
        "suid" => mount.set_id = true,
        "nosuid" => mount.set_id = false,
        "exec" => mount.programs = true,
        "noexec" => mount.programs = false,
        "sync" => mount.sync = true,
        "async" => mount.sync = false,
        "writeback_cache" => mount.writeback = true,
        "no_writeback_cache" => mount.writeback = false,
        "defaults" => {
            let root = rustix::process::geteuid().is_root();
            (mount.read_only, mount.programs, mount.sync) = (false, true, false);
            // Only root may let these work.
            (mount.devices, mount.set_id) = (root, root);
        }
        _ => return false,
    }
    true
}

/// A word with a value, or about more than the mount; `false` when it is none of these.
fn value(wanted: &mut Wanted, word: &str) -> Done<bool> {
    if word == "remount" {
        wanted.remount = true;
        return Ok(true);
    }
    let Some((name, value)) = word.split_once('=') else { return Ok(false) };
    let mount = &mut wanted.mount;
    match name {
        "uid" => mount.uid = Some(number(word, value, 10)?),
        "gid" => mount.gid = Some(number(word, value, 10)?),
        "umask" => mount.umask = Some(number(word, value, 8)? & 0o777),
        "fsname" => value.clone_into(&mut mount.source),
        "pool" => wanted.pool = Some(PathBuf::from(value)),
        "threads" => mount.threads = usize::try_from(number(word, value, 10)?.clamp(2, 256)).unwrap_or(2),
        "locks" => {
            mount.locks = match value {
                "kernel" => LockPlace::Kernel,
                "volume" => LockPlace::Volume,
                _ => return Err(bad(word, "it is kernel or volume")),
            };
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn number(word: &str, value: &str, radix: u32) -> Done<u32> {
    let kind = if radix == 8 { "an octal number" } else { "a number" };
    u32::from_str_radix(value, radix).map_err(|_| bad(word, &format!("it takes {kind}")))
}

fn bad(word: &str, why: &str) -> Failure {
    Failure { code: code::USAGE, lines: vec![format!("Invalid mount option \"{word}\": {why}.")], hint: None }
}

fn unknown(word: &str) -> Failure {
    let failure = Failure { code: code::USAGE, lines: vec![format!("Unknown mount option \"{word}\".")], hint: None };
    failure.hint("anyfs-lvm help mount lists them")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(words: &str) -> MountOptions {
        read(&[words.to_owned()], "tank/home").unwrap().mount
    }

    #[test]
    fn words_are_those_of_mount_and_the_last_one_wins() {
        let plain = MountOptions { source: "tank/home".into(), ..MountOptions::default() };
        assert_eq!(mount(""), plain);
        assert_eq!(
            mount("ro,noatime"),
            MountOptions { read_only: true, access_time: AccessTime::Never, ..plain.clone() }
        );
        assert_eq!(mount("ro,rw,strictatime,relatime"), plain);
        let shown = MountOptions { uid: Some(7), gid: Some(8), umask: Some(0o27), ..plain.clone() };
        assert_eq!(mount("uid=7,gid=8,umask=027"), shown);
        let set = MountOptions { devices: true, set_id: true, programs: false, sync: true, ..plain.clone() };
        assert_eq!(mount("dev,suid,noexec,sync"), set);
        assert_eq!(mount("sync,async"), plain);
        assert!(mount("async,sync").sync);
        let own = MountOptions { writeback: false, locks: LockPlace::Volume, threads: 3, ..plain.clone() };
        assert_eq!(mount("no_writeback_cache,locks=volume,threads=3"), own);
        assert_eq!(mount("allow_other,fsname=x").source, "x");
    }

    #[test]
    fn words_for_others_are_taken() {
        let words = "auto,nofail,_netdev,x-systemd.automount,default_permissions,user,nonempty";
        assert_eq!(mount(words), mount(""));
        assert_eq!(read(&["pool=/srv/a b".to_owned()], "v/l").unwrap().pool, Some("/srv/a b".into()));
        let again = read(&["rw,relatime,user_id=0,group_id=0,remount,ro".to_owned()], "v/l").unwrap();
        assert!(again.remount && again.mount.read_only);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (word, line) in [
            ("wow", "Unknown mount option \"wow\"."),
            ("uid=me", "Invalid mount option \"uid=me\": it takes a number."),
            ("umask=9", "Invalid mount option \"umask=9\": it takes an octal number."),
            ("locks=no", "Invalid mount option \"locks=no\": it is kernel or volume."),
        ] {
            let failure = read(&[word.to_owned()], "v/l").unwrap_err();
            assert_eq!((failure.code, failure.lines), (code::USAGE, vec![line.to_owned()]));
        }
    }
}
