//! Kernels on vectors of 64 bytes, for AVX-512 with byte permutes.
//!
//! Only for splitting: merging is limited by the cache, and longer vectors that cross its lines make
//! it slower.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
use fearless_simd::x86::Avx512;

use crate::plane::scalar;

/// Bytes of a vector.
const LANES: usize = 64;

/// Returns the indices of every second byte of two vectors, from `first` on.
const fn every_second(first: usize) -> [u8; LANES] {
    let mut indices = [0; LANES];
    let mut i = 0;
    while i < LANES {
        indices[i] = (2 * i + first) as u8;
        i += 1;
    }
    indices
}

/// Returns the indices that gather byte *k* of all words in quarter *k*.
const fn quarters_of_words() -> [u8; LANES] {
    let mut indices = [0; LANES];
    let mut i = 0;
    while i < LANES {
        indices[i] = (i % 16 * 4 + i / 16) as u8;
        i += 1;
    }
    indices
}

const EVEN: [u8; LANES] = every_second(0);
const ODD: [u8; LANES] = every_second(1);
const QUARTERS: [u8; LANES] = quarters_of_words();

/// Takes the bits of a mask from one vector, and the others from another.
const SELECT: i32 = 0xca;

macro_rules! split2 {
    ($name:ident, $rotated:literal, $rest:path) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx512, words: &[u8], low: &mut [u8], high: &mut [u8]) {
                let even: __m512i = u8x64::from_slice(token, &EVEN).into();
                let odd: __m512i = u8x64::from_slice(token, &ODD).into();
                let exponent = _mm512_set1_epi16(0xff00_u16 as i16);
                let sign = _mm512_set1_epi16(0x80);
                let rotate = |element: __m512i| {
                    if !$rotated {
                        return element;
                    }
                    let shifted = _mm512_srli_epi16::<8>(element);
                    let low = _mm512_ternarylogic_epi32::<SELECT>(sign, shifted, element);
                    let shifted = _mm512_slli_epi16::<1>(element);
                    _mm512_ternarylogic_epi32::<SELECT>(exponent, shifted, low)
                };
                let (pairs, words_rest) = words.as_chunks::<{ 2 * LANES }>();
                let (lows, low_rest) = low.as_chunks_mut::<LANES>();
                let (highs, high_rest) = high.as_chunks_mut::<LANES>();
                for ((pair, low), high) in pairs.iter().zip(lows).zip(highs) {
                    let first = rotate(u8x64::from_slice(token, &pair[..LANES]).into());
                    let second = rotate(u8x64::from_slice(token, &pair[LANES..]).into());
                    let lower = _mm512_permutex2var_epi8(first, even, second);
                    let upper = _mm512_permutex2var_epi8(first, odd, second);
                    let lower: u8x64<Avx512> = lower.simd_into(token);
                    let upper: u8x64<Avx512> = upper.simd_into(token);
                    lower.store_slice(low);
                    upper.store_slice(high);
                }
                $rest(words_rest, low_rest, high_rest);
            }
        );
    };
}
split2!(split2, false, scalar::split2);
split2!(split2_rotated, true, scalar::split2_rotated);

macro_rules! split4 {
    ($name:ident, $rotated:literal, $rest:path) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx512, words: &[u8], planes: [&mut [u8]; 4]) {
                let quarters: __m512i = u8x64::from_slice(token, &QUARTERS).into();
                let exponent = _mm512_set1_epi32(0xff00_0000_u32 as i32);
                let sign = _mm512_set1_epi32(0x0080_0000);
                let load = |bytes: &[u8]| {
                    let word: __m512i = u8x64::from_slice(token, bytes).into();
                    let rotated = if $rotated {
                        let shifted = _mm512_srli_epi32::<8>(word);
                        let low = _mm512_ternarylogic_epi32::<SELECT>(sign, shifted, word);
                        let shifted = _mm512_slli_epi32::<1>(word);
                        _mm512_ternarylogic_epi32::<SELECT>(exponent, shifted, low)
                    } else {
                        word
                    };
                    _mm512_permutexvar_epi8(quarters, rotated)
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
                    let lower01 = _mm512_shuffle_i64x2::<0x44>(v0, v1);
                    let lower23 = _mm512_shuffle_i64x2::<0x44>(v2, v3);
                    let upper01 = _mm512_shuffle_i64x2::<0xee>(v0, v1);
                    let upper23 = _mm512_shuffle_i64x2::<0xee>(v2, v3);
                    store(_mm512_shuffle_i64x2::<0x88>(lower01, lower23), p0);
                    store(_mm512_shuffle_i64x2::<0xdd>(lower01, lower23), p1);
                    store(_mm512_shuffle_i64x2::<0x88>(upper01, upper23), p2);
                    store(_mm512_shuffle_i64x2::<0xdd>(upper01, upper23), p3);
                }
                $rest(words_rest, [r0, r1, r2, r3]);
            }
        );
    };
}
split4!(split4, false, scalar::split4);
split4!(split4_rotated, true, scalar::split4_rotated);
