//! Tensors compressed inside a `.safetensors` file.
//!
//! In a `.znn.safetensors` file, a compressed tensor is a one-dimensional `U8` tensor whose bytes
//! are a frame, and a list in the metadata states its type and shape. [`TensorWriter`] writes such
//! files and [`TensorReader`] reads them, including files of releases 0.5.1 to 0.5.4 of the
//! original. `docs/SAFETENSORS.md` is a guide to these files, and `docs/FORMAT.md` specifies them.
//!
//! Those releases omit the list in some files: [`TensorReader::repaired_header`] adds it. They also
//! store some tensors with rotated bits, which the program's `zipnn repair` detects and repairs.

pub(crate) mod checksums;
pub(crate) mod coder;
pub(crate) mod costs;
pub(crate) mod detect;
pub(crate) mod doubt;
pub(crate) mod error;
pub(crate) mod header_form;
pub(crate) mod json;
pub(crate) mod list;
pub(crate) mod list_state;
pub(crate) mod open_frame;
#[cfg(feature = "rayon")]
pub(crate) mod pool;
pub(crate) mod ranges;
pub(crate) mod reader;
pub(crate) mod repaired_header;
pub(crate) mod restored_header;
pub(crate) mod result_header;
pub(crate) mod section;
pub(crate) mod stored;
pub(crate) mod target;
pub(crate) mod writer;

pub use error::TensorError;
pub use reader::TensorReader;
pub use restored_header::RestoredHeader;
pub use section::Section;
pub use stored::StoredTensor;
pub use target::TensorTarget;
pub use writer::TensorWriter;
