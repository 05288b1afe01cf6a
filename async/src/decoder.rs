//! Decompresses from an asynchronous reader.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;
use zipnn::Limits;
use zipnn::push::PushDecoder;

/// Number of bytes to read at a time.
const READ_LEN: usize = 64 << 10;

/// Decompresses a file as it is read.
///
/// The decoder keeps one compressed frame and one decoded chunk in memory. It returns the same
/// errors as [`zipnn::Decoder`]: a [`DecodeError`](zipnn::DecodeError) inside an [`io::Error`].
///
/// ```
/// use futures_util::AsyncReadExt;
/// use zipnn::{DType, Limits, Options};
/// use zipnn_async::Decoder;
///
/// # futures_executor::block_on(async {
/// let data = [1, 2, 3, 4].repeat(1000);
/// let file = zipnn::compress(&data, &Options::new(DType::F32))?;
///
/// let mut decoded = Vec::new();
/// Decoder::new(&file[..], Limits::default()).read_to_end(&mut decoded).await?;
/// assert_eq!(decoded, data);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Decoder<R> {
    reader: R,
    push: PushDecoder,
    /// Decoded bytes that did not fit into the caller's memory, and the number copied since.
    rest: Vec<u8>,
    taken: usize,
}

impl<R> Decoder<R> {
    /// Returns a decoder for the file that `reader` reads.
    pub fn new(reader: R, limits: Limits) -> Self {
        Self { reader, push: PushDecoder::new(limits), rest: Vec::new(), taken: 0 }
    }

    /// Returns the reader.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// Returns the reader, whose position may be after the last decoded byte.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Copies decoded bytes that did not fit into the caller's memory before.
    fn take_rest(&mut self, buf: &mut [u8]) -> usize {
        let rest = &self.rest[self.taken..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        len
    }

    /// Decodes the next chunk of a frame that has been read completely.
    fn next_chunk(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(chunk) = self.push.next_chunk()? else { return Ok(None) };
        let len = chunk.len().min(buf.len());
        buf[..len].copy_from_slice(&chunk[..len]);
        self.rest.clear();
        self.rest.extend_from_slice(&chunk[len..]);
        self.taken = 0;
        Ok(Some(len))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Decoder<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            match this.take_rest(buf) {
                0 => {}
                len => return Poll::Ready(Ok(len)),
            }
            if let Some(len) = this.next_chunk(buf)? {
                return Poll::Ready(Ok(len));
            }
            let space = this.push.buffer(READ_LEN)?;
            if space.is_empty() {
                // Whatever follows the only frame of a file does not belong to it.
                return Poll::Ready(Ok(0));
            }
            match ready!(Pin::new(&mut this.reader).poll_read(context, space))? {
                0 => return Poll::Ready(this.push.finish().map(|()| 0).map_err(Into::into)),
                len => this.push.advance(len)?,
            }
        }
    }
}
