//! Detects the format of a file by its first bytes, and parses its header.

use crate::tensor::error::MetadataError;
use crate::tensor::metadata::Metadata;
use crate::tensor::{gguf, numpy, safetensors};

/// Name of the array in a `.npy` file, which has no name there.
const ARRAY: &str = "array";

impl Metadata {
    /// Parses the header of a file of `file_len` bytes that begins with `bytes`.
    ///
    /// If this returns [`MetadataError::Truncated`], read as many bytes as the error states and
    /// call again. For a `.safetensors` file, that happens at most twice, and the error states at
    /// most [`PREFIX_LEN`] + [`MAX_HEADER_LEN`] bytes. A GGUF file does not state the length of its
    /// header, so the error states twice the available length, up to 256 MiB. The array of a `.npy`
    /// file is called `array`.
    ///
    /// It does not find the tensors of formats that have no header at the beginning; see
    /// [`MetadataReader`](crate::tensor::MetadataReader).
    ///
    /// [`PREFIX_LEN`]: crate::tensor::safetensors::PREFIX_LEN
    /// [`MAX_HEADER_LEN`]: crate::tensor::safetensors::MAX_HEADER_LEN
    ///
    /// # Errors
    ///
    /// All variants of [`MetadataError`] except `SharedBytes`.
    pub fn parse(bytes: &[u8], file_len: u64) -> Result<Self, MetadataError> {
        if gguf::is_gguf(bytes) {
            return gguf::parse(bytes, file_len);
        }
        if numpy::is_npy(bytes) {
            let array = numpy::parse(bytes, ARRAY, file_len)?;
            return Ok(Self::new(array.range.start, file_len, [array].into()));
        }
        safetensors::parse(bytes, file_len)
    }

    /// Parses the header of a file of unknown length, such as one that comes from a pipe.
    ///
    /// Works like [`Self::parse`] and takes the end of the last tensor as the end of the file.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::parse`].
    pub fn parse_header(bytes: &[u8]) -> Result<Self, MetadataError> {
        let metadata = Self::parse(bytes, u64::MAX)?;
        let ends = metadata.tensors.iter().map(|tensor| tensor.range.end);
        let file_len = ends.fold(metadata.data_start, u64::max);
        Ok(Self { file_len, ..metadata })
    }
}
