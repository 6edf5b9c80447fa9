//! Names of objects on the command line: `VG/LV`, `VG/LV:/path`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LvName {
    pub(crate) vg: String,
    pub(crate) lv: String,
}

impl std::fmt::Display for LvName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.vg, self.lv)
    }
}

/// Reads `VG/LV` (or `/dev/VG/LV`, as LVM users write it); `None` when it is a VG alone.
pub(crate) fn lv_name(text: &str) -> Option<LvName> {
    let (vg, lv) = text.strip_prefix("/dev/").unwrap_or(text).split_once('/')?;
    let plain = !vg.is_empty() && !lv.is_empty() && !lv.contains('/');
    plain.then(|| LvName { vg: vg.to_owned(), lv: lv.to_owned() })
}

/// Where a file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FilePath {
    /// On the host.
    Host(PathBuf),
    /// Inside a logical volume; the path begins with `/`.
    Volume(LvName, Vec<u8>),
}

/// Reads `VG/LV:/path`; anything else is a path on the host (write `./VG/LV:/path` for a host path of that look).
pub(crate) fn file_path(text: &OsStr) -> FilePath {
    let bytes = text.as_bytes();
    let host = || FilePath::Host(PathBuf::from(text));
    let Some(colon) = bytes.windows(2).position(|pair| pair == b":/") else {
        // "VG/LV:" means its root.
        return match bytes.strip_suffix(b":").and_then(|b| std::str::from_utf8(b).ok()).and_then(volume) {
            Some(name) => FilePath::Volume(name, b"/".to_vec()),
            None => host(),
        };
    };
    let Some((name, path)) = bytes.split_at_checked(colon) else { return host() };
    match (std::str::from_utf8(name).ok().and_then(volume), path.get(1..)) {
        (Some(name), Some(path)) => FilePath::Volume(name, path.to_vec()),
        _ => host(),
    }
}

fn volume(text: &str) -> Option<LvName> {
    lv_name(text).filter(|name| !matches!(name.vg.as_str(), "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_names_are_vg_slash_lv() {
        let name = |vg: &str, lv: &str| Some(LvName { vg: vg.into(), lv: lv.into() });
        assert_eq!(lv_name("vg0/home"), name("vg0", "home"));
        assert_eq!(lv_name("/dev/vg0/home"), name("vg0", "home"));
        for bad in ["vg0", "vg0/", "/home", "a/b/c", ""] {
            assert_eq!(lv_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn file_paths_name_a_volume_or_the_host() {
        let inside = |path: &str| FilePath::Volume(LvName { vg: "v".into(), lv: "h".into() }, path.into());
        assert_eq!(file_path(OsStr::new("v/h:/etc/x")), inside("/etc/x"));
        assert_eq!(file_path(OsStr::new("v/h:")), inside("/"));
        assert_eq!(file_path(OsStr::new("v/h:/a:/b")), inside("/a:/b"));
        for host in ["/etc/x", "./v/h:/x", "x", "a/b/c:/x", "v:/x"] {
            assert_eq!(file_path(OsStr::new(host)), FilePath::Host(host.into()));
        }
    }
}
