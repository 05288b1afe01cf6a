//! Reads parts of tensors.

use std::io::{Read, Seek, SeekFrom};

use crate::error::DecodeErrorKind;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::open_frame::{DecodeChunks, FrameError, OpenFrame, decode_in_order};
use crate::tensor::inside::reader::{Opened, TensorReader};

impl<R: Read + Seek> TensorReader<R> {
    /// Fills `dst` with the decoded bytes of a tensor from `offset` on.
    ///
    /// Reads and decodes only the chunks that contain these bytes, in bounded memory. Chunks are
    /// verified before their bytes reach `dst`. An uncompressed tensor has a single checksum, so
    /// that the first call reads all of it to verify it.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::read`], and `Decode` with `OutOfRange` if the tensor ends before `dst`
    /// is full.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn read_part(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
    ) -> Result<(), TensorError> {
        self.read_part_with(tensor, offset, dst, decode_in_order)
    }

    /// Decodes a part of a tensor as [`Self::read_part`] does, but without verification.
    ///
    /// Recovers what remains of a tensor that is damaged or incomplete.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::read_part`] except for wrong checksums.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn read_part_unverified(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
    ) -> Result<(), TensorError> {
        let verify = core::mem::replace(&mut self.limits.verify, false);
        let checksums = self.checksums.take();
        // A tensor that is open with checksums must not be read with them, nor stay open without.
        self.opened = None;
        let read = self.read_part_with(tensor, offset, dst, decode_in_order);
        self.opened = None;
        self.checksums = checksums;
        self.limits.verify = verify;
        read
    }

    /// Verifies the stored bytes of a compressed tensor if the file has a checksum of them.
    ///
    /// They can contain bits that do not affect decoding. Needs bounded memory.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::read`].
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn verify_stored(&mut self, tensor: usize) -> Result<(), TensorError> {
        if !self.tensors[tensor].is_compressed {
            return Ok(());
        }
        self.open_tensor(tensor)?;
        let frame = self.opened.as_ref().and_then(|opened| opened.frame.as_ref());
        let checked = frame.map_or(Ok(()), |frame| frame.check_payload(&mut self.source));
        checked.map_err(|error| self.failure(tensor, error))
    }

    pub(super) fn read_part_with(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
        decode: DecodeChunks,
    ) -> Result<(), TensorError> {
        let end = offset.checked_add(dst.len() as u64);
        if end.is_none_or(|end| end > self.tensors[tensor].decoded_len) {
            return Err(self.failure(tensor, DecodeErrorKind::OutOfRange.into()));
        }
        self.open_tensor(tensor)?;
        let read = match self.opened.as_ref().and_then(|opened| opened.frame.as_ref()) {
            Some(frame) => frame.decode(&mut self.source, offset, dst, &mut self.buffers, decode),
            None => {
                let at = self.tensors[tensor].stored.start + offset;
                let read = self.source.seek(SeekFrom::Start(at));
                read.and_then(|_| self.source.read_exact(dst)).map_err(FrameError::from)
            }
        };
        read.map_err(|error| self.failure(tensor, error))
    }

    /// Prepares a tensor for reading parts of it.
    pub(super) fn open_tensor(&mut self, tensor: usize) -> Result<(), TensorError> {
        if self.opened.as_ref().is_some_and(|opened| opened.tensor == tensor) {
            return Ok(());
        }
        self.opened = None;
        self.check_doubt(tensor)?;
        self.check_limits(tensor)?;
        let stored = &self.tensors[tensor];
        let frame = match stored.is_compressed {
            true => {
                let has_checksums = self.checksums.is_some();
                let frame = OpenFrame::open(&mut self.source, stored, &self.limits, has_checksums);
                Some(frame.map_err(|error| self.failure(tensor, error))?)
            }
            false => {
                self.verify_plain(tensor)?;
                None
            }
        };
        self.opened = Some(Opened { tensor, frame });
        Ok(())
    }
}
