//! Reads values of a header from its bytes.

use alloc::format;
use alloc::string::{String, ToString};

use crate::tensor::error::MetadataError;

/// Types of metadata.
mod kind {
    pub(super) const STRING: u32 = 8;
    pub(super) const ARRAY: u32 = 9;
}

/// Position in the bytes of a header.
pub(super) struct Reader<'h> {
    bytes: &'h [u8],
    at: usize,
}

impl<'h> Reader<'h> {
    pub(super) fn new(bytes: &'h [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the number of bytes that were read.
    pub(super) fn position(&self) -> u64 {
        self.at as u64
    }

    /// Returns the number of bytes that were not read.
    pub(super) fn remaining(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    /// Reads `len` bytes.
    pub(super) fn bytes(&mut self, len: u64) -> Result<&'h [u8], MetadataError> {
        let have = self.bytes.len() as u64;
        let end = (self.at as u64).saturating_add(len);
        let truncated = MetadataError::Truncated { needed: end, have };
        let end = usize::try_from(end).map_err(|_| truncated.clone())?;
        let bytes = self.bytes.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, MetadataError> {
        Ok(self.bytes(4)?.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }

    pub(super) fn u64(&mut self) -> Result<u64, MetadataError> {
        Ok(self.bytes(8)?.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    /// Reads a text with its length.
    pub(super) fn string(&mut self) -> Result<String, MetadataError> {
        let len = self.u64()?;
        match core::str::from_utf8(self.bytes(len)?) {
            Ok(text) => Ok(text.to_string()),
            Err(_) => Err(invalid("a name is not UTF-8")),
        }
    }

    /// Reads metadata of a type and returns an unsigned 32-bit integer, if it is one.
    pub(super) fn value(&mut self, kind: u32) -> Result<Option<u32>, MetadataError> {
        /// Type of unsigned integers of 32 bits.
        const U32: u32 = 4;
        match kind {
            U32 => self.u32().map(Some),
            kind::ARRAY => self.skip_array().map(|()| None),
            kind => self.skip(kind, 1).map(|()| None),
        }
    }

    fn skip_array(&mut self) -> Result<(), MetadataError> {
        /// Maximum depth of arrays in arrays. The format allows any depth, but none is in use.
        const MAX_DEPTH: usize = 4;
        let kind = self.u32()?;
        let count = self.u64()?;
        self.skip_elements(kind, count, MAX_DEPTH)
    }

    fn skip_elements(&mut self, kind: u32, count: u64, depth: usize) -> Result<(), MetadataError> {
        if kind != kind::ARRAY {
            return self.skip(kind, count);
        }
        if depth == 0 {
            return Err(invalid("arrays are nested too deeply"));
        }
        for _ in 0..count {
            let kind = self.u32()?;
            let count = self.u64()?;
            self.skip_elements(kind, count, depth - 1)?;
        }
        Ok(())
    }

    /// Skips values of a type other than an array.
    fn skip(&mut self, kind: u32, count: u64) -> Result<(), MetadataError> {
        if kind == kind::STRING {
            for _ in 0..count {
                let len = self.u64()?;
                self.bytes(len)?;
            }
            return Ok(());
        }
        let len = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            _ => return Err(invalid(format!("metadata have the unknown type {kind}"))),
        };
        self.bytes(count.saturating_mul(len)).map(drop)
    }
}

/// Returns the error for a malformed header.
pub(super) fn invalid(reason: impl Into<String>) -> MetadataError {
    MetadataError::InvalidHeader { reason: reason.into() }
}
