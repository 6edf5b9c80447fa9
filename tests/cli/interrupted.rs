//! A PV whose last write was interrupted: it is there, and cannot be read before a rollback.

use std::fs;

use crate::support::Place;

const PAGE: usize = 16384;

/// What a kill in the middle of a commit leaves: a journal with the first page as it was before, and a file that counts
/// pages which are not there yet. `torn`: so that not even its label can be read.
pub(crate) fn interrupt(place: &Place, name: &str, torn: bool) {
    const NONCE: u32 = 7;
    let mut file = fs::read(place.path(name)).unwrap();
    let pages = u32::try_from(file.len() / PAGE).unwrap();
    let page = file[..PAGE].to_vec();
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    for number in [1, NONCE, pages, 512, u32::try_from(PAGE).unwrap()] {
        journal.extend(number.to_be_bytes());
    }
    journal.resize(512, 0);
    journal.extend(1u32.to_be_bytes());
    journal.extend(&page);
    let sum = (1..PAGE.div_ceil(200)).map(|n| u32::from(page[PAGE - 200 * n])).sum::<u32>() + NONCE;
    journal.extend(sum.to_be_bytes());
    fs::write(place.path(&format!("{name}-journal")), journal).unwrap();
    if torn {
        file[28..32].copy_from_slice(&(pages + 100).to_be_bytes());
        fs::write(place.path(name), file).unwrap();
    }
}

fn filled() -> Place {
    let place = Place::new();
    place.run("vgcreate --metadatacopies 2 --setphysicalvolumesize 16m vg0 a.db b.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    place.input("put vg0/home:/f", &vec![3u8; 6 << 20]);
    place
}

#[test]
fn a_pv_that_waits_for_a_rollback_is_neither_missing_nor_read() {
    for (names, torn) in
        [(["b.db"].as_slice(), false), (&["b.db"], true), (&["a.db", "b.db"], false), (&["a.db", "b.db"], true)]
    {
        let place = filled();
        for name in names {
            interrupt(&place, name, torn);
        }
        let told = "b.db: a write was interrupted and must be rolled back first";
        let ran = place.ensure_untouched("check vg0/home --pool .");
        assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{ran:?}");
        assert!(ran.err.contains(told) && ran.err.contains("hint: "), "{ran:?}");
        assert!(ran.err.contains(": anyfs-lvm df --pool .\n"), "the pool is named as the user named it: {ran:?}");
        assert!(!ran.err.contains("missing") && !ran.err.contains("cannot be changed"), "{ran:?}");
        if names.len() == 1 {
            let lvs = place.ensure_untouched("lvs -a --pool .");
            assert!(lvs.code == 0 && lvs.err.contains(told) && !lvs.out.contains("-p-"), "{lvs:?}");
            let pvs = place.run("pvs --pool .");
            assert!(pvs.out.contains("b.db vg0 asq1 a--  16.00m") && !pvs.out.contains("unknown"), "{pvs:?}");
            assert!(place.run("vgs --pool .").out.contains("wz--n-"));
            // A file that was named with others is one of the group, too.
            let named = place.ensure_untouched("check vg0/home --devices a.db,b.db");
            assert!(named.code == 5 && named.out.is_empty() && named.err.contains(told), "{named:?}");
            assert!(named.err.contains(": anyfs-lvm df --devices a.db,b.db\n"), "{named:?}");
            assert!(!named.err.contains("missing"), "{named:?}");
            assert!(!place.run("lvs --devices a.db,b.db").out.contains("-p-"));
        }
        let json: serde_json::Value = serde_json::from_str(&place.run("check --json vg0/home --pool .").out).unwrap();
        assert!(json["check"][0]["failed"].as_str().unwrap().contains(told), "{json}");

        let ran = place.run("df --pool .");
        assert!(ran.code == 0 && ran.err.contains("b.db: an interrupted write was rolled back"), "{ran:?}");
        assert!(place.run("check --data vg0 --pool .").ok().contains("clean"));
    }
}
