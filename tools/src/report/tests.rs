//! The engine against captured output of the real LVM.

use super::model::{Alloc, Leg, Lv, Model, Pv, Seg, Vg};
use super::spec::{Quotes, Wanted};
use super::*;
use anyfs_lvm::pv::units::Units;

const MIB: u64 = 1 << 20;

fn pv(name: &str, uuid: &str) -> Pv {
    Pv {
        name: name.into(),
        uuid: uuid.into(),
        labelled: true,
        allocatable: true,
        has_descriptor: true,
        dev_size: 256 * MIB,
        pe_count: 63,
        ..Pv::default()
    }
}

fn leg(pv: &Pv, pe: u64) -> Leg {
    Leg { pv_uuid: pv.uuid.clone(), pv_name: pv.name.clone(), pe }
}

fn lv(name: &str, uuid: &str, kind: &'static str, count_le: u64, legs: Vec<Leg>) -> Lv {
    let leg_pes = count_le / u64::try_from(legs.len()).unwrap();
    let segs = vec![Seg { kind, start_le: 0, count_le, legs, leg_pes, files: Vec::new() }];
    Lv { name: name.into(), uuid: uuid.into(), writable: true, segs, ..Lv::default() }
}

/// State A of the captures, with `asq1` for `lvm2`.
fn state_a() -> Model {
    let p0 = pv("/dev/loop0", "6i3NnP-So90-6zKH-0Yb2-8Lwn-4N9I-rth0xn");
    let p1 = pv("/dev/loop1", "lxQt22-9zc0-tXAH-iJTb-TsIZ-zM4n-S0aMJj");
    let other = |name: &str| Pv { name: name.into(), ..Pv::default() };
    let lvs = vec![
        lv("lv0", "z5TleS-tKQS-bTE5-smm2-LPi7-E2g7-LjZOkZ", "linear", 10, vec![leg(&p0, 0)]),
        lv("s1", "1OyKOE-KfhY-yP5o-QvaS-Zk1R-8iZI-AbVmVO", "striped", 10, vec![leg(&p0, 10), leg(&p1, 0)]),
        lv("s2", "71k1O6-XIep-v5vS-eoEP-NasU-B8aR-GSZRQ8", "striped", 10, vec![leg(&p0, 15), leg(&p1, 5)]),
        lv("frac", "HGl0S9-2yFO-GkJW-iLQq-EZFH-d1gg-TkBezh", "linear", 11, vec![leg(&p0, 20)]),
    ];
    let vg = Vg {
        name: "vg0".into(),
        uuid: "R8Ye80-HxlV-IViq-F9y6-T2sw-GqUt-NorI77".into(),
        extent_size: 4 * MIB,
        seqno: 5,
        alloc: Alloc::Normal,
        resizeable: true,
        descriptor_copies: 2,
        pvs: vec![p0, p1],
        lvs,
        ..Vg::default()
    };
    Model { vgs: vec![vg], orphans: Vec::new(), others: vec![other("/dev/loop2"), other("/dev/loop3")] }
}

/// Runs a report with options written as on the command line.
fn report(model: &Model, defaults: &Defaults, args: &str, change: impl FnOnce(&mut Spec)) -> String {
    let options: Vec<String> = args.split(' ').filter_map(|a| a.strip_prefix("-o")).map(str::to_owned).collect();
    let wanted = Wanted {
        options: &options,
        sort: args.split(' ').find_map(|a| a.strip_prefix("-O")),
        segments: args.split(' ').any(|a| a == "--segments"),
        verbose: args.split(' ').any(|a| a == "-v"),
    };
    let mut spec = Spec::new(defaults, &wanted).unwrap();
    spec.all = args.split(' ').any(|a| a == "-a");
    change(&mut spec);
    render(model, &spec, |_| true)
}

macro_rules! golden {
    ($test:ident, $defaults:ident, $args:literal, $file:literal) => {
        golden!($test, $defaults, $args, $file, |_| {});
    };
    ($test:ident, $defaults:ident, $args:literal, $file:literal, $change:expr) => {
        #[test]
        fn $test() {
            let text = report(&state_a(), &$defaults, $args, $change);
            assert_eq!(text, include_str!(concat!("golden/", $file)));
        }
    };
}

golden!(lvs_plain, LVS, "", "lvs.txt");
golden!(lvs_devices, LVS, "-a -o+devices", "lvs-a-devices.txt");
golden!(lvs_segments, LVS, "--segments", "lvs-segments.txt");
golden!(lvs_ranges, LVS, "-olv_name,lv_layout,lv_role,segtype,stripes,seg_le_ranges", "lvs-layout-role-ranges.txt");
golden!(lvs_verbose, LVS, "-v", "lvs-v.txt");
golden!(lvs_sorted, LVS, "-O-lv_size,lv_name -olv_name,lv_size", "lvs-sort.txt");
golden!(lvs_state, LVS, "-olv_name,lv_active,lv_skip_activation,lv_permissions,lv_health_status", "lvs-state.txt");
golden!(lvs_binary, LVS, "-olv_name,lv_skip_activation,lv_active", "lvs-binary.txt", |s| s.style.binary = true);
golden!(lvs_json, LVS, "-olv_name,lv_size,lv_tags", "lvs.json", |s| s.format = Format::Json);
golden!(lvs_bar, LVS, "", "lvs-aligned-separator.txt", |s| s.look.separator = " | ".into());
golden!(lvs_colon, LVS, "-ovg_name,lv_name,lv_size", "lvs-noheadings-separator-bytes.txt", |s| {
    s.look.headings = false;
    s.look.aligned = false;
    s.look.separator = ":".into();
    s.style.units = Units::parse("b").unwrap();
    s.style.no_suffix = true;
});
golden!(lvs_names, LVS, "-ovg_name,lv_name,lv_size", "lvs-nameprefixes.txt", |s| {
    s.look.headings = false;
    s.look.name_prefixes = Some(Quotes::Single);
});
golden!(lvs_names_rows, LVS, "-ovg_name,lv_name,lv_size", "lvs-nameprefixes-unquoted-rows.txt", |s| {
    s.look.headings = false;
    s.look.name_prefixes = Some(Quotes::None);
    s.look.transposed = true;
});
golden!(lvs_rows, LVS, "-ovg_name,lv_name", "lvs-rows.txt", |s| s.look.transposed = true);
golden!(vgs_json, VGS, "", "vgs.json", |s| s.format = Format::Json);
golden!(vgs_verbose, VGS, "-v", "vgs-v.txt");
golden!(vgs_tags_seqno, VGS, "-o+vg_tags,vg_seqno", "vgs-tags-seqno.txt");
golden!(pvs_json, PVS, "", "pvs.json", |s| s.format = Format::Json);
golden!(pvs_all, PVS, "-a", "pvs-a.txt");
golden!(pvs_verbose, PVS, "-v", "pvs-v.txt");
golden!(pvs_segments, PVS, "--segments", "pvs-segments.txt");
golden!(pvs_segments_lv, PVS, "--segments -o+lv_name,seg_start_pe,segtype", "pvs-segments-lv.txt");

#[test]
fn a_missing_pv_shows_in_every_report() {
    let mut model = state_a();
    let vg = model.vgs.first_mut().unwrap();
    let gone = vg.pvs.last_mut().unwrap();
    gone.missing = true;
    gone.name = "[unknown]".into();
    let uuid = gone.uuid.clone();
    for lv in &mut vg.lvs {
        for leg in lv.segs.iter_mut().flat_map(|seg| seg.legs.iter_mut()).filter(|leg| leg.pv_uuid == uuid) {
            leg.pv_name = "[unknown]".into();
            lv.partial = true;
        }
    }
    let pvs = report(&model, &PVS, "", |_| {});
    assert!(pvs.contains("  [unknown]  vg0 asq1 a-m  252.00m 212.00m\n"), "{pvs}");
    assert!(report(&model, &VGS, "", |_| {}).contains("wz-pn-"));
    let lvs = report(&model, &LVS, "-olv_name,lv_attr,devices", |_| {});
    assert!(lvs.contains("  s1   -wi-XX--p- /dev/loop0(10),[unknown](0)\n"), "{lvs}");
}

#[test]
fn hidden_rows_are_bracketed_and_need_a() {
    let mut model = state_a();
    let meta = Seg { kind: "linear", files: vec!["/p/a.db.d/1f.meta".into()], ..Seg::default() };
    let hidden = Lv { name: "lv0_meta".into(), hidden: true, own_size: Some(MIB), segs: vec![meta], ..Lv::default() };
    model.vgs.first_mut().unwrap().lvs.push(hidden);
    assert!(!report(&model, &LVS, "-olv_name", |_| {}).contains("meta"));
    let lvs = report(&model, &LVS, "-a -olv_name,lv_size,devices", |_| {});
    assert!(lvs.contains("  [lv0_meta]  1.00m /p/a.db.d/1f.meta           \n"), "{lvs}");
    assert!(report(&model, &VGS, "-olv_count", |_| {}).ends_with("4\n"));
}

#[test]
fn fields_are_found_without_prefix_and_unknown_ones_are_named() {
    let options = ["name,size,-".to_owned()];
    let wanted = Wanted { options: &options, ..Wanted::default() };
    assert_eq!(Spec::new(&LVS, &wanted).unwrap_err(), SpecError { name: "-".into(), sorting: false });
    let options = ["name,size,extent_size".to_owned(), "+tags".to_owned(), "-size".to_owned()];
    let spec = Spec::new(&LVS, &Wanted { options: &options, ..Wanted::default() }).unwrap();
    assert_eq!(spec.fields.iter().map(|f| f.name).collect::<Vec<_>>(), ["lv_name", "vg_extent_size", "lv_tags"]);
    let wanted = Wanted { sort: Some("-nosuch"), ..Wanted::default() };
    assert_eq!(Spec::new(&VGS, &wanted).unwrap_err(), SpecError { name: "nosuch".into(), sorting: true });
    assert!(report(&state_a(), &PVS, "-oall", |_| {}).lines().count() == 3);
}

#[test]
fn field_names_are_unique() {
    let mut names: Vec<_> = field::all().map(|f| f.name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
    assert!(field::all().all(|f| !f.help.is_empty()));
}
