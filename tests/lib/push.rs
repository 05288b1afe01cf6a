//! `PushDecoder` gives what `decompress` gives, however the file is cut into parts; and notices what is
//! missing or damaged, without the input that comes after.

use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{DecodeScratch, EncodeScratch, FramePosition};
use zipnn::push::PushDecoder;
use zipnn::{DType, DecodeError, DecodeErrorKind, Limits, Options};

use crate::common::{data, golden};

/// No damaged file may make this test slow.
const LIMITS: Limits = Limits::new().decoded_bytes(1 << 24).expansion(1 << 15).frame_bytes(1 << 24);

/// Pushes parts of these lengths, again and again, chunk by chunk.
fn assemble(file: &[u8], lens: &[usize], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    let mut assembler = PushDecoder::new(limits);
    let mut decoded = Vec::new();
    let (mut rest, mut lens) = (file, lens.iter().cycle());
    while !rest.is_empty() {
        let (mut part, behind) = rest.split_at(rest.len().min(*lens.next().unwrap()));
        rest = behind;
        while !part.is_empty() {
            let taken = assembler.push(part)?;
            part = &part[taken..];
            while let Some(chunk) = assembler.next_chunk()? {
                decoded.extend_from_slice(chunk);
            }
        }
    }
    assembler.end().map(|()| decoded)
}

/// Reads parts of at most these lengths right into the assembler's memory.
fn assemble_in_place(file: &[u8], lens: &[usize]) -> Result<Vec<u8>, DecodeError> {
    let mut assembler = PushDecoder::new(LIMITS);
    let mut decoded = Vec::new();
    let (mut rest, mut lens) = (file, lens.iter().cycle());
    while !rest.is_empty() {
        let space = assembler.space(rest.len().min(*lens.next().unwrap()))?;
        if space.is_empty() {
            break;
        }
        let (part, behind) = rest.split_at(space.len());
        space.copy_from_slice(part);
        rest = behind;
        assembler.advance(part.len())?;
        while let Some(chunk) = assembler.next_chunk()? {
            decoded.extend_from_slice(chunk);
        }
    }
    assembler.end().map(|()| decoded)
}

/// A file of frames of such lengths, without an index, and where in it frames end.
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

/// The same with an index, without which it is not whole.
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
fn cuts_make_no_difference() {
    for (file, _) in samples() {
        let expected = zipnn::decompress(&file, &LIMITS).unwrap();
        for lens in [&[1][..], &[2], &[3, 7], &[31, 1, 32, 33], &[1000], &[usize::MAX]] {
            assert_eq!(assemble(&file, lens, LIMITS).unwrap(), expected);
            let blind = LIMITS.verify(false);
            assert_eq!(assemble(&file, lens, blind).unwrap(), expected);
        }
        for cut in 1..file.len() {
            assert_eq!(assemble(&file, &[cut, file.len()], LIMITS).unwrap(), expected, "at {cut}");
        }
    }
}

#[test]
fn files_of_the_original_are_read() {
    let mut seen = 0;
    for case in golden::cases().iter().filter(|case| case.is_current()) {
        let file = case.file();
        let found = assemble(&file, &[4093], Limits::default());
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
fn every_truncation_is_an_error_that_names_the_frame() {
    for (file, ends) in samples() {
        for len in 0..file.len() {
            match assemble(&file[..len], &[100], LIMITS) {
                Ok(_) => assert!(ends.contains(&len), "cut at {len} goes unnoticed"),
                Err(error) => {
                    let expected = zipnn::decompress(&file[..len], &LIMITS).unwrap_err();
                    assert_eq!(error.place(), expected.place(), "{error}, not {expected}");
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
fn damage_is_found_as_in_whole_inputs() {
    for (file, _) in samples() {
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            let whole = zipnn::decompress(&damaged, &LIMITS);
            let found = assemble(&damaged, &[50], LIMITS);
            match (&found, &whole) {
                (Ok(found), Ok(whole)) => assert!(found == whole, "byte {at}: other data"),
                (Err(_), Err(_)) => {}
                _ => panic!("byte {at}: {:?}, not {:?}", found.err(), whole.err()),
            }
        }
    }
}

#[test]
fn errors_are_told_again() {
    let mut file = sealed(DType::BF16);
    let at = file.len() / 2;
    file[at] ^= 1;
    let mut assembler = PushDecoder::new(LIMITS);
    let mut rest = &file[..];
    let error = loop {
        match assembler.push(rest) {
            Ok(taken) => rest = &rest[taken..],
            Err(error) => break error,
        }
        match assembler.next_chunk() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(assembler.push(rest).unwrap_err(), error);
    assert_eq!(assembler.next_chunk().unwrap_err(), error);
    assert_eq!(assembler.end().unwrap_err(), error);
}

#[test]
fn what_is_no_file_is_told_from_one_that_is_cut_short() {
    let kind = |bytes: &[u8]| assemble(bytes, &[5], LIMITS).unwrap_err().kind();
    assert_eq!(kind(b""), DecodeErrorKind::Truncated { needed: 32, have: 0 });
    assert_eq!(kind(b"ZN"), DecodeErrorKind::Truncated { needed: 32, have: 2 });
    assert_eq!(kind(b"Not found"), DecodeErrorKind::BadMagic);
    assert_eq!(kind(&[b'<'; 100]), DecodeErrorKind::BadMagic);
}

#[test]
fn whole_frames_can_be_taken_instead_of_chunks() {
    let options = Options::new(DType::BF16).chunk_log2(9).checksums(true);
    let (file, _) = frames(options, &[700, 0, 1300]);
    let mut assembler = PushDecoder::new(LIMITS);
    let (mut rest, mut decoded, mut stored) = (&file[..], Vec::new(), Vec::new());
    let mut scratch = DecodeScratch::new();
    while !rest.is_empty() {
        rest = &rest[assembler.push(rest).unwrap()..];
        let number = assembler.frame_number() as usize;
        let Some(frame) = assembler.frame() else { continue };
        let mut part = vec![0; [700, 0, 1300][number]];
        let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
        frame.decode_into(&mut part, &mut scratch).unwrap();
        decoded.extend(part);
        stored.extend_from_slice(frame.bytes());
        assert_eq!(frame.annex().has_checksums(), frame.decoded_len() > 0);
        assert_eq!(assembler.push(b"ZN").unwrap(), 0, "a frame waits");
        assembler.next_frame();
    }
    assembler.end().unwrap();
    assert_eq!(stored, file);
    assert_eq!(decoded, zipnn::decompress(&file, &LIMITS).unwrap());
}

#[test]
fn frames_can_be_decoded_apart() {
    let options = Options::new(DType::F32).chunk_log2(9).checksums(true);
    let (file, ends) = frames(options, &[700, 0, 1300]);
    let decoded = zipnn::decompress(&file, &LIMITS).unwrap();
    let mut assembler = PushDecoder::starting_at(2, LIMITS);
    assert_eq!(assembler.push(&file[ends[1]..]).unwrap(), file.len() - ends[1]);
    let mut found = Vec::new();
    while let Some(chunk) = assembler.next_chunk().unwrap() {
        found.extend_from_slice(chunk);
    }
    assembler.end().unwrap();
    assert_eq!(found, decoded[700..]);

    let mut assembler = PushDecoder::starting_at(2, LIMITS);
    let mut damaged = file[ends[1]..].to_vec();
    damaged[200] ^= 1;
    let error = assembler.push(&damaged).and_then(|_| assembler.next_chunk().map(|_| ()));
    assert_eq!(error.unwrap_err().place().frame, Some(2));
}

#[test]
fn the_number_of_the_first_frame_may_be_any() {
    let file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16)).unwrap();
    let mut assembler = PushDecoder::starting_at(u64::MAX, LIMITS);
    assert_eq!(assembler.push(&file).unwrap(), file.len());
    assert_eq!(assembler.next_chunk().unwrap().unwrap(), [7; 1000]);
    assert!(assembler.next_chunk().unwrap().is_none());
    assembler.end().unwrap();
}

#[test]
fn limits_hold() {
    let data = data::weights(DType::BF16, 5000, 1);
    let file = zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap();
    for limits in
        [LIMITS.decoded_bytes(4999), LIMITS.frame_bytes(file.len() as u64 - 1), LIMITS.expansion(1)]
    {
        let error = assemble(&file, &[64], limits).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::LimitExceeded { .. }), "{error}");
    }
}

#[test]
fn reading_in_place_gives_the_same() {
    let (file, _) =
        frames(Options::new(DType::F16).plain().chunk_log2(12), &[70_000, 0, 9, 30_000]);
    let expected = zipnn::decompress(&file, &LIMITS).unwrap();
    for lens in [&[1][..], &[5, 1000], &[usize::MAX]] {
        assert_eq!(assemble_in_place(&file, lens).unwrap(), expected);
    }
    // Less may be read than there is space for, and nothing.
    let mut assembler = PushDecoder::new(LIMITS);
    for &byte in &file[..100] {
        assembler.space(50).unwrap()[0] = byte;
        assembler.advance(1).unwrap();
        assert!(!assembler.space(50).unwrap().is_empty());
        assembler.advance(0).unwrap();
    }
    assert!(assembler.frame().is_none());
    // Behind the only frame of a file nothing is wanted, and while one waits neither.
    let file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16).plain()).unwrap();
    let mut assembler = PushDecoder::new(LIMITS);
    assert_eq!(assembler.push(&file).unwrap(), file.len());
    assert!(assembler.space(10).unwrap().is_empty());
    assembler.next_frame();
    assert!(assembler.space(10).unwrap().is_empty());
    assembler.end().unwrap();
}

#[test]
#[should_panic(expected = "have been filled of")]
fn more_than_the_space_cannot_be_taken() {
    let mut assembler = PushDecoder::new(LIMITS);
    let len = assembler.space(10).unwrap().len();
    let _ = assembler.advance(len + 1);
}

/// What a header promises takes no memory before it is there.
#[test]
fn memory_is_earned() {
    let mut file = zipnn::compress(&[7; 1000], &Options::new(DType::F8E4M3).plain()).unwrap();
    let promised = 1_u64 << 40;
    file[24..32].copy_from_slice(&promised.to_le_bytes());
    let counted = allocation_counter::measure(|| {
        let mut assembler = PushDecoder::new(Limits::default());
        assert_eq!(assembler.push(&file).unwrap(), file.len());
        assert!(assembler.frame().is_none());
    });
    // Most of it is the table that every decoder has.
    assert!(counted.bytes_max < 1 << 17, "{counted:?}");
}
