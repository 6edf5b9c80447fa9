//! Archives.

use anyfs_lvm_tools::doors::unpack;

use super::shared::support::Rig;
use super::{Target, none};
use crate::source::Source;
use crate::walk::{Told, tree};

pub(super) const TARGET: Target = Target {
    name: "tar",
    about: "archives that are imported, whole ones and ones with right sums over wrong headers",
    longest: 16_384,
    words: &[
        b"ustar\x0000",
        b"ustar  \0",
        b"0000644\0",
        b"00000000010\0",
        b"../../x",
        b"a/b/c",
        b"30 mtime=1700000000.123456789\n",
        b"20 path=../../out\n",
        b"19 GNU.sparse.major=1\n",
        b"SCHILY.xattr.user.a=",
        b"\x80\0\0\0\0\0\0\0\xff\xff\xff\xff",
    ],
    seeds: none,
    runs: 300,
    run,
};

/// An archive out of the bytes: headers with right sums, contents in whole blocks.
fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut source = Source(bytes);
    let mut out = Vec::new();
    while !source.is_empty() && out.len() < 200_000 {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, source.bytes(100));
        put(100, b"0000644\0");
        let size = source.number();
        put(124, if size < 1 << 33 { format!("{size:011o}\0") } else { "77777777777\0".to_owned() }.as_bytes());
        put(136, source.bytes(12));
        put(156, &[*b"0123456LKxgVSX7\0".get(source.below(16)).unwrap_or(&b'0')]);
        put(157, source.bytes(100));
        put(257, b"ustar\x0000");
        put(345, source.bytes(155));
        put(148, b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&block);
        let mut contents = source.bytes(2000).to_vec();
        contents.resize(usize::try_from(size.min(4096)).unwrap_or(0).next_multiple_of(512), 0);
        out.extend(contents);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn run(bytes: &[u8]) -> String {
    let mut way = String::new();
    for archive in [bytes.to_vec(), archive(bytes)] {
        let rig = Rig::new(1, 64, 4096);
        let volume = rig.open();
        let mut told = Told::default();
        for line in unpack(&volume, &archive).expect("the machine's own") {
            told.line("import", &line);
        }
        way += &told.way();
        tree(&volume, &mut told);
        volume.close().expect("a clean end");
    }
    way
}
