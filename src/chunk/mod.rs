//! Chunks: the units that are encoded independently.
//!
//! Each plane of a chunk is stored raw, as one repeated byte, as Huffman codes or as a Zstandard
//! frame.

pub(crate) mod decode;
#[cfg(feature = "alloc")]
pub(crate) mod encode;
#[cfg(feature = "alloc")]
pub(crate) mod plane_encoder;
#[cfg(not(feature = "zstd"))]
#[path = "without_zstd.rs"]
pub(crate) mod zstd;
#[cfg(feature = "zstd")]
pub(crate) mod zstd;
