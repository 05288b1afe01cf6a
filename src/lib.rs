//! Lossless compression of AI model weights.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// What belongs to a feature that is off has no page to link to.
#![cfg_attr(not(feature = "std"), allow(rustdoc::broken_intra_doc_links))]
// Modules hold items that only some features use. The build with all features detects dead code.
#![cfg_attr(
    not(all(
        feature = "dispatch",
        feature = "__internal-fuzz",
        feature = "legacy",
        feature = "rayon",
        feature = "safetensors",
        feature = "zstd"
    )),
    allow(dead_code, unused_imports)
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod base;
mod bits;
mod checksum;
mod chunk;
pub mod delta;
mod dtype;
mod entropy;
mod error;
pub mod file;
mod format;
pub mod frame;
#[cfg(feature = "std")]
pub mod io;
#[cfg(feature = "__internal-kernels")]
#[doc(hidden)]
pub mod kernels;
#[cfg(feature = "alloc")]
pub mod layout_search;
#[cfg(feature = "legacy")]
pub mod legacy;
#[cfg(all(feature = "alloc", not(feature = "legacy")))]
#[path = "no_legacy.rs"]
mod legacy;
mod limits;
#[cfg(feature = "alloc")]
mod older_file;
#[cfg(feature = "alloc")]
mod oneshot;
#[cfg(feature = "alloc")]
mod options;
#[cfg(feature = "rayon")]
pub mod parallel;
mod plane;
mod plane_layout;
#[cfg(feature = "alloc")]
mod profile;
pub mod simd;
#[cfg(feature = "safetensors")]
pub mod tensor;
#[cfg(feature = "alloc")]
mod try_alloc;
#[cfg(feature = "alloc")]
pub mod typed;

pub use dtype::{DType, ParseDTypeError};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, Location};
#[cfg(feature = "alloc")]
pub use file::{push, seek};
#[cfg(feature = "std")]
pub use io::{Archive, ArchiveError, Decoder, Encoder};
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub use oneshot::{
    Tensor, compress, compress_append, compress_bound, compress_into, compress_tensor,
    compressed_len, decoded_len, decompress, decompress_into, decompress_tensor, verify,
};
#[cfg(feature = "alloc")]
pub use options::Options;
#[cfg(feature = "alloc")]
pub use profile::Profile;

/// Runs the examples of the documents as tests.
#[cfg(all(doctest, feature = "std", feature = "safetensors", feature = "rayon"))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/LIBRARY.md")]
    struct Library;
}
