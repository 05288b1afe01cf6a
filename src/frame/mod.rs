//! A frame: header, shape, index, payload, and slack that is passed over.

pub(crate) mod header;
pub(crate) mod index;
pub(crate) mod shape;
#[cfg(feature = "alloc")]
pub(crate) mod write;

pub use header::{Delta, Form, HEADER_LEN, Header};
pub use index::FrameIndex;
#[cfg(feature = "alloc")]
pub use index::IndexBuf;
pub use shape::Shape;

use core::fmt;

use crate::chunk::{Chunk, Scratch};
use crate::dtype::DType;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::huffman::Table;
use crate::plane::MAX_PLANES;

/// A whole frame in memory, checked once: after [`Self::parse`] nothing in it can be out of range.
///
/// ```
/// use zipnn::{DType, DecodeScratch, Frame, Options};
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
    /// What [`FrameIndex::parse`] finds, and `Truncated` if the frame is longer than `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_behind(Header::parse(bytes)?, bytes)
    }

    fn parse_behind(header: Header, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let index = FrameIndex::parse_behind(header, bytes)?;
        let needed = index.header().frame_len;
        let have = bytes.len() as u64;
        let bytes = usize::try_from(needed)
            .ok()
            .and_then(|len| bytes.get(..len))
            .ok_or(DecodeErrorKind::Truncated { needed, have })?;
        Ok(Self { index, bytes })
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

    /// Decodes the chunk of this number, from [`FrameIndex::chunk`], into `dst` of exactly its
    /// length.
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
        let chunk = self.index.chunk(number).ok_or(DecodeErrorKind::OutOfRange)?;
        decode_in_memory(&chunk, self.bytes, dst, scratch)
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

/// Decodes a chunk of the frame in `frame`, which has been checked to hold all of it.
pub(crate) fn decode_in_memory(
    chunk: &Chunk,
    frame: &[u8],
    dst: &mut [u8],
    scratch: &mut Scratch<'_, impl Table>,
) -> Result<(), DecodeError> {
    let mut stored = [&[][..]; MAX_PLANES];
    for (stored, range) in stored.iter_mut().zip(chunk.plane_ranges()) {
        *stored = &frame[range.start as usize..range.end as usize];
    }
    chunk.decode(&stored, dst, scratch)
}

/// The frames of a file in memory, in order.
///
/// A file whose first frame does not say that others follow ends with that frame, whatever comes
/// behind it. After an error there are no more frames.
#[derive(Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
    number: u64,
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("number", &self.number).finish_non_exhaustive()
    }
}

impl<'a> Frames<'a> {
    /// The frames of `file`, which is never without one.
    pub fn new(file: &'a [u8]) -> Self {
        Self { rest: file, number: 0 }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() && self.number > 0 {
            return None;
        }
        let header = match self.number {
            0 => Header::parse(self.rest),
            _ => Header::parse_following(self.rest),
        };
        let frame = header
            .map_err(DecodeError::from)
            .and_then(|header| Frame::parse_behind(header, self.rest))
            .map_err(|error| error.in_frame(self.number));
        self.rest = match &frame {
            Ok(frame) if self.number > 0 || frame.index.header().streaming => {
                &self.rest[frame.bytes.len()..]
            }
            _ => &[],
        };
        self.number += 1;
        Some(frame)
    }
}
