//! Reads the fields of a frame in order.

use crate::error::DecodeErrorKind;

/// A reader of consecutive fields, which detects the end of the frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> FieldReader<'a> {
    /// Creates a reader that starts at offset `at`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Reads the next `len` bytes.
    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], DecodeErrorKind> {
        let needed = (self.at as u64).saturating_add(len);
        let end = usize::try_from(needed).unwrap_or(usize::MAX);
        let taken = self
            .bytes
            .get(self.at..end)
            .ok_or(DecodeErrorKind::Truncated { needed, have: self.bytes.len() as u64 })?;
        self.at = end;
        Ok(taken)
    }

    /// Reads all remaining bytes.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    /// Reads the next `N` bytes as an array.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeErrorKind> {
        let bytes = self.take(N as u64)?;
        Ok(core::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default()))
    }

    /// Reads a little-endian 64-bit integer.
    pub(super) fn number(&mut self) -> Result<u64, DecodeErrorKind> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads `count` 64-bit integers and returns their little-endian bytes.
    pub(super) fn numbers(&mut self, count: u64) -> Result<&'a [[u8; 8]], DecodeErrorKind> {
        Ok(self.take(count.saturating_mul(8))?.as_chunks().0)
    }
}
