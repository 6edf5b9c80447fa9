//! What the command does when it was started a second time: two owners of one pool are two processes, a crash is the
//! end of one, and memory is counted per process.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use measure::{Error, Place, Random, Result, Scale, Side, Stop, Wish, compare, fill, peak_memory, write_through};

use super::lv::side;
use super::{OURS, PoolSpec, Shape};

/// A part that a second process plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// What it does: `write`, `fill`, `die` or `memory`.
    pub what: String,
    /// The pool's folder.
    pub dir: PathBuf,
    /// The volume.
    pub volume: String,
    /// Bytes or files.
    pub count: u64,
}

impl Role {
    /// As one word that [`Role::read`] reads.
    pub(crate) fn word(&self) -> String {
        format!("{},{},{}", self.what, self.count, self.volume)
    }

    /// Reads such a word.
    pub fn read(word: &str, dir: &Path) -> Option<Self> {
        let (what, rest) = word.split_once(',')?;
        let (count, volume) = rest.split_once(',')?;
        let known = ["write", "fill", "die", "memory"].contains(&what);
        let count = count.parse().ok().filter(|_| known)?;
        Some(Self { what: what.to_owned(), dir: dir.to_owned(), volume: volume.to_owned(), count })
    }
}

/// Plays a part, talking with the first process in lines.
///
/// # Errors
/// As the volume says; [`Error::Worker`] when the first process is gone.
pub fn child(role: &Role, input: &mut dyn BufRead, output: &mut dyn Write) -> Result {
    let spec = PoolSpec::new(&role.dir, Shape::default());
    let opened = side(spec, &role.volume)?;
    let scale = Scale { bytes: role.count, files: role.count, ..Scale::quick() };
    let wish = Wish::new("child", role.count, role.count);
    let mut place = Place::new(OURS, opened, wish, (&scale, &Stop::default(), role.dir.clone()));
    let mut talk = Talk { input, output };
    match role.what.as_str() {
        "write" => write(&place, role.count, &mut talk)?,
        "fill" => make(&place, "clean", role.count)?,
        "die" => return die(&place, role.count, &mut talk),
        _ => return memory(&mut place, role.count, &mut talk),
    }
    // What was done is durable; to close says that it went well.
    place.side()?.sync_all()
}

struct Talk<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
}

impl Talk<'_> {
    fn say(&mut self, line: &str) -> Result {
        let gone = |_| Error::Worker { program: OURS.to_owned(), what: "nobody listens".to_owned() };
        writeln!(self.output, "{line}").and_then(|()| self.output.flush()).map_err(gone)
    }

    /// Waits for a line.
    fn wait(&mut self) -> Result {
        let mut line = String::new();
        match self.input.read_line(&mut line) {
            Ok(1..) => Ok(()),
            _ => Err(Error::Worker { program: OURS.to_owned(), what: "the first process is gone".to_owned() }),
        }
    }
}

/// Writes a file when told to, and compares it when told again.
fn write(place: &Place, bytes: u64, talk: &mut Talk<'_>) -> Result {
    let file = place.side()?.create(&place.root()?, "stream")?;
    place.side()?.sync_all()?;
    talk.say("ready")?;
    talk.wait()?;
    let start = std::time::Instant::now();
    write_through(place, &*file, bytes, 1)?;
    talk.say(&format!("done {}", start.elapsed().as_secs_f64()))?;
    talk.wait()?;
    compare(place, &*file, bytes, 1)
}

/// Makes `count` empty files.
fn make(place: &Place, name: &str, count: u64) -> Result {
    let side: &dyn Side = place.side()?;
    let dir = side.mkdir(&side.root(), name)?;
    (0..count).try_for_each(|n| side.create(&dir, &format!("file-{n:08}")).map(drop))?;
    side.sync_all()
}

/// Makes files, says how many are durable, and goes on until it is killed.
fn die(place: &Place, count: u64, talk: &mut Talk<'_>) -> Result {
    make(place, "before", count)?;
    talk.say("ready")?;
    let side = place.side()?;
    let dir = side.mkdir(&side.root(), "after")?;
    let mut n = 0u64;
    loop {
        let file = side.create(&dir, &format!("file-{n:08}"))?;
        file.write_at(0, &[7; 4096])?;
        n = n.saturating_add(1);
        if n.is_multiple_of(100) {
            file.fsync()?;
            talk.say(&n.to_string())?;
        }
    }
}

/// Writes, reads and overwrites a file, then says how much memory that took.
fn memory(place: &mut Place, bytes: u64, talk: &mut Talk<'_>) -> Result {
    let file = place.side()?.create(&place.root()?, "stream")?;
    write_through(place, &*file, bytes, 1)?;
    compare(place, &*file, bytes, 1)?;
    let (mut block, mut random) = (vec![0; 4096], Random::new(3));
    for n in 0..bytes / 65_536 {
        let at = random.below(bytes / 4096).saturating_mul(4096);
        fill(&mut block, 2, at);
        file.write_at(at, &block)?;
        place.marks.insert(at, 2);
        if n.is_multiple_of(100) {
            file.fsync()?;
        }
    }
    for _ in 0..bytes / 65_536 {
        file.read_at(random.below(bytes / 4096).saturating_mul(4096), &mut block)?;
    }
    place.side()?.sync_all()?;
    compare(place, &*file, bytes, 1)?;
    match peak_memory() {
        Some(bytes) => talk.say(&format!("done {bytes}")),
        None => talk.say("done"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_travels_as_a_word() {
        let dir = Path::new("d");
        let role = Role { what: "die".to_owned(), dir: dir.to_owned(), volume: "v,w".to_owned(), count: 7 };
        assert_eq!(Role::read(&role.word(), dir), Some(role));
        for wrong in ["", "die", "die,7", "die,x,v", "dance,7,v"] {
            assert_eq!(Role::read(wrong, dir), None, "{wrong}");
        }
    }
}
