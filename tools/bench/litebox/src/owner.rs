//! The thread that owns a litebox.
//!
//! LiteboxFS hands out everything inside a transaction that the caller opens: files borrow the filesystem, that borrows
//! the transaction. One long transaction between two syncs is how its documentation wants many operations done, and a
//! thread is where such borrows can live while operations come one by one. Handing over costs about a microsecond, and
//! the copy of the bytes.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use liteboxfs::{Connection, CreateOptions, FileId, FileKind, Filesystem, OpenOptions, Owner};

/// What is asked of the owner.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A new directory.
    MakeDir(PathBuf),
    /// A new file.
    MakeFile(PathBuf),
    /// A file that is there.
    Open(PathBuf),
    /// Writes at a place.
    Write(FileId, u64, Vec<u8>),
    /// Reads so many bytes from a place.
    Read(FileId, u64, usize),
    /// Removes a file or an empty directory.
    Remove(PathBuf),
    /// Another name.
    Rename(PathBuf, PathBuf),
    /// Length of a file.
    Size(PathBuf),
    /// Number of names.
    Count(PathBuf),
    /// Ends the transaction, durably.
    Commit,
    /// The same, and ends the thread.
    End,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is done.
    Done,
    /// The file.
    File(FileId),
    /// The bytes.
    Bytes(Vec<u8>),
    /// The number.
    Number(u64),
}

/// An answer.
pub(crate) type Answer = liteboxfs::Result<Told>;

/// Turns of looking for the next question before the thread sleeps.
const PATIENCE: u32 = 20_000;

/// Makes or opens a litebox with the settings that its documentation begins with.
pub(crate) fn open(path: &Path) -> liteboxfs::Result<Connection> {
    if path.exists() {
        Connection::open(path, &OpenOptions::new())
    } else {
        Connection::create_new(path, &CreateOptions::new())
    }
}

/// Answers until it is asked to end, or nobody can ask any more.
pub(crate) fn own(mut connection: Connection, asked: &Receiver<Ask>, answers: &Sender<Answer>) {
    loop {
        let mut last = None;
        let ended = connection.exec(|fs| -> liteboxfs::Result<()> {
            last = transaction(fs, asked, answers);
            Ok(())
        });
        let goes_on = matches!(last, Some(Ask::Commit)) && ended.is_ok();
        if answers.send(ended.map(|()| Told::Done)).is_err() || !goes_on {
            return;
        }
    }
}

/// Answers until a question ends the transaction; that question.
fn transaction(fs: &mut Filesystem<'_>, asked: &Receiver<Ask>, answers: &Sender<Answer>) -> Option<Ask> {
    let mut next = hear(asked)?;
    loop {
        next = match next {
            Ask::Commit | Ask::End => return Some(next),
            Ask::Write(id, ..) | Ask::Read(id, ..) => with_file(fs, id, next, asked, answers)?,
            other => {
                answers.send(with_name(fs, other)).ok()?;
                hear(asked)?
            }
        };
    }
}

/// Answers what is asked of one open file; the first question that is about something else.
fn with_file(
    fs: &mut Filesystem<'_>,
    id: FileId,
    first: Ask,
    asked: &Receiver<Ask>,
    answers: &Sender<Answer>,
) -> Option<Ask> {
    let mut file = match fs.open(id) {
        Ok(file) => file,
        Err(error) => {
            answers.send(Err(error)).ok()?;
            return hear(asked);
        }
    };
    let mut next = first;
    loop {
        let answer = match next {
            Ask::Write(other, off, bytes) if other == id => {
                file.seek(SeekFrom::Start(off)).and_then(|_| file.write_all(&bytes)).map(|()| Told::Done)
            }
            Ask::Read(other, off, len) if other == id => {
                let mut bytes = vec![0; len];
                let read = file.seek(SeekFrom::Start(off)).and_then(|_| file.read_exact(&mut bytes));
                read.map(|()| Told::Bytes(bytes))
            }
            other => return Some(other),
        };
        answers.send(answer.map_err(Into::into)).ok()?;
        next = hear(asked)?;
    }
}

fn with_name(fs: &mut Filesystem<'_>, ask: Ask) -> Answer {
    let make = |fs: &mut Filesystem<'_>, path: PathBuf, kind| {
        fs.create(path, kind, Owner::current()).map(|file| Told::File(file.file_id()))
    };
    match ask {
        Ask::MakeDir(path) => make(fs, path, FileKind::Dir),
        Ask::MakeFile(path) => make(fs, path, FileKind::Regular),
        Ask::Open(path) => fs.open(path.as_path()).map(|file| Told::File(file.file_id())),
        Ask::Remove(path) => fs.delete(path).map(|()| Told::Done),
        Ask::Rename(from, to) => fs.rename(from, to).map(|()| Told::Done),
        Ask::Size(path) => fs.open(path.as_path()).and_then(|mut file| file.len()).map(Told::Number),
        Ask::Count(path) => {
            fs.children(path).map(|children| Told::Number(u64::try_from(children.count()).unwrap_or(u64::MAX)))
        }
        _ => Ok(Told::Done),
    }
}

/// The next question; none when nobody can ask any more. Waits awake for a moment: the next one mostly comes at once.
fn hear<T>(from: &Receiver<T>) -> Option<T> {
    for n in 0..PATIENCE {
        match from.try_recv() {
            Ok(value) => return Some(value),
            Err(TryRecvError::Disconnected) => return None,
            // On a busy machine the other thread may need this processor.
            Err(TryRecvError::Empty) if n % 64 == 63 => std::thread::yield_now(),
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
        }
    }
    from.recv().ok()
}

/// The answer to a question that was just asked.
pub(crate) fn await_answer(answers: &Receiver<Answer>) -> Option<Answer> {
    hear(answers)
}
