//! The kernels on vectors of 16 bytes, for what `wide` makes of them on each target. Little-endian
//! only: bytes are told apart as halves of 16-bit lanes.
//!
//! Rotation is done on planes and not on elements: with the sign in bit 7 of the highest byte and
//! the exponent's lowest bit in bit 7 of the one below, it exchanges single bits of two planes.

use wide::{i16x8, u8x16, u16x8};

use crate::plane::scalar;

/// Bytes of a vector.
const LANES: usize = 16;

fn load(bytes: &[u8; LANES]) -> u8x16 {
    u8x16::new(*bytes)
}

/// The lower and the upper bytes of the 16-bit lanes of two vectors.
#[inline(always)]
fn deinterleave(first: u8x16, second: u8x16) -> (u8x16, u8x16) {
    let [first, second]: [u16x8; 2] = [bytemuck::cast(first), bytemuck::cast(second)];
    let narrow = |first: u16x8, second: u16x8| {
        u8x16::narrow_i16x8(bytemuck::cast::<_, i16x8>(first), bytemuck::cast::<_, i16x8>(second))
    };
    let low_byte = u16x8::splat(0xff);
    (narrow(first & low_byte, second & low_byte), narrow(first >> 8, second >> 8))
}

/// Bytes of two vectors in turn.
#[inline(always)]
fn interleave(low: u8x16, high: u8x16) -> (u8x16, u8x16) {
    (u8x16::unpack_low(low, high), u8x16::unpack_high(low, high))
}

/// The two highest planes after rotation, lower one first.
#[inline(always)]
fn rotate(below: u8x16, highest: u8x16) -> (u8x16, u8x16) {
    let sign = u8x16::splat(0x80);
    let carry: u8x16 = bytemuck::cast(bytemuck::cast::<_, u16x8>(below) >> 7);
    let exponent = (highest + highest) | (carry & u8x16::splat(1));
    ((below & u8x16::splat(0x7f)) | (highest & sign), exponent)
}

/// The inverse of `rotate`.
#[inline(always)]
fn unrotate(below: u8x16, highest: u8x16) -> (u8x16, u8x16) {
    let sign = u8x16::splat(0x80);
    let mantissa = u8x16::splat(0x7f);
    let lanes: u16x8 = bytemuck::cast(highest);
    let [half, carry]: [u8x16; 2] = [bytemuck::cast(lanes >> 1), bytemuck::cast(lanes << 7)];
    ((below & mantissa) | (carry & sign), (half & mantissa) | (below & sign))
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

pub(crate) fn split2(words: &[u8], low: &mut [u8], high: &mut [u8]) {
    split2_with(words, low, high, |low, high| (low, high), scalar::split2);
}

pub(crate) fn split2_rotated(words: &[u8], low: &mut [u8], high: &mut [u8]) {
    split2_with(words, low, high, rotate, scalar::split2_rotated);
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

pub(crate) fn merge2(low: &[u8], high: &[u8], words: &mut [u8]) {
    merge2_with(low, high, words, |low, high| (low, high), scalar::merge2);
}

pub(crate) fn merge2_rotated(low: &[u8], high: &[u8], words: &mut [u8]) {
    merge2_with(low, high, words, unrotate, scalar::merge2_rotated);
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

pub(crate) fn split4(words: &[u8], planes: [&mut [u8]; 4]) {
    split4_with(words, planes, |below, highest| (below, highest), scalar::split4);
}

pub(crate) fn split4_rotated(words: &[u8], planes: [&mut [u8]; 4]) {
    split4_with(words, planes, rotate, scalar::split4_rotated);
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

pub(crate) fn merge4(planes: [&[u8]; 4], words: &mut [u8]) {
    merge4_with(planes, words, |below, highest| (below, highest), scalar::merge4);
}

pub(crate) fn merge4_rotated(planes: [&[u8]; 4], words: &mut [u8]) {
    merge4_with(planes, words, unrotate, scalar::merge4_rotated);
}
