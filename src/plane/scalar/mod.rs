//! Scalar kernels, element by element, most of which the compiler vectorises.
//!
//! They are the reference for the vector kernels and process the words that those leave over.
//! Without the feature `simd`, they are the only kernels.

mod merge;
mod rotation;
mod split;

pub(crate) use merge::{merge, merge2, merge2_rotated, merge4, merge4_rotated};
pub(crate) use split::{split, split2, split2_rotated, split4, split4_rotated};
