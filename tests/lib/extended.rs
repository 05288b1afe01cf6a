//! The extended profile: planes as Zstandard frames.
//!
//! They decode to the same bytes, here and with an independent decoder. Damaged or fabricated
//! frames do no harm.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use allocation_counter::measure;
use data::Random;
use ruzstd::decoding::FrameDecoder;
use ruzstd::encoding::CompressionLevel;
use zipnn::file::Frames;
use zipnn::frame::{DecodeScratch, DecodeTable, EncodeScratch, Frame, HEADER_LEN, Method, Scratch};
use zipnn::io::EncoderBuilder;
use zipnn::{
    DType, DecodeError, DecodeErrorKind, Decoder, Limits, Options, PlaneCode, Profile, delta,
};

use crate::common::data;

/// Returns data with repetitions of several kinds.
fn repetitive(dtype: DType, len: usize, seed: u64) -> Vec<(&'static str, Vec<u8>)> {
    let mut random = Random(seed);
    let weights = data::weights(dtype, len, seed);
    let size = dtype.size();
    let mut sparse = weights.clone();
    for element in sparse.chunks_mut(size) {
        if random.below(10) > 0 {
            element.fill(0);
        }
    }
    let mut rows = weights.clone();
    for row in rows.chunks_mut(384 * size) {
        if random.below(10) > 2 {
            row.fill(0);
        }
    }
    let mut difference = vec![0; len];
    for byte in difference.chunks_mut(size).filter_map(|element| element.first_mut()) {
        if random.below(3) == 0 {
            *byte = 1 << random.below(3);
        }
    }
    let mut numbers: Vec<u8> =
        (0..len as u64 / 8 + 1).flat_map(|number| (number * 3).to_le_bytes()).collect();
    numbers.truncate(len);
    vec![
        ("weights", weights),
        ("sparse", sparse),
        ("rows", rows),
        ("difference", difference),
        ("numbers", numbers),
        ("zeros", vec![0; len]),
        ("noise", data::noise(len, seed)),
    ]
}

fn extended(dtype: DType) -> Options {
    Options::new(dtype).plain().profile(Profile::Extended)
}

/// Returns the number of planes that are Zstandard frames.
fn zstd_planes(file: &[u8]) -> u64 {
    Frames::new(file)
        .flat_map(|frame| frame.unwrap().index().method_counts().collect::<Vec<_>>())
        .filter(|(method, _)| *method == Method::Zstd)
        .map(|(_, count)| count)
        .sum()
}

fn stream(file: &[u8], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    Decoder::new(file, limits)
        .and_then(|mut decoder| decoder.read_to_end(&mut decoded))
        .map(|_| decoded)
        .map_err(|error| *error.get_ref().and_then(|error| error.downcast_ref()).expect("ours"))
}

/// Decodes with every reader; all must agree.
fn decode(file: &[u8], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    let decoded = zipnn::decompress(file, &limits);
    assert_eq!(stream(file, limits).ok(), decoded.as_ref().ok().cloned());
    decoded
}

#[test]
fn all_kinds_of_data_round_trip() {
    let (mut encode_scratch, mut decode_scratch) = (EncodeScratch::new(), DecodeScratch::new());
    let mut frames = 0;
    for dtype in DType::ALL {
        for (len, chunk_log2) in [(0, 18), (1, 18), (999, 18), (50_001, 14), (600_003, 18)] {
            for (kind, data) in repetitive(dtype, len, 1) {
                let what = format!("{kind}, {dtype:?}, {len} bytes");
                let plain = Options::new(dtype).plain().chunk_log2(chunk_log2);
                let options = plain.profile(Profile::Extended).checksums(true);
                let file = zipnn::compress(&data, &plain.profile(Profile::Extended)).unwrap();
                frames += zstd_planes(&file);
                let most = zipnn::compress(&data, &plain).unwrap().len();
                assert!(file.len() <= most + most / 2000, "{what}");
                assert!(decode(&file, Limits::default()).unwrap() == data, "{what}");

                let mut dst = vec![0; zipnn::compress_bound(len, &options)];
                let count =
                    zipnn::compress_into(&data, &mut dst, &options, &mut encode_scratch).unwrap();
                assert!(dst[..count] == zipnn::compress(&data, &options).unwrap(), "{what}");
                let mut back = vec![0; len];
                zipnn::decompress_into(
                    &dst[..count],
                    &mut back,
                    &Limits::default(),
                    &mut decode_scratch,
                )
                .unwrap();
                assert!(back == data, "{what}");

                let builder = EncoderBuilder::new(options).frame_len(len / 3 + 1);
                let mut encoder = builder.build(Vec::new()).unwrap();
                encoder.write_all(&data).unwrap();
                let file = encoder.finish().unwrap();
                assert!(decode(&file, Limits::default()).unwrap() == data, "{what}");
            }
        }
    }
    assert!(frames > 100, "{frames}");
}

#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_the_file() {
    for (kind, data) in repetitive(DType::BF16, 3_000_001, 2) {
        let options = extended(DType::BF16).checksums(true);
        let file = zipnn::compress(&data, &options).unwrap();
        assert!(zipnn::parallel::par_compress(&data, &options).unwrap() == file, "{kind}");
        assert!(
            zipnn::parallel::par_decompress(&file, &Limits::default()).unwrap() == data,
            "{kind}"
        );
    }
}

#[test]
fn differences_round_trip() {
    let base = data::weights(DType::BF16, 500_000, 3);
    let mut data = base.clone();
    let mut random = Random(4);
    for _ in 0..data.len() / 40 {
        data[random.below(500_000)] ^= 1;
    }
    let plain = delta::compress(&data, &base, &Options::new(DType::BF16).plain()).unwrap();
    let file = delta::compress(&data, &base, &extended(DType::BF16)).unwrap();
    assert!(file.len() < plain.len() / 2, "{} bytes, not {}", file.len(), plain.len());
    assert!(delta::decompress(&file, &base, &Limits::default()).unwrap() == data);
}

/// Zstandard frames, which the original rejects, are only written where they save enough.
#[test]
fn without_repetitions_the_file_is_as_in_the_original_profile() {
    for dtype in [DType::BF16, DType::F16, DType::F32] {
        for data in [data::weights(dtype, 1 << 20, 4), data::noise(1 << 20, 4), vec![7; 1 << 20]] {
            let options = extended(dtype).plane_code(PlaneCode::Huffman);
            let file = zipnn::compress(&data, &options).unwrap();
            assert!(
                file == zipnn::compress(&data, &Options::new(dtype).plain()).unwrap(),
                "{dtype:?}"
            );
        }
    }
}

#[test]
fn an_independent_decoder_agrees() {
    let mut decoder = FrameDecoder::new();
    let mut frames = 0;
    for dtype in DType::ALL {
        for (kind, data) in repetitive(dtype, 700_001, 5) {
            let file = zipnn::compress(&data, &extended(dtype)).unwrap();
            let frame = Frame::parse(&file).unwrap();
            // The same planes as the original stores them.
            let raw = zipnn::compress(&data, &Options::new(dtype).plain().threshold(0.0)).unwrap();
            let raw = Frame::parse(&raw).unwrap();
            for (chunk, raw_chunk) in frame.index().chunks().zip(raw.index().chunks()) {
                let planes =
                    chunk.methods().zip(chunk.plane_ranges()).zip(raw_chunk.plane_ranges());
                for ((method, range), raw_range) in planes {
                    if method == Method::Zstd {
                        let at =
                            |range: std::ops::Range<u64>| range.start as usize..range.end as usize;
                        let plane = &raw.bytes()[at(raw_range)];
                        let mut decoded = vec![0; plane.len()];
                        let len = decoder.decode_all(&file[at(range)], &mut decoded).unwrap();
                        assert!(decoded[..len] == *plane, "{kind}, {dtype:?}");
                        frames += 1;
                    }
                }
            }
        }
    }
    assert!(frames > 50, "{frames}");
}

/// Returns a file of one chunk of one plane, stored with this method.
fn file_with(stored: &[u8], plane_len: usize) -> Vec<u8> {
    let mut file =
        zipnn::compress(&vec![0; plane_len], &Options::new(DType::F8E4M3).plain()).unwrap();
    file.truncate(HEADER_LEN);
    file.push(2);
    file.extend((stored.len() as u64).to_le_bytes());
    file.extend(stored);
    let len = file.len() as u64;
    file[24..32].copy_from_slice(&len.to_le_bytes());
    file
}

/// Returns a plane that any Zstandard encoder shortens.
fn plane(len: usize) -> Vec<u8> {
    (0..len).map(|at| if at % 50 < 40 { 0 } else { (at * at) as u8 % 7 }).collect()
}

/// Returns a frame that another encoder wrote.
fn foreign(plane: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(plane, CompressionLevel::Fastest)
}

#[test]
fn frames_of_other_encoders_decode() {
    for len in [100, 5000, 128 * 1024] {
        let plane = plane(len);
        let frame = foreign(&plane);
        assert!(frame.len() < len);
        assert!(decode(&file_with(&frame, len), Limits::default()).unwrap() == plane);
    }
}

#[test]
fn frames_that_do_not_fit_the_plane_are_rejected() {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let plane = plane(5000);
    let good = foreign(&plane);
    // The last block is 5000 repeated zeros.
    let zeros = [(5000 << 3 | 0b011) as u8, (5000 << 3 >> 8) as u8, 0, 0];
    let made_up = |head: &[u8], blocks: &[u8]| [&MAGIC[..], head, blocks].concat();
    let content_size = (5000_u16 - 256).to_le_bytes();
    let [low, high] = content_size;
    let single = made_up(&[0x60, low, high], &zeros);
    assert!(decode(&file_with(&single, 5000), Limits::default()).unwrap() == vec![0; 5000]);
    let no_size = made_up(&[0, 0x50], &zeros);
    assert!(decode(&file_with(&no_size, 5000), Limits::default()).unwrap() == vec![0; 5000]);

    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &good].concat();
    let empty = made_up(&[0x20, 0], &[1, 0, 0]);
    let bad = [
        ("trailing byte", [&good[..], &[0]].concat()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("two frames", [&single[..], &empty].concat()),
        ("two frames, the first empty", [&empty[..], &single].concat()),
        ("a skippable frame before it", skippable.clone()),
        ("a skippable frame behind it", [&good[..], &skippable[..10]].concat()),
        ("nothing but a skippable frame", skippable[..10].to_vec()),
        ("content size less", made_up(&[0x60, low - 1, high], &zeros)),
        ("content size more", made_up(&[0x60, low + 1, high], &zeros)),
        ("fewer bytes than promised", made_up(&[0x60, low, high], &[0b011 | 8, 0, 0, 0])),
        ("more bytes than promised", made_up(&[0x60, low, high], &[0b011, 255, 0, 0])),
        ("fewer bytes, no promise", made_up(&[0, 0x50], &[0b011 | 8, 0, 0, 0])),
        ("more bytes, no promise", made_up(&[0, 0x50], &[0b011, 255, 0, 0])),
        (
            "content size of eight bytes",
            made_up(&[0xe0, 255, 255, 255, 255, 255, 255, 255, 255], &zeros),
        ),
        ("a dictionary", made_up(&[0x61, 7, low, high], &zeros)),
        ("a reserved bit", made_up(&[0x68, low, high], &zeros)),
        ("a window of a terabyte", made_up(&[0, 30 << 3], &zeros)),
        ("a block too long", made_up(&[0x60, low, high], &[0b011, 0, 255, 0])),
        (
            "a block of an unknown kind",
            made_up(&[0x60, low, high], &[zeros[0] | 0b110, zeros[1], 0, 0]),
        ),
        ("no last block", made_up(&[0x60, low, high], &[zeros[0] & !1, zeros[1], 0, 0])),
        (
            "a checksum that is wrong",
            made_up(&[0x64, low, high], &[&zeros[..], &[1, 2, 3, 4]].concat()),
        ),
        ("a checksum that is not there", made_up(&[0x64, low, high], &zeros)),
        ("not a frame", vec![1; 100]),
    ];
    for (what, stored) in bad {
        let error = decode(&file_with(&stored, 5000), Limits::default()).expect_err(what);
        assert_eq!(error.kind(), DecodeErrorKind::CorruptStream, "{what}");
        let place = error.location();
        assert_eq!((place.frame, place.chunk, place.plane), (Some(0), Some(0), Some(0)), "{what}");
    }
    for stored in [vec![1; 8], vec![1; 5000], vec![1; 6000], Vec::new()] {
        let error = decode(&file_with(&stored, 5000), Limits::default()).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::InvalidIndex, "{} bytes", stored.len());
        assert_eq!((error.location().chunk, error.location().plane), (Some(0), Some(0)));
    }
}

/// Returns files in which planes are Zstandard frames.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    for dtype in [DType::BF16, DType::F32, DType::F8E4M3] {
        for (_, data) in repetitive(dtype, 3000, 6) {
            let file = zipnn::compress(&data, &extended(dtype).chunk_log2(11)).unwrap();
            if zstd_planes(&file) > 0 {
                samples.push(file);
            }
        }
    }
    samples.push(file_with(&foreign(&plane(4000)), 4000));
    assert!(samples.len() > 5, "{}", samples.len());
    samples
}

#[test]
fn every_truncation_is_an_error() {
    for file in samples() {
        for len in 0..file.len() {
            assert!(decode(&file[..len], Limits::default()).is_err(), "cut at {len}");
        }
    }
}

#[test]
fn flipped_bits_cause_no_panic_and_no_other_length() {
    let limits = Limits::default().decoded_bytes(1 << 20);
    for file in samples() {
        let len = decode(&file, limits).unwrap().len();
        for bit in HEADER_LEN * 8..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = decode(&damaged, limits) {
                assert_eq!(decoded.len(), len, "bit {bit}");
            }
        }
    }
}

#[test]
fn checksums_detect_every_flipped_bit() {
    for (_, data) in repetitive(DType::BF16, 2000, 7) {
        let options = extended(DType::BF16).chunk_log2(11).checksums(true);
        let file = zipnn::compress(&data, &options).unwrap();
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = zipnn::decompress(&damaged, &Limits::default()) {
                assert!(decoded == data, "bit {bit}");
            }
        }
    }
}

#[test]
fn garbage_in_a_frame_causes_no_panic() {
    let mut random = Random(8);
    let mut scratch = DecodeScratch::new();
    let planes = [plane(4000), data::with_counts(&[3000, 500, 100, 40, 9, 3], 9), vec![3; 4000]];
    for plane in &planes {
        let good = foreign(plane);
        for round in 0..20_000 {
            let mut stored = good.clone();
            let from = random.below(stored.len());
            match round % 3 {
                0 => stored[from..].iter_mut().for_each(|byte| *byte = random.next() as u8),
                1 => stored[from] = random.next() as u8,
                _ => {
                    for _ in 0..4 {
                        let at = random.below(stored.len().min(40));
                        stored[at] = random.next() as u8;
                    }
                }
            }
            let file = file_with(&stored, plane.len());
            let mut dst = vec![0; plane.len()];
            let result = catch_unwind(AssertUnwindSafe(|| {
                let _ = zipnn::decompress_into(&file, &mut dst, &Limits::default(), &mut scratch);
            }));
            assert!(result.is_ok(), "{stored:?}");
        }
    }
}

/// A frame with a huge content size allocates no more than the file justifies.
#[test]
fn bombs_take_no_more_than_the_plane() {
    /// Tables, and the first block of a reader.
    const BASE: u64 = 512 << 10;
    let frame = |descriptor: &[u8], blocks: usize| {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
        frame.extend(descriptor);
        // Repeated zeros, 128 KiB a block.
        for block in 1..=blocks {
            frame.extend([0b010 | u8::from(block == blocks), 0, 0x10, 0]);
        }
        frame
    };
    let size = [0xe0, 0, 0, 0, 0, 1, 0, 0, 0];
    for descriptor in [&size[..], &[0, 0x68], &[0, 0xff], &[0xa0, 0, 0, 0, 0x80]] {
        for blocks in [1, 100, 10_000] {
            for plane_len in [60_000, 128 << 10] {
                let stored = frame(descriptor, blocks);
                if stored.len() >= plane_len {
                    continue;
                }
                let file = file_with(&stored, plane_len);
                let mut is_good = false;
                let taken = measure(|| {
                    is_good = zipnn::decompress(&file, &Limits::default()).is_ok();
                    let _ = stream(&file, Limits::default());
                });
                let fits = descriptor == [0, 0x68] && blocks == 1 && plane_len == 128 << 10;
                assert_eq!(is_good, fits, "{descriptor:?}, {blocks} blocks, {plane_len} bytes");
                let bound = 3 * plane_len as u64 + 2 * file.len() as u64 + BASE;
                assert!(taken.bytes_max <= bound, "{} bytes, not {bound}", taken.bytes_max);
            }
        }
    }
}

#[test]
fn limits_hold() {
    let data = repetitive(DType::BF16, 1 << 20, 10).swap_remove(1).1;
    let file = zipnn::compress(&data, &extended(DType::BF16)).unwrap();
    assert!(zstd_planes(&file) > 0);
    for limits in [Limits::default().decoded_bytes((1 << 20) - 1), Limits::default().expansion(2)] {
        let error = decode(&file, limits).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::LimitExceeded { .. }), "{error}");
    }
}

#[test]
fn frames_decode_with_the_callers_scratch() {
    let data = repetitive(DType::F32, 300_000, 11).swap_remove(2).1;
    let file = zipnn::compress(&data, &extended(DType::F32)).unwrap();
    let frame = Frame::parse(&file).unwrap();
    let mut table = DecodeTable::default();
    let mut planes = vec![0; frame.scratch_len() as usize];
    let mut decoded = vec![0; data.len()];
    frame.decode_into(&mut decoded, &mut Scratch::new(&mut table, &mut planes)).unwrap();
    assert!(decoded == data);

    let mut short = Scratch::new(&mut table, &mut planes[1..]);
    let error = frame.decode_into(&mut decoded, &mut short).unwrap_err();
    assert!(matches!(error.kind(), DecodeErrorKind::ScratchTooSmall { .. }), "{error}");
}

/// Neither direction allocates from the second frame on.
#[test]
fn memory_is_reused() {
    let (mut encode_scratch, mut decode_scratch) = (EncodeScratch::new(), DecodeScratch::new());
    let options = extended(DType::BF16);
    for (kind, data) in repetitive(DType::BF16, 1 << 20, 12) {
        let mut file = vec![0; zipnn::compress_bound(data.len(), &options)];
        let mut decoded = vec![0; data.len()];
        for round in 0..2 {
            let mut len = 0;
            let encoding = measure(|| {
                len =
                    zipnn::compress_into(&data, &mut file, &options, &mut encode_scratch).unwrap();
            });
            let decoding = measure(|| {
                zipnn::decompress_into(
                    &file[..len],
                    &mut decoded,
                    &Limits::default(),
                    &mut decode_scratch,
                )
                .unwrap();
            });
            if round == 1 {
                assert_eq!((encoding.count_total, decoding.count_total), (0, 0), "{kind}");
            }
        }
    }
}
