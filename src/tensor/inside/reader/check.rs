//! Checks before and after reading a tensor.

use std::io::{Read, Seek};

use crate::checksum::Hasher;
use crate::error::DecodeErrorKind;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::open_frame::FrameError;
use crate::tensor::inside::reader::TensorReader;

impl<R: Read + Seek> TensorReader<R> {
    /// Rejects a tensor that may be damaged, if the limits require verification.
    pub(super) fn check_doubt(&self, tensor: usize) -> Result<(), TensorError> {
        match self.doubts.get(&tensor).filter(|_| self.limits.verify) {
            Some(doubt) => Err(doubt.error(&self.tensors[tensor].name)),
            None => Ok(()),
        }
    }

    /// Checks a tensor against the limits before reading it.
    pub(super) fn check_limits(&self, tensor: usize) -> Result<(), TensorError> {
        let (stored, limits) = (&self.tensors[tensor], &self.limits);
        let stored_len = stored.stored_len();
        let checked = limits.check(stored.decoded_len, stored_len, 0).and_then(|()| {
            if stored.is_compressed { limits.check_memory(stored_len) } else { Ok(()) }
        });
        checked.map_err(|kind| self.failure(tensor, kind.into()))
    }

    /// Reads an uncompressed tensor in parts and verifies it.
    pub(super) fn verify_plain(&mut self, tensor: usize) -> Result<(), TensorError> {
        if self.checksums.is_none() {
            return Ok(());
        }
        let mut hasher = Hasher::default();
        self.read_stored_in_parts(tensor, |part| {
            hasher.update(part);
            Ok(())
        })?;
        self.check_plain(tensor, |expected| hasher.matches(expected))
    }

    /// Verifies an uncompressed tensor: `matches` compares its data with the checksum.
    pub(super) fn check_plain(
        &self,
        tensor: usize,
        matches: impl FnOnce(u64) -> bool,
    ) -> Result<(), TensorError> {
        if self.checksums.is_none() {
            return Ok(());
        }
        let kind = match self.tensor_checksums[tensor] {
            Some(expected) if matches(expected) => return Ok(()),
            Some(_) => DecodeErrorKind::ChecksumMismatch,
            None => DecodeErrorKind::ChecksumMissing,
        };
        Err(self.failure(tensor, kind.into()))
    }

    /// Adds the name of the tensor to an error.
    pub(super) fn failure(&self, tensor: usize, error: FrameError) -> TensorError {
        match error {
            FrameError::Io(error) => error.into(),
            FrameError::Decode(error) => {
                TensorError::Decode { name: self.tensors[tensor].name.clone(), error }
            }
        }
    }
}
