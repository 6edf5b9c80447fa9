//! The calls that a volume and a transaction have in common.

use lv::{Attr, Ino, NewNode, Rename, Result, SetAttr, SetXattr, Transaction, Volume};

macro_rules! calls {
    ($(fn $name:ident($($arg:ident: $of:ty),*) -> $out:ty;)*) => {
        /// What can be done to files, alone or together with other things.
        pub(super) trait Calls {
            $(fn $name(&mut self, $($arg: $of),*) -> Result<$out>;)*
        }

        impl Calls for Volume {
            $(fn $name(&mut self, $($arg: $of),*) -> Result<$out> {
                Volume::$name(self, $($arg),*)
            })*
        }

        impl Calls for Transaction<'_> {
            $(fn $name(&mut self, $($arg: $of),*) -> Result<$out> {
                Transaction::$name(self, $($arg),*)
            })*
        }
    };
}

calls! {
    fn create(parent: Ino, name: &[u8], node: &NewNode) -> Attr;
    fn mkdir(parent: Ino, name: &[u8], node: &NewNode) -> Attr;
    fn symlink(parent: Ino, name: &[u8], target: &[u8], node: &NewNode) -> Attr;
    fn link(ino: Ino, parent: Ino, name: &[u8]) -> Attr;
    fn unlink(parent: Ino, name: &[u8]) -> ();
    fn rmdir(parent: Ino, name: &[u8]) -> ();
    fn rename(from: (Ino, &[u8]), to: (Ino, &[u8]), how: Rename) -> ();
    fn setattr(ino: Ino, set: &SetAttr) -> Attr;
    fn write(ino: Ino, off: u64, bytes: &[u8]) -> ();
    fn append(ino: Ino, bytes: &[u8]) -> u64;
    fn replace(ino: Ino, bytes: &[u8]) -> ();
    fn punch(ino: Ino, start: u64, end: u64) -> ();
    fn setxattr(ino: Ino, name: &[u8], value: &[u8], how: SetXattr) -> ();
    fn removexattr(ino: Ino, name: &[u8]) -> ();
}
