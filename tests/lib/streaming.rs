//! `Encoder`, `Decoder` and the readers of differences at their ends, and with inner readers and
//! writers that fail.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::rc::Rc;

use zipnn::delta::{Delta, DeltaDecoder};
use zipnn::io::EncoderBuilder;
use zipnn::{DType, DecodeError, DecodeErrorKind, Decoder, Limits, Options};

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

/// A vector that others can look at.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(input)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an encoder leaves behind that is dropped after `len` bytes of data.
fn dropped(builder: EncoderBuilder, len: usize) -> Vec<u8> {
    let file = Shared::default();
    let mut encoder = builder.build(file.clone()).unwrap();
    encoder.write_all(&data(len)).unwrap();
    drop(encoder);
    file.0.take()
}

/// What is wrong with a file, by everything that reads it from front to back.
fn faults(file: &[u8]) -> Vec<(&'static str, Option<DecodeErrorKind>)> {
    let limits = Limits::default();
    let of = |result: Result<(), DecodeError>| result.err().map(|error| error.kind());
    let assemble = || {
        let mut decoder = zipnn::push::PushDecoder::new(limits);
        let mut rest = file;
        while !rest.is_empty() {
            rest = &rest[decoder.push(rest)?..];
            while decoder.next_chunk()?.is_some() {}
        }
        decoder.finish()
    };
    let seek = || {
        let mut seeker = zipnn::seek::Seeker::new(file.len() as u64, limits);
        while let Some(range) = seeker.wanted() {
            seeker.feed(&file[range.start as usize..range.end as usize])?;
        }
        Ok(())
    };
    let stream = || {
        let mut decoder = Decoder::new(file, limits)?;
        io::copy(&mut decoder, &mut io::sink())
    };
    let archive =
        zipnn::Archive::open(io::Cursor::new(file), limits).map_err(|error| match error {
            zipnn::ArchiveError::Decode(error) => error,
            error => panic!("{error}"),
        });
    let room = &mut [0; 10_000][..];
    let scratch = &mut zipnn::frame::DecodeScratch::new();
    #[allow(unused_mut, reason = "threads are a feature")]
    let mut faults = vec![
        ("decompress", of(zipnn::decompress(file, &limits).map(drop))),
        (
            "decompress_into",
            of(zipnn::decompress_into(file, room, &Limits::default(), scratch).map(drop)),
        ),
        ("decoded_len", of(zipnn::decoded_len(file, &limits).map(drop))),
        ("verify", of(zipnn::verify(file, &limits).map(drop))),
        ("Frames", of(zipnn::file::Frames::new(file).try_for_each(|frame| frame.map(drop)))),
        ("Decoder", stream().err().map(|error| kind(&error))),
        ("PushDecoder", of(assemble())),
        ("Seeker", of(seek())),
        ("Archive", of(archive.map(drop))),
    ];
    #[cfg(feature = "rayon")]
    faults.push(("par_decompress", of(zipnn::parallel::par_decompress(file, &limits).map(drop))));
    faults
}

#[test]
fn a_dropped_encoder_leaves_a_file_that_every_reader_reports() {
    for dtype in DType::ALL {
        for options in [Options::new(dtype), Options::new(dtype).checksums(false)] {
            for len in [1000, 3000, 3500] {
                let file = dropped(builder(options), len);
                assert!(!file.is_empty());
                for (reader, fault) in faults(&file) {
                    let expected = Some(DecodeErrorKind::FooterMissing);
                    assert_eq!(fault, expected, "{reader}, {dtype:?}, {len} bytes");
                }
            }
        }
    }
    for (reader, fault) in faults(&dropped(builder(Options::new(DType::BF16)), 999)) {
        assert!(matches!(fault, Some(DecodeErrorKind::Truncated { .. })), "{reader}: {fault:?}");
    }
    // What the documentation warns of.
    let options = Options::new(DType::BF16);
    for builder in [builder(options.plain()), builder(options).index(false)] {
        let file = dropped(builder, 3500);
        assert!(faults(&file).iter().all(|(_, fault)| fault.is_none()));
        assert_eq!(zipnn::decompress(&file, &Limits::default()).unwrap(), data(3500)[..3000]);
    }
}

#[test]
fn a_dropped_encoder_of_a_difference_is_reported_too() {
    let (data, base) = (data(3500), vec![0x3c; 3500]);
    let file = Shared::default();
    let encoder =
        builder(Options::new(DType::BF16)).build_delta(file.clone(), io::Cursor::new(&base));
    let mut encoder = encoder.unwrap();
    encoder.write_all(&data).unwrap();
    drop(encoder);
    let file = file.0.take();
    // As long as the base is: otherwise that is what is reported.
    let short = &base[..3000];
    let error = zipnn::delta::decompress(&file, short, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::FooterMissing);
    assert!(zipnn::delta::decompress(&file, &base, &Limits::default()).is_err());
    let mut decoder =
        DeltaDecoder::new(&file[..], io::Cursor::new(&base), Limits::default()).unwrap();
    let error = io::copy(&mut decoder, &mut io::sink()).unwrap_err();
    assert_eq!(kind(&error), DecodeErrorKind::FooterMissing);
}

#[test]
fn a_file_can_be_finished_without_giving_up_the_writer() {
    let data = data(3500);
    let expected = file(&data, Options::new(DType::BF16));
    let mut encoder = builder(Options::new(DType::BF16)).build(Vec::new()).unwrap();
    encoder.write_all(&data).unwrap();
    for _ in 0..2 {
        encoder.try_finish().unwrap();
        assert!(*encoder.get_ref() == expected);
    }
    encoder.flush().unwrap();
    assert_eq!(encoder.write(&data).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(encoder.finish().unwrap() == expected);

    let kind = io::ErrorKind::TimedOut;
    let inner = Failing { inner: Vec::new(), left: expected.len() - 1, kind };
    let mut encoder = builder(Options::new(DType::BF16)).build(inner).unwrap();
    encoder.write_all(&data).unwrap();
    for _ in 0..2 {
        assert_eq!(encoder.try_finish().unwrap_err().kind(), kind);
    }
    assert_eq!(encoder.get_ref().inner.len(), expected.len() - 1, "nothing more is written");
}

#[test]
fn a_difference_that_did_not_finish_never_finishes() {
    let mut encoder = builder(Options::new(DType::BF16))
        .build_delta(Vec::new(), io::Cursor::new(&[2; 11]))
        .unwrap();
    encoder.write_all(&[1; 10]).unwrap();
    assert!(encoder.try_finish().is_err());
    assert!(encoder.try_finish().is_err());
    assert!(encoder.finish().is_err());
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

#[test]
fn encoders_give_access_to_the_inner_writer() {
    let mut encoder = builder(Options::new(DType::BF16)).build(b"before".to_vec()).unwrap();
    encoder.get_mut().extend_from_slice(b", behind");
    assert_eq!(encoder.get_ref(), b"before, behind");
    encoder.write_all(&[1; 10]).unwrap();
    assert_eq!(encoder.into_inner(), b"before, behind", "no frame is complete");

    let base = io::Cursor::new([2; 10]);
    let mut encoder = builder(Options::new(DType::BF16)).build_delta(Vec::new(), base).unwrap();
    encoder.write_all(&[1; 10]).unwrap();
    assert!(encoder.get_ref().is_empty());
    encoder.try_finish().unwrap();
    let file = encoder.get_mut().clone();
    assert!(!file.is_empty());
    assert_eq!(encoder.into_inner(), file);
    let decoded = zipnn::delta::decompress(&file, &[2; 10], &Limits::default()).unwrap();
    assert_eq!(decoded, [1; 10]);
}

#[test]
fn a_failed_encoder_returns_its_error_again() {
    let base = io::Cursor::new([2; 9]);
    let mut encoder = builder(options()).build_delta(Vec::new(), base).unwrap();
    let short = DecodeErrorKind::BaseTooShort { found: 9 };
    encoder.write_all(&[1; 10]).unwrap();
    for _ in 0..3 {
        assert_eq!(kind(&encoder.try_finish().unwrap_err()), short);
    }
    assert_eq!(kind(&encoder.write(&[1]).unwrap_err()), short);
    assert_eq!(kind(&encoder.flush().unwrap_err()), short);
}
