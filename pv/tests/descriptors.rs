//! A PV's label and descriptor slots.

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyfs_lvm_pv::{
        Access, DescriptorCopy, Env, Epoch, ExtentSize, Membership, PeCount, Pv, PvError, PvOptions, Seqno, VgUuid,
    };
    use rusqlite::Connection;

    struct Place {
        _dir: tempfile::TempDir,
        env: Env,
        path: PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.db");
            Self { _dir: dir, env: Env::system(), path }
        }
        fn pv(&self) -> Pv {
            Pv::create(&self.env, &self.path, &PvOptions::default()).unwrap()
        }
        fn vandal(&self, sql: &str) {
            Connection::open(&self.path).unwrap().execute_batch(sql).unwrap();
        }
    }

    fn member() -> Membership {
        let (vg, name) = (VgUuid::random().unwrap(), "vg0".to_owned());
        Membership { vg, name, extent_size: ExtentSize::DEFAULT, extent_count: PeCount(100) }
    }

    fn copy(epoch: u64, seqno: u64) -> DescriptorCopy {
        let body = vec![b'x'; 1000];
        DescriptorCopy { epoch: Epoch(epoch), seqno: Seqno(seqno), change_id: [3; 16], parent: [4; 32], body }
    }

    #[test]
    fn descriptors_keep_eight_generations_and_check_promise_and_number() {
        let place = Place::new();
        let pv = place.pv();
        for n in 1..=10u64 {
            let guard = pv.begin_change().unwrap();
            guard.promise(Epoch(n)).unwrap();
            guard.install(&copy(n, n), Epoch(n), (n > 1).then(|| Seqno(n - 1))).unwrap();
            guard.commit().unwrap();
        }
        let kept = pv.descriptors().unwrap();
        assert_eq!(kept.copies.iter().map(|d| d.seqno.0).collect::<Vec<_>>(), (3..=10).collect::<Vec<_>>());
        let guard = pv.begin_change().unwrap();
        let superseded = |result| assert!(matches!(result, Err(PvError::Superseded { .. })), "{result:?}");
        superseded(guard.promise(Epoch(10)));
        superseded(guard.install(&copy(10, 11), Epoch(9), Some(Seqno(10))));
        superseded(guard.install(&copy(10, 11), Epoch(10), Some(Seqno(9))));
        guard.promise(Epoch(12)).unwrap();
        guard.install(&copy(12, 11), Epoch(12), Some(Seqno(10))).unwrap();
        drop(guard);
        assert_eq!(pv.promise().unwrap(), Epoch(12));
        assert_eq!(pv.descriptors().unwrap(), kept);
        place.vandal("UPDATE descriptor SET body = x'00' WHERE seqno = 10");
        let left = pv.descriptors().unwrap();
        assert_eq!((left.damaged, left.newest().unwrap().seqno), (1, Seqno(9)));
    }

    #[test]
    fn joining_and_leaving_a_group_survives_reopening() {
        let place = Place::new();
        let pv = place.pv();
        let joined = member();
        for membership in [Some(joined), None] {
            let guard = pv.begin_change().unwrap();
            let mut label = guard.label().unwrap();
            label.membership.clone_from(&membership);
            label.holders = vec![label.pv];
            guard.set_label(&label).unwrap();
            guard.commit().unwrap();
            assert_eq!(pv.read_label().unwrap(), label);
            assert_eq!(Pv::open(&place.env, &place.path, Access::ReadOnly).unwrap().label(), &label);
        }
    }
}
