//! Checksums: keyed by what a block is, not by where it lies, so that a moved extent stays valid and a misplaced one
//! does not.
//!
//! The function is XXH3 (64 bit), seeded with the key; blocks keep its low 32 bits.

use twox_hash::XxHash3_64;

use crate::{Epoch, FamilyUuid, SliceId};

/// Bytes covered by one block checksum.
pub const BLOCK: usize = 4096;

fn key(family: &FamilyUuid, epoch: Epoch, slice: SliceId) -> u64 {
    let mut text = [0u8; 32];
    let (head, tail) = text.split_at_mut(16);
    head.copy_from_slice(family.as_bytes());
    let (e, s) = tail.split_at_mut(8);
    e.copy_from_slice(&epoch.0.to_le_bytes());
    s.copy_from_slice(&slice.0.to_le_bytes());
    XxHash3_64::oneshot(&text)
}

fn low32(sum: u64) -> u32 {
    let [a, b, c, d, ..] = sum.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Checksum of block number `index` (of [`BLOCK`] bytes, the last one shorter) of a slice.
pub fn block_sum(family: &FamilyUuid, epoch: Epoch, slice: SliceId, index: u32, block: &[u8]) -> u32 {
    low32(XxHash3_64::oneshot_with_seed(key(family, epoch, slice).wrapping_add(u64::from(index)), block))
}

/// Checksums of all blocks of a slice, in order. O(bytes).
pub fn block_sums(family: &FamilyUuid, epoch: Epoch, slice: SliceId, data: &[u8]) -> Vec<u32> {
    let seed = key(family, epoch, slice);
    (0u64..)
        .zip(data.chunks(BLOCK))
        .map(|(index, block)| low32(XxHash3_64::oneshot_with_seed(seed.wrapping_add(index), block)))
        .collect()
}

/// Checksum of an encoded row: `table` keeps equal bytes of different tables apart.
pub fn row_sum(table: u8, bytes: &[u8]) -> i64 {
    i64::from_le_bytes(XxHash3_64::oneshot_with_seed(u64::from(table), bytes).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_valid_only_under_its_own_key() {
        let family = FamilyUuid::from_bytes([7; 16]);
        let data = vec![1u8; 3 * BLOCK + 5];
        let sums = block_sums(&family, Epoch(3), SliceId(9), &data);
        assert_eq!(sums.len(), 4);
        for (index, block) in (0u32..).zip(data.chunks(BLOCK)) {
            let at = usize::try_from(index).unwrap();
            assert_eq!(block_sum(&family, Epoch(3), SliceId(9), index, block), sums[at]);
            assert_ne!(block_sum(&family, Epoch(4), SliceId(9), index, block), sums[at]);
            assert_ne!(block_sum(&family, Epoch(3), SliceId(10), index, block), sums[at]);
            assert_ne!(block_sum(&family, Epoch(3), SliceId(9), index + 1, block), sums[at]);
        }
    }
}
