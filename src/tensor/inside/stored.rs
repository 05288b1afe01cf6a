//! A tensor as a file stores it and as it decodes.

use core::ops::Range;
use std::string::String;
use std::vec::Vec;

use crate::dtype::DType;
use crate::tensor::info::TensorInfo;
use crate::tensor::safetensors::write::Entry;

/// Describes a tensor as it decodes, and where its file stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredTensor {
    /// Name of the tensor.
    pub name: String,
    /// Type of the elements as safetensors files name it: `BF16`, `I64` and so on.
    pub dtype: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<u64>,
    /// Length of the decoded tensor in bytes.
    pub decoded_len: u64,
    /// Bytes of the file that hold the tensor.
    pub stored: Range<u64>,
    /// Whether the stored bytes are a frame.
    pub is_compressed: bool,
    /// Whether these are bytes of the file that belong to no tensor.
    pub is_gap: bool,
}

impl StoredTensor {
    /// Describes an uncompressed tensor.
    pub(crate) fn plain(tensor: &TensorInfo) -> Self {
        Self {
            name: tensor.name.clone(),
            dtype: tensor.dtype.clone(),
            shape: tensor.shape.clone(),
            decoded_len: tensor.len(),
            stored: tensor.range.clone(),
            is_compressed: false,
            is_gap: false,
        }
    }

    /// Describes an uncompressed tensor, or a gap as one.
    pub(crate) fn plain_or_gap(tensor: &TensorInfo, is_gap: bool) -> Self {
        Self { is_gap, ..Self::plain(tensor) }
    }

    /// Returns the element type, or `None` if [`DType`] has no such type.
    pub fn dtype(&self) -> Option<DType> {
        DType::from_safetensors(&self.dtype)
    }

    /// Returns the number of bytes that the tensor occupies in the file.
    pub fn stored_len(&self) -> u64 {
        self.stored.end - self.stored.start
    }

    /// Returns the header's entry for the decoded tensor at offset `at` of the data.
    pub(crate) fn entry(&self, at: u64) -> Entry<'_> {
        Entry {
            name: &self.name,
            dtype: &self.dtype,
            shape: &self.shape,
            data_offsets: [at, at.saturating_add(self.decoded_len)],
        }
    }
}
