//! Paths, on the raw backend: nobody resolves them before.

use crate::checks;

checks! {
    dots_and_slashes_are_walked_and_never_leave_the_root
    every_byte_but_slash_and_nul_can_be_in_a_name
    what_is_no_path_is_an_error_and_never_a_panic
    links_are_followed_forty_times_and_loops_end
    a_path_and_its_plain_form_lead_to_one_directory
    the_trait_crates_own_resolver_agrees
    names_of_255_bytes_and_targets_of_4095_are_the_longest
    paths_of_a_hundred_kilobytes_end
    what_lies_at_the_end_of_a_symlink_bomb_is_not_looked_for
}

mod check {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use anyfs_backend::{FsError, FsExt, FsFuse, FsPath};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use crate::p;

    pub(super) fn dots_and_slashes_are_walked_and_never_leave_the_root(fs: &dyn FsFuse) {
        fs.create_dir_all(p("/foo/bar")).unwrap();
        fs.write(p("/bar"), b"top").unwrap();
        fs.write(p("/foo/bar/f"), b"deep").unwrap();
        for path in ["/foo/../bar", "/bar/", "/./bar", "//bar", "/../../../bar", "bar", "./bar", "/foo/bar/../../bar"] {
            assert_eq!(fs.read(p(path)).unwrap(), b"top", "{path}");
        }
        for path in ["/foo/./bar/f", "//foo//bar//f", "/foo/bar/../bar/f"] {
            assert_eq!(fs.read(p(path)).unwrap(), b"deep", "{path}");
        }
        assert!(matches!(fs.read(p("/bar/../bar")), Err(FsError::NotADirectory { .. })), "a file has no ..");
        assert!(matches!(fs.read(p("/none/../bar")), Err(FsError::NotFound { .. })));
    }

    pub(super) fn every_byte_but_slash_and_nul_can_be_in_a_name(fs: &dyn FsFuse) {
        for byte in 1..=255u8 {
            let name = [b'/', b'n', byte];
            let path = Path::new(OsStr::from_bytes(&name));
            if byte == b'/' {
                continue;
            }
            fs.write(path, &[byte]).unwrap();
            assert_eq!(fs.read(path).unwrap(), [byte]);
        }
        let entries = fs.read_dir(p("/")).unwrap().collect_all().unwrap();
        assert_eq!(entries.len(), 254);
        for entry in entries {
            assert_eq!(fs.read(&entry.path).unwrap().len(), 1, "paths are exact where names cannot be");
            assert_eq!(fs.inode_to_path(entry.inode).unwrap(), entry.path);
        }
    }

    pub(super) fn what_is_no_path_is_an_error_and_never_a_panic(fs: &dyn FsFuse) {
        let long = format!("/{}", "n".repeat(256));
        let deep = "/d".repeat(50_000);
        for path in ["", "\0", "/a\0b", &long] {
            assert!(fs.read(p(path)).is_err(), "{path:?}");
            assert!(fs.write(p(path), b"x").is_err(), "{path:?}");
            assert!(fs.create_dir(p(path)).is_err(), "{path:?}");
            assert!(fs.create_dir_all(p(path)).is_err(), "{path:?}");
            assert!(fs.remove_dir_all(p(path)).is_err(), "{path:?}");
            assert!(fs.symlink(p("x"), p(path)).is_err(), "{path:?}");
        }
        assert!(matches!(fs.read(p("")), Err(FsError::InvalidData { .. })));
        let too_long = fs.write(p(&long), b"x");
        assert!(
            matches!(&too_long, Err(FsError::Io { source, .. }) if source.raw_os_error() == Some(36)),
            "{too_long:?}"
        );
        assert!(matches!(fs.read(p(&deep)), Err(FsError::NotFound { .. })));
        fs.write(p(&format!("/{}", "n".repeat(255))), b"x").unwrap();
    }

    pub(super) fn links_are_followed_forty_times_and_loops_end(fs: &dyn FsFuse) {
        fs.write(p("/0"), b"end").unwrap();
        for n in 1..=100 {
            fs.symlink(p(&format!("{}", n - 1)), p(&format!("/{n}"))).unwrap();
        }
        assert_eq!(fs.read(p("/40")).unwrap(), b"end");
        let eloop = |path: &str| {
            let result = fs.read(p(path));
            assert!(
                matches!(&result, Err(FsError::Io { source, .. }) if source.raw_os_error() == Some(40)),
                "{result:?}"
            );
        };
        eloop("/41");
        eloop("/100");
        fs.symlink(p("self"), p("/self")).unwrap();
        fs.symlink(p("/b"), p("/a")).unwrap();
        fs.symlink(p("/a"), p("/b")).unwrap();
        for path in ["/self", "/a", "/a/x"] {
            eloop(path);
            assert!(fs.write(p(path), b"x").is_err());
        }
        // Each doubles the steps of the one before, if hops were counted by nesting.
        fs.create_dir(p("/bomb")).unwrap();
        fs.symlink(p("."), p("/bomb/0")).unwrap();
        for n in 1..=60 {
            let below = n - 1;
            fs.symlink(p(&format!("{below}/../bomb/{below}")), p(&format!("/bomb/{n}"))).unwrap();
        }
        eloop("/bomb/60");
    }

    /// `.`, `..` and slashes taken out, as the seed table says, without links.
    fn plain(path: &str) -> String {
        let mut names: Vec<&str> = Vec::new();
        for name in path.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                name => names.push(name),
            }
        }
        format!("/{}", names.join("/"))
    }

    pub(super) fn a_path_and_its_plain_form_lead_to_one_directory(fs: &dyn FsFuse) {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
        let part =
            prop_oneof![3 => "[ab]", 1 => Just(".".to_owned()), 1 => Just("..".to_owned()), 1 => Just(String::new())];
        let checked = runner.run(&prop::collection::vec(part, 1..12), |parts| {
            let path = format!("/{}", parts.join("/"));
            fs.create_dir_all(p(&path)).unwrap();
            let found = fs.path_to_inode(p(&path)).unwrap();
            prop_assert_eq!(fs.path_to_inode(p(&plain(&path))).unwrap(), found);
            prop_assert_eq!(fs.path_to_inode(p(path.trim_start_matches('/')).join(".").as_path()).unwrap(), found);
            prop_assert!(fs.inode_to_path(found).unwrap() == p(&plain(&path)));
            Ok(())
        });
        checked.unwrap();
    }

    pub(super) fn the_trait_crates_own_resolver_agrees(fs: &impl FsFuse) {
        fs.create_dir_all(p("/a/b")).unwrap();
        fs.write(p("/a/b/f"), b"12345").unwrap();
        fs.symlink(p("../b/./f"), p("/a/b/l")).unwrap();
        fs.symlink(p("/a/b"), p("/d")).unwrap();
        for path in ["/d/l", "/a/../d/f", "/d/../b/l", "//a//b//f"] {
            let canonical = fs.canonicalize(p(path)).unwrap();
            assert_eq!(canonical, p("/a/b/f"), "{path}");
            assert_eq!(fs.path_to_inode(p(path)).unwrap(), fs.path_to_inode(&canonical).unwrap());
        }
        assert_eq!(fs.soft_canonicalize(p("/d/new")).unwrap(), p("/a/b/new"));
        assert!(matches!(fs.canonicalize(p("/d/new")), Err(FsError::NotFound { .. })));
        assert!(fs.is_file(p("/d/l")).unwrap() && !fs.is_dir(p("/d/l")).unwrap() && !fs.is_symlink(p("/d/l")).unwrap());
        assert!(fs.is_dir(p("/d")).unwrap() && !fs.is_file(p("/none")).unwrap());
        assert_eq!(fs.file_size(p("/d/l")).unwrap(), 5);
    }

    pub(super) fn names_of_255_bytes_and_targets_of_4095_are_the_longest(fs: &dyn FsFuse) {
        let errno = |result: Result<(), FsError>| match result {
            Err(FsError::Io { source, .. }) => source.raw_os_error(),
            other => panic!("{other:?}"),
        };
        let (longest, longer) = (format!("/{}", "n".repeat(255)), format!("/{}", "n".repeat(256)));
        fs.write(p(&longest), b"x").unwrap();
        let moved = longest.replace('n', "m");
        fs.rename(p(&longest), p(&moved)).unwrap();
        fs.hard_link(p(&moved), p(&longest)).unwrap();
        assert_eq!(errno(fs.write(p(&longer), b"x")), Some(36));
        assert_eq!(errno(fs.rename(p(&longest), p(&longer))), Some(36));
        assert_eq!(errno(fs.hard_link(p(&longest), p(&longer))), Some(36));
        assert_eq!(errno(fs.create_dir(p(&longer))), Some(36));
        assert_eq!(errno(fs.symlink(p("x"), p(&longer))), Some(36));
        assert_eq!(errno(fs.read(p(&format!("{longer}/x"))).map(drop)), Some(36));
        let target = format!("/{}", "./".repeat(2043)) + "nnnnnnnn";
        assert_eq!(target.len(), 4095);
        fs.write(p("/nnnnnnnn"), b"end").unwrap();
        fs.symlink(p(&target), p("/far")).unwrap();
        assert_eq!(fs.read_link(p("/far")).unwrap(), p(&target));
        assert_eq!(fs.symlink_metadata(p("/far")).unwrap().size, 4095);
        assert_eq!(fs.read(p("/far")).unwrap(), b"end");
        for refused in [format!("{target}n"), String::new(), "a\0b".to_owned()] {
            assert!(fs.symlink(p(&refused), p("/refused")).is_err());
        }
        assert!(!fs.exists(p("/refused")).unwrap());
    }

    pub(super) fn paths_of_a_hundred_kilobytes_end(fs: &dyn FsFuse) {
        let deep = "/d".repeat(51_200);
        assert!(matches!(fs.create_dir(p(&deep)), Err(FsError::NotFound { .. })));
        fs.create_dir_all(p(&deep)).unwrap();
        fs.create_dir_all(p(&deep)).unwrap();
        fs.write(p(&format!("{deep}/f")), b"deep").unwrap();
        assert_eq!(fs.read(p(&format!("{deep}/./f"))).unwrap(), b"deep");
        let up = format!("{deep}{}", "/..".repeat(51_199));
        assert_eq!(fs.inode_to_path(fs.path_to_inode(p(&up)).unwrap()).unwrap(), p("/d"));
        assert_eq!(fs.path_to_inode(p(&"/..".repeat(34_134))).unwrap(), 1);
        assert_eq!(fs.path_to_inode(p(&"/".repeat(102_400))).unwrap(), 1);
        assert_eq!(fs.path_to_inode(p(&"/.".repeat(51_200))).unwrap(), 1);
        let below = fs.path_to_inode(p(&format!("{deep}/f"))).unwrap();
        assert_eq!(fs.inode_to_path(below).unwrap(), p(&format!("{deep}/f")));
        fs.rename(p(&deep), p("/e")).unwrap();
        assert_eq!(fs.read(p("/e/f")).unwrap(), b"deep");
        fs.remove_dir_all(p("/d")).unwrap();
        let two_megabytes = "/d".repeat(1 << 20);
        assert!(fs.create_dir_all(p(&two_megabytes)).is_err(), "a path has at most 1 MiB");
        assert_eq!(fs.read_dir(p("/")).unwrap().count(), 1);
    }

    /// Every link of the chain goes through the one before it twice: without one count for the whole walk its end is
    /// 2^60 steps away. That this test ends is what it shows.
    pub(super) fn what_lies_at_the_end_of_a_symlink_bomb_is_not_looked_for(fs: &dyn FsFuse) {
        fs.create_dir(p("/b")).unwrap();
        fs.symlink(p("."), p("/b/0")).unwrap();
        for n in 1..=60 {
            let below = n - 1;
            fs.symlink(p(&format!("{below}/{below}")), p(&format!("/b/{n}"))).unwrap();
        }
        // 2^(n+1) - 1 hops: 31 are allowed, 63 are not.
        fs.write(p("/b/f"), b"x").unwrap();
        assert_eq!(fs.read(p("/b/4/f")).unwrap(), b"x");
        for n in [5, 20, 60] {
            let bomb = format!("/b/{n}/f");
            for error in [
                fs.read(p(&bomb)).map(drop).unwrap_err(),
                fs.write(p(&bomb), b"x").unwrap_err(),
                fs.create_dir_all(p(&bomb)).unwrap_err(),
                fs.remove_dir_all(p(&bomb)).unwrap_err(),
                fs.rename(p("/b/f"), p(&bomb)).unwrap_err(),
            ] {
                assert!(matches!(&error, FsError::Io { source, .. } if source.raw_os_error() == Some(40)), "{error:?}");
            }
        }
        // The same with targets as long as they may be: forty of them, each to the next with two thousand detours.
        fs.write(p("/0"), b"end").unwrap();
        for n in 1..=41 {
            let target = format!("{}{}", "./".repeat(2040), n - 1);
            fs.symlink(p(&target), p(&format!("/{n}"))).unwrap();
        }
        assert_eq!(fs.read(p("/40")).unwrap(), b"end");
        assert!(fs.read(p("/41")).is_err());
    }
}
