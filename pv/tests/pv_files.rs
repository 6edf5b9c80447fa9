//! PV files from outside: what is on the disk, what is refused, what another SQLite sees.

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::{Path, PathBuf};
    use std::{fs, io};

    use anyfs_lvm_pv::{
        Access, Bytes, Env, Epoch, ExtentBatch, ExtentSize, ExtentStore, FamilyUuid, FlushNo, FreshExtent, LeIndex,
        LvUuid, Membership, PeCount, PeIndex, Pv, PvError, PvOptions, ReadMode, Txg, VgUuid,
    };
    use rusqlite::{Connection, OpenFlags};

    const FAMILY: FamilyUuid = FamilyUuid::from_bytes([7; 16]);

    struct Place {
        dir: tempfile::TempDir,
        env: Env,
        path: PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a b#c%?.db");
            Self { dir, env: Env::system(), path }
        }
        fn pv(&self) -> Pv {
            Pv::create(&self.env, &self.path, &PvOptions::default()).unwrap()
        }
        fn create(&self, path: &Path) -> PvError {
            Pv::create(&self.env, path, &PvOptions::default()).unwrap_err()
        }
        fn stock(&self) -> Connection {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(&self.path, flags).unwrap()
        }
        fn vandal(&self, sql: &str) {
            Connection::open(&self.path).unwrap().execute_batch(sql).unwrap();
        }
        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.dir.path()).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn fresh(pe: u32, byte: u8) -> FreshExtent {
        let (lv, data) = (LvUuid::from_bytes([1; 16]), vec![vec![byte; 256 * 1024].into()]);
        FreshExtent { pe: PeIndex(pe), lv, le: LeIndex(pe), toc: vec![9; 57], data }
    }

    fn put(store: &dyn ExtentStore, (epoch, flush): (u64, u64), fresh: &[FreshExtent]) -> Result<(), PvError> {
        let (epoch, flush) = (Epoch(epoch), FlushNo(flush));
        store.commit(&ExtentBatch { family: FAMILY, epoch, flush, txg: Txg(0), fresh, freed: &[] })
    }

    fn number(conn: &Connection, pragma: &str) -> i64 {
        conn.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_new_pv_is_private_and_has_the_settings_of_the_format() {
        let place = Place::new();
        let pv = place.pv();
        assert!(!pv.recovered());
        assert_eq!(pv.label().capacity, Bytes(16 << 30));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.path), 0o600);
        let store = pv.store().unwrap();
        store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
        let journal = PathBuf::from(format!("{}-journal", place.path.display()));
        assert_eq!(mode(&journal), 0o600);
        assert_eq!(mode(&pv.folder()), 0o700);
        assert_eq!(mode(&pv.folder().join("pv.lock")), 0o600);
        let conn = place.stock();
        assert_eq!(number(&conn, "page_size"), 16384);
        assert_eq!(number(&conn, "auto_vacuum"), 2);
        assert_eq!(number(&conn, "application_id"), 0x614c_5056);
        assert_eq!(number(&conn, "user_version"), 1);
    }

    #[test]
    fn a_stock_sqlite_reads_everything_beside_an_open_store_and_after_it() {
        let place = Place::new();
        let pv = place.pv();
        let store = pv.store().unwrap();
        store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
        put(&*store, (1, 1), &[fresh(0, 1), fresh(1, 2)]).unwrap();
        for _ in 0..2 {
            let conn = place.stock();
            let uuid: String = conn.query_row("SELECT pv_uuid FROM v_label", [], |row| row.get(0)).unwrap();
            assert_eq!(uuid, pv.label().pv.to_string());
            let bytes: i64 = conn.query_row("SELECT sum(bytes) FROM v_extents", [], |row| row.get(0)).unwrap();
            assert_eq!(bytes, 512 * 1024);
            let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(check, "ok");
        }
        drop(store);
        fs::set_permissions(&place.path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(number(&place.stock(), "user_version"), 1);
        let again = Pv::open(&place.env, &place.path, Access::Immutable).unwrap();
        let mut buf = [0; 4];
        again.store().unwrap().read(PeIndex(1), 0, &mut buf, ReadMode::Locked).unwrap();
        assert_eq!(buf, [2; 4]);
    }

    #[test]
    fn an_existing_name_is_refused_with_words_that_say_what_it_is() {
        let place = Place::new();
        let at = |name: &str| place.dir.path().join(name);
        fs::write(at("text"), "not a database, but long enough to be one".repeat(100)).unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::create_dir(at("folder")).unwrap();
        Connection::open(at("other.db")).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let says = |path: &Path, words: &str| {
            let error = place.create(path).to_string();
            assert!(error.contains(words) && !error.contains('\n'), "{error}");
        };
        says(&at("text"), "not a SQLite database");
        says(&at("empty"), "an empty file");
        says(&at("folder"), "a folder");
        says(&at("other.db"), "a SQLite database of another application");
        let pv = place.pv();
        says(&place.path, "already a physical volume (of no volume group)");
        let guard = pv.begin_change().unwrap();
        let mut label = guard.label().unwrap();
        label.membership = Some(member());
        guard.set_label(&label).unwrap();
        guard.commit().unwrap();
        says(&place.path, "already a physical volume of volume group \"vg0\"");
        let missing = place.create(&at("no/such/folder.db"));
        assert!(matches!(missing, PvError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound));
        for name in place.names() {
            assert!(!name.contains(".new-"), "{name} was left behind");
        }
    }

    fn member() -> Membership {
        let (vg, name) = (VgUuid::random().unwrap(), "vg0".to_owned());
        Membership { vg, name, extent_size: ExtentSize::DEFAULT, extent_count: PeCount(100) }
    }

    #[test]
    fn force_replaces_and_nonsense_capacities_are_refused() {
        let place = Place::new();
        let first = place.pv().label().pv;
        let options = PvOptions { force: true, ..PvOptions::default() };
        let second = Pv::create(&place.env, &place.path, &options).unwrap();
        assert_ne!(second.label().pv, first);
        for capacity in [0, 65_535, u64::MAX] {
            let options = PvOptions { capacity: Bytes(capacity), ..PvOptions::default() };
            let refused = Pv::create(&place.env, &place.dir.path().join("x"), &options).unwrap_err();
            assert!(matches!(refused, PvError::Refused { .. }), "{refused}");
        }
    }

    #[test]
    fn preallocation_takes_host_blocks_that_extents_then_use() {
        let place = Place::new();
        let options = PvOptions { capacity: Bytes(16 << 20), preallocate: true, ..PvOptions::default() };
        let pv = Pv::create(&place.env, &place.path, &options).unwrap();
        let taken = fs::metadata(&place.path).unwrap();
        assert!(taken.blocks() * 512 >= 16 << 20);
        let store = pv.store().unwrap();
        assert!(store.space().unwrap().reusable >= Bytes(16 << 20));
        store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
        let extents: Vec<_> = (0..32).map(|pe| fresh(pe, 1)).collect();
        put(&*store, (1, 1), &extents).unwrap();
        assert_eq!(fs::metadata(&place.path).unwrap().len(), taken.len());
    }

    /// With views behind the tables SQLite takes its own check for a partial one.
    #[test]
    fn stock_sqlite_finds_a_free_page_that_is_in_use() {
        let place = Place::new();
        place.pv();
        let sound = || place.stock().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(sound(), "ok");
        let mut bytes = fs::read(&place.path).unwrap();
        let last: [u8; 4] = bytes[28..32].try_into().unwrap();
        bytes[32..36].copy_from_slice(&last);
        bytes[36..40].copy_from_slice(&1u32.to_be_bytes());
        fs::write(&place.path, bytes).unwrap();
        assert!(sound().contains("2nd reference"), "{}", sound());
    }

    #[test]
    fn a_changed_schema_is_refused() {
        for sql in [
            "CREATE TABLE extra (x)",
            "DROP VIEW v_extents",
            "CREATE TRIGGER t AFTER INSERT ON label BEGIN DELETE FROM extent; END",
            "DROP TABLE promise; CREATE VIEW promise AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT 1 FROM c)
             SELECT id, 0 AS epoch, 0 AS sum FROM c",
            "CREATE INDEX i ON extent (abs(le))",
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = 'owner'",
        ] {
            let place = Place::new();
            place.pv();
            place.vandal(sql);
            for access in [Access::ReadWrite, Access::ReadOnly, Access::Immutable] {
                let error = Pv::open(&place.env, &place.path, access).unwrap_err();
                assert!(matches!(error, PvError::Foreign { .. }), "{sql}: {error}");
            }
        }
    }

    #[test]
    fn newer_formats_and_flipped_labels_are_told_apart() {
        let open = |place: &Place| Pv::open(&place.env, &place.path, Access::ReadOnly).unwrap_err();
        let place = Place::new();
        place.pv();
        place.vandal("PRAGMA user_version = 2");
        assert!(matches!(open(&place), PvError::Newer { .. }));
        let place = Place::new();
        place.pv();
        place.vandal("UPDATE label SET capacity = capacity + 1");
        assert!(matches!(open(&place), PvError::Damaged { .. }));
        let place = Place::new();
        place.pv();
        place.vandal("PRAGMA journal_mode = WAL");
        let error = Pv::open(&place.env, &place.path, Access::ReadWrite).unwrap_err();
        assert!(matches!(error, PvError::Foreign { .. }), "{error}");
    }

    #[test]
    fn a_flipped_header_or_owner_row_is_detected() {
        let place = Place::new();
        let pv = place.pv();
        let store = pv.store().unwrap();
        store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
        put(&*store, (1, 1), &[fresh(0, 1)]).unwrap();
        for sql in ["UPDATE extent SET le = 5", "UPDATE extent SET toc = x'00', le = 0"] {
            place.vandal(sql);
            assert!(matches!(store.header(PeIndex(0)), Err(PvError::Damaged { .. })), "{sql}");
            assert!(matches!(store.extents_after(FAMILY, Epoch(0), FlushNo(0)), Err(PvError::Damaged { .. })));
        }
        place.vandal("UPDATE owner SET body = zeroblob(32)");
        assert!(matches!(store.owner(FAMILY), Err(PvError::Damaged { .. })));
        assert!(matches!(put(&*store, (1, 2), &[]), Err(PvError::Damaged { .. })));
        assert!(matches!(put(&*store, (1, 3), &[]), Err(PvError::Poisoned { .. })));
    }

    #[test]
    fn a_commit_that_fails_poisons_and_leaves_nothing() {
        let place = Place::new();
        let pv = place.pv();
        let store = pv.store().unwrap();
        store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
        put(&*store, (1, 1), &[fresh(0, 1)]).unwrap();
        assert!(put(&*store, (1, 2), &[fresh(1, 1), fresh(0, 2)]).is_err());
        assert!(store.is_poisoned());
        assert!(matches!(put(&*store, (1, 3), &[]), Err(PvError::Poisoned { .. })));
        assert_eq!(store.owner(FAMILY).unwrap().unwrap().flush, FlushNo(1));
        assert_eq!(store.header(PeIndex(1)).unwrap(), None);
        let again = pv.store().unwrap();
        again.take(FAMILY, Epoch(2), Txg(0)).unwrap();
        put(&*again, (2, 1), &[fresh(1, 1)]).unwrap();
    }

    #[test]
    fn a_fenced_store_is_not_poisoned_and_a_resumed_zombie_changes_nothing() {
        let place = Place::new();
        let pv = place.pv();
        let (zombie, owner) = (pv.store().unwrap(), pv.store().unwrap());
        zombie.take(FAMILY, Epoch(1), Txg(0)).unwrap();
        put(&*zombie, (1, 1), &[fresh(0, 1)]).unwrap();
        owner.take(FAMILY, Epoch(2), Txg(0)).unwrap();
        assert!(matches!(put(&*zombie, (1, 2), &[fresh(1, 1)]), Err(PvError::Fenced { .. })));
        assert!(!zombie.is_poisoned());
        assert_eq!(owner.header(PeIndex(1)).unwrap(), None);
        put(&*owner, (2, 1), &[fresh(1, 3)]).unwrap();
    }

    #[test]
    fn an_interrupted_commit_is_rolled_back_and_reported() {
        let place = Place::new();
        let pv = place.pv();
        let store = pv.store().unwrap();
        store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
        put(&*store, (1, 1), &[fresh(0, 1)]).unwrap();
        drop(store);
        // A kill between the writes of a commit: the journal is complete, some pages are new. A tiny cache spills them.
        let copy = place.dir.path().join("copy.db");
        {
            let conn = Connection::open(&place.path).unwrap();
            conn.execute_batch(
                "PRAGMA journal_mode = PERSIST; PRAGMA cache_size = 5; BEGIN IMMEDIATE;
                 UPDATE promise SET epoch = 99;
                 INSERT INTO extent SELECT pe + 1, lv, family, le, epoch, flush, sum, toc, data FROM extent;
                 DELETE FROM extent WHERE pe = 0;
                 INSERT INTO extent SELECT pe + 9, lv, family, le, epoch, flush, sum, toc, data FROM extent;",
            )
            .unwrap();
            fs::copy(&place.path, &copy).unwrap();
            let journal = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
            fs::copy(journal(&place.path), journal(&copy)).unwrap();
        }
        let blocked = Pv::open(&place.env, &copy, Access::ReadOnly);
        assert!(matches!(blocked, Err(PvError::NeedsRecovery { .. })), "{blocked:?}");
        let pv = Pv::open(&place.env, &copy, Access::ReadWrite).unwrap();
        assert!(pv.recovered());
        assert_eq!(pv.promise().unwrap(), Epoch(0));
        let store = pv.store().unwrap();
        let mut buf = [0; 1];
        store.read(PeIndex(0), 0, &mut buf, ReadMode::Fast).unwrap();
        assert_eq!(buf, [1]);
        assert_eq!(store.header(PeIndex(1)).unwrap(), None);
        assert!(!Pv::open(&place.env, &copy, Access::ReadWrite).unwrap().recovered());
    }

    #[test]
    fn preallocating_more_than_the_host_has_fails_and_leaves_nothing() {
        let place = Place::new();
        let options = PvOptions { capacity: Bytes(1 << 60), preallocate: true, ..PvOptions::default() };
        let full = Pv::create(&place.env, &place.path, &options).unwrap_err();
        assert!(matches!(full, PvError::NoSpace { .. }), "{full}");
        assert_eq!(place.names(), [] as [&str; 0]);
    }
}
