//! Constants of the format.

/// Longest header that the format allows, in bytes.
pub const MAX_HEADER_LEN: u64 = 100_000_000;
/// Length of the integer at the beginning of a file, which states the length of the header.
pub const PREFIX_LEN: u64 = 8;
/// Tensor data begins at a multiple of this many bytes.
pub(crate) const ALIGNMENT: u64 = 8;
/// Key of the header's member that is not a tensor.
pub(crate) const METADATA: &str = "__metadata__";
