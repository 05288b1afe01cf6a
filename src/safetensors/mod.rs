//! The layout of `.safetensors` files: which bytes belong to which tensor, and what type they have.

mod layout;

pub use layout::{Layout, LayoutError, Tensor};
