//! Constants of the format.

/// Longest header in bytes.
pub(crate) const MAX_HEADER_LEN: u64 = 100_000_000;
/// Length of the integer that precedes the header's JSON and states its length, in bytes.
pub(crate) const PREFIX_LEN: u64 = 8;
/// Tensor data begins at a multiple of this many bytes.
pub(crate) const ALIGNMENT: u64 = 8;
/// Key of the header's member that is not a tensor.
pub(crate) const METADATA: &str = "__metadata__";
