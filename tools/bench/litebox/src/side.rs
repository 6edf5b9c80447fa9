//! A litebox as a side.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyfs_lvm_measure::{Cold, Dir, Error, Maker, OpenFile, Result, Side, Wish, disk_bytes, remove_folder};
use liteboxfs::FileId;

use crate::owner::{Answer, Ask, Told, await_answer, open, own};

/// Makes liteboxes.
#[derive(Debug)]
pub(crate) struct Liteboxes {
    folder: PathBuf,
    made: AtomicU64,
}

impl Liteboxes {
    /// Below `folder`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, made: AtomicU64::new(0) }
    }
}

const NAME: &str = "liteboxfs";

/// The way to the thread that owns a litebox.
#[derive(Debug)]
struct Line {
    ends: Mutex<(Sender<Ask>, Receiver<Answer>)>,
}

impl Line {
    fn ask(&self, operation: &'static str, ask: Ask) -> Result<Told> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || Error::Worker { program: NAME.to_owned(), what: "its thread ended".to_owned() };
        ends.0.send(ask).map_err(|_| gone())?;
        let answer = await_answer(&ends.1).ok_or_else(gone)?;
        answer.map_err(|error| wrong(operation, error))
    }
}

fn wrong(operation: &'static str, error: liteboxfs::Error) -> Error {
    Error::Side { side: NAME.to_owned(), operation, object: "in the litebox".to_owned(), source: Box::new(error) }
}

#[derive(Debug)]
struct Litebox {
    folder: PathBuf,
    line: Arc<Line>,
    owner: JoinHandle<()>,
}

#[derive(Debug)]
struct LiteboxFile {
    line: Arc<Line>,
    id: FileId,
}

impl Maker for Liteboxes {
    fn name(&self) -> &str {
        NAME
    }

    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("litebox-{}-{}-{number}", wish.name, std::process::id()));
        let failed = |source| Error::Host { operation: "make the folder", path: folder.clone(), source };
        std::fs::create_dir(&folder).map_err(failed)?;
        Ok(Box::new(Litebox::open(folder)?))
    }
}

impl Litebox {
    fn open(folder: PathBuf) -> Result<Self> {
        let connection = open(&folder.join("files.litebox")).map_err(|error| wrong("open", error))?;
        let (ask, asked) = channel();
        let (tell, answers) = channel();
        let owner = std::thread::spawn(move || own(connection, &asked, &tell));
        Ok(Self { folder, line: Arc::new(Line { ends: Mutex::new((ask, answers)) }), owner })
    }

    /// Commits and closes it.
    fn close(self) -> Result<PathBuf> {
        self.line.ask("close", Ask::End)?;
        // The connection is closed when its thread has ended.
        self.owner.join().map_err(|_| Error::Thread { side: NAME.to_owned() })?;
        Ok(self.folder)
    }

    fn done(&self, operation: &'static str, ask: Ask) -> Result {
        self.line.ask(operation, ask).map(drop)
    }

    fn number(&self, operation: &'static str, ask: Ask) -> Result<u64> {
        match self.line.ask(operation, ask)? {
            Told::Number(number) => Ok(number),
            _ => Err(unasked()),
        }
    }

    fn file(&self, operation: &'static str, ask: Ask) -> Result<Box<dyn OpenFile>> {
        match self.line.ask(operation, ask)? {
            Told::File(id) => Ok(Box::new(LiteboxFile { line: Arc::clone(&self.line), id })),
            _ => Err(unasked()),
        }
    }
}

fn unasked() -> Error {
    Error::Worker { program: NAME.to_owned(), what: "answered something else".to_owned() }
}

impl Side for Litebox {
    fn root(&self) -> Dir {
        Dir { path: PathBuf::from("/"), id: 0 }
    }

    fn mkdir(&self, dir: &Dir, name: &str) -> Result<Dir> {
        let path = dir.path.join(name);
        self.done("make a directory", Ask::MakeDir(path.clone()))?;
        Ok(Dir { path, id: 0 })
    }

    fn enter(&self, dir: &Dir, name: &str) -> Result<Dir> {
        Ok(Dir { path: dir.path.join(name), id: 0 })
    }

    fn rmdir(&self, dir: &Dir, name: &str) -> Result {
        self.done("remove a directory", Ask::Remove(dir.path.join(name)))
    }

    fn create(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        self.file("make a file", Ask::MakeFile(dir.path.join(name)))
    }

    fn open(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        self.file("open a file", Ask::Open(dir.path.join(name)))
    }

    fn unlink(&self, dir: &Dir, name: &str) -> Result {
        self.done("remove a file", Ask::Remove(dir.path.join(name)))
    }

    fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result {
        self.done("rename a file", Ask::Rename(dir.path.join(from), dir.path.join(to)))
    }

    fn size_of(&self, dir: &Dir, name: &str) -> Result<u64> {
        self.number("look at a file", Ask::Size(dir.path.join(name)))
    }

    fn list(&self, dir: &Dir) -> Result<u64> {
        self.number("list a directory", Ask::Count(dir.path.clone()))
    }

    fn sync_all(&self) -> Result {
        self.done("sync", Ask::Commit)
    }

    fn stored(&self) -> Result<Option<u64>> {
        self.sync_all()?;
        Ok(Some(disk_bytes(&self.folder)?))
    }

    fn reopen(self: Box<Self>, cold: bool) -> Result<Box<dyn Side>> {
        let folder = self.close()?;
        if cold {
            Cold::here().empty(std::slice::from_ref(&folder))?;
        }
        Ok(Box::new(Self::open(folder)?))
    }

    fn remove(self: Box<Self>) -> Result {
        remove_folder(&self.close()?)
    }
}

impl OpenFile for LiteboxFile {
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result {
        self.line.ask("write", Ask::Write(self.id, off, bytes.to_vec())).map(drop)
    }

    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result {
        match self.line.ask("read", Ask::Read(self.id, off, bytes.len()))? {
            Told::Bytes(found) if found.len() == bytes.len() => {
                bytes.copy_from_slice(&found);
                Ok(())
            }
            _ => Err(unasked()),
        }
    }

    fn fsync(&self) -> Result {
        self.line.ask("sync", Ask::Commit).map(drop)
    }
}
