//! Files of tensors: which bytes belong to which tensor, what frames suit them, and tensors that
//! are compressed inside such a file.
//!
//! [`Metadata`] reads the header of any `.safetensors` file, and [`plan`] cuts the file into what is
//! compressed alike. In a `.znn.safetensors` file some tensors are replaced by frames: `U8`
//! tensors, which the metadata lists. With the feature `std`, [`TensorWriter`] writes such files
//! and [`TensorReader`] reads them, also those of the original, releases 0.5.1 to 0.5.4. Those
//! releases omit some lists: [`TensorReader::repaired_header`] adds them. They also store some
//! tensors with rotated bits, which `zipnn repair` of the program detects and repairs.

#[cfg(feature = "std")]
pub(crate) mod error;
#[cfg(feature = "std")]
pub(crate) mod inside;
pub(crate) mod metadata;
pub(crate) mod oddity;
pub(crate) mod plan;
#[cfg(feature = "std")]
pub(crate) mod ranges;
pub(crate) mod rows;
#[cfg(feature = "std")]
pub(crate) mod section;
#[cfg(feature = "std")]
pub(crate) mod write_header;

#[cfg(feature = "std")]
pub use error::TensorError;
#[cfg(feature = "std")]
pub use inside::{RestoredHeader, StoredTensor, TensorReader, TensorTarget, TensorWriter};
pub use metadata::{Metadata, MetadataError, TensorInfo};
pub use oddity::Oddity;
pub use plan::{PlannedFrame, plan};
pub use rows::RowsError;
#[cfg(feature = "std")]
pub use section::Section;
