//! Kernels without vector instructions.

use crate::entropy::pivot::arrays::GROUP;
use crate::entropy::pivot::merge::{
    Child, Merger, StoredLeaf, WINDOW, for_each_group, for_each_word, nibbles_at, word_at,
};
#[cfg(feature = "alloc")]
use crate::entropy::pivot::split::{ArrayOf, Splitter};

/// Number of symbols in a word.
const EIGHT: usize = 8;

/// The kernels without vectors.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Merger for Scalar {
    fn look_up(self, leaf: StoredLeaf<'_>, dst: &mut [u8]) {
        let first_plane = if leaf.nibbles.is_empty() { 0 } else { 4 };
        for_each_group(dst, |number, group| {
            let nibbles = nibbles_at(leaf.nibbles, number);
            let planes = leaf.planes.map(|plane| word_at(plane, number).to_le_bytes());
            let (eights, _) = group.as_chunks_mut::<EIGHT>();
            let (nibbles, _) = nibbles.as_chunks();
            for (at, (eight, nibbles)) in eights.iter_mut().zip(nibbles).enumerate() {
                let mut indices = spread_nibbles(*nibbles);
                for (bit, plane) in (first_plane..).zip(&planes) {
                    indices |= spread_bits(plane[at]) << bit;
                }
                let indices = indices.to_le_bytes();
                *eight = indices.map(|index| leaf.symbols[usize::from(index) % leaf.symbols.len()]);
            }
        });
    }

    fn merge(self, bits: &[u8], left: Child<'_>, right: Child<'_>, dst: &mut [u8]) {
        let (mut next_left, mut next_right) = (0, 0);
        for_each_word(bits, dst, |mut word, group| {
            let (mut constant_left, mut constant_right) = ([0; WINDOW], [0; WINDOW]);
            let lefts = left.window(next_left, &mut constant_left);
            let rights = right.window(next_right, &mut constant_right);
            let (Some(lefts), Some(rights)) = (lefts, rights) else { return };
            let mut ones = 0;
            for (at, to) in group.iter_mut().enumerate() {
                let bit = (word & 1) as usize;
                let (left, right) = (lefts[(at - ones) % GROUP], rights[ones % GROUP]);
                // Without a branch, which the processor could not predict.
                *to = left ^ ((left ^ right) & (bit as u8).wrapping_neg());
                ones += bit;
                word >>= 1;
            }
            next_left += GROUP - ones;
            next_right += ones;
        });
    }
}

/// Returns four bytes as eight nibbles, the low half of each first.
fn spread_nibbles(nibbles: [u8; 4]) -> u64 {
    let quads = u64::from(u32::from_le_bytes(nibbles));
    let pairs = (quads | quads << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f
}

/// Returns each bit as a byte, the lowest first.
fn spread_bits(bits: u8) -> u64 {
    let isolated = (u64::from(bits) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
    (isolated + 0x7f7f_7f7f_7f7f_7f7f) >> 7 & 0x0101_0101_0101_0101
}

#[cfg(feature = "alloc")]
impl Splitter for Scalar {
    fn split(self, node: ArrayOf<'_>, pivot: u8, bits: &mut [u8], children: [&mut [u8]; 2]) {
        let [left, right] = children;
        let (mut lefts, mut rights) = (0, 0);
        let ranks = node.ranks[..node.population].chunks(EIGHT);
        for (eight, to) in ranks.zip(bits) {
            let mut byte = 0;
            for (bit, &rank) in eight.iter().enumerate() {
                let is_right = rank >= pivot;
                byte |= u8::from(is_right) << bit;
                if let Some(to) = left.get_mut(lefts) {
                    *to = rank;
                }
                if let Some(to) = right.get_mut(rights) {
                    *to = rank;
                }
                lefts += usize::from(!is_right);
                rights += usize::from(is_right);
            }
            *to = byte;
        }
    }
}
