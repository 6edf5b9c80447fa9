//! The label: who a PV is and which volume group it belongs to.

use std::path::Path;

use rusqlite::{Connection, Row, params};

use crate::format::{KNOWN_INCOMPAT, KNOWN_RO_COMPAT, table};
use crate::sqlite::error;
use crate::{Bytes, ExtentSize, PeCount, PvError, PvUuid, Result, VgUuid, row_sum};

const SELECT: &str = "SELECT pv_uuid, vg_uuid, vg_name, capacity, extent_size, extent_count, class,
    compat, ro_compat, incompat, created, holders, sum FROM label WHERE id = 1";
const REPLACE: &str = "INSERT OR REPLACE INTO label (id, pv_uuid, vg_uuid, vg_name, capacity, extent_size,
    extent_count, class, compat, ro_compat, incompat, created, holders, sum)
    VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Longest uuid and name of a volume group, in bytes.
const LONGEST_NAME: usize = 255;
/// Longest class.
const LONGEST_CLASS: usize = 1024;
/// Longest list of holders: more than there ever are.
const LONGEST_HOLDERS: usize = 4096;

/// A PV's place in a volume group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub vg: VgUuid,
    /// Its name when this was written; a hint, the descriptor has the truth.
    pub name: String,
    /// Size of the group's extents.
    pub extent_size: ExtentSize,
    /// Extents of this PV.
    pub extent_count: PeCount,
}

/// Format features in the manner of ext4: unknown bits of the first kind do not matter, of the second forbid writing,
/// of the third forbid everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// Harmless when unknown.
    pub compat: u64,
    /// Read-only when unknown.
    pub ro_compat: u64,
    /// Refused when unknown.
    pub incompat: u64,
}

/// Who a PV is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The PV.
    pub pv: PvUuid,
    /// Its volume group, if any.
    pub membership: Option<Membership>,
    /// What it promises to hold.
    pub capacity: Bytes,
    /// Class tag; empty for none.
    pub class: String,
    /// Format features.
    pub features: Features,
    /// When it was made, seconds since 1970. Information only.
    pub created: i64,
    /// PVs that hold descriptor copies when this one does not; else empty.
    pub holders: Vec<PvUuid>,
}

struct Stored {
    pv: String,
    vg: Option<String>,
    name: Option<String>,
    capacity: i64,
    extent_size: Option<i64>,
    extent_count: Option<i64>,
    class: String,
    features: [i64; 3],
    created: i64,
    holders: String,
    sum: i64,
}

impl Stored {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            pv: row.get(0)?,
            vg: row.get(1)?,
            name: row.get(2)?,
            capacity: row.get(3)?,
            extent_size: row.get(4)?,
            extent_count: row.get(5)?,
            class: row.get(6)?,
            features: [row.get(7)?, row.get(8)?, row.get(9)?],
            created: row.get(10)?,
            holders: row.get(11)?,
            sum: row.get(12)?,
        })
    }

    /// Texts with their length before them, integers as 8 bytes, absent values as a zero byte.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        text(&mut out, &self.pv);
        for optional in [&self.vg, &self.name] {
            out.push(u8::from(optional.is_some()));
            text(&mut out, optional.as_deref().unwrap_or(""));
        }
        for optional in [self.extent_size, self.extent_count] {
            out.push(u8::from(optional.is_some()));
            out.extend_from_slice(&optional.unwrap_or(0).to_le_bytes());
        }
        for number in [self.capacity, self.created].into_iter().chain(self.features) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        text(&mut out, &self.class);
        text(&mut out, &self.holders);
        out
    }

    fn of(label: &Label) -> Option<Self> {
        let member = label.membership.as_ref();
        let bits = |bits: u64| i64::from_le_bytes(bits.to_le_bytes());
        let mut stored = Self {
            pv: label.pv.to_string(),
            vg: member.map(|m| m.vg.to_string()),
            name: member.map(|m| m.name.clone()),
            capacity: i64::try_from(label.capacity.get()).ok()?,
            extent_size: member.map(|m| i64::from(m.extent_size.get())),
            extent_count: member.map(|m| i64::from(m.extent_count.get())),
            class: label.class.clone(),
            features: [label.features.compat, label.features.ro_compat, label.features.incompat].map(bits),
            created: label.created,
            holders: label.holders.iter().map(PvUuid::to_string).collect::<Vec<_>>().join(" "),
            sum: 0,
        };
        stored.sum = row_sum(table::LABEL, &stored.encode());
        Some(stored)
    }

    fn membership(&self, vg: &str) -> Option<Membership> {
        Some(Membership {
            vg: vg.parse().ok()?,
            name: self.name.clone()?,
            extent_size: ExtentSize::for_tests(u64::try_from(self.extent_size?).ok()?)?,
            extent_count: PeCount(u32::try_from(self.extent_count?).ok()?),
        })
    }

    /// Whether all texts are as short and plain as those that are written: they end up in messages.
    fn is_plain(&self) -> bool {
        let plain =
            |text: &str, longest: usize| text.len() <= longest && text.bytes().all(|b| matches!(b, b' '..=b'~'));
        let optional = |text: &Option<String>| text.as_deref().is_none_or(|text| plain(text, LONGEST_NAME));
        plain(&self.pv, LONGEST_NAME)
            && optional(&self.vg)
            && optional(&self.name)
            && plain(&self.class, LONGEST_CLASS)
            && plain(&self.holders, LONGEST_HOLDERS)
    }

    fn label(&self) -> Option<Label> {
        let [compat, ro_compat, incompat] = self.features.map(|bits| u64::from_le_bytes(bits.to_le_bytes()));
        Some(Label {
            pv: self.pv.parse().ok()?,
            membership: match &self.vg {
                Some(vg) => Some(self.membership(vg)?),
                None => None,
            },
            capacity: Bytes(u64::try_from(self.capacity).ok()?),
            class: self.class.clone(),
            features: Features { compat, ro_compat, incompat },
            created: self.created,
            holders: self.holders.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?,
        })
    }
}

/// Reads and verifies the label; `write` refuses features that forbid writing.
pub(crate) fn read(conn: &Connection, path: &Path, write: bool) -> Result<Label> {
    let stored = conn
        .prepare_cached(SELECT)
        .and_then(|mut statement| statement.query_row([], Stored::from_row))
        .map_err(|e| error(path, "read its label", e))?;
    let damaged = |what: &str| PvError::Damaged { path: path.to_owned(), what: what.to_owned() };
    if !stored.is_plain() || stored.sum != row_sum(table::LABEL, &stored.encode()) {
        return Err(damaged("its label fails its checksum"));
    }
    let label = stored.label().ok_or_else(|| damaged("its label holds a value that cannot be"))?;
    let mut unknown = label.features.incompat & !KNOWN_INCOMPAT;
    if write {
        unknown |= label.features.ro_compat & !KNOWN_RO_COMPAT;
    }
    if unknown != 0 {
        return Err(PvError::Newer { path: path.to_owned(), features: unknown });
    }
    Ok(label)
}

/// Writes the label inside the caller's transaction.
pub(crate) fn write(conn: &Connection, path: &Path, label: &Label) -> Result<()> {
    let stored = Stored::of(label)
        .ok_or_else(|| PvError::Refused { path: path.to_owned(), what: "its capacity is too large".to_owned() })?;
    let [compat, ro_compat, incompat] = stored.features;
    conn.prepare_cached(REPLACE)
        .and_then(|mut statement| {
            statement.execute(params![
                stored.pv,
                stored.vg,
                stored.name,
                stored.capacity,
                stored.extent_size,
                stored.extent_count,
                stored.class,
                compat,
                ro_compat,
                incompat,
                stored.created,
                stored.holders,
                stored.sum,
            ])
        })
        .map_err(|e| error(path, "write its label", e))?;
    Ok(())
}
