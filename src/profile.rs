//! Profiles: the readers that a file is compatible with.

/// The readers that a file is compatible with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// The original reads the file. Planes are stored raw or with Huffman codes.
    #[default]
    Original,
    /// Readers of this crate read the file if they are built with the feature `zstd`.
    ///
    /// A plane of a chunk is stored as a Zstandard frame where that is smaller, as is common for
    /// data that repeats: differences, sparse data and integers. The original rejects a frame with
    /// such a plane, but reads a frame without one.
    #[cfg(feature = "zstd")]
    Extended,
}
