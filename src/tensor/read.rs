//! Finds the tensors of a file of any known format by reading parts of it.

use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::error::MetadataError;
use crate::tensor::metadata::Metadata;
use crate::tensor::onnx::{self, OnnxReader};
use crate::tensor::zip::{self, ZipReader};

/// Fewest and most bytes to read first: enough to detect a format, and more than most headers have.
const MIN_FIRST_READ: u64 = 64;
const MAX_FIRST_READ: u64 = 64 << 10;

/// Finds the tensors of a file by reading parts of it.
///
/// It does not read itself: [`Self::wanted`] returns the range of the file that it needs next, and
/// [`Self::feed`] accepts the bytes. [`Metadata::read`] does both with a function.
///
/// ```
/// use zipnn::tensor::{Metadata, MetadataReader};
///
/// let header = br#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
/// let file = [&(header.len() as u64).to_le_bytes()[..], header, &[1, 2]].concat();
///
/// let mut reader = MetadataReader::new(file.len() as u64);
/// while let Some(range) = reader.wanted() {
///     reader.feed(&file[range.start as usize..range.end as usize])?;
/// }
/// assert_eq!(reader.finish()?, Metadata::parse(&file, file.len() as u64)?);
/// # Ok::<(), zipnn::tensor::MetadataError>(())
/// ```
pub struct MetadataReader {
    file_len: u64,
    state: State,
    /// The first bytes of the range that is needed next, or bytes that were used last and may be
    /// needed again.
    held: Vec<u8>,
    /// Offset of these.
    held_start: u64,
}

enum State {
    /// The first bytes, and how many are needed.
    Beginning(Vec<u8>, u64),
    Zip(ZipReader),
    Onnx(OnnxReader),
    Parsed(Metadata),
}

impl State {
    /// Returns the range of the file that it needs next, or `None` if it needs no more.
    fn wanted(&self) -> Option<Range<u64>> {
        match self {
            Self::Beginning(bytes, needed) => Some(bytes.len() as u64..*needed),
            Self::Zip(reader) => reader.wanted(),
            Self::Onnx(reader) => reader.wanted(),
            Self::Parsed(_) => None,
        }
    }

    /// Accepts the bytes of the wanted range.
    fn feed(&mut self, bytes: &[u8], file_len: u64) -> Result<(), MetadataError> {
        match self {
            Self::Beginning(beginning, _) => {
                beginning.extend_from_slice(bytes);
                *self = Self::examine(core::mem::take(beginning), file_len)?;
                Ok(())
            }
            Self::Zip(reader) => reader.feed(bytes),
            Self::Onnx(reader) => reader.feed(bytes),
            Self::Parsed(_) => Ok(()),
        }
    }

    /// Detects the format from the first bytes, or parses the header that they contain.
    fn examine(beginning: Vec<u8>, file_len: u64) -> Result<Self, MetadataError> {
        if zip::is_zip(&beginning) {
            return Ok(Self::Zip(ZipReader::new(file_len)));
        }
        if onnx::may_be_onnx(&beginning) {
            return Ok(Self::Onnx(OnnxReader::new(file_len)));
        }
        match Metadata::parse(&beginning, file_len) {
            Ok(metadata) => Ok(Self::Parsed(metadata)),
            Err(MetadataError::Truncated { needed, have })
                if needed > have && needed <= file_len =>
            {
                Ok(Self::Beginning(beginning, needed))
            }
            Err(error) => Err(error),
        }
    }
}

impl MetadataReader {
    /// Returns a reader for a file of this length.
    pub fn new(file_len: u64) -> Self {
        let state = State::Beginning(Vec::new(), MAX_FIRST_READ.min(file_len));
        Self { file_len, state, held: Vec::new(), held_start: 0 }
    }

    /// Sets how many bytes to read first. The default is 64 KiB, which is also the maximum.
    ///
    /// In a compressed file, the first frame often holds exactly the header.
    #[must_use]
    pub fn first_read(mut self, len: u64) -> Self {
        if let State::Beginning(bytes, needed) = &mut self.state
            && bytes.is_empty()
        {
            *needed = len.clamp(MIN_FIRST_READ, MAX_FIRST_READ).min(self.file_len);
        }
        self
    }

    /// Returns the range of the file that it needs next, or `None` if it needs no more.
    pub fn wanted(&self) -> Option<Range<u64>> {
        let wanted = self.state.wanted()?;
        let start = match self.held_end() {
            end if (self.held_start..end).contains(&wanted.start) => end.min(wanted.end),
            _ => wanted.start,
        };
        Some(start..wanted.end)
    }

    /// Accepts the bytes of the wanted range.
    ///
    /// # Errors
    ///
    /// The errors of [`Metadata::parse`] except `Truncated`, which is returned if `bytes` are fewer
    /// than wanted.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), MetadataError> {
        let wanted = self.wanted().unwrap_or(0..0);
        let have = bytes.len() as u64;
        if have != wanted.end - wanted.start {
            return Err(MetadataError::Truncated { needed: wanted.end, have: wanted.start + have });
        }
        self.feed_at(wanted.start, bytes)
    }

    /// Accepts bytes of the file from `start` on, which contain the first of the wanted bytes.
    ///
    /// It takes all that it needs from them, also for ranges that it wants later. A reader of
    /// compressed data passes whole chunks, so that it decodes no chunk for each range in it.
    ///
    /// # Errors
    ///
    /// The errors of [`Metadata::parse`] except `Truncated`, which is returned if `bytes` do not
    /// contain the first wanted byte.
    pub fn feed_at(&mut self, start: u64, bytes: &[u8]) -> Result<(), MetadataError> {
        let mut is_used = false;
        while let Some(wanted) = self.state.wanted() {
            if let Some(whole) = slice(bytes, start, &wanted) {
                self.held.clear();
                self.state.feed(whole, self.file_len)?;
                is_used = true;
                continue;
            }
            is_used |= self.hold(&wanted, start, bytes);
            match self.held.get(..(wanted.end - wanted.start) as usize) {
                Some(held) => self.state.feed(held, self.file_len)?,
                None if is_used => return Ok(()),
                None => {
                    let have = self.held_end();
                    return Err(MetadataError::Truncated { needed: wanted.end, have });
                }
            }
        }
        Ok(())
    }

    /// Holds the bytes of a range, as far as they are held already or follow in `bytes`. Returns
    /// whether any of `bytes` are used.
    fn hold(&mut self, range: &Range<u64>, start: u64, bytes: &[u8]) -> bool {
        if (self.held_start..self.held_end()).contains(&range.start) {
            self.held.drain(..(range.start - self.held_start) as usize);
        } else {
            self.held.clear();
        }
        self.held_start = range.start;
        let missing = self.held_end()..range.end;
        let from = missing.start.checked_sub(start).unwrap_or(u64::MAX);
        let more =
            usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
        let len = missing.end.saturating_sub(missing.start).min(more.len() as u64) as usize;
        self.held.extend_from_slice(&more[..len]);
        len > 0
    }

    /// Returns the offset after the bytes that are held.
    fn held_end(&self) -> u64 {
        self.held_start + self.held.len() as u64
    }

    /// Returns the tensors, after [`Self::wanted`] has returned `None`.
    ///
    /// # Errors
    ///
    /// `NoTensors` if the file is of a known format, and no tensor in it can be located; `Truncated`
    /// if more of the file is needed.
    pub fn finish(self) -> Result<Metadata, MetadataError> {
        if let Some(wanted) = self.wanted() {
            return Err(MetadataError::Truncated { needed: wanted.end, have: wanted.start });
        }
        match self.state {
            State::Zip(reader) => reader.finish(),
            State::Onnx(reader) => reader.finish(),
            State::Parsed(metadata) => Ok(metadata),
            State::Beginning(..) => Err(MetadataError::NoTensors),
        }
    }

    /// Returns the tensors that an ONNX model stores in another file of `len` bytes, which the model
    /// calls `location`.
    ///
    /// # Errors
    ///
    /// `NoTensors` if the model stores none there, and for other formats; `MissingData` if the file
    /// is too short for them.
    pub fn external(&self, location: &str, len: u64) -> Result<Metadata, MetadataError> {
        match &self.state {
            State::Onnx(reader) => reader.external(location, len),
            _ => Err(MetadataError::NoTensors),
        }
    }
}

/// Returns a range of a file from bytes of it that begin at `start`, if they contain it.
fn slice<'b>(bytes: &'b [u8], start: u64, range: &Range<u64>) -> Option<&'b [u8]> {
    let offset = |at: u64| usize::try_from(at.checked_sub(start)?).ok();
    bytes.get(offset(range.start)?..offset(range.end)?)
}

impl Metadata {
    /// Finds the tensors of a file of `file_len` bytes. `read` appends a range of the file to a
    /// vector.
    ///
    /// # Errors
    ///
    /// The errors of `read`, of [`MetadataReader::feed`] and [`MetadataReader::finish`].
    pub fn read<E: From<MetadataError>>(
        file_len: u64,
        read: impl FnMut(Range<u64>, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut reader = MetadataReader::new(file_len);
        reader.feed_all(read)?;
        Ok(reader.finish()?)
    }
}

impl MetadataReader {
    /// Reads all that is wanted with `read`, which appends a range of the file to a vector.
    ///
    /// # Errors
    ///
    /// The errors of `read` and of [`Self::feed`].
    pub fn feed_all<E: From<MetadataError>>(
        &mut self,
        mut read: impl FnMut(Range<u64>, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut bytes = Vec::new();
        while let Some(range) = self.wanted() {
            bytes.clear();
            read(range, &mut bytes)?;
            self.feed(&bytes)?;
        }
        Ok(())
    }
}
