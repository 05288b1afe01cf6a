//! Reads a base in step with the data.

use std::io::{self, Read};
use std::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind};

/// Reads the part of a base for the next `len` bytes of data, after `before` bytes.
pub(crate) fn read_base(
    base: impl Read,
    len: u64,
    before: u64,
    part: &mut Vec<u8>,
) -> io::Result<()> {
    let found = base.take(len).read_to_end(part)? as u64;
    if found < len {
        let found = before + found;
        return Err(DecodeError::from(DecodeErrorKind::BaseTooShort { found }).into());
    }
    Ok(())
}
