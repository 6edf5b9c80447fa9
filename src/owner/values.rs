//! The types of a volume's operations as bytes.

use std::time::Duration;

use lv::{
    Attr, DirEntry, Ino, Kind, Meters, NewNode, Parent, PvMeters, Rename, Seek, SetAttr, SetXattr, StatFs, Timings,
    Usage,
};

use super::wire::{Choice, Put, Take, choices};

/// The fields of a structure, one after the other.
macro_rules! fields {
    ($type:ty { $($field:ident),* }) => {
        impl Put for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
        }

        impl Take for $type {
            fn take(from: &mut &[u8]) -> Option<Self> {
                $(let $field = Take::take(from)?;)*
                Some(Self { $($field),* })
            }
        }
    };
}

fields!(Attr { ino, kind, mode, uid, gid, nlink, size, stored, atime, mtime, ctime, btime, rdev });
fields!(NewNode { kind, mode, uid, gid, rdev });
fields!(SetAttr { mode, uid, gid, size, atime, mtime, ctime });
fields!(DirEntry { cookie, name, ino, kind });
fields!(Parent { ino, name });
fields!(StatFs { total, used, free, files, name_max });
fields!(Timings { count, timed, nanos, buckets });
fields!(PvMeters { path, reads, read_bytes, writes, written_bytes });
fields!(Meters {
    elapsed,
    read,
    write,
    sync,
    metadata,
    read_bytes,
    written_bytes,
    cache_hits,
    cache_misses,
    commits,
    txg,
    last_commit,
    committed_at,
    pvs
});
fields!(Usage { dirty_bytes, intent_bytes, rows, cache_bytes, log_bytes, free_extents, quarantined_extents });

choices!(Kind { File, Directory, Symlink, Fifo, Socket, CharDevice, BlockDevice });
choices!(Rename { Replace, Keep, Exchange });
choices!(Seek { Data, Hole });
choices!(SetXattr { Any, Create, Replace });

impl Put for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).put(out);
    }
}

impl Take for Duration {
    fn take(from: &mut &[u8]) -> Option<Self> {
        u64::take(from).map(Self::from_nanos)
    }
}

impl Put for Ino {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
}

impl Take for Ino {
    fn take(from: &mut &[u8]) -> Option<Self> {
        u64::take(from).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::take_all;
    use super::*;

    fn again<T: Put + Take>(value: &T) -> Option<T> {
        let mut out = Vec::new();
        value.put(&mut out);
        take_all(&out)
    }

    #[test]
    fn every_field_and_every_choice_comes_through() {
        let attr = Attr {
            ino: Ino(1),
            kind: Kind::Symlink,
            mode: 2,
            uid: 3,
            gid: 4,
            nlink: 5,
            size: 6,
            stored: 7,
            atime: -8,
            mtime: 9,
            ctime: 10,
            btime: 11,
            rdev: 12,
        };
        assert_eq!(again(&attr), Some(attr));
        for kind in Kind::ALL {
            assert_eq!(again(kind), Some(*kind));
        }
        let set = SetAttr { size: Some(u64::MAX), mtime: Some(-1), ..SetAttr::default() };
        assert_eq!(again(&set), Some(set));
        let entry = DirEntry { cookie: 1, name: b"a\xff".to_vec(), ino: Ino(3), kind: Kind::File };
        assert_eq!(again(&vec![(entry.clone(), attr)]), Some(vec![(entry, attr)]));
        let node = NewNode { kind: Kind::BlockDevice, mode: 1, uid: 2, gid: 3, rdev: 4 };
        assert_eq!(again(&node), Some(node));
    }

    #[test]
    fn choices_that_do_not_exist_are_refused() {
        assert_eq!(take_all::<Seek>(&2u16.to_le_bytes()), None);
        assert_eq!(take_all::<Kind>(&u16::MAX.to_le_bytes()), None);
        // Far more than a message has bytes.
        assert_eq!(take_all::<Vec<Ino>>(&u32::MAX.to_le_bytes()), None);
    }
}
