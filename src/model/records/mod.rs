//! Records: the small structs in which quantised tensors are stored.
//!
//! A block of quantised weights is a struct of a few fields: scales, and the weights in 1 to 8 bits
//! each. Its bytes have little in common, but the same fields of neighbouring blocks do. Splitting
//! divides the fields of all records among *parts*, each of which is coded like a byte plane.
//!
//! Some types store the high bits of weights apart from the low bits. These bits compress only
//! together, so splitting joins them: each weight becomes one byte.
//!
//! The structs are defined in `ggml-common.h` of the project ggml.

mod join;
mod record;

pub(crate) use record::MAX_PARTS;
pub use record::Record;
