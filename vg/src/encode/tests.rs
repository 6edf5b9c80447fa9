use pv::LvUuid;

use super::*;
use crate::sample::{group, lv, pv};

fn leg(n: u8, pe: u32) -> StripeLeg {
    StripeLeg { pv: pv(n), pe: PeIndex(pe) }
}

fn segment(start: u32, count: u32, kind: SegmentKind) -> Segment {
    Segment { start: LeIndex(start), count: LeCount(count), kind }
}

fn full() -> Descriptor {
    let mut vg = group(&[20, 20]);
    let striped = segment(4, 6, SegmentKind::Striped(vec![leg(0, 4), leg(1, 4)]));
    vg.lvs.push(lv(1, vec![segment(0, 4, SegmentKind::Raid1(vec![leg(0, 0), leg(1, 0)])), striped]));
    vg.removals.push(Removal {
        lv: LvUuid::from_bytes([7; 16]),
        family: pv::FamilyUuid::from_bytes([7; 16]),
        segments: vec![segment(0, 2, SegmentKind::Linear(leg(1, 18)))],
        copies: vec![pv(1)],
    });
    (vg.seqno, vg.parent) = (Seqno(2), Some(Hash([5; 32])));
    vg.forks = vec![Fork { id: [1; 16], seqno: Seqno(2) }];
    vg.prior_holders = BTreeSet::from([pv(0)]);
    vg
}

#[test]
fn a_descriptor_reads_back_and_has_one_encoding() {
    let bytes = full().encode().unwrap();
    assert_eq!(Descriptor::decode(&bytes).unwrap(), full());
    assert_eq!(full().encode().unwrap(), bytes);
    let mut spaced = bytes.clone();
    spaced.push(b' ');
    assert!(matches!(Descriptor::decode(&spaced), Err(CodecError::NotCanonical)));
}

#[test]
fn strange_documents_are_refused() {
    let text = String::from_utf8(full().encode().unwrap()).unwrap();
    let decode = |text: String| Descriptor::decode(text.as_bytes());
    assert!(matches!(decode(text.replace("\"version\":0", "\"version\":7")), Err(CodecError::Newer(7))));
    assert!(matches!(
        decode(text.replace("\"seqno\":2,\"parent\"", "\"x\":1,\"seqno\":2,\"parent\"")),
        Err(CodecError::Shape(_))
    ));
    assert!(matches!(decode(text.replace("\"raid1\"", "\"raid9\"")), Err(CodecError::Field("kind"))));
    assert!(matches!(decode(text.replace("\"pe_count\":20", "\"pe_count\":3")), Err(CodecError::Invalid(_))));
    assert!(matches!(decode("[".repeat(10_000)), Err(CodecError::Shape(_))));
    assert!(matches!(Descriptor::decode(&vec![b' '; HARD_LIMIT + 1]), Err(CodecError::TooLarge(..))));
    let bytes = text.as_bytes();
    for cut in 0..bytes.len() {
        assert!(Descriptor::decode(&bytes[..cut]).is_err());
    }
}

#[test]
fn no_single_changed_byte_is_taken_for_the_same_descriptor() {
    let bytes = full().encode().unwrap();
    for at in 0..bytes.len() {
        for flip in [1, 0x20, 0x80] {
            let mut other = bytes.clone();
            other[at] ^= flip;
            assert!(Descriptor::decode(&other).map_or(true, |decoded| decoded != full()), "byte {at}");
        }
    }
}

#[test]
fn a_descriptor_past_the_soft_limit_is_not_written() {
    let mut vg = group(&[200_000]);
    let piece = |n: u32| segment(n, 1, SegmentKind::Linear(leg(0, n * 2)));
    vg.lvs.push(lv(1, (0..30_000).map(piece).collect()));
    assert!(matches!(vg.encode(), Err(CodecError::TooLarge(_, SOFT_LIMIT))));
}

#[test]
fn every_invariant_has_its_fault() {
    type Break = fn(&mut Descriptor);
    let cases: &[(Break, &str)] = &[
        (|vg| vg.pvs[1].uuid = pv(0), "is listed twice"),
        (|vg| vg.pvs.clear(), "0 physical volumes"),
        (|vg| vg.pvs.iter_mut().for_each(|pv| pv.holder = false), "0 copies of the descriptor"),
        (|vg| vg.alloc = AllocPolicy::Inherit, "\"inherit\""),
        (|vg| vg.seqno = Seqno(1), "does not go with its parent"),
        (|vg| vg.forks[0].seqno = Seqno(9), "does not go with its parent"),
        (|vg| vg.pvs[0].hint = "../x".to_owned(), "not relative"),
        (|vg| vg.lvs.push(vg.lvs[0].clone()), "is listed twice"),
        (|vg| vg.lvs.push(LvRecord { name: vg.lvs[0].name.clone(), ..lv(2, vec![]) }), "is used twice"),
        (|vg| vg.lvs.push(LvRecord { family: vg.lvs[0].family, ..lv(2, vec![]) }), "shares its family"),
        (|vg| vg.lvs[0].segments[1].start = LeIndex(5), "begins at extent 5 instead of 4"),
        (|vg| vg.lvs[0].segments[1].count = LeCount(5), "impossible length"),
        (|vg| vg.lvs[0].segments[1].count = LeCount(0), "impossible length"),
        (|vg| vg.lvs[0].segments[0].kind = SegmentKind::Raid1(vec![leg(0, 0), leg(0, 9)]), "two legs"),
        (|vg| vg.lvs[0].segments[0].kind = SegmentKind::Linear(leg(9, 0)), "not in the volume group"),
        (|vg| vg.lvs[0].segments[0].kind = SegmentKind::Linear(leg(0, 17)), "past the end"),
        (|vg| vg.lvs[0].segments[0].kind = SegmentKind::Linear(leg(0, u32::MAX)), "past the end"),
        (|vg| vg.lvs[0].segments[0].kind = SegmentKind::Linear(leg(0, 3)), "claimed twice"),
        (|vg| vg.removals[0].segments[0].kind = SegmentKind::Linear(leg(1, 0)), "claimed twice"),
        (|vg| vg.lvs[0].copies.clear(), "no metadata copy"),
        (|vg| vg.lvs[0].copies[0].pv = pv(9), "not in the volume group"),
    ];
    for (at, (spoil, words)) in cases.iter().enumerate() {
        let mut vg = full();
        spoil(&mut vg);
        let fault = vg.validate().unwrap_err().to_string();
        assert!(fault.contains(words), "case {at}: {fault}");
    }
}
