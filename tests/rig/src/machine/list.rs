//! A directory that is listed page by page while names come and go.

use std::collections::BTreeSet;

use super::op::Pick;
use super::reference::Id;
use super::run::Machine;

/// A listing that has begun.
#[derive(Debug)]
pub(super) struct Listing {
    dir: Id,
    cookie: u64,
    /// Names that were there all the time and have not come.
    due: BTreeSet<Vec<u8>>,
    seen: BTreeSet<Vec<u8>>,
}

impl Machine {
    pub(super) fn list(&mut self, dir: Option<Pick>, page: usize) {
        if let Some(pick) = dir {
            let (dir, ino) = self.pick_dir(pick);
            let Ok(node) = self.reference.dir(dir) else {
                let errno = self.reference.dir(dir).map(drop);
                assert_eq!(self.volume().readdir(ino, 0, page).map(drop).map_err(|error| error.errno()), errno);
                return;
            };
            let due = node.entries.keys().cloned().collect();
            self.listing = Some(Listing { dir, cookie: 0, due, seen: BTreeSet::new() });
        }
        let Some(mut listing) = self.listing.take() else { return };
        let entries = self.volume().readdir(self.ino(listing.dir), listing.cookie, page).unwrap();
        assert!(entries.len() <= page);
        for entry in &entries {
            assert!(entry.cookie > listing.cookie, "cookies rise");
            listing.cookie = entry.cookie;
            let id = self.reference.lookup(listing.dir, &entry.name).unwrap();
            assert_eq!((entry.ino, entry.kind), (self.ino(id), self.reference.get(id).unwrap().kind));
            assert!(listing.seen.insert(entry.name.clone()), "listed twice");
            listing.due.remove(&entry.name);
        }
        if entries.len() < page {
            assert!(listing.due.is_empty(), "there all the time and not listed: {:?}", listing.due);
        } else {
            self.listing = Some(listing);
        }
    }

    /// Names that are gone need not be listed any more; when they come back they may be listed again.
    pub(super) fn forget_what_left(&mut self) {
        let Some(listing) = &mut self.listing else { return };
        match self.reference.dir(listing.dir) {
            Ok(node) => {
                listing.due.retain(|name| node.entries.contains_key(name));
                listing.seen.retain(|name| node.entries.contains_key(name));
            }
            Err(_) => self.listing = None,
        }
    }
}
