//! Making, growing, renaming and removing; reports on the way.

use crate::support::Place;

#[test]
fn a_group_lives_from_pvcreate_to_pvremove() {
    let place = Place::new();
    let made = place.run("pvcreate --setphysicalvolumesize 8m a.db b.db").ok();
    assert_eq!(
        made,
        "  Physical volume \"a.db\" successfully created.\n  Physical volume \"b.db\" successfully created.\n"
    );
    assert_eq!(place.run("vgcreate vg0 a.db").ok(), "  Volume group \"vg0\" successfully created\n");
    assert_eq!(place.run("vgextend vg0 b.db").ok(), "  Volume group \"vg0\" successfully extended\n");
    assert_eq!(place.run("lvcreate -n home -L 4m vg0").ok(), "  Logical volume \"home\" created.\n");
    assert_eq!(
        place.run("lvcreate -L 1500k vg0").ok(),
        "  Rounding up size to full physical extent 1.50 MiB\n  Logical volume \"lvol0\" created.\n"
    );
    assert_eq!(
        place.run("lvextend -L +1m vg0/home").ok(),
        "  Size of logical volume vg0/home changed from 4.00 MiB (16 extents) to 5.00 MiB (20 extents).\n  \
         Logical volume vg0/home successfully resized.\n"
    );
    assert_eq!(place.run("lvrename vg0 lvol0 tmp").ok(), "  Renamed \"lvol0\" to \"tmp\" in volume group \"vg0\"\n");
    assert_eq!(
        place.run("lvrename vg0/tmp vg0/scratch").ok(),
        "  Renamed \"tmp\" to \"scratch\" in volume group \"vg0\"\n"
    );
    let no = place.run("lvremove vg0/scratch");
    no.fails(
        5,
        "Do you really want to remove logical volume vg0/scratch? [y/n]: [n]\n  Logical volume vg0/scratch not removed.\n",
    );
    let yes = place.input("lvremove vg0/scratch", b"maybe\nYes\n");
    assert_eq!((yes.code, yes.out.as_str()), (0, "  Logical volume \"scratch\" successfully removed.\n"));
    assert!(yes.err.contains("WARNING: Invalid input 'maybe'."));
    assert_eq!(place.run("vgreduce vg0 b.db").ok(), "  Removed \"b.db\" from volume group \"vg0\"\n");
    let ask = "Do you really want to remove volume group \"vg0\" containing 1 logical volumes? [y/n]: ";
    place.input("vgremove vg0", b"n\n").fails(5, &format!("{ask}  Volume group \"vg0\" not removed\n"));
    let gone = "  Logical volume \"home\" successfully removed.\n  Volume group \"vg0\" successfully removed\n";
    assert_eq!(place.run("vgremove -y vg0").ok(), gone);
    let wiped = place.run("pvremove a.db b.db").ok();
    assert!(wiped.starts_with("  Labels on physical volume \"a.db\" successfully wiped.\n"));
    assert!(!place.path("a.db").exists() && !place.path("a.db.d").exists());
}

#[test]
fn reports_show_the_group_and_touch_nothing() {
    let place = Place::with_home();
    let read = |line: &str| place.ensure_untouched(line).ok();
    assert_eq!(read("vgs"), "  VG  #PV #LV #SN Attr   VSize  VFree \n  vg0   2   1   0 wz--n- 16.00m 12.00m\n");
    assert_eq!(
        read("lvs"),
        "  LV   VG  Attr       LSize Pool Origin Data%  Meta%  Move Log Cpy%Sync Convert\n  \
         home vg0 -wi------- 4.00m                                                    \n"
    );
    assert_eq!(
        read("pvs --noheadings --separator : -o pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free --units b --nosuffix"),
        "  DIR/a.db:vg0:asq1:a--:8388608:4194304\n  DIR/b.db:vg0:asq1:a--:8388608:8388608\n"
    );
    assert_eq!(read("lvs --noheadings --separator , -o name,seg_pe_ranges"), "  home,DIR/a.db:0-15\n");
    let hidden = read("lvs -a --noheadings --separator : -o name,devices vg0/home");
    assert!(hidden.starts_with("  home:DIR/a.db(0)\n  [home_meta]:DIR/a.db.d/"), "{hidden}");
    let json = read("lvs --reportformat json -o lv_name,lv_size");
    assert!(json.contains("                  {\"lv_name\":\"home\", \"lv_size\":\"4.00m\"}\n"), "{json}");
    assert_eq!(read("pvs --segments --noheadings --separator : -o pvseg_start,pvseg_size,lv_name").lines().count(), 3);
    assert_eq!(read("vgs -o all --noheadings").lines().count(), 1);
}

#[test]
fn test_mode_changes_nothing() {
    let place = Place::with_home();
    let mode = "  TEST MODE: Metadata will NOT be updated and volumes will not be (de)activated.\n";
    for (line, last) in [
        ("lvcreate -t -n x -L 1m vg0", "  Logical volume \"x\" created.\n"),
        ("lvremove -t vg0/home", "  Logical volume \"home\" successfully removed.\n"),
        ("lvrename -t vg0 home h", "  Renamed \"home\" to \"h\" in volume group \"vg0\"\n"),
        ("vgreduce -t vg0 b.db", "  Removed \"b.db\" from volume group \"vg0\"\n"),
        ("pvcreate -t c.db", "  Physical volume \"c.db\" successfully created.\n"),
    ] {
        let before = place.contents();
        let ran = place.run(line);
        assert_eq!((ran.code, ran.out), (0, format!("{mode}{last}")), "{line}");
        assert!(before == place.contents(), "{line}");
    }
}

#[test]
fn shares_stripes_and_ranges_place_extents() {
    let place = Place::with_home();
    place.run("lvcreate -n two -i2 -l 50%FREE vg0").ok();
    // Two extents hold no data, which is worth a warning.
    assert_eq!(place.run("lvcreate -n tail -l 2 vg0 b.db:30-").code, 0);
    let placed = place.run("lvs --noheadings --separator : -o name,segtype,stripes,seg_size_pe,seg_pe_ranges").ok();
    assert!(placed.contains("two:striped:2:24:DIR/a.db:16-27,DIR/b.db:0-11\n"), "{placed}");
    assert!(placed.contains("tail:linear:1:2:DIR/b.db:30-31\n"), "{placed}");
    place.run("lvcreate -n rest -l 100%FREE vg0").ok();
    assert_eq!(place.run("vgs --noheadings -o free_count").ok(), "  0\n");
    let ran = place.run("lvcreate -n no -l 1 vg0");
    ran.fails(5, "  Volume group \"vg0\" has insufficient free space (0 extents): 1 required.\n");
}

#[test]
fn several_objects_go_on_after_a_failure() {
    let place = Place::with_home();
    let ran = place.run("lvremove -y vg0/no vg0/home");
    assert_eq!((ran.code, ran.err.as_str()), (5, "  Failed to find logical volume \"vg0/no\"\n"));
    assert_eq!(ran.out, "  Logical volume \"home\" successfully removed.\n");
}

#[test]
fn a_removed_volume_leaves_no_extents_behind() {
    use anyfs_lvm::pv::{Access, Env, ExtentStore, Pv};
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 8m vg0 a.db b.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    place.input("put vg0/home:/f", &vec![1; 3_000_000]);
    let extents = |name: &str| {
        let pv = Pv::open(&Env::system(), &place.path(name), Access::ReadOnly).unwrap();
        pv.store().unwrap().list(None, 100).unwrap().len()
    };
    assert!(extents("a.db") > 0 && extents("b.db") > 0);
    place.run("lvremove -y vg0/home").ok();
    assert_eq!((extents("a.db"), extents("b.db")), (0, 0));
}
