//! What must not get out, get in, or never end.

use crate::checks;

checks! {
    no_path_leads_out_of_the_root
    encoded_and_foreign_separators_are_plain_bytes
    no_link_leads_out_of_the_root
    links_resolve_where_they_are_not_where_they_are_used
    loops_end_in_directories_too
    chains_far_too_long_end
    names_that_look_alike_are_different_names
    a_name_that_changes_its_target_is_walked_in_one_piece
    what_is_removed_stays_removed
}

mod check {
    use std::sync::atomic::{AtomicBool, Ordering};

    use anyfs_backend::{Fs, FsError, FsFull};

    use crate::p;

    fn not_found<T: std::fmt::Debug>(result: &Result<T, FsError>) {
        assert!(matches!(result, Err(FsError::NotFound { .. })), "{result:?}");
    }

    fn too_many_links<T: std::fmt::Debug>(result: &Result<T, FsError>) {
        assert!(matches!(result, Err(FsError::Io { source, .. }) if source.raw_os_error() == Some(40)), "{result:?}");
    }

    pub(super) fn no_path_leads_out_of_the_root(fs: &dyn Fs) {
        fs.create_dir(p("/d")).unwrap();
        for path in ["/../etc/passwd", "/d/../../../etc/passwd", "../etc/passwd", "/proc/self/root", "/dev/fd/0"] {
            not_found(&fs.read(p(path)));
            not_found(&fs.write(p(path), b"x"));
        }
        fs.write(p("/d/../../in"), b"stays in").unwrap();
        assert_eq!(fs.read(p("/in")).unwrap(), b"stays in");
        assert_eq!(fs.read_dir(p("/..")).unwrap().count(), 2);
    }

    pub(super) fn encoded_and_foreign_separators_are_plain_bytes(fs: &dyn Fs) {
        fs.create_dir(p("/d")).unwrap();
        fs.write(p("/secret"), b"x").unwrap();
        for path in ["/d/%2e%2e/secret", "/d/%252e%252e/secret", "/d/..%2fsecret", "/d\\..\\secret", "/d/..\\../secret"]
        {
            assert!(fs.read(p(path)).is_err(), "{path}");
        }
        for path in ["/a\0", "/\u{30a2}\0b", "/d/\0/../secret", "/secret\0.txt"] {
            assert!(matches!(fs.write(p(path), b"x"), Err(FsError::InvalidData { .. })), "{path:?}");
            assert!(fs.read(p(path)).is_err(), "{path:?}");
        }
        assert_eq!(fs.read_dir(p("/")).unwrap().count(), 2);
    }

    pub(super) fn no_link_leads_out_of_the_root(fs: &dyn FsFull) {
        fs.create_dir(p("/d")).unwrap();
        for (n, target) in
            ["/etc/passwd", "../../../../etc/passwd", "/../etc/passwd", "d/../../etc/passwd"].iter().enumerate()
        {
            let link = format!("/l{n}");
            fs.symlink(p(target), p(&link)).unwrap();
            not_found(&fs.read(p(&link)));
            assert_eq!(fs.read_link(p(&link)).unwrap(), p(target), "the target is kept as it is");
        }
        fs.create_dir(p("/etc")).unwrap();
        fs.write(p("/etc/passwd"), b"the volume's own").unwrap();
        for n in 0..4 {
            assert_eq!(fs.read(p(&format!("/l{n}"))).unwrap(), b"the volume's own");
        }
    }

    pub(super) fn links_resolve_where_they_are_not_where_they_are_used(fs: &dyn FsFull) {
        fs.create_dir_all(p("/a/b/c")).unwrap();
        fs.write(p("/a/f"), b"above").unwrap();
        fs.symlink(p("../f"), p("/a/b/up")).unwrap();
        fs.symlink(p("/a/b"), p("/short")).unwrap();
        fs.symlink(p("../../short/up"), p("/a/b/far")).unwrap();
        for path in ["/a/b/up", "/short/up", "/short/far", "/a/b/c/../far", "/short/../f"] {
            assert_eq!(fs.read(p(path)).unwrap(), b"above", "{path}");
        }
        fs.symlink(p("/nowhere"), p("/dangling")).unwrap();
        for path in ["/dangling", "/dangling/x", "/a/../dangling/x"] {
            not_found(&fs.create_dir_all(p(path)));
        }
        assert!(!fs.exists(p("/nowhere")).unwrap(), "directories are not made where a link points");
        // A link in the middle counts even when the next name is `..`.
        assert_eq!(fs.read_dir(p("/short/..")).unwrap().count(), 2);
    }

    pub(super) fn loops_end_in_directories_too(fs: &dyn FsFull) {
        fs.create_dir_all(p("/a/b")).unwrap();
        fs.symlink(p("/a"), p("/a/b/up")).unwrap();
        let path = format!("/a{}", "/b/up".repeat(41));
        too_many_links(&fs.read_dir(p(&path)).map(drop));
        assert_eq!(fs.read_dir(p(&path[..path.len() - 5])).unwrap().count(), 1, "forty are followed");
        fs.symlink(p("x/y"), p("/x")).unwrap();
        too_many_links(&fs.read(p("/x/y/z")));
        too_many_links(&fs.create_dir_all(p("/x/y/z")));
        // A tree with a link to its own top goes, and the link is not followed.
        fs.remove_dir_all(p("/a")).unwrap();
        not_found(&fs.read_dir(p("/a")).map(drop));
    }

    pub(super) fn chains_far_too_long_end(fs: &dyn FsFull) {
        fs.write(p("/0"), b"end").unwrap();
        for n in 1..=266 {
            fs.symlink(p(&format!("{}", n - 1)), p(&format!("/{n}"))).unwrap();
        }
        assert_eq!(fs.read(p("/40")).unwrap(), b"end");
        for n in [41, 100, 266] {
            let path = format!("/{n}");
            too_many_links(&fs.read(p(&path)));
            too_many_links(&fs.write(p(&path), b"x"));
            too_many_links(&fs.metadata(p(&path)));
            assert_eq!(fs.read_link(p(&path)).unwrap(), p(&format!("{}", n - 1)));
        }
    }

    pub(super) fn names_that_look_alike_are_different_names(fs: &dyn Fs) {
        // Composed and decomposed, a Greek and a Latin letter, a direction mark, upper and lower case.
        let names = ["\u{e9}", "e\u{301}", "\u{3bf}", "o", "txt\u{202e}exe", "txtexe", "File", "file"];
        for name in names {
            fs.write(p(&format!("/{name}")), name.as_bytes()).unwrap();
        }
        for name in names {
            assert_eq!(fs.read(p(&format!("/{name}"))).unwrap(), name.as_bytes());
        }
        assert_eq!(fs.read_dir(p("/")).unwrap().count(), names.len());
    }

    /// One walk is one state of the tree: a path through a link that changes between two places leads to one of them.
    pub(super) fn a_name_that_changes_its_target_is_walked_in_one_piece(fs: &dyn FsFull) {
        for (dir, secret) in [("/open", "no"), ("/closed", "yes")] {
            fs.create_dir_all(p(&format!("{dir}/sub"))).unwrap();
            fs.write(p(&format!("{dir}/sub/secret")), secret.as_bytes()).unwrap();
        }
        fs.symlink(p("/open"), p("/to")).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..2000 {
                    let target = if n % 2 == 0 { "/closed" } else { "/open" };
                    fs.symlink(p(target), p("/new")).unwrap();
                    fs.rename(p("/new"), p("/to")).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                let read = fs.read_to_string(p("/to/sub/../../to/sub/secret")).unwrap();
                assert!(read == "no" || read == "yes");
            }
        });
        assert_eq!(fs.read_to_string(p("/to/sub/secret")).unwrap(), "no");
    }

    pub(super) fn what_is_removed_stays_removed(fs: &dyn Fs) {
        fs.write(p("/f"), b"x").unwrap();
        fs.remove_file(p("/f")).unwrap();
        not_found(&fs.read(p("/f")));
        not_found(&fs.remove_file(p("/f")));
        fs.create_dir(p("/d")).unwrap();
        fs.remove_dir(p("/d")).unwrap();
        not_found(&fs.remove_dir(p("/d")));
        not_found(&fs.write(p("/d/f"), b"x"));
    }
}
