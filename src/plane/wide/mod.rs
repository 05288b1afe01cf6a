//! Kernels on vectors of 16 bytes, which the crate `wide` maps to each target's instructions.
//!
//! They require a little-endian target, because they treat bytes as halves of 16-bit lanes.
//!
//! They rotate planes instead of elements: the sign is bit 7 of the highest byte, and the lowest
//! bit of the exponent is bit 7 of the byte below, so rotation only moves bits within and between
//! the two highest planes.

mod merge;
mod split;

pub(crate) use merge::{merge2, merge2_rotated, merge4, merge4_rotated};
pub(crate) use split::{split2, split2_rotated, split4, split4_rotated};

/// Length of a vector in bytes.
const LANES: usize = 16;
