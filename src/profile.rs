//! Which readers a file is written for.

/// For whom a file is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// For the original, too, which knows no method but raw and Huffman codes.
    #[default]
    Original,
    /// For readers of this crate: a plane of a chunk may be a Zstandard frame, where that is smaller.
    /// It is where much repeats: differences, sparse data, integers. The original refuses a frame
    /// with such a plane; a frame without one it reads.
    #[cfg(feature = "zstd")]
    Extended,
}
