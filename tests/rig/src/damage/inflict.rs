//! Doing one damage to a pool at rest.

use std::collections::BTreeSet;

use super::ground::{Earlier, Ground, Left, targets};
use super::kind::Kind;
use super::page::Pages;
use crate::prng::Prng;
use crate::{Content, Image};

/// A damaged pool.
#[derive(Debug)]
pub(super) struct Damaged {
    pub(super) image: Image,
    /// The files that were changed.
    pub(super) files: Vec<String>,
    /// What was done to them.
    pub(super) what: String,
    /// The activation from which on an older state of the whole volume cannot be told from the newest.
    pub(super) older_from: Option<u32>,
}

/// Does a damage of this kind; `None` where the pool has nothing that could be damaged so.
pub(super) fn inflict(ground: &Ground, kind: Kind, rng: &mut Prng) -> Option<Damaged> {
    let mut tool = Tool { ground, rng, image: ground.image.clone(), files: Vec::new(), used: None };
    let what = tool.run(kind)?;
    let Tool { image, files, used, .. } = tool;
    let older_from = older_from(ground, kind, &files, used);
    Some(Damaged { image, files, what, older_from })
}

/// What the pool cannot know: nothing else says which commits the log of the only copy of the metadata held, or that it
/// was taken back to a moment since which no PV was written. Several copies vouch for each other, unless all are damaged.
fn older_from(ground: &Ground, kind: Kind, files: &[String], used: Option<&Earlier>) -> Option<u32> {
    let metadata = files.iter().filter(|name| name.contains(".meta"));
    let copies: BTreeSet<&str> = metadata.map(|name| name.trim_end_matches("-wal")).collect();
    let alone = kind == Kind::OldMetadata || u32::try_from(copies.len()).is_ok_and(|damaged| damaged >= ground.copies);
    match kind {
        Kind::OldAll => Some(1),
        _ if !alone => None,
        _ if ground.left != Left::Closed => Some(ground.session),
        _ => used.filter(|earlier| pvs(&earlier.image).eq(pvs(&ground.image))).map(|earlier| earlier.session),
    }
}

/// The PV files and what they hold.
fn pvs(image: &Image) -> impl Iterator<Item = (String, Option<Vec<u8>>)> {
    let names = image.list().into_iter().filter(|(name, _)| has_end(name, ".db"));
    names.map(|(name, _)| (name.to_string(), image.file(&name).map(Content::to_vec)))
}

fn is_main(name: &str) -> bool {
    has_end(name, ".db") || has_end(name, ".meta")
}

pub(super) fn has_end(name: &str, end: &str) -> bool {
    name.ends_with(end)
}

/// The log or journal of a PV or metadata copy.
fn log_of(name: &str) -> String {
    format!("{name}{}", if has_end(name, ".meta") { "-wal" } else { "-journal" })
}

/// A file and a byte in it.
type Spot = (String, u64);

struct Tool<'a> {
    ground: &'a Ground,
    rng: &'a mut Prng,
    image: Image,
    files: Vec<String>,
    /// The moment that something was taken from.
    used: Option<&'a Earlier>,
}

impl Tool<'_> {
    fn run(&mut self, kind: Kind) -> Option<String> {
        match kind {
            Kind::Bit => self.flip(1),
            Kind::Bits => {
                let count = 2 + self.rng.below(30);
                self.flip(count)
            }
            Kind::Zero => self.zero(),
            Kind::Swap | Kind::SwapAcross => self.swap(kind == Kind::SwapAcross),
            Kind::Stale => self.stale(1),
            Kind::StaleSome => {
                let count = 2 + self.rng.index(4);
                self.stale(count)
            }
            Kind::Misdirect | Kind::MisdirectAcross => self.misdirect(kind == Kind::MisdirectAcross),
            Kind::CutByte | Kind::CutPage | Kind::CutHalf => self.cut(kind),
            Kind::Grow => self.grow(),
            Kind::OldClosed | Kind::OldOpen | Kind::OldWithLog => self.older(kind),
            Kind::OldMetadata | Kind::OldAll => self.all_older(kind == Kind::OldAll),
            Kind::LogEarlier | Kind::LogForeign | Kind::LogOther | Kind::LogGone => self.log(kind),
            Kind::Foreign => self.foreign(),
            Kind::Swapped | Kind::Twice => self.twice(kind == Kind::Swapped),
            Kind::Zeros | Kind::Text | Kind::Empty | Kind::Folder | Kind::Gone => self.instead(kind),
        }
    }

    /// Any file, PVs and metadata copies and their logs about equally often.
    fn target(&mut self) -> Option<String> {
        let all = targets(&self.image);
        let metadata: Vec<String> = all.iter().filter(|name| name.contains(".meta")).cloned().collect();
        let from = if self.rng.one_in(2) { metadata } else { all };
        self.pick(&from)
    }

    fn main(&mut self) -> Option<String> {
        let all: Vec<String> = targets(&self.image).into_iter().filter(|name| is_main(name)).collect();
        self.pick(&all)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.rng.index(from.len())).cloned()
    }

    fn content(&self, name: &str) -> Option<Content> {
        self.image.file(name).cloned()
    }

    fn put(&mut self, name: &str, content: Content) {
        self.image.set_file(name, content);
        self.touch(name);
    }

    fn touch(&mut self, name: &str) {
        if !self.files.iter().any(|known| known == name) {
            self.files.push(name.to_owned());
        }
    }

    /// A place in a file: any byte, or one on a page of a tree, or in the header.
    fn place(&mut self, content: &Content) -> (u64, Pages) {
        let pages = Pages::of(content);
        let known = pages.known();
        let at = match self.rng.below(5) {
            0 => self.rng.below(content.len().min(100)),
            1 | 2 if !known.is_empty() => {
                let page = known[self.rng.index(known.len())];
                (page - 1) * pages.size + self.rng.below(pages.size)
            }
            _ => self.rng.below(content.len()),
        };
        (at.min(content.len().saturating_sub(1)), pages)
    }

    fn flip(&mut self, count: u64) -> Option<String> {
        let name = self.target()?;
        let mut content = self.content(&name)?;
        let mut what = String::new();
        let (start, pages) = self.place(&content);
        for number in 0..count {
            let far = self.rng.below(if number % 2 == 0 { 64 } else { content.len() });
            let at = if number == 0 { start } else { (start + far) % content.len() };
            let mut byte = [0];
            content.read(at, &mut byte);
            byte[0] ^= 1 << self.rng.below(8);
            content.write(at, &byte);
            if number == 0 {
                what = format!("{count} bits of {name}, first at {}", pages.at(at));
            }
        }
        self.put(&name, content);
        Some(what)
    }

    fn zero(&mut self) -> Option<String> {
        let name = self.target()?;
        let mut content = self.content(&name)?;
        let len = 512 << self.rng.below(8);
        let (at, pages) = self.place(&content);
        let at = at / 512 * 512;
        let len = len.min(content.len() - at);
        content.write(at, &vec![0; usize::try_from(len).ok()?]);
        self.put(&name, content);
        Some(format!("{len} zeros in {name} from {}", pages.at(at)))
    }

    /// Two places of `unit` bytes each, in one file or two.
    fn places(&mut self, across: bool) -> Option<([Spot; 2], usize, String)> {
        let first = self.target()?;
        let second = if across { self.target().filter(|name| *name != first)? } else { first.clone() };
        let sizes = [512, 4096, Pages::of(self.image.file(&first)?).size];
        let unit = sizes[1 + self.rng.index(2)].min(sizes[self.rng.index(3)].max(512));
        let mut place = |name: &str| {
            let content = self.image.file(name).cloned()?;
            let (at, pages) = self.place(&content);
            let at = at / unit * unit;
            (at + unit <= content.len()).then(|| (at, pages.at(at)))
        };
        let ((one, one_text), (two, two_text)) = (place(&first)?, place(&second)?);
        let what = format!("{unit} bytes of {first} ({one_text}) and {second} ({two_text})");
        let both = [(first, one), (second, two)];
        (both[0] != both[1]).then_some((both, usize::try_from(unit).ok()?, what))
    }

    fn bytes(&self, place: &Spot, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        if let Some(content) = self.image.file(&place.0) {
            content.read(place.1, &mut bytes);
        }
        bytes
    }

    fn overwrite(&mut self, place: &Spot, bytes: &[u8]) {
        if let Some(mut content) = self.content(&place.0) {
            content.write(place.1, bytes);
            self.put(&place.0, content);
        }
    }

    fn swap(&mut self, across: bool) -> Option<String> {
        let (places, len, what) = self.places(across)?;
        let (one, two) = (self.bytes(&places[0], len), self.bytes(&places[1], len));
        self.overwrite(&places[0], &two);
        self.overwrite(&places[1], &one);
        (one != two).then(|| format!("swapped {what}"))
    }

    fn misdirect(&mut self, across: bool) -> Option<String> {
        let (places, len, what) = self.places(across)?;
        let bytes = self.bytes(&places[0], len);
        if bytes == self.bytes(&places[1], len) {
            return None;
        }
        self.overwrite(&places[1], &bytes);
        Some(format!("the first over the second of {what}"))
    }

    fn stale(&mut self, count: usize) -> Option<String> {
        let name = self.target()?;
        let mut content = self.content(&name)?;
        let earlier = self.earlier(|_| true)?;
        let old = earlier.image.file(&name)?.clone();
        let pages = Pages::of(&content);
        let size = usize::try_from(pages.size).ok()?;
        let (mut now, mut then) = (vec![0; size], vec![0; size]);
        let mut differ = Vec::new();
        for page in 0..content.len().min(old.len()) / pages.size {
            content.read(page * pages.size, &mut now);
            old.read(page * pages.size, &mut then);
            if now != then {
                differ.push(page * pages.size);
            }
        }
        let mut what = format!("older pages (from activation {}) of {name}:", earlier.session);
        for _ in 0..count.min(differ.len()) {
            let at = differ.swap_remove(self.rng.index(differ.len()));
            old.read(at, &mut then);
            content.write(at, &then);
            what = format!("{what} {};", pages.at(at));
        }
        self.put(&name, content);
        what.ends_with(';').then_some(what)
    }

    fn cut(&mut self, kind: Kind) -> Option<String> {
        let name = self.target()?;
        let mut content = self.content(&name)?;
        let len = match kind {
            Kind::CutByte => content.len() - 1,
            Kind::CutPage => content.len().checked_sub(Pages::of(&content).size)?,
            _ => content.len() / 2,
        };
        content.set_len(len);
        self.put(&name, content);
        Some(format!("{name} cut to {len} bytes"))
    }

    fn grow(&mut self) -> Option<String> {
        let name = self.target()?;
        let mut content = self.content(&name)?;
        let mut garbage = vec![0; 1 + self.rng.index(100_000)];
        self.rng.fill(&mut garbage);
        content.write(content.len(), &garbage);
        self.put(&name, content);
        Some(format!("{} bytes more in {name}", garbage.len()))
    }

    fn earlier(&mut self, fits: impl Fn(&Earlier) -> bool) -> Option<Earlier> {
        let all: Vec<&Earlier> = self.ground.earlier.iter().filter(|earlier| fits(earlier)).collect();
        self.used = all.get(self.rng.index(all.len())).copied();
        self.used.cloned()
    }

    /// A file as it was, with what `kind` says of its log.
    fn older(&mut self, kind: Kind) -> Option<String> {
        let name = self.main()?;
        let earlier = self.earlier(|earlier| earlier.open == (kind != Kind::OldClosed))?;
        let old = earlier.image.file(&name)?.clone();
        if self.image.file(&name)?.to_vec() == old.to_vec() {
            return None;
        }
        self.put(&name, old);
        if kind != Kind::OldWithLog {
            self.image.remove(&log_of(&name));
        }
        Some(format!("{name} as it was in activation {} ({})", earlier.session, kind.name()))
    }

    fn all_older(&mut self, all: bool) -> Option<String> {
        let earlier = self.earlier(|_| true)?;
        if all {
            self.image = earlier.image.clone();
        }
        let files: Vec<String> = targets(&self.ground.image).into_iter().chain(targets(&earlier.image)).collect();
        for name in files.iter().filter(|name| all || name.contains(".meta")) {
            match earlier.image.file(name) {
                Some(old) => self.put(name, old.clone()),
                None => self.image.remove(name),
            }
        }
        Some(format!("{} as in activation {}", if all { "all files" } else { "all metadata" }, earlier.session))
    }

    fn log(&mut self, kind: Kind) -> Option<String> {
        let name = self.main()?;
        let log = log_of(&name);
        let found = match kind {
            Kind::LogGone => {
                self.image.file(&log).filter(|content| !content.is_empty())?;
                self.image.remove(&log);
                self.touch(&log);
                return Some(format!("{log} deleted"));
            }
            Kind::LogEarlier => self.earlier(|_| true)?.image.file(&log).cloned(),
            Kind::LogForeign => self.of_another_pool(&log),
            _ => {
                let others: Vec<String> =
                    targets(&self.image).into_iter().filter(|other| !is_main(other) && *other != log).collect();
                self.pick(&others).and_then(|other| self.content(&other))
            }
        };
        let found = found.filter(|content| !content.is_empty())?;
        if self.image.file(&log).is_some_and(|now| now.to_vec() == found.to_vec()) {
            return None;
        }
        self.put(&log, found);
        Some(format!("{log} replaced ({})", kind.name()))
    }

    /// The file of the other pool that has the same part there.
    fn of_another_pool(&mut self, name: &str) -> Option<Content> {
        let end = [".db", ".meta", "-wal", "-journal"].into_iter().find(|end| has_end(name, end))?;
        let all: Vec<String> = targets(&self.ground.foreign).into_iter().filter(|other| has_end(other, end)).collect();
        self.pick(&all).and_then(|other| self.ground.foreign.file(&other).cloned())
    }

    fn foreign(&mut self) -> Option<String> {
        let name = self.main()?;
        let content = self.of_another_pool(&name)?;
        self.put(&name, content);
        self.image.remove(&log_of(&name));
        Some(format!("{name} is of another pool"))
    }

    /// Two PVs swapped, or one of them there twice.
    fn twice(&mut self, swapped: bool) -> Option<String> {
        let pvs: Vec<String> = targets(&self.image).into_iter().filter(|name| has_end(name, ".db")).collect();
        let first = self.pick(&pvs)?;
        let second = if swapped { self.pick(&pvs).filter(|second| *second != first)? } else { "/copy.db".to_owned() };
        let (one, two) = (self.content(&first)?, self.content(&second));
        self.put(&second, one);
        self.touch(&first);
        if let Some(two) = two {
            self.put(&first, two);
        }
        Some(format!("{first} is also or instead {second}"))
    }

    fn instead(&mut self, kind: Kind) -> Option<String> {
        let name = self.target()?;
        let mut content = Content::default();
        match kind {
            Kind::Zeros => content.set_len(self.image.file(&name)?.len()),
            Kind::Text => content.write(0, "This is not what you are looking for.\n".repeat(300).as_bytes()),
            _ => {}
        }
        match kind {
            Kind::Folder => self.image.set_dir(&name),
            Kind::Gone => self.image.remove(&name),
            _ => self.image.set_file(&name, content),
        }
        self.touch(&name);
        Some(format!("{name}: {}", kind.name()))
    }
}
