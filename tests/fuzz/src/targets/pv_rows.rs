//! PVs with any rows.

use rusqlite::Connection;

use super::table::change;
use super::{Target, none};
use crate::base::{Base, folder};
use crate::source::Source;
use crate::walk::{Told, library};

pub(super) const TARGET: Target = Target {
    name: "pv_rows",
    about: "labels, promises, descriptors, owner rows and extents of any values with right sums",
    longest: 2048,
    words: &[b"\x1b[2J", b"..", b"010101-0101-0101-0101-0101-0101-010101"],
    seeds: none,
    runs: 60,
    run,
};

fn run(bytes: &[u8]) -> String {
    let dir = folder();
    let place = Base::shared().spread(dir.path());
    let conn = Connection::open(&place.pv).expect("a connection");
    change(&conn, &["label", "promise", "descriptor", "owner", "extent", "extent"], &mut Source(bytes));
    conn.close().expect("a clean end");
    let mut told = Told::default();
    library(&place.pv, &mut told);
    told.way()
}
