//! Reads tensors as stored, without decoding them.

use core::ops::Range;
use std::io::{self, Read, Seek};
use std::vec::Vec;

use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::ranges::{read_exact_at, read_in_parts};
use crate::tensor::inside::reader::TensorReader;
use crate::tensor::inside::section::Section;

impl<R: Read + Seek> TensorReader<R> {
    /// Replaces the contents of `bytes` with the stored bytes of the tensor with index `tensor`.
    ///
    /// # Errors
    ///
    /// `Io`.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn read_stored(&mut self, tensor: usize, bytes: &mut Vec<u8>) -> Result<(), TensorError> {
        let range = self.tensors[tensor].stored.clone();
        bytes.clear();
        Ok(read_exact_at(&mut self.source, range.start, range.end - range.start, bytes)?)
    }

    /// Returns a reader of the stored bytes of the tensor with index `tensor`.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn stored(&mut self, tensor: usize) -> Section<'_, R> {
        let range = self.tensors[tensor].stored.clone();
        Section::new(&mut self.source, range)
    }

    /// Passes the stored bytes of a tensor to `take` in parts, all but the last of whole eight-byte
    /// words.
    pub(crate) fn read_stored_in_parts(
        &mut self,
        tensor: usize,
        take: impl FnMut(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.read_range_in_parts(self.tensors[tensor].stored.clone(), take)
    }

    /// Passes a range of the file to `take` in parts, all but the last of whole eight-byte words.
    pub(crate) fn read_range_in_parts(
        &mut self,
        range: Range<u64>,
        take: impl FnMut(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        read_in_parts(&mut self.source, range, take)
    }
}
