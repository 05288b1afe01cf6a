//! Reads a range of a file as a separate file.

use core::ops::Range;
use std::io::{self, Read, Seek, SeekFrom};

/// Reads a range of a file, such as the bytes of a tensor.
#[derive(Debug)]
pub struct Section<'s, R> {
    source: &'s mut R,
    start: u64,
    len: u64,
    at: u64,
}

impl<'s, R> Section<'s, R> {
    /// Returns a reader of this range of `source`.
    pub fn new(source: &'s mut R, range: Range<u64>) -> Self {
        let len = range.end.saturating_sub(range.start);
        Self { source, start: range.start, len, at: 0 }
    }
}

impl<R: Read + Seek> Read for Section<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = self.len.saturating_sub(self.at).min(bytes.len() as u64) as usize;
        if len == 0 {
            return Ok(0);
        }
        self.source.seek(SeekFrom::Start(self.start + self.at))?;
        let read = self.source.read(&mut bytes[..len])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<R> Seek for Section<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(distance) => self.len.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.at.checked_add_signed(distance),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
