//! Kernels on vectors of 64 bytes, for AVX-512 with its byte permutes.
//!
//! Rotation follows splitting, and precedes merging: it then needs two shifts for 64 elements.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
use fearless_simd::x86::Avx512;

use crate::plane::scalar;

/// Bytes of a vector.
const LANES: usize = 64;

/// The index of a byte of `count` interleaved planes, for each byte of the planes one by one.
const fn planes_of<const COUNT: usize>() -> [u8; LANES] {
    let mut order = [0; LANES];
    let mut at = 0;
    while at < LANES {
        order[at] = (at % (LANES / COUNT) * COUNT + at / (LANES / COUNT)) as u8;
        at += 1;
    }
    order
}

/// Selects the bits of `$ones` where `$mask` is one, and of `$zeros` where it is zero.
macro_rules! select {
    ($mask:expr, $ones:expr, $zeros:expr) => {
        _mm512_ternarylogic_epi32::<0xca>($mask, $ones, $zeros)
    };
}

/// Moves the sign from the top of the highest of two planes to the top of the plane below it.
macro_rules! rotate {
    ($below:ident, $highest:ident) => {
        let above = _mm512_slli_epi16::<1>($highest);
        let carry = _mm512_srli_epi16::<7>($below);
        let highest = select!(_mm512_set1_epi8(1), carry, above);
        let below = select!(_mm512_set1_epi8(0x7f), $below, $highest);
        let ($below, $highest) = (below, highest);
    };
}

/// Moves the sign back to the top of the highest of two planes.
macro_rules! unrotate {
    ($below:ident, $highest:ident) => {
        let half = _mm512_srli_epi16::<1>($highest);
        let carry = _mm512_slli_epi16::<7>($highest);
        let highest = select!(_mm512_set1_epi8(0x7f), half, $below);
        let below = select!(_mm512_set1_epi8(0x7f), $below, carry);
        let ($below, $highest) = (below, highest);
    };
}

/// Leaves two planes as they are.
macro_rules! keep {
    ($below:ident, $highest:ident) => {};
}

macro_rules! split2 {
    ($name:ident, $rotate:ident) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx512, words: &[u8], low: &mut [u8], high: &mut [u8]) {
                let order: __m512i = u8x64::from_slice(token, &planes_of::<2>()).into();
                let load = |bytes: &[u8]| {
                    _mm512_permutexvar_epi8(order, u8x64::from_slice(token, bytes).into())
                };
                let store = |vector: __m512i, to: &mut [u8; LANES]| {
                    let vector: u8x64<Avx512> = vector.simd_into(token);
                    vector.store_slice(to);
                };
                let (pairs, words_rest) = words.as_chunks::<{ 2 * LANES }>();
                let (lows, low_rest) = low.as_chunks_mut::<LANES>();
                let (highs, high_rest) = high.as_chunks_mut::<LANES>();
                for ((pair, to_low), to_high) in pairs.iter().zip(lows).zip(highs) {
                    let (first, second) = (load(&pair[..LANES]), load(&pair[LANES..]));
                    let low = _mm512_shuffle_i64x2::<0b01_00_01_00>(first, second);
                    let high = _mm512_shuffle_i64x2::<0b11_10_11_10>(first, second);
                    $rotate!(low, high);
                    store(low, to_low);
                    store(high, to_high);
                }
                scalar::$name(words_rest, low_rest, high_rest);
            }
        );
    };
}
split2!(split2, keep);
split2!(split2_rotated, rotate);

macro_rules! merge2 {
    ($name:ident, $unrotate:ident) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx512, low: &[u8], high: &[u8], words: &mut [u8]) {
                // Unpacking works on quarters: each needs eight elements of either half.
                let quarters = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
                let load = |bytes: &[u8; LANES]| {
                    _mm512_permutexvar_epi64(quarters, u8x64::from_slice(token, bytes).into())
                };
                let store = |vector: __m512i, to: &mut [u8]| {
                    let vector: u8x64<Avx512> = vector.simd_into(token);
                    vector.store_slice(to);
                };
                let (pairs, words_rest) = words.as_chunks_mut::<{ 2 * LANES }>();
                let (lows, low_rest) = low.as_chunks::<LANES>();
                let (highs, high_rest) = high.as_chunks::<LANES>();
                for ((pair, low), high) in pairs.iter_mut().zip(lows).zip(highs) {
                    let (low, high) = (load(low), load(high));
                    $unrotate!(low, high);
                    store(_mm512_unpacklo_epi8(low, high), &mut pair[..LANES]);
                    store(_mm512_unpackhi_epi8(low, high), &mut pair[LANES..]);
                }
                scalar::$name(low_rest, high_rest, words_rest);
            }
        );
    };
}
merge2!(merge2, keep);
merge2!(merge2_rotated, unrotate);

macro_rules! split4 {
    ($name:ident, $rotate:ident) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx512, words: &[u8], planes: [&mut [u8]; 4]) {
                let order: __m512i = u8x64::from_slice(token, &planes_of::<4>()).into();
                let load = |bytes: &[u8]| {
                    _mm512_permutexvar_epi8(order, u8x64::from_slice(token, bytes).into())
                };
                let store = |vector: __m512i, to: &mut [u8; LANES]| {
                    let vector: u8x64<Avx512> = vector.simd_into(token);
                    vector.store_slice(to);
                };
                let (quads, words_rest) = words.as_chunks::<{ 4 * LANES }>();
                let [(p0, r0), (p1, r1), (p2, r2), (p3, r3)] =
                    planes.map(|plane| plane.as_chunks_mut::<LANES>());
                for ((((quad, p0), p1), p2), p3) in quads.iter().zip(p0).zip(p1).zip(p2).zip(p3) {
                    let v0 = load(&quad[..LANES]);
                    let v1 = load(&quad[LANES..2 * LANES]);
                    let v2 = load(&quad[2 * LANES..3 * LANES]);
                    let v3 = load(&quad[3 * LANES..]);
                    // Planes 0 and 1, and 2 and 3, of two vectors.
                    let low01 = _mm512_shuffle_i64x2::<0b01_00_01_00>(v0, v1);
                    let low23 = _mm512_shuffle_i64x2::<0b01_00_01_00>(v2, v3);
                    let high01 = _mm512_shuffle_i64x2::<0b11_10_11_10>(v0, v1);
                    let high23 = _mm512_shuffle_i64x2::<0b11_10_11_10>(v2, v3);
                    store(_mm512_shuffle_i64x2::<0b10_00_10_00>(low01, low23), p0);
                    store(_mm512_shuffle_i64x2::<0b11_01_11_01>(low01, low23), p1);
                    let below = _mm512_shuffle_i64x2::<0b10_00_10_00>(high01, high23);
                    let highest = _mm512_shuffle_i64x2::<0b11_01_11_01>(high01, high23);
                    $rotate!(below, highest);
                    store(below, p2);
                    store(highest, p3);
                }
                scalar::$name(words_rest, [r0, r1, r2, r3]);
            }
        );
    };
}
split4!(split4, keep);
split4!(split4_rotated, rotate);

macro_rules! merge4 {
    ($name:ident, $unrotate:ident) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx512, planes: [&[u8]; 4], words: &mut [u8]) {
                // Unpacking works on quarters: each needs four elements of every quarter.
                let quarters =
                    _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
                let load = |bytes: &[u8; LANES]| {
                    _mm512_permutexvar_epi32(quarters, u8x64::from_slice(token, bytes).into())
                };
                let store = |vector: __m512i, to: &mut [u8]| {
                    let vector: u8x64<Avx512> = vector.simd_into(token);
                    vector.store_slice(to);
                };
                let (quads, words_rest) = words.as_chunks_mut::<{ 4 * LANES }>();
                let [(p0, r0), (p1, r1), (p2, r2), (p3, r3)] =
                    planes.map(|plane| plane.as_chunks::<LANES>());
                for ((((quad, p0), p1), p2), p3) in quads.iter_mut().zip(p0).zip(p1).zip(p2).zip(p3)
                {
                    let (p0, p1, below, highest) = (load(p0), load(p1), load(p2), load(p3));
                    $unrotate!(below, highest);
                    let lower01 = _mm512_unpacklo_epi8(p0, p1);
                    let upper01 = _mm512_unpackhi_epi8(p0, p1);
                    let lower23 = _mm512_unpacklo_epi8(below, highest);
                    let upper23 = _mm512_unpackhi_epi8(below, highest);
                    store(_mm512_unpacklo_epi16(lower01, lower23), &mut quad[..LANES]);
                    store(_mm512_unpackhi_epi16(lower01, lower23), &mut quad[LANES..2 * LANES]);
                    store(_mm512_unpacklo_epi16(upper01, upper23), &mut quad[2 * LANES..3 * LANES]);
                    store(_mm512_unpackhi_epi16(upper01, upper23), &mut quad[3 * LANES..]);
                }
                scalar::$name([r0, r1, r2, r3], words_rest);
            }
        );
    };
}
merge4!(merge4, keep);
merge4!(merge4_rotated, unrotate);
