//! The Huffman coder of a plane: `huff0`'s format, as in RFC 8878 (Huffman_Tree_Description,
//! Jump_Table and four streams), with codes of up to 12 bits when reading.
//!
//! A coded plane is one of
//! * as many bytes as the plane has: a plain copy;
//! * one byte: the plane repeats it;
//! * the code lengths ([`weights`]), then four streams ([`encode`], [`decode`]).

pub(crate) mod code;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod lengths;
pub(crate) mod pairs;
pub(crate) mod table;
pub(crate) mod weights;

/// Bytes of the jump table: the sizes of all streams but the last, two bytes each.
pub(crate) const JUMP_TABLE: usize = 6;
/// Longest code that a writer uses, in bits.
pub(crate) const MAX_WRITTEN_BITS: u32 = 11;
/// Longest code that a reader accepts, in bits.
pub(crate) const MAX_READ_BITS: u32 = 12;
/// Largest weight that may stand in the description of a tree.
pub(crate) const MAX_EXPLICIT_WEIGHT: u8 = 11;
/// Longest plane that the original codes, in bytes. Longer ones it stores raw.
pub(crate) const MAX_WRITTEN_PLANE: usize = 128 * 1024;
