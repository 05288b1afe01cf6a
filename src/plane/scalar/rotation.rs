//! Rotation of elements: the sign moves below the exponent, which then fills the highest byte.

/// Rotates a `bfloat16`.
pub(super) fn rotate2(element: u16) -> u16 {
    (element << 1) & 0xff00 | (element >> 8) & 0x80 | element & 0x7f
}

/// Undoes [`rotate2`].
pub(crate) fn unrotate2(element: u16) -> u16 {
    (element << 8) & 0x8000 | (element >> 1) & 0x7f80 | element & 0x7f
}

/// Rotates a `float32`.
pub(super) fn rotate4(element: u32) -> u32 {
    (element << 1) & 0xff00_0000 | (element >> 8) & 0x0080_0000 | element & 0x007f_ffff
}

/// Undoes [`rotate4`].
pub(crate) fn unrotate4(element: u32) -> u32 {
    (element << 8) & 0x8000_0000 | (element >> 1) & 0x7f80_0000 | element & 0x007f_ffff
}
