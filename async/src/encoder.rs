//! Compresses into an asynchronous writer.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;
use zipnn::Options;
use zipnn::io::EncoderBuilder;

/// Compresses its input, frame by frame, into an asynchronous writer.
///
/// **A file is complete only after `close`** (or `poll_close`), which writes the last frame and the
/// index. If the encoder is dropped before, readers report the file as truncated.
///
/// The encoder keeps one frame of input and one of output in memory. `flush` writes all complete
/// frames.
///
/// ```
/// use futures_util::AsyncWriteExt;
/// use zipnn::{DType, Limits, Options};
/// use zipnn_async::Encoder;
///
/// # futures_executor::block_on(async {
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::BF16))?;
/// encoder.write_all(&[0x3f; 10_000]).await?;
/// encoder.close().await?;
/// let file = encoder.into_inner();
/// assert_eq!(zipnn::decompress(&file, &Limits::default())?, [0x3f; 10_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a file is complete only after `close`"]
pub struct Encoder<W> {
    writer: W,
    encoder: zipnn::Encoder<Frames>,
    /// Complete frames from the encoder.
    frames: Frames,
    /// Frames that are being written, and the number of their bytes that the writer has accepted.
    pending: Vec<u8>,
    written: usize,
}

/// Collects the output of the encoder.
#[derive(Debug, Clone, Default)]
struct Frames(Arc<Mutex<Vec<u8>>>);

impl Frames {
    /// Swaps the output with `empty`.
    fn swap(&self, empty: &mut Vec<u8>) {
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), empty);
    }
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W> Encoder<W> {
    /// Returns an encoder that writes to `writer` with the defaults of [`EncoderBuilder`].
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of the kind `InvalidInput` that contains an
    /// [`EncodeError`](zipnn::EncodeError), if options are out of range or exclude each other.
    pub fn new(writer: W, options: Options) -> io::Result<Self> {
        Self::with_builder(writer, EncoderBuilder::new(options))
    }

    /// Returns an encoder that writes to `writer`.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::new`].
    pub fn with_builder(writer: W, builder: EncoderBuilder) -> io::Result<Self> {
        let frames = Frames::default();
        let encoder = builder.build(frames.clone())?;
        Ok(Self { writer, encoder, frames, pending: Vec::new(), written: 0 })
    }

    /// Returns the writer, which may not have received the last frames yet.
    pub fn get_ref(&self) -> &W {
        &self.writer
    }

    /// Returns the writer. The file in it is complete if the encoder was closed.
    pub fn into_inner(self) -> W {
        self.writer
    }
}

impl<W: AsyncWrite + Unpin> Encoder<W> {
    /// Writes all frames that the encoder has completed.
    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.written < self.pending.len() {
                let bytes = &self.pending[self.written..];
                match ready!(Pin::new(&mut self.writer).poll_write(context, bytes))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    len => self.written += len,
                }
            }
            self.pending.clear();
            self.written = 0;
            self.frames.swap(&mut self.pending);
            if self.pending.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Encoder<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_frames(context))?;
        Poll::Ready(this.encoder.write(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.encoder.flush()?;
        ready!(this.poll_frames(context))?;
        Pin::new(&mut this.writer).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.encoder.try_finish()?;
        ready!(this.poll_frames(context))?;
        Pin::new(&mut this.writer).poll_close(context)
    }
}
