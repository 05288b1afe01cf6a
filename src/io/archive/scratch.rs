//! Scratch memory for the reads of an archive.

use core::ops::Range;
use std::io::ErrorKind;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

use crate::chunk::decode::DecodeScratch;
use crate::error::DecodeErrorKind;
use crate::file::seek::FramePart;
use crate::io::archive::error::ArchiveError;
use crate::io::read_at::ReadAt;
use crate::try_alloc::at_least;

/// The bytes of a range of a source.
pub(crate) enum Bytes<'s> {
    /// Borrowed from a source in memory.
    Borrowed(&'s [u8]),
    /// Read into memory of a [`Scratch`], of which this many bytes are used.
    Read(Vec<u8>, usize),
}

impl AsRef<[u8]> for Bytes<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Read(memory, len) => &memory[..*len],
        }
    }
}

/// The memory of one read.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) decode: DecodeScratch,
    /// Memory for ranges of the file.
    free: Vec<Vec<u8>>,
    /// Memory for a range of the base.
    base: Vec<u8>,
}

/// Keeps scratch memory for as many reads as have run at the same time.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Scratch>>);

impl Pool {
    /// Calls `read` with scratch memory that no other thread uses.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&mut Scratch) -> T) -> T {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = free().pop().unwrap_or_default();
        let result = read(&mut scratch);
        free().push(scratch);
        result
    }
}

impl Scratch {
    /// Returns the bytes of a range of a source.
    pub(crate) fn read<'s>(
        &mut self,
        source: &'s (impl ReadAt + ?Sized),
        range: Range<u64>,
    ) -> Result<Bytes<'s>, ArchiveError> {
        if let Some(slice) = source.slice(range.clone()) {
            return Ok(Bytes::Borrowed(slice));
        }
        let mut memory = self.take_memory(range.end - range.start);
        let len = read_at(source, range, &mut memory)?.len();
        Ok(Bytes::Read(memory, len))
    }

    /// Takes the smallest free memory that has `len` bytes, or any other that is free.
    fn take_memory(&mut self, len: u64) -> Vec<u8> {
        let is_short = |memory: &Vec<u8>| (memory.len() as u64) < len;
        let free = self.free.iter().enumerate();
        let best = free.min_by_key(|(_, memory)| (is_short(memory), memory.len()));
        best.map(|(at, _)| at).map(|at| self.free.swap_remove(at)).unwrap_or_default()
    }

    /// Reads all ranges that a part needs.
    pub(crate) fn fill<'s>(
        &mut self,
        source: &'s (impl ReadAt + ?Sized),
        part: &mut FramePart<Bytes<'s>>,
    ) -> Result<(), ArchiveError> {
        while let Some(range) = part.wanted() {
            part.feed(self.read(source, range)?)?;
        }
        Ok(())
    }

    /// Takes back memory that was read into.
    pub(crate) fn recycle<'s>(&mut self, bytes: impl IntoIterator<Item = Bytes<'s>>) {
        self.free.extend(bytes.into_iter().filter_map(|bytes| match bytes {
            Bytes::Read(memory, _) => Some(memory),
            Bytes::Borrowed(_) => None,
        }));
    }

    /// Returns the range of the base that a part needs, and the memory to decode the part with.
    pub(crate) fn base<'a>(
        &'a mut self,
        base: Option<&'a (impl ReadAt + ?Sized)>,
        part: &FramePart<Bytes<'_>>,
    ) -> Result<(Option<&'a [u8]>, &'a mut DecodeScratch), ArchiveError> {
        let (Some(base), Some(range)) = (base, part.base_range()) else {
            return Ok((None, &mut self.decode));
        };
        let bytes = match base.slice(range.clone()) {
            Some(slice) => slice,
            None => read_at(base, range, &mut self.base)?,
        };
        Ok((Some(bytes), &mut self.decode))
    }
}

/// Reads a range of a source into `memory`, which grows if it is too short.
fn read_at<'m>(
    source: &(impl ReadAt + ?Sized),
    range: Range<u64>,
    memory: &'m mut Vec<u8>,
) -> Result<&'m [u8], ArchiveError> {
    let needed = range.end - range.start;
    let bytes = at_least(memory, needed)?;
    match source.read_exact_at(bytes, range.start) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            // The source was longer when the file was opened.
            let have = source.size()?.clamp(range.start, range.end) - range.start;
            Err(DecodeErrorKind::Truncated { needed, have }.into())
        }
        Err(error) => Err(error.into()),
    }
}
