//! Vector kernels that merge.

use wide::{u8x16, u16x8};

use crate::plane::scalar;
use crate::plane::wide::LANES;

fn load(bytes: &[u8; LANES]) -> u8x16 {
    u8x16::new(*bytes)
}

/// Interleaves the bytes of two vectors.
#[inline(always)]
fn interleave(low: u8x16, high: u8x16) -> (u8x16, u8x16) {
    (u8x16::unpack_low(low, high), u8x16::unpack_high(low, high))
}

/// Undoes the rotation of elements, given and returned as their two highest planes.
#[inline(always)]
fn unrotate(below: u8x16, highest: u8x16) -> (u8x16, u8x16) {
    let sign = u8x16::splat(0x80);
    let mantissa = u8x16::splat(0x7f);
    let lanes: u16x8 = bytemuck::cast(highest);
    let [half, carry]: [u8x16; 2] = [bytemuck::cast(lanes >> 1), bytemuck::cast(lanes << 7)];
    ((below & mantissa) | (carry & sign), (half & mantissa) | (below & sign))
}

#[inline(always)]
fn merge2_with(
    low: &[u8],
    high: &[u8],
    words: &mut [u8],
    unrotate: impl Fn(u8x16, u8x16) -> (u8x16, u8x16),
    rest: impl Fn(&[u8], &[u8], &mut [u8]),
) {
    let (pairs, words_rest) = words.as_chunks_mut::<{ 2 * LANES }>();
    let (lows, low_rest) = low.as_chunks::<LANES>();
    let (highs, high_rest) = high.as_chunks::<LANES>();
    for ((pair, low), high) in pairs.iter_mut().zip(lows).zip(highs) {
        let (lower, upper) = unrotate(load(low), load(high));
        let (first, second) = interleave(lower, upper);
        *pair = bytemuck::cast([first, second]);
    }
    rest(low_rest, high_rest, words_rest);
}

/// Merges elements of two bytes.
pub(crate) fn merge2(low: &[u8], high: &[u8], words: &mut [u8]) {
    merge2_with(low, high, words, |low, high| (low, high), scalar::merge2);
}

/// Merges elements of two bytes and undoes their rotation.
pub(crate) fn merge2_rotated(low: &[u8], high: &[u8], words: &mut [u8]) {
    merge2_with(low, high, words, unrotate, scalar::merge2_rotated);
}

#[inline(always)]
fn merge4_with(
    planes: [&[u8]; 4],
    words: &mut [u8],
    unrotate: impl Fn(u8x16, u8x16) -> (u8x16, u8x16),
    rest: impl Fn([&[u8]; 4], &mut [u8]),
) {
    let (quads, words_rest) = words.as_chunks_mut::<{ 4 * LANES }>();
    let [(p0, r0), (p1, r1), (p2, r2), (p3, r3)] = planes.map(|plane| plane.as_chunks::<LANES>());
    for ((((quad, p0), p1), p2), p3) in quads.iter_mut().zip(p0).zip(p1).zip(p2).zip(p3) {
        let (b2, b3) = unrotate(load(p2), load(p3));
        let (even0, even1) = interleave(load(p0), b2);
        let (odd0, odd1) = interleave(load(p1), b3);
        let (v0, v1) = interleave(even0, odd0);
        let (v2, v3) = interleave(even1, odd1);
        *quad = bytemuck::cast([v0, v1, v2, v3]);
    }
    rest([r0, r1, r2, r3], words_rest);
}

/// Merges elements of four bytes.
pub(crate) fn merge4(planes: [&[u8]; 4], words: &mut [u8]) {
    merge4_with(planes, words, |below, highest| (below, highest), scalar::merge4);
}

/// Merges elements of four bytes and undoes their rotation.
pub(crate) fn merge4_rotated(planes: [&[u8]; 4], words: &mut [u8]) {
    merge4_with(planes, words, unrotate, scalar::merge4_rotated);
}
