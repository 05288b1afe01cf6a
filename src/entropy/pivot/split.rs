//! Encodes planes by splitting arrays of symbols, from the root of the tree to the leaves.
//!
//! Symbols are replaced by their ranks first. Each child of a node covers a range of ranks, so that
//! a comparison with the first rank of the right child, the pivot, yields the node's bits.

use crate::entropy::SYMBOLS;
use crate::entropy::pivot::arrays::{Arrays, GROUP};
use crate::entropy::pivot::layout::StoredBits;
use crate::entropy::pivot::tree::{Element, MAX_ELEMENTS, Tree};

/// Number of symbols that the portable kernels handle at a time.
pub(crate) const EIGHT: usize = 8;

/// The encoding kernels of a level.
pub(crate) trait Splitter: Copy {
    /// Replaces symbols by their ranks.
    fn rank(self, plane: &[u8], ranks: &[u8; SYMBOLS], array: &mut [u8]) {
        rank_one_by_one(plane, ranks, array);
    }

    /// Writes the bits of a node, and splits its array into those of its children.
    fn split(self, node: ArrayOf<'_>, pivot: u8, bits: &mut [u8], children: [&mut [u8]; 2]);

    /// Writes the low four bits of the indices in a leaf whose first rank is `first`.
    fn write_nibbles(self, leaf: ArrayOf<'_>, first: u8, nibbles: &mut [u8]) {
        for (eight, to) in leaf.eights().zip(nibbles.chunks_mut(EIGHT / 2)) {
            let indices = indices(eight, first) & (LOW * 15);
            let pairs = (indices | indices >> 4) & 0x00ff_00ff_00ff_00ff;
            let quads = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
            let eight = (quads | quads >> 16) as u32;
            to.copy_from_slice(&eight.to_le_bytes()[..to.len()]);
        }
    }

    /// Writes one bit of the indices in a leaf whose first rank is `first`.
    fn write_plane(self, leaf: ArrayOf<'_>, first: u8, bit: u32, plane: &mut [u8]) {
        for (eight, to) in leaf.eights().zip(plane) {
            let bits = indices(eight, first) >> bit & LOW;
            // Moves bit 0 of byte *k* to bit *k* of the highest byte.
            *to = (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
        }
    }
}

/// Replaces symbols by their ranks, one by one.
///
/// Never inlined, so that the compiler keeps it scalar.
#[inline(never)]
pub(crate) fn rank_one_by_one(plane: &[u8], ranks: &[u8; SYMBOLS], array: &mut [u8]) {
    for (to, &symbol) in array.iter_mut().zip(plane) {
        *to = ranks[usize::from(symbol)];
    }
}

/// One in each byte.
const LOW: u64 = u64::from_le_bytes([1; EIGHT]);

/// Returns the indices, in a leaf, of up to eight ranks. The indices of missing ones are zeros.
fn indices(ranks: Eight, first: u8) -> u64 {
    let indices = ranks.ranks.map(|rank| rank.wrapping_sub(first));
    u64::from_le_bytes(indices) & ranks.present
}

/// Up to eight ranks.
#[derive(Clone, Copy)]
pub(crate) struct Eight {
    ranks: [u8; EIGHT],
    /// Ones in the bytes that are ranks.
    present: u64,
}

/// The array of an element.
#[derive(Clone, Copy)]
pub(crate) struct ArrayOf<'a> {
    /// The ranks, and at least 64 other bytes.
    pub(crate) ranks: &'a [u8],
    pub(crate) population: usize,
}

impl<'a> ArrayOf<'a> {
    /// Returns the ranks in groups, each with ones for the ranks that are part of the array.
    #[inline(always)]
    pub(crate) fn groups(self) -> impl Iterator<Item = (&'a [u8; GROUP], u64)> {
        let last = self.population / GROUP;
        let in_last = (1_u64 << (self.population % GROUP)) - 1;
        let groups = self.ranks.as_chunks().0.iter().enumerate();
        groups
            .take(self.population.div_ceil(GROUP))
            .map(move |(number, ranks)| (ranks, if number == last { in_last } else { u64::MAX }))
    }

    /// Returns the ranks in vectors of 16, each with ones for the ranks that are part of the array.
    #[inline(always)]
    pub(crate) fn vectors(self) -> impl Iterator<Item = (&'a [u8; 16], u16)> {
        let last = self.population / 16;
        let in_last = (1_u16 << (self.population % 16)) - 1;
        let vectors = self.ranks.as_chunks().0.iter().enumerate();
        vectors
            .take(self.population.div_ceil(16))
            .map(move |(number, ranks)| (ranks, if number == last { in_last } else { u16::MAX }))
    }

    /// Returns the ranks in groups of eight.
    #[inline(always)]
    fn eights(self) -> impl Iterator<Item = Eight> {
        let last = self.population / EIGHT;
        let in_last = (1_u64 << (self.population % EIGHT * 8)) - 1;
        let eights = self.ranks.as_chunks().0.iter().enumerate();
        eights.take(self.population.div_ceil(EIGHT)).map(move |(number, &ranks)| Eight {
            ranks,
            present: if number == last { in_last } else { u64::MAX },
        })
    }
}

/// Encodes a plane into `stored`, which has the length that the layout requires.
pub(crate) fn encode(
    splitter: impl Splitter,
    arrays: &Arrays<'_>,
    plane: &[u8],
    stored: &mut [u8],
    memory: &mut [u8],
) {
    let ranks = Ranks::new(arrays.tree());
    let (mut source, mut children) = arrays.split_memory(memory);
    splitter.rank(plane, &ranks.of_symbols, &mut source[..plane.len()]);
    for level in arrays.tree().levels() {
        for number in level {
            let population = arrays.population(number);
            let element = arrays.tree().element(number);
            let array = ArrayOf { ranks: &source[arrays.range(number)], population };
            let first = ranks.first(number);
            let layout = StoredBits::new(element, population);
            let stored = &mut stored[arrays.stored_at(number)..][..layout.len()];
            match element {
                Element::Leaf { bits: 0, .. } => {}
                Element::Leaf { .. } => {
                    let nibbles = layout.nibbles();
                    let low_bits = if nibbles.is_empty() { 0 } else { 4 };
                    splitter.write_nibbles(array, first, &mut stored[nibbles]);
                    for (bit, plane) in (low_bits..).zip(layout.planes()) {
                        splitter.write_plane(array, first, bit, &mut stored[plane]);
                    }
                }
                Element::Node { left } => {
                    let left = usize::from(left);
                    let (ranges, right) = (arrays.range(left), arrays.range(left + 1));
                    let (before, after) = children.split_at_mut(right.start);
                    let targets = [&mut before[ranges], &mut after[..right.len()]];
                    splitter.split(array, ranks.first(left + 1), stored, targets);
                }
            }
        }
        core::mem::swap(&mut source, &mut children);
    }
}

/// The ranks of symbols and elements.
struct Ranks {
    of_symbols: [u8; SYMBOLS],
    /// The first rank below each element.
    first: [u8; MAX_ELEMENTS],
}

impl Ranks {
    fn new(tree: &Tree) -> Self {
        let mut ranks = Self { of_symbols: [0; SYMBOLS], first: [0; MAX_ELEMENTS] };
        for (number, &element) in tree.elements().iter().enumerate().rev() {
            ranks.first[number % MAX_ELEMENTS] = match element {
                Element::Leaf { bits, first } => {
                    let symbols = &tree.symbols(first)[..1 << bits];
                    for (rank, &symbol) in (first..=u8::MAX).zip(symbols) {
                        ranks.of_symbols[usize::from(symbol)] = rank;
                    }
                    first
                }
                Element::Node { left } => ranks.first(left.into()),
            };
        }
        ranks
    }

    fn first(&self, number: usize) -> u8 {
        self.first[number % MAX_ELEMENTS]
    }
}
