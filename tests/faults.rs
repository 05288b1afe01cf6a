//! Inner readers and writers that deliver a byte at a time, are interrupted, or have nothing just
//! now: the first two are gone through, the third is an error and never an end.

#[path = "common/data.rs"]
mod data;

use std::io::{self, Cursor, Read, Write};

use zipnn::delta::{DeltaDecoder, DeltaEncoder};
use zipnn::{DType, Decoder, Encoder, Limits, Options};

/// Passes on one byte at every other call; at the others it is interrupted.
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

fn options(dtype: DType, checksums: bool) -> Options {
    Options::new(dtype).chunk_log2(9).frame_len(1000).checksums(checksums).index(checksums)
}

/// Every form of file that is written, with what is in it.
fn files() -> Vec<(Options, Vec<u8>, Vec<u8>)> {
    let mut files = Vec::new();
    for dtype in DType::ALL {
        for checksums in [false, true] {
            let options = options(dtype, checksums);
            let data = data::weights(dtype, 3300, 1);
            let mut encoder = Encoder::new(Vec::new(), options).unwrap();
            encoder.write_all(&data).unwrap();
            files.push((options, data, encoder.finish().unwrap()));
        }
    }
    files
}

#[test]
fn bytes_may_come_one_by_one() {
    for (options, data, file) in files() {
        let mut decoded = Vec::new();
        let mut decoder = Decoder::new(Trickle::new(&file[..]), Limits::default()).unwrap();
        decoder.read_to_end(&mut decoded).unwrap();
        assert!(decoded == data);

        let mut encoder = Encoder::new(Trickle::new(Vec::new()), options).unwrap();
        io::copy(&mut Trickle::new(&data[..]), &mut encoder).unwrap();
        assert!(encoder.finish().unwrap().inner == file);
    }
}

#[test]
fn differences_may_come_one_by_one() {
    let (data, base) = (data::weights(DType::BF16, 3300, 1), data::weights(DType::BF16, 3300, 2));
    for checksums in [false, true] {
        let options = options(DType::BF16, checksums);
        let mut encoder =
            DeltaEncoder::new(Trickle::new(Vec::new()), Cursor::new(&base), options).unwrap();
        io::copy(&mut Trickle::new(&data[..]), &mut encoder).unwrap();
        let file = encoder.finish().unwrap().inner;
        let mut decoded = Vec::new();
        let inner = Trickle::new(&file[..]);
        let mut decoder = DeltaDecoder::new(inner, Cursor::new(&base), Limits::default()).unwrap();
        decoder.read_to_end(&mut decoded).unwrap();
        assert!(decoded == data);
    }
}

/// Has nothing just now, once, after so many bytes.
struct Waiting<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Read for Waiting<'_> {
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
fn nothing_just_now_is_not_the_end() {
    for (_, data, file) in files() {
        for left in 0..file.len() {
            let mut decoded = Vec::new();
            let result = Decoder::new(Waiting { rest: &file, left }, Limits::default())
                .and_then(|mut decoder| decoder.read_to_end(&mut decoded));
            let error = result.expect_err("it is no end");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "after {left} bytes: {error}");
            assert!(data.starts_with(&decoded), "after {left} bytes");
        }
    }
}

/// Refuses what it gets once, and takes all else.
struct FailsOnce {
    taken: Vec<u8>,
    calls: usize,
    fails_at: usize,
}

impl Write for FailsOnce {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls == self.fails_at {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.taken.extend_from_slice(input);
        Ok(input.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame that is lost stays lost: no index makes a file of the rest.
#[test]
fn nothing_is_finished_after_a_failure() {
    let data = data::weights(DType::BF16, 3000, 1);
    for index in [false, true] {
        for fails_at in 1..=3 {
            let inner = FailsOnce { taken: Vec::new(), calls: 0, fails_at };
            let options = options(DType::BF16, true).index(index);
            let mut encoder = Encoder::new(inner, options).unwrap();
            assert!(encoder.write_all(&data).is_err());
            let error = encoder.finish().err().expect("a frame is missing");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "index: {index}");
        }
    }
}
