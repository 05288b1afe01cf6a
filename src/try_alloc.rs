//! Memory allocation that returns an error if there is not enough memory.

use alloc::vec::Vec;

use bytemuck::allocation::try_zeroed_vec;

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};

/// Reserves capacity for `more` decoded bytes. `requested` is the number that the error names.
pub(crate) fn reserve_decoded(
    memory: &mut Vec<u8>,
    more: usize,
    requested: u64,
) -> Result<(), DecodeErrorKind> {
    memory.try_reserve(more).map_err(|_| DecodeErrorKind::OutOfMemory { requested })
}

/// Allocates zeroed memory.
pub(crate) fn zeroed(len: u64) -> Result<Vec<u8>, DecodeError> {
    usize::try_from(len)
        .ok()
        .and_then(|len| try_zeroed_vec(len).ok())
        .ok_or_else(|| DecodeErrorKind::OutOfMemory { requested: len }.into())
}

/// Returns `len` bytes of memory that is kept from call to call, with unspecified contents.
pub(crate) fn at_least(memory: &mut Vec<u8>, len: u64) -> Result<&mut [u8], DecodeError> {
    if (memory.len() as u64) < len {
        *memory = zeroed(len)?;
    }
    Ok(&mut memory[..len as usize])
}

/// Makes memory at least `len` bytes long by appending zeros, and returns its first `len` bytes.
pub(crate) fn grow(memory: &mut Vec<u8>, len: usize) -> Result<&mut [u8], EncodeError> {
    if memory.len() < len {
        reserve(memory, len - memory.len())?;
        memory.resize(len, 0);
    }
    Ok(&mut memory[..len])
}

/// Reserves capacity for at least `len` more bytes.
pub(crate) fn reserve(memory: &mut Vec<u8>, len: usize) -> Result<(), EncodeError> {
    let requested = len as u64;
    memory.try_reserve(len).map_err(|_| EncodeError::OutOfMemory { requested })
}

/// Reserves capacity for `len` more bytes, and no more than necessary.
pub(crate) fn reserve_exact(memory: &mut Vec<u8>, len: usize) -> Result<(), EncodeError> {
    let requested = len as u64;
    memory.try_reserve_exact(len).map_err(|_| EncodeError::OutOfMemory { requested })
}

/// Memory that is filled from its beginning and reused.
#[derive(Default)]
pub(crate) struct ReadBuf {
    memory: Vec<u8>,
    filled: usize,
    /// Number of bytes after the filled ones that the last call of `space` returned.
    handed_out: usize,
}

impl ReadBuf {
    /// Returns the filled bytes.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    /// Reserves memory for the next bytes, of which `missing` are expected.
    ///
    /// The memory at most doubles or grows by `wanted` bytes, so that a wrong length in the input
    /// cannot cause a large allocation.
    pub(crate) fn reserve(&mut self, missing: u64, wanted: usize) -> Result<(), DecodeErrorKind> {
        if self.filled == self.memory.len() {
            let more = missing.min(self.filled.max(wanted) as u64) as usize;
            let requested = (self.filled + more) as u64;
            self.memory
                .try_reserve_exact(more)
                .map_err(|_| DecodeErrorKind::OutOfMemory { requested })?;
            self.memory.resize(self.filled + more, 0);
        }
        Ok(())
    }

    /// Returns reserved memory for the next bytes, at most `at_most`.
    pub(crate) fn space(&mut self, at_most: u64) -> &mut [u8] {
        let spare = &mut self.memory[self.filled..];
        let len = at_most.min(spare.len() as u64) as usize;
        self.handed_out = len;
        &mut spare[..len]
    }

    /// Adds the first `len` bytes of the space to the filled ones.
    ///
    /// # Panics
    ///
    /// Panics if the space was shorter.
    pub(crate) fn advance(&mut self, len: usize) {
        assert!(len <= self.handed_out, "{len} bytes have been filled of {}", self.handed_out);
        self.handed_out = 0;
        self.filled += len;
    }

    /// Discards the filled bytes.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.handed_out = 0;
    }
}
