//! The kernels element by element: what the others are tested against, what they leave over, and
//! all there is without the feature `simd`. The compiler vectorises most of them.

/// bfloat16 with the exponent in the upper byte and the sign on top of the lower one.
fn rotate2(element: u16) -> u16 {
    (element << 1) & 0xff00 | (element >> 8) & 0x80 | element & 0x7f
}

/// The inverse of `rotate2`.
pub(crate) fn unrotate2(element: u16) -> u16 {
    (element << 8) & 0x8000 | (element >> 1) & 0x7f80 | element & 0x7f
}

/// float32 with the exponent in the highest byte and the sign below it.
fn rotate4(element: u32) -> u32 {
    (element << 1) & 0xff00_0000 | (element >> 8) & 0x0080_0000 | element & 0x007f_ffff
}

/// The inverse of `rotate4`.
pub(crate) fn unrotate4(element: u32) -> u32 {
    (element << 8) & 0x8000_0000 | (element >> 1) & 0x7f80_0000 | element & 0x007f_ffff
}

/// Splits any number of bytes, incomplete elements too, without rotation.
pub(crate) fn split<const K: usize>(chunk: &[u8], planes: &mut [&mut [u8]; K]) {
    for (index, &byte) in chunk.iter().enumerate() {
        planes[index % K][index / K] = byte;
    }
}

/// Merges any number of bytes, incomplete elements too, without rotation.
pub(crate) fn merge<const K: usize>(planes: &[&[u8]; K], chunk: &mut [u8]) {
    for (index, byte) in chunk.iter_mut().enumerate() {
        *byte = planes[index % K][index / K];
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
