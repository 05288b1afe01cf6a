//! Files of tensors: which bytes belong to which tensor, what frames suit them, and tensors that
//! are compressed inside such a file.
//!
//! [`Layout`] reads the header of any `.safetensors` file, and [`plan`] cuts the file into what is
//! compressed alike. In a `.znn.safetensors` file some tensors are replaced by frames: `U8`
//! tensors, which the metadata lists. With the feature `std`, [`TensorWriter`] writes such files
//! and [`TensorReader`] reads them, also those of the original, releases 0.5.1 to 0.5.4. Those
//! releases store some tensors with wrong bits and forget some lists: [`examine`] reports such
//! tensors, and [`repair`] writes the file as it should be.

#[cfg(feature = "std")]
mod coder;
#[cfg(feature = "std")]
mod damage;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod frame;
#[cfg(feature = "std")]
mod header;
mod layout;
#[cfg(feature = "std")]
mod list;
mod oddity;
mod plan;
#[cfg(feature = "std")]
mod ranges;
#[cfg(feature = "std")]
mod reader;
#[cfg(feature = "std")]
mod repair;
#[cfg(feature = "std")]
mod restored;
#[cfg(feature = "std")]
mod result_header;
mod rows;
#[cfg(feature = "std")]
mod section;
#[cfg(feature = "std")]
mod stored;
#[cfg(feature = "std")]
mod target;
#[cfg(feature = "std")]
mod usual;
#[cfg(feature = "std")]
mod writer;

#[cfg(feature = "std")]
pub use damage::{Diagnosis, Verdict, diagnose};
#[cfg(feature = "std")]
pub use error::TensorError;
pub use layout::{Layout, LayoutError, Tensor};
pub use oddity::Oddity;
pub use plan::{Part, plan};
#[cfg(feature = "std")]
pub use reader::TensorReader;
#[cfg(feature = "std")]
pub use repair::{Examination, examine, repair};
#[cfg(feature = "std")]
pub use restored::Restored;
pub use rows::RowsError;
#[cfg(feature = "std")]
pub use section::Section;
#[cfg(feature = "std")]
pub use stored::StoredTensor;
#[cfg(feature = "std")]
pub use target::TensorTarget;
#[cfg(feature = "std")]
pub use writer::TensorWriter;
