//! `FsFull` and `FsFuse`: links, permissions, sync, space, inodes.

use crate::checks;

checks! {
    links_keep_their_target_and_hard_links_share
    permissions_are_set_through_links
    syncing_what_is_there_works
    space_is_told_and_follows_what_is_stored
    inodes_and_paths_lead_to_each_other
}

mod check {
    use std::ffi::OsStr;

    use anyfs_backend::{FileType, FsError, FsFuse, Permissions};

    use crate::p;

    pub(super) fn links_keep_their_target_and_hard_links_share(fs: &dyn FsFuse) {
        fs.write(p("/f"), b"x").unwrap();
        fs.symlink(p("../any/where"), p("/l")).unwrap();
        assert_eq!(fs.read_link(p("/l")).unwrap(), p("../any/where"));
        assert_eq!(fs.symlink_metadata(p("/l")).unwrap().file_type, FileType::Symlink);
        assert!(matches!(fs.metadata(p("/l")), Err(FsError::NotFound { .. })));
        assert!(matches!(fs.read_link(p("/f")), Err(FsError::InvalidData { .. })));
        assert!(matches!(fs.symlink(p("x"), p("/f")), Err(FsError::AlreadyExists { .. })));
        fs.hard_link(p("/f"), p("/g")).unwrap();
        fs.append(p("/g"), b"y").unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"xy");
        assert_eq!(fs.metadata(p("/f")).unwrap().nlink, 2);
        fs.remove_file(p("/f")).unwrap();
        assert_eq!(fs.read(p("/g")).unwrap(), b"xy");
        fs.create_dir(p("/d")).unwrap();
        assert!(matches!(fs.hard_link(p("/d"), p("/e")), Err(FsError::NotAFile { .. })));
        assert!(matches!(fs.hard_link(p("/none"), p("/e")), Err(FsError::NotFound { .. })));
        fs.symlink(p("/new"), p("/to new")).unwrap();
        fs.write(p("/to new"), b"made where the link points").unwrap();
        assert_eq!(fs.read(p("/new")).unwrap(), b"made where the link points");
    }

    pub(super) fn permissions_are_set_through_links(fs: &dyn FsFuse) {
        fs.write(p("/f"), b"x").unwrap();
        fs.symlink(p("f"), p("/l")).unwrap();
        fs.set_permissions(p("/l"), Permissions::from_mode(0o4751)).unwrap();
        assert_eq!(fs.metadata(p("/f")).unwrap().permissions.mode(), 0o4751);
        assert_eq!(fs.symlink_metadata(p("/l")).unwrap().permissions.mode(), 0o777);
        fs.write(p("/f"), b"changed").unwrap();
        assert_eq!(fs.metadata(p("/f")).unwrap().permissions.mode(), 0o751, "set-user-id goes with a write");
        let missing = fs.set_permissions(p("/none"), Permissions::from_mode(0));
        assert!(matches!(missing, Err(FsError::NotFound { .. })));
    }

    pub(super) fn syncing_what_is_there_works(fs: &dyn FsFuse) {
        fs.write(p("/f"), b"x").unwrap();
        fs.fsync(p("/f")).unwrap();
        fs.fsync(p("/")).unwrap();
        fs.sync().unwrap();
        assert!(matches!(fs.fsync(p("/none")), Err(FsError::NotFound { .. })));
    }

    pub(super) fn space_is_told_and_follows_what_is_stored(fs: &dyn FsFuse) {
        let before = fs.statfs().unwrap();
        assert!(before.block_size > 0 && before.available_bytes <= before.total_bytes && before.max_name_len == 255);
        fs.write(p("/f"), &vec![1; 1_000_000]).unwrap();
        let after = fs.statfs().unwrap();
        assert_eq!(before.available_bytes - after.available_bytes, 1_000_000);
        fs.copy(p("/f"), p("/g")).unwrap();
        fs.sync().unwrap();
        assert_eq!(fs.statfs().unwrap().available_bytes, after.available_bytes, "a copy shares");
        let full = fs.write(p("/h"), &vec![1; usize::try_from(after.available_bytes).unwrap() + 1]);
        let Err(FsError::Io { source, operation: "write", .. }) = full else { panic!("{full:?}") };
        assert_eq!(source.raw_os_error(), Some(28));
        assert_eq!(fs.read(p("/g")).unwrap().len(), 1_000_000);
    }

    pub(super) fn inodes_and_paths_lead_to_each_other(fs: &dyn FsFuse) {
        assert_eq!(fs.path_to_inode(p("/")).unwrap(), 1);
        assert_eq!(fs.inode_to_path(1).unwrap(), p("/"));
        fs.create_dir_all(p("/a/b")).unwrap();
        fs.write(p("/a/b/f"), b"12").unwrap();
        let ino = fs.path_to_inode(p("/a/b/f")).unwrap();
        assert_eq!(fs.inode_to_path(ino).unwrap(), p("/a/b/f"));
        assert_eq!(fs.lookup(fs.path_to_inode(p("/a/b")).unwrap(), OsStr::new("f")).unwrap(), ino);
        assert_eq!(fs.lookup(1, OsStr::new("..")).unwrap(), 1);
        assert_eq!(fs.metadata_by_inode(ino).unwrap().size, 2);
        fs.hard_link(p("/a/b/f"), p("/g")).unwrap();
        assert_eq!(fs.path_to_inode(p("/g")).unwrap(), ino);
        fs.remove_file(p("/a/b/f")).unwrap();
        assert_eq!(fs.inode_to_path(ino).unwrap(), p("/g"), "the name that is left");
        fs.rename(p("/a/b"), p("/c")).unwrap();
        let moved = fs.path_to_inode(p("/c")).unwrap();
        assert_eq!(fs.inode_to_path(moved).unwrap(), p("/c"));
        fs.remove_file(p("/g")).unwrap();
        for result in [fs.inode_to_path(ino).map(drop), fs.metadata_by_inode(ino).map(drop)] {
            assert!(matches!(result, Err(FsError::InodeNotFound { inode }) if inode == ino), "{result:?}");
        }
        assert!(matches!(fs.lookup(99_999, OsStr::new("x")), Err(FsError::InodeNotFound { .. })));
        assert!(matches!(fs.lookup(1, OsStr::new("none")), Err(FsError::NotFound { .. })));
    }
}
