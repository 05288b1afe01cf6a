//! Reading ranges of the source and the base of an archive.

use std::io::{Read, Seek, SeekFrom};
use std::vec::Vec;

use crate::file::seek::part::FramePart;
use crate::io::archive::error::ArchiveError;

/// Reads a range of the source into `bytes`; less, where it has become shorter.
pub(crate) fn read_range(
    source: &mut (impl Read + Seek),
    offset: u64,
    len: u64,
    bytes: &mut Vec<u8>,
) -> std::io::Result<()> {
    source.seek(SeekFrom::Start(offset))?;
    bytes.clear();
    source.take(len).read_to_end(bytes)?;
    Ok(())
}

/// Reads the part of the base that goes with a part of a frame, if there is a base.
pub(crate) fn read_base_range<'b>(
    base: Option<&mut (impl Read + Seek)>,
    part: &FramePart,
    bytes: &'b mut Vec<u8>,
) -> Result<Option<&'b [u8]>, ArchiveError> {
    let (Some(base), Some(range)) = (base, part.base_range()) else { return Ok(None) };
    read_range(base, range.start, range.end - range.start, bytes)?;
    Ok(Some(bytes))
}
