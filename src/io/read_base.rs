//! Reading a base beside the data.

use std::io::{self, Read};
use std::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind};

/// Reads the part of a base that goes with `len` bytes of data, behind the `before` that have been
/// read.
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
