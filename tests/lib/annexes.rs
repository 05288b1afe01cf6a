//! Checksums, index, seal and base: every changed bit and every missing frame of a sealed file is
//! an error, and no reader returns a wrong byte.

use std::io::{Cursor, Read, Write};

use zipnn::delta::{BaseId, Delta, DeltaDecoder};
use zipnn::file::{Directory, Frames};
use zipnn::frame::{EncodeScratch, FramePosition};
use zipnn::io::EncoderBuilder;
use zipnn::seek::Seeker;
use zipnn::{Archive, ArchiveError, DType, DecodeErrorKind, Decoder, Limits, Options, delta};

use crate::common::data;

const LEN: usize = 700;
const FRAME_LEN: usize = 300;

/// Returns options for two chunks per frame, so that frames and chunks both have neighbours.
fn options(dtype: DType) -> Options {
    Options::new(dtype).chunk_log2(8)
}

fn encoder(options: Options) -> EncoderBuilder {
    EncoderBuilder::new(options).frame_len(FRAME_LEN)
}

fn sealed(dtype: DType) -> (Vec<u8>, Vec<u8>) {
    let data = data::weights(dtype, LEN, 3);
    let mut encoder = encoder(options(dtype)).build(Vec::new()).unwrap();
    encoder.write_all(&data).unwrap();
    (encoder.finish().unwrap(), data)
}

/// Returns the error of each reader: whole, streamed, archive and `verify`; `None` for success.
/// Checks that all bytes that they return are right.
fn faults(file: &[u8], data: &[u8]) -> [Option<DecodeErrorKind>; 4] {
    let limits = Limits::default();
    let whole = match zipnn::decompress(file, &limits) {
        Ok(decoded) => {
            assert!(decoded == data, "wrong bytes without an error");
            None
        }
        Err(error) => Some(error.kind()),
    };
    let verified = zipnn::verify(file, &limits).err().map(|error| error.kind());
    [whole, streamed_fault(file, data), archive_fault(file, data), verified]
}

fn streamed_fault(file: &[u8], data: &[u8]) -> Option<DecodeErrorKind> {
    let kind = |error: std::io::Error| error.downcast::<zipnn::DecodeError>().unwrap().kind();
    let mut decoder = match Decoder::new(file, Limits::default()) {
        Ok(decoder) => decoder,
        Err(error) => return Some(kind(error)),
    };
    let mut at = 0;
    loop {
        let mut part = [0; 37];
        match decoder.read(&mut part) {
            Ok(0) => break,
            Ok(len) => {
                assert!(data[at..].starts_with(&part[..len]), "wrong bytes before the error");
                at += len;
            }
            Err(error) => return Some(kind(error)),
        }
    }
    assert_eq!(at, data.len(), "missing bytes without an error");
    None
}

fn archive_fault(file: &[u8], data: &[u8]) -> Option<DecodeErrorKind> {
    let read = || {
        let archive = Archive::open(Cursor::new(file), Limits::default())?;
        let mut decoded = vec![0; data.len()];
        archive.read_into(0, &mut decoded)?;
        assert!(decoded == data, "wrong bytes without an error");
        Ok(())
    };
    match read() {
        Ok(()) => None,
        Err(ArchiveError::Decode(error)) => Some(error.kind()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn all_readers_decode_sealed_files() {
    for dtype in DType::ALL {
        let (file, data) = sealed(dtype);
        assert_eq!(faults(&file, &data), [None; 4], "{dtype:?}");
    }
}

#[test]
fn verify_detects_every_flipped_bit() {
    for dtype in [DType::BF16, DType::F8E4M3] {
        let (file, data) = sealed(dtype);
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let [_, _, _, verified] = faults(&damaged, &data);
            assert!(verified.is_some(), "{dtype:?}: bit {} of byte {}", bit % 8, bit / 8);
        }
    }
}

#[test]
fn all_readers_detect_every_truncation() {
    let (file, data) = sealed(DType::F32);
    for len in 0..file.len() {
        let faults = faults(&file[..len], &data);
        assert!(faults.iter().all(Option::is_some), "{len}: {faults:?}");
    }
}

/// Returns the frames of a file.
fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    Frames::without_annexes(file).map(|frame| frame.unwrap().bytes().to_vec()).collect()
}

#[test]
fn moved_missing_and_repeated_frames_are_detected() {
    let data: Vec<u8> = (0..4 * FRAME_LEN).map(|i| (i / 100) as u8).collect();
    let mut encoder = encoder(options(DType::F16)).build(Vec::new()).unwrap();
    encoder.write_all(&data).unwrap();
    let frames = frames(&encoder.finish().unwrap());
    assert_eq!(frames.len(), 5);
    for (order, expected) in [
        ([0, 2, 1, 3, 4].as_slice(), "out of place"),
        (&[0, 1, 3, 4], "out of place"),
        (&[0, 1, 1, 2, 3, 4], "out of place"),
        (&[1, 2, 3, 4], "any"),
        (&[0, 1, 2, 3], "missing"),
        (&[0, 1, 2, 4], "any"),
    ] {
        let file: Vec<u8> = order.iter().flat_map(|&number| frames[number].clone()).collect();
        let faults = faults(&file, &data);
        for fault in faults {
            let fault = fault.unwrap_or_else(|| panic!("{order:?}: {faults:?}"));
            match (expected, fault) {
                ("out of place", DecodeErrorKind::FrameOutOfPlace { .. })
                | ("out of place", DecodeErrorKind::IndexMismatch)
                | ("missing", DecodeErrorKind::FooterMissing)
                | ("any", _) => {}
                _ => panic!("{order:?}: {fault:?}"),
            }
        }
    }
}

/// Compresses parts into frames, and adds an index of the lengths that `falsify` returns.
fn file_of(parts: &[(&[u8], Options)], falsify: impl Fn(&mut Vec<(u64, u64)>)) -> Vec<u8> {
    let mut file = Vec::new();
    let mut lens = Vec::new();
    let mut position = FramePosition::FIRST;
    for (part, options) in parts {
        let mut frame = vec![0; zipnn::compress_bound(part.len(), options)];
        let scratch = &mut EncodeScratch::new();
        let len = zipnn::frame::compress_frame_into(part, &mut frame, options, position, scratch)
            .unwrap();
        file.extend_from_slice(&frame[..len]);
        lens.push((len as u64, part.len() as u64));
        position = position.after(part.len() as u64);
    }
    falsify(&mut lens);
    let mut directory = Directory::new();
    lens.iter().for_each(|&(len, decoded_len)| directory.push(len, decoded_len).unwrap());
    file.extend_from_slice(&directory.to_frame(Delta::None));
    file
}

#[test]
fn all_readers_detect_an_index_that_differs_from_the_frames() {
    let data = data::weights(DType::BF16, 600, 9);
    let parts = [&data[..200], &data[200..500], &data[500..]].map(|p| (p, options(DType::BF16)));
    assert_eq!(faults(&file_of(&parts, |_| ()), &data), [None; 4]);
    type Falsify = fn(&mut Vec<(u64, u64)>);
    let cases: [(&str, Falsify); 4] = [
        ("decoded lengths", |lens| (lens[0].1, lens[1].1) = (201, 299)),
        ("stored lengths", |lens| (lens[0].0, lens[1].0) = (lens[0].0 + 1, lens[1].0 - 1)),
        ("missing frame", |lens| {
            lens.remove(1);
        }),
        ("extra frame", |lens| lens.push((0, 0))),
    ];
    for (name, falsify) in cases {
        for fault in faults(&file_of(&parts, falsify), &data) {
            let fault = fault.unwrap_or_else(|| panic!("{name}"));
            let is_named = matches!(
                fault,
                DecodeErrorKind::IndexMismatch | DecodeErrorKind::FrameOutOfPlace { .. }
            );
            assert!(is_named, "{name}: {fault:?}");
        }
    }
}

#[test]
fn all_readers_detect_frames_without_checksums() {
    let data = data::weights(DType::BF16, 600, 9);
    let with = options(DType::BF16);
    let without = with.plain();
    for parts in [
        [(&data[..200], with), (&data[200..500], without), (&data[500..], with)],
        [(&data[..200], with), (&data[200..500], with), (&data[500..], without)],
    ] {
        let faults = faults(&file_of(&parts, |_| ()), &data);
        assert_eq!(faults, [Some(DecodeErrorKind::ChecksumMissing); 4]);
    }
    let first = [(&data[..200], without), (&data[200..], with)];
    for fault in faults(&file_of(&first, |_| ()), &data) {
        assert!(
            matches!(fault, Some(DecodeErrorKind::SealMissing | DecodeErrorKind::ChecksumMissing)),
            "{fault:?}"
        );
    }
}

/// A frame without data has no chunks, and therefore no checksums, even as the first frame.
#[test]
fn frames_without_data_are_accepted_at_any_position() {
    let data = data::weights(DType::BF16, 600, 9);
    let with = options(DType::BF16);
    for parts in [
        [(&data[..0], with), (&data[..200], with), (&data[200..], with)],
        [(&data[..200], with), (&data[..0], with), (&data[200..], with)],
    ] {
        assert_eq!(faults(&file_of(&parts, |_| ()), &data), [None; 4]);
    }
}

#[test]
fn readers_ignore_annexes_without_verification() {
    let (mut file, data) = sealed(DType::BF16);
    *file.last_mut().unwrap() ^= 1;
    let limits = Limits::default().verify(false);
    assert!(zipnn::decompress(&file, &limits).unwrap() == data);
    let mut decoded = Vec::new();
    Decoder::new(&file[..], limits).unwrap().read_to_end(&mut decoded).unwrap();
    assert!(decoded == data);
    let archive = Archive::open(Cursor::new(&file), limits).unwrap();
    archive.read_into(0, &mut decoded).unwrap();
    assert!(decoded == data);
}

#[test]
fn sequential_readers_decode_concatenated_files() {
    let (file, data) = sealed(DType::BF16);
    let joined = [&file[..], &file].concat();
    let [whole, streamed, archive, verified] = faults(&joined, &[&data[..], &data].concat());
    assert_eq!([whole, streamed, verified], [None; 3]);
    assert_eq!(archive, Some(DecodeErrorKind::IndexMismatch));
}

#[test]
fn a_wrong_base_is_rejected() {
    let base = data::weights(DType::BF16, LEN, 1);
    let mut tuned = base.clone();
    (0..LEN).step_by(50).for_each(|at| tuned[at] ^= 3);
    let mut wrong = base.clone();
    wrong[LEN - 1] ^= 1;
    let options = options(DType::BF16);
    let mut encoder = encoder(options).build_delta(Vec::new(), Cursor::new(&base)).unwrap();
    encoder.write_all(&tuned).unwrap();
    let streamed = encoder.finish().unwrap();
    let single = delta::compress(&tuned, &base, &options).unwrap();
    for file in [&streamed, &single] {
        assert!(delta::decompress(file, &base, &Limits::default()).unwrap() == tuned);
        let error = delta::decompress(file, &wrong, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::WrongBase);
        let decode = |base: &[u8]| -> std::io::Result<Vec<u8>> {
            let mut decoded = Vec::new();
            DeltaDecoder::new(&file[..], Cursor::new(base), Limits::default())?
                .read_to_end(&mut decoded)?;
            Ok(decoded)
        };
        assert!(decode(&base).unwrap() == tuned);
        let error = decode(&wrong).unwrap_err().downcast::<zipnn::DecodeError>().unwrap();
        assert_eq!(error.kind(), DecodeErrorKind::WrongBase);
        assert_eq!(zipnn::verify(file, &Limits::default()).unwrap(), LEN as u64);
    }
    assert_eq!(BaseId::of(&base), BaseId::read(&base[..]).unwrap());
}

/// Only the first frame identifies the base, so that a file of many frames does not make readers
/// hash the base for each of them.
#[test]
fn only_the_first_frame_identifies_the_base() {
    let data = data::weights(DType::BF16, LEN, 3);
    let base = data::weights(DType::BF16, LEN, 4);
    let mut scratch = EncodeScratch::new();
    let mut frame = |range: std::ops::Range<usize>, base_id| {
        let options = options(DType::BF16).delta(Delta::Bytes).base(base_id);
        let mut frame = vec![0; zipnn::compress_bound(range.len(), &options)];
        let (src, mut part) = (&data[range.clone()], base[range].to_vec());
        let first = FramePosition::FIRST.without_index();
        let len =
            delta::compress_frame_into(src, &mut part, &mut frame, &options, first, &mut scratch);
        frame.truncate(len.unwrap());
        frame
    };
    let file = [frame(0..0, BaseId::of(&base)), frame(0..LEN, BaseId::of(b"another"))].concat();
    assert!(delta::decompress(&file, &base, &Limits::default()).unwrap() == data);
    let mut decoded = Vec::new();
    let mut decoder = DeltaDecoder::new(&file[..], Cursor::new(&base), Limits::default()).unwrap();
    decoder.read_to_end(&mut decoded).unwrap();
    assert!(decoded == data);
}

#[test]
fn checksums_of_a_difference_cover_the_decoded_data() {
    let base = data::weights(DType::BF16, LEN, 1);
    let options = options(DType::BF16);
    let mut difference = data::weights(DType::BF16, LEN, 2);
    let tuned = difference.clone();
    delta::apply(&mut difference, &base);
    let mut frame = vec![0; zipnn::compress_bound(LEN, &options)];
    let len = delta::compress_frame_into(
        &tuned,
        &mut base.clone(),
        &mut frame,
        &options,
        FramePosition::FIRST.without_index(),
        &mut EncodeScratch::new(),
    )
    .unwrap();
    let file = &frame[..len];
    assert!(delta::decompress(file, &base, &Limits::default()).unwrap() == tuned);
    let mut wrong = base.clone();
    wrong[300] ^= 1;
    let error = delta::decompress(file, &wrong, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::ChecksumMismatch);
    assert_eq!(error.location().chunk, Some(1));
}

#[test]
fn a_seeker_rejects_input_of_the_wrong_length() {
    let (file, _) = sealed(DType::BF16);
    let mut seeker = Seeker::new(file.len() as u64, Limits::default());
    let wanted = seeker.wanted().unwrap();
    assert_eq!(wanted.end, file.len() as u64);
    let short = &file[wanted.start as usize..wanted.end as usize - 1];
    assert!(matches!(seeker.feed(short).unwrap_err().kind(), DecodeErrorKind::Truncated { .. }));
    assert!(seeker.covering::<&[u8]>(0..1).is_err());
}
