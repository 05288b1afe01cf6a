//! A tensor in the list of a file.

/// Describes a tensor of a file.
pub struct TensorEntry {
    pub name: String,
    /// As the file calls it.
    pub dtype: String,
    pub shape: Vec<u64>,
    /// Its bytes.
    pub len: u64,
    /// Bytes of the file that it takes; where it shares a frame with others, its share.
    pub stored_len: u64,
    /// Whether the file has all of its bytes.
    pub is_complete: bool,
}
