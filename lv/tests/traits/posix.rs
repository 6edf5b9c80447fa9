//! `FsPosix`: handles, locks, extended attributes.

use crate::checks;

checks! {
    handles_read_write_append_and_end
    an_open_with_truncate_empties_and_one_without_does_not
    shared_locks_go_together_and_exclusive_ones_alone
    extended_attributes_are_set_replaced_listed_and_removed
}

mod check {
    use anyfs_backend::{FsError, FsPosix, Handle, LockType, OpenFlags};

    use crate::p;

    pub(super) fn handles_read_write_append_and_end(fs: &dyn FsPosix) {
        assert!(matches!(fs.open(p("/f"), OpenFlags::READ), Err(FsError::NotFound { .. })));
        let writer = fs.open(p("/f"), OpenFlags::WRITE).unwrap();
        assert_eq!(fs.write_at(writer, b"0123456789", 0).unwrap(), 10);
        assert_eq!(fs.write_at(writer, b"x", 20).unwrap(), 1);
        let mut bytes = [9; 8];
        assert!(matches!(fs.read_at(writer, &mut bytes, 0), Err(FsError::PermissionDenied { .. })));
        let reader = fs.open(p("/f"), OpenFlags::READ).unwrap();
        assert_eq!(fs.read_at(reader, &mut bytes, 15).unwrap(), 6);
        assert_eq!(bytes, [0, 0, 0, 0, 0, b'x', 9, 9]);
        assert_eq!(fs.read_at(reader, &mut bytes, 21).unwrap(), 0);
        assert!(matches!(fs.write_at(reader, b"x", 0), Err(FsError::PermissionDenied { .. })));
        let appender = fs.open(p("/f"), OpenFlags::APPEND).unwrap();
        fs.write_at(appender, b"end", 0).unwrap();
        assert_eq!(fs.read(p("/f")).unwrap().len(), 24);
        fs.remove_file(p("/f")).unwrap();
        assert_eq!(fs.read_at(reader, &mut bytes, 21).unwrap(), 3, "an open file outlives its name");
        for handle in [writer, reader, appender] {
            fs.close(handle).unwrap();
            assert!(matches!(fs.close(handle), Err(FsError::InvalidHandle { .. })));
        }
        assert!(matches!(fs.read_at(reader, &mut bytes, 0), Err(FsError::InvalidHandle { .. })));
        fs.create_dir(p("/d")).unwrap();
        assert!(matches!(fs.open(p("/d"), OpenFlags::READ), Err(FsError::NotAFile { .. })));
    }

    pub(super) fn an_open_with_truncate_empties_and_one_without_does_not(fs: &dyn FsPosix) {
        fs.write(p("/f"), b"kept").unwrap();
        fs.close(fs.open(p("/f"), OpenFlags::READ_WRITE).unwrap()).unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"kept");
        fs.close(fs.open(p("/f"), OpenFlags::WRITE).unwrap()).unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"");
    }

    pub(super) fn shared_locks_go_together_and_exclusive_ones_alone(fs: &dyn FsPosix) {
        fs.write(p("/f"), b"x").unwrap();
        let open = || fs.open(p("/f"), OpenFlags::READ_WRITE).unwrap();
        let (a, b, c) = (open(), open(), open());
        fs.lock(a, LockType::Shared).unwrap();
        assert!(fs.try_lock(b, LockType::Shared).unwrap());
        assert!(!fs.try_lock(c, LockType::Exclusive).unwrap());
        assert!(!fs.try_lock(a, LockType::Exclusive).unwrap(), "another reader stands in the way");
        fs.unlock(b).unwrap();
        assert!(fs.try_lock(a, LockType::Exclusive).unwrap(), "alone, a shared lock can become exclusive");
        assert!(!fs.try_lock(b, LockType::Shared).unwrap());
        fs.close(a).unwrap();
        assert!(fs.try_lock(b, LockType::Exclusive).unwrap(), "a closed handle holds nothing");
        for result in [fs.lock(Handle(999), LockType::Shared), fs.unlock(a)] {
            assert!(matches!(result, Err(FsError::InvalidHandle { .. })));
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| fs.lock(c, LockType::Exclusive));
            std::thread::sleep(std::time::Duration::from_millis(20));
            fs.unlock(b).unwrap();
            waiting.join().unwrap().unwrap();
        });
        assert!(!fs.try_lock(b, LockType::Shared).unwrap());
    }

    pub(super) fn extended_attributes_are_set_replaced_listed_and_removed(fs: &dyn FsPosix) {
        fs.write(p("/f"), b"x").unwrap();
        fs.set_xattr(p("/f"), "user.a", b"1").unwrap();
        fs.set_xattr(p("/f"), "user.a", &[0, 255]).unwrap();
        fs.set_xattr(p("/f"), "user.b", b"").unwrap();
        assert_eq!(fs.get_xattr(p("/f"), "user.a").unwrap(), [0, 255]);
        assert_eq!(fs.list_xattr(p("/f")).unwrap(), ["user.a", "user.b"]);
        fs.remove_xattr(p("/f"), "user.a").unwrap();
        for result in [fs.get_xattr(p("/f"), "user.a").map(drop), fs.remove_xattr(p("/f"), "user.a")] {
            assert!(matches!(&result, Err(FsError::XattrNotFound { name, .. }) if name == "user.a"), "{result:?}");
        }
        assert!(matches!(fs.get_xattr(p("/none"), "user.a"), Err(FsError::NotFound { .. })));
    }
}
