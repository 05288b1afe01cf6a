//! Golden files decode to the expected data with every reader.
//!
//! They are files that releases of the original wrote, and files that use every freedom of the
//! format. Readers that do not support old layouts reject them.

use std::io::{Cursor, Read};

use golden::Case;
use zipnn::delta::DeltaDecoder;
use zipnn::file::Frames;
use zipnn::frame::{DecodeScratch, Frame};
use zipnn::push::PushDecoder;
use zipnn::{Archive, ArchiveError, DecodeError, DecodeErrorKind, Decoder, Limits, delta};

use crate::common::golden;

/// Returns the cases of today's layout or of old layouts.
fn cases(current: bool) -> Vec<Case> {
    golden::cases().into_iter().filter(|case| case.is_current() == current).collect()
}

/// Decodes a file, with its base if it holds a difference.
fn decode(case: &Case) -> Result<Vec<u8>, DecodeError> {
    let (file, limits) = (case.file(), Limits::default());
    let decoded = zipnn::decompress(&file, &limits);
    let Some(base) = case.base() else { return decoded };
    assert_eq!(decoded.unwrap_err().kind(), DecodeErrorKind::BaseRequired, "{}", case.name());
    delta::decompress(&file, &base, &limits)
}

/// Decodes files and fails with the names of all whose data is wrong.
fn check(cases: &[Case]) {
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| match decode(case) {
            Ok(decoded) if decoded == case.original() => None,
            Ok(_) => Some(format!("{}: wrong bytes", case.name())),
            Err(error) => Some(format!("{}: {error}", case.name())),
        })
        .collect();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), cases.len());
}

fn read_all(reader: impl Read) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut reader = reader;
    reader.read_to_end(&mut decoded).unwrap();
    decoded
}

#[test]
fn all_files_decode() {
    let cases = cases(true);
    assert!(cases.len() > 200, "only {} files", cases.len());
    check(&cases);
}

#[test]
fn all_readers_agree() {
    let mut scratch = DecodeScratch::new();
    let mut seen = 0;
    for case in cases(true).iter().filter(|case| case.base().is_none()) {
        let (file, original) = (case.file(), case.original());
        let name = case.name();
        let mut dst = vec![0; original.len() + 1];
        let len =
            zipnn::decompress_into(&file, &mut dst, &Limits::default(), &mut scratch).unwrap();
        assert!(dst[..len] == original, "{name}: decompress_into");
        #[cfg(feature = "rayon")]
        {
            let decoded = zipnn::parallel::par_decompress(&file, &Limits::default()).unwrap();
            assert!(decoded == original, "{name}: par_decompress");
        }
        let decoder = Decoder::new(&file[..], Limits::default()).unwrap();
        assert!(read_all(decoder) == original, "{name}: Decoder");
        let by_chunks = decode_by_chunks(&file, &mut scratch);
        assert!(original.starts_with(&by_chunks), "{name}: chunks of the first frame");
        seen += 1;
    }
    assert!(seen > 200, "only {seen} files");
}

/// Decodes the chunks of the first frame, from the last to the first.
fn decode_by_chunks(file: &[u8], scratch: &mut DecodeScratch) -> Vec<u8> {
    let frame = Frame::parse(file).unwrap();
    let mut decoded = vec![0; frame.decoded_len() as usize];
    let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
    let chunk_len = usize::try_from(frame.index().header().chunk_len()).unwrap();
    for (number, part) in decoded.chunks_mut(chunk_len).enumerate().rev() {
        frame.decode_chunk(number, part, &mut scratch).unwrap();
    }
    decoded
}

#[test]
fn differences_decode() {
    let mut seen = 0;
    for case in &cases(true) {
        let Some(base) = case.base() else { continue };
        let (file, original) = (case.file(), case.original());
        let decoded = delta::decompress(&file, &base, &Limits::default()).unwrap();
        assert!(decoded == original, "{}: decompress", case.name());
        let decoder = DeltaDecoder::new(&file[..], Cursor::new(&base), Limits::default()).unwrap();
        assert!(read_all(decoder) == original, "{}: DeltaDecoder", case.name());
        seen += 1;
    }
    assert!(seen > 0, "no differences");
}

#[cfg(feature = "legacy")]
#[test]
fn files_of_old_layouts_decode() {
    let cases = cases(false);
    assert!(cases.len() > 50, "only {} files", cases.len());
    check(&cases);
    for case in &cases {
        let summary = zipnn::legacy::summary(&case.file(), &Limits::default()).unwrap();
        let version = summary.version.map(|number| number.to_string()).join(".");
        assert_eq!(case.text("version"), Some(&*version), "{}", case.name());
        assert_eq!(summary.decoded_len, case.original_len() as u64, "{}", case.name());
        assert_eq!(summary.lost, 0, "{}", case.name());
    }
}

#[cfg(not(feature = "legacy"))]
#[test]
fn readers_of_parts_reject_old_layouts() {
    let cases = cases(false);
    assert!(cases.len() > 50, "only {} files", cases.len());
    for case in &cases {
        let kind = zipnn::decompress(&case.file(), &Limits::default()).unwrap_err().kind();
        let is_refused = matches!(kind, DecodeErrorKind::UnsupportedVersion([0, 1..=3, _]));
        assert!(is_refused, "{}: {kind:?}", case.name());
    }
}

/// Three bytes as float16, the last of which is missing as in release 0.3.0.
///
/// The only byte of the lower plane looks like a byte that repeats twice.
const SHORT: [u8; 52] = [
    b'Z', b'N', 0, 3, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 18, 4, 3, 0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0, 0,
    0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x2f, 0x92,
];

/// Returns the same behind a whole frame of two bytes.
fn short_behind_whole() -> Vec<u8> {
    let mut whole = SHORT;
    whole[13] = 128 + 1;
    whole[16] = 2;
    whole[32..34].fill(0);
    [whole, SHORT].concat()
}

/// Returns the results of the readers of today's layout.
fn read_in_every_way(file: &[u8]) -> Vec<(&'static str, Result<(), DecodeError>)> {
    let limits = Limits::default();
    let ours = |error: std::io::Error| {
        *error.get_ref().and_then(|error| error.downcast_ref::<DecodeError>()).expect("ours")
    };
    let stream = || Decoder::new(file, limits).and_then(|mut it| it.read_to_end(&mut Vec::new()));
    let push = || {
        let mut decoder = PushDecoder::new(limits);
        let mut rest = file;
        while !rest.is_empty() {
            rest = &rest[decoder.push(rest)?..];
            while decoder.next_chunk()?.is_some() {}
        }
        decoder.finish()
    };
    let archive = Archive::open(Cursor::new(file), limits).map_err(|error| match error {
        ArchiveError::Decode(error) => error,
        other => panic!("{other}"),
    });
    vec![
        ("Frames", Frames::new(file).try_for_each(|frame| frame.map(drop))),
        ("Decoder", stream().map(drop).map_err(ours)),
        ("PushDecoder", push()),
        ("Archive", archive.map(drop)),
    ]
}

#[test]
fn missing_bytes_are_not_invented() {
    for file in [SHORT.to_vec(), short_behind_whole()] {
        for (reader, result) in read_in_every_way(&file) {
            let kind = result.map_err(|error| error.kind());
            assert_eq!(kind, Err(DecodeErrorKind::UnsupportedVersion([0, 3, 0])), "{reader}");
        }
        let decoded = zipnn::decompress(&file, &Limits::default());
        if cfg!(feature = "legacy") {
            let whole = [0x2f, 0x92].repeat(file.len() / SHORT.len());
            assert_eq!(decoded, Ok(whole));
        } else {
            let kind = decoded.map_err(|error| error.kind());
            assert_eq!(kind, Err(DecodeErrorKind::UnsupportedVersion([0, 3, 0])));
        }
    }
}
