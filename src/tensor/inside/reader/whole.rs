//! Reads whole tensors.

use std::io::{Read, Seek};
use std::vec::Vec;

use crate::checksum;
use crate::chunk::decode::DecodeScratch;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::frame::annex::Annex;
use crate::frame::whole::Frame;
use crate::limits::Limits;
use crate::oneshot::refuse_delta;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::open_frame::{DecodeChunks, PART_LEN, decode_in_order};
use crate::tensor::inside::reader::TensorReader;
use crate::tensor::inside::stored::StoredTensor;

impl<R: Read + Seek> TensorReader<R> {
    /// Replaces the contents of `decoded` with the decoded bytes of the tensor with index `tensor`.
    ///
    /// Needs memory for the stored tensor, or for some MiB of a large one, and keeps it for further
    /// calls.
    ///
    /// # Errors
    ///
    /// - `Io`,
    /// - `Decode` if the tensor cannot be decoded, exceeds the limits or does not match its
    ///   checksum,
    /// - `NotAFrame` or `Contradiction` if the tensor does not match the list.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn read(&mut self, tensor: usize, decoded: &mut Vec<u8>) -> Result<(), TensorError> {
        if self.is_long(tensor) {
            return self.read_long(tensor, decoded, decode_in_order);
        }
        self.read_with(tensor, decoded, |frame, dst, scratch| {
            frame.decode_into(dst, &mut scratch.with_len(frame.scratch_len())?).map(drop)
        })
    }

    /// Returns whether a tensor is decoded in parts.
    pub(super) fn is_long(&self, tensor: usize) -> bool {
        self.tensors[tensor].is_compressed && self.tensors[tensor].decoded_len > PART_LEN
    }

    /// Reads a tensor in parts.
    pub(super) fn read_long(
        &mut self,
        tensor: usize,
        decoded: &mut Vec<u8>,
        decode: DecodeChunks,
    ) -> Result<(), TensorError> {
        self.open_tensor(tensor)?;
        let needed = self.tensors[tensor].decoded_len;
        resize(decoded, needed).map_err(|error| self.failure(tensor, error.into()))?;
        self.read_part_with(tensor, 0, decoded, decode)
    }

    /// Reads a tensor at once, with `decode` for its frame.
    pub(super) fn read_with(
        &mut self,
        tensor: usize,
        decoded: &mut Vec<u8>,
        decode: impl FnOnce(&Frame<'_>, &mut [u8], &mut DecodeScratch) -> Result<(), DecodeError>,
    ) -> Result<(), TensorError> {
        self.check_doubt(tensor)?;
        self.check_limits(tensor)?;
        if !self.tensors[tensor].is_compressed {
            self.read_stored(tensor, decoded)?;
            return self.check_plain(tensor, |expected| checksum::matches(decoded, expected));
        }
        let mut stored = core::mem::take(&mut self.stored);
        self.read_stored(tensor, &mut stored)?;
        self.stored = stored;
        let tensor = &self.tensors[tensor];
        prepare(&self.stored, tensor, &self.limits, decoded)
            .and_then(|frame| {
                if self.checksums.is_some() {
                    check_slack(&frame)?;
                }
                decode(&frame, decoded, &mut self.buffers.scratch)
            })
            .map_err(|error| TensorError::Decode { name: tensor.name.clone(), error })
    }
}

/// Parses a frame, checks it against its tensor and the limits, and resizes `decoded` for it.
fn prepare<'f>(
    stored: &'f [u8],
    tensor: &StoredTensor,
    limits: &Limits,
    decoded: &mut Vec<u8>,
) -> Result<Frame<'f>, DecodeError> {
    refuse_delta(stored)?;
    let frame = match limits.verify {
        true => Frame::parse(stored)?,
        false => Frame::parse_unverified(stored)?,
    };
    let needed = frame.decoded_len();
    // The file may have changed since it was opened.
    if needed != tensor.decoded_len {
        return Err(DecodeErrorKind::InvalidLength.into());
    }
    limits.check(needed, frame.index().content_len(), 0)?;
    resize(decoded, needed)?;
    Ok(frame)
}

/// Resizes `decoded`, whose contents are to be overwritten.
fn resize(decoded: &mut Vec<u8>, len: u64) -> Result<(), DecodeErrorKind> {
    let out_of_memory = DecodeErrorKind::OutOfMemory { requested: len };
    let len = usize::try_from(len).map_err(|_| out_of_memory)?;
    let more = len.saturating_sub(decoded.len());
    decoded.try_reserve_exact(more).map_err(|_| out_of_memory)?;
    decoded.resize(len, 0);
    Ok(())
}

/// Checks that the slack of a frame is as `TensorWriter` writes it, so that damage cannot hide
/// checksums.
fn check_slack(frame: &Frame<'_>) -> Result<(), DecodeErrorKind> {
    let (slack, annex) = (frame.slack(), frame.annex());
    let is_foreign = !slack.is_empty() && !slack.starts_with(&Annex::MAGIC);
    if is_foreign || (annex.has_checksums() && annex.payload_check().is_none()) {
        return Err(DecodeErrorKind::ChecksumMissing);
    }
    Ok(())
}
