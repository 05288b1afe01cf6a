//! The format of `.safetensors` files.
//!
//! Such a file begins with the length of its header, a little-endian `u64`. The header follows as
//! JSON, then the bytes of the tensors. [`Metadata`](crate::tensor::Metadata) is the parsed header.

pub(crate) mod format;
mod json;
mod parse;
#[cfg(feature = "std")]
pub(crate) mod write;

pub use format::{MAX_HEADER_LEN, PREFIX_LEN};
pub(crate) use parse::parse;
