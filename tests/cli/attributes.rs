//! What is known about files, and changed: `stat`, `touch`, `chmod`, `chown`, `truncate`, `getfattr`, `setfattr`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::Place;

fn place() -> Place {
    let place = Place::with_home();
    place.run("mkdir vg0/home:/d").ok();
    assert_eq!(place.input("put vg0/home:/f", b"hello\n").code, 0);
    place.run("ln -s f vg0/home:/link").ok();
    place
}

fn stat(place: &Place, format: &str, name: &str) -> String {
    place.words(&["stat", "-c", format, &format!("vg0/home:/{name}")]).ok().trim_end().to_owned()
}

#[test]
fn stat_shows_a_block_that_users_of_stat_know() {
    let place = place();
    place.run("chmod 4751 vg0/home:/f").ok();
    place.run("touch -a -d 2001-02-03T04:05:06.000000007 vg0/home:/f").ok();
    place.run("touch -m -d @-1.5 vg0/home:/f").ok();
    // An owner that no host has a name for.
    place.run("chown 4000000001:4000000002 vg0/home:/f").ok();
    place.run("chmod u+s vg0/home:/f").ok();
    let block = place.run("stat vg0/home:/f").ok();
    let inode = stat(&place, "%i", "f");
    let fixed = format!(
        "  File: vg0/home:/f\n  Size: 6         \tBlocks: 1          IO Block: 4096   regular file\n\
         Device: vg0/home\tInode: {inode:<11} Links: 1\n\
         Access: (4751/-rwsr-x--x)  Uid: (4000000001/ UNKNOWN)   Gid: (4000000002/ UNKNOWN)\n\
         Access: 2001-02-03 04:05:06.000000007 +0000\nModify: 1969-12-31 23:59:58.500000000 +0000\nChange: "
    );
    let rest = block.strip_prefix(&fixed).unwrap_or_else(|| panic!("{block}"));
    let (change, birth) = rest.split_once("\n Birth: ").unwrap();
    assert!(change.ends_with(" +0000") && birth.ends_with(" +0000\n") && birth <= rest, "{block}");
    assert_eq!(place.run("stat vg0/home:/link").ok().lines().next().unwrap(), "  File: vg0/home:/link -> f");
    assert_eq!(stat(&place, "%F|%s|%A", "link"), "symbolic link|1|lrwxrwxrwx");
    assert_eq!(place.run("stat -L -c %F%% vg0/home:/link").ok(), "regular file%\n");
    assert_eq!(stat(&place, "%F %h %a %f", "d"), "directory 2 755 41ed");
    assert_eq!(place.words(&["stat", "-c", "%q", "vg0/home:/f"]).code, 3);
    place.run("stat vg0/home:/no").fails(5, "  vg0/home:/no: No such file or directory\n");
}

#[test]
fn touch_makes_files_and_sets_times() {
    let place = place();
    place.run("touch vg0/home:/new vg0/home:/d").ok();
    assert_eq!(stat(&place, "%s %a %F", "new"), "0 644 regular empty file");
    place.run("touch -c vg0/home:/none").ok();
    assert_eq!(place.run("ls vg0/home:/").ok(), "d\nf\nlink\nnew\n");
    place.run("touch -t 200002291234.56 vg0/home:/f").ok();
    assert_eq!(stat(&place, "%X %Y", "f"), "951827696 951827696");
    place.run("touch -a -d now vg0/home:/f").ok();
    assert_eq!(stat(&place, "%Y", "f"), "951827696");
    assert!(stat(&place, "%X", "f").parse::<i64>().unwrap() > 951_827_696);
    place.run("touch -r vg0/home:/f vg0/home:/made").ok();
    assert_eq!(stat(&place, "%x %y", "made"), stat(&place, "%x %y", "f"));
    let host = std::fs::File::create(place.path("host")).unwrap();
    host.set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(77, 123)).unwrap();
    place.run("touch -m -r host vg0/home:/f").ok();
    assert_eq!(stat(&place, "%y", "f"), "1970-01-01 00:01:17.000000123 +0000");
    // A link is followed, also to a file that is not there yet, unless -h is given.
    place.run("touch -d @5 vg0/home:/link").ok();
    assert_eq!(stat(&place, "%Y", "f"), "5");
    place.run("touch -h -d @6 vg0/home:/link").ok();
    assert_eq!((stat(&place, "%Y", "f"), stat(&place, "%Y", "link")), ("5".into(), "6".into()));
    place.run("ln -s d/later vg0/home:/dangling").ok();
    place.run("touch vg0/home:/dangling").ok();
    assert_eq!(place.run("ls vg0/home:/d").ok(), "later\n");
    place.run("touch vg0/home:/no/x").fails(5, "  vg0/home:/no/x: No such file or directory\n");
    place.run("touch vg0/home:/x/").fails(5, "  vg0/home:/x/: No such file or directory\n");
    place.run("touch vg0/home:/f/").fails(5, "  vg0/home:/f/: Not a directory\n");
    place.run("touch -d tomorrow vg0/home:/f").refused("  Write it as YYYY-MM-DD");
}

#[test]
fn chmod_takes_octal_and_symbolic_modes() {
    let place = place();
    let mode = |name: &str| stat(&place, "%a", name);
    place.run("chmod 0640 vg0/home:/f").ok();
    assert_eq!(mode("f"), "640");
    place.run("chmod u+x,g-r,o=r vg0/home:/f").ok();
    assert_eq!(mode("f"), "704");
    place.run("chmod -x vg0/home:/link").ok();
    assert_eq!((mode("f"), mode("link")), ("604".into(), "777".into()));
    place.run("chmod 2711 vg0/home:/d").ok();
    place.run("mkdir vg0/home:/d/e").ok();
    assert_eq!(place.input("put vg0/home:/d/e/x", b"").code, 0);
    place.run("ln -s /f vg0/home:/d/e/out").ok();
    place.run("chmod -R u=rwX,go= vg0/home:/d").ok();
    assert_eq!([mode("d"), mode("d/e"), mode("d/e/x"), mode("f")], ["2700", "2700", "600", "604"]);
    place.run("chmod 9 vg0/home:/f").refused("  Write it as three or four octal digits");
    let ran = place.run("chmod 600 vg0/home:/no vg0/home:/f");
    ran.fails(5, "  vg0/home:/no: No such file or directory\n");
    assert_eq!(mode("f"), "600");
}

#[test]
fn chown_takes_names_and_numbers_and_drops_what_the_old_owner_gave() {
    let place = place();
    let owner = |name: &str| stat(&place, "%u:%g %a", name);
    place.run("chmod 6755 vg0/home:/f").ok();
    place.run("setfattr -n security.capability -v x vg0/home:/f").ok();
    place.run("chown 12:34 vg0/home:/f").ok();
    assert_eq!(owner("f"), "12:34 755");
    assert_eq!(place.run("getfattr -m - vg0/home:/f").ok(), "");
    place.run("chown :56 vg0/home:/link").ok();
    assert_eq!(owner("f"), "12:56 755");
    place.run("chown -h 78 vg0/home:/link").ok();
    assert_eq!(stat(&place, "%u", "link"), "78");
    assert_eq!(owner("f"), "12:56 755");
    place.run("chown root vg0/home:/f").ok();
    assert_eq!((owner("f"), stat(&place, "%U", "f")), ("0:56 755".into(), "root".into()));
    place.run("chmod 2755 vg0/home:/d").ok();
    place.run("mkdir vg0/home:/d/e").ok();
    place.run("ln -s /f vg0/home:/d/e/out").ok();
    place.run("chown -R 90:91 vg0/home:/d").ok();
    assert_eq!([owner("d"), owner("d/e"), owner("f")], ["90:91 2755", "90:91 2755", "0:56 755"]);
    assert_eq!(stat(&place, "%u", "d/e/out"), "90");
    place.run("chown no-such-user vg0/home:/f").refused("  There is no such user here.\n");
    place.run("chown :no-such-group vg0/home:/f").refused("  There is no such group here.\n");
}

#[test]
fn truncate_cuts_extends_and_rounds() {
    let place = place();
    let size = |name: &str| stat(&place, "%s", name);
    place.run("truncate -s 3 vg0/home:/f").ok();
    assert_eq!(place.run("cat vg0/home:/f").ok(), "hel");
    place.run("truncate -s +2 vg0/home:/f").ok();
    assert_eq!(place.run("cat vg0/home:/f").ok(), "hel\0\0");
    place.run("truncate -s -4 vg0/home:/f").ok();
    place.run("truncate -s %1K vg0/home:/f vg0/home:/new").ok();
    assert_eq!((size("f"), size("new")), ("1024".into(), "0".into()));
    place.run("truncate -s 1T vg0/home:/new").ok();
    assert_eq!(stat(&place, "%s %b", "new"), "1099511627776 0");
    place.run("truncate -r vg0/home:/f -s +1 vg0/home:/new").ok();
    assert_eq!(size("new"), "1025");
    place.run("truncate -c -s 5 vg0/home:/none").ok();
    place.run("truncate -s 5 vg0/home:/d").fails(5, "  vg0/home:/d: Is a directory\n");
    place.run("truncate -s 16383P vg0/home:/new").fails(5, "  vg0/home:/new: File too large\n");
    place.run("truncate -s 1x vg0/home:/f").refused("  Write it as 100, 10K");
    assert_eq!(place.run("truncate vg0/home:/f").code, 3);
    assert_eq!(place.run("ls vg0/home:/").ok(), "d\nf\nlink\nnew\n");
}

#[test]
fn attributes_are_set_shown_and_removed() {
    let place = place();
    place.words(&["setfattr", "-n", "user.note", "-v", "a \"word\"\n", "vg0/home:/link"]).ok();
    place.run("setfattr -n user.bytes -v 0x00ff vg0/home:/f").ok();
    place.run("setfattr -n trusted.t vg0/home:/f").ok();
    assert_eq!(place.run("getfattr vg0/home:/f").ok(), "# file: vg0/home:/f\nuser.bytes\nuser.note\n\n");
    let dump = "# file: vg0/home:/f\nuser.bytes=0sAP8=\nuser.note=\"a \\\"word\\\"\\012\"\n\n";
    assert_eq!(place.run("getfattr -d vg0/home:/f").ok(), dump);
    let all = "# file: vg0/home:/f\ntrusted.t=0x\nuser.bytes=0x00ff\nuser.note=0x612022776f7264220a\n\n";
    assert_eq!(place.run("getfattr -d -m - -e hex vg0/home:/f").ok(), all);
    assert_eq!(place.run("getfattr -n user.note --only-values vg0/home:/f").ok(), "a \"word\"\n");
    // A file without any says nothing, and a link has none of its own.
    assert_eq!(place.run("getfattr -d vg0/home:/d").ok(), "");
    assert_eq!(place.run("getfattr -h -d vg0/home:/link").ok(), "");
    assert_eq!(place.run("getfattr -R -m note vg0/home:/").ok(), "# file: vg0/home:/f\nuser.note\n\n");
    let link = place.run("setfattr -h -n user.x vg0/home:/link");
    link.fails(5, "  vg0/home:/link: user.x: only files and directories have user attributes\n");
    place.run("setfattr -x user.note vg0/home:/f").ok();
    place.run("setfattr -x user.note vg0/home:/f").fails(5, "  vg0/home:/f: user.note: No such attribute\n");
    let one = place.run("getfattr -n user.bytes vg0/home:/d vg0/home:/f");
    one.fails(5, "  vg0/home:/d: user.bytes: No such attribute\n");
    assert_eq!(one.out, "# file: vg0/home:/f\nuser.bytes=0sAP8=\n\n");
    place.run("setfattr -n user.x -v 0x1 vg0/home:/f").refused("  0x must be followed by pairs");
    assert_eq!(place.run("setfattr vg0/home:/f").code, 3);
    assert_eq!(place.run("setfattr -n user.a -x user.a vg0/home:/f").code, 3);
}

#[test]
fn values_and_names_of_any_bytes_come_back() {
    let place = place();
    let run = |words: &[&[u8]]| {
        let output = place.command().args(words.iter().map(|word| OsStr::from_bytes(word))).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
        output.stdout
    };
    let value: Vec<u8> = (1..=255).collect();
    run(&[b"setfattr", b"-n", b"user.\xff", b"-v", &value, b"vg0/home:/f"]);
    assert_eq!(run(&[b"getfattr", b"-n", b"user.\xff", b"--only-values", b"vg0/home:/f"]), value);
    let text = run(&[b"getfattr", b"-n", b"user.\xff", b"-e", b"text", b"vg0/home:/f"]);
    assert!(text.iter().all(|byte| *byte == b'\n' || !byte.is_ascii_control()), "{text:?}");
    let start = b"# file: vg0/home:/f\nuser.\\xff=";
    run(&[b"setfattr", b"-n", b"user.copy", b"-v", &text[start.len()..text.len() - 2], b"vg0/home:/f"]);
    assert_eq!(run(&[b"getfattr", b"-n", b"user.copy", b"--only-values", b"vg0/home:/f"]), value);
}

#[test]
fn nothing_is_changed_in_test_mode() {
    let place = place();
    for line in [
        "mv -t vg0/home:/f vg0/home:/g",
        "ln -t vg0/home:/f vg0/home:/g",
        "touch --test vg0/home:/g",
        "chmod -t 600 vg0/home:/f",
        "chown -t 1 vg0/home:/f",
        "truncate -t -s 0 vg0/home:/f",
        "setfattr -t -n user.a vg0/home:/f",
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, 3, "{line}: {ran:?}");
        assert!(ran.err.contains("nothing was changed"), "{line}: {ran:?}");
    }
    assert_eq!(place.run("touch -t vg0/home:/g").code, 3);
    assert_eq!(place.run("ls vg0/home:/").ok(), "d\nf\nlink\n");
    assert_eq!(stat(&place, "%s %a", "f"), "6 644");
    assert_eq!(place.run("getfattr -m - vg0/home:/f").ok(), "");
}

#[test]
fn a_copy_keeps_capabilities_and_set_id_bits_together_with_the_owner() {
    let place = place();
    place.run("setfattr -n security.capability -v x vg0/home:/f").ok();
    place.run("chown 12:34 vg0/home:/f").ok();
    place.run("chmod 6755 vg0/home:/f").ok();
    place.run("setfattr -n security.capability -v x vg0/home:/f").ok();
    place.run("cp -a vg0/home:/f vg0/home:/copy").ok();
    assert_eq!(stat(&place, "%u:%g %a", "copy"), "12:34 6755");
    assert!(place.run("getfattr -d -m - vg0/home:/copy").ok().contains("security.capability=\"x\""));
}
