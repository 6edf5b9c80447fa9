//! Resolution of paths, against a few lines that do the same on a tree in memory.

use std::collections::BTreeMap;

use lv::{Ino, Kind, NewNode, Volume};

use super::shared::support::Rig;
use super::{Target, none, one_line};

pub(super) const TARGET: Target = Target {
    name: "paths",
    about: "resolution of paths with links, against a reference of a few lines",
    longest: 600,
    words: &[
        b"/",
        b"//",
        b"./",
        b"../",
        b"a",
        b"dir/",
        b"sub/",
        b"link",
        b"up",
        b"abs",
        b"loop",
        b"two",
        b"one",
        b"file",
        b"/dir/../",
    ],
    seeds: none,
    runs: 3000,
    run,
};

/// The tree: paths, and what links hold.
const TREE: [(&str, Option<&str>); 12] = [
    ("a", None),
    ("dir/", None),
    ("dir/file", None),
    ("dir/sub/", None),
    ("dir/sub/a", None),
    ("dir/sub/up", Some("../..")),
    ("link", Some("dir/sub")),
    ("abs", Some("/dir/./sub//up/link")),
    ("loop", Some("loop")),
    ("one", Some("two/x")),
    ("two", Some("one")),
    ("gone", Some("nowhere/at/all")),
];

struct Tree {
    volume: Volume,
    _rig: Rig,
    /// Inodes by path without slashes at its ends; the root's is empty.
    inos: BTreeMap<String, Ino>,
}

fn tree() -> Tree {
    let rig = Rig::new(1, 64, 4096);
    let volume = rig.open();
    let mut inos = BTreeMap::from([(String::new(), Ino::ROOT)]);
    for (path, target) in TREE {
        let (plain, dir) = (path.trim_end_matches('/'), path.ends_with('/'));
        let (above, name) = plain.rsplit_once('/').unwrap_or(("", plain));
        let (above, name) = (inos[above], name.as_bytes());
        let made = match target {
            _ if dir => volume.mkdir(above, name, &NewNode::directory(0o755)),
            Some(target) => volume.symlink(above, name, target.as_bytes(), &NewNode::file(0o777)),
            None => volume.create(above, name, &NewNode::file(0o644)),
        };
        inos.insert(plain.to_owned(), made.expect("a tree").ino);
    }
    Tree { volume, _rig: rig, inos }
}

/// What a path leads to: its own path in [`TREE`], or nothing.
fn reference(path: &str, follow: bool) -> Option<String> {
    let mut at: Vec<String> = Vec::new();
    let parts =
        |path: &str| path.split('/').filter(|part| !part.is_empty() && *part != ".").rev().map(str::to_owned).collect();
    let mut todo: Vec<String> = parts(path);
    let mut hops = 0;
    while let Some(part) = todo.pop() {
        let here = at.join("/");
        let is_dir = here.is_empty() || TREE.iter().any(|(known, _)| *known == format!("{here}/"));
        if !is_dir {
            return None;
        }
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        let here = at.join("/");
        let (_, target) = TREE.iter().find(|(known, _)| known.trim_end_matches('/') == here)?;
        let Some(target) = target.filter(|_| follow || !todo.is_empty()) else { continue };
        hops += 1;
        if hops > 40 {
            return None;
        }
        at.pop();
        if target.starts_with('/') {
            at.clear();
        }
        todo.extend::<Vec<String>>(parts(target));
    }
    Some(at.join("/"))
}

fn run(bytes: &[u8]) -> String {
    thread_local! {
        static TREE: Tree = tree();
    }
    TREE.with(|tree| {
        let mut way = String::new();
        for follow in [false, true] {
            let found = tree.volume.resolve(bytes, follow);
            if let Err(error) = &found {
                way += &one_line("resolve", &error.to_string());
            }
            let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !text.contains('\0'));
            let expected = text.and_then(|text| reference(text, follow)).map(|path| tree.inos[&path]);
            way.extend(expected.map(|ino| format!("{ino} ")));
            assert_eq!(found.ok().map(|attr| attr.ino), expected, "{:?}", bytes.escape_ascii().to_string());
        }
        if let Ok(parent) = tree.volume.resolve_parent(bytes) {
            let attr = tree.volume.getattr(parent.ino).expect("a directory");
            assert_eq!(attr.kind, Kind::Directory);
            assert!(!parent.name.contains(&b'/') && !parent.name.is_empty() && parent.name != b"..");
        }
        format!("{way}{}", tree.volume.resolve_missing(bytes).is_ok())
    })
}
