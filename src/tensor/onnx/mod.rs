//! ONNX models: messages of Protocol Buffers, in which tensors lie between other fields.
//!
//! A message is a sequence of fields, each with its number, the form of its value, and the value.
//! Values of one form state their length, so a reader skips what it does not need. The file
//! `onnx.proto` of ONNX defines the fields.

mod fields;
mod reader;
mod tensor;
mod wire;

pub(crate) use reader::{OnnxReader, may_be_onnx};
