//! Hot paths for counting instructions: the same work each time, without threads.

use std::path::Path;

use measure::{
    BLOCK, Dir, Error, MIB, Place, Random, Result, Scale, Side, Stop, Wish, fill, read_through, write_through,
};

use super::lv::side;
use super::{OURS, PoolSpec, Shape};

/// What is prepared, and what is counted.
type Guard = (fn(&mut Place) -> Result, fn(&Place) -> Result);

/// The paths, by name.
pub const GUARDS: &[&str] =
    &["write", "read", "random", "overwrite", "append", "create", "stat", "delete", "lookup", "small"];

const BYTES: u64 = 8 * MIB;
const FILES: u64 = 1000;

/// Prepares one of [`GUARDS`] in a new pool below `dir`, and does it where a profiler can see it begin and end.
///
/// # Errors
/// [`Error::Worker`] for another name; as the volume says.
pub fn guard(name: &str, dir: &Path) -> Result {
    let unknown = || Error::Worker { program: OURS.to_owned(), what: format!("has no path `{name}'") };
    let (prepare, work) = path(name).ok_or_else(unknown)?;
    let spec = PoolSpec::new(&dir.join("pool-guard"), Shape { pvs: 1, threads: false, ..Shape::default() });
    spec.create(256 * MIB)?;
    spec.create_volume("guard", 192 * MIB)?;
    let wish = Wish::new("guard", BYTES, BYTES);
    let mut place = Place::new(OURS, side(spec, "guard")?, wish, (&Scale::quick(), &Stop::default(), dir.to_owned()));
    prepare(&mut place)?;
    place.side()?.sync_all()?;
    measured(&mut || work(&place))?;
    place.remove()
}

/// What is inside this function is counted.
#[inline(never)]
fn measured(work: &mut dyn FnMut() -> Result) -> Result {
    std::hint::black_box(work)()
}

fn path(name: &str) -> Option<Guard> {
    Some(match name {
        "write" => (|_| Ok(()), stream),
        "read" => (streamed, |place| read_through(place, &*place.side()?.open(&place.root()?, "stream")?, BYTES)),
        "random" => (streamed, random),
        "overwrite" => (streamed, overwrite),
        "append" => (|_| Ok(()), append),
        "create" => (|_| Ok(()), create),
        "stat" => (created, stat),
        "delete" => (created, |place| each(place, |side, dir, name| side.unlink(dir, name))),
        "lookup" => (created_before, |place| each(place, |side, dir, name| side.size_of(dir, name).map(drop))),
        "small" => (created_before, small),
        _ => return None,
    })
}

fn streamed(place: &mut Place) -> Result {
    stream(place)
}

fn created(place: &mut Place) -> Result {
    create(place)
}

/// Nothing of the files is in memory.
fn created_before(place: &mut Place) -> Result {
    create(place)?;
    place.reopen(false)
}

fn stream(place: &Place) -> Result {
    write_through(place, &*place.side()?.create(&place.root()?, "stream")?, BYTES, 1)
}

fn random(place: &Place) -> Result {
    let file = place.side()?.open(&place.root()?, "stream")?;
    let (mut random, mut block) = (Random::new(1), [0; 4096]);
    (0..2000).try_for_each(|_| file.read_at(random.below(BYTES / BLOCK).saturating_mul(BLOCK), &mut block))
}

fn overwrite(place: &Place) -> Result {
    let file = place.side()?.open(&place.root()?, "stream")?;
    let (mut random, mut block) = (Random::new(1), [0; 4096]);
    for n in 1..=1000u32 {
        let at = random.below(BYTES / BLOCK).saturating_mul(BLOCK);
        fill(&mut block, 2, at);
        file.write_at(at, &block)?;
        if n.is_multiple_of(100) {
            file.fsync()?;
        }
    }
    Ok(())
}

fn append(place: &Place) -> Result {
    let file = place.side()?.create(&place.root()?, "log")?;
    for n in 0..200u64 {
        file.write_at(n.saturating_mul(BLOCK), &[5; 4096])?;
        file.fsync()?;
    }
    Ok(())
}

fn create(place: &Place) -> Result {
    each(place, |side, dir, name| side.create(dir, name)?.write_at(0, &[6; 4096]))
}

fn stat(place: &Place) -> Result {
    for _ in 0..10 {
        each(place, |side, dir, name| side.size_of(dir, name).map(drop))?;
    }
    Ok(())
}

fn small(place: &Place) -> Result {
    each(place, |side, dir, name| side.open(dir, name)?.read_at(0, &mut [0; 4096]))
}

fn each(place: &Place, act: impl Fn(&dyn Side, &Dir, &str) -> Result) -> Result {
    let side = place.side()?;
    (0..FILES).try_for_each(|n| act(side, &side.root(), &format!("file-{n:05}")))?;
    side.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_can_be_walked() {
        for name in GUARDS {
            let folder = tempfile::tempdir().unwrap();
            guard(name, folder.path()).unwrap();
            assert!(folder.path().read_dir().unwrap().next().is_none(), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(guard("nothing", folder.path()), Err(Error::Worker { .. })));
    }
}
