//! Going on with a damaged pool: what was right stays right, what is written is there.

use std::collections::BTreeSet;
use std::path::Path as HostPath;

use lv::{Ino, Kind, LvError, NewNode, Rename, Volume};

use super::ground::{open, options};
use super::judge::told;
use super::tree::{Part, Path, Tree, above, join, shown};
use crate::Disk;
use crate::prng::Prng;

/// What going on has changed.
#[derive(Debug, Default)]
struct Changes {
    /// Files with their new contents, or none.
    files: Vec<(Path, Option<Vec<u8>>)>,
    /// Paths whose attributes or existence are no longer known.
    touched: BTreeSet<Path>,
}

impl Changes {
    fn touch(&mut self, path: &[u8]) {
        self.touched.insert(path.to_vec());
        self.touched.insert(above(path).to_vec());
    }
}

/// What is worse after going on.
#[derive(Debug, Default)]
pub(super) struct Worse {
    /// Errors for what was right before.
    pub(super) told: Vec<String>,
    /// Things that are not right and not an error.
    pub(super) silent: usize,
    /// All of it in words.
    pub(super) text: String,
}

/// Things that are worse: each with the error that says so, if one does.
type Wrongs = Vec<(String, Option<String>)>;

impl Worse {
    fn of(wrong: Wrongs) -> Self {
        let silent = wrong.iter().filter(|(_, error)| error.is_none()).count();
        let (texts, errors): (Vec<String>, Vec<Option<String>>) = wrong.into_iter().unzip();
        Self { told: errors.into_iter().flatten().collect(), silent, text: told(&texts) }
    }
}

/// Writes, syncs, opens again and compares with what was `found` before.
pub(super) fn go_on(found: &Tree, disk: &Disk, volume: Volume, rng: &mut Prng) -> Result<(), Worse> {
    let mut changes = Changes::default();
    let written = write(found, &volume, &mut changes, rng).and_then(|()| volume.sync());
    let done = written.is_ok();
    if rng.one_in(2) {
        // What cannot be settled is told; it is judged by what the next activation finds.
        let _ = volume.close();
    } else {
        volume.abandon();
    }
    let volume = match open(&disk.env(), HostPath::new("/"), options()).volume {
        Ok(volume) => volume,
        // Damage that was not met before may be met now.
        Err(_) if !done || !found.troubles.is_empty() => return Ok(()),
        Err(error) => return Err(Worse::of(vec![(format!("cannot be opened again: {error}"), Some(error))])),
    };
    let again = Tree::read(&volume);
    volume.abandon();
    let mut wrong = Wrongs::new();
    still_right(found, &again, &changes, &mut wrong);
    if done {
        for (path, bytes) in &changes.files {
            let have = again.nodes.get(path);
            let own = [Part::Attr, Part::Bytes].into_iter().any(|part| again.troubled(path, part));
            let hidden = own || [Part::Attr, Part::List].into_iter().any(|part| again.troubled(above(path), part));
            if have.map(|node| &node.bytes) != bytes.as_ref() && !hidden {
                wrong.push((format!("{} is not what was written and synced", shown(path)), None));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Worse::of(wrong)) }
}

/// Everything that was right and was not touched.
fn still_right(found: &Tree, again: &Tree, changes: &Changes, wrong: &mut Wrongs) {
    for (path, node) in found.nodes.iter().filter(|(path, _)| !changes.touched.contains(*path)) {
        let Some(have) = again.nodes.get(path) else {
            let part = if again.troubled(path, Part::Attr) { (path.clone(), Part::Attr) } else { listing(path) };
            let hidden = !again.nodes.contains_key(above(path)) && above(path) != b"/";
            if !found.troubled(above(path), Part::List) && !hidden {
                wrong.push(worse(again, &part, "is gone"));
            }
            continue;
        };
        for (part, same) in [
            (Part::Attr, have.attr == node.attr),
            (Part::Bytes, have.bytes == node.bytes),
            (Part::Xattrs, have.xattrs == node.xattrs),
        ] {
            if !same && !found.troubled(path, part) {
                wrong.push(worse(again, &(path.clone(), part), "was right before"));
            }
        }
    }
}

/// The listing that a path is in.
fn listing(path: &[u8]) -> (Path, Part) {
    (above(path).to_vec(), Part::List)
}

fn worse(again: &Tree, part: &(Path, Part), how: &str) -> (String, Option<String>) {
    let error = again.troubles.get(part).map(|error| error.text.clone());
    (format!("{}: {:?} {how} {}", shown(&part.0), part.1, error.as_deref().unwrap_or("")), error)
}

/// Some work. A failure ends it.
fn write(found: &Tree, volume: &Volume, changes: &mut Changes, rng: &mut Prng) -> Result<(), LvError> {
    let mut bytes = vec![0; 40_000];
    rng.fill(&mut bytes);
    changes.touch(b"/after");
    let dir = volume.mkdir(Ino::ROOT, b"after", &NewNode::directory(0o755))?.ino;
    for (name, len) in [("tiny", 100), ("page", 4096), ("large", 40_000)] {
        let path = join(b"/after", name.as_bytes());
        changes.touch(&path);
        let ino = volume.create(dir, name.as_bytes(), &NewNode::file(0o644))?.ino;
        volume.write(ino, 0, &bytes[..len])?;
        changes.files.push((path, Some(bytes[..len].to_vec())));
    }
    // Files that can be read, with one name each.
    let files: Vec<&Path> = found
        .nodes
        .iter()
        .filter(|(path, node)| {
            node.attr.kind == Kind::File && node.attr.nlink == 1 && !found.troubled(path, Part::Bytes)
        })
        .map(|(path, _)| path)
        .collect();
    for _ in 0..4 {
        let Some(path) = files.get(rng.index(files.len())).filter(|path| !changes.touched.contains(**path)) else {
            continue;
        };
        change(found, volume, changes, (path, rng.below(3)), &bytes)?;
    }
    Ok(())
}

/// One file overwritten, removed or renamed.
fn change(
    found: &Tree,
    volume: &Volume,
    changes: &mut Changes,
    (path, how): (&Path, u64),
    bytes: &[u8],
) -> Result<(), LvError> {
    changes.touch(path);
    let parent = volume.resolve_parent(path)?;
    let mut expected = found.nodes.get(path).map(|node| node.bytes.clone()).unwrap_or_default();
    match how {
        0 => {
            let ino = volume.resolve(path, false)?.ino;
            volume.write(ino, 0, &bytes[..5000])?;
            let len = expected.len().max(5000);
            expected.resize(len, 0);
            expected[..5000].copy_from_slice(&bytes[..5000]);
            changes.files.push((path.clone(), Some(expected)));
        }
        1 => {
            volume.unlink(parent.ino, &parent.name)?;
            changes.files.push((path.clone(), None));
        }
        _ => {
            let name = [&parent.name[..], b"-renamed"].concat();
            let to = join(above(path), &name);
            changes.touch(&to);
            volume.rename((parent.ino, &parent.name), (parent.ino, &name), Rename::Keep)?;
            changes.files.push((path.clone(), None));
            changes.files.push((to, Some(expected)));
        }
    }
    Ok(())
}
