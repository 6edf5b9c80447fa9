//! Rows of a PV, each with its right sum.

use super::{Case, File, act, rows};

const fn pv(name: &'static str, sql: &'static str, says: &'static str) -> Case {
    rows(name, File::Pv, sql, says)
}

pub(super) const CASES: &[Case] = &[
    pv("no label", "DELETE FROM label", "row is missing"),
    pv("label of a uuid that is none", "UPDATE label SET pv_uuid = 'x'", "label"),
    pv(
        "label of a uuid with signs",
        "UPDATE label SET pv_uuid = replace(substr(pv_uuid, 1, 6), substr(pv_uuid, 1, 2), '+1') || substr(pv_uuid, 7)",
        "",
    ),
    pv("label of a huge uuid", "UPDATE label SET pv_uuid = hex(zeroblob(3000000))", "label"),
    pv("label of a huge class", "UPDATE label SET class = hex(zeroblob(50000000))", "a.db"),
    pv("label of a class that steers the terminal", "UPDATE label SET class = char(27) || '[2J' || char(10)", ""),
    pv(
        "label of a group name that steers the terminal",
        "UPDATE label SET vg_name = char(27) || '[2J' || char(10) || 'WARNING: x'",
        "",
    ),
    pv(
        "label of another group that steers the terminal",
        "UPDATE label SET vg_name = char(27) || '[2J', vg_uuid = '000000-0000-0000-0000-0000-0000-000000'; DELETE FROM descriptor",
        "",
    ),
    pv("label of a huge group name", "UPDATE label SET vg_name = hex(zeroblob(3000000)); DELETE FROM descriptor", ""),
    pv(
        "label of ten thousand holders",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) UPDATE label SET holders = (SELECT group_concat('000000-0000-0000-0000-0000-0000-000000', ' ') FROM n)",
        "",
    ),
    pv("label of a negative capacity", "UPDATE label SET capacity = -1", "label"),
    pv("label of the largest capacity", "UPDATE label SET capacity = 9223372036854775807", ""),
    pv("label of a negative extent size", "UPDATE label SET extent_size = -65536", "label"),
    pv("label of a huge extent size", "UPDATE label SET extent_size = 1 << 40", "label"),
    pv("label of another extent size", "UPDATE label SET extent_size = 4096", ""),
    pv("label of too many extents", "UPDATE label SET extent_count = 4294967295", ""),
    pv("label of more extents than can be", "UPDATE label SET extent_count = 4294967296", "label"),
    pv("label of unknown features", "UPDATE label SET incompat = -1", "newer"),
    pv("label of features that forbid writing", "UPDATE label SET ro_compat = -9223372036854775807 - 1", "newer"),
    pv("label of the end of time", "UPDATE label SET created = 9223372036854775807", ""),
    pv("label of no group", "UPDATE label SET vg_uuid = NULL, vg_name = NULL", ""),
    pv("label without extents", "UPDATE label SET extent_count = NULL", "label"),
    pv("no promise", "DELETE FROM promise", "row is missing"),
    pv("negative promise", "UPDATE promise SET epoch = -1", "promise"),
    pv("the last promise", "UPDATE promise SET epoch = 9223372036854775807", ""),
    pv("no owner", "DELETE FROM owner", "old copy"),
    pv("owner without a body", "UPDATE owner SET body = x''", "owner"),
    pv("owner of a huge body", "UPDATE owner SET body = zeroblob(7000000)", "owner"),
    pv("owner of the last epoch", "UPDATE owner SET body = CAST(x'7fffffffffffffff' || substr(body, 9) AS BLOB)", ""),
    pv(
        "owner of an epoch beyond the last",
        "UPDATE owner SET body = CAST(x'ffffffffffffffff' || substr(body, 9) AS BLOB)",
        "",
    ),
    pv(
        "owner of the last flush",
        "UPDATE owner SET body = CAST(substr(body, 1, 8) || x'ffffffffffffffff' || substr(body, 17) AS BLOB)",
        "",
    ),
    pv(
        "owner of a later commit",
        "UPDATE owner SET body = CAST(substr(body, 1, 16) || x'ffffffffffffffff' || substr(body, 25) AS BLOB)",
        "old copy",
    ),
    pv(
        "ten thousand owners",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO owner SELECT CAST(printf('%016d', i) AS BLOB), zeroblob(31) FROM n",
        "",
    ),
    pv("extents gone", "DELETE FROM extent", "damaged"),
    pv("extent row of a negative number", "UPDATE extent SET pe = -1 WHERE pe = (SELECT min(pe) FROM extent)", ""),
    pv(
        "extent of the largest number",
        "UPDATE extent SET pe = 9223372036854775807 WHERE pe = (SELECT min(pe) FROM extent)",
        "",
    ),
    pv("extent of a negative place", "UPDATE extent SET le = -1", ""),
    pv(
        "extent rows of the last epoch",
        "UPDATE extent SET epoch = 9223372036854775807, flush = 9223372036854775807",
        "",
    ),
    pv("extents of a negative epoch", "UPDATE extent SET epoch = -1", ""),
    pv("extents of another volume", "UPDATE extent SET lv = zeroblob(16), family = zeroblob(16)", ""),
    pv("extents of a family of three bytes", "UPDATE extent SET family = x'010203'", ""),
    pv("extents without contents", "UPDATE extent SET data = x''", "damaged"),
    pv("extents of zeros", "UPDATE extent SET data = zeroblob(length(data))", "damaged"),
    pv(
        "extent of a hundred megabytes",
        "UPDATE extent SET data = zeroblob(100000000), flush = 1 << 40 WHERE pe = (SELECT min(pe) FROM extent)",
        "",
    ),
    pv(
        "table of contents of nine megabytes",
        "UPDATE extent SET toc = zeroblob(9000000), flush = 1 << 40 WHERE pe = (SELECT min(pe) FROM extent)",
        "",
    ),
    pv("table of contents that ends early", "UPDATE extent SET toc = x'0102'", ""),
    pv(
        "five thousand orphaned extents",
        "WITH RECURSIVE n(i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i < 105000) INSERT INTO extent SELECT i, e.lv, e.family, e.le, 1 << 40, i, 0, x'', x'' FROM n, (SELECT * FROM extent LIMIT 1) e",
        "",
    ),
    pv("damaged table", "UPDATE extent SET sum = 0", ""),
    act("extent blob of a gigabyte that is not there", File::Pv, |_, place| claim(&place.pv), ""),
];

/// Makes a record claim a blob of a gigabyte: its length is in the record's head, its pages are not in the file.
fn claim(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).expect("a file");
    // The head of an extent's record ends in the lengths of its two blobs; the payload's is the last. Wherever a number
    // of three bytes could be one, it becomes the largest of its kind.
    let mut changed = 0;
    for at in 1..bytes.len() - 4 {
        if bytes[at - 1] == 44 && bytes[at] & 0xf0 == 0x80 && bytes[at + 1] & 0x80 != 0 && bytes[at + 2] & 0x80 == 0 {
            bytes[at..at + 3].copy_from_slice(&[0xff, 0xff, 0x7e]);
            changed += 1;
        }
    }
    std::fs::write(path, &bytes).expect("room");
    // Without one there is nothing hostile in the file, which does no harm either.
    let _ = changed;
}
