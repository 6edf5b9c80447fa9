//! The list of PV files that commands use when neither `--pool` nor `--devices` says where to look.
//!
//! It is a cache: one line `UUID PATH` per PV, and an entry whose file moved is corrected when the PV is seen
//! elsewhere. Losing it loses nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, code};

/// Environment variable that names the system directory, like LVM's `LVM_SYSTEM_DIR`.
const SYSTEM_DIR: &str = "ANYFS_LVM_SYSTEM_DIR";

/// The devices list.
#[derive(Debug)]
pub(crate) struct Devices {
    dir: PathBuf,
}

/// PV files by uuid.
pub(crate) type Listed = BTreeMap<String, PathBuf>;

impl Devices {
    /// The list of the environment.
    pub(crate) fn from_env() -> Result<Self, Failure> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(dir) = set(SYSTEM_DIR) {
            return Ok(Self { dir });
        }
        if rustix::process::geteuid().is_root() {
            return Ok(Self { dir: PathBuf::from("/var/lib/anyfs-lvm") });
        }
        let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
        let dir = state.map(|state| state.join("anyfs-lvm")).ok_or_else(|| Failure {
            code: code::INIT_FAILED,
            lines: vec!["cannot tell where the list of physical volumes is: HOME is not set".to_owned()],
            hint: Some(format!("give --pool DIR, or set {SYSTEM_DIR}")),
        })?;
        Ok(Self { dir })
    }

    fn file(&self) -> PathBuf {
        self.dir.join("devices")
    }

    /// Folder for archived descriptors.
    pub(crate) fn archive(&self) -> PathBuf {
        self.dir.join("archive")
    }

    /// What is listed; nothing when there is no list.
    pub(crate) fn read(&self) -> Result<Listed, Failure> {
        match fs::read(self.file()) {
            Ok(bytes) => Ok(parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Listed::new()),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    /// Changes the list, if `change` does.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Listed)) -> Result<(), Failure> {
        self.locked(|| {
            let before = match fs::read(self.file()) {
                Ok(bytes) => parse(&bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Listed::new(),
                Err(error) => return Err(error),
            };
            let mut after = before.clone();
            change(&mut after);
            if before == after { Ok(()) } else { self.write(&after) }
        })
        .map_err(|error| self.failed("write", &error))
    }

    fn locked(&self, run: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let lock = File::options().create(true).truncate(false).write(true).open(self.dir.join("devices.lock"))?;
        lock.lock()?;
        run()
    }

    fn write(&self, list: &Listed) -> io::Result<()> {
        let temporary = self.dir.join("devices.new");
        let mut file = File::create(&temporary)?;
        for (uuid, path) in list {
            file.write_all(uuid.as_bytes())?;
            file.write_all(b" ")?;
            file.write_all(&escape(path.as_os_str().as_bytes()))?;
            file.write_all(b"\n")?;
        }
        file.sync_all()?;
        fs::rename(temporary, self.file())
    }

    fn failed(&self, what: &str, error: &io::Error) -> Failure {
        let file = self.file();
        let line =
            format!("cannot {what} the list of physical volumes {}: {}", file.display(), crate::files::io_text(error));
        Failure {
            code: code::INIT_FAILED,
            lines: vec![line],
            hint: Some(format!("give --pool DIR, or set {SYSTEM_DIR}")),
        }
    }
}

/// Lines that are no entries are passed over: the list is only a cache.
fn parse(bytes: &[u8]) -> Listed {
    let entry = |line: &[u8]| {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (uuid, path) = line.split_at_checked(space)?;
        let path = unescape(path.get(1..)?);
        let uuid = std::str::from_utf8(uuid).ok()?;
        Path::new(&path).is_absolute().then(|| (uuid.to_owned(), PathBuf::from(path)))
    };
    bytes.split(|byte| *byte == b'\n').filter_map(entry).collect()
}

fn escape(path: &[u8]) -> Vec<u8> {
    path.iter()
        .flat_map(
            |byte| {
                if matches!(byte, b'\n' | b'\\') { std::ascii::escape_default(*byte).collect() } else { vec![*byte] }
            },
        )
        .collect()
}

fn unescape(path: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(byte) = bytes.next() {
        out.push(match (byte, byte == &b'\\') {
            (_, true) => match bytes.next() {
                Some(b'n') => b'\n',
                Some(other) => *other,
                None => b'\\',
            },
            (plain, false) => *plain,
        });
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_survives_odd_names_and_nonsense() {
        let temp = tempfile::tempdir().unwrap();
        let devices = Devices { dir: temp.path().join("state") };
        assert!(devices.read().unwrap().is_empty());
        let odd = PathBuf::from(OsString::from_vec(b"/a b/\xff\n\\x.db".to_vec()));
        devices.update(|list| drop(list.insert("u1".into(), odd.clone()))).unwrap();
        devices.update(|list| drop(list.insert("u2".into(), "/b.db".into()))).unwrap();
        let list = devices.read().unwrap();
        assert_eq!(list.get("u1"), Some(&odd));
        assert_eq!(list.len(), 2);
        fs::write(devices.file(), b"garbage\n\nu3 relative.db\nu4 /c.db\n").unwrap();
        assert_eq!(devices.read().unwrap().into_iter().collect::<Vec<_>>(), [("u4".into(), "/c.db".into())]);
    }
}
