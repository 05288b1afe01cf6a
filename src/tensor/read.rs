//! Finds the tensors of a file of any known format by reading parts of it.

use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::error::MetadataError;
use crate::tensor::metadata::Metadata;
use crate::tensor::onnx::{self, OnnxReader};
use crate::tensor::zip::{self, ZipReader};

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
}

enum State {
    /// The first bytes, and how many are needed.
    Beginning(Vec<u8>, u64),
    Zip(ZipReader),
    Onnx(OnnxReader),
    Parsed(Metadata),
}

impl MetadataReader {
    /// Returns a reader for a file of this length.
    pub fn new(file_len: u64) -> Self {
        /// Number of bytes to read first: more than most headers have.
        const FIRST_READ: u64 = 64 << 10;
        Self { file_len, state: State::Beginning(Vec::new(), FIRST_READ.min(file_len)) }
    }

    /// Returns the range of the file that it needs next, or `None` if it needs no more.
    pub fn wanted(&self) -> Option<Range<u64>> {
        match &self.state {
            State::Beginning(bytes, needed) => Some(bytes.len() as u64..*needed),
            State::Zip(reader) => reader.wanted(),
            State::Onnx(reader) => reader.wanted(),
            State::Parsed(_) => None,
        }
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
        match &mut self.state {
            State::Beginning(beginning, _) => {
                beginning.extend_from_slice(bytes);
                let beginning = core::mem::take(beginning);
                self.state = self.examine(beginning)?;
                Ok(())
            }
            State::Zip(reader) => reader.feed(bytes),
            State::Onnx(reader) => reader.feed(bytes),
            State::Parsed(_) => Ok(()),
        }
    }

    /// Detects the format from the first bytes, or parses the header that they contain.
    fn examine(&self, beginning: Vec<u8>) -> Result<State, MetadataError> {
        if zip::is_zip(&beginning) {
            return Ok(State::Zip(ZipReader::new(self.file_len)));
        }
        if onnx::may_be_onnx(&beginning) {
            return Ok(State::Onnx(OnnxReader::new(self.file_len)));
        }
        match Metadata::parse(&beginning, self.file_len) {
            Ok(metadata) => Ok(State::Parsed(metadata)),
            Err(MetadataError::Truncated { needed, have })
                if needed > have && needed <= self.file_len =>
            {
                Ok(State::Beginning(beginning, needed))
            }
            Err(error) => Err(error),
        }
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
