//! Readers and writers that pass one byte at a time, are interrupted, would block, or fail. The
//! first two do not change the result; the others are errors, and never the end of a file.

use std::io::{self, Cursor, Read, Write};

use zipnn::delta::DeltaDecoder;
use zipnn::io::EncoderBuilder;
use zipnn::{DType, Decoder, Limits, Options};

use crate::common::data;

/// Passes one byte on every second call, and is interrupted on the others.
struct Trickle<T> {
    inner: T,
    calls: usize,
}

impl<T> Trickle<T> {
    fn new(inner: T) -> Self {
        Self { inner, calls: 0 }
    }

    fn interrupt(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.calls % 2 == 1 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        self.interrupt()?;
        let room = output.len().min(1);
        self.inner.read(&mut output[..room])
    }
}

impl<W: Write> Write for Trickle<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.interrupt()?;
        self.inner.write(&input[..input.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn builder(dtype: DType, checksums: bool) -> EncoderBuilder {
    let options = Options::new(dtype).chunk_log2(9);
    let options = if checksums { options } else { options.plain() };
    EncoderBuilder::new(options).frame_len(1000)
}

/// Returns builders of all kinds of files, with data and the file that each writes.
fn files() -> Vec<(EncoderBuilder, Vec<u8>, Vec<u8>)> {
    let mut files = Vec::new();
    for dtype in DType::ALL {
        for checksums in [false, true] {
            let builder = builder(dtype, checksums);
            let data = data::weights(dtype, 3300, 1);
            let mut encoder = builder.build(Vec::new()).unwrap();
            encoder.write_all(&data).unwrap();
            files.push((builder, data, encoder.finish().unwrap()));
        }
    }
    files
}

#[test]
fn single_bytes_and_interruptions_do_not_change_files() {
    for (builder, data, file) in files() {
        let mut decoded = Vec::new();
        let mut decoder = Decoder::new(Trickle::new(&file[..]), Limits::default()).unwrap();
        decoder.read_to_end(&mut decoded).unwrap();
        assert!(decoded == data);

        let mut encoder = builder.build(Trickle::new(Vec::new())).unwrap();
        io::copy(&mut Trickle::new(&data[..]), &mut encoder).unwrap();
        assert!(encoder.finish().unwrap().inner == file);
    }
}

#[test]
fn single_bytes_and_interruptions_do_not_change_differences() {
    let (data, base) = (data::weights(DType::BF16, 3300, 1), data::weights(DType::BF16, 3300, 2));
    for checksums in [false, true] {
        let builder = builder(DType::BF16, checksums);
        let mut encoder =
            builder.build_delta(Trickle::new(Vec::new()), Cursor::new(&base)).unwrap();
        io::copy(&mut Trickle::new(&data[..]), &mut encoder).unwrap();
        let file = encoder.finish().unwrap().inner;
        let mut decoded = Vec::new();
        let inner = Trickle::new(&file[..]);
        let mut decoder = DeltaDecoder::new(inner, Cursor::new(&base), Limits::default()).unwrap();
        decoder.read_to_end(&mut decoded).unwrap();
        assert!(decoded == data);
    }
}

/// Would block once, after `left` bytes.
struct Blocking<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Read for Blocking<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.left = usize::MAX;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let room = output.len().min(self.left);
        let len = self.rest.read(&mut output[..room])?;
        self.left -= len;
        Ok(len)
    }
}

#[test]
fn a_reader_that_would_block_is_not_the_end() {
    for (_, data, file) in files() {
        for left in 0..file.len() {
            let mut decoded = Vec::new();
            let result = Decoder::new(Blocking { rest: &file, left }, Limits::default())
                .and_then(|mut decoder| decoder.read_to_end(&mut decoded));
            let error = result.expect_err("not the end of the file");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "after {left} bytes: {error}");
            assert!(data.starts_with(&decoded), "after {left} bytes");
        }
    }
}

/// Fails once, after `calls_left` calls.
struct FailsOnce {
    calls_left: usize,
    written: Vec<u8>,
}

impl Write for FailsOnce {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.calls_left = self.calls_left.wrapping_sub(1);
        if self.calls_left == usize::MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.written.write(input)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_with_a_failed_write_cannot_be_finished() {
    for checksums in [false, true] {
        let data = data::weights(DType::BF16, 3300, 1);
        // Writing the data writes three frames; finishing writes the fourth and the index.
        for calls_left in 0..if checksums { 5 } else { 4 } {
            let inner = FailsOnce { calls_left, written: Vec::new() };
            let mut encoder = builder(DType::BF16, checksums).build(inner).unwrap();
            let written = encoder.write_all(&data);
            assert_eq!(written.is_err(), calls_left < 3);
            if written.is_err() {
                assert!(encoder.write(&data).is_err());
                assert!(encoder.flush().is_err());
            }
            let error = encoder.finish().err().expect("a frame is missing");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }
}
