//! Descriptors before each change, kept in a folder for `vgcfgrestore`.

use std::path::Path;

use pv::Env;

use crate::{CodecError, Descriptor, Hash, Result, VgError};

/// Descriptors kept per VG.
const KEPT: usize = 32;
const ENDING: &str = "json";

/// Writes `descriptor` to the archive folder and removes the oldest entries.
///
/// The entry is a JSON object: `description` (the command line), `time` (nanoseconds since 1970) and `descriptor`.
pub(crate) fn keep(env: &Env, folder: &Path, descriptor: &Descriptor, command: &str) -> Result<()> {
    let failed = |source| VgError::Host { path: folder.to_owned(), operation: "write to the archive", source };
    let unstorable = |source| VgError::Unstorable { vg: descriptor.name.clone(), source };
    let body = descriptor.encode().map_err(unstorable)?;
    let shape = |error| unstorable(CodecError::Shape(error));
    let document: serde_json::Value = serde_json::from_slice(&body).map_err(shape)?;
    let entry = serde_json::json!({
        "description": format!("Created *before* executing '{command}'"),
        "time": env.clock.wall(),
        "descriptor": document,
    });
    let bytes = serde_json::to_vec_pretty(&entry).map_err(shape)?;
    env.host.make_dir(folder).map_err(failed)?;
    let prefix = format!("{}-{}_", descriptor.name, descriptor.vg.short());
    let name = format!("{prefix}{:010}-{}.{ENDING}", descriptor.seqno.0, Hash::of(&descriptor.change).short());
    env.host.write(&folder.join(name), &bytes).map_err(failed)?;
    let ours = |path: &std::path::PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix))
    };
    let mut entries: Vec<_> = env.host.list(folder).map_err(failed)?.into_iter().filter(ours).collect();
    entries.sort();
    for old in entries.iter().take(entries.len().saturating_sub(KEPT)) {
        env.host.remove_file(old).map_err(failed)?;
    }
    Ok(())
}
