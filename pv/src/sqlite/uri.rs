//! URI filenames.

use std::path::{Path, PathBuf};

use super::Access;
use crate::Env;

/// The part of a URI that says how a file is opened.
pub(crate) fn mode(access: Access) -> &'static str {
    match access {
        Access::ReadWrite => "mode=rw",
        Access::ReadOnly => "mode=ro",
        Access::Immutable => "mode=ro&immutable=1",
    }
}

/// The URI filename of `path`, opened with `mode`. `psow` false pads commits to whole sectors (wanted for write-ahead logs: a torn sector
/// then never holds two commits).
pub(crate) fn uri(env: &Env, path: &Path, mode: &str, psow: bool) -> PathBuf {
    let mut out = String::from("file:");
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.first() != Some(&b'/') {
        // Keeps a name such as ":memory:" a name.
        out.push_str("./");
    }
    let mut previous = 0u8;
    for &byte in bytes {
        // Two slashes at the start would begin an authority.
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (byte == b'/' && previous != b'/');
        if plain {
            out.push(char::from(byte));
        } else {
            push_escaped(&mut out, byte);
        }
        previous = byte;
    }
    out.push('?');
    out.push_str(mode);
    if !psow {
        out.push_str("&psow=0");
    }
    if let Some(vfs) = &env.vfs {
        out.push_str("&vfs=");
        for byte in vfs.bytes() {
            push_escaped(&mut out, byte);
        }
    }
    PathBuf::from(out)
}

fn push_escaped(out: &mut String, byte: u8) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.push(HEX.get(usize::from(digit)).copied().unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_escaped() {
        let env = Env { vfs: Some("a b".to_owned()), ..Env::system() };
        let text = |p: &str| uri(&env, Path::new(p), mode(Access::ReadWrite), false).display().to_string();
        assert_eq!(text("/a b/c?d#e%f"), "file:/a%20b/c%3Fd%23e%25f?mode=rw&psow=0&vfs=%61%20%62");
        assert_eq!(text(":memory:"), "file:./%3Amemory%3A?mode=rw&psow=0&vfs=%61%20%62");
        let env = Env::system();
        let text = uri(&env, Path::new("//x"), mode(Access::Immutable), true);
        assert_eq!(text, Path::new("file:/%2Fx?mode=ro&immutable=1"));
    }
}
