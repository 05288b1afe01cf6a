//! Kernels for AVX-512, which expands and compresses 64 bytes at once.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::x86::Avx512;
use fearless_simd::{u8x32, u8x64};

use crate::entropy::SYMBOLS;
use crate::entropy::pivot::arrays::GROUP;
use crate::entropy::pivot::merge::{
    Child, Merger, StoredLeaf, for_each_group, for_each_word, nibbles_at, word_at,
};
use crate::entropy::pivot::split::{ArrayOf, Splitter};

/// The proof that the processor has AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Kernels(pub(crate) Avx512);

impl Merger for Avx512Kernels {
    fn count_ones(self, bits: &[u8]) -> usize {
        count_ones(self.0, bits)
    }

    fn look_up(self, leaf: StoredLeaf<'_>, dst: &mut [u8]) {
        let Self(token) = self;
        match leaf.bits {
            1 => look_up1(token, leaf, dst),
            2 => look_up2(token, leaf, dst),
            3 => look_up3(token, leaf, dst),
            4 => look_up4(token, leaf, dst),
            5 => look_up5(token, leaf, dst),
            _ => look_up6(token, leaf, dst),
        }
    }

    fn merge(self, bits: &[u8], left: Child<'_>, right: Child<'_>, dst: &mut [u8]) {
        let Self(token) = self;
        match (left, right) {
            // Two symbols whose codewords have the same length and differ in one bit are a leaf.
            (Child::One(_), Child::One(_)) => {}
            (Child::One(one), Child::Many(many)) => merge_one(token, bits, 0, one, many, dst),
            (Child::Many(many), Child::One(one)) => {
                merge_one(token, bits, u64::MAX, one, many, dst);
            }
            (Child::Many(left), Child::Many(right)) => merge_many(token, bits, left, right, dst),
        }
    }
}

fearless_simd::kernel!(
    #[inline(never)]
    fn count_ones(token: Avx512, bits: &[u8]) -> usize {
        let (vectors, rest) = bits.as_chunks::<64>();
        let mut sums = _mm512_setzero_si512();
        for vector in vectors {
            let vector: __m512i = u8x64::from_slice(token, vector).into();
            sums = _mm512_add_epi64(sums, _mm512_popcnt_epi64(vector));
        }
        let (words, rest) = rest.as_chunks::<8>();
        let in_words: u32 = words.iter().map(|word| u64::from_le_bytes(*word).count_ones()).sum();
        let in_rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
        _mm512_reduce_add_epi64(sums) as usize + (in_words + in_rest) as usize
    }
);

macro_rules! look_up {
    ($name:ident, $nibbles:literal, [$($plane:literal),*]) => {
        fearless_simd::kernel!(
            /// Looks up the symbols of a leaf.
            #[inline(never)]
            fn $name(token: Avx512, leaf: StoredLeaf<'_>, dst: &mut [u8]) {
                let symbols: __m512i = u8x64::from_slice(token, leaf.symbols).into();
                let nibble = _mm512_set1_epi8(15);
                for_each_group(dst, |number, group| {
                    let mut indices = _mm512_setzero_si512();
                    if $nibbles {
                        let pairs = nibbles_at(leaf.nibbles, number);
                        let pairs: __m256i = u8x32::from_slice(token, &pairs).into();
                        let pairs = _mm512_cvtepu8_epi16(pairs);
                        let pairs = _mm512_or_si512(pairs, _mm512_slli_epi16::<4>(pairs));
                        indices = _mm512_and_si512(pairs, nibble);
                    }
                    $(
                        let bits = word_at(leaf.planes[$plane], number);
                        let value = 1 << ($plane + if $nibbles { 4 } else { 0 });
                        let value = _mm512_set1_epi8(value);
                        indices = _mm512_mask_add_epi8(indices, bits, indices, value);
                    )*
                    let found = _mm512_permutexvar_epi8(indices, symbols);
                    let found: u8x64<Avx512> = found.simd_into(token);
                    found.store_slice(group);
                });
            }
        );
    };
}
look_up!(look_up1, false, [0]);
look_up!(look_up2, false, [0, 1]);
look_up!(look_up3, false, [0, 1, 2]);
look_up!(look_up4, true, []);
look_up!(look_up5, true, [0]);
look_up!(look_up6, true, [0, 1]);

fearless_simd::kernel!(
    /// Merges a child of one symbol with an array, which has the bits that differ from `flipped`.
    #[inline(never)]
    fn merge_one(token: Avx512, bits: &[u8], flipped: u64, one: u8, many: &[u8], dst: &mut [u8]) {
        let one = _mm512_set1_epi8(one as i8);
        let mut next = 0_usize;
        for_each_word(bits, dst, |word, group| {
            let word = word ^ flipped;
            let Some(symbols) = many.get(next..).and_then(|rest| rest.first_chunk::<GROUP>())
            else {
                return;
            };
            let symbols: __m512i = u8x64::from_slice(token, symbols).into();
            let merged: u8x64<Avx512> =
                _mm512_mask_expand_epi8(one, word, symbols).simd_into(token);
            merged.store_slice(group);
            next += word.count_ones() as usize;
        });
    }
);

fearless_simd::kernel!(
    /// Merges two arrays.
    #[inline(never)]
    fn merge_many(token: Avx512, bits: &[u8], left: &[u8], right: &[u8], dst: &mut [u8]) {
        let (mut next_left, mut next_right) = (0_usize, 0_usize);
        for_each_word(bits, dst, |word, group| {
            let lefts = left.get(next_left..).and_then(|rest| rest.first_chunk::<GROUP>());
            let rights = right.get(next_right..).and_then(|rest| rest.first_chunk::<GROUP>());
            let (Some(lefts), Some(rights)) = (lefts, rights) else { return };
            let lefts: __m512i = u8x64::from_slice(token, lefts).into();
            let rights: __m512i = u8x64::from_slice(token, rights).into();
            // The zeroing form would wait for its destination.
            let merged = _mm512_mask_expand_epi8(lefts, !word, lefts);
            let merged: u8x64<Avx512> =
                _mm512_mask_expand_epi8(merged, word, rights).simd_into(token);
            merged.store_slice(group);
            let ones = word.count_ones() as usize;
            next_right += ones;
            next_left += GROUP - ones;
        });
    }
);

impl Splitter for Avx512Kernels {
    fn rank(self, plane: &[u8], ranks: &[u8; SYMBOLS], array: &mut [u8]) {
        rank(self.0, plane, ranks, array);
    }

    fn split(self, node: ArrayOf<'_>, pivot: u8, bits: &mut [u8], children: [&mut [u8]; 2]) {
        let Self(token) = self;
        match children {
            [left, right] if left.is_empty() => split_right(token, node, pivot, bits, left, right),
            [left, right] if right.is_empty() => split_left(token, node, pivot, bits, left, right),
            [left, right] => split_both(token, node, pivot, bits, left, right),
        }
    }

    fn write_nibbles(self, leaf: ArrayOf<'_>, first: u8, nibbles: &mut [u8]) {
        write_nibbles(self.0, leaf, first, nibbles);
    }

    fn write_plane(self, leaf: ArrayOf<'_>, first: u8, bit: u32, plane: &mut [u8]) {
        write_plane(self.0, leaf, first, bit, plane);
    }
}

fearless_simd::kernel!(
    #[inline(never)]
    fn rank(token: Avx512, plane: &[u8], ranks: &[u8; SYMBOLS], array: &mut [u8]) {
        let [first, second, third, fourth] = ranks.as_chunks::<64>().0 else { return };
        let [first, second, third, fourth]: [__m512i; 4] =
            [first, second, third, fourth].map(|part| u8x64::from_slice(token, part).into());
        for_each_group(array, |number, group| {
            let symbols = group_at(plane, number);
            let symbols: __m512i = u8x64::from_slice(token, &symbols).into();
            let lower = _mm512_permutex2var_epi8(first, symbols, second);
            let upper = _mm512_permutex2var_epi8(third, symbols, fourth);
            let is_upper = _mm512_movepi8_mask(symbols);
            let found: u8x64<Avx512> =
                _mm512_mask_blend_epi8(is_upper, lower, upper).simd_into(token);
            found.store_slice(group);
        });
    }
);

/// Returns the symbols of a group, the last of which may be incomplete.
#[inline(always)]
fn group_at(plane: &[u8], number: usize) -> [u8; GROUP] {
    let rest = plane.get(number * GROUP..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; GROUP];
        last[..rest.len()].copy_from_slice(rest);
        last
    })
}

/// Writes the bits of a group, the last of which may be incomplete.
#[inline(always)]
fn write_word(word: u64, to: &mut [u8]) {
    let bytes = word.to_le_bytes();
    match to.first_chunk_mut() {
        Some(to) => *to = bytes,
        None => to.copy_from_slice(&bytes[..to.len()]),
    }
}

macro_rules! split {
    ($name:ident, $keeps_left:literal, $keeps_right:literal) => {
        fearless_simd::kernel!(
            /// Splits an array into those of the children that are kept.
            #[inline(never)]
            fn $name(
                token: Avx512,
                node: ArrayOf<'_>,
                pivot: u8,
                bits: &mut [u8],
                left: &mut [u8],
                right: &mut [u8],
            ) {
                let pivot = _mm512_set1_epi8(pivot as i8);
                let (mut next_left, mut next_right) = (0_usize, 0_usize);
                for ((ranks, present), to) in node.groups().zip(bits.chunks_mut(8)) {
                    let ranks: __m512i = u8x64::from_slice(token, ranks).into();
                    let word = _mm512_cmpge_epu8_mask(ranks, pivot) & present;
                    write_word(word, to);
                    // The zeroing form would wait for its destination.
                    if $keeps_left {
                        let kept: u8x64<Avx512> =
                            _mm512_mask_compress_epi8(ranks, !word, ranks).simd_into(token);
                        let Some(to) = left.get_mut(next_left..next_left + GROUP) else { return };
                        kept.store_slice(to);
                    }
                    if $keeps_right {
                        let kept: u8x64<Avx512> =
                            _mm512_mask_compress_epi8(ranks, word, ranks).simd_into(token);
                        let Some(to) = right.get_mut(next_right..next_right + GROUP) else {
                            return;
                        };
                        kept.store_slice(to);
                    }
                    let ones = word.count_ones() as usize;
                    next_left += GROUP - ones;
                    next_right += ones;
                }
            }
        );
    };
}
split!(split_left, true, false);
split!(split_right, false, true);
split!(split_both, true, true);

fearless_simd::kernel!(
    #[inline(never)]
    fn write_nibbles(token: Avx512, leaf: ArrayOf<'_>, first: u8, nibbles: &mut [u8]) {
        let first = _mm512_set1_epi8(first as i8);
        let nibble = _mm512_set1_epi8(15);
        for ((ranks, present), to) in leaf.groups().zip(nibbles.chunks_mut(GROUP / 2)) {
            let ranks: __m512i = u8x64::from_slice(token, ranks).into();
            let indices = _mm512_maskz_sub_epi8(present, ranks, first);
            let indices = _mm512_and_si512(indices, nibble);
            let pairs = _mm512_or_si512(indices, _mm512_srli_epi16::<4>(indices));
            let pairs: u8x32<Avx512> = _mm512_cvtepi16_epi8(pairs).simd_into(token);
            match to.first_chunk_mut::<{ GROUP / 2 }>() {
                Some(to) => pairs.store_slice(to),
                None => {
                    let mut last = [0; GROUP / 2];
                    pairs.store_slice(&mut last);
                    to.copy_from_slice(&last[..to.len()]);
                }
            }
        }
    }
);

fearless_simd::kernel!(
    #[inline(never)]
    fn write_plane(token: Avx512, leaf: ArrayOf<'_>, first: u8, bit: u32, plane: &mut [u8]) {
        let first = _mm512_set1_epi8(first as i8);
        let bit = _mm512_set1_epi8(1 << bit);
        for ((ranks, present), to) in leaf.groups().zip(plane.chunks_mut(8)) {
            let ranks: __m512i = u8x64::from_slice(token, ranks).into();
            let word = _mm512_test_epi8_mask(_mm512_sub_epi8(ranks, first), bit);
            write_word(word & present, to);
        }
    }
);
