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

/// Base-2 logarithm of the number of slots of a table.
pub(crate) const LOG: u32 = 12;
/// Number of slots of a table.
pub(crate) const SLOTS: usize = 1 << LOG;
/// Number of symbols: differences from -40 to 40, and [`ESCAPE`].
pub(crate) const SYMBOLS: usize = 82;
/// The symbol of the difference 0.
pub(crate) const ZERO: i32 = 40;
/// The symbol of a value that is stored whole.
pub(crate) const ESCAPE: u8 = 81;
/// The symbol of the exponent that the class of the row gives, for elements without difference.
pub(crate) const SAME_EXPONENT: i32 = 60;
/// Number of elements of a row that are coded together.
pub(crate) const PIECE: usize = 512;

/// Bounds of the maximum number of tables. Each meaning of symbols can need a table of its own.
const MIN_TABLES: u64 = 3;
const MAX_TABLES: u64 = 32;
/// Minimum number of bytes of a chunk for each table, which bounds the memory for tables.
const TABLE_DATA: u64 = 4096;

/// Returns the maximum number of tables in the code of a chunk of `len` bytes.
pub(crate) fn max_tables(len: u64) -> usize {
    (len / TABLE_DATA).clamp(MIN_TABLES, MAX_TABLES) as usize
}

/// Returns the memory for tables that decoding a chunk of `len` bytes needs, in bytes.
pub(crate) fn tables_len(len: u64) -> u64 {
    (max_tables(len) * SLOTS * size_of::<crate::entropy::rans::decode::Entry>()) as u64
}
