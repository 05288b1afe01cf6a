//! What files hold: kinds of files, and the tensors in them.

pub mod beginning;
pub mod data_header;
pub mod inside_view;
pub mod json_strings;
pub mod kind;
pub mod npy;
pub mod tensor_entry;
pub mod tensor_source;
pub mod tensors;
pub mod types;
