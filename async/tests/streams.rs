//! Streaming through readers and writers that take and give few bytes at a time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_executor::block_on;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zipnn::io::EncoderBuilder;
use zipnn::{DType, DecodeError, Limits, Options};
use zipnn_async::{Decoder, Encoder};

/// Reads and writes at most 7 bytes at a time, and is pending in between.
#[derive(Default)]
struct Slow {
    bytes: Vec<u8>,
    at: usize,
    is_ready: bool,
    is_closed: bool,
    /// Fails once it has this many bytes.
    fails_at: Option<usize>,
}

impl Slow {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.is_ready = !self.is_ready;
        if self.is_ready {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll(context));
        let len = buf.len().min(7).min(self.bytes.len() - self.at);
        buf[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll(context));
        if self.fails_at.is_some_and(|at| self.bytes.len() >= at) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len = buf.len().min(7);
        self.bytes.extend_from_slice(&buf[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context).map(Ok)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll(context));
        self.is_closed = true;
        Poll::Ready(Ok(()))
    }
}

fn data() -> Vec<u8> {
    (0..10_000_u32).flat_map(|i| (i as f32).to_le_bytes()).collect()
}

fn builder() -> EncoderBuilder {
    EncoderBuilder::new(Options::new(DType::F32).chunk_log2(10)).frame_len(5000)
}

fn compressed() -> Vec<u8> {
    let mut encoder = builder().build(Vec::new()).unwrap();
    io::Write::write_all(&mut encoder, &data()).unwrap();
    encoder.finish().unwrap()
}

fn decode(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    let reader = Slow { bytes: bytes.to_vec(), ..Slow::default() };
    let mut decoder = Decoder::new(reader, Limits::default());
    block_on(decoder.read_to_end(&mut decoded)).map(|_| decoded)
}

#[test]
fn the_file_is_that_of_the_blocking_encoder() {
    let mut encoder = Encoder::with_builder(Slow::default(), builder()).unwrap();
    block_on(async {
        for part in data().chunks(3333) {
            encoder.write_all(part).await?;
        }
        encoder.flush().await?;
        assert!(encoder.get_ref().bytes.len() > 5000);
        encoder.close().await
    })
    .unwrap();
    let slow = encoder.into_inner();
    assert!(slow.is_closed);
    assert!(slow.bytes == compressed());
    assert!(decode(&slow.bytes).unwrap() == data());
}

#[test]
fn a_file_that_ends_early_is_truncated() {
    let file = compressed();
    for len in [0, 1, 31, 100, file.len() / 2, file.len() - 1] {
        let error = decode(&file[..len]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}: {error}");
    }
    let mut damaged = file;
    damaged[2000] ^= 1;
    let error = decode(&damaged).unwrap_err().downcast::<DecodeError>().unwrap();
    assert_eq!(error, zipnn::decompress(&damaged, &Limits::default()).unwrap_err());
}

#[test]
fn errors_of_the_writer_are_returned() {
    let slow = Slow { fails_at: Some(2000), ..Slow::default() };
    let mut encoder = Encoder::with_builder(slow, builder()).unwrap();
    let error = block_on(async {
        encoder.write_all(&data()).await?;
        encoder.close().await
    });
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
