//! `Fs`: reading, writing, directories.

use crate::checks;

checks! {
    reading_gives_bytes_ranges_and_errors_by_kind
    text_must_be_utf8
    metadata_says_type_size_and_follows_links
    writing_creates_replaces_and_needs_a_parent
    appending_creates_and_extends
    removing_takes_files_only
    renaming_replaces_and_needs_a_source
    copying_shares_nothing_visible
    truncating_shrinks_and_extends_with_zeros
    streams_read_and_write_whole_files
    directories_are_made_one_by_one_or_all
    listing_names_types_and_paths
    directories_go_when_empty_or_with_all_they_hold
    the_root_stays
    odd_names_are_names
    large_contents_are_replaced_by_small_ones_and_back
    a_range_that_memory_cannot_hold_is_an_error
    errors_name_the_path_and_the_operation
    a_path_of_many_names_leads_to_its_file
    what_is_written_is_read_whatever_the_name_and_the_bytes
}

mod check {
    use std::io::{Read, Write};

    use anyfs_backend::{FileType, Fs, FsError, FsFull};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use crate::p;

    fn not_found<T: std::fmt::Debug>(result: &Result<T, FsError>, path: &str) {
        assert!(matches!(result, Err(FsError::NotFound { path: found }) if found == p(path)), "{result:?}");
    }

    pub(super) fn reading_gives_bytes_ranges_and_errors_by_kind(fs: &dyn Fs) {
        fs.write(p("/f"), b"0123456789").unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"0123456789");
        for (off, len, expected) in [(0, 10, "0123456789"), (3, 4, "3456"), (8, 99, "89"), (10, 1, ""), (99, 5, "")] {
            assert_eq!(fs.read_range(p("/f"), off, len).unwrap(), expected.as_bytes());
        }
        assert_eq!(fs.read_range(p("/f"), u64::MAX, usize::MAX).unwrap(), b"");
        not_found(&fs.read(p("/none")), "/none");
        fs.create_dir(p("/d")).unwrap();
        assert!(matches!(fs.read(p("/d")), Err(FsError::NotAFile { .. })));
        for (path, there) in [("/f", true), ("/d", true), ("/", true), ("/none", false), ("/f/x", false)] {
            assert_eq!(fs.exists(p(path)).unwrap(), there, "{path}");
        }
    }

    pub(super) fn text_must_be_utf8(fs: &dyn Fs) {
        fs.write(p("/t"), "grüß".as_bytes()).unwrap();
        assert_eq!(fs.read_to_string(p("/t")).unwrap(), "grüß");
        fs.write(p("/t"), &[0xff, 0xfe]).unwrap();
        assert!(matches!(fs.read_to_string(p("/t")), Err(FsError::InvalidData { .. })));
    }

    pub(super) fn metadata_says_type_size_and_follows_links(fs: &dyn FsFull) {
        fs.write(p("/f"), b"12345").unwrap();
        fs.symlink(p("f"), p("/l")).unwrap();
        let (file, link) = (fs.metadata(p("/f")).unwrap(), fs.metadata(p("/l")).unwrap());
        assert_eq!((file.file_type, file.size, file.nlink, file.permissions.mode()), (FileType::File, 5, 1, 0o644));
        assert_eq!(file.inode, link.inode);
        let root = fs.metadata(p("/")).unwrap();
        assert_eq!((root.file_type, root.size, root.inode), (FileType::Directory, 0, 1));
        not_found(&fs.metadata(p("/none")), "/none");
        assert!(file.modified <= std::time::SystemTime::now() && file.created > std::time::UNIX_EPOCH);
    }

    pub(super) fn writing_creates_replaces_and_needs_a_parent(fs: &dyn Fs) {
        fs.write(p("/f"), b"first and long").unwrap();
        fs.write(p("/f"), b"second").unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"second");
        fs.write(p("/f"), b"").unwrap();
        assert_eq!(fs.metadata(p("/f")).unwrap().size, 0);
        not_found(&fs.write(p("/no/f"), b"x"), "/no/f");
        fs.create_dir(p("/d")).unwrap();
        assert!(matches!(fs.write(p("/d"), b"x"), Err(FsError::NotAFile { .. })));
        assert!(matches!(fs.write(p("/f/x"), b"x"), Err(FsError::NotADirectory { .. })));
    }

    pub(super) fn appending_creates_and_extends(fs: &dyn Fs) {
        fs.append(p("/f"), b"one ").unwrap();
        fs.append(p("/f"), b"two").unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"one two");
    }

    pub(super) fn removing_takes_files_only(fs: &dyn Fs) {
        fs.write(p("/f"), b"x").unwrap();
        fs.remove_file(p("/f")).unwrap();
        not_found(&fs.remove_file(p("/f")), "/f");
        not_found(&fs.read(p("/f")), "/f");
        fs.create_dir(p("/d")).unwrap();
        assert!(matches!(fs.remove_file(p("/d")), Err(FsError::NotAFile { .. })));
    }

    pub(super) fn renaming_replaces_and_needs_a_source(fs: &dyn Fs) {
        fs.write(p("/a"), b"a").unwrap();
        fs.write(p("/b"), b"b").unwrap();
        fs.rename(p("/a"), p("/b")).unwrap();
        assert_eq!(fs.read(p("/b")).unwrap(), b"a");
        not_found(&fs.rename(p("/a"), p("/c")), "/a");
        fs.create_dir_all(p("/d/e")).unwrap();
        assert!(matches!(fs.rename(p("/d"), p("/d/e/f")), Err(FsError::InvalidData { .. })));
        fs.rename(p("/d/e"), p("/e")).unwrap();
        fs.rename(p("/b"), p("/b")).unwrap();
        assert_eq!(fs.read(p("/b")).unwrap(), b"a");
    }

    pub(super) fn copying_shares_nothing_visible(fs: &dyn Fs) {
        let data: Vec<u8> = (0..300_000u32).map(|n| n.to_le_bytes()[1]).collect();
        fs.write(p("/a"), &data).unwrap();
        fs.write(p("/b"), b"longer than nothing").unwrap();
        fs.copy(p("/a"), p("/b")).unwrap();
        fs.copy(p("/a"), p("/a")).unwrap();
        fs.append(p("/a"), b"more").unwrap();
        fs.truncate(p("/a"), 10).unwrap();
        assert_eq!(fs.read(p("/b")).unwrap(), data);
        not_found(&fs.copy(p("/none"), p("/c")), "/none");
        fs.create_dir(p("/d")).unwrap();
        assert!(matches!(fs.copy(p("/d"), p("/c")), Err(FsError::NotAFile { .. })));
    }

    pub(super) fn truncating_shrinks_and_extends_with_zeros(fs: &dyn Fs) {
        fs.write(p("/f"), b"12345").unwrap();
        fs.truncate(p("/f"), 2).unwrap();
        fs.truncate(p("/f"), 4).unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"12\0\0");
        fs.truncate(p("/f"), 0).unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"");
        not_found(&fs.truncate(p("/none"), 1), "/none");
    }

    pub(super) fn streams_read_and_write_whole_files(fs: &dyn Fs) {
        let mut writer = fs.open_write(p("/f")).unwrap();
        for n in 0..100u8 {
            writer.write_all(&[n; 1000]).unwrap();
        }
        drop(writer);
        let mut reader = fs.open_read(p("/f")).unwrap();
        fs.remove_file(p("/f")).unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.len(), bytes[0], bytes[99_999]), (100_000, 0, 99), "an open file outlives its name");
        fs.create_dir(p("/d")).unwrap();
        assert!(matches!(fs.open_read(p("/d")), Err(FsError::NotAFile { .. })));
        not_found(&fs.open_write(p("/no/f")).map(drop), "/no/f");
    }

    pub(super) fn directories_are_made_one_by_one_or_all(fs: &dyn Fs) {
        fs.create_dir(p("/a")).unwrap();
        assert!(matches!(fs.create_dir(p("/a")), Err(FsError::AlreadyExists { .. })));
        not_found(&fs.create_dir(p("/x/y")), "/x/y");
        fs.create_dir_all(p("/a/b/c/d")).unwrap();
        fs.create_dir_all(p("/a/b/c/d")).unwrap();
        fs.create_dir_all(p("/")).unwrap();
        fs.create_dir_all(p("rel/x")).unwrap();
        assert!(fs.exists(p("/rel/x")).unwrap());
        fs.write(p("/f"), b"").unwrap();
        assert!(matches!(fs.create_dir_all(p("/f/x")), Err(FsError::NotADirectory { .. })));
    }

    pub(super) fn listing_names_types_and_paths(fs: &dyn Fs) {
        fs.create_dir_all(p("/d/sub")).unwrap();
        assert_eq!(fs.read_dir(p("/d/sub")).unwrap().count(), 0);
        for n in 0..1500 {
            fs.write(p(&format!("/d/{n}")), b"xyz").unwrap();
        }
        let entries = fs.read_dir(p("/d")).unwrap().collect_all().unwrap();
        assert_eq!(entries.len(), 1501);
        let one = entries.iter().find(|entry| entry.name == "7").unwrap();
        assert_eq!((one.path.as_path(), one.file_type, one.size), (p("/d/7"), FileType::File, 3));
        assert_eq!(entries.iter().filter(|entry| entry.file_type == FileType::Directory).count(), 1);
        not_found(&fs.read_dir(p("/none")).map(drop), "/none");
        assert!(matches!(fs.read_dir(p("/d/7")).map(drop), Err(FsError::NotADirectory { .. })));
        // What is removed while somebody lists is seen once or not at all, everything else once.
        let mut seen = std::collections::BTreeSet::new();
        for entry in fs.read_dir(p("/d")).unwrap() {
            let entry = entry.unwrap();
            assert!(seen.insert(entry.name.clone()), "{} twice", entry.name);
            if entry.file_type == FileType::File {
                fs.remove_file(&entry.path).unwrap();
            }
        }
        assert_eq!(seen.len(), 1501);
    }

    pub(super) fn directories_go_when_empty_or_with_all_they_hold(fs: &dyn Fs) {
        fs.create_dir_all(p("/d/e/f")).unwrap();
        fs.write(p("/d/e/x"), b"x").unwrap();
        assert!(matches!(fs.remove_dir(p("/d")), Err(FsError::DirectoryNotEmpty { .. })));
        fs.remove_dir(p("/d/e/f")).unwrap();
        fs.remove_dir_all(p("/d")).unwrap();
        for result in [fs.remove_dir(p("/d")), fs.remove_dir_all(p("/d"))] {
            not_found(&result, "/d");
        }
        fs.write(p("/f"), b"x").unwrap();
        for result in [fs.remove_dir(p("/f")), fs.remove_dir_all(p("/f"))] {
            assert!(matches!(result, Err(FsError::NotADirectory { .. })));
        }
    }

    pub(super) fn the_root_stays(fs: &dyn Fs) {
        fs.write(p("/f"), b"x").unwrap();
        for path in ["/", "//", "/.", "/..", "/f/../.."] {
            assert!(fs.remove_dir(p(path)).is_err(), "{path}");
            assert!(fs.remove_dir_all(p(path)).is_err(), "{path}");
            assert!(fs.remove_file(p(path)).is_err(), "{path}");
            assert!(fs.rename(p(path), p("/x")).is_err(), "{path}");
            assert!(fs.rename(p("/f"), p(path)).is_err(), "{path}");
        }
        assert_eq!(fs.read(p("/f")).unwrap(), b"x");
    }

    pub(super) fn odd_names_are_names(fs: &dyn Fs) {
        for name in
            ["中文", "файл", "αβγ", "with space", "a\tb", "new\nline", "-rf", "%2e%2e", "a\\b", "...", "\u{202e}"]
        {
            let path = format!("/{name}");
            fs.write(p(&path), name.as_bytes()).unwrap();
            assert_eq!(fs.read(p(&path)).unwrap(), name.as_bytes());
        }
        let mut names: Vec<_> = fs.read_dir(p("/")).unwrap().map(|entry| entry.unwrap().name).collect();
        names.sort();
        assert!(names.contains(&"new\nline".to_owned()) && names.len() == 11);
        for path in ["/%2e%2e/f", "/..\\f", "/..\\../f"] {
            assert!(fs.read(p(path)).is_err());
        }
    }

    pub(super) fn large_contents_are_replaced_by_small_ones_and_back(fs: &dyn Fs) {
        let large: Vec<u8> = (0..6_000_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        fs.write(p("/f"), &large).unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), large);
        fs.write(p("/f"), b"small").unwrap();
        assert_eq!(fs.read(p("/f")).unwrap(), b"small");
        fs.write(p("/f"), &large[1..]).unwrap();
        assert!(fs.read(p("/f")).unwrap() == large[1..]);
        fs.remove_file(p("/f")).unwrap();
    }

    pub(super) fn a_range_that_memory_cannot_hold_is_an_error(fs: &dyn Fs) {
        fs.write(p("/f"), b"start").unwrap();
        fs.truncate(p("/f"), i64::MAX as u64).unwrap();
        for result in [
            fs.read(p("/f")).map(drop),
            fs.read_to_string(p("/f")).map(drop),
            fs.read_range(p("/f"), 0, usize::MAX).map(drop),
            fs.read_range(p("/f"), 1, 1 << 62).map(drop),
        ] {
            assert!(
                matches!(&result, Err(FsError::Io { source, .. }) if source.raw_os_error() == Some(27)),
                "{result:?}"
            );
        }
        assert_eq!(fs.read_range(p("/f"), 0, 7).unwrap(), b"start\0\0");
        assert_eq!(fs.read_range(p("/f"), i64::MAX as u64 - 1, usize::MAX).unwrap(), [0]);
    }

    pub(super) fn errors_name_the_path_and_the_operation(fs: &dyn Fs) {
        fs.create_dir_all(p("/d/e")).unwrap();
        fs.write(p("/f"), b"x").unwrap();
        let exists = fs.create_dir(p("/d")).unwrap_err();
        assert!(
            matches!(&exists, FsError::AlreadyExists { path, operation: "create_dir" } if path == p("/d")),
            "{exists:?}"
        );
        let full = fs.remove_dir(p("/d")).unwrap_err();
        assert!(matches!(&full, FsError::DirectoryNotEmpty { path } if path == p("/d")), "{full:?}");
        let file = fs.read_dir(p("/f")).map(drop).unwrap_err();
        assert!(matches!(&file, FsError::NotADirectory { path } if path == p("/f")), "{file:?}");
        let dir = fs.read(p("/d/e")).unwrap_err();
        assert!(matches!(&dir, FsError::NotAFile { path } if path == p("/d/e")), "{dir:?}");
        for error in [exists, full, file, dir] {
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains('/'), "{text}");
        }
    }

    pub(super) fn a_path_of_many_names_leads_to_its_file(fs: &dyn Fs) {
        let dir = (0..300).fold(String::new(), |dir, n| dir + &format!("/level {n}"));
        fs.create_dir_all(p(&dir)).unwrap();
        let file = format!("{dir}/f");
        fs.write(p(&file), b"deep").unwrap();
        assert_eq!(fs.read(p(&file)).unwrap(), b"deep");
        let back = format!("{dir}{}", "/..".repeat(299));
        assert_eq!(fs.read_dir(p(&back)).unwrap().next().unwrap().unwrap().name, "level 1");
        fs.remove_dir_all(p("/level 0")).unwrap();
        assert_eq!(fs.read_dir(p("/")).unwrap().count(), 0);
    }

    pub(super) fn what_is_written_is_read_whatever_the_name_and_the_bytes(fs: &dyn Fs) {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(64) });
        let path = "[^/\0]{1,60}".prop_filter("no name", |name| name != "." && name != ".." && name.len() < 256);
        let bytes = prop::collection::vec(any::<u8>(), 0..5000);
        let written = runner.run(&(path, bytes.clone(), bytes), |(name, first, second)| {
            let path = format!("/{name}");
            fs.write(p(&path), &first).unwrap();
            prop_assert_eq!(&fs.read(p(&path)).unwrap(), &first);
            fs.append(p(&path), &second).unwrap();
            prop_assert_eq!(fs.metadata(p(&path)).unwrap().size, (first.len() + second.len()) as u64);
            prop_assert_eq!(fs.read_range(p(&path), first.len() as u64, 9999).unwrap(), second);
            fs.remove_file(p(&path)).unwrap();
            prop_assert!(!fs.exists(p(&path)).unwrap());
            Ok(())
        });
        written.unwrap();
    }
}
