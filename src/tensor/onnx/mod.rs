//! ONNX models: messages of Protocol Buffers, in which tensors lie between other fields.
//!
//! A message is a sequence of fields, each with its number, the form of its value, and the value.
//! Values of one form state their length, so a reader skips what it does not need. The fields are
//! those of `onnx.proto`.

mod fields;
mod reader;
mod tensor;
mod wire;

pub(crate) use reader::{OnnxReader, may_be_onnx};
