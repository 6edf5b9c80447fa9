//! A pool with a mounted volume for each test.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Longest time anything may take that must end.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Succeeded without a word on standard error.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Failed with this code, and said this.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &str) {
        assert!(self.code == code && self.err.contains(words), "expected {code}, {words:?}: {self:?}");
        assert!(!self.err.contains("os error") && !self.err.contains("panicked"), "{}", self.err);
    }
}

/// Says, past what the test harness keeps to itself, that a test was left out.
pub(crate) fn skipped(why: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = std::io::stderr().write_all(format!("SKIPPED: {name}: {why}\n").as_bytes());
}

/// Whether a program can be run; says so when it cannot.
pub(crate) fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        skipped(&format!("there is no {program}"));
    }
    found
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the test may become another user; says so when it may not.
pub(crate) fn may_change_user() -> bool {
    if !is_root() {
        skipped("only root can act as another user");
    }
    is_root()
}

/// Whether volumes can be mounted here.
pub(crate) fn can_mount() -> bool {
    if fs::File::options().read(true).write(true).open("/dev/fuse").is_err() {
        skipped("/dev/fuse cannot be opened");
        return false;
    }
    is_root() || has("fusermount3")
}

/// Held to write by a test while it has a mount namespace: that keeps the mounts of all other tests, too.
pub(crate) static NAMESPACES: RwLock<()> = RwLock::new(());

/// A folder with a pool in `pool`, a mount point `mnt` and room for more.
#[derive(Debug)]
pub(crate) struct Ground {
    temp: tempfile::TempDir,
}

impl Ground {
    /// A pool of 256 MiB with the volume `v/home` of this size, not mounted; nothing where nothing can be mounted.
    pub(crate) fn unmounted(size: &str) -> Option<Self> {
        if !can_mount() {
            return None;
        }
        let ground = Self { temp: tempfile::tempdir().unwrap() };
        for dir in ["pool", "mnt", "other"] {
            fs::create_dir(ground.temp.path().join(dir)).unwrap();
        }
        // Others are to come in as far as the mount.
        fs::set_permissions(ground.temp.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        ground.run("pvcreate --setphysicalvolumesize 256m pool/a.db").ok();
        ground.run("vgcreate v pool/a.db").ok();
        ground.run(&format!("lvcreate -n home -L {size} v")).ok();
        Some(ground)
    }

    /// The same with a volume of 64 MiB, mounted with these options.
    pub(crate) fn with(options: &str) -> Option<Self> {
        let ground = Self::unmounted("64m")?;
        ground.mount(options);
        Some(ground)
    }

    /// The same without options.
    pub(crate) fn new() -> Option<Self> {
        Self::with("rw")
    }

    pub(crate) fn mount(&self, options: &str) {
        self.run(&format!("mount -o {options} v/home mnt")).ok();
    }

    pub(crate) fn umount(&self) {
        self.run("umount mnt").ok();
    }

    /// Unmounts it, checks all of the volume, and mounts it again.
    pub(crate) fn again(&self, options: &str) {
        self.umount();
        self.check();
        self.mount(options);
    }

    /// Checks every byte of the volume, which must not be mounted.
    pub(crate) fn check(&self) {
        // After a crash something has to use the volume first: a check changes nothing.
        assert_eq!(self.run("df").code, 0);
        let said = self.run("check --data v/home").ok();
        assert!(said.contains("clean"), "{said}");
    }

    /// A path on the mount.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join("mnt").join(name)
    }

    /// A path beside it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anyfs-lvm"));
        command.current_dir(self.temp.path()).env("ANYFS_LVM_SYSTEM_DIR", self.beside("sys")).stdin(Stdio::null());
        command
    }

    /// Runs a command line of `anyfs-lvm`; words are split at blanks.
    pub(crate) fn run(&self, line: &str) -> Ran {
        // What it says of an unmount depends on who else has the mount.
        let _nobody_else =
            line.starts_with("umount").then(|| NAMESPACES.read().unwrap_or_else(PoisonError::into_inner));
        self.run_beside_namespaces(line)
    }

    /// The same by whoever holds [`NAMESPACES`].
    pub(crate) fn run_beside_namespaces(&self, line: &str) -> Ran {
        Ran::of(&self.command().args(line.split_whitespace()).output().unwrap())
    }

    /// Runs a shell's command line on the mount.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        Ran::of(&self.sh(line).output().unwrap())
    }

    /// Starts a command line of `anyfs-lvm` that reads what nobody writes.
    pub(crate) fn start_command(&self, line: &str) -> Started {
        let mut command = self.command();
        command.args(line.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Started(command.spawn().unwrap())
    }

    fn sh(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.at("")).stdin(Stdio::null());
        command.env("LC_ALL", "C").env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", self.beside("other"));
        command
    }

    /// The same as another user, who is in no other group.
    pub(crate) fn shell_as(&self, id: u32, line: &str) -> Ran {
        use std::os::unix::process::CommandExt;
        let script = format!("cd '{}' && {{ {line}\n}}", self.at("").display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).env("LC_ALL", "C").stdin(Stdio::null()).current_dir("/").uid(id).gid(id);
        Ran::of(&command.output().unwrap())
    }

    /// Starts a shell's command line on the mount, with pipes at both ends.
    pub(crate) fn start(&self, line: &str) -> Child {
        self.sh(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a Python script on the mount, with `check(what, fact)` for its facts.
    pub(crate) fn python(&self, script: &str) {
        if !has("python3") {
            return;
        }
        let head = "import os, sys, mmap, fcntl, errno, struct, signal, time\n\
                    def check(what, fact):\n    if not fact: print('failed:', what); sys.exit(1)\n";
        let file = self.beside("script.py");
        fs::write(&file, format!("{head}{script}")).unwrap();
        let ran = self.shell(&format!("python3 '{}'", file.display()));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{script}");
    }

    /// The process that serves the mount.
    pub(crate) fn owner(&self) -> rustix::process::Pid {
        let listed = self.run("mount").ok();
        let here = self.beside("mnt").display().to_string();
        let line = listed.lines().find(|line| line.contains(&here)).unwrap_or_else(|| panic!("{listed}"));
        let number = line.rsplit_once("[process ").and_then(|(_, rest)| rest.strip_suffix(']'));
        rustix::process::Pid::from_raw(number.unwrap_or_else(|| panic!("{line}")).parse().unwrap()).unwrap()
    }

    /// Whether something is mounted.
    pub(crate) fn is_mounted(&self) -> bool {
        let here = format!(" {} ", self.beside("mnt").display());
        fs::read_to_string("/proc/self/mountinfo").unwrap().lines().any(|line| line.contains(&here))
    }
}

/// A command that ends with the test.
#[derive(Debug)]
pub(crate) struct Started(pub(crate) Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // A test that failed may have left anything behind.
        while self.is_mounted() {
            if self.run("umount -l mnt").code != 0 {
                break;
            }
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < LONG, "never came about: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The letter that stands for what a process does, if it is there.
pub(crate) fn state(pid: rustix::process::Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process is there that has not ended, with all of its threads: what it holds it has until then.
pub(crate) fn is_alive(pid: rustix::process::Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).map_or(0, Iterator::count);
    state(pid).is_some_and(|state| state != 'Z' || threads > 1)
}

/// The number of an error, by its name in errno(3).
#[track_caller]
pub(crate) fn errno<T: std::fmt::Debug>(result: Result<T, rustix::io::Errno>) -> rustix::io::Errno {
    result.unwrap_err()
}

/// Names in a folder, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    all.sort_unstable();
    all
}
