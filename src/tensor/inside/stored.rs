//! A tensor as a file stores it, and detecting whether it is compressed.

use core::ops::Range;
use std::io::{ErrorKind, Read, Seek};
use std::string::String;
use std::vec::Vec;

use crate::dtype::DType;
use crate::format::HEADER_LEN;
use crate::frame::header::{Form, Header};
use crate::frame::shape::{Shape, element_count};
use crate::tensor::error::TensorError;
use crate::tensor::metadata::TensorInfo;
use crate::tensor::ranges::read_exact_at;
use crate::tensor::write_header::Entry;

/// Most bytes of a frame's header and shape: 255 dimensions of nine bytes, and their number.
const PREFIX_LEN: u64 = HEADER_LEN as u64 + 1 + 255 * 9;

/// A tensor as it is when decoded, and where it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor {
    /// Its name.
    pub name: String,
    /// The type of its elements, as safetensors files call it: `BF16`, `I64` and so on.
    pub dtype: String,
    /// Its dimensions, outermost first; none for a scalar.
    pub shape: Vec<u64>,
    /// Its bytes when decoded.
    pub decoded_len: u64,
    /// Where in the file it is stored.
    pub stored: Range<u64>,
    /// Whether what is stored there is a frame.
    pub is_compressed: bool,
    /// Whether this is no tensor, but bytes of the file that belong to none.
    pub is_gap: bool,
}

impl StoredTensor {
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

    /// Returns the type of its elements, if this crate has a layout for it.
    pub fn dtype(&self) -> Option<DType> {
        DType::from_safetensors(&self.dtype)
    }

    /// Returns the header's entry for the decoded tensor, which begins at `at` behind the header.
    pub(crate) fn entry(&self, at: u64) -> Entry<'_> {
        Entry {
            name: &self.name,
            dtype: &self.dtype,
            shape: &self.shape,
            data_offsets: [at, at.saturating_add(self.decoded_len)],
        }
    }
}

/// Returns the type and shape of what is compressed in a tensor, if its bytes are the frame of a
/// tensor and nothing else.
pub(crate) fn read_frame_prefix(
    source: &mut (impl Read + Seek),
    tensor: &TensorInfo,
) -> Result<Option<(DType, StoredTensor)>, TensorError> {
    if !tensor.is_row_of_bytes() || tensor.len() < HEADER_LEN as u64 {
        return Ok(None);
    }
    let mut prefix = Vec::new();
    // The header comes first, as it is enough to reject almost all that is no frame.
    read_exact_at(source, tensor.range.start, HEADER_LEN as u64, &mut prefix)?;
    let Ok(header) = Header::parse(&prefix) else { return Ok(None) };
    if header.frame_len != tensor.len() || header.form == Form::Bytes {
        return Ok(None);
    }
    let rest = PREFIX_LEN.min(tensor.len()) - HEADER_LEN as u64;
    read_exact_at(source, tensor.range.start + HEADER_LEN as u64, rest, &mut prefix)?;
    let Ok((Some(shape), _)) = Shape::parse(&prefix, header.form) else { return Ok(None) };
    let shape: Vec<u64> = shape.iter().collect();
    let elements = element_count(shape.iter().copied());
    let len = elements.and_then(|elements| elements.checked_mul(header.dtype.size() as u64));
    if len != Some(header.decoded_len) {
        return Ok(None);
    }
    let stored = StoredTensor {
        dtype: header.dtype.safetensors_name().into(),
        shape,
        decoded_len: header.decoded_len,
        is_compressed: true,
        ..StoredTensor::plain(tensor)
    };
    Ok(Some((header.dtype, stored)))
}

/// Returns what [`read_frame_prefix`] returns for a tensor whose end may be missing; `None` if too
/// little of it is there.
pub(crate) fn read_cut_frame_prefix(
    source: &mut (impl Read + Seek),
    tensor: &TensorInfo,
) -> Result<Option<StoredTensor>, TensorError> {
    match read_frame_prefix(source, tensor) {
        Ok(frame) => Ok(frame.map(|(_, stored)| stored)),
        Err(TensorError::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether a tensor that is no frame looks like the remains of one.
pub(crate) fn is_damaged_frame(
    source: &mut (impl Read + Seek),
    tensor: &TensorInfo,
) -> Result<bool, TensorError> {
    let mut prefix = Vec::new();
    read_exact_at(source, tensor.range.start, tensor.len().min(HEADER_LEN as u64), &mut prefix)?;
    // Of a tensor that can be no frame, the entry in the file's header has to be damaged as well.
    let needed = if tensor.is_row_of_bytes() { 1 } else { 2 };
    Ok(Header::marks(&prefix, tensor.len()) >= needed)
}
