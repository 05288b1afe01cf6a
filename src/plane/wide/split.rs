//! Vector kernels that split.

use wide::{i16x8, u8x16, u16x8};

use crate::plane::scalar;
use crate::plane::wide::LANES;

/// Separates the lower and the upper bytes of the 16-bit lanes of two vectors.
#[inline(always)]
fn deinterleave(first: u8x16, second: u8x16) -> (u8x16, u8x16) {
    let [first, second]: [u16x8; 2] = [bytemuck::cast(first), bytemuck::cast(second)];
    let narrow = |first: u16x8, second: u16x8| {
        u8x16::narrow_i16x8(bytemuck::cast::<_, i16x8>(first), bytemuck::cast::<_, i16x8>(second))
    };
    let low_byte = u16x8::splat(0xff);
    (narrow(first & low_byte, second & low_byte), narrow(first >> 8, second >> 8))
}

/// Rotates elements, given and returned as their two highest planes.
#[inline(always)]
fn rotate(below: u8x16, highest: u8x16) -> (u8x16, u8x16) {
    let sign = u8x16::splat(0x80);
    let carry: u8x16 = bytemuck::cast(bytemuck::cast::<_, u16x8>(below) >> 7);
    let exponent = (highest + highest) | (carry & u8x16::splat(1));
    ((below & u8x16::splat(0x7f)) | (highest & sign), exponent)
}

#[inline(always)]
fn split2_with(
    words: &[u8],
    low: &mut [u8],
    high: &mut [u8],
    rotate: impl Fn(u8x16, u8x16) -> (u8x16, u8x16),
    rest: impl Fn(&[u8], &mut [u8], &mut [u8]),
) {
    let (pairs, words_rest) = words.as_chunks::<{ 2 * LANES }>();
    let (lows, low_rest) = low.as_chunks_mut::<LANES>();
    let (highs, high_rest) = high.as_chunks_mut::<LANES>();
    for ((pair, low), high) in pairs.iter().zip(lows).zip(highs) {
        let [first, second]: [u8x16; 2] = bytemuck::cast(*pair);
        let (lower, upper) = deinterleave(first, second);
        let (lower, upper) = rotate(lower, upper);
        *low = lower.to_array();
        *high = upper.to_array();
    }
    rest(words_rest, low_rest, high_rest);
}

/// Splits elements of two bytes.
pub(crate) fn split2(words: &[u8], low: &mut [u8], high: &mut [u8]) {
    split2_with(words, low, high, |low, high| (low, high), scalar::split2);
}

/// Rotates and splits elements of two bytes.
pub(crate) fn split2_rotated(words: &[u8], low: &mut [u8], high: &mut [u8]) {
    split2_with(words, low, high, rotate, scalar::split2_rotated);
}

#[inline(always)]
fn split4_with(
    words: &[u8],
    planes: [&mut [u8]; 4],
    rotate: impl Fn(u8x16, u8x16) -> (u8x16, u8x16),
    rest: impl Fn(&[u8], [&mut [u8]; 4]),
) {
    let (quads, words_rest) = words.as_chunks::<{ 4 * LANES }>();
    let [(p0, r0), (p1, r1), (p2, r2), (p3, r3)] =
        planes.map(|plane| plane.as_chunks_mut::<LANES>());
    for ((((quad, p0), p1), p2), p3) in quads.iter().zip(p0).zip(p1).zip(p2).zip(p3) {
        let [v0, v1, v2, v3]: [u8x16; 4] = bytemuck::cast(*quad);
        let (even0, odd0) = deinterleave(v0, v1);
        let (even1, odd1) = deinterleave(v2, v3);
        let (b0, b2) = deinterleave(even0, even1);
        let (b1, b3) = deinterleave(odd0, odd1);
        let (b2, b3) = rotate(b2, b3);
        *p0 = b0.to_array();
        *p1 = b1.to_array();
        *p2 = b2.to_array();
        *p3 = b3.to_array();
    }
    rest(words_rest, [r0, r1, r2, r3]);
}

/// Splits elements of four bytes.
pub(crate) fn split4(words: &[u8], planes: [&mut [u8]; 4]) {
    split4_with(words, planes, |below, highest| (below, highest), scalar::split4);
}

/// Rotates and splits elements of four bytes.
pub(crate) fn split4_rotated(words: &[u8], planes: [&mut [u8]; 4]) {
    split4_with(words, planes, rotate, scalar::split4_rotated);
}
