use proptest::prelude::*;

use super::*;
use crate::Descriptor;
use crate::sample::{group, lv, pv};

fn linear(start: u32, n: u8, pe: u32, count: u32) -> Segment {
    let leg = StripeLeg { pv: pv(n), pe: PeIndex(pe) };
    Segment { start: LeIndex(start), count: LeCount(count), kind: SegmentKind::Linear(leg) }
}

fn wanted(count: u32, policy: AllocPolicy) -> AllocRequest<'static> {
    AllocRequest { count: LeCount(count), policy, stripes: 1, pvs: None, existing: &[] }
}

/// Claims a run so that it is not free.
fn occupy(descriptor: &mut Descriptor, n: u8, pe: u32, count: u32) {
    let next = u8::try_from(descriptor.lvs.len()).unwrap() + 100;
    descriptor.lvs.push(lv(next, vec![linear(0, n, pe, count)]));
}

fn places(descriptor: &Descriptor, request: &AllocRequest<'_>) -> Result<Vec<(u8, u32, u32)>, AllocError> {
    let plan = allocate(&FreeMap::of(descriptor), request)?;
    let legs = plan.segments.iter().flat_map(|s| s.legs().iter().map(|l| (l.pv.as_bytes()[0], l.pe.0, s.rows().0)));
    Ok(legs.collect())
}

#[test]
fn extents_lie_where_lvm_puts_them() {
    // lvm-golden/vg-pv-lifecycle-messages.transcript: q4 at loop1(5), then lvol0 at loop1(7).
    let mut vg = group(&[63, 63]);
    occupy(&mut vg, 0, 0, 63);
    occupy(&mut vg, 1, 0, 5);
    occupy(&mut vg, 1, 20, 2);
    assert_eq!(places(&vg, &wanted(2, AllocPolicy::Contiguous)).unwrap(), [(1, 5, 2)]);
    occupy(&mut vg, 1, 5, 2);
    assert_eq!(places(&vg, &wanted(2, AllocPolicy::Normal)).unwrap(), [(1, 7, 2)]);
    let ranges = [PvRange { pv: pv(1), ranges: vec![PeRange::new(20, 2)] }];
    let refused = places(&vg, &AllocRequest { pvs: Some(&ranges), ..wanted(2, AllocPolicy::Normal) }).unwrap_err();
    assert_eq!(refused.to_string(), "Insufficient free space: 2 extents needed, but only 0 available");
    // s1: two stripes of five, the first at loop0(10) though loop1 has more room.
    let mut vg = group(&[63, 63]);
    occupy(&mut vg, 0, 0, 10);
    let striped = AllocRequest { stripes: 2, ..wanted(10, AllocPolicy::Normal) };
    assert_eq!(places(&vg, &striped).unwrap(), [(0, 10, 5), (1, 0, 5)]);
    // 75 extents over four PVs: the one with 63 first, then the rest at loop0(46).
    let mut vg = group(&[63, 63, 63, 63]);
    for (n, used) in [(0, 46), (1, 50), (2, 60)] {
        occupy(&mut vg, n, 0, used);
    }
    assert_eq!(places(&vg, &wanted(75, AllocPolicy::Normal)).unwrap(), [(3, 0, 63), (0, 46, 12)]);
}

#[test]
fn stricter_policies_refuse_what_looser_ones_grant() {
    let mut vg = group(&[10, 10]);
    occupy(&mut vg, 0, 4, 2);
    assert!(matches!(places(&vg, &wanted(12, AllocPolicy::Contiguous)), Err(AllocError::Unsuitable { .. })));
    assert!(matches!(places(&vg, &wanted(12, AllocPolicy::Cling)), Err(AllocError::Unsuitable { .. })));
    assert!(places(&vg, &wanted(12, AllocPolicy::Inherit)).is_ok());
    assert_eq!(
        places(&vg, &wanted(19, AllocPolicy::Normal)),
        Err(AllocError::Insufficient { needed: 19, available: 18 })
    );
    assert!(matches!(
        places(&vg, &AllocRequest { stripes: 3, ..wanted(3, AllocPolicy::Normal) }),
        Err(AllocError::Stripes { stripes: 3, pvs: 2 })
    ));
}

#[test]
fn growing_continues_the_last_segment() {
    let mut vg = group(&[10, 10]);
    let existing = [linear(0, 1, 2, 3)];
    occupy(&mut vg, 1, 2, 3);
    let request = AllocRequest { existing: &existing, ..wanted(4, AllocPolicy::Contiguous) };
    let plan = allocate(&FreeMap::of(&vg), &request).unwrap();
    assert_eq!(join(&existing, &plan.segments), [linear(0, 1, 2, 7)]);
    let request = AllocRequest { existing: &existing, ..wanted(6, AllocPolicy::Cling) };
    assert_eq!(places(&vg, &request).unwrap(), [(1, 5, 5), (1, 0, 1)]);
}

proptest! {
    #[test]
    fn grants_are_whole_free_and_valid(
        sizes in prop::collection::vec(1u32..24, 1..5),
        used in prop::collection::vec((0u8..5, 0u32..24, 1u32..6), 0..8),
        count in 1u32..40,
        stripes in 1u32..4,
        policy in prop::sample::select(vec![
            AllocPolicy::Contiguous, AllocPolicy::Cling, AllocPolicy::Normal, AllocPolicy::Anywhere,
        ]),
        only in prop::option::of(prop::collection::vec((0u8..5, 0u32..24, 1u32..20), 1..3)),
        grow in any::<bool>(),
    ) {
        let mut vg = group(&sizes);
        for (n, pe, len) in used {
            let before = vg.clone();
            occupy(&mut vg, n, pe, len);
            if vg.validate().is_err() {
                vg = before;
            }
        }
        let existing = if grow { vg.lvs.first().map(|lv| lv.segments.clone()).unwrap_or_default() } else { Vec::new() };
        let list: Option<Vec<PvRange>> = only.map(|only| {
            only.into_iter().map(|(n, pe, len)| PvRange { pv: pv(n), ranges: vec![PeRange::new(pe, len)] }).collect()
        });
        let map = FreeMap::of(&vg);
        let request =
            AllocRequest { count: LeCount(count), policy, stripes, pvs: list.as_deref(), existing: &existing };
        match allocate(&map, &request) {
            Ok(plan) => {
                let mut left = map.clone();
                let mut granted = 0;
                for segment in &plan.segments {
                    granted += segment.count.0;
                    for claim in segment.claims() {
                        let range = PeRange { start: claim.start, count: claim.count };
                        prop_assert!(left.take(claim.pv, range), "taken twice or not free: {claim:?}");
                        if let Some(list) = &list {
                            let allowed = merged(list, claim.pv).within(&[range]);
                            prop_assert_eq!(allowed, vec![range]);
                        }
                    }
                }
                prop_assert_eq!(granted, count);
                let joined = join(&existing, &plan.segments);
                if existing.is_empty() {
                    vg.lvs.push(lv(1, joined));
                } else {
                    vg.lvs[0].segments = joined;
                }
                prop_assert_eq!(vg.validate(), Ok(()));
                let bytes = vg.encode().unwrap();
                prop_assert_eq!(Descriptor::decode(&bytes).unwrap(), vg);
            }
            Err(AllocError::Insufficient { needed, available }) => prop_assert!(available < needed),
            Err(_) if list.is_none() && stripes == 1 && policy >= AllocPolicy::Normal => {
                prop_assert!(map.usable() < u64::from(count), "refused though there is room");
            }
            Err(_) => {}
        }
    }
}
