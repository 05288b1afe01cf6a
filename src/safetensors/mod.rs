//! The layout of `.safetensors` files: which bytes belong to which tensor, what type they have, and
//! what frames suit them.

mod layout;
mod plan;

pub use layout::{Layout, LayoutError, Tensor};
pub use plan::{Part, plan};
