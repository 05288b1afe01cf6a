//! Headers of GGUF files, in which quantised models are stored.
//!
//! Such a file begins with the magic number `GGUF`, a version, and the numbers of tensors and of
//! metadata. Metadata follow, then the name, shape, type and offset of each tensor, and then the
//! aligned bytes of the tensors. The format is specified in `docs/gguf.md` of the project ggml.

mod parse;
mod reader;
mod types;

pub(crate) use parse::{is_gguf, parse};
