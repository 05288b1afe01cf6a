//! A whole frame in memory.

use core::fmt;

use crate::base::Delta;
use crate::chunk::decode::{Chunk, Scratch};
use crate::dtype::DType;
use crate::entropy::huffman::table::choice::Table;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::index::{CheckedIndex, FrameIndex};
use crate::plane::MAX_PLANES;

/// A whole frame in memory, checked once: after [`Self::parse`] nothing in it can be out of range.
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
    /// Reads the frame that `bytes` begin with. More may follow it.
    ///
    /// # Errors
    ///
    /// What [`FrameIndex::parse`] and [`Annex::parse`] find, `ChecksumMismatch`, and `Truncated` if
    /// the frame is longer than `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_behind(Header::parse(bytes)?, bytes)?.with_annex()
    }

    /// [`Self::parse`] without the annex, as the original sees it: nothing is verified.
    pub(crate) fn parse_unverified(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_behind(Header::parse(bytes)?, bytes)
    }

    /// The frame as the original sees it: without its annex.
    pub(crate) fn parse_behind(header: Header, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let index = FrameIndex::parse_behind(header, bytes)?;
        let needed = index.header().frame_len;
        let have = bytes.len() as u64;
        let bytes = usize::try_from(needed)
            .ok()
            .and_then(|len| bytes.get(..len))
            .ok_or(DecodeErrorKind::Truncated { needed, have })?;
        Ok(Self { index, annex: Annex::default(), bytes })
    }

    /// The frame whose index has been checked, in exactly its bytes, without its annex.
    #[cfg(feature = "alloc")]
    pub(crate) fn from_checked(index: CheckedIndex, bytes: &'a [u8]) -> Self {
        Self { index: index.with_bytes(bytes), annex: Annex::default(), bytes }
    }

    /// The frame with its annex, which has been checked.
    pub(crate) fn with_checked_annex(self, annex: Annex<'a>) -> Self {
        Self { annex, ..self }
    }

    pub(crate) fn with_annex(self) -> Result<Self, DecodeError> {
        let annex = Annex::parse(self.slack())?;
        let prefix = &self.bytes[..self.index.prefix_len() as usize];
        annex.check_prefix(prefix, self.chunk_count())?;
        Ok(Self { annex, ..self })
    }

    /// The same without its annex, as the original sees it: nothing is verified.
    #[must_use]
    pub fn without_annex(self) -> Self {
        Self { annex: Annex::default(), ..self }
    }

    /// The records behind the content.
    pub fn annex(&self) -> &Annex<'a> {
        &self.annex
    }

    /// The coded planes.
    pub fn payload(&self) -> &'a [u8] {
        let range = self.index.prefix_len()..self.index.content_len();
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// The chunk of this number, if there is one, with its checksum. In a difference the checksum
    /// is not of what the frame holds, and left out.
    pub fn chunk(&self, number: usize) -> Option<Chunk> {
        let chunk = self.index.chunk(number)?;
        let is_data = self.index.header().delta == Delta::None;
        Some(chunk.with_checksum(self.annex.checksum(number).filter(|_| is_data)))
    }

    /// Header, shape and index.
    pub fn index(&self) -> &FrameIndex<'a> {
        &self.index
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.index.header().dtype
    }

    /// Bytes that the frame decodes to.
    pub fn decoded_len(&self) -> u64 {
        self.index.header().decoded_len
    }

    /// Number of chunks.
    pub fn chunk_count(&self) -> usize {
        self.index.chunk_count()
    }

    /// The bytes of the whole frame.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the content within the frame.
    pub fn slack(&self) -> &'a [u8] {
        &self.bytes[self.index.content_len() as usize..]
    }

    /// Plane space that decoding needs, in bytes.
    pub fn scratch_len(&self) -> u64 {
        self.index.scratch_len()
    }

    /// Decodes the chunk of this number, from [`Self::chunk`], into `dst` of exactly its length.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there is no such chunk, and what [`Chunk::decode`] finds.
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

    /// Decodes the frame into the beginning of `dst` and returns the number of bytes.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall`, `ScratchTooSmall`, and what [`Chunk::decode`] finds, with the chunk. The
    /// contents of `dst` are then unspecified.
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

/// What is stored of a chunk in the bytes of its frame, which are known to hold all of it.
pub(crate) fn stored<'f>(chunk: &Chunk, frame: &'f [u8]) -> [&'f [u8]; MAX_PLANES] {
    let mut stored = [&[][..]; MAX_PLANES];
    for (stored, range) in stored.iter_mut().zip(chunk.plane_ranges()) {
        *stored = &frame[range.start as usize..range.end as usize];
    }
    stored
}
