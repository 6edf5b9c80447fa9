//! Clients that do not keep to the protocol, and owners that do not.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};

use anyfs_lvm::lv::Ino;
use anyfs_lvm::owner::{Client, OwnerError};

use super::support::Ground;

const HELLO: &[u8] = b"\x0a\0\0\0anyfslvm\x02\0";

fn connect(ground: &Ground) -> UnixStream {
    UnixStream::connect(ground.server.path()).unwrap()
}

/// A connection that was greeted.
fn greeted(ground: &Ground) -> UnixStream {
    let mut stream = connect(ground);
    stream.write_all(HELLO).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut said = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut said).unwrap();
    assert!(said.starts_with(b"anyfslvm\x02\0\x01"));
    stream
}

/// Sends bytes and waits until the owner ends the connection; what it says before.
fn ended(mut stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    // The owner may have ended it by then.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut said = Vec::new();
    // What was sent and is not read any more resets a connection.
    let _ = stream.read_to_end(&mut said);
    said
}

#[test]
fn a_client_that_does_not_keep_to_the_protocol_is_left() {
    let ground = Ground::new();
    for first in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &[0; 64], &HELLO[..7], b"\x0a\0\0\0anyfslvn\x02\0"]
    {
        assert_eq!(ended(connect(&ground), first), b"", "{first:?}");
    }
    for request in [
        // No operation, one that is not there, one without its arguments, one with more than these, and no such length.
        &b"\0\0\0\0"[..],
        b"\x03\0\0\0\0\xff\xff",
        b"\x03\0\0\0\0\x03\0",
        b"\x0c\0\0\0\0\x03\0\x01\0\0\0\0\0\0\0\0",
        b"\x0b\0\0\0\x02\x03\0\x01\0\0\0\0\0\0\0",
        b"\x0f\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\0\x03\0",
        b"\x0b\0\0\0\0\x03\0\x01",
    ] {
        assert_eq!(ended(greeted(&ground), request), b"", "{request:?}");
    }
    // The same one as it should be is answered: the attributes of the root.
    let answer = ended(greeted(&ground), b"\x0b\0\0\0\0\x03\0\x01\0\0\0\0\0\0\0");
    assert!(answer.len() > 60 && answer.get(4) == Some(&1), "{answer:?}");
    assert_eq!(
        ground.pool.reach("home").unwrap().getattr(Ino::ROOT).unwrap(),
        ground.volume.getattr(Ino::ROOT).unwrap()
    );
}

#[test]
fn a_client_that_asks_for_too_much_gets_what_there_may_be() {
    let ground = Ground::new();
    let file = ground.volume.create(Ino::ROOT, b"file", &anyfs_lvm::lv::NewNode::file(0o644)).unwrap().ino;
    ground.volume.write(file, 0, &vec![7; 3 << 20]).unwrap();
    // Read as much as a number can say.
    let mut request = b"\x1b\0\0\0\0\x07\0".to_vec();
    request.extend_from_slice(&file.0.to_le_bytes());
    request.extend_from_slice(&0u64.to_le_bytes());
    request.extend_from_slice(&u64::MAX.to_le_bytes());
    let answer = ended(greeted(&ground), &request);
    assert_eq!(answer.len(), 4 + 1 + 4 + (1 << 20));
}

/// Stands in for the owner of a volume: this process has it, and another socket is behind the name.
fn owner_that_says(ground: Ground, bytes: &'static [u8]) -> OwnerError {
    let (path, family) = (ground.server.path().to_owned(), ground.volume.family());
    drop(ground.server);
    let listener = UnixListener::bind(&path).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; HELLO.len()];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(asked, HELLO);
        stream.write_all(bytes).unwrap();
    });
    let error = Client::find(family, std::process::id()).unwrap_err();
    answering.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    error
}

#[test]
fn an_owner_that_does_not_keep_to_the_protocol_is_told_apart() {
    let pid = std::process::id();
    let newer = owner_that_says(Ground::new(), b"\x0b\0\0\0anyfslvm\x07\0\0");
    assert!(matches!(newer, OwnerError::Version { theirs: 7, .. }), "{newer}");
    let line = format!("process {pid}, which has the volume, speaks version 7 of the protocol, this one version 2");
    assert_eq!(newer.to_string(), line);
    let nonsense = owner_that_says(Ground::new(), b"\x04\0\0\0what");
    assert!(matches!(nonsense, OwnerError::Garbled { .. }), "{nonsense}");
    let huge = owner_that_says(Ground::new(), b"\xff\xff\xff\xff");
    assert!(matches!(huge, OwnerError::Garbled { .. }), "{huge}");
    let silent = owner_that_says(Ground::new(), b"");
    assert!(matches!(silent, OwnerError::Ended { .. }), "{silent}");
}

/// Numbers that look random and are the same in every run.
fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    }
}

/// The arguments of all operations, those that change nothing first: `i` an inode, `u` and `w` numbers of eight and four
/// bytes, `U` and `W` such numbers that may be left out, `c` a choice, `f` yes or no, `b` bytes.
const LOOKS: [&str; 15] = ["ib", "bf", "b", "i", "i", "iuu", "iuu", "iuu", "iuc", "i", "ib", "", "", "", "i"];
const CHANGES: [&str; 15] = [
    "iWWWUUUU", "ibcwwwu", "ibcwwwu", "ibbcwwwu", "iib", "ib", "ib", "ibibc", "iub", "ibbc", "ib", "icwwwu", "iib",
    "i", "",
];

/// One request, right in its form and mostly wrong in what it asks for.
fn request(number: &mut impl FnMut() -> u64) -> Vec<u8> {
    let change = number() % 2 == 1;
    let at = usize::try_from(number() % 15).unwrap();
    let mut body = vec![u8::from(change), u8::try_from(at).unwrap(), 0];
    for letter in if change { CHANGES[at] } else { LOOKS[at] }.chars() {
        let (few, any) = (number() % 6, number());
        let wide = [few, few, any % 20_000, any][usize::try_from(any % 4).unwrap()];
        let given = letter.is_lowercase() || few > 2;
        if letter.is_uppercase() {
            body.push(u8::from(given));
        }
        match letter.to_ascii_lowercase() {
            'i' => body.extend_from_slice(&few.to_le_bytes()),
            'u' if given => body.extend_from_slice(&wide.to_le_bytes()),
            'w' if given => body.extend_from_slice(&wide.to_le_bytes()[..4]),
            'c' => body.extend_from_slice(&few.to_le_bytes()[..2]),
            'f' => body.push(u8::try_from(few % 2).unwrap()),
            'b' => {
                let bytes: &[u8] = [&b"file"[..], b"a", b"/a/b", b"..", b"", b"user.a"][usize::try_from(few).unwrap()];
                body.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
                body.extend_from_slice(bytes);
            }
            _ => {}
        }
    }
    let mut request = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    request.extend_from_slice(&body);
    // Now and then in its form, too.
    if number().is_multiple_of(4) {
        let [place, byte, ..] = number().to_le_bytes();
        let place = usize::from(place) % request.len();
        request[place] = byte;
    }
    request
}

#[test]
fn whatever_is_asked_the_volume_stays_whole_and_others_are_served() {
    let ground = Ground::new();
    let file = ground.volume.create(Ino::ROOT, b"file", &anyfs_lvm::lv::NewNode::file(0o644)).unwrap().ino;
    ground.volume.write(file, 0, &[7; 10_000]).unwrap();
    let mut number = numbers(0x1234_5678_9abc_def1);
    let (mut answered, mut done) = (0, 0);
    for _ in 0..3000 {
        let said = ended(greeted(&ground), &request(&mut number));
        answered += usize::from(!said.is_empty());
        done += usize::from(said.get(4) == Some(&1));
    }
    assert!(answered > 1500 && done > 300, "of 3000 requests {answered} were some, {done} were right");
    let report = ground.volume.check(anyfs_lvm::lv::CheckOptions::ALL).unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!(ground.pool.reach("home").unwrap().getattr(Ino::ROOT).unwrap().ino, Ino::ROOT);
}
