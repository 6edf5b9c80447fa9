//! Hostile files: one row per case. Each is made with real SQLite out of a good pool, with right checksums where rows
//! are wrong, and then given to the library and to the command.
//!
//! What must hold for every case: no panic, an end in bounded time and memory, nothing written outside the pool and the
//! folder that a command was told to write to, and messages of one line that steer no terminal.

mod catalogue;
mod descriptor;
mod journal;
mod pv;
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::base::{Base, Place, folder};
use crate::rows::reseal;
use crate::walk::{Told, command, library};

/// The file that a case changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// The PV.
    Pv,
    /// The metadata volume.
    Meta,
}

/// How a case changes it.
#[derive(Debug, Clone, Copy)]
pub enum How {
    /// Statements; then every row gets its right sum. `{NAME}` is the inode of that name in the [`Base`], `{cookie:NAME}`
    /// the first cookie of a name.
    Rows(&'static str),
    /// Statements, and nothing else.
    Sql(&'static str),
    /// Anything.
    Act(fn(&Base, &Place)),
}

/// One case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The file it changes.
    pub file: File,
    /// How.
    pub how: How,
    /// What some message must contain; empty where the file does no harm.
    pub says: &'static str,
}

const fn rows(name: &'static str, file: File, sql: &'static str, says: &'static str) -> Case {
    Case { name, file, how: How::Rows(sql), says }
}

const fn sql(name: &'static str, file: File, sql: &'static str, says: &'static str) -> Case {
    Case { name, file, how: How::Sql(sql), says }
}

const fn act(name: &'static str, file: File, act: fn(&Base, &Place), says: &'static str) -> Case {
    Case { name, file, how: How::Act(act), says }
}

/// All cases.
pub fn cases() -> Vec<Case> {
    [schema::CASES, journal::CASES, pv::CASES, descriptor::CASES, catalogue::CASES].concat()
}

/// Runs one case and says what was refused.
///
/// # Panics
/// When something happens that must not.
pub fn run(base: &Base, case: &Case) -> Told {
    let mut told = Told::default();
    for by_command in [false, true] {
        let dir = folder();
        let (pool, out, outside) = (dir.path().join("pool"), dir.path().join("out"), dir.path().join("outside"));
        for folder in [&pool, &out, &outside] {
            std::fs::create_dir(folder).expect("a folder");
        }
        std::fs::write(outside.join("precious"), b"not yours").expect("room");
        let place = base.spread(&pool);
        case.make(base, &place);
        let before = look(dir.path(), &[&pool, &out]);
        if by_command {
            command(&pool, &out, &mut told);
        } else {
            library(&place.pv, &mut told);
        }
        assert_eq!(before, look(dir.path(), &[&pool, &out]), "{}: something outside was changed", case.name);
    }
    let said = case.says.is_empty() || told.lines.iter().any(|line| line.contains(case.says));
    assert!(said, "{}: no message says {:?}:\n{}", case.name, case.says, told.lines.join("\n"));
    told
}

/// What lies in a folder, these apart.
fn look(dir: &Path, but: &[&PathBuf]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut open = vec![dir.to_owned()];
    let mut found = BTreeMap::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if but.contains(&&path) {
                found.insert(path, Vec::new());
            } else if path.is_dir() {
                open.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("a file");
                found.insert(path, bytes);
            }
        }
    }
    found
}

impl Case {
    fn make(&self, base: &Base, place: &Place) {
        let path = if self.file == File::Pv { &place.pv } else { &place.meta };
        let (text, seal) = match self.how {
            How::Act(act) => return act(base, place),
            How::Rows(text) => (text, true),
            How::Sql(text) => (text, false),
        };
        let conn = Connection::open(path).expect("a connection");
        let failed = |error| panic!("{}: the case cannot be made: {error}", self.name);
        conn.execute_batch(&expand(base, text)).unwrap_or_else(failed);
        if seal {
            reseal(&conn).unwrap_or_else(failed);
        }
        conn.close().expect("a clean end");
    }
}

/// Puts numbers in place of `{names}`.
fn expand(base: &Base, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('{') {
        out.push_str(head);
        // JSON has braces, too.
        let word = tail.split_once('}').filter(|(word, _)| word.bytes().all(|b| b == b':' || b.is_ascii_lowercase()));
        let Some((word, tail)) = word else {
            out.push('{');
            rest = tail;
            continue;
        };
        match word.strip_prefix("cookie:") {
            Some(name) => out.push_str(&base.cookie(name.as_bytes()).to_string()),
            None => out.push_str(&base.ino(word).unwrap_or_else(|| panic!("no inode {word}")).to_string()),
        }
        rest = tail;
    }
    out + rest
}
