//! Journals and logs that belong to something else.

use std::path::Path;

use super::{Case, File, Place, act};

pub(super) const CASES: &[Case] = &[
    act("hot journal of a transaction over several files", File::Pv, |_, place| over_several(place, false), ""),
    act("the same beside metadata", File::Meta, |_, place| over_several(place, true), ""),
    act("journal of zeros", File::Pv, |_, place| beside(&place.pv, "-journal", &[0; 100_000]), ""),
    act("journal of noise", File::Pv, |_, place| beside(&place.pv, "-journal", &[0xa5; 100_000]), ""),
    act("journal that claims everything", File::Pv, |_, place| beside(&place.pv, "-journal", &header(u32::MAX)), ""),
    act("journal that cuts the file to nothing", File::Pv, |_, place| beside(&place.pv, "-journal", &header(0)), ""),
    act("log of noise", File::Meta, |_, place| beside(&place.meta, "-wal", &[0xa5; 100_000]), ""),
    act("log beside a PV", File::Pv, |_, place| beside(&place.pv, "-wal", &[0xa5; 100_000]), ""),
    act("journal beside metadata", File::Meta, |_, place| beside(&place.meta, "-journal", &[0xa5; 100_000]), ""),
    act("journal that is a folder", File::Pv, |_, place| folder(&place.pv, "-journal"), "a.db"),
    act("log that is a folder", File::Meta, |_, place| folder(&place.meta, "-wal"), ".meta"),
    act("journal that is a link to a file outside", File::Pv, |_, place| link(place, &place.pv, "-journal"), ""),
    act("log that is a link to a file outside", File::Meta, |_, place| link(place, &place.meta, "-wal"), ""),
    act(
        "index of the log that is a link to a file outside",
        File::Meta,
        |_, place| link(place, &place.meta, "-shm"),
        "",
    ),
    act("PV cut in the middle", File::Pv, |_, place| cut(&place.pv, 2), "a.db"),
    act("metadata cut in the middle", File::Meta, |_, place| cut(&place.meta, 2), ".meta"),
    act("PV of one byte", File::Pv, |_, place| cut(&place.pv, u64::MAX), "a.db"),
    act("metadata of one byte", File::Meta, |_, place| cut(&place.meta, u64::MAX), ".meta"),
    act("PV of nothing but zeros, one terabyte of them", File::Pv, |_, place| zeros(&place.pv), "a.db"),
    act("metadata of nothing but zeros", File::Meta, |_, place| zeros(&place.meta), ".meta"),
    act("metadata that is a folder", File::Meta, |_, place| instead(&place.meta), ".meta"),
];

fn name(path: &Path, end: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn beside(path: &Path, end: &str, bytes: &[u8]) {
    std::fs::write(name(path, end), bytes).expect("room");
}

fn folder(path: &Path, end: &str) {
    std::fs::create_dir_all(name(path, end).join("x")).expect("a folder");
}

fn instead(path: &Path) {
    std::fs::remove_file(path).expect("a file");
    std::fs::create_dir(path).expect("a folder");
}

fn link(place: &Place, path: &Path, end: &str) {
    let precious = place.dir.join("../outside/precious");
    std::os::unix::fs::symlink(precious, name(path, end)).expect("a link");
}

fn cut(path: &Path, part: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a file");
    let len = file.metadata().expect("a length").len();
    file.set_len((len / part).max(1)).expect("a length");
}

fn zeros(path: &Path) {
    let file = std::fs::OpenOptions::new().write(true).truncate(true).open(path).expect("a file");
    file.set_len(1 << 40).expect("a length");
}

/// The header of a journal without records, for a file that had so many pages.
fn header(pages: u32) -> Vec<u8> {
    let mut out = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    for number in [0u32, 77, pages, 512, 4096] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.resize(512, 0);
    out
}

/// A hot journal at whose end stands the name of a super-journal: SQLite deletes that file when it has rolled back.
fn over_several(place: &Place, meta: bool) {
    let path = if meta { &place.meta } else { &place.pv };
    let pages = std::fs::metadata(path).expect("a file").len() / if meta { 4096 } else { 16_384 };
    let mut journal = header(u32::try_from(pages).expect("a small file"));
    // The size of a page.
    journal[24..28].copy_from_slice(&(if meta { 4096u32 } else { 16_384 }).to_be_bytes());
    let precious = place.dir.parent().expect("a folder").join("outside/precious");
    let text = precious.to_str().expect("text").as_bytes().to_vec();
    let sum = text.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    // The page that holds the locks, which no record can be about.
    journal.extend_from_slice(&(0x4000_0000u32 / if meta { 4096 } else { 16_384 } + 1).to_be_bytes());
    journal.extend_from_slice(&text);
    journal.extend_from_slice(&u32::try_from(text.len()).expect("a short name").to_be_bytes());
    journal.extend_from_slice(&sum.to_be_bytes());
    journal.extend_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    beside(path, "-journal", &journal);
}
