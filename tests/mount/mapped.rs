//! Files in memory: mmap(2), shared and private.

use std::fs;

use super::support::{Ground, has};

#[test]
fn a_shared_map_is_the_file_and_a_private_one_is_not() {
    let Some(ground) = Ground::new() else { return };
    ground.python(
        "
fd = os.open('file', os.O_RDWR | os.O_CREAT)
os.write(fd, b'a' * 10000)
shared = mmap.mmap(fd, 10000)
shared[5000:5005] = b'HELLO'
check('a read sees the map', os.pread(fd, 9, 4998) == b'aaHELLOaa')
os.pwrite(fd, b'WORLD', 7000)
check('the map sees a write', shared[7000:7005] == b'WORLD')
private = mmap.mmap(fd, 10000, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
private[0:3] = b'ZZZ'
check('nobody sees a private map', os.pread(fd, 3, 0) == b'aaa' and shared[0:3] == b'aaa')
other = os.open('file', os.O_RDONLY)
shared[9990:10000] = b'0123456789'
check('another opener sees the map', os.pread(other, 10, 9990) == b'0123456789')
shared.flush()
os.close(fd)
shared[0:1] = b'!'
check('the map outlives its opener', os.pread(other, 1, 0) == b'!')
shared.close()
",
    );
    if !has("python3") {
        return;
    }
    ground.again("rw");
    let bytes = fs::read(ground.at("file")).unwrap();
    assert_eq!((bytes.len(), &bytes[..2], &bytes[5000..5005]), (10_000, &b"!a"[..], &b"HELLO"[..]));
}

#[test]
fn a_map_is_cut_with_its_file() {
    let Some(ground) = Ground::new() else { return };
    ground.python(
        "
fd = os.open('file', os.O_RDWR | os.O_CREAT)
os.write(fd, b'a' * 20000)
map = mmap.mmap(fd, 20000)
check('it is there', map[19999] == 97)
os.ftruncate(fd, 5000)
check('behind the new end are zeros', map[5000:8192] == bytes(3192))
pid = os.fork()
if pid == 0:
    map[12288]
    os._exit(0)
check('further pages are gone', os.waitpid(pid, 0)[1] == signal.SIGBUS)
os.ftruncate(fd, 20000)
check('and come back as zeros', map[5000:20000] == bytes(15000))
",
    );
}

#[test]
fn what_is_mapped_and_removed_stays_until_nobody_has_it() {
    let Some(ground) = Ground::new() else { return };
    ground.python(
        "
fd = os.open('file', os.O_RDWR | os.O_CREAT)
os.write(fd, bytes(1000000))
map = mmap.mmap(fd, 1000000)
os.unlink('file')
os.close(fd)
for at in range(0, 1000000, 4096):
    map[at] = 1
check('all of it is there', sum(map[0:1000000]) == 245)
",
    );
    ground.umount();
    ground.check();
}
