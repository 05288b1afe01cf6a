//! Reads ranges of a file.

use core::ops::Range;
use std::io::{self, Read, Seek, SeekFrom};
use std::vec::Vec;

/// Appends the `len` bytes at offset `at` to `bytes`.
pub(crate) fn read_exact_at(
    source: &mut (impl Read + Seek),
    at: u64,
    len: u64,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    source.seek(SeekFrom::Start(at))?;
    let reserved = usize::try_from(len).ok().filter(|&len| bytes.try_reserve_exact(len).is_ok());
    if reserved.is_none() {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let read = source.take(len).read_to_end(bytes)? as u64;
    if read < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Passes a range of a file to `take` in parts, all but the last of whole eight-byte words.
pub(crate) fn read_in_parts(
    source: &mut (impl Read + Seek),
    mut range: Range<u64>,
    mut take: impl FnMut(&mut [u8]) -> io::Result<()>,
) -> io::Result<()> {
    const PART_LEN: u64 = 1 << 18;
    source.seek(SeekFrom::Start(range.start))?;
    let mut part = Vec::new();
    while !range.is_empty() {
        let len = PART_LEN.min(range.end - range.start);
        part.resize(len as usize, 0);
        source.read_exact(&mut part)?;
        take(&mut part)?;
        range.start += len;
    }
    Ok(())
}
