//! Decompressing what is read.

use core::fmt;
use core::ops::Range;
use std::io::{self, Empty, Read, Seek, SeekFrom};
use std::vec::Vec;

use crate::base::{self, BaseId, Delta};
use crate::chunk::decode::{Chunk, DecodeScratch};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::check::FileCheck;
use crate::format::HEADER_LEN;
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::index::IndexBuf;
use crate::io::read_base::read_base;
use crate::limits::Limits;
use crate::plane::MAX_PLANES;
use crate::try_alloc::at_least;

/// Decompresses what it reads from another reader, chunk by chunk.
///
/// It keeps one compressed frame in memory; of a frame with a single plane and nothing to verify,
/// only one chunk. Reading ends with the last frame; a file that is cut short is an error, never an
/// end. A chunk whose checksum differs is an error, and none of its bytes are handed out.
///
/// Errors are [`io::Error`]s around a [`DecodeError`], or the inner reader's own.
pub struct Decoder<R>(Engine<R, Empty>);

impl<R: Read> Decoder<R> {
    /// A decoder of the file that `inner` reads. Reads the beginning of the first frame.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and `BaseRequired` for a file that holds a difference: use
    /// [`DeltaDecoder`](crate::delta::DeltaDecoder) for those.
    pub fn new(inner: R, limits: Limits) -> io::Result<Self> {
        let engine = Engine::open(inner, None, limits)?;
        match engine.first.delta {
            Delta::None => Ok(Self(engine)),
            _ => Err(DecodeError::from(DecodeErrorKind::BaseRequired).into()),
        }
    }

    /// The header of the first frame.
    pub fn header(&self) -> &Header {
        &self.0.first
    }

    /// The inner reader. Reading from it tears the file apart.
    pub fn get_ref(&self) -> &R {
        &self.0.inner
    }

    /// The inner reader: at the end of the file, once reading has come to an end.
    pub fn into_inner(self) -> R {
        self.0.inner
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        self.0.read(output)
    }
}

impl<R> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("Decoder", f)
    }
}

/// Decompresses a file that holds the difference to a base, as [`Decoder`] does.
pub struct DeltaDecoder<R, B>(Engine<R, B>);

impl<R: Read, B: Read + Seek> DeltaDecoder<R, B> {
    /// A decoder of the file that `inner` reads. Where the file says which base it needs, `base` is
    /// read twice from where it stands: first to see whether it is that one.
    ///
    /// # Errors
    ///
    /// As [`Decoder::new`], `NotADelta`, `BaseLength` and `WrongBase`, and those of the base.
    pub fn new(inner: R, mut base: B, limits: Limits) -> io::Result<Self> {
        let start = base.stream_position()?;
        let mut engine = Engine::open(inner, Some(base), limits)?;
        if engine.first.delta == Delta::None {
            return Err(DecodeError::from(DecodeErrorKind::NotADelta).into());
        }
        if let (Some(expected), Some(base)) = (engine.frame.base, &mut engine.base) {
            let found = BaseId::read(&mut *base)?;
            base::check(expected, found).map_err(DecodeError::from)?;
            base.seek(SeekFrom::Start(start))?;
        }
        Ok(Self(engine))
    }
}

impl<R: Read, B: Read> Read for DeltaDecoder<R, B> {
    /// `BaseTooShort` and `BaseTooLong`, besides what [`Decoder`] returns.
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        self.0.read(output)
    }
}

impl<R, B> fmt::Debug for DeltaDecoder<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("DeltaDecoder", f)
    }
}

/// What both decoders do.
struct Engine<R, B> {
    inner: R,
    base: Option<B>,
    /// The part of the base that goes with a chunk.
    base_part: Vec<u8>,
    limits: Limits,
    scratch: DecodeScratch,
    first: Header,
    /// What is being decoded.
    frame: OpenFrame,
    frame_number: u64,
    /// What the frames so far say of the others.
    sequence: FileCheck,
    /// What the frames so far decode to, in bytes.
    decoded_len: u64,
    /// What has been decoded of that.
    decoded_so_far: u64,
    /// A decoded chunk, and the part of it that has not been read.
    decoded: Vec<u8>,
    unread: Range<usize>,
    /// What every further read is to return.
    ending: Option<Ending>,
}

/// How reading has come to an end.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// All frames have been read.
    Complete,
    /// Something is wrong with the file.
    Corrupt(DecodeError),
    /// The inner reader has failed. What it would deliver next does not follow what it delivered.
    Broken(io::ErrorKind),
}

/// A frame whose index has been read.
struct OpenFrame {
    index: IndexBuf,
    /// All of the payload; where it is read chunk by chunk, that of the last chunk.
    payload: Vec<u8>,
    is_chunk_by_chunk: bool,
    /// Of the chunks, or none.
    checksums: Vec<u64>,
    /// Which base the file needs.
    base: Option<BaseId>,
    next_chunk: usize,
    /// Bytes of the frame that have been read.
    bytes_read: u64,
}

impl<R: Read, B: Read> Engine<R, B> {
    fn open(mut inner: R, base: Option<B>, limits: Limits) -> io::Result<Self> {
        let mut bytes = Vec::new();
        read_up_to(&mut inner, HEADER_LEN as u64, &mut bytes)?;
        let first = Header::parse(&bytes).map_err(|kind| DecodeError::from(kind).in_frame(0))?;
        let mut sequence = FileCheck::default();
        let frame =
            OpenFrame::read(first, bytes, Vec::new(), &mut inner, &limits, 0, &mut sequence)
                .map_err(|error| in_frame(error, 0))?;
        Ok(Self {
            inner,
            base,
            base_part: Vec::new(),
            limits,
            scratch: DecodeScratch::new(),
            first,
            frame,
            frame_number: 0,
            sequence,
            decoded_len: first.decoded_len,
            decoded_so_far: 0,
            decoded: Vec::new(),
            unread: 0..0,
            ending: None,
        })
    }

    /// The next chunk, from this frame or the ones that follow. `None` at the end of the file.
    fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.frame.next_chunk() {
                return Ok(Some(chunk));
            }
            self.frame.skip_rest(&mut self.inner)?;
            if !self.first.streaming || !self.open_next_frame()? {
                return self.end().map(|()| None);
            }
        }
    }

    /// Goes on to the next frame; `false` if there is none.
    fn open_next_frame(&mut self) -> io::Result<bool> {
        let mut bytes = Vec::new();
        read_up_to(&mut self.inner, HEADER_LEN as u64, &mut bytes)?;
        if bytes.is_empty() {
            return Ok(false);
        }
        self.frame_number += 1;
        let header = Header::parse_following(&bytes).map_err(DecodeError::from)?;
        let payload = core::mem::take(&mut self.frame.payload);
        let (inner, limits, sequence) = (&mut self.inner, &self.limits, &mut self.sequence);
        let before = self.decoded_len;
        self.frame = OpenFrame::read(header, bytes, payload, inner, limits, before, sequence)?;
        self.decoded_len += header.decoded_len;
        Ok(true)
    }

    /// Checks that nothing is missing at the end of the file, nor left over of the base.
    fn end(&mut self) -> io::Result<()> {
        if let Err(kind) = self.sequence.end() {
            // It is the next frame that is missing.
            self.frame_number += 1;
            return Err(DecodeError::from(kind).into());
        }
        if let Some(base) = &mut self.base
            && base.take(1).read_to_end(&mut self.base_part)? > 0
        {
            let expected = self.decoded_len;
            return Err(DecodeError::from(DecodeErrorKind::BaseTooLong { expected }).into());
        }
        Ok(())
    }

    /// Decodes the next chunk straight into `output` if it fits there, otherwise into our own
    /// memory. Returns how much of `output` was filled.
    fn decode_next(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let Some(chunk) = self.next_chunk()? else { return Ok(0) };
        let needed = usize::try_from(chunk.len()).map_err(|_| {
            DecodeError::from(DecodeErrorKind::OutOfMemory { requested: chunk.len() })
        })?;
        let base_part = match &mut self.base {
            None => None,
            Some(base) => {
                self.base_part.clear();
                read_base(base, chunk.len(), self.decoded_so_far, &mut self.base_part)?;
                Some(&self.base_part[..])
            }
        };
        let is_direct = needed <= output.len();
        let dst = match is_direct {
            true => &mut output[..needed],
            false => at_least(&mut self.decoded, needed as u64)?,
        };
        self.frame.decode(&chunk, base_part, dst, &mut self.inner, &mut self.scratch)?;
        self.decoded_so_far += chunk.len();
        if is_direct {
            return Ok(needed);
        }
        self.unread = 0..needed;
        Ok(self.read_decoded(output))
    }

    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        if !self.unread.is_empty() {
            return Ok(self.read_decoded(output));
        }
        match self.ending {
            None => {}
            Some(Ending::Complete) => return Ok(0),
            Some(Ending::Corrupt(error)) => return Err(error.into()),
            Some(Ending::Broken(kind)) => return Err(kind.into()),
        }
        match self.decode_next(output) {
            Ok(0) => {
                self.ending = Some(Ending::Complete);
                Ok(0)
            }
            Ok(len) => Ok(len),
            Err(error) => {
                let error = in_frame(error, self.frame_number);
                let ours = error.get_ref().and_then(|error| error.downcast_ref()).copied();
                self.ending = Some(ours.map_or(Ending::Broken(error.kind()), Ending::Corrupt));
                Err(error)
            }
        }
    }
}

impl<R, B> Engine<R, B> {
    /// Hands out decoded bytes that are waiting.
    fn read_decoded(&mut self, output: &mut [u8]) -> usize {
        let len = self.unread.len().min(output.len());
        output[..len].copy_from_slice(&self.decoded[self.unread.start..][..len]);
        self.unread.start += len;
        len
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("header", &self.first)
            .field("frame_number", &self.frame_number)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}

impl OpenFrame {
    /// Reads a frame, whose header has been read into `bytes`; of a frame that can be read chunk by
    /// chunk, the index. `payload` is memory to use again.
    fn read(
        header: Header,
        bytes: Vec<u8>,
        mut payload: Vec<u8>,
        inner: &mut impl Read,
        limits: &Limits,
        decoded_before: u64,
        sequence: &mut FileCheck,
    ) -> io::Result<Self> {
        let check = |len| limits.check(header.decoded_len, len, decoded_before);
        check(header.frame_len).map_err(DecodeError::from)?;
        let index = IndexBuf::read(header, bytes, |bytes, needed| {
            limits.check_memory(needed).map_err(DecodeError::from)?;
            read_exactly(inner, needed - bytes.len() as u64, bytes)
        })?;
        // The frame's length is only a promise; the content has to be read before it is decoded.
        let content_len = index.get().content_len();
        check(content_len).map_err(DecodeError::from)?;
        payload.clear();
        let is_chunk_by_chunk = index.get().is_chunk_by_chunk(limits.verify);
        if !is_chunk_by_chunk {
            limits.check_memory(content_len).map_err(DecodeError::from)?;
            read_exactly(inner, content_len - index.prefix_len(), &mut payload)?;
        }
        let mut slack = Vec::new();
        if !is_chunk_by_chunk && limits.verify {
            read_annex(inner, header.frame_len - content_len, limits, &mut slack)?;
        }
        let annex = Annex::parse(&slack).map_err(DecodeError::from)?;
        if limits.verify {
            index.check_annex(&annex).map_err(DecodeError::from)?;
            sequence
                .push(header.frame_len, header.decoded_len, &annex)
                .map_err(DecodeError::from)?;
        }
        Ok(Self {
            is_chunk_by_chunk,
            checksums: annex.checksums().collect(),
            base: annex.base(),
            next_chunk: 0,
            bytes_read: index.prefix_len() + (payload.len() + slack.len()) as u64,
            index,
            payload,
        })
    }

    fn next_chunk(&self) -> Option<Chunk> {
        let checksum = self.checksums.get(self.next_chunk).copied();
        Some(self.index.get().chunk(self.next_chunk)?.with_checksum(checksum))
    }

    /// Decodes the next chunk, which is `chunk`.
    fn decode(
        &mut self,
        chunk: &Chunk,
        base: Option<&[u8]>,
        dst: &mut [u8],
        inner: &mut impl Read,
        scratch: &mut DecodeScratch,
    ) -> io::Result<()> {
        let mut stored = [&[][..]; MAX_PLANES];
        if self.is_chunk_by_chunk {
            let len: u64 = chunk.plane_ranges().map(|range| range.end - range.start).sum();
            self.payload.clear();
            read_exactly(inner, len, &mut self.payload)?;
            self.bytes_read += len;
            stored[0] = &self.payload;
        } else {
            let start = self.index.prefix_len();
            for (stored, range) in stored.iter_mut().zip(chunk.plane_ranges()) {
                *stored =
                    &self.payload[(range.start - start) as usize..(range.end - start) as usize];
            }
        }
        let mut scratch = scratch.with_len(chunk.scratch_len())?;
        match base {
            Some(base) => chunk.decode_delta(&stored, base, dst, &mut scratch),
            None => chunk.decode(&stored, dst, &mut scratch),
        }
        .map_err(|error| error.in_chunk(self.next_chunk as u64))?;
        self.next_chunk += 1;
        Ok(())
    }

    /// Passes over what is left of the frame: slack. A frame without all of it is cut short.
    fn skip_rest(&mut self, inner: &mut impl Read) -> io::Result<()> {
        let rest = self.index.get().header().frame_len - self.bytes_read;
        let skipped = io::copy(&mut inner.take(rest), &mut io::sink())?;
        self.bytes_read += skipped;
        if skipped < rest {
            return Err(truncated(rest, skipped));
        }
        Ok(())
    }
}

/// Reads the annex of a frame with so much slack; nothing where the slack holds anything else.
fn read_annex(
    inner: &mut impl Read,
    slack_len: u64,
    limits: &Limits,
    annex: &mut Vec<u8>,
) -> io::Result<()> {
    read_exactly(inner, slack_len.min(Annex::MAGIC.len() as u64), annex)?;
    if *annex == Annex::MAGIC {
        limits.check_memory(slack_len).map_err(DecodeError::from)?;
        read_exactly(inner, slack_len - annex.len() as u64, annex)?;
    }
    Ok(())
}

/// Reads `len` more bytes. Memory grows with what is there and not with what is promised.
fn read_exactly(inner: &mut impl Read, len: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let have = read_up_to(inner, len, bytes)?;
    if have < len {
        return Err(truncated(len, have));
    }
    Ok(())
}

fn read_up_to(inner: &mut impl Read, len: u64, bytes: &mut Vec<u8>) -> io::Result<u64> {
    /// What may be reserved before anything has been read.
    const UNEARNED: u64 = 1 << 16;
    bytes.reserve(len.min(UNEARNED) as usize);
    Ok(inner.take(len).read_to_end(bytes)? as u64)
}

fn truncated(needed: u64, have: u64) -> io::Error {
    DecodeError::from(DecodeErrorKind::Truncated { needed, have }).into()
}

/// Adds the frame to an error of ours.
fn in_frame(error: io::Error, frame: u64) -> io::Error {
    match error.downcast::<DecodeError>() {
        Ok(error) => error.in_frame(frame).into(),
        Err(error) => error,
    }
}
