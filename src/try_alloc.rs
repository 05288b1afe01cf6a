//! Memory whose size somebody else has chosen, and which may therefore not be there.

use alloc::vec::Vec;

use bytemuck::allocation::try_zeroed_vec;

use crate::error::{DecodeError, DecodeErrorKind};

/// Reserves memory for `more` bytes, or returns an error with the number that was requested.
pub(crate) fn reserve(
    memory: &mut Vec<u8>,
    more: usize,
    requested: u64,
) -> Result<(), DecodeErrorKind> {
    memory.try_reserve(more).map_err(|_| DecodeErrorKind::OutOfMemory { requested })
}

/// Zeroed memory, or an error if there is none.
pub(crate) fn zeroed(len: u64) -> Result<Vec<u8>, DecodeError> {
    usize::try_from(len)
        .ok()
        .and_then(|len| try_zeroed_vec(len).ok())
        .ok_or_else(|| DecodeErrorKind::OutOfMemory { requested: len }.into())
}

/// So many bytes of memory that is kept for the next time, with whatever has been left there.
pub(crate) fn at_least(memory: &mut Vec<u8>, len: u64) -> Result<&mut [u8], DecodeError> {
    if (memory.len() as u64) < len {
        *memory = zeroed(len)?;
    }
    Ok(&mut memory[..len as usize])
}

/// Memory that is filled from its beginning, and kept for what comes next.
#[derive(Default)]
pub(crate) struct ReadBuf {
    memory: Vec<u8>,
    filled: usize,
    /// Bytes behind them that have been handed out to be filled.
    handed_out: usize,
}

impl ReadBuf {
    /// What has been filled.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    /// Makes sure that there is memory for some of the next bytes, of which so many are missing: it
    /// grows by as many as are wanted now, or as are there already, and not by what is promised.
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

    /// Memory for the next bytes, at most so many, as far as it has been reserved.
    pub(crate) fn space(&mut self, at_most: u64) -> &mut [u8] {
        let spare = &mut self.memory[self.filled..];
        let len = at_most.min(spare.len() as u64) as usize;
        self.handed_out = len;
        &mut spare[..len]
    }

    /// The first bytes of the space have been filled.
    ///
    /// # Panics
    ///
    /// If there was less space.
    pub(crate) fn advance(&mut self, len: usize) {
        assert!(len <= self.handed_out, "{len} bytes have been filled of {}", self.handed_out);
        self.handed_out = 0;
        self.filled += len;
    }

    /// Forgets what has been filled.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.handed_out = 0;
    }
}
