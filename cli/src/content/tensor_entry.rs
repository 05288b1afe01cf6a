//! A tensor in the list of a file.

use crate::base::origin::Origin;

/// Describes a tensor of a file.
pub struct TensorEntry {
    pub name: String,
    /// The type, as the file names it.
    pub dtype: String,
    pub shape: Vec<u64>,
    /// Length in bytes when decoded.
    pub len: u64,
    /// Length in bytes in the compressed file, or the tensor's share of a frame with other tensors.
    pub stored_len: u64,
    /// Whether the file holds all bytes of the tensor.
    pub is_complete: bool,
    /// The tensor to which it is a difference.
    pub origin: Option<Origin>,
}
