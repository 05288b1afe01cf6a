//! Writers that compress their input.

use core::fmt;
use std::io::{self, Empty, Read, Seek, SeekFrom, Write};
use std::vec::Vec;

use crate::base::{self, BaseId, Delta};
use crate::chunk::encode::EncodeScratch;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::file::index::Directory;
use crate::frame::write::body::compress_frame;
use crate::frame::write::envelope::{Envelope, FramePosition};
use crate::frame::write::geometry::Geometry;
use crate::io::builder::EncoderBuilder;
use crate::io::read_base::read_base;
use crate::layout_search::{self, Segment};
use crate::options::Options;

/// Compresses the bytes written to it, frame by frame, into another writer.
///
/// **A file is complete only after [`Self::finish`].** Dropping the encoder writes nothing, so the
/// data of the last frame and the index are missing. The first frame states that an index follows,
/// so readers report such a file as truncated, with
/// [`FooterMissing`](crate::DecodeErrorKind::FooterMissing). Without an index, a truncated file
/// decodes to less data without an error: see [`Options::plain`] and [`EncoderBuilder::index`].
///
/// The encoder keeps one frame of input and one of output in memory, and 32 bytes for each frame if
/// the file has an index. `flush` writes only complete frames. [`EncoderBuilder`] sets the length
/// of frames, and whether there is an index.
///
/// With [`Options::auto`], the encoder starts a new frame wherever the layout of the data changes:
/// see [`layout_search::segments`].
///
/// After an error, the inner writer may have received a part of a frame, and all further calls
/// return an error.
///
/// ```
/// use std::io::{Read, Write};
/// use zipnn::{DType, Decoder, Encoder, Limits, Options};
///
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::BF16))?;
/// encoder.write_all(&[0x3f; 10_000])?;
/// let file = encoder.finish()?;
///
/// let mut decoded = Vec::new();
/// Decoder::new(&file[..], Limits::default())?.read_to_end(&mut decoded)?;
/// assert_eq!(decoded, [0x3f; 10_000]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the file is complete only after `finish`"]
pub struct Encoder<W: Write>(Engine<W, Empty>);

impl<W: Write> Encoder<W> {
    /// Returns an encoder that writes to `inner` with the defaults of [`EncoderBuilder`].
    ///
    /// # Errors
    ///
    /// An [`EncodeError`] in an [`io::Error`], if options are out of range or exclude each other.
    pub fn new(inner: W, options: Options) -> io::Result<Self> {
        EncoderBuilder::new(options).build(inner)
    }

    /// Returns the inner writer, which has received complete frames.
    pub fn get_ref(&self) -> &W {
        &self.0.frames.inner
    }

    /// Returns the inner writer. Bytes written to it directly damage the file.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.0.frames.inner
    }

    /// Returns the inner writer without completing the file.
    ///
    /// Input that is not part of a complete frame is lost, unless [`Self::try_finish`] was called
    /// before.
    pub fn into_inner(self) -> W {
        self.0.frames.inner
    }

    /// Completes the file and returns the inner writer.
    ///
    /// This compresses the remaining input, writes the index and flushes the inner writer. Without
    /// this call, the file is incomplete: see [`Encoder`]. Empty input becomes one empty frame,
    /// because readers require a frame.
    ///
    /// # Errors
    ///
    /// Errors of the inner writer, which is dropped. [`Self::try_finish`] keeps it.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }

    /// Completes the file as [`Self::finish`] does, and keeps the inner writer.
    ///
    /// Afterwards, writing more data is an error. Another `try_finish` or `finish` writes nothing.
    ///
    /// # Errors
    ///
    /// Errors of the inner writer.
    pub fn try_finish(&mut self) -> io::Result<()> {
        self.0.try_finish()
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.0.write(input)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.frames.flush()
    }
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("Encoder", f)
    }
}

/// Compresses the difference between the bytes written to it and a base.
///
/// It works like an [`Encoder`], and reads the base as data arrives. **A file is complete only
/// after [`Self::finish`].**
///
/// ```
/// use std::io::{Cursor, Read, Write};
/// use zipnn::delta::{DeltaDecoder, DeltaEncoder};
/// use zipnn::{DType, Limits, Options};
///
/// let base = [0x3f; 10_000];
/// let options = Options::new(DType::BF16);
/// let mut encoder = DeltaEncoder::new(Vec::new(), Cursor::new(&base), options)?;
/// encoder.write_all(&[0x3e; 10_000])?;
/// let file = encoder.finish()?;
///
/// let mut decoded = Vec::new();
/// DeltaDecoder::new(&file[..], Cursor::new(&base), Limits::default())?.read_to_end(&mut decoded)?;
/// assert_eq!(decoded, [0x3e; 10_000]);
///
/// let other = [0x3d; 10_000];
/// assert!(DeltaDecoder::new(&file[..], Cursor::new(&other), Limits::default()).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the file is complete only after `finish`"]
pub struct DeltaEncoder<W: Write, B>(Engine<W, B>);

impl<W: Write, B: Read> DeltaEncoder<W, B> {
    /// Returns an encoder of the difference to `base`.
    ///
    /// The base begins at its current position. If there are checksums and the options do not
    /// identify the base, this reads the base twice, because the beginning of the file identifies
    /// it.
    ///
    /// # Errors
    ///
    /// The errors of [`Encoder::new`], and errors of reading the base.
    pub fn new(inner: W, base: B, options: Options) -> io::Result<Self>
    where
        B: Seek,
    {
        EncoderBuilder::new(options).build_delta(inner, base)
    }

    /// Returns the inner writer, which has received complete frames.
    pub fn get_ref(&self) -> &W {
        &self.0.frames.inner
    }

    /// Returns the inner writer. Bytes written to it directly damage the file.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.0.frames.inner
    }

    /// Returns the inner writer without completing the file.
    ///
    /// Input that is not part of a complete frame is lost, unless [`Self::try_finish`] was called
    /// before.
    pub fn into_inner(self) -> W {
        self.0.frames.inner
    }

    /// Completes the file and returns the inner writer, as [`Encoder::finish`] does.
    ///
    /// # Errors
    ///
    /// `BaseTooLong` if the base is longer than the data, `WrongBase` if the options identify a
    /// base of another length, and errors of the inner writer.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }

    /// Completes the file and keeps the inner writer, as [`Encoder::try_finish`] does.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::finish`].
    pub fn try_finish(&mut self) -> io::Result<()> {
        self.0.try_finish()
    }
}

impl<W: Write, B: Read> Write for DeltaEncoder<W, B> {
    /// Compresses a part of the data.
    ///
    /// Returns `BaseTooShort` if the base ends before the data, or an error of the inner writer.
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.0.write(input)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.frames.flush()
    }
}

impl<W: Write, B> fmt::Debug for DeltaEncoder<W, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("DeltaEncoder", f)
    }
}

impl EncoderBuilder {
    /// Returns an encoder that writes to `inner`.
    ///
    /// # Errors
    ///
    /// An [`EncodeError`] in an [`io::Error`], if options are out of range or exclude each other.
    pub fn build<W: Write>(self, inner: W) -> io::Result<Encoder<W>> {
        Engine::new(inner, None, self).map(Encoder)
    }

    /// Returns an encoder of the difference to `base`, as [`DeltaEncoder::new`] does.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::build`], and errors of reading the base.
    pub fn build_delta<W: Write, B: Read + Seek>(
        mut self,
        inner: W,
        mut base: B,
    ) -> io::Result<DeltaEncoder<W, B>> {
        if self.options.delta == Delta::None {
            self.options.delta = Delta::File;
        }
        // Invalid options are reported before the whole base is read.
        self.check()?;
        if self.options.checksums && self.options.base.is_none() {
            let start = base.stream_position()?;
            self.options.base = Some(BaseId::read(&mut base)?);
            base.seek(SeekFrom::Start(start))?;
        }
        Engine::new(inner, Some(base), self).map(DeltaEncoder)
    }
}

/// The common part of both encoders.
///
/// It collects input until a frame is full, and computes the difference to the base, if there is
/// one.
struct Engine<W, B> {
    frames: FrameWriter<W>,
    base: Option<B>,
    /// The part of the base for a frame, and then the difference.
    difference: Vec<u8>,
    /// Input for the next frame, which is not full yet.
    pending: Vec<u8>,
    /// Whether the file is complete.
    is_finished: bool,
}

impl<W: Write, B: Read> Engine<W, B> {
    fn new(inner: W, base: Option<B>, settings: EncoderBuilder) -> io::Result<Self> {
        settings.check()?;
        let frames = FrameWriter::new(inner, settings);
        let (difference, pending) = (Vec::new(), Vec::new());
        Ok(Self { frames, base, difference, pending, is_finished: false })
    }

    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.frames.check()?;
        if self.is_finished {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the file is complete; no more data can be written",
            ));
        }
        let frame_len = self.frames.settings.frame_len;
        if self.pending.is_empty() && input.len() >= frame_len {
            self.write_frame(&input[..frame_len])?;
            return Ok(frame_len);
        }
        let taken = input.len().min(frame_len - self.pending.len());
        self.pending.extend_from_slice(&input[..taken]);
        if self.pending.len() == frame_len {
            self.write_pending()?;
        }
        Ok(taken)
    }

    fn write_pending(&mut self) -> io::Result<()> {
        let mut pending = core::mem::take(&mut self.pending);
        let written = self.write_frame(&pending);
        pending.clear();
        self.pending = pending;
        written
    }

    fn write_frame(&mut self, input: &[u8]) -> io::Result<()> {
        let Some(base) = &mut self.base else { return self.frames.write(input, None) };
        self.difference.clear();
        let before = self.frames.position.decoded_offset;
        let read = read_base(base, input.len() as u64, before, &mut self.difference);
        self.frames.note(read)?;
        base::apply(&mut self.difference, input);
        self.frames.write(&self.difference, Some(input))
    }

    fn finish(mut self) -> io::Result<W> {
        self.try_finish()?;
        Ok(self.frames.inner)
    }

    fn try_finish(&mut self) -> io::Result<()> {
        self.frames.check()?;
        if self.is_finished {
            return Ok(());
        }
        if !self.pending.is_empty() || self.frames.position.is_first {
            self.write_pending()?;
        }
        let ended = self.end_of_base();
        self.frames.note(ended)?;
        self.frames.finish()?;
        self.is_finished = true;
        Ok(())
    }

    /// Checks that base and data have the same length.
    fn end_of_base(&mut self) -> io::Result<()> {
        let Some(base) = &mut self.base else { return Ok(()) };
        if base.take(1).read_to_end(&mut self.difference)? > 0 {
            let expected = self.frames.position.decoded_offset;
            return Err(DecodeError::from(DecodeErrorKind::BaseTooLong { expected }).into());
        }
        let len = self.frames.position.decoded_offset;
        if self.frames.settings.options.base.is_some_and(|named| named.len != len) {
            return Err(EncodeError::WrongBase.into());
        }
        Ok(())
    }
}

impl<W, B> Engine<W, B> {
    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("options", &self.frames.settings.options)
            .field("pending_bytes", &self.pending.len())
            .field("failure", &self.frames.failure)
            .finish_non_exhaustive()
    }
}

/// Writes a file frame by frame.
struct FrameWriter<W> {
    inner: W,
    settings: EncoderBuilder,
    /// Position of the next frame.
    position: FramePosition,
    /// The frames so far, if the file gets an index.
    directory: Directory,
    /// Memory for the current frame.
    frame: Vec<u8>,
    scratch: EncodeScratch,
    /// The first error. After it, a frame is missing or incomplete.
    failure: Option<Failure>,
}

impl<W: Write> FrameWriter<W> {
    fn new(inner: W, settings: EncoderBuilder) -> Self {
        Self {
            inner,
            settings,
            position: FramePosition::FIRST,
            directory: Directory::new(),
            frame: Vec::new(),
            scratch: EncodeScratch::new(),
            failure: None,
        }
    }

    /// Writes `coded`, which may be the difference of `plain` to a base, in one or several frames.
    fn write(&mut self, coded: &[u8], plain: Option<&[u8]>) -> io::Result<()> {
        let written = self.write_frames(coded, plain);
        self.note(written)
    }

    fn write_frames(&mut self, coded: &[u8], plain: Option<&[u8]>) -> io::Result<()> {
        let options = self.settings.options;
        if !options.is_auto() {
            return self.write_frame(coded, plain, options);
        }
        for Segment { range, layout } in layout_search::segments(coded, None) {
            let plain = plain.map(|plain| &plain[range.clone()]);
            self.write_frame(&coded[range], plain, options.layout(layout))?;
        }
        Ok(())
    }

    fn write_frame(
        &mut self,
        coded: &[u8],
        plain: Option<&[u8]>,
        options: Options,
    ) -> io::Result<()> {
        self.check()?;
        let frame_len = self.settings.frame_len;
        let envelope = Envelope { frame_len, ..Envelope::streaming(self.position, plain) };
        let bound = Geometry::new(coded.len(), &options, &envelope).bound();
        if self.frame.len() < bound {
            self.frame.resize(bound, 0);
        }
        let len = compress_frame(coded, &mut self.frame, &options, &envelope, &mut self.scratch)?;
        let decoded_len = coded.len() as u64;
        if options.index {
            self.directory.push(len as u64, decoded_len).ok_or(io::ErrorKind::FileTooLarge)?;
        }
        self.position = self.position.after(decoded_len);
        self.inner.write_all(&self.frame[..len])
    }

    /// Writes the index.
    fn finish(&mut self) -> io::Result<()> {
        self.check()?;
        let options = &self.settings.options;
        if options.index {
            let last = self.directory.to_frame(options.delta);
            let written = self.inner.write_all(&last);
            self.note(written)?;
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        let flushed = self.inner.flush();
        self.note(flushed)
    }

    /// Returns the first error again.
    fn check(&self) -> io::Result<()> {
        self.failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Records an error, which every further call returns.
    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        self.failure = result.as_ref().err().map(Failure::of);
        result
    }
}

/// A copy of an error. Of an error of the system, only the kind can be copied.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Decode(DecodeError),
    Encode(EncodeError),
    /// An error of the inner writer or of the base.
    Other(io::ErrorKind),
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(&error) = inner.and_then(|inner| inner.downcast_ref()) {
            return Self::Decode(error);
        }
        if let Some(&error) = inner.and_then(|inner| inner.downcast_ref()) {
            return Self::Encode(error);
        }
        Self::Other(error.kind())
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Decode(error) => error.into(),
            Failure::Encode(error) => error.into(),
            Failure::Other(kind) => {
                Self::new(kind, "an earlier call has failed; the file is incomplete")
            }
        }
    }
}
