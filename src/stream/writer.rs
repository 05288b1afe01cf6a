//! Compressing what is written.

use core::fmt;
use std::io::{self, Write};
use std::vec::Vec;

use crate::chunk::encode::EncodeScratch;
use crate::error::EncodeError;
use crate::frame::write::{Envelope, Geometry, compress_frame};
use crate::options::Options;

/// Compresses what is written to it, frame by frame, into another writer.
///
/// It keeps one frame of input and one of output in memory. [`Self::finish`] writes the last
/// frame; without it the file is incomplete. `flush` passes on what has become whole frames.
///
/// After an error of the inner writer nobody knows how much of a frame it has taken. So the encoder
/// gives up: everything that follows returns an error of the same kind.
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
pub struct Encoder<W: Write> {
    inner: W,
    options: Options,
    /// Input of the frame that is not whole yet.
    pending: Vec<u8>,
    /// The last frame that was written.
    frame: Vec<u8>,
    scratch: EncodeScratch,
    has_written: bool,
    /// How the inner writer has failed.
    failure: Option<io::ErrorKind>,
}

impl<W: Write> Encoder<W> {
    /// An encoder that writes to `inner`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the options are out of range.
    pub fn new(inner: W, options: Options) -> io::Result<Self> {
        options.check()?;
        if options.frame_len == 0 {
            return Err(EncodeError::InvalidFrameSize.into());
        }
        Ok(Self {
            inner,
            options,
            pending: Vec::new(),
            frame: Vec::new(),
            scratch: EncodeScratch::new(),
            has_written: false,
            failure: None,
        })
    }

    /// The inner writer, to which whole frames have been written.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// Compresses what is left, flushes the inner writer and returns it.
    ///
    /// A file without data gets one empty frame, as readers expect one.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.pending.is_empty() || !self.has_written {
            let pending = core::mem::take(&mut self.pending);
            self.write_frame(&pending)?;
        }
        self.flush()?;
        Ok(self.inner)
    }

    fn write_frame(&mut self, input: &[u8]) -> io::Result<()> {
        self.check()?;
        let envelope = Envelope::STREAMING;
        let bound = Geometry::new(input.len(), &self.options, &envelope).bound();
        if self.frame.len() < bound {
            self.frame.resize(bound, 0);
        }
        let len =
            compress_frame(input, &mut self.frame, &self.options, &envelope, &mut self.scratch)?;
        let written = self.inner.write_all(&self.frame[..len]);
        self.has_written = true;
        self.note(written)
    }

    /// An error if there was one before.
    fn check(&self) -> io::Result<()> {
        self.failure.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Keeps an error of the inner writer in mind.
    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        self.failure = result.as_ref().err().map(io::Error::kind);
        result
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.check()?;
        let frame_len = self.options.frame_len;
        if self.pending.is_empty() && input.len() >= frame_len {
            self.write_frame(&input[..frame_len])?;
            return Ok(frame_len);
        }
        let taken = input.len().min(frame_len - self.pending.len());
        self.pending.extend_from_slice(&input[..taken]);
        if self.pending.len() == frame_len {
            let mut pending = core::mem::take(&mut self.pending);
            let written = self.write_frame(&pending);
            pending.clear();
            self.pending = pending;
            written?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        let flushed = self.inner.flush();
        self.note(flushed)
    }
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("options", &self.options)
            .field("pending_bytes", &self.pending.len())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
