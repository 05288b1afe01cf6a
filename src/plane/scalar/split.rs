//! Scalar kernels that split.

use crate::plane::scalar::rotation::{rotate2, rotate4};

/// Splits any number of bytes without rotation, including incomplete elements.
pub(crate) fn split<const K: usize>(chunk: &[u8], planes: &mut [&mut [u8]; K]) {
    for (index, &byte) in chunk.iter().enumerate() {
        planes[index % K][index / K] = byte;
    }
}

fn split2_with(words: &[u8], low: &mut [u8], high: &mut [u8], rotate: impl Fn(u16) -> u16) {
    let elements = words.as_chunks::<2>().0;
    for ((&element, low), high) in elements.iter().zip(low).zip(high) {
        [*low, *high] = rotate(u16::from_le_bytes(element)).to_le_bytes();
    }
}

/// Splits elements of two bytes.
pub(crate) fn split2(words: &[u8], low: &mut [u8], high: &mut [u8]) {
    split2_with(words, low, high, |element| element);
}

/// Rotates and splits elements of two bytes.
pub(crate) fn split2_rotated(words: &[u8], low: &mut [u8], high: &mut [u8]) {
    split2_with(words, low, high, rotate2);
}

fn split4_with(words: &[u8], planes: [&mut [u8]; 4], rotate: impl Fn(u32) -> u32) {
    let [p0, p1, p2, p3] = planes;
    let elements = words.as_chunks::<4>().0;
    for ((((&element, p0), p1), p2), p3) in elements.iter().zip(p0).zip(p1).zip(p2).zip(p3) {
        [*p0, *p1, *p2, *p3] = rotate(u32::from_le_bytes(element)).to_le_bytes();
    }
}

/// Splits elements of four bytes.
pub(crate) fn split4(words: &[u8], planes: [&mut [u8]; 4]) {
    split4_with(words, planes, |element| element);
}

/// Rotates and splits elements of four bytes.
pub(crate) fn split4_rotated(words: &[u8], planes: [&mut [u8]; 4]) {
    split4_with(words, planes, rotate4);
}
