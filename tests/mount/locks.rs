//! Locks between processes.

use super::support::Ground;

/// Runs a script in which `child(work)` runs `work` in another process, whose answer is its exit code.
fn script(options: &str, body: &str) {
    let Some(ground) = Ground::with(options) else { return };
    let head = "
def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work() or 0)
        except OSError as error:
            os._exit(error.errno)
    return pid
def ended(pid):
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status)
def lock(fd, kind, start=0, length=0):
    fcntl.lockf(fd, kind | (0 if kind == fcntl.LOCK_UN else fcntl.LOCK_NB), length, start)
def wait(fd, kind, start=0, length=0):
    fcntl.lockf(fd, kind, length, start)
def waits(pid):
    # In the kernel, for an answer: it sleeps and does not come back by itself.
    for n in range(100):
        time.sleep(0.01)
        if os.waitpid(pid, os.WNOHANG)[0]: return False
    return True
fd = os.open('file', os.O_RDWR | os.O_CREAT)
os.write(fd, bytes(100))
";
    ground.python(&format!("{head}{body}"));
    ground.umount();
}

/// The same wherever locks are kept: in the kernel, or in the volume.
fn in_each_place(body: &str) {
    for options in ["locks=kernel", "locks=volume"] {
        script(options, body);
    }
}

#[test]
fn bytes_that_one_process_locked_another_does_not_get() {
    in_each_place(
        "
lock(fd, fcntl.LOCK_EX, 10, 10)
check('taken', ended(child(lambda: lock(fd, fcntl.LOCK_EX, 15, 1))) == errno.EAGAIN)
check('taken to share', ended(child(lambda: lock(fd, fcntl.LOCK_SH, 19, 100))) == errno.EAGAIN)
check('free', ended(child(lambda: lock(fd, fcntl.LOCK_EX, 20, 0))) == 0)
check('free below', ended(child(lambda: lock(fd, fcntl.LOCK_EX, 0, 10))) == 0)
lock(fd, fcntl.LOCK_SH, 10, 10)
check('shared', ended(child(lambda: lock(fd, fcntl.LOCK_SH, 15, 1))) == 0)
check('not alone', ended(child(lambda: lock(fd, fcntl.LOCK_EX, 15, 1))) == errno.EAGAIN)
lock(fd, fcntl.LOCK_UN, 15, 1)
check('a hole', ended(child(lambda: lock(fd, fcntl.LOCK_EX, 15, 1))) == 0)
def who():
    asked = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)
    kind, _, start, length, _ = struct.unpack('hhqqi4x', fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    return 0 if (kind, start, length) == (fcntl.F_RDLCK, 10, 5) else 1
check('what stands in the way', ended(child(who)) == 0)
",
    );
}

#[test]
fn locks_are_gone_with_the_file_that_is_closed_and_with_the_process() {
    in_each_place(
        "
lock(fd, fcntl.LOCK_EX)
os.close(os.open('file', os.O_RDONLY))
check('any close gives them back', ended(child(lambda: lock(fd, fcntl.LOCK_EX))) == 0)
check('so does the end', ended(child(lambda: lock(fd, fcntl.LOCK_EX))) == 0)
lock(fd, fcntl.LOCK_EX)
",
    );
}

#[test]
fn who_waits_gets_the_lock_when_it_is_free() {
    in_each_place(
        "
lock(fd, fcntl.LOCK_EX, 0, 50)
pids = [child(lambda: wait(fd, fcntl.LOCK_EX, 40, 20)) for n in range(12)]
check('they wait', waits(pids[0]))
check('the mount goes on', os.listdir('.') == ['file'])
lock(fd, fcntl.LOCK_UN, 0, 50)
check('all of them get it', all(ended(pid) == 0 for pid in pids))
",
    );
}

#[test]
fn a_signal_ends_the_waiting_and_so_does_kill_9() {
    in_each_place(
        "
lock(fd, fcntl.LOCK_EX)
def asked():
    class Heard(Exception): pass
    def heard(*_): raise Heard
    signal.signal(signal.SIGUSR1, heard)
    try:
        wait(fd, fcntl.LOCK_EX)
    except Heard:
        return 77
pid = child(asked)
check('it waits', waits(pid))
os.kill(pid, signal.SIGUSR1)
check('it heard', ended(pid) == 77)
pid = child(lambda: wait(fd, fcntl.LOCK_SH))
check('it waits', waits(pid))
os.kill(pid, signal.SIGKILL)
check('it is gone', ended(pid) == -signal.SIGKILL)
lock(fd, fcntl.LOCK_UN)
check('and holds nothing', ended(child(lambda: lock(fd, fcntl.LOCK_EX))) == 0)
",
    );
}

#[test]
fn waiting_for_each_other_is_refused() {
    in_each_place(
        "
there, here = os.pipe()
lock(fd, fcntl.LOCK_EX, 0, 1)
def other():
    lock(fd, fcntl.LOCK_EX, 1, 1)
    os.write(here, b'x')
    wait(fd, fcntl.LOCK_EX, 0, 1)
pid = child(other)
os.read(there, 1)
check('it waits', waits(pid))
try:
    wait(fd, fcntl.LOCK_EX, 1, 1)
    check('refused', False)
except OSError as error:
    check('deadlock', error.errno == errno.EDEADLK)
lock(fd, fcntl.LOCK_UN)
check('the other goes on', ended(pid) == 0)
",
    );
}

#[test]
fn locks_of_whole_files_are_apart_from_locks_of_bytes() {
    in_each_place(
        "
fcntl.flock(fd, fcntl.LOCK_EX)
lock(fd, fcntl.LOCK_EX)
def other():
    mine = os.open('file', os.O_RDWR)
    try:
        fcntl.flock(mine, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return 1
    except OSError as error:
        return 0 if error.errno == errno.EWOULDBLOCK else 2
check('taken', ended(child(other)) == 0)
fcntl.flock(fd, fcntl.LOCK_UN)
check('free', ended(child(other)) == 1)
check('the bytes are not', ended(child(lambda: lock(fd, fcntl.LOCK_EX))) == errno.EAGAIN)
",
    );
}

#[test]
fn locks_of_open_file_descriptions_are_theirs() {
    script(
        "locks=kernel",
        "
F_OFD_SETLK = 37
def ofd(fd, kind):
    fcntl.fcntl(fd, F_OFD_SETLK, struct.pack('hhqqi4x', kind, 0, 0, 0, 0))
other = os.open('file', os.O_RDWR)
ofd(fd, fcntl.F_WRLCK)
try:
    ofd(other, fcntl.F_WRLCK)
    check('taken', False)
except OSError as error:
    check('taken', error.errno == errno.EAGAIN)
os.close(fd)
ofd(other, fcntl.F_WRLCK)
",
    );
}
