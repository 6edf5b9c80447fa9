//! What `top` says of a mounted volume.

use std::fs::{self, File};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::support::Ground;

const MIB: usize = 1 << 20;

/// The looks that `top` takes, so many.
fn looks(ground: &Ground, count: usize) -> Vec<Value> {
    let out = ground.run(&format!("top --json -n {count} v/home")).ok();
    let looks: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(looks.len(), count, "{out}");
    looks
}

#[test]
fn what_was_done_is_shown_to_the_byte() {
    let Some(ground) = Ground::new() else { return };
    let mut file = File::create(ground.at("file")).unwrap();
    file.write_all(&vec![1; 3 * MIB]).unwrap();
    file.sync_all().unwrap();
    file.sync_all().unwrap();
    let look = looks(&ground, 1).remove(0);
    assert_eq!((&look["write"]["bytes"], &look["read"]["bytes"]), (&Value::from(3 * MIB), &Value::from(0)), "{look}");
    assert_eq!((&look["sync"]["count"], &look["read"]["count"]), (&Value::from(2), &Value::from(0)), "{look}");
    let on_pv = &look["pvs"][0];
    assert!(on_pv["path"].as_str().unwrap().ends_with("pool/a.db") && on_pv["write"]["bytes"] == 3 * MIB, "{look}");
    drop(file);
    ground.again("rw");
    fs::read(ground.at("file")).unwrap();
    let look = looks(&ground, 1).remove(0);
    assert_eq!((&look["write"]["count"], &look["read"]["bytes"]), (&Value::from(0), &Value::from(3 * MIB)), "{look}");
    assert!(look["pvs"][0]["read"]["bytes"].as_u64().unwrap() >= 3 << 20, "{look}");
}

#[test]
fn a_mount_under_load_is_watched() {
    let Some(ground) = Ground::new() else { return };
    let stop = AtomicBool::new(false);
    let (looks, table) = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let path = ground.at(&format!("file{}", number % 10));
                let mut file = File::create(path).unwrap();
                file.write_all(&vec![1; 20_000]).unwrap();
                file.sync_all().unwrap();
            }
        });
        let seen = (looks(&ground, 3), ground.run("top -n 2 v/home").ok());
        stop.store(true, Ordering::Relaxed);
        seen
    });
    let number = |look: &Value, kind: &str, field: &str| look[kind][field].as_f64().unwrap_or_default();
    for (before, after) in looks.iter().zip(looks.iter().skip(1)) {
        for kind in ["write", "sync", "metadata", "commit"] {
            let more = number(after, kind, "count") - number(before, kind, "count");
            let rate = number(after, kind, "per_second") * after["interval_seconds"].as_f64().unwrap();
            assert!(more > 0.0 && (rate - more).abs() < 0.5, "{kind}: {after}");
            let (mean, p99, max) =
                (number(after, kind, "mean_us"), number(after, kind, "p99_us"), number(after, kind, "max_us"));
            assert!(mean > 0.0 && p99 > 0.0 && p99 <= max && mean <= max, "{kind}: {after}");
        }
        assert!(number(after, "write", "bytes_per_second") > 0.0, "{after}");
        assert!(after["txg"].as_u64() > before["txg"].as_u64() && after["last_commit_us"].as_f64() > Some(0.0));
        assert!(after["committed_at"].as_f64() >= before["committed_at"].as_f64());
        assert!(after["log_bytes"].as_u64() > Some(0) && after["dirty_bytes"].is_u64(), "{after}");
    }
    let (pid, here) = (ground.owner().as_raw_nonzero(), ground.beside("mnt"));
    let head = format!("  v/home: process {pid}, mounted on {}", here.display());
    assert_eq!(table.lines().filter(|line| *line == head).count(), 2, "{table}");
    for name in ["read", "write", "sync", "metadata", "commit", "a.db read", "a.db write", "cache hits"] {
        assert_eq!(
            table.lines().filter(|line| line.starts_with(&format!("    {name} "))).count(),
            2,
            "{name}: {table}"
        );
    }
}
