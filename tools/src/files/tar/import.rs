//! From a tar stream into a volume.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use anyfs_lvm::lv::{Ino, Kind as LvKind, LvError, NewNode};

use super::input::Input;
use super::member::{Broken, Makes, Member, Members};
use super::target::{Spot, spot};
use crate::failure::Failure;
use crate::files::progress::Progress;
use crate::files::volume::{Mount, owned};
use crate::files::{Keep, Kind, Res, Side, Trouble, Whole, show};

/// Failures told one by one.
const TOLD: usize = 100;

/// What an import left to tell.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What was not imported, and why.
    pub(crate) failures: Vec<Failure>,
    /// What was done otherwise than the archive says.
    pub(crate) notes: Vec<String>,
}

/// Reads an archive to its end, and makes what it contains below the directory `root`: files whole or not at all,
/// nothing outside, later members over earlier ones and over what was there, directories kept.
pub(crate) fn import(mount: &Mount, root: Ino, input: Input<'_>, progress: &Progress) -> Told {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut import =
        Import { mount, root, progress, made: HashSet::new(), dirs: BTreeMap::new(), told: Told::default() };
    if let Err(Broken(failure)) = import.all(&mut Members::new(input, now)) {
        import.told.failures.push(failure);
    }
    import.dress_directories();
    import.told
}

struct Import<'a> {
    mount: &'a Mount,
    root: Ino,
    progress: &'a Progress,
    /// Everything this archive made: hard links may lead there, and a later member may take an empty directory's place.
    made: HashSet<Ino>,
    /// What directories get when everything is in them.
    dirs: BTreeMap<Ino, (Keep, String)>,
    told: Told,
}

/// Why a member was not made.
enum Wrong {
    /// The archive ends here.
    Archive(Broken),
    /// Only this member.
    Member(Trouble),
}

impl From<Broken> for Wrong {
    fn from(broken: Broken) -> Self {
        Self::Archive(broken)
    }
}

impl<T: Into<Trouble>> From<T> for Wrong {
    fn from(trouble: T) -> Self {
        Self::Member(trouble.into())
    }
}

impl Import<'_> {
    fn all(&mut self, members: &mut Members<'_>) -> Result<(), Broken> {
        while let Some(member) = members.next()? {
            let shown = show::name(&member.name);
            if member.name.starts_with(b"/") && self.told.notes.is_empty() {
                self.told.notes.push("Names that begin with / were taken without it.".to_owned());
            }
            let strange_acl = member.strange_acl;
            match self.make(member, members) {
                Ok(()) if strange_acl => {
                    let text =
                        format!("{shown}: its access control list names nobody known here, or is damaged; left out");
                    self.failed(&shown, Failure::new(text).into());
                }
                Ok(()) => self.progress.file(),
                Err(Wrong::Archive(broken)) => return Err(broken),
                Err(Wrong::Member(trouble)) if trouble.is_full() => return Err(Broken(trouble.about(&shown))),
                Err(Wrong::Member(trouble)) => self.failed(&shown, trouble),
            }
        }
        Ok(())
    }

    fn failed(&mut self, shown: &str, trouble: Trouble) {
        let mut failure = trouble.about(shown);
        match self.told.failures.len() {
            TOLD => failure = Failure::new("... and more like these"),
            more if more > TOLD => return,
            _ => {}
        }
        // What the volume says does not name the member.
        let volume = format!("{}: ", self.mount.name);
        for line in &mut failure.lines {
            if let Some(rest) = line.strip_prefix(&volume) {
                *line = format!("{shown}: {rest}");
            }
        }
        self.told.failures.push(failure);
    }

    fn make(&mut self, member: Member, members: &mut Members<'_>) -> Result<(), Wrong> {
        let shown = show::name(&member.name);
        let (dir, name) = match (spot(self.mount, self.root, &member.name, true)?, member.makes) {
            (Spot::Root, Makes::New(Kind::Directory)) => {
                let keep = Keep { meta: member.meta, xattrs: member.xattrs };
                self.dirs.insert(self.root, (keep, shown));
                return Ok(());
            }
            (Spot::Root, _) => return Err(Failure::new(format!("{shown}: Is a directory")).into()),
            (Spot::Name(dir, name), _) => (dir, name),
        };
        match member.makes {
            Makes::New(Kind::Directory) => return Ok(self.directory(dir, &name, member)?),
            Makes::New(Kind::File) => {
                self.clear(dir, &name, &shown)?;
                self.file(dir, &name, &member, members)?;
            }
            Makes::New(Kind::Symlink) => {
                self.clear(dir, &name, &shown)?;
                let keep = Keep { meta: member.meta, xattrs: member.xattrs };
                self.mount.make_link(&dir, &name, &member.link, Some(&keep))?;
            }
            Makes::New(_) => {
                self.clear(dir, &name, &shown)?;
                self.mount.make_special(&dir, &name, &Keep { meta: member.meta, xattrs: member.xattrs })?;
            }
            Makes::HardLink => self.hard_link(dir, &name, &member)?,
            Makes::Unknown(byte) => {
                let text = format!("{shown}: unknown kind of member '{}'; left out", byte.escape_ascii());
                return Err(Failure::new(text).into());
            }
        }
        self.remember(dir, &name)?;
        Ok(())
    }

    fn remember(&mut self, dir: Ino, name: &[u8]) -> Res<()> {
        let found = self.mount.find(dir, name).map_err(|error| self.mount.trouble(&error))?;
        self.made.extend(found.map(|attr| attr.ino));
        Ok(())
    }

    fn file(&mut self, dir: Ino, name: &[u8], member: &Member, members: &mut Members<'_>) -> Result<(), Wrong> {
        let mut writer = self.mount.writer(&dir, name, 0o600)?;
        match &member.map {
            None => write(members, &mut writer, member.meta.size)?,
            Some(map) => {
                let mut end = 0u64;
                for (at, len) in &map.pieces {
                    writer.skip(at.saturating_sub(end))?;
                    write(members, &mut writer, *len)?;
                    end = at.saturating_add(*len);
                }
                writer.skip(map.size.saturating_sub(end))?;
            }
        }
        let keep = Keep { meta: member.meta, xattrs: member.xattrs.clone() };
        Ok(writer.finish(Some(&keep))?)
    }

    /// A new directory, or the one that is there; what it gets waits until it is full.
    fn directory(&mut self, dir: Ino, name: &[u8], member: Member) -> Res<()> {
        let volume = &self.mount.volume;
        let failed = |error: LvError| self.mount.trouble(&error);
        let found = self.mount.find(dir, name).map_err(failed)?;
        let ino = match found {
            Some(found) if found.kind == LvKind::Directory => found.ino,
            other => {
                if other.is_some() {
                    volume.unlink(dir, name).map_err(failed)?;
                }
                let ino = volume.mkdir(dir, name, &owned(NewNode::directory(0o700))).map_err(failed)?.ino;
                self.made.insert(ino);
                ino
            }
        };
        let shown = show::name(&member.name);
        self.dirs.insert(ino, (Keep { meta: member.meta, xattrs: member.xattrs }, shown));
        Ok(())
    }

    fn hard_link(&mut self, dir: Ino, name: &[u8], member: &Member) -> Res<()> {
        let shown = show::name(&member.name);
        let refused = |why: &str| {
            let link = show::name(&member.link);
            Failure::new(format!("{shown}: hard link to {link}: {why}; left out"))
        };
        let from = spot(self.mount, self.root, &member.link, false);
        let Ok(Spot::Name(from_dir, from_name)) = from else {
            return Err(refused("no earlier member of the archive").into());
        };
        let found = self.mount.find(from_dir, &from_name).map_err(|error| self.mount.trouble(&error))?;
        match found.filter(|found| self.made.contains(&found.ino)) {
            None => return Err(refused("no earlier member of the archive").into()),
            Some(found) if found.kind == LvKind::Directory => return Err(refused("it is a directory").into()),
            Some(_) => {}
        }
        self.clear(dir, name, &shown)?;
        self.mount.make_hard_link((&from_dir, &from_name), (&dir, name))
    }

    /// Makes way for something that is no directory: a directory stays, unless this archive made it and it is empty.
    fn clear(&mut self, dir: Ino, name: &[u8], shown: &str) -> Res<()> {
        let failed = |error: LvError| self.mount.trouble(&error);
        let found = self.mount.find(dir, name).map_err(failed)?;
        let Some(old) = found.filter(|found| found.kind == LvKind::Directory) else { return Ok(()) };
        if !self.made.contains(&old.ino) {
            return Err(Failure::new(format!("{shown}: Is a directory; left as it is")).into());
        }
        match self.mount.volume.rmdir(dir, name) {
            Err(LvError::NotEmpty { .. }) => {
                return Err(Failure::new(format!("{shown}: Directory not empty; left as it is")).into());
            }
            other => other.map_err(failed)?,
        }
        self.dirs.remove(&old.ino);
        Ok(())
    }

    /// Last: making an entry changes the times of its directory.
    fn dress_directories(&mut self) {
        for (dir, (keep, shown)) in std::mem::take(&mut self.dirs) {
            if let Err(trouble) = self.mount.keep(&dir, &keep) {
                self.failed(&shown, trouble);
            }
        }
    }
}

/// Moves the next `len` bytes of a member.
fn write(members: &mut Members<'_>, writer: &mut impl Write, len: u64) -> Result<(), Wrong> {
    let mut left = len;
    while left > 0 {
        let bytes = members.contents(left)?;
        if bytes.is_empty() {
            // A map and the contents it describes were compared before.
            return Err(Failure::new("the contents end too soon").into());
        }
        writer.write_all(bytes)?;
        left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}
