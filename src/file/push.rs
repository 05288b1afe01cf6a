//! A decoder whose caller pushes the input as it arrives.

use alloc::vec::Vec;
use core::fmt;

use crate::chunk::decode::DecodeScratch;
use crate::error::DecodeError;
use crate::file::walk::FrameWalk;
use crate::format::HEADER_LEN;
use crate::frame::Frame;
use crate::frame::annex::Annex;
use crate::frame::index::CheckedIndex;
use crate::frame::open::{Keep, OpenOptions, Prefix};
use crate::frame::whole::stored;
use crate::limits::Limits;
use crate::try_alloc::{ReadBuf, at_least};

/// Decodes a file that arrives in parts of any size, for callers that cannot block for more input.
///
/// It verifies a file as [`Decoder`](crate::Decoder) does, and keeps one compressed frame in
/// memory. Push the input with [`Self::push`], or read it into [`Self::buffer`]. When a frame is
/// complete, decode its data with [`Self::next_chunk`].
///
/// ```
/// use zipnn::{DType, Limits, Options};
/// use zipnn::push::PushDecoder;
///
/// let data = [1, 2, 3, 4].repeat(1000);
/// let file = zipnn::compress(&data, &Options::new(DType::F32))?;
///
/// let mut decoder = PushDecoder::new(Limits::default());
/// let mut decoded = Vec::new();
/// for mut part in file.chunks(100) {
///     while !part.is_empty() {
///         let taken = decoder.push(part)?;
///         part = &part[taken..];
///         while let Some(chunk) = decoder.next_chunk()? {
///             decoded.extend_from_slice(chunk);
///         }
///     }
/// }
/// decoder.finish()?;
/// assert_eq!(decoded, data);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PushDecoder {
    walk: FrameWalk,
    /// The number of the current frame. Once the frame is complete, the walk is one frame ahead.
    frame_number: u64,
    scratch: DecodeScratch,
    stage: Stage,
    /// The bytes of the current frame so far.
    bytes: ReadBuf,
    /// Number of bytes of the frame that the stage needs.
    needed: u64,
    /// The checksums of the chunks of the complete frame; empty if it has none.
    checksums: Vec<u64>,
    /// A decoded chunk.
    decoded: Vec<u8>,
}

/// The input that the decoder needs, or the output that it offers.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Needs header, shape and index.
    Prefix,
    /// Needs the rest of the frame.
    Rest(CheckedIndex),
    /// Offers a complete frame.
    Complete { index: CheckedIndex, next_chunk: usize },
    /// Ignores all bytes after the only frame of the file.
    Behind,
    /// Returns this error from every call.
    Failed(DecodeError),
}

impl fmt::Debug for PushDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushDecoder")
            .field("frame_number", &self.frame_number)
            .field("stage", &self.stage)
            .field("have", &self.bytes.filled().len())
            .field("needed", &self.needed)
            .finish_non_exhaustive()
    }
}

impl PushDecoder {
    /// Creates a decoder for a file.
    ///
    /// [`Limits::frame_bytes`] limits the length of each frame, including its slack.
    pub fn new(limits: Limits) -> Self {
        Self::with_walk(FrameWalk::new(Self::options(limits)))
    }

    /// Creates a decoder for frames from the middle of a file, beginning with frame `frame_number`.
    ///
    /// Each frame is verified separately. The caller ensures that they follow one another.
    pub fn starting_at(frame_number: u64, limits: Limits) -> Self {
        Self::with_walk(FrameWalk::starting_at(frame_number, Self::options(limits)))
    }

    fn options(limits: Limits) -> OpenOptions {
        OpenOptions::new(limits).keep(Keep::Frame).delta(false)
    }

    fn with_walk(walk: FrameWalk) -> Self {
        Self {
            frame_number: walk.number(),
            walk,
            scratch: DecodeScratch::new(),
            stage: Stage::Prefix,
            bytes: ReadBuf::default(),
            needed: HEADER_LEN as u64,
            checksums: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// Takes the next bytes of the file, up to the end of a frame; returns how many it took.
    ///
    /// It takes no bytes while a complete frame is available: call [`Self::next_chunk`] until it
    /// returns `None`, or [`Self::skip_frame`]. It ignores all bytes after the only frame of a
    /// file, and counts them as taken.
    ///
    /// # Errors
    ///
    /// The errors of the frame, except errors in its payload; `BaseRequired` if the file holds a
    /// difference. After an error, every call returns the same error.
    pub fn push(&mut self, input: &[u8]) -> Result<usize, DecodeError> {
        let mut taken = 0;
        loop {
            if let Stage::Behind = self.stage {
                return Ok(input.len());
            }
            let rest = &input[taken..];
            let buffer = self.buffer(rest.len())?;
            if buffer.is_empty() {
                return Ok(taken);
            }
            let len = buffer.len();
            buffer.copy_from_slice(&rest[..len]);
            self.advance(len)?;
            taken += len;
        }
    }

    /// Returns memory of at most `at_most` bytes, into which the caller reads the next input.
    ///
    /// This avoids the copy that [`Self::push`] makes. After reading, call [`Self::advance`].
    ///
    /// It allocates up to `at_most` bytes, but no more than the frame needs. The buffer is empty
    /// while a complete frame is available, and after the only frame of a file.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, and any error that an earlier call has returned.
    pub fn buffer(&mut self, at_most: usize) -> Result<&mut [u8], DecodeError> {
        let missing = match self.stage {
            Stage::Prefix | Stage::Rest(_) => self.needed - self.have(),
            Stage::Complete { .. } | Stage::Behind => 0,
            Stage::Failed(error) => return Err(error),
        };
        self.bytes.reserve(missing, at_most).map_err(|error| self.fail(error.into()))?;
        Ok(self.bytes.space(missing.min(at_most as u64)))
    }

    /// Takes the first `len` bytes of [`Self::buffer`], which the caller has filled.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    ///
    /// # Panics
    ///
    /// Panics if the buffer was shorter than `len`.
    pub fn advance(&mut self, len: usize) -> Result<(), DecodeError> {
        if let Stage::Failed(error) = self.stage {
            return Err(error);
        }
        self.bytes.advance(len);
        while self.have() == self.needed && matches!(self.stage, Stage::Prefix | Stage::Rest(_)) {
            self.next_stage().map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    /// Returns how many bytes of the current frame have arrived.
    fn have(&self) -> u64 {
        self.bytes.filled().len() as u64
    }

    /// Returns the current frame if it is complete, otherwise `None`.
    ///
    /// Its header, index and annex, and its position in the file, have been checked.
    pub fn frame(&self) -> Option<Frame<'_>> {
        let Stage::Complete { index, .. } = self.stage else { return None };
        let frame = Frame::from_checked(index, self.bytes.filled());
        if !self.walk.options().verifies() {
            return Some(frame);
        }
        // The annex has been parsed before, so parsing cannot fail.
        let annex = Annex::parse(frame.slack()).unwrap_or_default();
        Some(frame.with_checked_annex(annex))
    }

    /// Returns the number of the current frame in the file, counted from 0.
    pub fn frame_number(&self) -> u64 {
        self.frame_number
    }

    /// Decodes the next chunk of a complete frame; returns `None` if more input is needed.
    ///
    /// # Errors
    ///
    /// The errors of the chunk. After an error, every call returns the same error.
    pub fn next_chunk(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        let len = self.decode_next().map_err(|error| self.fail(error))?;
        Ok(len.map(|len| &self.decoded[..len]))
    }

    /// Skips the rest of a complete frame. Does nothing if no frame is complete.
    pub fn skip_frame(&mut self) {
        if let Stage::Complete { .. } = self.stage {
            self.stage = if self.walk.continues() { Stage::Prefix } else { Stage::Behind };
            self.frame_number = self.walk.number();
            self.bytes.clear();
            self.needed = HEADER_LEN as u64;
        }
    }

    /// Checks that the file may end after the bytes pushed so far.
    ///
    /// # Errors
    ///
    /// `Truncated` within a frame or if there is no frame; `FooterMissing` if frames at the end are
    /// missing; `BadMagic` if the last bytes do not begin a frame; any error that an earlier call
    /// has returned.
    pub fn finish(&self) -> Result<(), DecodeError> {
        let is_between = matches!(self.stage, Stage::Prefix) && self.have() == 0;
        match self.stage {
            Stage::Failed(error) => Err(error),
            Stage::Complete { .. } | Stage::Behind => self.walk.end(),
            _ if is_between && self.frame_number > 0 => self.walk.end(),
            Stage::Prefix | Stage::Rest(_) => {
                let error = self.walk.options().truncated(self.bytes.filled(), self.needed);
                Err(error.in_frame(self.frame_number))
            }
        }
    }

    /// Moves to the next stage after the needed bytes have arrived.
    fn next_stage(&mut self) -> Result<(), DecodeError> {
        let options = self.walk.options();
        match self.stage {
            Stage::Prefix => match options.prefix(self.bytes.filled())? {
                Prefix::Needs(needed) => self.needed = needed,
                Prefix::Read(index) => {
                    self.needed = index.header().frame_len;
                    self.stage = Stage::Rest(index.checked());
                }
            },
            Stage::Rest(index) => {
                let frame = Frame::from_checked(index, self.bytes.filled()).open_annex(&options)?;
                self.checksums.clear();
                self.checksums.extend(frame.annex().checksums());
                self.walk.push(index.header(), frame.annex())?;
                self.stage = Stage::Complete { index, next_chunk: 0 };
            }
            Stage::Complete { .. } | Stage::Behind | Stage::Failed(_) => {}
        }
        Ok(())
    }

    fn decode_next(&mut self) -> Result<Option<usize>, DecodeError> {
        let Stage::Complete { index, next_chunk } = &mut self.stage else {
            return match self.stage {
                Stage::Failed(error) => Err(error),
                _ => Ok(None),
            };
        };
        let Some(chunk) = index.with_bytes(self.bytes.filled()).chunk(*next_chunk) else {
            self.skip_frame();
            return Ok(None);
        };
        let chunk = chunk.with_checksum(self.checksums.get(*next_chunk).copied());
        let decoded = at_least(&mut self.decoded, chunk.len())?;
        let len = decoded.len();
        let mut scratch = self.scratch.with_len(chunk.scratch_len())?;
        chunk
            .decode(&stored(&chunk, self.bytes.filled()), decoded, &mut scratch)
            .map_err(|error| error.in_chunk(*next_chunk as u64))?;
        *next_chunk += 1;
        Ok(Some(len))
    }

    /// Adds the location to an error, and stores it for every later call.
    fn fail(&mut self, error: DecodeError) -> DecodeError {
        let error = match self.stage {
            Stage::Failed(error) => error,
            _ => error.in_frame(self.frame_number),
        };
        self.stage = Stage::Failed(error);
        error
    }
}
