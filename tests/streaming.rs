//! `Encoder`, `Decoder` and the readers of differences at their ends, and with inner readers and
//! writers that fail.

use std::io::{self, BufRead, BufReader, Read, Write};

use zipnn::delta::DeltaDecoder;
use zipnn::{DType, DecodeError, DecodeErrorKind, Decoder, Delta, EncoderBuilder, Limits, Options};

/// Data that compresses, but not to nothing.
fn data(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 27) as u8).collect()
}

fn options() -> Options {
    Options::new(DType::BF16).plain()
}

fn builder(options: Options) -> EncoderBuilder {
    EncoderBuilder::new(options).frame_len(1000)
}

fn file(data: &[u8], options: Options) -> Vec<u8> {
    let mut encoder = builder(options).build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn kind(error: &io::Error) -> DecodeErrorKind {
    error.get_ref().unwrap().downcast_ref::<DecodeError>().unwrap().kind()
}

/// Reads until an error, which is expected, and then once more.
fn two_errors(mut reader: impl Read) -> [io::Error; 2] {
    let first = io::copy(&mut reader, &mut io::sink()).unwrap_err();
    [first, reader.read(&mut [0; 10]).unwrap_err()]
}

#[test]
fn the_end_stays_the_end() {
    for len in [0, 1, 1000, 4321] {
        let data = data(len);
        let file = file(&data, options());
        let mut decoder = Decoder::new(&file[..], Limits::default()).unwrap();
        let mut decoded = Vec::new();
        decoder.read_to_end(&mut decoded).unwrap();
        assert_eq!(decoded, data);
        for _ in 0..3 {
            assert_eq!(decoder.read(&mut [0; 10]).unwrap(), 0);
        }
        assert!(decoder.into_inner().is_empty(), "all of the file has been read");
    }
}

#[test]
fn lines_can_be_read() {
    let text = "weights\n".repeat(1000);
    let file = file(text.as_bytes(), options());
    let decoder = Decoder::new(&file[..], Limits::default()).unwrap();
    assert_eq!(BufReader::new(decoder).lines().map(Result::unwrap).count(), 1000);
}

#[test]
fn corruption_is_told_again() {
    let mut file = file(&data(4321), options());
    file.truncate(file.len() - 1);
    let errors = two_errors(Decoder::new(&file[..], Limits::default()).unwrap());
    for error in &errors {
        assert!(matches!(kind(error), DecodeErrorKind::Truncated { .. }), "{error}");
    }
    assert_eq!(errors[0].to_string(), errors[1].to_string());
}

/// Reads or writes so many bytes, then fails.
struct Failing<T> {
    inner: T,
    left: usize,
    kind: io::ErrorKind,
}

impl<R: Read> Read for Failing<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.left = usize::MAX;
            return Err(self.kind.into());
        }
        let room = output.len().min(self.left);
        let len = self.inner.read(&mut output[..room])?;
        self.left -= len;
        Ok(len)
    }
}

impl<W: Write> Write for Failing<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.left = usize::MAX;
            return Err(self.kind.into());
        }
        let len = self.inner.write(&input[..input.len().min(self.left)])?;
        self.left -= len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[test]
fn a_broken_reader_is_not_a_corrupt_file() {
    let file = file(&data(4321), options());
    for left in 32..file.len() {
        let inner = Failing { inner: &file[..], left, kind: io::ErrorKind::TimedOut };
        let Ok(decoder) = Decoder::new(inner, Limits::default()) else { continue };
        for error in two_errors(decoder) {
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "after {left} bytes: {error}");
        }
    }
}

#[test]
fn an_encoder_gives_up_after_an_error() {
    let data = data(4000);
    for left in [0, 1, 500, 900] {
        let kind = io::ErrorKind::WouldBlock;
        let mut encoder =
            builder(options()).build(Failing { inner: Vec::new(), left, kind }).unwrap();
        let error = data.chunks(100).find_map(|part| encoder.write_all(part).err()).unwrap();
        assert_eq!(error.kind(), kind);
        assert_eq!(encoder.write(&data).unwrap_err().kind(), kind);
        assert_eq!(encoder.flush().unwrap_err().kind(), kind);
        assert_eq!(encoder.finish().err().unwrap().kind(), kind);
    }
}

#[test]
fn bases_of_another_length_are_refused() {
    let base = data(4321);
    let difference = file(&data(4321), options().delta(Delta::File));
    let short = DecodeErrorKind::BaseTooShort { found: 4320 };
    let long = DecodeErrorKind::BaseTooLong { expected: 4321 };
    for (base, expected) in [(&base[1..], short), (&[&base[..], &[0]].concat()[..], long)] {
        let decoder =
            DeltaDecoder::new(&difference[..], io::Cursor::new(base), Limits::default()).unwrap();
        assert!(two_errors(decoder).iter().all(|error| kind(error) == expected));
    }
}

#[test]
fn encoders_need_bases_of_the_same_length() {
    let encode = |base: &[u8]| {
        let mut encoder = builder(options()).build_delta(Vec::new(), io::Cursor::new(base))?;
        encoder.write_all(&[1; 10])?;
        encoder.finish()
    };
    assert!(encode(&[2; 10]).is_ok());
    let short = DecodeErrorKind::BaseTooShort { found: 9 };
    assert_eq!(kind(&encode(&[2; 9]).unwrap_err()), short);
    let long = DecodeErrorKind::BaseTooLong { expected: 10 };
    assert_eq!(kind(&encode(&[2; 11]).unwrap_err()), long);
}
