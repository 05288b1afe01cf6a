//! The code of scales: codes floats relative to the scale that their row and their column predict.
//!
//! A row and a column of a matrix have a scale each, in quarter octaves. Their sum is the expected
//! size of the element where they meet. The exponent of the element relative to the expected one,
//! and the highest bits of its mantissa, are a symbol. The fraction of the expected size chooses
//! the table of the symbol. The other bits are stored as they are.
//!
//! A row may name an earlier row that it resembles. The tables then also depend on the element of
//! that row, symbols contain whether the signs agree, and the scale of the row is the scale of what
//! the earlier row does not predict.
//!
//! Tables are described, or follow from a normal distribution.
//!
//! `docs/FORMAT.md` specifies the code.

pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod description;
#[cfg(feature = "alloc")]
pub(crate) mod encode;
#[cfg(feature = "alloc")]
mod fit;
pub(crate) mod normal;
pub(crate) mod raw_bits;
#[cfg(feature = "alloc")]
mod references;
#[cfg(feature = "alloc")]
mod row_len;
pub(crate) mod shape;
#[cfg(feature = "alloc")]
mod signs;
#[cfg(feature = "alloc")]
mod tables;

use crate::entropy::rans::decode::Entry;
use crate::format::scales::{GROUP, MAX_ROW, MAX_TABLES, MIN_TABLES, SLOTS, TABLE_DATA};

/// Returns the maximum number of tables in the code of a chunk of `len` bytes.
pub(crate) fn max_tables(len: u64) -> usize {
    (len / TABLE_DATA).clamp(MIN_TABLES, MAX_TABLES) as usize
}

/// Returns the maximum number of columns of a chunk of `len` bytes.
pub(crate) fn max_columns(len: u64) -> usize {
    len.next_multiple_of(GROUP as u64).min(MAX_ROW as u64) as usize
}

/// Returns the memory for tables and columns that decoding a chunk of `len` bytes needs, in bytes.
pub(crate) fn memory_len(len: u64) -> u64 {
    let tables = max_tables(len) * SLOTS * size_of::<Entry>();
    (tables + max_columns(len) * size_of::<i16>()) as u64
}
