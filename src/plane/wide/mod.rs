//! Kernels on vectors of 16 bytes, which the crate `wide` maps to each target's instructions.
//!
//! They require a little-endian target, because they treat bytes as halves of 16-bit lanes.
//!
//! They rotate planes instead of elements. The sign is bit 7 of the highest byte, and the
//! exponent's lowest bit is bit 7 of the byte below, so that rotation exchanges single bits of two
//! planes.

mod merge;
mod split;

pub(crate) use merge::{merge2, merge2_rotated, merge4, merge4_rotated};
pub(crate) use split::{split2, split2_rotated, split4, split4_rotated};

/// Bytes of a vector.
const LANES: usize = 16;
