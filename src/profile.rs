//! Which readers can read a file.

/// The readers that a file is compatible with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// The original reads the file. Planes are stored raw or with Huffman codes.
    #[default]
    Original,
    /// Only readers of this crate, built with the feature `zstd`, are sure to read the file.
    ///
    /// A plane of a chunk is stored as a Zstandard frame where that is smaller. It is smaller for
    /// data that repeats: differences, sparse data, integers. The original rejects a frame with
    /// such a plane, and reads a frame without one.
    #[cfg(feature = "zstd")]
    Extended,
}
