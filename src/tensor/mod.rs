//! Tensor files: their headers, the frames that suit them, and tensors compressed inside them.
//!
//! - [`Metadata`] describes the tensors of a file: safetensors, GGUF, NumPy, PyTorch or ONNX.
//! - [`MetadataReader`] finds them by reading parts of the file.
//! - [`plan`] divides such a file into frames, each with a plane layout for its data.
//! - [`inside`] reads and writes `.znn.safetensors` files, in which each tensor is compressed on
//!   its own. Needs the feature `std`.

pub(crate) mod error;
mod gaps;
mod gguf;
pub(crate) mod info;
#[cfg(feature = "std")]
pub mod inside;
pub(crate) mod metadata;
mod numpy;
mod oddity;
mod onnx;
mod parse;
mod pickle;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod rows;
pub mod safetensors;
mod zip;

pub use error::MetadataError;
pub use info::TensorInfo;
pub use metadata::Metadata;
pub use oddity::Oddity;
pub use plan::{PlannedFrame, plan};
pub use read::MetadataReader;
pub use rows::RowsError;
