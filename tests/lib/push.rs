//! `PushDecoder` returns the same data as `decompress` for every division of the input, and detects
//! missing and damaged input without reading further.

use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{DecodeScratch, EncodeScratch, FramePosition};
use zipnn::push::PushDecoder;
use zipnn::{DType, DecodeError, DecodeErrorKind, Limits, Options};

use crate::common::{data, golden};

/// No damaged file may make this test slow.
const LIMITS: Limits = Limits::new().decoded_bytes(1 << 24).expansion(1 << 15).frame_bytes(1 << 24);

/// Decodes a file in parts of `lens`, repeated in turn.
fn decode(file: &[u8], lens: &[usize], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = PushDecoder::new(limits);
    let mut decoded = Vec::new();
    let (mut rest, mut lens) = (file, lens.iter().cycle());
    while !rest.is_empty() {
        let (mut part, behind) = rest.split_at(rest.len().min(*lens.next().unwrap()));
        rest = behind;
        while !part.is_empty() {
            let taken = decoder.push(part)?;
            part = &part[taken..];
            while let Some(chunk) = decoder.next_chunk()? {
                decoded.extend_from_slice(chunk);
            }
        }
    }
    decoder.finish().map(|()| decoded)
}

/// Decodes a file in parts of at most `lens`, written directly into the decoder's memory.
fn decode_in_place(file: &[u8], lens: &[usize]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = PushDecoder::new(LIMITS);
    let mut decoded = Vec::new();
    let (mut rest, mut lens) = (file, lens.iter().cycle());
    while !rest.is_empty() {
        let space = decoder.buffer(rest.len().min(*lens.next().unwrap()))?;
        if space.is_empty() {
            break;
        }
        let (part, behind) = rest.split_at(space.len());
        space.copy_from_slice(part);
        rest = behind;
        decoder.advance(part.len())?;
        while let Some(chunk) = decoder.next_chunk()? {
            decoded.extend_from_slice(chunk);
        }
    }
    decoder.finish().map(|()| decoded)
}

/// Returns a file of frames with these decoded lengths and without an index, and the end of each
/// frame.
fn frames(options: Options, decoded_lens: &[usize]) -> (Vec<u8>, Vec<usize>) {
    frames_from(FramePosition::FIRST.without_index(), options, decoded_lens)
}

fn frames_from(
    mut position: FramePosition,
    options: Options,
    decoded_lens: &[usize],
) -> (Vec<u8>, Vec<usize>) {
    let mut scratch = EncodeScratch::new();
    let (mut file, mut ends) = (Vec::new(), Vec::new());
    for &len in decoded_lens {
        let data = data::weights(options.dtype().unwrap(), len, len as u64);
        let mut frame = vec![0; zipnn::compress_bound(len, &options)];
        let frame_len =
            zipnn::frame::compress_frame_into(&data, &mut frame, &options, position, &mut scratch)
                .unwrap();
        file.extend_from_slice(&frame[..frame_len]);
        ends.push(file.len());
        position = position.after(len as u64);
    }
    (file, ends)
}

/// Returns a file with an index, which is incomplete without it.
fn sealed(dtype: DType) -> Vec<u8> {
    let options = Options::new(dtype).chunk_log2(9).checksums(true);
    let lens = [700, 0, 1300];
    let (mut file, ends) = frames_from(FramePosition::FIRST, options, &lens);
    let mut directory = Directory::new();
    let mut start = 0;
    for (end, len) in ends.into_iter().zip(lens) {
        directory.push((end - start) as u64, len as u64).unwrap();
        start = end;
    }
    file.extend_from_slice(&directory.to_frame(Delta::None));
    file
}

fn samples() -> Vec<(Vec<u8>, Vec<usize>)> {
    let mut samples = Vec::new();
    for dtype in DType::ALL {
        let options = Options::new(dtype).plain().chunk_log2(9);
        samples.push(frames(options, &[700, 0, 1300]));
        samples.push(frames(options.checksums(true), &[0, 900]));
        let file = zipnn::compress(&data::weights(dtype, 1500, 1), &options).unwrap();
        samples.push((file.clone(), vec![file.len()]));
        let file = sealed(dtype);
        samples.push((file.clone(), vec![file.len()]));
    }
    samples
}

#[test]
fn every_division_of_the_input_decodes_to_the_same_data() {
    for (file, _) in samples() {
        let expected = zipnn::decompress(&file, &LIMITS).unwrap();
        for lens in [&[1][..], &[2], &[3, 7], &[31, 1, 32, 33], &[1000], &[usize::MAX]] {
            assert_eq!(decode(&file, lens, LIMITS).unwrap(), expected);
            let blind = LIMITS.verify(false);
            assert_eq!(decode(&file, lens, blind).unwrap(), expected);
        }
        for cut in 1..file.len() {
            assert_eq!(decode(&file, &[cut, file.len()], LIMITS).unwrap(), expected, "at {cut}");
        }
    }
}

#[test]
fn files_of_the_original_decode() {
    let mut seen = 0;
    for case in golden::cases().iter().filter(|case| case.is_current()) {
        let file = case.file();
        let found = decode(&file, &[4093], Limits::default());
        if case.base().is_some() {
            assert_eq!(found.unwrap_err().kind(), DecodeErrorKind::BaseRequired);
            continue;
        }
        assert!(found.unwrap() == case.original(), "{}", case.name());
        seen += 1;
    }
    assert!(seen > 150, "only {seen} files");
}

#[test]
fn every_truncation_is_reported_with_its_frame() {
    for (file, ends) in samples() {
        for len in 0..file.len() {
            match decode(&file[..len], &[100], LIMITS) {
                Ok(_) => assert!(ends.contains(&len), "cut at {len} is not detected"),
                Err(error) => {
                    let expected = zipnn::decompress(&file[..len], &LIMITS).unwrap_err();
                    assert_eq!(error.location(), expected.location(), "{error}, not {expected}");
                    let kinds = (error.kind(), expected.kind());
                    use DecodeErrorKind::{FooterMissing, Truncated};
                    assert!(
                        matches!(
                            kinds,
                            (Truncated { .. }, Truncated { .. }) | (FooterMissing, FooterMissing)
                        ),
                        "cut at {len}: {kinds:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn damage_is_detected_as_by_decompress() {
    for (file, _) in samples() {
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            let whole = zipnn::decompress(&damaged, &LIMITS);
            let found = decode(&damaged, &[50], LIMITS);
            match (&found, &whole) {
                (Ok(found), Ok(whole)) => assert!(found == whole, "byte {at}: other data"),
                (Err(_), Err(_)) => {}
                _ => panic!("byte {at}: {:?}, not {:?}", found.err(), whole.err()),
            }
        }
    }
}

#[test]
fn an_error_repeats_on_every_further_call() {
    let mut file = sealed(DType::BF16);
    let at = file.len() / 2;
    file[at] ^= 1;
    let mut decoder = PushDecoder::new(LIMITS);
    let mut rest = &file[..];
    let error = loop {
        match decoder.push(rest) {
            Ok(taken) => rest = &rest[taken..],
            Err(error) => break error,
        }
        match decoder.next_chunk() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(decoder.push(rest).unwrap_err(), error);
    assert_eq!(decoder.next_chunk().unwrap_err(), error);
    assert_eq!(decoder.finish().unwrap_err(), error);
}

#[test]
fn other_formats_and_truncated_files_cause_different_errors() {
    let kind = |bytes: &[u8]| decode(bytes, &[5], LIMITS).unwrap_err().kind();
    assert_eq!(kind(b""), DecodeErrorKind::Truncated { needed: 32, have: 0 });
    assert_eq!(kind(b"ZN"), DecodeErrorKind::Truncated { needed: 32, have: 2 });
    assert_eq!(kind(b"Not found"), DecodeErrorKind::BadMagic);
    assert_eq!(kind(&[b'<'; 100]), DecodeErrorKind::BadMagic);
}

#[test]
fn frames_can_be_read_instead_of_chunks() {
    let options = Options::new(DType::BF16).chunk_log2(9).checksums(true);
    let (file, _) = frames(options, &[700, 0, 1300]);
    let mut decoder = PushDecoder::new(LIMITS);
    let (mut rest, mut decoded, mut stored) = (&file[..], Vec::new(), Vec::new());
    let mut scratch = DecodeScratch::new();
    while !rest.is_empty() {
        rest = &rest[decoder.push(rest).unwrap()..];
        let number = decoder.frame_number() as usize;
        let Some(frame) = decoder.frame() else { continue };
        let mut part = vec![0; [700, 0, 1300][number]];
        let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
        frame.decode_into(&mut part, &mut scratch).unwrap();
        decoded.extend(part);
        stored.extend_from_slice(frame.bytes());
        assert_eq!(frame.annex().has_checksums(), frame.decoded_len() > 0);
        assert_eq!(
            decoder.push(b"ZN").unwrap(),
            0,
            "no input is accepted before the frame is consumed"
        );
        decoder.skip_frame();
    }
    decoder.finish().unwrap();
    assert_eq!(stored, file);
    assert_eq!(decoded, zipnn::decompress(&file, &LIMITS).unwrap());
}

#[test]
fn decoding_can_start_at_any_frame() {
    let options = Options::new(DType::F32).chunk_log2(9).checksums(true);
    let (file, ends) = frames(options, &[700, 0, 1300]);
    let decoded = zipnn::decompress(&file, &LIMITS).unwrap();
    let mut decoder = PushDecoder::starting_at(2, LIMITS);
    assert_eq!(decoder.push(&file[ends[1]..]).unwrap(), file.len() - ends[1]);
    let mut found = Vec::new();
    while let Some(chunk) = decoder.next_chunk().unwrap() {
        found.extend_from_slice(chunk);
    }
    decoder.finish().unwrap();
    assert_eq!(found, decoded[700..]);

    let mut decoder = PushDecoder::starting_at(2, LIMITS);
    let mut damaged = file[ends[1]..].to_vec();
    damaged[200] ^= 1;
    let error = decoder.push(&damaged).and_then(|_| decoder.next_chunk().map(|_| ()));
    assert_eq!(error.unwrap_err().location().frame, Some(2));
}

#[test]
fn the_first_frame_can_have_any_number() {
    let file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16)).unwrap();
    let mut decoder = PushDecoder::starting_at(u64::MAX, LIMITS);
    assert_eq!(decoder.push(&file).unwrap(), file.len());
    assert_eq!(decoder.next_chunk().unwrap().unwrap(), [7; 1000]);
    assert!(decoder.next_chunk().unwrap().is_none());
    decoder.finish().unwrap();
}

#[test]
fn limits_are_enforced() {
    let data = data::weights(DType::BF16, 5000, 1);
    let file = zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap();
    for limits in
        [LIMITS.decoded_bytes(4999), LIMITS.frame_bytes(file.len() as u64 - 1), LIMITS.expansion(1)]
    {
        let error = decode(&file, &[64], limits).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::LimitExceeded { .. }), "{error}");
    }
}

#[test]
fn writing_into_the_decoder_returns_the_same_data() {
    let (file, _) =
        frames(Options::new(DType::F16).plain().chunk_log2(12), &[70_000, 0, 9, 30_000]);
    let expected = zipnn::decompress(&file, &LIMITS).unwrap();
    for lens in [&[1][..], &[5, 1000], &[usize::MAX]] {
        assert_eq!(decode_in_place(&file, lens).unwrap(), expected);
    }
    // Callers can fill less than the whole space, or nothing of it.
    let mut decoder = PushDecoder::new(LIMITS);
    for &byte in &file[..100] {
        decoder.buffer(50).unwrap()[0] = byte;
        decoder.advance(1).unwrap();
        assert!(!decoder.buffer(50).unwrap().is_empty());
        decoder.advance(0).unwrap();
    }
    assert!(decoder.frame().is_none());
    // No input is accepted while a frame is pending, nor after the only frame of a file.
    let file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16).plain()).unwrap();
    let mut decoder = PushDecoder::new(LIMITS);
    assert_eq!(decoder.push(&file).unwrap(), file.len());
    assert!(decoder.buffer(10).unwrap().is_empty());
    decoder.skip_frame();
    assert!(decoder.buffer(10).unwrap().is_empty());
    decoder.finish().unwrap();
}

#[test]
#[should_panic(expected = "have been filled of")]
fn advancing_beyond_the_space_panics() {
    let mut decoder = PushDecoder::new(LIMITS);
    let len = decoder.buffer(10).unwrap().len();
    let _ = decoder.advance(len + 1);
}

/// The decoder allocates memory for input only when it arrives, whatever a header states.
#[test]
fn memory_grows_with_the_input() {
    let mut file = zipnn::compress(&[7; 1000], &Options::new(DType::F8E4M3).plain()).unwrap();
    let promised = 1_u64 << 40;
    file[24..32].copy_from_slice(&promised.to_le_bytes());
    let counted = allocation_counter::measure(|| {
        let mut decoder = PushDecoder::new(Limits::default());
        assert_eq!(decoder.push(&file).unwrap(), file.len());
        assert!(decoder.frame().is_none());
    });
    // The decoding table takes most of this.
    assert!(counted.bytes_max < 1 << 17, "{counted:?}");
}
