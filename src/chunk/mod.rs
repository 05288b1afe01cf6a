//! Chunks: the units that are coded alone. Each plane of a chunk is raw, one repeated byte, Huffman
//! codes or a Zstandard frame.

pub(crate) mod decode;
#[cfg(feature = "alloc")]
pub(crate) mod encode;
#[cfg(feature = "alloc")]
pub(crate) mod plane_encoder;
#[cfg(feature = "zstd")]
pub(crate) mod zstd;
