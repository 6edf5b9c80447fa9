//! Crash images of a [`Model`].

use std::collections::BTreeMap;

use super::model::{Change, FileModel};
use super::{Image, Mode, Model};
use crate::Prng;
use crate::content::Content;
use crate::disk::apply_name_op;
use crate::log::{Inode, Name, Node};

/// What a disk writes as a whole, or not.
const SECTOR: u64 = 512;

/// What a lost write may leave where a file has grown.
const GARBAGE: u8 = 0xa5;

impl Model {
    /// The disk after a crash now; `None` when this kind of crash cannot differ from [`Mode::Kill`] or has nothing to
    /// act on. The same model, mode and seed give the same image.
    pub fn image(&self, mode: Mode, seed: u64) -> Option<Image> {
        if mode != Mode::Kill && !self.pending_anything() {
            return None;
        }
        let mut rng = Prng::new(seed);
        match mode {
            Mode::Kill => Some(self.build(self.kept.clone(), |_, file| file.kept.clone())),
            Mode::Drop => Some(self.build(self.durable.clone(), |_, file| file.durable.clone())),
            Mode::Prefix => Some(self.shuffled(&mut rng, prefix)),
            Mode::Tear => {
                let filler = if rng.one_in(2) { GARBAGE } else { 0 };
                Some(self.shuffled(&mut rng, |file, rng| torn(file, rng, filler)))
            }
            Mode::Contents => {
                (!self.pending.is_empty()).then(|| self.build(self.durable.clone(), |_, file| file.written()))
            }
            Mode::Names => {
                (!self.pending.is_empty()).then(|| self.build(self.kept.clone(), |_, file| file.durable.clone()))
            }
            Mode::KeepOne | Mode::LoseOne => self.skewed(mode == Mode::KeepOne, &mut rng),
            Mode::Shorn => self.shorn(&mut rng),
        }
    }

    fn build(&self, names: BTreeMap<Name, Node>, content: impl Fn(Inode, &FileModel) -> Content) -> Image {
        Image::new(names, |inode| self.files.get(&inode).map(|file| content(inode, file)))
    }

    /// Every file as `choose` says, every folder at a random prefix.
    fn shuffled(&self, rng: &mut Prng, choose: impl Fn(&FileModel, &mut Prng) -> Content) -> Image {
        let names = self.names_prefix(rng);
        let seed = rng.draw();
        self.build(names, |inode, file| choose(file, &mut Prng::derived(seed, &[inode])))
    }

    /// Per folder a prefix of its pending changes, applied in their common order.
    fn names_prefix(&self, rng: &mut Prng) -> BTreeMap<Name, Node> {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for change in &self.pending {
            *left.entry(change.dir()).or_default() += 1;
        }
        for count in left.values_mut() {
            *count = rng.index(*count + 1);
        }
        let mut names = self.durable.clone();
        for change in &self.pending {
            if let Some(count @ 1..) = left.get_mut(change.dir()) {
                *count -= 1;
                apply_name_op(&mut names, change);
            }
        }
        names
    }

    fn skewed(&self, keep: bool, rng: &mut Prng) -> Option<Image> {
        let pending = self.pending_files();
        if pending.len() < 2 {
            return None;
        }
        let one = pending[rng.index(pending.len())];
        let names = if rng.one_in(4) { self.names_prefix(rng) } else { self.kept.clone() };
        Some(
            self.build(names, |inode, file| if (inode == one) == keep { file.written() } else { file.durable.clone() }),
        )
    }

    fn shorn(&self, rng: &mut Prng) -> Option<Image> {
        let pending = self.pending_files();
        let one = *pending.get(rng.index(pending.len()))?;
        Some(self.shuffled(rng, |file, rng| {
            let is_one = std::ptr::eq(file, &raw const self.files[&one]);
            if is_one { shorn(file, rng) } else { prefix(file, rng) }
        }))
    }
}

/// The first so many pending changes.
fn prefix(file: &FileModel, rng: &mut Prng) -> Content {
    let mut content = file.durable.clone();
    for change in &file.pending[..rng.index(file.pending.len() + 1)] {
        change.apply(&mut content);
    }
    content
}

/// Each pending change kept, lost or torn.
fn torn(file: &FileModel, rng: &mut Prng, filler: u8) -> Content {
    let mut content = file.durable.clone();
    for change in &file.pending {
        match (rng.below(3), change) {
            (0, _) => {}
            (1, _) | (_, Change::Truncate(_)) => match change {
                Change::Write(at, data) => content.write_filling(*at, data, filler),
                Change::Truncate(len) => content.set_len(*len),
            },
            (_, Change::Write(at, data)) => tear(&mut content, *at, data, rng, filler),
        }
    }
    content
}

/// Writes some sectors of `data`; the file grows as if all had been written.
fn tear(content: &mut Content, at: u64, data: &[u8], rng: &mut Prng, filler: u8) {
    let mut done = 0;
    while done < data.len() {
        let here = at + done as u64;
        let to_end = usize::try_from(SECTOR - here % SECTOR).unwrap_or(usize::MAX);
        let part = &data[done..data.len().min(done + to_end)];
        if rng.one_in(2) {
            content.write_filling(here, part, filler);
        } else if here + part.len() as u64 > content.len() {
            content.write_filling(here + part.len() as u64, &[], filler);
            content.set_len(content.len().max(here + part.len() as u64));
        }
        done += part.len();
    }
}

/// A prefix, then one more write of which one sector, where it touches the disk, is garbage.
fn shorn(file: &FileModel, rng: &mut Prng) -> Content {
    let writes: Vec<usize> =
        (0..file.pending.len()).filter(|index| matches!(file.pending[*index], Change::Write(..))).collect();
    let Some(&last) = writes.get(rng.index(writes.len())) else { return prefix(file, rng) };
    let mut content = file.durable.clone();
    for change in &file.pending[..=last] {
        change.apply(&mut content);
    }
    if let Change::Write(at, data) = &file.pending[last] {
        let first = at / SECTOR;
        let count = (at + data.len() as u64).div_ceil(SECTOR) - first;
        let start = (first + rng.below(count)) * SECTOR;
        let end = content.len().min(start + SECTOR);
        let mut garbage = vec![0; usize::try_from(end - start).unwrap_or(0)];
        rng.fill(&mut garbage);
        content.write(start, &garbage);
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{NameOp, Op};

    fn write(inode: Inode, at: u64, data: &[u8]) -> Op {
        Op::Write { inode, at, data: data.into() }
    }

    fn add(name: &str, inode: Inode) -> Op {
        Op::Name(NameOp::Add(name.into(), Node::File(inode)))
    }

    fn model(ops: &[Op]) -> Model {
        let mut model = Model::default();
        for op in ops {
            model.apply(op);
        }
        model
    }

    fn bytes(image: &Image, name: &str) -> Option<Vec<u8>> {
        image.file(name).map(Content::to_vec)
    }

    #[test]
    fn a_synced_file_without_a_synced_name_is_lost() {
        let model = model(&[add("/a", 1), write(1, 0, b"x"), Op::Sync(1)]);
        let of = |mode| bytes(&model.image(mode, 0).unwrap(), "/a");
        assert_eq!(of(Mode::Kill), Some(b"x".to_vec()));
        assert_eq!(of(Mode::Drop), None);
        assert_eq!(of(Mode::Contents), None);
        assert_eq!(of(Mode::Names), Some(b"x".to_vec()));
    }

    #[test]
    fn a_synced_name_of_an_unsynced_file_is_empty() {
        let model = model(&[add("/a", 1), write(1, 0, b"x"), Op::SyncDir("/".into())]);
        assert_eq!(bytes(&model.image(Mode::Drop, 0).unwrap(), "/a"), Some(Vec::new()));
        assert!(model.image(Mode::Names, 0).is_none());
    }

    #[test]
    fn an_unlink_is_undone_with_the_contents_it_had() {
        let base = [add("/a", 1), write(1, 0, b"x"), Op::Sync(1), Op::SyncDir("/".into())];
        let mut model = model(&base);
        model.apply(&write(1, 0, b"y"));
        model.apply(&Op::Name(NameOp::Remove("/a".into())));
        assert_eq!(bytes(&model.image(Mode::Kill, 0).unwrap(), "/a"), None);
        assert_eq!(bytes(&model.image(Mode::Drop, 0).unwrap(), "/a"), Some(b"x".to_vec()));
        assert_eq!(bytes(&model.image(Mode::Contents, 0).unwrap(), "/a"), Some(b"y".to_vec()));
        model.apply(&Op::SyncDir("/".into()));
        assert!(model.files.is_empty());
    }

    #[test]
    fn a_rename_is_whole() {
        let mut model = model(&[add("/a", 1), add("/b", 2), write(1, 0, b"1"), write(2, 0, b"2")]);
        for op in [Op::Sync(1), Op::Sync(2), Op::SyncDir("/".into())] {
            model.apply(&op);
        }
        model.apply(&Op::Name(NameOp::Rename("/a".into(), "/b".into())));
        for seed in 0..20 {
            let image = model.image(Mode::Prefix, seed).unwrap();
            match bytes(&image, "/a") {
                Some(one) => assert_eq!((one, bytes(&image, "/b")), (b"1".to_vec(), Some(b"2".to_vec()))),
                None => assert_eq!(bytes(&image, "/b"), Some(b"1".to_vec())),
            }
        }
    }

    #[test]
    fn a_lost_folder_takes_its_files_along() {
        let dir = Op::Name(NameOp::Add("/d".into(), Node::Dir));
        let model = model(&[dir, add("/d/a", 1), write(1, 0, b"x"), Op::Sync(1), Op::SyncDir("/d".into())]);
        assert_eq!(bytes(&model.image(Mode::Kill, 0).unwrap(), "/d/a"), Some(b"x".to_vec()));
        assert!(model.image(Mode::Drop, 0).unwrap().list().is_empty());
    }

    #[test]
    fn a_torn_write_keeps_whole_sectors_and_the_seed_repeats_it() {
        let old = vec![1; 2048];
        let ops = [add("/a", 1), write(1, 0, &old), Op::Sync(1), Op::SyncDir("/".into()), write(1, 100, &[2; 3000])];
        let model = model(&ops);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let torn = bytes(&model.image(Mode::Tear, seed).unwrap(), "/a").unwrap();
            assert_eq!(Some(&torn), bytes(&model.image(Mode::Tear, seed).unwrap(), "/a").as_ref());
            for (index, sector) in torn.chunks(512).enumerate() {
                let written = &sector[if index == 0 { 100 } else { 0 }..];
                assert!(written.windows(2).all(|pair| pair[0] == pair[1]), "torn inside sector {index}");
            }
            seen.insert(torn);
        }
        assert!(seen.len() > 50);
    }

    #[test]
    fn a_shorn_sector_may_hit_neighbours_of_a_small_write() {
        let ops = [add("/a", 1), write(1, 0, &[1; 512]), Op::Sync(1), Op::SyncDir("/".into()), write(1, 10, b"2")];
        let image = model(&ops).image(Mode::Shorn, 3).unwrap();
        assert_ne!(bytes(&image, "/a").unwrap()[100..], [1; 412]);
    }
}
