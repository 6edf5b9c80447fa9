//! What a volume must hold: what was accepted, and what of it was acknowledged as durable.

use std::collections::{BTreeMap, BTreeSet};

use lv::{Ino, LvError, Volume};

/// A file as it was accepted.
#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    /// Sums of the contents since the last acknowledgement, that one first.
    states: Vec<(u64, u64)>,
    /// Its name was acknowledged.
    named: bool,
}

fn sum(bytes: &[u8]) -> (u64, u64) {
    (bytes.len() as u64, pv::row_sum(0, bytes).cast_unsigned())
}

/// The files in the root directory of a volume.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    files: BTreeMap<String, File>,
    /// Files whose end was not acknowledged.
    leaving: BTreeMap<String, File>,
    /// Names that were not acknowledged.
    new: Vec<String>,
}

impl Model {
    pub(crate) fn create(&mut self, name: &str) {
        self.new.push(name.to_owned());
        self.files.insert(name.to_owned(), File { states: vec![sum(&[])], ..File::default() });
    }

    pub(crate) fn write(&mut self, name: &str, off: u64, bytes: &[u8]) {
        let Some(file) = self.files.get_mut(name) else { return };
        let off = usize::try_from(off).unwrap_or(0);
        file.bytes.resize(file.bytes.len().max(off + bytes.len()), 0);
        file.bytes[off..off + bytes.len()].copy_from_slice(bytes);
        file.states.push(sum(&file.bytes));
    }

    pub(crate) fn truncate(&mut self, name: &str, len: u64) {
        let Some(file) = self.files.get_mut(name) else { return };
        file.bytes.resize(usize::try_from(len).unwrap_or(0), 0);
        file.states.push(sum(&file.bytes));
    }

    pub(crate) fn unlink(&mut self, name: &str) {
        if let Some(file) = self.files.remove(name) {
            self.leaving.insert(name.to_owned(), file);
        }
    }

    /// An fsync of the file returned.
    pub(crate) fn acknowledge(&mut self, name: &str) {
        if let Some(file) = self.files.get_mut(name) {
            file.states = vec![sum(&file.bytes)];
        }
        self.names();
    }

    /// A sync, or the volume's end, returned.
    pub(crate) fn acknowledge_all(&mut self) {
        for file in self.files.values_mut() {
            file.states = vec![sum(&file.bytes)];
        }
        self.names();
    }

    /// Whether data was accepted that is not acknowledged.
    pub(crate) fn owes(&self) -> bool {
        self.files.values().any(|file| file.states.len() > 1)
    }

    fn names(&mut self) {
        for name in std::mem::take(&mut self.new) {
            if let Some(file) = self.files.get_mut(&name) {
                file.named = true;
            }
        }
        self.leaving.clear();
    }

    pub(crate) fn names_of_all(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes.len() as u64).sum()
    }

    pub(crate) fn count(&self) -> u64 {
        self.files.len() as u64
    }

    /// Whether a volume that never stopped shows everything that was accepted.
    pub(crate) fn judge(&self, volume: &Volume) -> Result<(), String> {
        let found = names(volume)?;
        let expected: BTreeSet<String> = self.files.keys().cloned().collect();
        if let Some(name) = found.symmetric_difference(&expected).next() {
            let what = if found.contains(name) { "is there and was deleted" } else { "is gone" };
            return Err(format!("{name} {what}"));
        }
        for (name, file) in &self.files {
            let bytes = read(volume, name)?;
            if bytes != file.bytes {
                return Err(differs(name, &bytes, &file.bytes));
            }
        }
        Ok(())
    }

    /// Whether a volume that was opened after an end without goodbye shows what was acknowledged. What it shows is from
    /// then on what is expected.
    pub(crate) fn judge_after_crash(&mut self, volume: &Volume) -> Result<(), String> {
        let found = names(volume)?;
        let mut after = Self::default();
        for (name, file) in &self.files {
            if file.named && !found.contains(name) {
                return Err(format!("{name} was acknowledged and is gone"));
            }
        }
        for name in found {
            // A name that was used again may lead to the old file or the new one.
            let states: Vec<(u64, u64)> = [&self.files, &self.leaving]
                .into_iter()
                .filter_map(|files| files.get(&name))
                .flat_map(|file| file.states.iter().copied())
                .collect();
            let bytes = read(volume, &name)?;
            if states.is_empty() {
                return Err(format!("{name} is there and was deleted, or never made"));
            }
            if !states.contains(&sum(&bytes)) {
                return Err(format!(
                    "{name} has contents ({} bytes) that it never had since its last fsync",
                    bytes.len()
                ));
            }
            after.files.insert(name, File { states: vec![sum(&bytes)], bytes, named: true });
        }
        *self = after;
        Ok(())
    }
}

fn differs(name: &str, found: &[u8], expected: &[u8]) -> String {
    let at = found.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(found.len().min(expected.len()));
    format!("{name} differs from byte {at} on ({} bytes, expected {})", found.len(), expected.len())
}

fn names(volume: &Volume) -> Result<BTreeSet<String>, String> {
    let mut out = BTreeSet::new();
    let mut cookie = 0;
    loop {
        let some = volume.readdir(Ino::ROOT, cookie, 1000).map_err(|error| format!("listing: {error}"))?;
        let Some(last) = some.last() else { return Ok(out) };
        cookie = last.cookie;
        out.extend(some.into_iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned()));
    }
}

fn read(volume: &Volume, name: &str) -> Result<Vec<u8>, String> {
    let read = || -> Result<Vec<u8>, LvError> { volume.read_all(volume.lookup(Ino::ROOT, name.as_bytes())?.ino) };
    read().map_err(|error| format!("{name} cannot be read: {error}"))
}
