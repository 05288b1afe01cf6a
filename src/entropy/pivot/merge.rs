//! Decodes planes by merging arrays of symbols, from the deepest level of the tree to the root.

use core::ops::Range;

use crate::entropy::pivot::arrays::{Arrays, GROUP, SLACK};
use crate::entropy::pivot::layout::{MAX_LEAF_PLANES, StoredBits};
use crate::entropy::pivot::tree::{Element, MAX_LEAF};

/// Number of symbols of the root that are merged at a time, small enough for the fastest cache.
const PART: usize = 4096;
/// Number of symbols of an array that kernels may read for a group.
pub(crate) const WINDOW: usize = SLACK;

/// The decoding kernels of a level.
pub(crate) trait Merger: Copy {
    /// Returns the number of ones.
    fn count_ones(self, bits: &[u8]) -> usize {
        count_ones(bits)
    }

    /// Looks up the symbols of a leaf.
    ///
    /// `dst` has the length of the leaf's population, which may be rounded up to whole groups.
    fn look_up(self, leaf: StoredLeaf<'_>, dst: &mut [u8]);

    /// Merges the arrays of a node's children. `dst` is as for [`Self::look_up`].
    fn merge(self, bits: &[u8], left: Child<'_>, right: Child<'_>, dst: &mut [u8]);
}

/// The stored bits of a leaf.
#[derive(Clone, Copy)]
pub(crate) struct StoredLeaf<'a> {
    /// Number of bits of a symbol, at least one.
    pub(crate) bits: u8,
    /// The symbols, then others.
    pub(crate) symbols: &'a [u8; MAX_LEAF],
    /// The low four bits of each index, if there are four or more.
    pub(crate) nibbles: &'a [u8],
    /// The other bits of each index.
    pub(crate) planes: [&'a [u8]; MAX_LEAF_PLANES],
}

/// The symbols of a node's child.
#[derive(Clone, Copy)]
pub(crate) enum Child<'a> {
    /// All are the same.
    One(u8),
    /// An array, and at least 72 bytes after it.
    Many(&'a [u8]),
}

impl Child<'_> {
    /// Skips symbols.
    fn skip(&mut self, count: usize) {
        if let Self::Many(symbols) = self {
            *symbols = symbols.get(count..).unwrap_or_default();
        }
    }

    /// Returns the symbols from the index `next` on. Those of a single symbol fill `constant`.
    #[inline(always)]
    pub(crate) fn window<'w>(
        &'w self,
        next: usize,
        constant: &'w mut [u8; WINDOW],
    ) -> Option<&'w [u8; WINDOW]> {
        match *self {
            Self::One(symbol) => {
                constant.fill(symbol);
                Some(constant)
            }
            Self::Many(symbols) => symbols.get(next..)?.first_chunk(),
        }
    }
}

/// Returns the number of ones.
#[inline(always)]
pub(crate) fn count_ones(bits: &[u8]) -> usize {
    let (words, rest) = bits.as_chunks::<8>();
    let in_words: u32 = words.iter().map(|word| u64::from_le_bytes(*word).count_ones()).sum();
    let in_rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
    (in_words + in_rest) as usize
}

/// Decodes the stored bits of a plane into `dst`, and calls `use_part` for each part of it.
///
/// Unless `keep` is set, the parts may overwrite each other, so that they stay in the fastest cache.
pub(crate) fn decode(
    merger: impl Merger,
    arrays: &Arrays<'_>,
    stored: &[u8],
    dst: &mut [u8],
    memory: &mut [u8],
    keep: bool,
    use_part: impl FnMut(Range<usize>, &[u8]),
) {
    let (even, odd) = arrays.split_memory(memory);
    let levels = arrays.tree().levels();
    let (mut target, mut children) = if levels.len() % 2 == 1 { (even, odd) } else { (odd, even) };
    for level in levels.skip(1).rev() {
        for number in level {
            let array = &mut target[arrays.range(number)];
            let len = arrays.population(number).next_multiple_of(GROUP).min(array.len());
            decode_element(merger, arrays, number, stored, children, &mut array[..len]);
        }
        core::mem::swap(&mut target, &mut children);
    }
    decode_root(merger, arrays, stored, children, dst, keep, use_part);
}

/// Decodes the array of the root in parts, which the caller uses while they are in the cache.
fn decode_root(
    merger: impl Merger,
    arrays: &Arrays<'_>,
    stored: &[u8],
    children: &[u8],
    dst: &mut [u8],
    keep: bool,
    mut use_part: impl FnMut(Range<usize>, &[u8]),
) {
    let Element::Node { left } = arrays.tree().element(0) else {
        decode_element(merger, arrays, 0, stored, children, dst);
        return use_part(0..dst.len(), dst);
    };
    let left = usize::from(left);
    let mut lefts = child(arrays, left, children);
    let mut rights = child(arrays, left + 1, children);
    let len = dst.len();
    for (bits, start) in stored.chunks(PART / 8).zip((0..len).step_by(PART)) {
        let range = start..len.min(start + PART);
        let part = &mut dst[if keep { range.clone() } else { 0..range.len() }];
        merger.merge(bits, lefts, rights, part);
        use_part(range, part);
        let ones = merger.count_ones(bits);
        lefts.skip(PART - ones);
        rights.skip(ones);
    }
}

/// Decodes the array of an element. `children` is the memory of the next level's arrays.
fn decode_element(
    merger: impl Merger,
    arrays: &Arrays<'_>,
    number: usize,
    stored: &[u8],
    children: &[u8],
    array: &mut [u8],
) {
    let element = arrays.tree().element(number);
    let bits = StoredBits::new(element, arrays.population(number));
    let stored = &stored[arrays.stored_at(number)..][..bits.len()];
    match element {
        Element::Leaf { bits: 0, .. } => {}
        Element::Leaf { bits: count, first } => {
            let mut planes = [&[][..]; MAX_LEAF_PLANES];
            for (plane, range) in planes.iter_mut().zip(bits.planes()) {
                *plane = &stored[range];
            }
            let nibbles = &stored[bits.nibbles()];
            let symbols = arrays.tree().symbols(first);
            merger.look_up(StoredLeaf { bits: count, symbols, nibbles, planes }, array);
        }
        Element::Node { left } => {
            let left = usize::from(left);
            let [left, right] = [left, left + 1].map(|number| child(arrays, number, children));
            merger.merge(stored, left, right, array);
        }
    }
}

/// Returns the symbols of a node's child.
fn child<'c>(arrays: &Arrays<'_>, number: usize, children: &'c [u8]) -> Child<'c> {
    match arrays.tree().element(number) {
        Element::Leaf { bits: 0, first } => Child::One(arrays.tree().symbols(first)[0]),
        _ => Child::Many(&children[arrays.range(number)]),
    }
}

/// Calls `kernel` with the number and the memory of each group of symbols.
///
/// An incomplete group at the end gets memory of its own, from which its symbols are copied.
#[inline(always)]
pub(crate) fn for_each_group(dst: &mut [u8], mut kernel: impl FnMut(usize, &mut [u8; GROUP])) {
    let (groups, rest) = dst.as_chunks_mut();
    let whole = groups.len();
    for (number, group) in groups.iter_mut().enumerate() {
        kernel(number, group);
    }
    if !rest.is_empty() {
        let mut group = [0; GROUP];
        kernel(whole, &mut group);
        rest.copy_from_slice(&group[..rest.len()]);
    }
}

/// Calls `kernel` with the bits and the memory of each group of symbols.
#[inline(always)]
pub(crate) fn for_each_word(
    bits: &[u8],
    dst: &mut [u8],
    mut kernel: impl FnMut(u64, &mut [u8; GROUP]),
) {
    let words = bits.as_chunks::<8>().0;
    let (groups, rest) = dst.as_chunks_mut();
    let whole = words.len().min(groups.len());
    let (common, last) = groups.split_at_mut(whole);
    for (word, group) in words.iter().zip(common) {
        kernel(u64::from_le_bytes(*word), group);
    }
    let word = word_at(bits, whole);
    if let Some(group) = last.first_mut() {
        kernel(word, group);
    } else if !rest.is_empty() {
        let mut group = [0; GROUP];
        kernel(word, &mut group);
        rest.copy_from_slice(&group[..rest.len()]);
    }
}

/// Returns the bits of a group, the last of which may be incomplete.
#[inline(always)]
pub(crate) fn word_at(bits: &[u8], group: usize) -> u64 {
    let rest = bits.get(group * 8..).unwrap_or_default();
    u64::from_le_bytes(rest.first_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last
    }))
}

/// Returns the nibbles of a group, the last of which may be incomplete.
#[inline(always)]
pub(crate) fn nibbles_at(nibbles: &[u8], group: usize) -> [u8; GROUP / 2] {
    let rest = nibbles.get(group * (GROUP / 2)..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; GROUP / 2];
        last[..rest.len()].copy_from_slice(rest);
        last
    })
}
