//! Decompressing what is pushed: for those who are given bytes as they arrive, and cannot wait for
//! more in the middle of a call.

use alloc::vec::Vec;
use core::fmt;

use crate::base::Delta;
use crate::chunk::decode::DecodeScratch;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::check::FileCheck;
use crate::format::HEADER_LEN;
use crate::frame::Frame;
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::index::{CheckedIndex, FrameIndex};
use crate::frame::whole::stored;
use crate::limits::Limits;
use crate::try_alloc::{ReadBuf, at_least};

/// Takes a file in parts of any size, as they arrive, and gives its frames, checked as
/// [`Decoder`](crate::Decoder) checks them. It neither reads nor waits, and keeps one frame in
/// memory.
///
/// ```
/// use zipnn::{DType, Limits, Options};
/// use zipnn::push::PushDecoder;
///
/// let data = [1, 2, 3, 4].repeat(1000);
/// let file = zipnn::compress(&data, &Options::new(DType::F32))?;
///
/// let mut assembler = PushDecoder::new(Limits::default());
/// let mut decoded = Vec::new();
/// for mut part in file.chunks(100) {
///     while !part.is_empty() {
///         let taken = assembler.push(part)?;
///         part = &part[taken..];
///         while let Some(chunk) = assembler.next_chunk()? {
///             decoded.extend_from_slice(chunk);
///         }
///     }
/// }
/// assembler.end()?;
/// assert_eq!(decoded, data);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PushDecoder {
    limits: Limits,
    scratch: DecodeScratch,
    /// What the frames so far say of the others, where that is verified.
    sequence: Option<FileCheck>,
    frame_number: u64,
    /// What the frames before this one decode to, in bytes.
    decoded_before: u64,
    stage: Stage,
    /// What is there of the frame.
    bytes: ReadBuf,
    /// Bytes of the frame that have to be there before anything can be done.
    needed: u64,
    /// Of the whole frame's chunks, or none.
    checksums: Vec<u64>,
    /// A decoded chunk.
    decoded: Vec<u8>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Header,
    Index(Header),
    Rest(CheckedIndex),
    /// Nothing: the frame is there.
    Whole {
        index: CheckedIndex,
        next_chunk: usize,
    },
    /// Nothing: the only frame of the file is behind us.
    Behind,
    /// Nothing any more.
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
    /// An assembler of a file of which nothing is there yet. A whole frame, its slack included, has
    /// to stay within [`Limits::frame_bytes`].
    pub fn new(limits: Limits) -> Self {
        let sequence = limits.verify.then(FileCheck::default);
        Self { sequence, ..Self::starting_at(0, limits) }
    }

    /// The same for frames from the middle of a file, from the one of this number on. They are
    /// verified each for itself; that they follow one another is left to whoever has found them.
    pub fn starting_at(frame_number: u64, limits: Limits) -> Self {
        Self {
            limits,
            scratch: DecodeScratch::new(),
            sequence: None,
            frame_number,
            decoded_before: 0,
            stage: Stage::Header,
            bytes: ReadBuf::default(),
            needed: HEADER_LEN as u64,
            checksums: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// Takes the next bytes of the file, up to the end of a frame, and returns how many. It takes
    /// none while a whole frame waits, for [`Self::next_chunk`] or [`Self::next_frame`]. Bytes
    /// behind the only frame of a file are taken and passed over.
    ///
    /// # Errors
    ///
    /// What is wrong with the frame, apart from its payload; `BaseRequired` if the file holds a
    /// difference. An error is told again by every further call.
    pub fn push(&mut self, input: &[u8]) -> Result<usize, DecodeError> {
        let mut taken = 0;
        loop {
            if let Stage::Behind = self.stage {
                return Ok(input.len());
            }
            let rest = &input[taken..];
            let space = self.space(rest.len())?;
            if space.is_empty() {
                return Ok(taken);
            }
            let len = space.len();
            space.copy_from_slice(&rest[..len]);
            self.advance(len)?;
            taken += len;
        }
    }

    /// Memory for the next bytes of the file, at most so many: for those who read right into it,
    /// and spare the copy of [`Self::push`]. So much is allocated, if the frame is that long.
    /// Afterwards [`Self::advance`] has to be called. There is none while a whole frame waits, and
    /// none behind the only frame of a file.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, and the error that has been told before.
    pub fn space(&mut self, at_most: usize) -> Result<&mut [u8], DecodeError> {
        let missing = match self.stage {
            Stage::Header | Stage::Index(_) | Stage::Rest(_) => self.needed - self.have(),
            Stage::Whole { .. } | Stage::Behind => 0,
            Stage::Failed(error) => return Err(error),
        };
        self.bytes.reserve(missing, at_most).map_err(|error| self.fail(error.into()))?;
        Ok(self.bytes.space(missing.min(at_most as u64)))
    }

    /// Takes the first bytes of [`Self::space`]: so many have been read into it.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    ///
    /// # Panics
    ///
    /// If there was less space.
    pub fn advance(&mut self, len: usize) -> Result<(), DecodeError> {
        if let Stage::Failed(error) = self.stage {
            return Err(error);
        }
        self.bytes.advance(len);
        while self.have() == self.needed && self.is_waiting() {
            self.next_stage().map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    /// Whether bytes of a frame are missing.
    fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Header | Stage::Index(_) | Stage::Rest(_))
    }

    /// Bytes that are there of the frame.
    fn have(&self) -> u64 {
        self.bytes.filled().len() as u64
    }

    /// The frame that waits, if all of it is there: its header, index and annex have been checked,
    /// and its place among the others.
    pub fn frame(&self) -> Option<Frame<'_>> {
        let Stage::Whole { index, .. } = self.stage else { return None };
        let frame = Frame::from_checked(index, self.bytes.filled());
        if !self.limits.verify {
            return Some(frame);
        }
        // It has been parsed before, and is well-formed.
        let annex = Annex::parse(frame.slack()).unwrap_or_default();
        Some(frame.with_checked_annex(annex))
    }

    /// Number in the file of the frame that waits, or of the next.
    pub fn frame_number(&self) -> u64 {
        self.frame_number
    }

    /// Decodes the next chunk of the frame that waits. `None` if no frame waits: the rest of the
    /// input has to be pushed.
    ///
    /// # Errors
    ///
    /// What is wrong with the chunk. An error is told again by every further call.
    pub fn next_chunk(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        let len = self.decode_next().map_err(|error| self.fail(error))?;
        Ok(len.map(|len| &self.decoded[..len]))
    }

    /// Lets go of the frame that waits, if there is one, whether or not all of it has been decoded.
    pub fn next_frame(&mut self) {
        let Stage::Whole { index, .. } = self.stage else { return };
        let goes_on = self.frame_number > 0 || index.header().streaming;
        self.stage = if goes_on { Stage::Header } else { Stage::Behind };
        self.frame_number = self.frame_number.saturating_add(1);
        self.decoded_before += index.header().decoded_len;
        self.bytes.clear();
        self.needed = HEADER_LEN as u64;
    }

    /// The end of the input: says whether it may end here.
    ///
    /// # Errors
    ///
    /// `Truncated` within a frame; `FooterMissing` if frames at the end are missing; `BadMagic` if
    /// the few bytes that are there begin no frame.
    pub fn end(&self) -> Result<(), DecodeError> {
        let error = match self.stage {
            Stage::Failed(error) => return Err(error),
            Stage::Header if self.have() == 0 && self.frame_number > 0 => {
                self.end_of_sequence().err()
            }
            Stage::Whole { .. } | Stage::Behind => self.end_of_sequence().err(),
            Stage::Header => self.parse_header().err(),
            Stage::Index(_) | Stage::Rest(_) => {
                let (needed, have) = (self.needed, self.have());
                Some(DecodeErrorKind::Truncated { needed, have })
            }
        };
        error.map_or(Ok(()), |kind| Err(DecodeError::from(kind).in_frame(self.frame_number)))
    }

    fn end_of_sequence(&self) -> Result<(), DecodeErrorKind> {
        self.sequence.as_ref().map_or(Ok(()), FileCheck::end)
    }

    fn parse_header(&self) -> Result<Header, DecodeErrorKind> {
        match self.frame_number {
            0 => Header::parse(self.bytes.filled()),
            _ => Header::parse_following(self.bytes.filled()),
        }
    }

    /// Goes on to the next stage, for which all that is needed is there.
    fn next_stage(&mut self) -> Result<(), DecodeError> {
        self.stage = match self.stage {
            Stage::Header => Stage::Index(self.open()?),
            Stage::Index(header) => match FrameIndex::parse_behind(header, self.bytes.filled()) {
                Ok(index) => {
                    self.check_limits(&header, index.content_len())?;
                    self.needed = header.frame_len;
                    Stage::Rest(index.checked())
                }
                Err(error) => match error.kind() {
                    DecodeErrorKind::Truncated { needed, .. } => {
                        self.needed = needed;
                        Stage::Index(header)
                    }
                    _ => return Err(error),
                },
            },
            Stage::Rest(index) => {
                self.check_annex(index)?;
                Stage::Whole { index, next_chunk: 0 }
            }
            stage => stage,
        };
        Ok(())
    }

    /// Reads the header, and refuses what cannot be kept.
    fn open(&self) -> Result<Header, DecodeError> {
        let header = self.parse_header()?;
        if self.frame_number == 0 && header.delta != Delta::None {
            return Err(DecodeErrorKind::BaseRequired.into());
        }
        self.check_limits(&header, header.frame_len)?;
        let requested = header.frame_len;
        self.limits.check_memory(requested)?;
        if isize::try_from(requested).is_err() {
            return Err(DecodeErrorKind::OutOfMemory { requested }.into());
        }
        Ok(header)
    }

    fn check_limits(&self, header: &Header, content_len: u64) -> Result<(), DecodeErrorKind> {
        self.limits.check(header.decoded_len, content_len, self.decoded_before)
    }

    fn check_annex(&mut self, index: CheckedIndex) -> Result<(), DecodeError> {
        self.checksums.clear();
        if self.limits.verify {
            let frame = Frame::from_checked(index, self.bytes.filled()).with_annex()?;
            self.checksums.extend(frame.annex().checksums());
            if let Some(sequence) = &mut self.sequence {
                let header = index.header();
                sequence.push(header.frame_len, header.decoded_len, frame.annex())?;
            }
        }
        Ok(())
    }

    fn decode_next(&mut self) -> Result<Option<usize>, DecodeError> {
        let Stage::Whole { index, next_chunk } = &mut self.stage else {
            return match self.stage {
                Stage::Failed(error) => Err(error),
                _ => Ok(None),
            };
        };
        let Some(chunk) = index.with_bytes(self.bytes.filled()).chunk(*next_chunk) else {
            self.next_frame();
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

    /// The error with its place, kept for every further call.
    fn fail(&mut self, error: DecodeError) -> DecodeError {
        let error = match self.stage {
            Stage::Failed(error) => error,
            _ => error.in_frame(self.frame_number),
        };
        self.stage = Stage::Failed(error);
        error
    }
}
