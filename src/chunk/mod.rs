//! Encodes and decodes chunks, the parts of a frame that are coded independently of one another.
//!
//! Each plane of a chunk is stored raw, as one repeated byte, with Huffman codes or as a Zstandard
//! frame. A chunk of a difference may also be stored as one code instead of planes, and a chunk of
//! records as the parts of the records.

pub(crate) mod decode;
#[cfg(feature = "alloc")]
pub(crate) mod encode;
#[cfg(feature = "alloc")]
pub(crate) mod encode_difference;
#[cfg(feature = "alloc")]
pub(crate) mod encode_records;
#[cfg(feature = "alloc")]
pub(crate) mod encode_scales;
#[cfg(feature = "alloc")]
pub(crate) mod plane_encoder;
pub(crate) mod records;
#[cfg(not(feature = "zstd"))]
#[path = "without_zstd.rs"]
pub(crate) mod zstd;
#[cfg(feature = "zstd")]
pub(crate) mod zstd;
