//! Kernels on vectors of 32 bytes, for AVX2, which moves bytes within halves of a vector.
//!
//! Elements of two bytes that are not rotated are missing: the portable kernels are faster.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x32;
use fearless_simd::x86::Avx2;

use crate::plane::scalar;

/// Bytes of a vector.
const LANES: usize = 32;

/// Gathers byte *k* of the words of each half in the half's quarter *k*.
const QUARTERS: [u8; LANES] = [
    0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14,
    3, 7, 11, 15,
];

fearless_simd::kernel!(
    #[inline(never)]
    pub(crate) fn split2_rotated(token: Avx2, words: &[u8], low: &mut [u8], high: &mut [u8]) {
        let byte = _mm256_set1_epi16(0xff);
        let exponent = _mm256_set1_epi16(0xff00_u16 as i16);
        let sign = _mm256_set1_epi16(0x80);
        let mantissa = _mm256_set1_epi16(0x7f);
        let rotate = |element: __m256i| {
            let high = _mm256_and_si256(_mm256_slli_epi16::<1>(element), exponent);
            let carry = _mm256_and_si256(_mm256_srli_epi16::<8>(element), sign);
            let low = _mm256_and_si256(element, mantissa);
            _mm256_or_si256(_mm256_or_si256(high, carry), low)
        };
        // Packing works on halves: the quarters come out in the order 0, 2, 1, 3.
        let store = |first: __m256i, second: __m256i, to: &mut [u8; LANES]| {
            let packed = _mm256_packus_epi16(first, second);
            let vector: u8x32<Avx2> =
                _mm256_permute4x64_epi64::<0b11_01_10_00>(packed).simd_into(token);
            vector.store_slice(to);
        };
        let (pairs, words_rest) = words.as_chunks::<{ 2 * LANES }>();
        let (lows, low_rest) = low.as_chunks_mut::<LANES>();
        let (highs, high_rest) = high.as_chunks_mut::<LANES>();
        for ((pair, low), high) in pairs.iter().zip(lows).zip(highs) {
            let first = rotate(u8x32::from_slice(token, &pair[..LANES]).into());
            let second = rotate(u8x32::from_slice(token, &pair[LANES..]).into());
            store(_mm256_and_si256(first, byte), _mm256_and_si256(second, byte), low);
            store(_mm256_srli_epi16::<8>(first), _mm256_srli_epi16::<8>(second), high);
        }
        scalar::split2_rotated(words_rest, low_rest, high_rest);
    }
);

/// Moves the sign of rotated elements back to the highest of two planes.
macro_rules! unrotate {
    ($below:ident, $highest:ident) => {{
        let (sign, others) = (_mm256_set1_epi8(-128), _mm256_set1_epi8(0x7f));
        let half = _mm256_srli_epi16::<1>($highest);
        let carry = _mm256_slli_epi16::<7>($highest);
        (
            _mm256_or_si256(_mm256_and_si256($below, others), _mm256_and_si256(carry, sign)),
            _mm256_or_si256(_mm256_and_si256(half, others), _mm256_and_si256($below, sign)),
        )
    }};
}

fearless_simd::kernel!(
    #[inline(never)]
    pub(crate) fn merge2_rotated(token: Avx2, low: &[u8], high: &[u8], words: &mut [u8]) {
        let (pairs, words_rest) = words.as_chunks_mut::<{ 2 * LANES }>();
        let (lows, low_rest) = low.as_chunks::<LANES>();
        let (highs, high_rest) = high.as_chunks::<LANES>();
        for ((pair, low), high) in pairs.iter_mut().zip(lows).zip(highs) {
            let low: __m256i = u8x32::from_slice(token, low).into();
            let high: __m256i = u8x32::from_slice(token, high).into();
            let (low, high) = unrotate!(low, high);
            let lower = _mm256_unpacklo_epi8(low, high);
            let upper = _mm256_unpackhi_epi8(low, high);
            let first = _mm256_permute2x128_si256::<0x20>(lower, upper);
            let second = _mm256_permute2x128_si256::<0x31>(lower, upper);
            let first: u8x32<Avx2> = first.simd_into(token);
            let second: u8x32<Avx2> = second.simd_into(token);
            first.store_slice(&mut pair[..LANES]);
            second.store_slice(&mut pair[LANES..]);
        }
        scalar::merge2_rotated(low_rest, high_rest, words_rest);
    }
);

macro_rules! split4 {
    ($name:ident, $rotated:literal, $rest:path) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx2, words: &[u8], planes: [&mut [u8]; 4]) {
                let quarters: __m256i = u8x32::from_slice(token, &QUARTERS).into();
                let eighths = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
                let exponent = _mm256_set1_epi32(0xff00_0000_u32 as i32);
                let sign = _mm256_set1_epi32(0x0080_0000);
                let mantissa = _mm256_set1_epi32(0x007f_ffff);
                let load = |bytes: &[u8]| {
                    let word: __m256i = u8x32::from_slice(token, bytes).into();
                    let rotated = if $rotated {
                        let high = _mm256_and_si256(_mm256_slli_epi32::<1>(word), exponent);
                        let carry = _mm256_and_si256(_mm256_srli_epi32::<8>(word), sign);
                        let low = _mm256_and_si256(word, mantissa);
                        _mm256_or_si256(_mm256_or_si256(high, carry), low)
                    } else {
                        word
                    };
                    let halves = _mm256_shuffle_epi8(rotated, quarters);
                    _mm256_permutevar8x32_epi32(halves, eighths)
                };
                let store = |vector: __m256i, to: &mut [u8; LANES]| {
                    let vector: u8x32<Avx2> = vector.simd_into(token);
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
                    let even01 = _mm256_unpacklo_epi64(v0, v1);
                    let even23 = _mm256_unpacklo_epi64(v2, v3);
                    let odd01 = _mm256_unpackhi_epi64(v0, v1);
                    let odd23 = _mm256_unpackhi_epi64(v2, v3);
                    store(_mm256_permute2x128_si256::<0x20>(even01, even23), p0);
                    store(_mm256_permute2x128_si256::<0x20>(odd01, odd23), p1);
                    store(_mm256_permute2x128_si256::<0x31>(even01, even23), p2);
                    store(_mm256_permute2x128_si256::<0x31>(odd01, odd23), p3);
                }
                $rest(words_rest, [r0, r1, r2, r3]);
            }
        );
    };
}
split4!(split4, false, scalar::split4);
split4!(split4_rotated, true, scalar::split4_rotated);

macro_rules! merge4 {
    ($name:ident, $rotated:literal, $rest:path) => {
        fearless_simd::kernel!(
            #[inline(never)]
            pub(crate) fn $name(token: Avx2, planes: [&[u8]; 4], words: &mut [u8]) {
                let load =
                    |bytes: &[u8; LANES]| -> __m256i { u8x32::from_slice(token, bytes).into() };
                let store = |vector: __m256i, to: &mut [u8]| {
                    let vector: u8x32<Avx2> = vector.simd_into(token);
                    vector.store_slice(to);
                };
                let (quads, words_rest) = words.as_chunks_mut::<{ 4 * LANES }>();
                let [(p0, r0), (p1, r1), (p2, r2), (p3, r3)] =
                    planes.map(|plane| plane.as_chunks::<LANES>());
                for ((((quad, p0), p1), p2), p3) in quads.iter_mut().zip(p0).zip(p1).zip(p2).zip(p3)
                {
                    let (p0, p1, p2, p3) = (load(p0), load(p1), load(p2), load(p3));
                    let (p2, p3) = if $rotated { unrotate!(p2, p3) } else { (p2, p3) };
                    let lower01 = _mm256_unpacklo_epi8(p0, p1);
                    let upper01 = _mm256_unpackhi_epi8(p0, p1);
                    let lower23 = _mm256_unpacklo_epi8(p2, p3);
                    let upper23 = _mm256_unpackhi_epi8(p2, p3);
                    let w0 = _mm256_unpacklo_epi16(lower01, lower23);
                    let w1 = _mm256_unpackhi_epi16(lower01, lower23);
                    let w2 = _mm256_unpacklo_epi16(upper01, upper23);
                    let w3 = _mm256_unpackhi_epi16(upper01, upper23);
                    let [q0, q1, q2, q3] = quad.as_chunks_mut::<LANES>().0 else { return };
                    store(_mm256_permute2x128_si256::<0x20>(w0, w1), q0);
                    store(_mm256_permute2x128_si256::<0x20>(w2, w3), q1);
                    store(_mm256_permute2x128_si256::<0x31>(w0, w1), q2);
                    store(_mm256_permute2x128_si256::<0x31>(w2, w3), q3);
                }
                $rest([r0, r1, r2, r3], words_rest);
            }
        );
    };
}
merge4!(merge4, false, scalar::merge4);
merge4!(merge4_rotated, true, scalar::merge4_rotated);
