//! Decodes every golden file with every decoder and compresses the data, on any target.
//!
//! Prints a digest of all results, because the same data must give the same bytes everywhere. Where
//! printing is impossible, as in a bare WebAssembly module, it panics unless the digest is the
//! `EXPECTED_DIGEST` of the build.

#[path = "../../common/data.rs"]
mod data;

use std::io::{Read, Write};

use zipnn::{DType, DecodeError, DecodeErrorKind, Decoder, Limits, Options, delta};
use zipnn::file::Frames;
use zipnn::frame::{Scratch, SmallTable};
use zipnn::io::EncoderBuilder;

/// A golden file and its data.
struct Case {
    name: &'static str,
    file: &'static [u8],
    original: &'static [u8],
    original_len: usize,
    /// The base, if the file holds a difference.
    base: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// The expected result of [`Digest::finish`], if known.
const EXPECTED_DIGEST: Option<&str> = option_env!("EXPECTED_DIGEST");

/// FNV-1a of 64 bits over all results.
struct Digest(u64);

impl Digest {
    fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(self) -> String {
        format!("{:016x}", self.0)
    }
}

fn main() {
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    for case in CASES {
        check(case);
        cut(case);
    }
    let written = compress(&mut digest);
    let digest = digest.finish();
    println!(
        "{} golden files, {written} files written, on {} of {} bits; digest {digest}",
        CASES.len(),
        std::env::consts::ARCH,
        usize::BITS
    );
    if let Some(expected) = EXPECTED_DIGEST {
        assert_eq!(digest, expected, "what is written differs");
    }
}

fn check(case: &Case) {
    let original = &case.original[..case.original_len];
    let limits = Limits::default();
    if let Some(base) = case.base {
        let decoded = delta::decompress(case.file, &base[..case.original_len], &limits);
        return assert!(decoded.as_deref() == Ok(original), "{}", case.name);
    }
    assert!(zipnn::decompress(case.file, &limits).as_deref() == Ok(original), "{}", case.name);
    match Decoder::new(case.file, limits) {
        Ok(mut decoder) => {
            let mut decoded = Vec::new();
            decoder.read_to_end(&mut decoded).unwrap();
            assert!(decoded == original, "{}: Decoder", case.name);
            let decoded = decode_small(case.file).unwrap();
            assert!(decoded == original, "{}: SmallTable", case.name);
        }
        // Old layouts are only read from whole inputs.
        Err(error) => {
            let error: &DecodeError = error.get_ref().unwrap().downcast_ref().unwrap();
            let is_old = matches!(error.kind(), DecodeErrorKind::UnsupportedVersion(_));
            assert!(is_old, "{}: {error}", case.name);
        }
    }
}

fn decode_small(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    let mut table = SmallTable::new();
    for frame in Frames::new(file) {
        let frame = frame?;
        let start = decoded.len();
        let mut planes = vec![0; frame.scratch_len() as usize];
        decoded.resize(start + frame.decoded_len() as usize, 0);
        frame.decode_into(&mut decoded[start..], &mut Scratch::new(&mut table, &mut planes))?;
    }
    Ok(decoded)
}

/// Checks that truncated files cause no panic.
fn cut(case: &Case) {
    for len in (0..case.file.len()).step_by(1 + case.file.len() / 20) {
        let _ = zipnn::decompress(&case.file[..len], &Limits::default());
    }
}

/// Compresses data of every type and returns the number of files.
fn compress(digest: &mut Digest) -> usize {
    let mut written = 0;
    for dtype in DType::ALL {
        for len in [0, 1, 3, 100, 4097, 70_003, 300_000] {
            for chunk_log2 in [8, 13, 18] {
                let data = data::weights(dtype, len, u64::from(chunk_log2));
                let options = Options::new(dtype).plain().chunk_log2(chunk_log2);
                let file = zipnn::compress(&data, &options).unwrap();
                assert!(zipnn::decompress(&file, &Limits::default()).unwrap() == data);
                assert!(decode_small(&file).unwrap() == data);
                let builder = EncoderBuilder::new(options).frame_len(50_000);
                let mut encoder = builder.build(Vec::new()).unwrap();
                encoder.write_all(&data).unwrap();
                let streamed = encoder.finish().unwrap();
                assert!(zipnn::decompress(&streamed, &Limits::default()).unwrap() == data);
                digest.update(&file);
                digest.update(&streamed);
                written += 2;
            }
        }
    }
    written
}
