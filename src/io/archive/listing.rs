//! The tensors of an archive.

use crate::error::DecodeError;
use crate::tensor::safetensors::metadata::Metadata;

/// The tensors of an archive, which are read once.
pub(crate) struct Listing {
    pub(crate) metadata: Metadata,
    /// Why the last of them cannot be read, if the data ends before.
    pub(crate) missing: Option<DecodeError>,
}
