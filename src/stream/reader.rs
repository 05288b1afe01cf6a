//! Decompressing what is read.

use core::fmt;
use core::ops::Range;
use std::io::{self, Read};
use std::vec::Vec;

use crate::chunk::{Chunk, DecodeScratch};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::frame::{Delta, HEADER_LEN, Header, IndexBuf};
use crate::limits::Limits;
use crate::memory::zeroed;
use crate::plane::MAX_PLANES;

/// Decompresses what it reads from another reader, chunk by chunk.
///
/// It keeps one compressed frame in memory; of a frame with a single plane, only one chunk.
/// Reading ends with the last frame; a file that is cut short is an error, never an end.
///
/// Errors are [`io::Error`]s around a [`DecodeError`], or the inner reader's own.
pub struct Decoder<R> {
    inner: R,
    limits: Limits,
    scratch: DecodeScratch,
    first: Header,
    /// What is being decoded.
    frame: OpenFrame,
    frame_number: u64,
    /// What the frames so far decode to, in bytes.
    decoded_len: u64,
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
    next_chunk: usize,
    /// Bytes of the frame that have been read.
    bytes_read: u64,
}

impl<R: Read> Decoder<R> {
    /// A decoder of the file that `inner` reads. Reads the first frame's index.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and `BaseRequired` for a file that holds a difference: use
    /// [`DeltaDecoder`](crate::delta::DeltaDecoder) for those.
    pub fn new(inner: R, limits: Limits) -> io::Result<Self> {
        let decoder = Self::open(inner, limits)?;
        match decoder.first.delta {
            Delta::None => Ok(decoder),
            _ => Err(DecodeError::from(DecodeErrorKind::BaseRequired).into()),
        }
    }

    /// A decoder that hands out the difference where the file holds one.
    pub(crate) fn open(mut inner: R, limits: Limits) -> io::Result<Self> {
        let mut bytes = Vec::new();
        read_up_to(&mut inner, HEADER_LEN as u64, &mut bytes)?;
        let first = Header::parse(&bytes).map_err(|kind| DecodeError::from(kind).in_frame(0))?;
        let frame = OpenFrame::read(first, bytes, Vec::new(), &mut inner, &limits, 0)
            .map_err(|error| in_frame(error, 0))?;
        Ok(Self {
            inner,
            limits,
            scratch: DecodeScratch::new(),
            first,
            frame,
            frame_number: 0,
            decoded_len: first.decoded_len,
            decoded: Vec::new(),
            unread: 0..0,
            ending: None,
        })
    }

    /// The header of the first frame.
    pub fn header(&self) -> &Header {
        &self.first
    }

    /// The inner reader. Reading from it tears the file apart.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The inner reader: at the end of the file, once reading has come to an end.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The next chunk, from this frame or the ones that follow. `None` at the end of the file.
    fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.frame.next_chunk() {
                return Ok(Some(chunk));
            }
            self.frame.skip_rest(&mut self.inner)?;
            if !self.first.streaming || !self.open_next_frame()? {
                return Ok(None);
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
        let (inner, limits) = (&mut self.inner, &self.limits);
        self.frame = OpenFrame::read(header, bytes, payload, inner, limits, self.decoded_len)?;
        self.decoded_len += header.decoded_len;
        Ok(true)
    }

    /// Decodes the next chunk straight into `output` if it fits there, otherwise into our own
    /// memory. Returns how much of `output` was filled.
    fn decode_next(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let Some(chunk) = self.next_chunk()? else { return Ok(0) };
        let needed = usize::try_from(chunk.len()).map_err(|_| {
            DecodeError::from(DecodeErrorKind::OutOfMemory { requested: chunk.len() })
        })?;
        let is_direct = needed <= output.len();
        if !is_direct && self.decoded.len() < needed {
            self.decoded = zeroed(needed as u64)?;
        }
        let dst = if is_direct { &mut output[..needed] } else { &mut self.decoded[..needed] };
        self.frame.decode(&chunk, dst, &mut self.inner, &mut self.scratch)?;
        if is_direct {
            return Ok(needed);
        }
        self.unread = 0..needed;
        Ok(self.read_decoded(output))
    }

    /// Hands out decoded bytes that are waiting.
    fn read_decoded(&mut self, output: &mut [u8]) -> usize {
        let len = self.unread.len().min(output.len());
        output[..len].copy_from_slice(&self.decoded[self.unread.start..][..len]);
        self.unread.start += len;
        len
    }
}

impl<R: Read> Read for Decoder<R> {
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

impl<R> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("header", &self.first)
            .field("frame_number", &self.frame_number)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}

impl OpenFrame {
    /// Reads the index of a frame, whose header has been read into `bytes`, and its payload, unless
    /// that can be read chunk by chunk. `payload` is memory to use again.
    fn read(
        header: Header,
        bytes: Vec<u8>,
        mut payload: Vec<u8>,
        inner: &mut impl Read,
        limits: &Limits,
        decoded_before: u64,
    ) -> io::Result<Self> {
        let check = |len| limits.check(header.decoded_len, len, decoded_before);
        check(header.frame_len).map_err(DecodeError::from)?;
        let index = IndexBuf::read(header, bytes, |bytes, needed| {
            check_memory(needed, limits)?;
            read_exactly(inner, needed - bytes.len() as u64, bytes)
        })?;
        // The frame's length is only a promise; the content has to be read before it is decoded.
        let content_len = index.get().content_len();
        check(content_len).map_err(DecodeError::from)?;
        payload.clear();
        if !is_sequential(&header) {
            check_memory(content_len, limits)?;
            read_exactly(inner, content_len - index.prefix_len(), &mut payload)?;
        }
        let bytes_read = index.prefix_len() + payload.len() as u64;
        Ok(Self { index, payload, next_chunk: 0, bytes_read })
    }

    fn next_chunk(&self) -> Option<Chunk> {
        self.index.get().chunk(self.next_chunk)
    }

    /// Decodes the next chunk, which is `chunk`.
    fn decode(
        &mut self,
        chunk: &Chunk,
        dst: &mut [u8],
        inner: &mut impl Read,
        scratch: &mut DecodeScratch,
    ) -> io::Result<()> {
        let mut stored = [&[][..]; MAX_PLANES];
        if is_sequential(self.index.get().header()) {
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
        chunk
            .decode(&stored, dst, &mut scratch)
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

/// Whether the payload is stored in the order in which it is decoded: there is only one plane.
fn is_sequential(header: &Header) -> bool {
    header.dtype.size() == 1
}

/// Whether the limits allow to keep so much of a frame in memory.
fn check_memory(requested: u64, limits: &Limits) -> io::Result<()> {
    let limit = limits.frame_bytes;
    if requested > limit {
        return Err(DecodeError::from(DecodeErrorKind::LimitExceeded { requested, limit }).into());
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
