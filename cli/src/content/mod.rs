//! The contents of files: detecting their kind, and reading the tensors in them.

pub mod any_tensors;
pub mod beginning;
pub mod compression;
pub mod data_header;
pub mod inside_view;
pub mod json_strings;
pub mod layout;
pub mod lost;
pub mod npy;
pub mod numbers;
pub mod planes;
pub mod reasons;
pub mod tensor_entry;
pub mod tensor_source;
pub mod tensors;
pub mod types;
