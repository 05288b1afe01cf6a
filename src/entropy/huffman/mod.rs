//! The Huffman coder of planes, in the format of `huff0` (RFC 8878, section 4.2).
//!
//! A coded plane is one of
//! * the bytes of the plane, unchanged;
//! * one byte, which fills the plane;
//! * a description of the code ([`weights`]), a jump table, and four streams ([`encode`], [`decode`]).
//!
//! # Glossary
//!
//! * *symbol*: a byte of a plane.
//! * *codeword*: the bits that stand for a symbol, or for several symbols in a row.
//! * *code*: the codewords of all symbols. It is canonical: their lengths determine it.
//! * *weight* of a symbol: the length of the longest codeword + 1 − the length of the symbol's
//!   codeword, or 0 if the symbol does not occur.
//! * *cell*: one of the 2^`longest` bit strings of the longest codeword's length. A codeword that is
//!   *n* bits shorter covers 2^*n* cells.
//! * *stream*: the codewords of a quarter of the plane, last symbol first, followed by the end
//!   mark, which is the highest set bit. Decoding starts at the end mark and goes backwards.
//! * *jump table*: the lengths of the first three streams.
//! * *look-up*: one access to a decoding table, which returns an *entry*: symbols and their length in
//!   bits.
//! * *round*: the largest number of look-ups for which one fetch of 57 bits suffices.
//! * *pair*: two symbols that are counted and encoded together ([`pairs`]).

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
mod avx2;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
mod avx2_pairs;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
mod avx512;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
mod bytes;
pub(crate) mod code;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod lengths;
pub(crate) mod pair_table;
pub(crate) mod pairs;
mod stream_writer;
pub(crate) mod table;
pub(crate) mod weights;

/// Length of the jump table: two bytes for each stream but the last.
pub(crate) const JUMP_TABLE: usize = 6;
/// Maximum length of a codeword that this crate writes, in bits.
pub(crate) const MAX_WRITTEN_BITS: u32 = 11;
/// Maximum length of a codeword that readers accept, in bits: one more than RFC 8878 allows.
pub(crate) const MAX_READ_BITS: u32 = 12;
/// Largest weight that a description may contain.
pub(crate) const MAX_EXPLICIT_WEIGHT: u8 = 11;
/// Maximum length of a plane that is encoded, in bytes. It is the same in the original.
pub(crate) const MAX_WRITTEN_PLANE: usize = 128 * 1024;
