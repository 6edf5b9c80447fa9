//! Inputs out of other inputs.

use anyfs_lvm_fuzz::mutate::{Mutator, shrink};
use anyfs_lvm_rig::Prng;

#[test]
fn a_seed_repeats_its_inputs_and_none_is_too_long() {
    let known = [b"abc 123".to_vec(), vec![0; 90]];
    let inputs = |seed| {
        let mut mutator = Mutator::new(Prng::new(seed), 100, &[b"word"]);
        (0..500).map(|_| mutator.next(&known)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
    assert!(inputs(3).iter().all(|input| input.len() <= 100));
}

#[test]
fn what_matters_is_left_of_a_failing_input() {
    let input = [vec![b'x'; 1000], b"a".to_vec(), vec![b'y'; 777], b"b".to_vec()].concat();
    let fails = |bytes: &[u8]| bytes.contains(&b'a') && bytes.contains(&b'b');
    assert_eq!(shrink(&input, 1000, fails), b"ab");
}
