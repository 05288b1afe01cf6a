//! A frame that is completely in memory.

use core::fmt;

use crate::base::Delta;
use crate::chunk::decode::{Chunk, Scratch};
use crate::dtype::DType;
use crate::entropy::huffman::table::choice::Table;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::frame::annex::Annex;
#[cfg(feature = "alloc")]
use crate::frame::index::CheckedIndex;
use crate::frame::index::FrameIndex;
use crate::frame::open::{OpenOptions, Prefix};
use crate::limits::Limits;
use crate::plane::MAX_PLANES;

/// A frame that is completely in memory.
///
/// [`Self::parse`] checks all lengths and offsets, so none of them is out of range afterwards.
///
/// ```
/// use zipnn::{DType, Options};
/// use zipnn::frame::{DecodeScratch, Frame};
///
/// let weights = [1.0_f32; 1000];
/// let data: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
/// let file = zipnn::compress(&data, &Options::new(DType::F32))?;
///
/// let frame = Frame::parse(&file)?;
/// let mut decoded = vec![0; frame.decoded_len() as usize];
/// let mut scratch = DecodeScratch::new();
/// frame.decode_into(&mut decoded, &mut scratch.with_len(frame.scratch_len())?)?;
/// assert_eq!(decoded, data);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    index: FrameIndex<'a>,
    annex: Annex<'a>,
    bytes: &'a [u8],
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<'a> Frame<'a> {
    /// Parses the frame at the beginning of `bytes`. Other bytes may follow it.
    ///
    /// # Errors
    ///
    /// The errors of [`FrameIndex::parse`] and [`Annex::parse`]; `ChecksumMismatch`; `Truncated` if
    /// the frame is longer than `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::open(bytes, &OpenOptions::new(Limits::NONE))
    }

    /// Parses the frame at the beginning of `bytes` without its annex, so nothing is verified.
    pub(crate) fn parse_unverified(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::open(bytes, &OpenOptions::new(Limits { verify: false, ..Limits::NONE }))
    }

    /// Parses the frame at the beginning of `bytes`, which must meet `options`.
    pub(crate) fn open(bytes: &'a [u8], options: &OpenOptions) -> Result<Self, DecodeError> {
        let index = match options.prefix(bytes)? {
            Prefix::Read(index) => index,
            Prefix::Needs(needed) => return Err(options.truncated(bytes, needed)),
        };
        let needed = index.header().frame_len;
        let bytes = usize::try_from(needed)
            .ok()
            .and_then(|len| bytes.get(..len))
            .ok_or_else(|| options.truncated(bytes, needed))?;
        Self { index, annex: Annex::default(), bytes }.open_annex(options)
    }

    /// Returns the frame with its annex, if `options` require reading it.
    pub(crate) fn open_annex(self, options: &OpenOptions) -> Result<Self, DecodeError> {
        let prefix = &self.bytes[..self.index.prefix_len() as usize];
        let annex = options.annex(prefix, self.chunk_count(), self.slack())?;
        Ok(Self { annex, ..self })
    }

    /// Returns the frame in `bytes`, whose index has been checked before, without its annex.
    #[cfg(feature = "alloc")]
    pub(crate) fn from_checked(index: CheckedIndex, bytes: &'a [u8]) -> Self {
        Self { index: index.with_bytes(bytes), annex: Annex::default(), bytes }
    }

    /// Returns the frame with its annex, which has been checked before.
    pub(crate) fn with_checked_annex(self, annex: Annex<'a>) -> Self {
        Self { annex, ..self }
    }

    /// Returns the frame without its annex, as the original reads it, so nothing is verified.
    #[must_use]
    pub fn without_annex(self) -> Self {
        Self { annex: Annex::default(), ..self }
    }

    /// Returns the annex: the records after the content.
    pub fn annex(&self) -> &Annex<'a> {
        &self.annex
    }

    /// Returns the payload: the coded planes.
    pub fn payload(&self) -> &'a [u8] {
        let range = self.index.prefix_len()..self.index.content_len();
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// Returns the chunk with this number, including its checksum; `None` if there is none.
    ///
    /// In a difference, the chunk has no checksum, because the checksum is of the data and the
    /// frame decodes to the difference.
    pub fn chunk(&self, number: usize) -> Option<Chunk> {
        let chunk = self.index.chunk(number)?;
        let is_data = self.index.header().delta == Delta::None;
        Some(chunk.with_checksum(self.annex.checksum(number).filter(|_| is_data)))
    }

    /// Returns header, shape and index.
    pub fn index(&self) -> &FrameIndex<'a> {
        &self.index
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> DType {
        self.index.header().dtype
    }

    /// Returns the decoded length in bytes.
    pub fn decoded_len(&self) -> u64 {
        self.index.header().decoded_len
    }

    /// Returns the number of chunks.
    pub fn chunk_count(&self) -> usize {
        self.index.chunk_count()
    }

    /// Returns the bytes of the whole frame.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the slack: the bytes of the frame after its content.
    pub fn slack(&self) -> &'a [u8] {
        &self.bytes[self.index.content_len() as usize..]
    }

    /// Returns the space for planes that decoding needs, in bytes.
    pub fn scratch_len(&self) -> u64 {
        self.index.scratch_len()
    }

    /// Decodes the chunk with this number into `dst`, which must have exactly its decoded length.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there is no such chunk, and the errors of [`Chunk::decode`].
    pub fn decode_chunk(
        &self,
        number: usize,
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        let chunk = self.chunk(number).ok_or(DecodeErrorKind::OutOfRange)?;
        chunk
            .decode(&stored(&chunk, self.bytes), dst, scratch)
            .map_err(|error| error.in_chunk(number as u64))
    }

    /// Decodes the frame into the beginning of `dst` and returns the decoded length in bytes.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall`, and the errors of [`Chunk::decode`], which name the chunk. After an error,
    /// the contents of `dst` are unspecified.
    pub fn decode_into(
        &self,
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<usize, DecodeError> {
        let needed = self.decoded_len();
        let have = dst.len() as u64;
        if have < needed {
            return Err(DecodeErrorKind::OutputTooSmall { needed, have }.into());
        }
        let mut rest = &mut dst[..needed as usize];
        for number in 0..self.chunk_count() {
            let len = self.index.header().chunk_len().min(rest.len() as u64) as usize;
            let (part, behind) = rest.split_at_mut(len);
            self.decode_chunk(number, part, scratch)?;
            rest = behind;
        }
        Ok(needed as usize)
    }
}

/// Returns the stored bytes of each plane of a chunk from the bytes of the whole frame.
pub(crate) fn stored<'f>(chunk: &Chunk, frame: &'f [u8]) -> [&'f [u8]; MAX_PLANES] {
    let mut stored = [&[][..]; MAX_PLANES];
    for (stored, range) in stored.iter_mut().zip(chunk.plane_ranges()) {
        *stored = &frame[range.start as usize..range.end as usize];
    }
    stored
}
