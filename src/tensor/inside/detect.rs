//! Detects which tensors of a file are frames.

use std::io::{ErrorKind, Read, Seek};
use std::vec::Vec;

use crate::dtype::DType;
use crate::format::HEADER_LEN;
use crate::frame::header::{Form, Header};
use crate::frame::shape::{Shape, checked_len};
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::ranges::read_exact_at;
use crate::tensor::inside::stored::StoredTensor;

/// Longest header and shape of a frame in bytes: the shape has a count and 255 dimensions of nine
/// bytes.
const PREFIX_LEN: u64 = HEADER_LEN as u64 + 1 + 255 * 9;

/// Returns the type and description of a compressed tensor, or `None` if the bytes of `tensor` are
/// not exactly one frame of a tensor.
pub(crate) fn read_frame_prefix(
    source: &mut (impl Read + Seek),
    tensor: &TensorInfo,
) -> Result<Option<(DType, StoredTensor)>, TensorError> {
    if !tensor.is_row_of_bytes() || tensor.len() < HEADER_LEN as u64 {
        return Ok(None);
    }
    let mut prefix = Vec::new();
    // The header alone rules out almost everything that is not a frame.
    read_exact_at(source, tensor.range.start, HEADER_LEN as u64, &mut prefix)?;
    let Ok(header) = Header::parse(&prefix) else { return Ok(None) };
    if header.frame_len != tensor.len() || header.form == Form::Bytes {
        return Ok(None);
    }
    let rest = PREFIX_LEN.min(tensor.len()) - HEADER_LEN as u64;
    read_exact_at(source, tensor.range.start + HEADER_LEN as u64, rest, &mut prefix)?;
    let Ok((Some(shape), _)) = Shape::parse(&prefix, header.form) else { return Ok(None) };
    let shape: Vec<u64> = shape.iter().collect();
    if checked_len(&shape, header.dtype.size() as u64) != Some(header.decoded_len) {
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

/// Returns what [`read_frame_prefix`] returns, or `None` if the file ends before the frame's header
/// and shape.
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

/// Returns whether a tensor that is not a frame looks like a damaged one.
pub(crate) fn is_damaged_frame(
    source: &mut (impl Read + Seek),
    tensor: &TensorInfo,
) -> Result<bool, TensorError> {
    let mut prefix = Vec::new();
    read_exact_at(source, tensor.range.start, tensor.len().min(HEADER_LEN as u64), &mut prefix)?;
    // A frame of another type or shape implies that the file's header is damaged as well.
    let needed = if tensor.is_row_of_bytes() { 1 } else { 2 };
    Ok(Header::marks(&prefix, tensor.len()) >= needed)
}
