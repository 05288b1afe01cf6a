//! Tensors that are compressed inside a `.safetensors` file.

pub(crate) mod coder;
pub(crate) mod frame;
pub(crate) mod list;
pub(crate) mod reader;
mod repaired_header;
pub(crate) mod restored;
pub(crate) mod result_header;
pub(crate) mod stored;
pub(crate) mod target;
pub(crate) mod usual;
pub(crate) mod writer;

pub use reader::TensorReader;
pub use restored::RestoredHeader;
pub use stored::StoredTensor;
pub use target::TensorTarget;
pub use writer::TensorWriter;
