//! Runs a target on inputs, and makes what fails small.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyfs_lvm_rig::Prng;

use crate::mutate::{Mutator, shrink};
use crate::targets::Target;
use crate::watch::Watch;

/// How long a search goes on.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Where the inputs come from.
    pub seed: u64,
    /// Fresh inputs, at least.
    pub runs: u64,
    /// Time, at least.
    pub time: Duration,
}

/// What a search saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Inputs of the corpus.
    pub replayed: u64,
    /// Fresh inputs.
    pub fresh: u64,
    /// Different ways that they went.
    pub ways: u64,
    /// A failing input, made small, and what it did.
    pub failed: Option<(Vec<u8>, String)>,
}

static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps panics of all threads for the search, instead of writing them out one by one.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANIC
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| info.to_string().replace('\n', ": "));
    }));
}

/// Which way an input went.
///
/// # Errors
/// What went wrong, in any thread.
pub fn go(target: &Target, input: &[u8]) -> Result<String, String> {
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    match PANIC.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(panicked) => Err(panicked),
        None => ended.map_err(|_| "a panic".to_owned()),
    }
}

/// Bytes as digits, as the command line takes them.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The folder of a target's corpus.
pub fn corpus_folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// A target's corpus, in the order of the names.
pub fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus_folder(target))
        .into_iter()
        .flatten()
        .filter_map(|file| Some(file.ok()?.path()))
        .collect();
    files.sort();
    files.iter().filter_map(|file| std::fs::read(file).ok()).collect()
}

/// Told of an input that goes a new way; what it is given makes a short one.
pub type Keep<'a> = dyn FnMut(&dyn Fn() -> Vec<u8>) + 'a;

/// A target with what is known about it.
struct Search<'a> {
    target: &'a Target,
    watch: &'a Watch,
    ways: BTreeSet<String>,
}

impl Search<'_> {
    fn go(&self, input: &[u8]) -> Result<String, String> {
        self.watch.set(Some(format!("--target {} --input {}", self.target.name, hex(input))));
        let way = go(self.target, input);
        self.watch.set(None);
        way
    }

    /// Whether it goes a way that none went before.
    fn is_new(&mut self, input: &[u8]) -> Result<bool, (Vec<u8>, String)> {
        match self.go(input) {
            Ok(way) => Ok(self.ways.insert(way)),
            Err(why) => {
                let small = shrink(input, 300, |less| self.go(less).is_err());
                let why = self.go(&small).err().unwrap_or(why);
                Err((small, why))
            }
        }
    }

    /// The shortest input found that goes the same way.
    fn short(&self, input: &[u8]) -> Vec<u8> {
        let way = self.go(input);
        shrink(input, 100, |less| self.go(less) == way)
    }
}

/// Replays the corpus, then looks for more: inputs that go another way are changed on. `keep`
/// is told of each, and may ask for a short one that goes the same way.
pub fn search(target: &Target, bounds: Bounds, watch: &Watch, keep: &mut Keep<'_>) -> Seen {
    let mut known = corpus(target);
    let mut seen = Seen::default();
    let mut search = Search { target, watch, ways: BTreeSet::new() };
    for input in &known {
        seen.replayed += 1;
        if let Err(failed) = search.is_new(input) {
            seen.failed = Some(failed);
            return seen;
        }
    }
    known.extend((target.seeds)());
    let mut mutator = Mutator::new(Prng::derived(bounds.seed, &[2]), target.longest, target.words);
    let end = Instant::now() + bounds.time;
    while seen.fresh < bounds.runs || Instant::now() < end {
        let input = mutator.next(&known);
        seen.fresh += 1;
        match search.is_new(&input) {
            Ok(true) => {
                keep(&|| search.short(&input));
                known.push(input);
            }
            Ok(false) => {}
            Err(failed) => {
                seen.failed = Some(failed);
                break;
            }
        }
    }
    seen.ways = search.ways.len() as u64;
    seen
}
