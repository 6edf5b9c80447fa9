//! The engine against a model in memory: random operations, background steps, clean and unclean reopening.

use std::collections::BTreeMap;

use anyfs_lvm_lv::{Ino, LvError, NewNode, Rename, Seek, SetAttr, Volume, Work};
use proptest::prelude::*;

use super::support::{Rig, contents, pattern};

#[derive(Debug, Clone)]
enum Op {
    Create(u8),
    Write(u8, u32, u32, u64),
    Truncate(u8, u32),
    Punch(u8, u32, u32),
    Append(u8, u32, u64),
    Zero(u8, u32, u32, bool),
    Copy((u8, u32), (u8, u32), u32),
    Exchange(u8, u8),
    Rename(u8, u8),
    Unlink(u8),
    Fsync(u8),
    Sync,
    Step(u8),
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0u8..6;
    prop_oneof![
        3 => name.clone().prop_map(Op::Create),
        8 => (name.clone(), 0u32..60_000, 1u32..20_000, any::<u64>()).prop_map(|(n, o, l, s)| Op::Write(n, o, l, s)),
        2 => (name.clone(), 0u32..60_000, 1u32..600, any::<u64>()).prop_map(|(n, o, l, s)| Op::Write(n, o, l, s)),
        2 => (name.clone(), 0u32..80_000).prop_map(|(n, s)| Op::Truncate(n, s)),
        2 => (name.clone(), 0u32..60_000, 0u32..30_000).prop_map(|(n, s, l)| Op::Punch(n, s, l)),
        2 => (name.clone(), 1u32..9_000, any::<u64>()).prop_map(|(n, l, s)| Op::Append(n, l, s)),
        1 => (name.clone(), 0u32..60_000, 0u32..30_000, any::<bool>()).prop_map(|(n, s, l, k)| Op::Zero(n, s, l, k)),
        3 => ((name.clone(), 0u32..60_000), (name.clone(), 0u32..60_000), 0u32..40_000)
            .prop_map(|(a, b, l)| Op::Copy(a, b, l)),
        1 => (name.clone(), name.clone()).prop_map(|(a, b)| Op::Exchange(a, b)),
        2 => (name.clone(), name.clone()).prop_map(|(a, b)| Op::Rename(a, b)),
        2 => name.clone().prop_map(Op::Unlink),
        3 => name.prop_map(Op::Fsync),
        1 => Just(Op::Sync),
        6 => (0u8..5).prop_map(Op::Step),
        1 => Just(Op::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    files: BTreeMap<u8, Vec<u8>>,
}

fn name(n: u8) -> Vec<u8> {
    format!("file{n}").into_bytes()
}

fn ino(volume: &Volume, n: u8) -> Ino {
    volume.lookup(Ino::ROOT, &name(n)).unwrap().ino
}

impl Model {
    /// Runs one operation on both; an operation refused for want of space happens on neither.
    fn run(&mut self, volume: &Volume, op: &Op) {
        match op {
            Op::Create(..) | Op::Rename(..) | Op::Exchange(..) | Op::Unlink(..) => self.name_op(volume, op),
            Op::Copy(a, b, len) => self.copy(volume, *a, *b, *len),
            Op::Sync => volume.sync().unwrap(),
            Op::Step(kind) => {
                let work = [Work::Flush, Work::Compact, Work::Intents, Work::Delete, Work::Clean { idle: true }];
                volume.step(work[*kind as usize]).unwrap();
            }
            Op::Fsync(n) if self.files.contains_key(n) => volume.fsync(ino(volume, *n)).unwrap(),
            _ => self.byte_op(volume, op),
        }
    }

    fn name_op(&mut self, volume: &Volume, op: &Op) {
        let known = |n: &u8| self.files.contains_key(n);
        match op {
            Op::Create(n) => {
                let made = volume.create(Ino::ROOT, &name(*n), &NewNode::file(0o600));
                if known(n) {
                    assert!(matches!(made, Err(LvError::Exists { .. })));
                } else {
                    made.unwrap();
                    self.files.insert(*n, Vec::new());
                }
            }
            Op::Exchange(a, b) if known(a) && known(b) => {
                volume.rename((Ino::ROOT, &name(*a)), (Ino::ROOT, &name(*b)), Rename::Exchange).unwrap();
                let (first, second) = (self.files.remove(a).unwrap(), self.files.remove(b).unwrap_or_default());
                if a == b {
                    self.files.insert(*a, first);
                } else {
                    self.files.insert(*a, second);
                    self.files.insert(*b, first);
                }
            }
            Op::Rename(a, b) if known(a) && a != b => {
                volume.rename((Ino::ROOT, &name(*a)), (Ino::ROOT, &name(*b)), Rename::Replace).unwrap();
                let file = self.files.remove(a).unwrap();
                self.files.insert(*b, file);
            }
            Op::Unlink(n) if known(n) => {
                volume.unlink(Ino::ROOT, &name(*n)).unwrap();
                self.files.remove(n);
            }
            _ => {}
        }
    }

    fn byte_op(&mut self, volume: &Volume, op: &Op) {
        let known = |n: &u8| self.files.contains_key(n);
        match op {
            Op::Write(n, off, len, seed) if known(n) => {
                let (off, data) = (*off as usize, pattern(*seed, *len as usize));
                match volume.write(ino(volume, *n), off as u64, &data) {
                    Ok(()) => {
                        let file = self.files.get_mut(n).unwrap();
                        file.resize(file.len().max(off + data.len()), 0);
                        file[off..off + data.len()].copy_from_slice(&data);
                    }
                    Err(LvError::NoSpace { free, needed }) => assert!(free < needed),
                    Err(other) => panic!("{other}"),
                }
            }
            Op::Truncate(n, size) if known(n) => {
                volume
                    .setattr(ino(volume, *n), &SetAttr { size: Some(u64::from(*size)), ..SetAttr::default() })
                    .unwrap();
                self.files.get_mut(n).unwrap().resize(*size as usize, 0);
            }
            Op::Punch(n, start, len) if known(n) => {
                volume.punch(ino(volume, *n), u64::from(*start), u64::from(start + len)).unwrap();
                let file = self.files.get_mut(n).unwrap();
                let (start, end) = ((*start as usize).min(file.len()), ((start + len) as usize).min(file.len()));
                file[start..end].fill(0);
            }
            Op::Append(n, len, seed) if known(n) => {
                let data = pattern(*seed, *len as usize);
                let file = self.files.get_mut(n).unwrap();
                match volume.append(ino(volume, *n), &data) {
                    Ok(at) => {
                        assert_eq!(at, file.len() as u64);
                        file.extend_from_slice(&data);
                    }
                    Err(error) => assert!(matches!(error, LvError::NoSpace { .. }), "{error}"),
                }
            }
            Op::Zero(n, off, len, keep) if known(n) => {
                volume.zero(ino(volume, *n), u64::from(*off), u64::from(*len), *keep).unwrap();
                let file = self.files.get_mut(n).unwrap();
                let (start, end) = (*off as usize, (off + len) as usize);
                if !keep {
                    file.resize(file.len().max(end), 0);
                }
                let size = file.len();
                file[start.min(size)..end.min(size)].fill(0);
            }
            _ => {}
        }
    }

    fn copy(&mut self, volume: &Volume, (a, from): (u8, u32), (b, to): (u8, u32), len: u32) {
        if !self.files.contains_key(&a) || !self.files.contains_key(&b) {
            return;
        }
        let (from, to) = (from as usize, to as usize);
        let source = &self.files[&a];
        let bytes = source[from.min(source.len())..(from + len as usize).min(source.len())].to_vec();
        let overlaps = a == b && from.abs_diff(to) < bytes.len();
        match volume.copy_range((ino(volume, a), from as u64), (ino(volume, b), to as u64), u64::from(len)) {
            Ok(count) => {
                assert!(!overlaps);
                assert_eq!(count, bytes.len() as u64);
                let file = self.files.get_mut(&b).unwrap();
                if !bytes.is_empty() {
                    file.resize(file.len().max(to + bytes.len()), 0);
                    file[to..to + bytes.len()].copy_from_slice(&bytes);
                }
            }
            Err(LvError::Invalid { .. }) => assert!(overlaps),
            Err(other) => panic!("{other}"),
        }
    }

    fn check(&self, volume: &Volume) {
        let mut listed: Vec<Vec<u8>> = volume.readdir(Ino::ROOT, 0, 100).unwrap().into_iter().map(|e| e.name).collect();
        listed.sort();
        assert_eq!(listed, self.files.keys().map(|n| name(*n)).collect::<Vec<_>>());
        for (n, expected) in &self.files {
            assert!(contents(volume, ino(volume, *n)) == *expected, "file {n} differs");
            holes_are_zeros(volume, ino(volume, *n), expected);
        }
    }
}

/// Data and holes take turns from start to end, and a hole holds nothing.
fn holes_are_zeros(volume: &Volume, ino: Ino, bytes: &[u8]) {
    let size = bytes.len();
    let find = |at: usize, what| volume.seek(ino, at as u64, what).map(|found| usize::try_from(found).unwrap());
    let mut at = 0;
    while at < size {
        let hole = find(at, Seek::Hole).unwrap();
        let end = find(hole, Seek::Data).unwrap_or(size);
        assert!(at <= hole && hole <= end && end <= size);
        assert!(bytes[hole..end].iter().all(|byte| *byte == 0), "bytes in a hole at {hole}..{end}");
        assert!(end > at, "no progress at {at}");
        at = end;
    }
    assert!(matches!(find(size, Seek::Hole), Err(LvError::NoData { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 400, ..ProptestConfig::default() })]
    #[test]
    fn the_engine_behaves_as_a_map_of_byte_strings(ops in prop::collection::vec(op(), 1..120)) {
        // 2 x 40 extents of 4 KiB for up to 6 files of up to 80 KB: full often, compaction always busy.
        let rig = Rig::new(2, 40, 4096);
        let mut volume = rig.open();
        let mut model = Model::default();
        for op in &ops {
            if matches!(op, Op::Reopen) {
                volume.close().unwrap();
                volume = rig.open();
                model.check(&volume);
            }
            model.run(&volume, op);
        }
        model.check(&volume);
        volume.sync().unwrap();
        volume.abandon();
        model.check(&rig.open());
    }
}
