//! Headers of `.safetensors` files.
//!
//! Such a file begins with the length of its header, a little-endian `u64`. The header follows as
//! JSON, then the bytes of the tensors. [`Metadata`] is the parsed header.

pub(crate) mod error;
pub(crate) mod format;
pub(crate) mod gaps;
pub(crate) mod json;
pub(crate) mod metadata;
pub(crate) mod oddity;
#[cfg(feature = "std")]
pub(crate) mod write;

pub use error::MetadataError;
pub use metadata::Metadata;
pub use oddity::Oddity;
