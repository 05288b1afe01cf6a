//! Memory whose size somebody else has chosen, and which may therefore not be there.

use alloc::vec::Vec;

use bytemuck::allocation::try_zeroed_vec;

use crate::error::{DecodeError, DecodeErrorKind};

/// Zeroed memory, or an error if there is none.
pub(crate) fn zeroed(len: u64) -> Result<Vec<u8>, DecodeError> {
    usize::try_from(len)
        .ok()
        .and_then(|len| try_zeroed_vec(len).ok())
        .ok_or_else(|| DecodeErrorKind::OutOfMemory { requested: len }.into())
}
