//! Names: `mv` and `ln`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::Place;

/// A volume with files `a` and `b` that hold their names, an empty directory `d` and a full one `full`.
fn place() -> Place {
    let place = Place::with_home();
    for name in ["a", "b", "full/x"] {
        place.run("mkdir -p vg0/home:/d vg0/home:/full").ok();
        assert_eq!(place.input(&format!("put vg0/home:/{name}"), name.as_bytes()).code, 0);
    }
    place
}

fn cat(place: &Place, name: &str) -> String {
    place.run(&format!("cat vg0/home:/{name}")).ok()
}

fn list(place: &Place) -> String {
    place.run("find vg0/home:/ -mindepth 1").ok().replace("vg0/home:", "").replace('\n', " ")
}

#[test]
fn mv_renames_replaces_and_moves_into_directories() {
    let place = place();
    place.run("mv vg0/home:/a vg0/home:/c").ok();
    assert_eq!(cat(&place, "c"), "a");
    place.run("mv vg0/home:/c vg0/home:/b").ok();
    assert_eq!(list(&place), "/b /d /full /full/x ");
    assert_eq!(cat(&place, "b"), "a");
    assert_eq!(place.run("mv -v vg0/home:/b vg0/home:/full vg0/home:/d").ok().lines().count(), 2);
    assert_eq!(list(&place), "/d /d/b /d/full /d/full/x ");
    // A directory is renamed with all it contains, also over an empty one.
    place.run("mkdir vg0/home:/empty").ok();
    place.run("mv -T vg0/home:/d/full vg0/home:/empty").ok();
    assert_eq!(list(&place), "/d /d/b /empty /empty/x ");
    place.run("ln -s d vg0/home:/link").ok();
    place.run("mv vg0/home:/empty/x vg0/home:/link").ok();
    assert_eq!(list(&place), "/d /d/b /d/x /empty /link ");
}

#[test]
fn mv_says_what_it_cannot_do_and_goes_on_with_the_rest() {
    let place = place();
    let itself = "  vg0/home:/full: a directory cannot be moved into itself\n";
    place.run("mv vg0/home:/full vg0/home:/full/below").fails(5, itself);
    place.run("mv vg0/home:/full vg0/home:/full").fails(5, itself);
    place.run("mv vg0/home:/a vg0/home:/a").fails(5, "  vg0/home:/a and vg0/home:/a are the same file\n");
    place.run("mv -T vg0/home:/d vg0/home:/full").fails(5, "  vg0/home:/full: Directory not empty\n");
    place.run("mv -T vg0/home:/a vg0/home:/d").fails(5, "  vg0/home:/d: Is a directory\n");
    place.run("mv vg0/home:/d vg0/home:/a").fails(5, "  vg0/home:/a: Not a directory\n");
    place.run("mv vg0/home:/a vg0/home:/new/").fails(5, "  vg0/home:/new/: Not a directory\n");
    place.run("mv vg0/home:/a/ vg0/home:/new").fails(5, "  vg0/home:/a/: Not a directory\n");
    place.run("mv vg0/home:/a vg0/home:/no/a").fails(5, "  vg0/home:/no/a: No such file or directory\n");
    place.run("mv vg0/home:/a vg0/home:/b vg0/home:/no").fails(5, "  vg0/home:/no: No such directory\n");
    place.run("mv vg0/home:/d/. vg0/home:/x").fails(5, "  vg0/home:/d/.: refusing to move '.'\n");
    place.run("mv vg0/home:/ vg0/home:/d").fails(5, "  vg0/home:/: refusing to move this directory\n");
    assert_eq!(list(&place), "/a /b /d /full /full/x ");
    let some = place.run("mv vg0/home:/a vg0/home:/missing vg0/home:/b vg0/home:/d");
    some.fails(5, "  vg0/home:/missing: No such file or directory\n");
    assert_eq!(list(&place), "/d /d/a /d/b /full /full/x ");
}

#[test]
fn mv_between_volumes_and_with_the_host_names_the_way() {
    let place = place();
    place.run("lvcreate -n other -L 2m vg0").ok();
    let hint = "  hint: mv renames within one logical volume; elsewhere: cp -a, and then rm -r\n";
    let ran = place.run("mv vg0/home:/a vg0/other:/a");
    assert_eq!((ran.code, ran.err), (5, format!("  vg0/home:/a: is not in vg0/other\n{hint}")));
    for line in ["mv vg0/home:/a out", "mv a.db vg0/home:/a"] {
        let ran = place.run(line);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("not a path inside a logical volume") && ran.err.ends_with(hint), "{ran:?}");
    }
    assert_eq!(cat(&place, "a"), "a");
}

#[test]
fn mv_keeps_asks_or_exchanges() {
    let place = place();
    place.run("mv -n vg0/home:/a vg0/home:/b").ok();
    assert_eq!((cat(&place, "a"), cat(&place, "b")), ("a".into(), "b".into()));
    let asked = place.input("mv -i vg0/home:/a vg0/home:/b", b"n\n");
    assert_eq!((asked.code, asked.err.as_str()), (0, "Replace vg0/home:/b? [y/n]: "));
    assert_eq!(cat(&place, "b"), "b");
    place.run("mv --exchange vg0/home:/a vg0/home:/full").ok();
    assert_eq!(list(&place), "/a /a/x /b /d /full ");
    place.run("mv --exchange vg0/home:/a vg0/home:/full").ok();
    assert_eq!(place.input("mv -i vg0/home:/a vg0/home:/b", b"y\n").code, 0);
    assert_eq!(cat(&place, "b"), "a");
    place.run("mkdir vg0/home:/e").ok();
    place.run("mv vg0/home:/b vg0/home:/d/x").ok();
    let twice = place.run("mv vg0/home:/d/x vg0/home:/full/x vg0/home:/e");
    twice.fails(5, "  vg0/home:/e/x: was made by this command just now; not replaced\n");
    assert_eq!((cat(&place, "e/x"), cat(&place, "full/x")), ("a".into(), "full/x".into()));
}

#[test]
fn mv_of_one_of_two_names_leaves_the_other() {
    let place = place();
    place.run("ln vg0/home:/a vg0/home:/z").ok();
    place.run("mv -n vg0/home:/a vg0/home:/z").ok();
    assert_eq!(list(&place), "/a /b /d /full /full/x /z ");
    place.run("mv vg0/home:/a vg0/home:/z").ok();
    assert_eq!(list(&place), "/b /d /full /full/x /z ");
    assert_eq!(cat(&place, "z"), "a");
}

#[test]
fn ln_gives_files_more_names() {
    let place = place();
    place.run("ln vg0/home:/a vg0/home:/b vg0/home:/d").ok();
    assert_eq!(place.run("stat -c %h vg0/home:/a vg0/home:/d/b").ok(), "2\n2\n");
    place.run("ln vg0/home:/a vg0/home:/b").fails(5, "  vg0/home:/b: File exists\n");
    place.run("ln -f vg0/home:/a vg0/home:/b").ok();
    assert_eq!((cat(&place, "b"), cat(&place, "d/b")), ("a".into(), "b".into()));
    place.run("ln -f vg0/home:/a vg0/home:/a").fails(5, "  vg0/home:/a and vg0/home:/a are the same file\n");
    let ran = place.run("ln vg0/home:/d vg0/home:/e");
    assert_eq!(ran.err, "  vg0/home:/d: a directory cannot have a second name\n  hint: use ln -s\n");
    place.run("ln vg0/home:/no vg0/home:/e").fails(5, "  vg0/home:/no: No such file or directory\n");
    place.run("ln -fT vg0/home:/a vg0/home:/d").fails(5, "  vg0/home:/d: Is a directory\n");
    place.run("lvcreate -n other -L 2m vg0").ok();
    place.run("ln vg0/home:/a vg0/other:/a").fails(5, "  vg0/home:/a: is not in vg0/other\n");
    assert_eq!(place.run("ln a.db vg0/home:/x").code, 3);
    assert_eq!(place.run("find vg0/home:/ -name .any*").ok(), "");
}

#[test]
fn ln_makes_symbolic_links_of_any_text() {
    let place = place();
    place.run("ln -s ../a vg0/home:/d/up").ok();
    place.run("ln -s vg0/home:/full vg0/home:/dir").ok();
    let long = |name: &str| place.run(&format!("stat -c %N vg0/home:/{name}")).ok();
    assert_eq!(long("d/up"), "vg0/home:/d/up -> ../a\n");
    assert_eq!(long("dir"), "vg0/home:/dir -> /full\n");
    assert_eq!((cat(&place, "d/up"), cat(&place, "dir/x")), ("a".into(), "full/x".into()));
    place.run("ln -s nowhere vg0/home:/d/up").fails(5, "  vg0/home:/d/up: File exists\n");
    place.run("ln -sf nowhere vg0/home:/d/up").ok();
    assert_eq!(long("d/up"), "vg0/home:/d/up -> nowhere\n");
    // Without -n a link to a directory is that directory.
    place.run("ln -s x/y vg0/home:/dir").ok();
    assert_eq!(long("full/y"), "vg0/home:/full/y -> x/y\n");
    place.run("ln -sfn b vg0/home:/dir").ok();
    assert_eq!(cat(&place, "dir"), "b");
    place.run("ln -s .. vg0/home:/d").fails(5, "  vg0/home:/d/..: not a name for a link\n");
    place.run("lvcreate -n other -L 2m vg0").ok();
    place.run("ln -s vg0/other:/x vg0/home:/x").fails(5, "  vg0/other:/x: is not in vg0/home\n");
}

#[test]
fn names_of_any_bytes_are_moved_and_linked() {
    let place = place();
    let raw = OsStr::from_bytes(b"vg0/home:/\xff\n\x01");
    let run = |words: &[&OsStr]| {
        let output = place.command().args(words).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
        output.stdout
    };
    let word = OsStr::new;
    run(&[word("mv"), word("vg0/home:/a"), raw]);
    run(&[word("ln"), raw, word("vg0/home:/d")]);
    run(&[word("ln"), word("-s"), OsStr::from_bytes(b"\xff\n\x01"), word("vg0/home:/link")]);
    assert_eq!(cat(&place, "link"), "a");
    let found = run(&[word("find"), word("vg0/home:/"), word("-name"), OsStr::from_bytes(b"\xff*"), word("-print0")]);
    assert_eq!(found, b"vg0/home:/d/\xff\n\x01\0vg0/home:/\xff\n\x01\0");
    run(&[word("mv"), raw, word("vg0/home:/a")]);
    assert_eq!(place.run("ls vg0/home:/d").ok(), "\\xff\\n\\u{1}\n");
}
