//! A folder of its own for each test, with its own system directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Succeeded without a word on standard error.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Failed with this code and these lines, after which only a hint may follow.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, lines: &str) {
        assert_eq!(self.code, code, "{self:?}");
        let rest = self.err.strip_prefix(lines).unwrap_or_else(|| panic!("expected:\n{lines}\ngot:\n{}", self.err));
        assert!(rest.is_empty() || rest.starts_with("  hint: ") && rest.lines().count() == 1, "{}", self.err);
        assert!(!self.err.contains("os error") && !self.err.to_lowercase().contains("panicked"), "{}", self.err);
    }

    /// Refused: the command line makes no sense, and the first words say why.
    #[track_caller]
    pub(crate) fn refused(&self, first: &str) {
        assert_eq!((self.code, self.out.as_str()), (3, ""), "{self:?}");
        assert!(self.err.starts_with(first), "expected:\n{first}\ngot:\n{}", self.err);
    }
}

/// A place for one test.
#[derive(Debug)]
pub(crate) struct Place {
    temp: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap() }
    }

    /// A pool `vg0` of two PVs of 8 MiB with the volume `home` of 4 MiB.
    pub(crate) fn with_home() -> Self {
        let place = Self::new();
        place.run("pvcreate --setphysicalvolumesize 8m a.db b.db").ok();
        place.run("vgcreate vg0 a.db b.db").ok();
        place.run("lvcreate -n home -L 4m vg0").ok();
        place
    }

    pub(crate) fn dir(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anyfs-lvm"));
        command.current_dir(self.temp.path()).env("ANYFS_LVM_SYSTEM_DIR", self.path("sys")).stdin(Stdio::null());
        command
    }

    /// Runs a command line; words are split at blanks.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn words(&self, words: &[&str]) -> Ran {
        let output = self.command().args(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(self.dir().to_str().unwrap(), "DIR");
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command line with this input.
    pub(crate) fn input(&self, line: &str, input: &[u8]) -> Ran {
        let mut child = self.start(line);
        // A command that refuses does not read what it is given.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts a command line with pipes at both ends.
    pub(crate) fn start(&self, line: &str) -> Child {
        let mut command = self.command();
        command.args(line.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Every file of the place with its contents, lock files apart.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut open = vec![self.temp.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_none_or(|end| end != "lock") {
                    all.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        all
    }

    /// Runs a command that must not change anything.
    #[track_caller]
    pub(crate) fn ensure_untouched(&self, line: &str) -> Ran {
        let before = self.contents();
        let ran = self.run(line);
        assert!(before == self.contents(), "{line} changed a file");
        ran
    }
}
