//! Readers that decompress what they read.

use core::fmt;
use core::ops::Range;
use std::io::{self, Empty, Read, Seek, SeekFrom};
use std::vec::Vec;

use crate::base::{self, BaseId};
use crate::chunk::decode::{Chunk, DecodeScratch};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::walk::FrameWalk;
use crate::format::HEADER_LEN;
use crate::frame::header::Header;
use crate::frame::index::FrameIndex;
use crate::frame::open::{FrameOpener, OpenOptions, OpenedFrame};
use crate::io::read_base::read_base;
use crate::limits::Limits;
use crate::plane::MAX_PLANES;
use crate::try_alloc::at_least;

/// Decompresses the file that another reader reads, chunk by chunk.
///
/// The decoder keeps one compressed frame in memory, or only one chunk if the frame has a single
/// plane and nothing to verify. Reading ends after the last frame. A truncated file is an error. A
/// chunk that does not match its checksum is an error as well, and none of its bytes are returned.
///
/// Errors are [`io::Error`]s that contain a [`DecodeError`], or errors of the inner reader.
pub struct Decoder<R>(Engine<R, Empty>);

impl<R: Read> Decoder<R> {
    /// Returns a decoder for the file that `inner` reads.
    ///
    /// This reads the beginning of the first frame.
    ///
    /// # Errors
    ///
    /// The errors of the first frame; `BaseRequired` if the file holds a difference, which a
    /// [`DeltaDecoder`](crate::delta::DeltaDecoder) reads.
    pub fn new(inner: R, limits: Limits) -> io::Result<Self> {
        Engine::open(inner, None, limits).map(Self)
    }
}

impl<R> Decoder<R> {
    /// Returns the header of the first frame.
    pub fn header(&self) -> &Header {
        &self.0.first
    }

    /// Returns the inner reader.
    pub fn get_ref(&self) -> &R {
        &self.0.inner
    }

    /// Returns the inner reader.
    ///
    /// Reading from it directly or seeking corrupts the input of the decoder.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.0.inner
    }

    /// Returns the inner reader.
    ///
    /// Its position is the end of the file once the decoder has reached that; before, it is
    /// unspecified.
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
    /// Returns a decoder for the file that `inner` reads. `base` begins at its current position.
    ///
    /// If the file identifies its base, this reads `base` twice: first to check that it is the
    /// right one.
    ///
    /// # Errors
    ///
    /// The errors of [`Decoder::new`], `NotADelta`, `BaseLength`, `WrongBase`, and errors of the
    /// base.
    pub fn new(inner: R, mut base: B, limits: Limits) -> io::Result<Self> {
        let start = base.stream_position()?;
        let mut engine = Engine::open(inner, Some(base), limits)?;
        if let (Some(expected), Some(base)) = (engine.frame.opened.base(), &mut engine.base) {
            let found = BaseId::read(&mut *base)?;
            base::check(expected, found).map_err(DecodeError::from)?;
            base.seek(SeekFrom::Start(start))?;
        }
        Ok(Self(engine))
    }
}

impl<R, B> DeltaDecoder<R, B> {
    /// Returns the header of the first frame.
    pub fn header(&self) -> &Header {
        &self.0.first
    }

    /// Returns the inner reader.
    pub fn get_ref(&self) -> &R {
        &self.0.inner
    }

    /// Returns the inner reader.
    ///
    /// Reading from it directly or seeking corrupts the input of the decoder.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.0.inner
    }

    /// Returns the inner reader.
    ///
    /// Its position is the end of the file once the decoder has reached that; before, it is
    /// unspecified.
    pub fn into_inner(self) -> R {
        self.0.inner
    }
}

impl<R: Read, B: Read> Read for DeltaDecoder<R, B> {
    /// Reads as [`Decoder`] does. `BaseTooShort` and `BaseTooLong` are errors as well.
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        self.0.read(output)
    }
}

impl<R, B> fmt::Debug for DeltaDecoder<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("DeltaDecoder", f)
    }
}

/// The common part of both decoders.
struct Engine<R, B> {
    inner: R,
    base: Option<B>,
    /// The part of the base that belongs to a chunk.
    base_part: Vec<u8>,
    scratch: DecodeScratch,
    walk: FrameWalk,
    first: Header,
    frame: CurrentFrame,
    /// Number of bytes decoded so far.
    decoded_len: u64,
    /// A decoded chunk, and the part of it that has not been read.
    decoded: Vec<u8>,
    unread: Range<usize>,
    /// The result of every later read.
    ending: Option<Ending>,
}

/// The reason why reading has ended.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// All frames have been read.
    Complete,
    /// The file is damaged.
    Corrupt(DecodeError),
    /// The inner reader failed, so its next bytes need not be the next bytes of the file.
    Broken(io::ErrorKind),
}

/// The frame that is being decoded.
struct CurrentFrame {
    opened: OpenedFrame,
    number: u64,
    /// The whole payload, or the last chunk if the frame is read chunk by chunk.
    payload: Vec<u8>,
    is_chunk_by_chunk: bool,
    next_chunk: usize,
    /// Number of bytes of the frame read so far.
    position: u64,
}

impl<R: Read, B: Read> Engine<R, B> {
    fn open(mut inner: R, base: Option<B>, limits: Limits) -> io::Result<Self> {
        let mut walk = FrameWalk::new(OpenOptions::new(limits).delta(base.is_some()));
        let frame = CurrentFrame::open(&mut walk, &mut inner, Vec::new())
            .map_err(|error| in_frame(error, 0))?;
        Ok(Self {
            inner,
            base,
            base_part: Vec::new(),
            scratch: DecodeScratch::new(),
            walk,
            first: *frame.opened.header(),
            frame,
            decoded_len: 0,
            decoded: Vec::new(),
            unread: 0..0,
            ending: None,
        })
    }

    /// Returns the next chunk, from this frame or a later one; `None` at the end of the file.
    fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.frame.opened.chunk(self.frame.next_chunk) {
                return Ok(Some(chunk));
            }
            self.frame.skip_rest(&mut self.inner)?;
            if !self.walk.continues() || !self.open_next_frame()? {
                return self.end().map(|()| None);
            }
        }
    }

    /// Opens the next frame; returns `false` if there is none.
    fn open_next_frame(&mut self) -> io::Result<bool> {
        let mut header = Vec::new();
        read_up_to(&mut self.inner, HEADER_LEN as u64, &mut header)?;
        if header.is_empty() {
            return Ok(false);
        }
        let payload = core::mem::take(&mut self.frame.payload);
        let inner = &mut (&header[..]).chain(&mut self.inner);
        let number = self.walk.number();
        self.frame = CurrentFrame::open(&mut self.walk, inner, payload)
            .map_err(|error| in_frame(error, number))?;
        Ok(true)
    }

    /// Checks that the file and the base may end here.
    fn end(&mut self) -> io::Result<()> {
        self.walk.end()?;
        if let Some(base) = &mut self.base
            && base.take(1).read_to_end(&mut self.base_part)? > 0
        {
            let expected = self.decoded_len;
            return Err(DecodeError::from(DecodeErrorKind::BaseTooLong { expected }).into());
        }
        Ok(())
    }

    /// Decodes the next chunk into `output` if it fits, otherwise into memory of the decoder.
    /// Returns the number of bytes written to `output`.
    fn decode_next(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let Some(chunk) = self.next_chunk()? else { return Ok(0) };
        let needed = usize::try_from(chunk.len()).map_err(|_| {
            DecodeError::from(DecodeErrorKind::OutOfMemory { requested: chunk.len() })
        })?;
        let base_part = match &mut self.base {
            None => None,
            Some(base) => {
                self.base_part.clear();
                read_base(base, chunk.len(), self.decoded_len, &mut self.base_part)?;
                Some(&self.base_part[..])
            }
        };
        let is_direct = needed <= output.len();
        let dst = match is_direct {
            true => &mut output[..needed],
            false => at_least(&mut self.decoded, needed as u64)?,
        };
        self.frame.decode(&chunk, base_part, dst, &mut self.inner, &mut self.scratch)?;
        self.decoded_len += chunk.len();
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
                let error = in_frame(error, self.frame.number);
                let ours = error.get_ref().and_then(|error| error.downcast_ref()).copied();
                self.ending = Some(ours.map_or(Ending::Broken(error.kind()), Ending::Corrupt));
                Err(error)
            }
        }
    }
}

impl<R, B> Engine<R, B> {
    /// Copies decoded bytes to `output`.
    fn read_decoded(&mut self, output: &mut [u8]) -> usize {
        let len = self.unread.len().min(output.len());
        output[..len].copy_from_slice(&self.decoded[self.unread.start..][..len]);
        self.unread.start += len;
        len
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("header", &self.first)
            .field("frame_number", &self.frame.number)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}

impl CurrentFrame {
    /// Reads a frame up to its payload, and the payload and annex unless it is read chunk by chunk.
    /// Reuses the memory of `payload`.
    fn open(walk: &mut FrameWalk, inner: &mut impl Read, mut payload: Vec<u8>) -> io::Result<Self> {
        let options = walk.options();
        let mut opener = FrameOpener::new(options);
        let mut position = 0;
        let mut is_chunk_by_chunk = false;
        payload.clear();
        loop {
            if let Some(index) = opener.index()
                && position == index.prefix_len()
            {
                is_chunk_by_chunk = options.is_chunk_by_chunk(&index);
                if !is_chunk_by_chunk {
                    read_payload(inner, &index, &mut payload)?;
                    position = index.content_len();
                }
            }
            let Some(wanted) = opener.wanted() else { break };
            opener.fill(|bytes, len| read_up_to(inner, len, bytes).map(drop))?;
            position = wanted.end;
        }
        let number = walk.number();
        let opened = walk.open(opener)?;
        Ok(Self { opened, number, payload, is_chunk_by_chunk, next_chunk: 0, position })
    }

    /// Decodes `chunk`, the next chunk of the frame.
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
            let have = read_up_to(inner, len, &mut self.payload)?;
            if have < len {
                return Err(truncated(self.position + len, self.position + have));
            }
            self.position += len;
            stored[0] = &self.payload;
        } else {
            let start = self.opened.payload_range().start;
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

    /// Skips the slack at the end of the frame. Returns an error if it is incomplete.
    fn skip_rest(&mut self, inner: &mut impl Read) -> io::Result<()> {
        let frame_len = self.opened.header().frame_len;
        let rest = frame_len - self.position;
        let skipped = io::copy(&mut inner.take(rest), &mut io::sink())?;
        self.position += skipped;
        if skipped < rest {
            return Err(truncated(frame_len, self.position));
        }
        Ok(())
    }
}

/// Reads the payload of a frame.
fn read_payload(
    inner: &mut impl Read,
    index: &FrameIndex<'_>,
    payload: &mut Vec<u8>,
) -> io::Result<()> {
    let (start, end) = (index.prefix_len(), index.content_len());
    let have = start + read_up_to(inner, end - start, payload)?;
    if have < end { Err(truncated(end, have)) } else { Ok(()) }
}

/// Reads up to `len` bytes, fewer only at the end of the input. Memory grows as bytes arrive,
/// because `len` may be wrong.
fn read_up_to(inner: &mut impl Read, len: u64, bytes: &mut Vec<u8>) -> io::Result<u64> {
    /// Maximum number of bytes to reserve before anything has been read.
    const UNEARNED: u64 = 1 << 16;
    bytes.reserve(len.min(UNEARNED) as usize);
    Ok(inner.take(len).read_to_end(bytes)? as u64)
}

fn truncated(needed: u64, have: u64) -> io::Error {
    DecodeError::from(DecodeErrorKind::Truncated { needed, have }).into()
}

/// Adds the number of the frame to a [`DecodeError`] without one.
fn in_frame(error: io::Error, frame: u64) -> io::Error {
    match error.downcast::<DecodeError>() {
        Ok(error) if error.location().frame.is_none() => error.in_frame(frame).into(),
        Ok(error) => error.into(),
        Err(error) => error,
    }
}
