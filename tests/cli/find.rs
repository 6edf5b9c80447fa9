//! Trees seen as a whole: `find`, `tree`, `du`, and what they share.

use std::io::Read;

use crate::support::Place;

/// A small tree with a hidden file, a link that leads back up, and a file of 300,000 bytes.
fn place() -> Place {
    let place = Place::with_home();
    place.run("mkdir -p vg0/home:/t/a/b vg0/home:/t/empty").ok();
    for (name, size) in [("t/a/b/big.rs", 300_000), ("t/a/One.RS", 1025), ("t/.hidden", 10), ("t/zero", 0)] {
        assert_eq!(place.input(&format!("put vg0/home:/{name}"), &vec![b'x'; size]).code, 0);
    }
    place.run("ln -s ../.. vg0/home:/t/a/up").ok();
    place
}

fn find(place: &Place, tests: &str) -> String {
    place.run(&format!("find vg0/home:/t {tests}")).ok().replace("vg0/home:/t", "").replace('\n', " ")
}

#[test]
fn find_joins_its_tests() {
    let place = place();
    assert_eq!(find(&place, ""), " /.hidden /a /a/One.RS /a/b /a/b/big.rs /a/up /empty /zero ");
    assert_eq!(find(&place, "-name *.rs"), "/a/b/big.rs ");
    assert_eq!(find(&place, "-iname *.rs"), "/a/One.RS /a/b/big.rs ");
    assert_eq!(find(&place, "-type d"), " /a /a/b /empty ");
    assert_eq!(find(&place, "-type l,d -name [u-z]*"), "/a/up ");
    assert_eq!(find(&place, "-type f -size +1k"), "/a/One.RS /a/b/big.rs ");
    assert_eq!(find(&place, "-size 2k -type f"), "/a/One.RS ");
    assert_eq!(find(&place, "-size -1 -type f"), "/zero ");
    assert_eq!(find(&place, "-size 1025c"), "/a/One.RS ");
    assert_eq!(find(&place, "-empty"), "/empty /zero ");
    assert_eq!(find(&place, "-type f ! -iname *.rs"), "/.hidden /zero ");
    assert_eq!(find(&place, "-name zero -o -name a -type d -o -not -not -name up"), "/a /a/up /zero ");
    assert_eq!(find(&place, "-maxdepth 1 -mindepth 1"), "/.hidden /a /empty /zero ");
    assert_eq!(place.run("find vg0/home:/t/a/b vg0/home:/t/zero -type f").ok().lines().count(), 2);
    // A link that is named is met, not followed, unless a slash asks for what it leads to.
    assert_eq!(place.run("find vg0/home:/t/a/up").ok(), "vg0/home:/t/a/up\n");
    assert_eq!(place.run("find vg0/home:/t/a/up/ -maxdepth 1 -name t").ok(), "vg0/home:/t/a/up/t\n");
}

#[test]
fn find_compares_times_with_files_of_volumes_and_of_the_host() {
    let place = place();
    place.run("touch -d @2000000000 vg0/home:/t/a/One.RS vg0/home:/t/zero").ok();
    place.run("touch -d @2000000000.000000001 vg0/home:/t/zero").ok();
    assert_eq!(find(&place, "-newer vg0/home:/t/a/One.RS"), "/zero ");
    std::fs::File::create(place.path("host")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(find(&place, "-type f ! -newer host"), "");
    assert_eq!(find(&place, "-type f -newer host"), "/.hidden /a/One.RS /a/b/big.rs /zero ");
    place.run("find vg0/home:/t -newer no").fails(5, "  no: No such file or directory\n");
    place.run("find vg0/home:/t -newer vg0/home:/no").fails(5, "  vg0/home:/no: No such file or directory\n");
}

#[test]
fn find_explains_what_it_does_not_understand() {
    let place = place();
    let parsing = "  Error during parsing of command line.\n";
    place.run("find vg0/home:/t -name").fails(3, &format!("find: option '-name' requires an argument\n{parsing}"));
    place.run("find vg0/home:/t -type q").refused("  A type is one of f, d, l, p, s, c and b.\n");
    place.run("find vg0/home:/t -size 1x").refused("  A size is [+-]N");
    place.run("find vg0/home:/t -o -empty").refused("  -o needs a test");
    place.run("find vg0/home:/t -exec rm").refused("find: invalid option -- 'e'\n");
    assert!(place.run("find").code == 3 && place.run("find x").code == 3);
    let ran = place.run("find vg0/home:/no vg0/home:/t/zero");
    ran.fails(5, "  vg0/home:/no: No such file or directory\n");
    assert_eq!(ran.out, "vg0/home:/t/zero\n");
    assert!(place.run("help find").ok().contains("-newer PATH"));
}

#[test]
fn tree_draws_branches_and_counts() {
    let place = place();
    let drawn = "vg0/home:/t\n\
                 ├── a\n\
                 │   ├── One.RS\n\
                 │   ├── b\n\
                 │   │   └── big.rs\n\
                 │   └── up -> ../..\n\
                 ├── empty\n\
                 └── zero\n\
                 \n\
                 3 directories, 4 files\n";
    assert_eq!(place.run("tree vg0/home:/t").ok(), drawn);
    let all = place.run("tree -a -L 1 vg0/home:/t").ok();
    assert_eq!(all, "vg0/home:/t\n├── .hidden\n├── a\n├── empty\n└── zero\n\n2 directories, 2 files\n");
    let directories = place.run("tree -d vg0/home:/t").ok();
    assert_eq!(directories, "vg0/home:/t\n├── a\n│   └── b\n└── empty\n\n3 directories\n");
    assert_eq!(place.run("tree vg0/home:/t/a/b").ok(), "vg0/home:/t/a/b\n└── big.rs\n\n0 directories, 1 file\n");
    assert_eq!(place.run("tree -L 0 vg0/home:/t").code, 3);
    let ran = place.run("tree vg0/home:/no");
    ran.fails(5, "  vg0/home:/no: No such file or directory\n");
    assert_eq!(ran.out, "");
}

#[test]
fn du_counts_what_is_stored_once() {
    let place = place();
    place.run("truncate -s 100M vg0/home:/t/sparse").ok();
    place.run("ln vg0/home:/t/a/b/big.rs vg0/home:/t/a/again").ok();
    let lines = "293\tvg0/home:/t/a/b\n294\tvg0/home:/t/a\n0\tvg0/home:/t/empty\n294\tvg0/home:/t\n";
    // The other name comes first and is counted; the directory of the second holds nothing more.
    let first = lines.replacen("293", "0", 1);
    assert_eq!(place.run("du vg0/home:/t").ok(), first);
    assert_eq!(place.run("du -s vg0/home:/t vg0/home:/t/a").ok(), "294\tvg0/home:/t\n2\tvg0/home:/t/a\n");
    assert_eq!(place.run("du -sh vg0/home:/t").ok(), "294K\tvg0/home:/t\n");
    assert_eq!(place.run("du -h --apparent-size vg0/home:/t/sparse").ok(), "100M\tvg0/home:/t/sparse\n");
    let all = place.run("du -a -d 1 -c vg0/home:/t").ok();
    for line in ["1\tvg0/home:/t/.hidden\n", "0\tvg0/home:/t/sparse\n", "294\tvg0/home:/t/a\n", "294\ttotal\n"] {
        assert!(all.contains(line), "{all}");
    }
    assert!(!all.contains("big.rs"), "{all}");
}

#[test]
fn trees_of_any_depth_are_walked() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 64m vg0 a.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    let depth = 30_000;
    let deep = format!("vg0/home:{}", "/d".repeat(depth));
    place.words(&["mkdir", "-p", &deep]).ok();
    assert_eq!(
        place.words(&["find", "vg0/home:/", "-name", "d", "-mindepth", &depth.to_string()]).ok().len(),
        deep.len() + 1
    );
    place.run("chmod -R 700 vg0/home:/d").ok();
    place.run("chown -R 12:34 vg0/home:/d").ok();
    let deepest = place.words(&["stat", "-c", "%a %u %g", &deep]).ok();
    assert_eq!(deepest, "700 12 34\n");
    assert_eq!(place.run("du -s vg0/home:/").ok(), "0\tvg0/home:/\n");
    place.run("mv vg0/home:/d vg0/home:/e").ok();
    let below = deep.replacen("/d", "/e", 1);
    let refused = place.words(&["mv", "vg0/home:/e", &below]);
    refused.fails(5, "  vg0/home:/e: a directory cannot be moved into itself\n");
    place.run("rm -r vg0/home:/e").ok();
}

#[test]
fn a_closed_pipe_ends_each_of_them_quietly() {
    let place = Place::with_home();
    std::fs::create_dir(place.path("in")).unwrap();
    for file in 0..1500 {
        std::fs::write(place.path(&format!("in/a file with a rather long name, so that pipes fill up: {file}")), "")
            .unwrap();
    }
    place.run("cp -r in vg0/home:/").ok();
    for line in ["find vg0/home:/", "tree vg0/home:/", "du -a vg0/home:/"] {
        let mut child = place.start(line);
        child.stdout.take().unwrap().read_exact(&mut [0; 4]).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()), "{line}");
    }
}
