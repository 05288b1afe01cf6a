//! Chunks to plan, with everything that decoding them needs.

use core::ops::Range;

use crate::base::{self, Delta};
use crate::chunk::decode::{BaseUse, Chunk};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::frame::whole::{Frame, stored};
use crate::plane::MAX_PLANES;

/// A chunk to decode, with its stored bytes.
#[derive(Debug, Clone)]
pub struct ChunkInput<'a> {
    pub(crate) chunk: Chunk,
    pub(crate) stored: [&'a [u8]; MAX_PLANES],
    pub(crate) frame: u64,
    pub(crate) number: u64,
    /// The range of the chunk's decoded bytes that is wanted.
    pub(crate) part: Range<u64>,
    pub(crate) is_delta: bool,
    pub(crate) base: Option<&'a [u8]>,
}

impl<'a> ChunkInput<'a> {
    /// Creates an input from a chunk and the stored bytes of its planes.
    ///
    /// `stored` contains the bytes of each range of [`Chunk::plane_ranges`], in order. Errors name
    /// the numbers of the frame and of the chunk.
    pub fn new(chunk: Chunk, stored: &[&'a [u8]], frame: u64, number: u64) -> Self {
        let mut planes = [&[][..]; MAX_PLANES];
        for (plane, stored) in planes.iter_mut().zip(stored) {
            *plane = stored;
        }
        let part = 0..chunk.len();
        Self { chunk, stored: planes, frame, number, part, is_delta: false, base: None }
    }

    /// Returns the chunks of a frame with the number `frame_number`.
    ///
    /// Chunks of a difference need the base: [`Plan::with_base`](crate::gpu::Plan::with_base).
    pub fn of_frame(frame: &Frame<'a>, frame_number: u64) -> impl Iterator<Item = Self> + use<'a> {
        let frame = *frame;
        let is_delta = frame.index().header().delta != Delta::None;
        (0..frame.chunk_count()).filter_map(move |number| {
            let chunk = frame.index().chunk(number)?.with_checksum(frame.annex().checksum(number));
            let stored = stored(&chunk, frame.bytes());
            Some(Self::new(chunk, &stored, frame_number, number as u64).in_delta(is_delta))
        })
    }

    /// Sets whether the chunk belongs to a difference. The default is `false`.
    #[must_use]
    pub fn in_delta(self, is_delta: bool) -> Self {
        Self { is_delta, ..self }
    }

    /// Sets the range of the chunk's decoded bytes that is wanted. The default is all of them.
    #[must_use]
    pub fn part(self, part: Range<u64>) -> Self {
        Self { part, ..self }
    }

    /// Sets the part of the base that belongs to the chunk of a difference. It has the length of
    /// the chunk.
    #[must_use]
    pub fn base(self, base: Option<&'a [u8]>) -> Self {
        Self { base, ..self }
    }

    /// Returns the decoded length of the whole chunk in bytes.
    pub fn chunk_len(&self) -> u64 {
        self.chunk.len()
    }

    /// Returns the number of decoded bytes that are wanted.
    pub(crate) fn wanted_len(&self) -> u64 {
        self.part.end.saturating_sub(self.part.start)
    }

    /// Returns the length of the chunk and of its base.
    pub(crate) fn bytes_to_hold(&self) -> u64 {
        self.chunk.len().saturating_add(self.base.map_or(0, |base| base.len() as u64))
    }

    /// Returns whether the whole chunk is wanted.
    pub(crate) fn is_whole(&self) -> bool {
        self.part == (0..self.chunk.len())
    }

    /// Returns whether the data is the exclusive or of the planes and the base.
    pub(crate) fn needs_xor(&self) -> bool {
        self.is_delta && self.chunk.base_use == BaseUse::Xor
    }

    /// Returns an error with the location of the chunk.
    pub(crate) fn error(&self, error: impl Into<DecodeError>) -> DecodeError {
        error.into().in_chunk(self.number).in_frame(self.frame)
    }

    /// Checks the wanted range, and the length of the base.
    pub(crate) fn check(&self) -> Result<(), DecodeErrorKind> {
        if self.part.start > self.part.end || self.part.end > self.chunk.len() {
            return Err(DecodeErrorKind::OutOfRange);
        }
        match self.base {
            Some(base) => base::check_len(self.chunk.len(), base.len() as u64),
            None => Ok(()),
        }
    }
}
