//! Reads tensors on all threads of the current `rayon` pool.

use std::io::{Read, Seek};
use std::vec::Vec;

use crate::limits::Limits;
use crate::parallel::{ScratchPool, decode_frames};
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::pool::decode_on_pool;
use crate::tensor::inside::reader::TensorReader;

impl<R: Read + Seek> TensorReader<R> {
    /// Reads a tensor as [`Self::read`] does, on all threads of the current `rayon` pool.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::read`].
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn par_read(&mut self, tensor: usize, decoded: &mut Vec<u8>) -> Result<(), TensorError> {
        if self.is_long(tensor) {
            return self.read_long(tensor, decoded, decode_on_pool);
        }
        let verify = self.limits.verify;
        self.read_with(tensor, decoded, |frame, dst, _| {
            // The limits have been checked before.
            let limits = Limits { verify, ..Limits::NONE };
            decode_frames(frame.bytes(), dst, &limits, &ScratchPool::new()).map(drop)
        })
    }

    /// Decodes a part of a tensor on all threads of the current `rayon` pool.
    ///
    /// Works as [`Self::read_part`] does.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::read_part`].
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn par_read_part(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
    ) -> Result<(), TensorError> {
        self.read_part_with(tensor, offset, dst, decode_on_pool)
    }
}
