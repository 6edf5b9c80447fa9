//! Descriptors: JSON with a right sum that says what cannot be.

use super::{Case, File, rows};

/// Changes the document by an expression on its text `t`.
macro_rules! body {
    ($expression:literal) => {
        concat!(
            "UPDATE descriptor SET body = CAST((SELECT ",
            $expression,
            " FROM (SELECT CAST(body AS TEXT) AS t)) AS BLOB)"
        )
    };
}

/// The same by setting one place of it to a value.
macro_rules! set {
    ($path:literal, $value:literal) => {
        concat!("UPDATE descriptor SET body = CAST(json_set(CAST(body AS TEXT), '", $path, "', ", $value, ") AS BLOB)")
    };
}

const fn descriptor(name: &'static str, sql: &'static str, says: &'static str) -> Case {
    rows(name, File::Pv, sql, says)
}

pub(super) const CASES: &[Case] = &[
    descriptor("no descriptor", "DELETE FROM descriptor", "vg0"),
    descriptor("empty document", "UPDATE descriptor SET body = x''", "damaged"),
    descriptor("document that is no JSON", "UPDATE descriptor SET body = zeroblob(1000)", "damaged"),
    descriptor("document of a hundred megabytes", "UPDATE descriptor SET body = zeroblob(100000000)", "a.db"),
    descriptor(
        "thousands of large documents",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO descriptor SELECT 1, 1000 + i, zeroblob(16), zeroblob(32), 0, zeroblob(100000) FROM n",
        "",
    ),
    descriptor("deeply nested document", body!("replace(hex(zeroblob(1000000)), '00', '[[')"), "damaged"),
    descriptor("change of the wrong length", "UPDATE descriptor SET change_id = x'01', parent = x'02'", "damaged"),
    descriptor("negative generation", "UPDATE descriptor SET seqno = -seqno", "damaged"),
    descriptor("row of another generation than its document", "UPDATE descriptor SET seqno = seqno + 1", "damaged"),
    descriptor(
        "the last generation",
        "DELETE FROM descriptor WHERE seqno < (SELECT max(seqno) FROM descriptor); UPDATE descriptor SET seqno = 9223372036854775807, body = CAST(json_set(CAST(body AS TEXT), '$.seqno', 9223372036854775807) AS BLOB)",
        "",
    ),
    descriptor(
        "a generation beyond 64 bits",
        body!("replace(t, '\"seqno\":', '\"seqno\":99999999999999999999')"),
        "damaged",
    ),
    descriptor("document of a newer version", set!("$.version", "4294967295"), "newer"),
    descriptor("unknown field", set!("$.more", "1"), "damaged"),
    descriptor("field twice", body!("replace(t, '\"version\":0', '\"version\":0,\"version\":0')"), "damaged"),
    descriptor("blanks", body!("replace(t, ',', ', ')"), "damaged"),
    descriptor("hint upwards", set!("$.pvs[0].hint", "'../../../etc/passwd'"), "damaged"),
    descriptor("absolute hint", set!("$.pvs[0].hint", "'/etc/passwd'"), "damaged"),
    descriptor("hint with NUL", set!("$.pvs[0].hint", "'a' || char(0)"), ""),
    descriptor(
        "hint that steers the terminal",
        set!("$.pvs[0].hint", "'a' || char(27) || '[2J' || char(10) || '.db'"),
        "",
    ),
    descriptor(
        "missing PV whose hint steers the terminal",
        body!(
            "json_insert(t, '$.pvs[#]', json_object('uuid', '010101-0101-0101-0101-0101-0101-010101', 'hint', char(27) || '[2J' || char(10) || 'x.db', 'pe_count', 5, 'allocatable', json('true'), 'missing', json('false'), 'holder', json('false'), 'class', null, 'tags', json('[]')))"
        ),
        "",
    ),
    descriptor(
        "missing PV whose hint is a file outside",
        body!(
            "json_insert(t, '$.pvs[#]', json_object('uuid', '010101-0101-0101-0101-0101-0101-010101', 'hint', 'outside/precious', 'pe_count', 5, 'allocatable', json('true'), 'missing', json('false'), 'holder', json('false'), 'class', null, 'tags', json('[]')))"
        ),
        "",
    ),
    descriptor("hint of a megabyte", body!("json_set(t, '$.pvs[0].hint', hex(zeroblob(400000)))"), ""),
    descriptor("class that steers the terminal", set!("$.pvs[0].class", "char(27) || '[2J'"), "damaged"),
    descriptor("group name that steers the terminal", set!("$.name", "char(27) || '[2J'"), "damaged"),
    descriptor("group name that leads out", set!("$.name", "'..'"), "damaged"),
    descriptor("volume name that leads out", set!("$.lvs[0].name", "'../x'"), "damaged"),
    descriptor("PV of the most extents", set!("$.pvs[0].pe_count", "4294967295"), ""),
    descriptor("PV of more extents than can be", set!("$.pvs[0].pe_count", "4294967296"), "damaged"),
    descriptor("PV of negative extents", set!("$.pvs[0].pe_count", "-1"), "damaged"),
    descriptor(
        "volume of four billion extents",
        "UPDATE label SET extent_count = 4294967295, capacity = 4294967295 * 65536; UPDATE descriptor SET body = CAST(json_set(CAST(body AS TEXT), '$.pvs[0].pe_count', 4294967295, '$.lvs[0].segments', json('[{\"start\":0,\"count\":4294967295,\"kind\":\"linear\",\"legs\":[[0,0]]}]')) AS BLOB)",
        "",
    ),
    descriptor(
        "volume of a hundred million extents",
        "UPDATE label SET extent_count = 100000000, capacity = 100000000 * 65536; UPDATE descriptor SET body = CAST(json_set(CAST(body AS TEXT), '$.pvs[0].pe_count', 100000000, '$.lvs[0].segments', json('[{\"start\":0,\"count\":100000000,\"kind\":\"linear\",\"legs\":[[0,0]]}]')) AS BLOB)",
        "",
    ),
    descriptor("extents past the end of the PV", set!("$.lvs[0].segments[0].legs[0][1]", "4294967290"), "damaged"),
    descriptor("PV that is not listed", set!("$.lvs[0].segments[0].legs[0][0]", "7"), "damaged"),
    descriptor("segment that does not begin where the last ends", set!("$.lvs[0].segments[0].start", "5"), "damaged"),
    descriptor("segment of nothing", set!("$.lvs[0].segments[0].count", "0"), "damaged"),
    descriptor(
        "segment that wraps around",
        body!(
            "json_insert(t, '$.lvs[0].segments[#]', json('{\"start\":64,\"count\":4294967295,\"kind\":\"linear\",\"legs\":[[0,64]]}'))"
        ),
        "damaged",
    ),
    descriptor(
        "two segments on the same extents",
        body!(
            "json_insert(t, '$.lvs[0].segments[#]', json('{\"start\":64,\"count\":64,\"kind\":\"linear\",\"legs\":[[0,0]]}'))"
        ),
        "damaged",
    ),
    descriptor("segment of an unknown kind", set!("$.lvs[0].segments[0].kind", "'raid6'"), "damaged"),
    descriptor("segment without legs", set!("$.lvs[0].segments[0].legs", "json('[]')"), "damaged"),
    descriptor(
        "stripe of ten thousand legs",
        body!(
            "json_set(t, '$.lvs[0].segments[0].kind', 'striped', '$.lvs[0].segments[0].legs', (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT json_group_array(json('[0,0]')) FROM n))"
        ),
        "damaged",
    ),
    descriptor("volume without segments", set!("$.lvs[0].segments", "json('[]')"), ""),
    descriptor("the same volume twice", body!("json_insert(t, '$.lvs[#]', json_extract(t, '$.lvs[0]'))"), "damaged"),
    descriptor(
        "sixty volumes",
        body!(
            "json_set(t, '$.lvs', (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT json_group_array(json_set(json_extract(t, '$.lvs[0]'), '$.name', 'v' || i, '$.segments', json('[]'), '$.uuid', printf('%06x-0000-0000-0000-0000-0000-000000', i), '$.family', printf('%06x-0000-0000-0000-0000-0000-000001', i))) FROM n))"
        ),
        "",
    ),
    descriptor("two PVs of one uuid", body!("json_insert(t, '$.pvs[#]', json_extract(t, '$.pvs[0]'))"), "damaged"),
    descriptor("no PVs", set!("$.pvs", "json('[]')"), "damaged"),
    descriptor(
        "five thousand PVs",
        body!(
            "json_set(t, '$.pvs', (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT json_group_array(json_set(json_extract(t, '$.pvs[0]'), '$.uuid', printf('%06x-0000-0000-0000-0000-0000-000000', i))) FROM n))"
        ),
        "damaged",
    ),
    descriptor("metadata copies nowhere", set!("$.lvs[0].copies", "json('[]')"), "damaged"),
    descriptor("metadata copy on a PV that is not listed", set!("$.lvs[0].copies[0].pv", "99"), "damaged"),
    descriptor(
        "metadata copy of another family",
        set!("$.lvs[0].family", "'010101-0101-0101-0101-0101-0101-010101'"),
        "another volume",
    ),
    descriptor(
        "metadata copy of another volume",
        set!("$.lvs[0].uuid", "'010101-0101-0101-0101-0101-0101-010101'"),
        ".meta",
    ),
    descriptor("extent size that is none", set!("$.extent_size", "3"), "damaged"),
    descriptor("extent size that is another", set!("$.extent_size", "1048576"), ""),
    descriptor(
        "forks without end",
        body!(
            "json_set(t, '$.forks', (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT json_group_array(json_object('id', printf('%032x', i), 'seqno', i)) FROM n))"
        ),
        "damaged",
    ),
    descriptor("tag that steers the terminal", set!("$.tags", "json_array(char(27) || '[2J')"), "damaged"),
    descriptor(
        "a hundred thousand tags",
        body!(
            "json_set(t, '$.tags', (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT json_group_array(printf('t%08d', i)) FROM n))"
        ),
        "",
    ),
    descriptor(
        "removal of the volume that is there",
        body!(
            "json_insert(t, '$.removals[#]', json_object('lv', json_extract(t, '$.lvs[0].uuid'), 'family', json_extract(t, '$.lvs[0].family'), 'segments', json('[]'), 'copies', json('[0]')))"
        ),
        "damaged",
    ),
    descriptor(
        "removal of a volume that never was",
        body!(
            "json_insert(t, '$.removals[#]', json_object('lv', '010101-0101-0101-0101-0101-0101-010101', 'family', '010101-0101-0101-0101-0101-0101-010101', 'segments', json('[]'), 'copies', json('[0]')))"
        ),
        "",
    ),
    descriptor(
        "removal whose copies are nowhere",
        body!(
            "json_insert(t, '$.removals[#]', json_object('lv', '010101-0101-0101-0101-0101-0101-010101', 'family', '010101-0101-0101-0101-0101-0101-010101', 'segments', json('[]'), 'copies', json('[9]')))"
        ),
        "damaged",
    ),
    descriptor("the end of time", set!("$.lvs[0].created", "9223372036854775807"), ""),
    descriptor("the beginning of time", set!("$.lvs[0].created", "-9223372036854775807"), ""),
];
