//! Reads any range of a compressed file, from several threads at once.

use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rayon::prelude::*;
use zipnn::file::Directory;
use zipnn::frame::DecodeScratch;
use zipnn::seek::{FramePart, Seeker};
use zipnn::{DecodeError, DecodeErrorKind, Limits};

use crate::error::Result;
use crate::pool::Threads;

/// A source of byte ranges.
pub enum Source {
    File(File),
    /// A callable of Python that takes the start and the end of a range and returns `bytes`.
    Callable(Py<PyAny>),
}

impl Source {
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        match self {
            Self::File(file) => Ok(read_at(file, range)?),
            Self::Callable(read) => Python::attach(|py| {
                let bytes = read.bind(py).call1((range.start, range.end))?;
                Ok(bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes().to_vec())
            }),
        }
    }
}

/// Reads a range of a file. On Unix, the file's position does not change.
pub fn read_at(file: &File, range: Range<u64>) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        let at = range.start + filled as u64;
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, &mut bytes[filled..], at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, &mut bytes[filled..], at)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
    }
    Ok(bytes)
}

/// A compressed file whose frames are known.
pub struct Ranges {
    source: Source,
    base: Option<Source>,
    seeker: Seeker,
    threads: Threads,
    bytes_read: AtomicU64,
}

impl Ranges {
    /// Opens a file of this length and finds its frames.
    pub fn open(source: Source, len: u64, base: Option<Source>, threads: Threads) -> Result<Self> {
        let seeker = Seeker::new(len, Limits::default()).delta(base.is_some());
        let mut ranges = Self { source, base, seeker, threads, bytes_read: AtomicU64::new(0) };
        while let Some(range) = ranges.seeker.wanted() {
            let bytes = ranges.read(range)?;
            ranges.seeker.feed(&bytes)?;
        }
        Ok(ranges)
    }

    /// Returns the decoded length in bytes.
    pub fn decoded_len(&self) -> u64 {
        self.seeker.available_len()
    }

    /// Returns the number of compressed bytes that have been read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Fills `target` with the decoded bytes from `start` on.
    pub fn read_into(&self, start: u64, target: &mut [u8]) -> Result<()> {
        let end = start
            .checked_add(target.len() as u64)
            .ok_or_else(|| DecodeError::from(DecodeErrorKind::OutOfRange))?;
        let mut rest = target;
        let parts: Vec<_> = self
            .seeker
            .covering(start..end)?
            .map(|part| {
                // The parts cover exactly the range, which is as long as the target.
                let memory = std::mem::take(&mut rest);
                let (memory, behind) = memory.split_at_mut(part.decoded_len() as usize);
                rest = behind;
                (part, memory)
            })
            .collect();
        match &self.threads {
            Threads::Pool(workers) if parts.len() > 1 => workers.pool.install(|| {
                parts.into_par_iter().try_for_each_init(DecodeScratch::new, |scratch, part| {
                    self.decode(part.0, part.1, scratch)
                })
            }),
            _ => {
                let mut scratch = DecodeScratch::new();
                parts.into_iter().try_for_each(|part| self.decode(part.0, part.1, &mut scratch))
            }
        }
    }

    /// Decodes the chunks that contain the beginning of a range, and returns their offset in the
    /// data with their bytes.
    pub fn read_chunks(&self, range: Range<u64>) -> Result<(u64, Vec<u8>)> {
        let Some(mut part) = self.seeker.covering(range.clone())?.next() else {
            return Ok((range.start, Vec::new()));
        };
        self.fill(&mut part)?;
        part.widen();
        let mut bytes = vec![0; part.decoded_len() as usize];
        let start = part.decoded_range().start;
        self.decode(part, &mut bytes, &mut DecodeScratch::new())?;
        Ok((start, bytes))
    }

    /// Returns the decoded length of the first frame that holds data.
    pub fn first_frame_len(&self) -> u64 {
        self.seeker.directory().map_or(0, Directory::first_decoded_len)
    }

    /// Reads the ranges of the file that a part needs.
    fn fill(&self, part: &mut FramePart) -> Result<()> {
        while let Some(range) = part.wanted() {
            part.feed(self.read(range)?)?;
        }
        Ok(())
    }

    fn decode(
        &self,
        mut part: FramePart,
        target: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<()> {
        self.fill(&mut part)?;
        match (&self.base, part.base_range()) {
            (Some(base), Some(range)) => {
                Ok(part.decode_delta_into(&base.read(range)?, target, scratch)?)
            }
            _ => Ok(part.decode_into(target, scratch)?),
        }
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let bytes = self.source.read(range)?;
        self.bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
