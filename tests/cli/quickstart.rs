//! The demonstration, small.

use std::fs;

use crate::support::Place;

#[test]
fn quickstart_fills_grows_and_compares() {
    let place = Place::new();
    for dir in 0..8u8 {
        fs::create_dir_all(place.path(&format!("in/d{dir}"))).unwrap();
        for file in 0..20u8 {
            let bytes: Vec<u8> =
                (0..60_000u32).map(|i| u8::try_from((i * 31 + u32::from(file)) % 253).unwrap()).collect();
            fs::write(place.path(&format!("in/d{dir}/f{file}")), bytes).unwrap();
        }
    }
    let ran = place.run("quickstart pool --input in");
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains("no space left on the logical volume"), "{}", ran.err);
    assert_eq!(ran.out.matches("identical: 160 files, 9.16 MiB").count(), 2, "{}", ran.out);
    for report in ["$ anyfs-lvm pvs", "$ anyfs-lvm vgs", "$ anyfs-lvm lvs", "$ anyfs-lvm df"] {
        assert!(ran.out.contains(report));
    }
    place.run("quickstart pool --input in").fails(5, "  pool: the folder is not empty\n");
}
