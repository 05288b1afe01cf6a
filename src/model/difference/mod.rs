//! The difference code: codes the elements of a chunk as differences to a base.
//!
//! Floats are mapped to integers in the order of their values, and subtracted. A row of elements
//! has a class, the size of its average change. The class and the exponent of an element of the
//! base give the size of the change in units of the last place, and with it one of several tables
//! of symbols. Rows without any change take about a bit.
//!
//! `docs/FORMAT.md` specifies the code.

pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod description;
#[cfg(feature = "alloc")]
pub(crate) mod encode;
#[cfg(feature = "alloc")]
mod merge;
#[cfg(feature = "alloc")]
mod rows;

use crate::format::difference::{MAX_TABLES, MIN_TABLES, SLOTS, TABLE_DATA};

/// Number of elements of a row that are coded together.
pub(crate) const PIECE: usize = 512;

/// Returns the maximum number of tables in the code of a chunk of `len` bytes.
pub(crate) fn max_tables(len: u64) -> usize {
    (len / TABLE_DATA).clamp(MIN_TABLES, MAX_TABLES) as usize
}

/// Returns the memory for tables that decoding a chunk of `len` bytes needs, in bytes.
pub(crate) fn tables_len(len: u64) -> u64 {
    (max_tables(len) * SLOTS * size_of::<crate::entropy::rans::decode::Entry>()) as u64
}
