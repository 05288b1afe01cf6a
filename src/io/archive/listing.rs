//! The tensors of an archive.

use crate::error::DecodeError;
use crate::tensor::metadata::Metadata;

/// The tensors of an archive, which are read once.
pub(crate) struct Listing {
    pub(crate) metadata: Metadata,
    /// The error for the last tensors, if the data ends before them.
    pub(crate) missing: Option<DecodeError>,
}
