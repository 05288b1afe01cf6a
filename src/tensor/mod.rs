//! Tensor files: their headers, the frames that suit them, and tensors compressed inside them.
//!
//! - [`safetensors::Metadata`] is the header of a `.safetensors` or GGUF file. It lists the tensors.
//! - [`plan`] divides such a file into frames, each with a plane layout for its data.
//! - [`inside`] reads and writes `.znn.safetensors` files, in which each tensor is compressed on
//!   its own. Needs the feature `std`.

pub(crate) mod gguf;
pub(crate) mod info;
#[cfg(feature = "std")]
pub mod inside;
pub(crate) mod plan;
pub(crate) mod rows;
pub mod safetensors;

pub use info::TensorInfo;
pub use plan::{PlannedFrame, plan};
pub use rows::RowsError;
