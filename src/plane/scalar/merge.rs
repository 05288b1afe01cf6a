//! Scalar kernels that merge.

use crate::plane::scalar::rotation::{unrotate2, unrotate4};

/// Merges any number of bytes without rotation, including incomplete elements.
pub(crate) fn merge<const K: usize>(planes: &[&[u8]; K], chunk: &mut [u8]) {
    for (index, byte) in chunk.iter_mut().enumerate() {
        *byte = planes[index % K][index / K];
    }
}

fn merge2_with(low: &[u8], high: &[u8], words: &mut [u8], unrotate: impl Fn(u16) -> u16) {
    let elements = words.as_chunks_mut::<2>().0;
    for ((element, &low), &high) in elements.iter_mut().zip(low).zip(high) {
        *element = unrotate(u16::from_le_bytes([low, high])).to_le_bytes();
    }
}

/// Merges elements of two bytes.
pub(crate) fn merge2(low: &[u8], high: &[u8], words: &mut [u8]) {
    merge2_with(low, high, words, |element| element);
}

/// Merges elements of two bytes and undoes their rotation.
pub(crate) fn merge2_rotated(low: &[u8], high: &[u8], words: &mut [u8]) {
    merge2_with(low, high, words, unrotate2);
}

fn merge4_with(planes: [&[u8]; 4], words: &mut [u8], unrotate: impl Fn(u32) -> u32) {
    let [p0, p1, p2, p3] = planes;
    let elements = words.as_chunks_mut::<4>().0;
    for ((((element, &p0), &p1), &p2), &p3) in elements.iter_mut().zip(p0).zip(p1).zip(p2).zip(p3) {
        *element = unrotate(u32::from_le_bytes([p0, p1, p2, p3])).to_le_bytes();
    }
}

/// Merges elements of four bytes.
pub(crate) fn merge4(planes: [&[u8]; 4], words: &mut [u8]) {
    merge4_with(planes, words, |element| element);
}

/// Merges elements of four bytes and undoes their rotation.
pub(crate) fn merge4_rotated(planes: [&[u8]; 4], words: &mut [u8]) {
    merge4_with(planes, words, unrotate4);
}
