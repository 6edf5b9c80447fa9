//! What the copies of the metadata say before anybody recovers them.

use crate::Disk;
use crate::disk::Settings;
use crate::image::Image;

/// Whether the copies of the metadata that can be read differ in their commits: a recovery then has one to bring
/// forward (or to leave aside).
pub(super) fn behind(image: &Image) -> bool {
    let names: Vec<String> = image
        .list()
        .iter()
        .map(|(name, _)| name.to_string())
        .filter(|name| name.strip_suffix(".meta").is_some())
        .collect();
    if names.len() < 2 {
        return false;
    }
    // Reading rolls a log forward: on a disk of its own.
    let disk = Disk::from_image(image, Settings::default());
    let txg = |name: &String| {
        let db = disk.connect(name, "").ok()?;
        db.query_row("SELECT txg FROM state WHERE id=0", [], |row| row.get::<_, i64>(0)).ok()
    };
    let mut found: Vec<i64> = names.iter().filter_map(txg).collect();
    found.sort_unstable();
    found.dedup();
    found.len() > 1
}
