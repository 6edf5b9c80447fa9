//! Programs that ask much of a filesystem.

use std::fs;
use std::process::Command;

use super::support::{Ground, has};

/// A repository with some history.
const REPOSITORY: &str = "
git init -q -b main repo && cd repo && git config user.email t@example.com && git config user.name t || exit 1
for n in 1 2 3 4 5 6 7 8; do
    mkdir -p d$n/e && i=0
    while [ $i -lt 20 ]; do echo \"$n $i\" > d$n/e/f$i; i=$((i + 1)); done
    head -c 200000 /dev/urandom > d$n/blob
    git add -A && git commit -q -m \"commit $n\" || exit 1
done
git branch -q other HEAD~3 && git tag v1";

#[test]
fn git_makes_clones_packs_and_checks_repositories() {
    if !has("git") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    ground.shell(REPOSITORY).ok();
    ground.shell("git clone -q repo clone && cd clone && git status --porcelain && git log --oneline | wc -l").ok();
    let done = "cd clone && git config user.email t@example.com && git config user.name t && \
                git checkout -q -b side v1~2 && echo x > new && git add -A && git commit -q -m side && \
                git checkout -q main && git merge -q side -m merge && git rebase -q main side && \
                git gc -q --aggressive --prune=now && git stash -q -u 2>/dev/null; git status --porcelain";
    assert_eq!(ground.shell(done).ok(), "");
    for repo in ["repo", "clone"] {
        let ran = ground.shell(&format!("git -C {repo} fsck --full --strict --no-progress --no-dangling"));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    }
    ground.again("noatime");
    let ran = ground.shell("git -C clone status --porcelain && git -C clone fsck --full --no-progress --no-dangling");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn git_sees_no_change_where_there_is_none_after_the_volume_was_mounted_anew() {
    if !has("git") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    ground.shell(REPOSITORY).ok();
    ground.shell("cd repo && git update-index -q --refresh && git diff-files --quiet").ok();
    ground.again("rw");
    // Without reading any file again: every time and number is the one that git knows.
    ground.shell("cd repo && git diff-files --quiet").ok();
}

/// Two processes that write rows at the same time, and one that looks.
fn sqlite(mode: &str) {
    if !has("sqlite3") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    let said = ground.shell(&format!("sqlite3 data.db 'pragma journal_mode={mode}; create table t(a, b)'")).ok();
    assert_eq!(said.trim(), mode);
    let insert = |n: u32| {
        format!(
            "i=0; while [ $i -lt 40 ]; do echo \"insert into t values({n}, randomblob(2000));\"; i=$((i + 1)); done \
             | sqlite3 -cmd '.timeout 60000' data.db"
        )
    };
    let writers: Vec<_> = (0..3).map(|n| ground.start(&insert(n))).collect();
    for _ in 0..5 {
        let looked = ground.shell("sqlite3 -cmd '.timeout 60000' data.db 'pragma quick_check'").ok();
        assert_eq!(looked, "ok\n");
    }
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let look = || {
        ground.shell("sqlite3 data.db 'pragma integrity_check; select a, count(*), sum(length(b)) from t group by a'")
    };
    assert_eq!(look().ok(), "ok\n0|40|80000\n1|40|80000\n2|40|80000\n");
    ground.again("rw");
    assert_eq!(look().ok(), "ok\n0|40|80000\n1|40|80000\n2|40|80000\n");
}

#[test]
fn sqlite_works_with_a_write_ahead_log() {
    sqlite("wal");
}

#[test]
fn sqlite_works_with_a_rollback_journal() {
    sqlite("delete");
}

/// A tree with a little of everything.
const TREE: &str = "
mkdir -p tree/a/b tree/empty && cd tree || exit 1
i=0; while [ $i -lt 60 ]; do head -c $((i * 777)) /dev/urandom > a/f$i; i=$((i + 1)); done
ln a/f30 a/b/hard && ln -s ../f31 a/b/soft && ln -s /nowhere dangling && mkfifo fifo
truncate -s 5M sparse && printf end >> sparse && chmod 4711 a/f1 && chmod 600 a/f2 && chmod 2750 a/b
touch -d 2001-02-03T04:05:06.789 a/f3 && printf x > 'with blank' && printf x > \"$(printf 'new\\nline')\"
setfattr -n user.note -v value a/f4 2>/dev/null; true";

#[test]
fn cp_and_diff_agree() {
    let Some(ground) = Ground::new() else { return };
    ground.shell(TREE).ok();
    ground.shell("cp -a tree copy && diff -r -x fifo --no-dereference tree copy").ok();
    let list = |dir: &str| ground.shell(&format!("cd {dir} && ls -lAR --time-style=full-iso | grep -v ^total")).ok();
    assert_eq!(list("tree"), list("copy"));
    ground.shell(&format!("cp -a tree '{}'", ground.beside("other/tree").display())).ok();
    ground.again("rw");
    ground.shell(&format!("diff -r -x fifo --no-dereference copy '{}'", ground.beside("other/tree").display())).ok();
    ground.shell("rm -r copy tree && ls -A").ok();
}

#[test]
fn rsync_finds_nothing_to_do_after_it_was_there() {
    if !has("rsync") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    ground.shell(TREE).ok();
    let other = ground.beside("other/tree").display().to_string();
    let back = |from: &str, to: &str| {
        ground.shell(&format!("rsync -aHAX '{from}/' '{to}/'")).ok();
        assert_eq!(ground.shell(&format!("rsync -aHAXnci '{from}/' '{to}/'")).ok(), "", "{from} to {to}");
    };
    back("tree", &other);
    back(&other, "again");
    ground.again("rw");
    assert_eq!(ground.shell(&format!("rsync -aHAXnci '{other}/' again/")).ok(), "");
    assert_eq!(ground.shell("rsync -aHAXnci tree/ again/").ok(), "");
}

#[test]
fn tar_packs_and_unpacks() {
    if !has("tar") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    ground.shell(TREE).ok();
    ground
        .shell(
            "tar -cSf all.tar tree && mkdir out && tar -xpf all.tar -C out && diff -r -x fifo --no-dereference tree out/tree",
        )
        .ok();
    ground.shell("tar -df all.tar").ok();
    ground.again("rw");
    ground.shell("tar -df all.tar && tar -dC out -f all.tar").ok();
    assert_eq!(fs::metadata(ground.at("out/tree/sparse")).unwrap().len(), (5 << 20) + 3);
}

#[test]
fn cargo_builds_with_its_target_directory_there() {
    let Some(ground) = Ground::unmounted("128m") else { return };
    ground.mount("noatime");
    fs::create_dir_all(ground.at("crate/src")).unwrap();
    let put = |name: &str, text: &str| fs::write(ground.at("crate").join(name), text).unwrap();
    put("Cargo.toml", "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n");
    let script = "fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
        std::fs::write(out + \"/made.rs\", \"const MADE: u32 = 6;\").unwrap();\n}\n";
    put("build.rs", script);
    put("src/lib.rs", "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\npub fn seven() -> u32 { MADE + 1 }\n");
    put("src/main.rs", "fn main() { println!(\"{}\", small::seven()); }\n");
    let cargo = |word: &str| {
        let mut command = Command::new(env!("CARGO"));
        command.args([word, "--offline"]).current_dir(ground.at("crate"));
        let output = command.env("CARGO_TARGET_DIR", ground.at("target")).output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{word}: {}", said(&output.stderr));
        (said(&output.stdout), said(&output.stderr))
    };
    assert!(cargo("build").1.contains("Compiling small"));
    assert_eq!(cargo("run").0, "7\n");
    ground.again("noatime");
    let (said, built) = cargo("run");
    assert!(said == "7\n" && !built.contains("Compiling"), "nothing has changed: {built}");
    put("src/main.rs", "fn main() { println!(\"{}\", small::seven() + 1); }\n");
    assert_eq!(cargo("run").0, "8\n");
}
