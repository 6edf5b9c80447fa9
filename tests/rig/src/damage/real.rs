//! The same damages on real files, read by the real command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lv::Kind as Node;

use super::ground::Ground;
use super::inflict::Damaged;
use super::judge::{Verdict, names};
use super::tree::{Path as Inside, Tree, shown};
use crate::Image;
use crate::prng::Prng;

/// The command and where its pools are written.
#[derive(Debug, Clone)]
pub struct RealCommand {
    /// The program `anyfs-lvm`.
    pub program: PathBuf,
    /// The folder that pools are made in.
    pub dir: PathBuf,
}

/// Files that are read in one trial.
const READ: usize = 3;
/// What stands before a path in what the command prints.
const BEFORE: &[u8] = b"data/home:";

/// What one run of the command said.
struct Said {
    done: bool,
    out: Vec<u8>,
    err: String,
}

impl RealCommand {
    /// Judges a damaged pool by what the command prints of it.
    pub(super) fn judge(
        &self,
        ground: &Ground,
        damaged: &Damaged,
        number: u64,
        rng: &mut Prng,
    ) -> Result<Verdict, String> {
        let folder = self.dir.join(format!("anyfs-lvm-damage-{}-{number}", std::process::id()));
        write(&damaged.image, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let judged = self.read(ground, damaged, &folder, rng);
        // What was judged can be made again.
        let _ = std::fs::remove_dir_all(&folder);
        judged
    }

    fn read(&self, ground: &Ground, damaged: &Damaged, folder: &Path, rng: &mut Prng) -> Result<Verdict, String> {
        let listed = self.run(folder, &["find", "data/home:/", "-print0"])?;
        let mut complaints = listed.err.clone();
        let mut refused = !listed.done && listed.out.is_empty();
        let state = paths(&listed, ground, damaged)?;
        let files: Vec<&Inside> =
            state.nodes.iter().filter(|(_, node)| node.attr.kind == Node::File).map(|(path, _)| path).collect();
        for _ in 0..READ {
            let Some(path) = files.get(rng.index(files.len())) else { break };
            let name = format!("data/home:{}", String::from_utf8_lossy(path));
            let said = self.run(folder, &["cat", &name])?;
            let right = &state.nodes[*path].bytes;
            if !(said.done && said.out == *right || !said.done && right.starts_with(&said.out)) {
                return Err(format!("cat {name}: {} bytes that are not the file's: {}", said.out.len(), said.err));
            }
            if !said.done && !said.err.contains(&shown(path)) && !named(&said.err, ground, damaged) {
                return Err(format!("cat {name}: names no object: {}", said.err));
            }
            refused &= !said.done;
            complaints.push_str(&said.err);
        }
        Ok(match (refused, complaints.is_empty()) {
            _ if !std::ptr::eq(state, &raw const ground.now) => Verdict::Older,
            (true, _) => Verdict::Refused,
            (false, false) => Verdict::Detected,
            (false, true) => Verdict::Harmless,
        })
    }

    fn run(&self, folder: &Path, words: &[&str]) -> Result<Said, String> {
        let mut command = Command::new(&self.program);
        // What the command remembers between runs must not lead it to other pools.
        command.env("ANYFS_LVM_SYSTEM_DIR", folder.join("system")).arg("--pool").arg(folder).args(words);
        let output = command.output().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let Output { status, stdout, stderr } = output;
        let err = String::from_utf8_lossy(&stderr).into_owned();
        if status.code().is_none_or(|code| code > 100) || err.contains("panicked") {
            return Err(format!("{words:?} ended with {status}: {err}"));
        }
        if !status.success() && err.is_empty() {
            return Err(format!("{words:?} failed without a word"));
        }
        Ok(Said { done: status.success(), out: stdout, err })
    }
}

/// Whether a message names what was damaged, or all of a pool that has nothing else.
fn named(err: &str, ground: &Ground, damaged: &Damaged) -> bool {
    names(err, damaged) || (ground.pvs == 1 && (err.contains("\"data\" not found") || err.contains("volume group")))
}

/// The state of the volume that a listing is of.
fn paths<'g>(said: &Said, ground: &'g Ground, damaged: &Damaged) -> Result<&'g Tree, String> {
    let lines = said.out.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let found: BTreeSet<Inside> = lines.map(|line| line.strip_prefix(BEFORE).unwrap_or(line).to_vec()).collect();
    let fits = |tree: &Tree| {
        let known = found.iter().all(|path| tree.nodes.contains_key(path));
        known && (!said.done || found.len() == tree.nodes.len())
    };
    if !said.done && !named(&said.err, ground, damaged) && !found.iter().any(|path| said.err.contains(&shown(path))) {
        return Err(format!("find: names no object: {}", said.err));
    }
    if fits(&ground.now) {
        return Ok(&ground.now);
    }
    let older = ground.acceptable(damaged.older_from).find(|tree| fits(tree));
    older.ok_or_else(|| format!("find: names that are not the volume's, or not all of them: {}", said.err))
}

/// Writes the files of a disk in memory into a folder.
fn write(image: &Image, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, _) in image.list() {
        let path = folder.join(name.trim_start_matches('/'));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, image.file(&name).map(crate::Content::to_vec).unwrap_or_default())?;
    }
    for name in image.folders() {
        std::fs::create_dir_all(folder.join(name.trim_start_matches('/')))?;
    }
    Ok(())
}
