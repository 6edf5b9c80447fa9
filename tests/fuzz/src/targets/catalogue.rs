//! Metadata volumes with any rows.

use rusqlite::Connection;

use super::table::change;
use super::{Target, none};
use crate::base::{Base, folder};
use crate::source::Source;
use crate::walk::{Told, library};

pub(super) const TARGET: Target = Target {
    name: "catalogue",
    about: "rows of a metadata volume of any values with right sums",
    longest: 2048,
    words: &[b"\x1b[2J", b"..", b"a/b", b"user.a"],
    seeds: none,
    runs: 60,
    run,
};

const TABLES: [&str; 12] =
    ["state", "pv", "fs", "inode", "inode", "dirent", "dirent", "map", "slice", "slice", "le", "xattr"];

fn run(bytes: &[u8]) -> String {
    let dir = folder();
    let place = Base::shared().spread(dir.path());
    let conn = Connection::open(&place.meta).expect("a connection");
    change(&conn, &TABLES, &mut Source(bytes));
    conn.close().expect("a clean end");
    let mut told = Told::default();
    library(&place.pv, &mut told);
    told.way()
}
