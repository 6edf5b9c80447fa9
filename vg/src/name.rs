//! Names of volume groups and logical volumes, and tags: valid once made.

use std::fmt;
use std::str::FromStr;

/// Longest name of a VG or LV, in bytes.
const MAX_NAME: usize = 127;
/// Longest tag, in bytes.
const MAX_TAG: usize = 1024;
/// LV names may not begin with these.
const RESERVED_START: [&str; 2] = ["snapshot", "pvmove"];
/// LV names may not contain these.
const RESERVED_PART: [&str; 14] = [
    "_cdata", "_cmeta", "_corig", "_iorig", "_mimage", "_mlog", "_pmspare", "_rimage", "_rmeta", "_tdata", "_tmeta",
    "_vdata", "_vorigin", "_wcorig",
];

/// Why a text is not a name or tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not a VG name.
    #[error("New volume group name \"{0}\" is invalid.")]
    Vg(String),
    /// Not an LV name.
    #[error("Logical volume name \"{0}\" is invalid.")]
    Lv(String),
    /// An LV name that begins with a reserved word.
    #[error("Names starting \"{0}\" are reserved. Please choose a different LV name.")]
    ReservedStart(&'static str),
    /// An LV name that contains a reserved part.
    #[error("Names including \"{0}\" are reserved. Please choose a different LV name.")]
    ReservedPart(&'static str),
    /// Not a tag.
    #[error("Tag \"{0}\" is invalid: tags are 1 to 1024 characters out of [a-zA-Z0-9._-+/=!:&#], not led by -")]
    Tag(String),
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && !text.starts_with('-')
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_.-".contains(&b))
}

macro_rules! name_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

name_newtype!(
    /// Name of a volume group: 1 to 127 characters out of `a-zA-Z0-9+_.-`, not led by `-`, not `.` or `..`.
    VgName
);
name_newtype!(
    /// Name of a logical volume: as [`VgName`], and none of LVM's reserved names.
    LvName
);
name_newtype!(
    /// A tag: 1 to 1024 characters out of `a-zA-Z0-9._-+/=!:&#`, not led by `-`. Kept without the `@` of the command
    /// line.
    Tag
);

impl VgName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NameError::Vg`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(NameError::Vg(text.to_owned())) }
    }
}

impl LvName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NameError::Lv`], [`NameError::ReservedStart`] or [`NameError::ReservedPart`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        if !is_name(text) {
            return Err(NameError::Lv(text.to_owned()));
        }
        if let Some(word) = RESERVED_START.into_iter().find(|word| text.starts_with(word)) {
            return Err(NameError::ReservedStart(word));
        }
        if let Some(part) = RESERVED_PART.into_iter().find(|part| text.contains(part)) {
            return Err(NameError::ReservedPart(part));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Tag {
    /// Checks a tag; a leading `@` is dropped.
    ///
    /// # Errors
    /// [`NameError::Tag`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let tag = text.strip_prefix('@').unwrap_or(text);
        let good = !tag.is_empty()
            && tag.len() <= MAX_TAG
            && !tag.starts_with('-')
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+/=!:&#".contains(&b));
        if good { Ok(Self(tag.to_owned())) } else { Err(NameError::Tag(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_lvms_rules() {
        for good in ["a", "vg0", "A+_.-9", "..."] {
            assert!(VgName::new(good).is_ok(), "{good}");
            assert!(LvName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "a b", "a/b", "ä", "a\n", "a\0"] {
            assert!(VgName::new(bad).is_err(), "{bad}");
            assert!(LvName::new(bad).is_err(), "{bad}");
        }
        assert!(VgName::new(&"x".repeat(127)).is_ok());
        assert!(VgName::new(&"x".repeat(128)).is_err());
    }

    #[test]
    fn reserved_names_are_refused_with_lvms_words() {
        let text = |name: &str| LvName::new(name).unwrap_err().to_string();
        assert_eq!(text("snapshot1"), "Names starting \"snapshot\" are reserved. Please choose a different LV name.");
        assert_eq!(text("pvmove0"), "Names starting \"pvmove\" are reserved. Please choose a different LV name.");
        assert_eq!(text("foo_mimage"), "Names including \"_mimage\" are reserved. Please choose a different LV name.");
        assert_eq!(text("bad name"), "Logical volume name \"bad name\" is invalid.");
        assert!(VgName::new("snapshot1").is_ok());
    }

    #[test]
    fn tags_lose_their_at_sign() {
        assert_eq!(Tag::new("@fast").unwrap().as_str(), "fast");
        assert_eq!(Tag::new("a/b=c!:&#").unwrap().as_str(), "a/b=c!:&#");
        for bad in ["", "@", "-x", "a b", "a@b"] {
            assert!(Tag::new(bad).is_err(), "{bad}");
        }
    }
}
