//! Sequences of calls on a volume, with any arguments.

use lv::Ino;

use super::shared::arguments::Arguments;
use super::shared::core::{CALLS, SURE, fill};
use super::shared::support::Rig;
use super::{Target, none};
use crate::source::Source;
use crate::walk::Told;

pub(super) const TARGET: Target = Target {
    name: "operations",
    about: "calls on a volume with any arguments: none stops it, and it opens again",
    longest: 4096,
    words: &[b"dir/a", b"link", b"loop", b"user.a", b"..", b"/"],
    seeds: none,
    runs: 150,
    run,
};

fn arguments(source: &mut Source<'_>) -> Arguments {
    let name = |source: &mut Source<'_>| match source.byte() % 4 {
        0 => source.bytes(300).to_vec(),
        1 => b"dir/a".to_vec(),
        _ => vec![b'a' + source.byte() % 4],
    };
    let text = |source: &mut Source<'_>| String::from_utf8_lossy(source.bytes(60)).into_owned();
    Arguments {
        inos: [Ino(source.number()), Ino(source.number())],
        offs: [source.number(), source.number()],
        len: source.number(),
        cookie: source.number(),
        names: [name(source), name(source)],
        texts: [text(source), text(source)],
        bytes: source.bytes(3000).to_vec(),
        number: source.number(),
        flags: source.byte(),
    }
}

fn run(bytes: &[u8]) -> String {
    let (mut source, mut told) = (Source(bytes), Told::default());
    let mut rig = Rig::new(1, 64, 4096);
    rig.options.cached_rows = 16;
    let mut volume = rig.open();
    fill(&volume);
    if source.byte() % 2 == 0 {
        volume.close().expect("a clean end");
        volume = rig.open();
    }
    for _ in 0..40 {
        if source.is_empty() {
            break;
        }
        let at = source.below(CALLS.len());
        let a = arguments(&mut source);
        let (name, call) = CALLS[at];
        if let Err(error) = call(&volume, &a) {
            told.line(name, &error.to_string());
        }
        let (_, sure) = SURE[at % SURE.len()];
        sure(&volume, &a);
        volume.getattr(Ino::ROOT).unwrap_or_else(|error| panic!("{name} {a:?} stopped the volume: {error}"));
    }
    volume.sync().expect("a commit");
    volume.abandon();
    rig.open().close().expect("a clean end");
    told.way()
}
