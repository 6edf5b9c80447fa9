//! Where members of an archive go: below one directory of a volume, whatever their names say.

use anyfs_lvm::lv::{Attr, Ino, Kind as LvKind, LvError, NewNode};

use crate::failure::Failure;
use crate::files::volume::{Mount, owned};
use crate::files::{Res, show};

/// The place a member's name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// The target directory itself.
    Root,
    /// A name in a directory.
    Name(Ino, Vec<u8>),
}

/// The parts of a member's name. A leading slash says nothing here, and neither do dots.
pub(super) fn parts(name: &[u8]) -> Result<Vec<&[u8]>, Failure> {
    let refused = |why: &str| Err(Failure::new(format!("{}: {why}; left out", show::name(name))));
    if name.is_empty() {
        return refused("a member without a name");
    }
    if name.contains(&0) {
        return refused("a name with NUL in it");
    }
    let parts: Vec<_> = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&&b".."[..]) {
        return refused("the name has \"..\" in it");
    }
    Ok(parts)
}

/// The directory of a member and its name in it, below `root`. Directories that are missing are made when `make`;
/// symbolic links are never followed, so that no member leads another one astray.
pub(super) fn spot(mount: &Mount, root: Ino, name: &[u8], make: bool) -> Res<Spot> {
    let parts = parts(name)?;
    let Some((last, above)) = parts.split_last() else { return Ok(Spot::Root) };
    let mut dir = root;
    for (index, part) in above.iter().enumerate() {
        dir = match mount.find(dir, part) {
            Ok(Some(Attr { kind: LvKind::Directory, ino, .. })) => ino,
            Ok(Some(found)) => {
                let above = above.get(..=index).unwrap_or_default().join(&b'/');
                let what = if found.kind == LvKind::Symlink { "a symbolic link" } else { "not a directory" };
                let text = format!("{}: {} is {what}; left out", show::name(name), show::name(&above));
                return Err(Failure::new(text).into());
            }
            Ok(None) if make => missing(mount, dir, part).map_err(|error| mount.trouble(&error))?,
            Ok(None) => return Err(Failure::new(format!("{}: No such file or directory", show::name(name))).into()),
            Err(error) => return Err(mount.trouble(&error)),
        };
    }
    Ok(Spot::Name(dir, last.to_vec()))
}

/// A directory that the archive takes for granted.
fn missing(mount: &Mount, dir: Ino, name: &[u8]) -> Result<Ino, LvError> {
    Ok(mount.volume.mkdir(dir, name, &owned(NewNode::directory(0o755)))?.ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_never_lead_up() {
        assert_eq!(parts(b"/a//./b/").unwrap(), [&b"a"[..], b"b"]);
        assert_eq!(parts(b"./").unwrap(), [&b""[..]; 0]);
        assert_eq!(parts(b"..a/b..").unwrap(), [&b"..a"[..], b"b.."]);
        for bad in [&b".."[..], b"../a", b"a/../b", b"a/..", b"/..", b"", b"a\0b"] {
            assert!(parts(bad).unwrap_err().lines[0].ends_with("left out"), "{bad:?}");
        }
    }
}
