//! Every work on folders of the host.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyfs_lvm_measure::{
    BLOCK, Cold, Contender, Error, Extra, Host, MIB, Maker, Outcome, Result, Row, Runner, Scale, Sheet, Stop, Target,
    Unit, WORKS, Wanted, Wish, Work, fill, serve,
};

use crate::liar::{LISTS, Liars, Lies};

fn tiny() -> Scale {
    let beside = Duration::from_millis(20);
    Scale { bytes: MIB, files: 20, reads: 50, overwrites: 30, scattered: 40, appends: 4, threads: 3, ..Scale::quick() }
        .with(|scale| (scale.sized, scale.many, scale.rounds, scale.beside) = (2, 10, 2, beside))
}

trait With: Sized {
    fn with(self, change: impl FnOnce(&mut Self)) -> Self;
}

impl<T> With for T {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

fn run(folder: &Path, others: Vec<Contender>, only: &[&str], stop: Stop) -> Result<Vec<Outcome>> {
    let only: Vec<String> = only.iter().map(ToString::to_string).collect();
    let mut contenders = vec![Contender::Here(Box::new(Host::new(folder)))];
    contenders.extend(others);
    let wanted = Wanted::new(&only);
    let mut tell = |_: &str| {};
    let folder = folder.to_owned();
    Runner { scale: tiny(), wanted, contenders, folder, stop, tell: &mut tell }.run(WORKS)
}

fn second(folder: &Path) -> Contender {
    Contender::Here(Box::new(Host::new(folder).named("second")))
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[test]
fn every_row_of_every_work_gets_a_value_from_each_side_in_each_round() {
    let folder = tempfile::tempdir().unwrap();
    let outcomes = run(folder.path(), vec![second(folder.path())], &[], Stop::default()).unwrap();
    assert_eq!(outcomes.len(), WORKS.iter().flat_map(anyfs_lvm_measure::Work::rows).count());
    for outcome in &outcomes {
        let key = outcome.row.key;
        if outcome.skipped.is_some() {
            // Where the machine cannot be made cold, or does not count bytes.
            let cold = key.ends_with("cold") && Cold::here() == Cold::Never;
            assert!(cold || outcome.row.unit == Unit::Times, "{key}");
            continue;
        }
        let rounds = if key == "space_new" { 1 } else { 2 };
        for side in ["host", "second"] {
            let values = &outcome.side(side).unwrap().values;
            assert_eq!(values.len(), rounds, "{key} {side}");
            assert!(values.iter().all(|value| value.is_finite() && *value > 0.0), "{key}: {values:?}");
        }
        assert!(outcome.ratio("second").is_some(), "{key}");
    }
    assert!(is_empty(folder.path()));
}

/// What a work says to a side that lies.
fn lied_to(work: &Work, lies: &Lies) -> Result<Vec<Outcome>> {
    // A side that failed leaves behind what it made.
    let folder = tempfile::tempdir().unwrap();
    let host = |name: &str| Host::new(folder.path()).named(name);
    let liars = Liars(host("liar"), lies.clone());
    let contenders = vec![Contender::Here(Box::new(host("host"))), Contender::Here(Box::new(liars))];
    let mut tell = |text: &str| {
        lies.now.fetch_or(text.contains("round 1 of"), Ordering::Relaxed);
    };
    let (wanted, stop, folder) = (Wanted::default(), Stop::default(), folder.path().to_owned());
    Runner { scale: tiny(), wanted, contenders, folder, stop, tell: &mut tell }.run(std::slice::from_ref(work))
}

/// About some files, from the beginning or only after the preparation.
fn assert_noticed(work: &Work, about: &'static str, prepared: bool) {
    let lies = Lies { about, unsynced: false, now: Arc::new(AtomicBool::new(!prepared)) };
    let error = lied_to(work, &lies).expect_err(&format!("{} {about}", work.name));
    assert!(matches!(error, Error::Contents { ref side, .. } if side == "liar"), "{} {about}: {error}", work.name);
}

#[test]
fn what_reads_differently_is_noticed_by_every_work() {
    for work in WORKS {
        assert_noticed(work, "", false);
    }
}

#[test]
fn what_is_read_back_is_durable() {
    let lies = Lies { about: "", unsynced: true, now: Arc::new(AtomicBool::new(true)) };
    for work in WORKS {
        lied_to(work, &lies).expect(work.name);
    }
}

/// What each work writes, or asks for, when it has been prepared; nothing where it only reads then.
const LATER: [(&str, &[&str]); 14] = [
    ("write1", &["stream-"]),
    ("write", &["stream-"]),
    ("aged", &["base"]),
    ("read", &[]),
    ("scattered", &["base"]),
    ("random", &[]),
    ("overwrite", &["base"]),
    ("append", &["append_1", "append_n"]),
    ("sizes", &["sized-"]),
    ("create", &["file-", LISTS]),
    ("names", &["file-", LISTS]),
    ("small", &[]),
    ("beside", &["base", "stream-", "log-"]),
    ("space", &["base"]),
];

#[test]
fn what_reads_differently_later_is_noticed_by_every_work_that_writes_then() {
    assert!(WORKS.iter().map(|work| work.name).eq(LATER.map(|(name, _)| name)));
    for (work, (_, about)) in WORKS.iter().zip(LATER) {
        for about in about {
            assert_noticed(work, about, true);
        }
    }
}

#[test]
fn only_what_is_wanted_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |only: &[&str]| -> Vec<&str> {
        let outcomes = run(folder.path(), vec![second(folder.path())], only, Stop::default()).unwrap();
        outcomes.iter().map(|outcome| outcome.row.key).collect()
    };
    assert_eq!(keys(&["random_hit"]), ["random_hit"]);
    assert_eq!(keys(&["rename"]), ["rename"]);
    assert_eq!(keys(&["append"]), ["append_1", "append_n"]);
    assert_eq!(keys(&["stat_cached", "append_1"]), ["append_1", "stat_cached"]);
    let all = [("append", "append_1"), ("names", "readdir")];
    let wanted = Wanted::new(&["dir".to_owned(), "nonsense".to_owned()]);
    assert_eq!(wanted.unknown(&all).collect::<Vec<_>>(), ["nonsense"]);
}

/// What has two rows.
#[derive(Debug)]
struct Pair;

impl Extra for Pair {
    fn name(&self) -> &'static str {
        "pair"
    }
    fn rows(&self) -> &'static [Row] {
        &[
            Row { key: "left", item: "left", unit: Unit::Times, target: Target::Open },
            Row { key: "right", item: "right", unit: Unit::Times, target: Target::Open },
        ]
    }
    fn side(&self) -> &'static str {
        "host"
    }
    fn turn(&mut self, _: u64, _: &Scale) -> Result<Sheet> {
        Ok(Sheet(vec![("left".to_owned(), 1.0), ("right".to_owned(), 2.0)]))
    }
}

#[test]
fn only_what_is_wanted_of_an_extra_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (wanted, contenders, stop) = (Wanted::new(&["left".to_owned()]), Vec::new(), Stop::default());
    let mut tell = |_: &str| {};
    let folder = folder.path().to_owned();
    let outcomes =
        Runner { scale: tiny(), wanted, contenders, folder, stop, tell: &mut tell }.extra(&mut Pair).unwrap();
    assert_eq!(outcomes.iter().map(|outcome| outcome.row.key).collect::<Vec<_>>(), ["left"]);
    assert_eq!(outcomes[0].sides[0].values, [1.0, 1.0]);
}

#[test]
fn a_stop_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Stop::of(Arc::new(AtomicBool::new(true)));
    assert!(matches!(run(folder.path(), Vec::new(), &["write"], stop), Err(Error::Interrupted)));
}

#[test]
fn a_work_in_another_process_is_asked_for_in_lines() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |lines: &str| {
        let mut out = Vec::new();
        serve(Box::new(Host::new(folder.path())), folder.path(), &mut lines.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let scale = "1048576 5 10 10 10 4 2 2 20 10 1";
    let answers = ask(&format!("begin names {scale}\nturn 0 0\nturn 2 1\nfinish\n"));
    let lines: Vec<&str> = answers.lines().collect();
    assert_eq!(lines.len(), 4, "{answers}");
    assert!(lines[0] == "ok" && lines[1].starts_with("ok stat_cached=") && lines[2].starts_with("ok readdir="));
    assert!(lines[3] == "ok" && is_empty(folder.path()));
    for wrong in ["begin nothing 1", "begin names 1", "turn 0 0", "finish", "", "dance"] {
        assert!(ask(&format!("{wrong}\n")).starts_with("error host: does not know"), "{wrong}");
    }
}

#[test]
fn the_host_side_tells_how_much_of_the_disk_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let side = Host::new(folder.path()).make(&Wish::new("x", 0, 0)).unwrap();
    let file = side.create(&side.root(), "a").unwrap();
    let mut block = vec![0; 4096];
    (0..64).for_each(|n| {
        fill(&mut block, 1, n * BLOCK);
        file.write_at(n * BLOCK, &block).unwrap();
    });
    let stored = side.stored().unwrap().unwrap();
    assert!((64 * BLOCK..66 * BLOCK).contains(&stored), "{stored}");
    side.remove().unwrap();
}
