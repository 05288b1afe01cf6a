//! Reading a frame from front to back.

use crate::error::DecodeErrorKind;

/// A place in the bytes of a frame. Nothing can be taken that is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The place `at` bytes behind the beginning of `bytes`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next `len` bytes.
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

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    /// The next `N` bytes, for a constant number.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeErrorKind> {
        let bytes = self.take(N as u64)?;
        Ok(core::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default()))
    }

    /// The next 64-bit number.
    pub(super) fn number(&mut self) -> Result<u64, DecodeErrorKind> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next `count` 64-bit numbers.
    pub(super) fn numbers(&mut self, count: u64) -> Result<&'a [[u8; 8]], DecodeErrorKind> {
        Ok(self.take(count.saturating_mul(8))?.as_chunks().0)
    }
}
