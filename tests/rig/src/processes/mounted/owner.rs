//! The `anyfs-lvm` command, and the process that serves a mount.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The command, for the pool in a folder.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub(super) dir: PathBuf,
    pub(super) command: PathBuf,
}

impl Tool {
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.command);
        command.current_dir(&self.dir).args(line.split_whitespace()).stdin(Stdio::null());
        command.env("ANYFS_LVM_SYSTEM_DIR", self.dir.join("sys"));
        command
    }

    /// Runs a command line, which must succeed; what it said.
    pub(super) fn run(&self, line: &str) -> Result<String, String> {
        let output = self.command(line).output().map_err(|error| format!("{line}: {error}"))?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(said(&output.stdout));
        }
        Err(format!("{line}: {}{}", said(&output.stdout), said(&output.stderr)))
    }
}

/// A process that serves a mount. It is killed, and the mount taken away, when this is dropped.
#[derive(Debug)]
pub(super) struct Owner {
    tool: Tool,
    child: Child,
    away: bool,
}

impl Owner {
    /// Mounts the volume.
    pub(super) fn new(tool: &Tool, options: &str) -> Result<Self, String> {
        let mut command = tool.command(&format!("mount -f -o {options} v/home mnt"));
        let child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("mount: {error}"))?;
        let mut owner = Self { tool: tool.clone(), child, away: false };
        let mut line = String::new();
        let out = owner.child.stdout.as_mut().ok_or("mount: no output")?;
        BufReader::new(out).read_line(&mut line).map_err(|error| format!("mount: {error}"))?;
        if line.contains("is mounted on") { Ok(owner) } else { Err(format!("mount -o {options}: {line}")) }
    }

    /// Ends the process as nothing can be prepared for.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Takes the mount away; `well`: its process was not killed, and ends with exit code 0.
    pub(super) fn away(mut self, well: bool) -> Result<(), String> {
        if !well {
            self.child.wait().map_err(|error| error.to_string())?;
        }
        self.tool.run("umount mnt")?;
        self.away = true;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if well && !status.success() { Err(format!("the process that served the mount: {status}")) } else { Ok(()) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !self.away {
            let _ = self.child.kill();
            let _ = self.child.wait();
            let _ = self.tool.run("umount -l mnt");
        }
    }
}
