//! Parts of files: any range, any tensor, with as few bytes read as that takes.

use std::cell::Cell;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use data::Random;
use zipnn::frame::DecodeScratch;
use zipnn::io::EncoderBuilder;
use zipnn::seek::Seeker;
use zipnn::{Archive, ArchiveError, DType, DecodeErrorKind, Limits, Options};

use crate::common::{data, golden};

/// Counts the bytes that are read.
struct Counting<S>(S, Rc<Cell<u64>>);

impl<S: Read> Read for Counting<S> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(output)?;
        self.1.set(self.1.get() + len as u64);
        Ok(len)
    }
}

impl<S: Seek> Seek for Counting<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

fn encode(data: &[u8], options: Options) -> Vec<u8> {
    encode_with(data, EncoderBuilder::new(options))
}

fn encode_with(data: &[u8], builder: EncoderBuilder) -> Vec<u8> {
    let mut encoder = builder.build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Ranges at every kind of edge, and some at random.
fn ranges(len: u64, edges: &[u64]) -> Vec<std::ops::Range<u64>> {
    let mut random = Random(7);
    let mut points = vec![0, len];
    points.extend(edges.iter().flat_map(|&edge| [edge.saturating_sub(1), edge, edge + 1]));
    points.retain(|&point| point <= len);
    let mut ranges = Vec::new();
    for &start in &points {
        ranges.extend(points.iter().filter(|&&end| start <= end).map(|&end| start..end));
    }
    for _ in 0..50 {
        let start = random.below(len as usize + 1) as u64;
        ranges.push(start..start + random.below((len - start) as usize + 1) as u64);
    }
    ranges
}

#[test]
fn every_range_of_every_form_of_file() {
    for dtype in DType::ALL {
        let data = data::weights(dtype, 5000, 11);
        let small = Options::new(dtype).plain().chunk_log2(9);
        let encode = |builder: EncoderBuilder| encode_with(&data, builder.frame_len(1700));
        let files = [
            encode(EncoderBuilder::new(small.checksums(true))),
            encode(EncoderBuilder::new(small)),
            encode(EncoderBuilder::new(small).index(true)),
            zipnn::compress(&data, &small).unwrap(),
            zipnn::compress(&data, &small.checksums(true)).unwrap(),
        ];
        for file in files {
            let mut archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
            assert_eq!(archive.decoded_len(), data.len() as u64);
            for range in ranges(data.len() as u64, &[512, 1700, 3400]) {
                let expected = &data[range.start as usize..range.end as usize];
                let mut decoded = vec![0xaa; expected.len()];
                archive.read_into(range.start, &mut decoded).unwrap();
                assert!(decoded == expected, "{dtype:?} {range:?}");
            }
        }
    }
}

#[test]
fn files_of_the_original() {
    for case in golden::cases().iter().filter(|case| case.is_current() && case.base().is_none()) {
        let (file, original) = (case.file(), case.original());
        let mut archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let mut decoded = vec![0; original.len()];
        archive.read_into(0, &mut decoded).unwrap();
        assert!(decoded == original, "{}", case.name());
        let middle = original.len() / 3..original.len() / 2;
        archive.read_into(middle.start as u64, &mut decoded[middle.clone()]).unwrap();
        assert!(decoded == original, "{}", case.name());
    }
}

#[test]
fn ranges_beyond_the_data_are_refused() {
    let file = encode(&[1; 1000], Options::new(DType::F32).checksums(false));
    let mut archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
    for (offset, len) in [(1000, 1), (999, 2), (u64::MAX, 1), (0, 1001)] {
        let error = archive.read_into(offset, &mut vec![0; len]).unwrap_err();
        let ArchiveError::Decode(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), DecodeErrorKind::OutOfRange);
    }
    archive.read_into(1000, &mut []).unwrap();
}

/// Only what is needed is read, with an index or without one.
#[test]
fn little_is_read() {
    let data = data::weights(DType::BF16, 12 << 20, 5);
    let options = Options::new(DType::BF16).plain();
    for (file, walked) in [
        (encode(&data, options.checksums(true)), 0),
        (encode(&data, options), 16 << 10),
        (zipnn::compress(&data, &options).unwrap(), 16 << 10),
    ] {
        let count = Rc::new(Cell::new(0));
        let source = Counting(Cursor::new(&file), Rc::clone(&count));
        let mut archive = Archive::open(source, Limits::default()).unwrap();
        let opening = count.get();
        assert!(opening <= walked + (20 << 10), "{opening} bytes to open");
        let mut decoded = vec![0; 300_000];
        archive.read_into(7_000_000, &mut decoded).unwrap();
        assert!(decoded == data[7_000_000..7_300_000]);
        // Up to three chunks of 256 KiB, at most of their own size, and the frame's index.
        let reading = count.get() - opening;
        assert!(reading <= 3 * (256 << 10) + (16 << 10), "{reading} bytes to read");
    }
}

#[test]
fn a_length_that_is_a_lie() {
    let file = encode(&[1; 1000], Options::new(DType::F32).checksums(true));
    for len in [0, 1, 31, 32, 33, file.len() as u64 - 1] {
        let mut seeker = Seeker::new(len, Limits::default());
        let error = loop {
            let Some(range) = seeker.wanted() else { panic!("{len}: it knows all frames") };
            if let Err(error) = seeker.feed(&file[range.start as usize..range.end as usize]) {
                break error;
            }
        };
        let is_named = matches!(
            error.kind(),
            DecodeErrorKind::Truncated { .. } | DecodeErrorKind::FooterMissing
        );
        assert!(is_named, "{len}: {error}");
    }
}

#[test]
fn differences_and_old_layouts_are_refused() {
    let file =
        zipnn::delta::compress(&[1; 100], &[2; 100], &Options::new(DType::F32).plain()).unwrap();
    let error = Archive::open(Cursor::new(&file), Limits::default()).unwrap_err();
    assert!(error.to_string().contains("base"), "{error}");
    for case in golden::cases().iter().filter(|case| !case.is_current()) {
        assert!(Archive::open(Cursor::new(case.file()), Limits::default()).is_err());
    }
}

#[test]
fn bombs_meet_the_limits() {
    let limits = Limits::default().decoded_bytes(999);
    for options in [Options::new(DType::F32).plain(), Options::new(DType::F32).checksums(false)] {
        let file = encode(&[1; 1000], options);
        let ArchiveError::Decode(error) = Archive::open(Cursor::new(&file), limits).unwrap_err()
        else {
            panic!()
        };
        assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { requested: 1000, limit: 999 });
    }
    // An index of over 16 KiB, which is what is read of any file.
    let options = Options::new(DType::F32).checksums(false);
    let file = encode_with(&[1; 4000], EncoderBuilder::new(options).frame_len(4));
    assert!(Archive::open(Cursor::new(&file), Limits::default()).is_ok());
    let limits = Limits::default().frame_bytes(1 << 14);
    let ArchiveError::Decode(error) = Archive::open(Cursor::new(&file), limits).unwrap_err() else {
        panic!()
    };
    assert!(matches!(error.kind(), DecodeErrorKind::LimitExceeded { limit: 16_384, .. }));
}

#[cfg(feature = "safetensors")]
mod tensors {
    use half::bf16;

    use super::*;

    /// A file of two tensors: `a` of 100 × 8 bfloat16, `b` of 3 i64.
    fn file() -> (Vec<u8>, Vec<bf16>) {
        let header = br#"{"b":{"dtype":"I64","shape":[3],"data_offsets":[1600,1624]},
            "a":{"dtype":"BF16","shape":[100,8],"data_offsets":[0,1600]}}"#;
        let mut data = (header.len() as u64).to_le_bytes().to_vec();
        data.extend_from_slice(header);
        let numbers: Vec<bf16> = (0..800).map(|i| bf16::from_f32(i as f32)).collect();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        data.extend((1..4_i64).flat_map(i64::to_le_bytes));
        let builder = EncoderBuilder::new(Options::new(DType::BF16)).frame_len(500);
        (encode_with(&data, builder), numbers)
    }

    #[test]
    fn tensors_and_rows() {
        let (file, numbers) = file();
        let mut archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let names: Vec<String> =
            archive.tensors().unwrap().tensors().iter().map(|t| t.name.clone()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(archive.read_tensor::<bf16>("a").unwrap(), numbers);
        assert_eq!(archive.read_rows::<bf16>("a", 99..100).unwrap(), numbers[792..]);
        assert_eq!(archive.read_rows::<bf16>("a", 3..3).unwrap(), []);
        let mut bytes = [0; 24];
        archive.read_tensor_into("b", &mut bytes).unwrap();
        assert_eq!(bytes[8..16], 2_i64.to_le_bytes());
        archive.read_rows_into("b", 2..3, &mut bytes[..8]).unwrap();
        assert_eq!(bytes[..8], 3_i64.to_le_bytes());
    }

    /// The header is enough for the list, and tensors that are whole can be read.
    #[test]
    fn tensors_of_a_file_that_was_cut_off() {
        let (whole, numbers) = file();
        let archive = Archive::open(Cursor::new(&whole), Limits::default()).unwrap();
        let entries = archive.directory().entries().to_vec();
        let open = |len: u64| {
            let cut = Cursor::new(whole[..len as usize].to_vec());
            Archive::open_partial(cut, Limits::default()).unwrap()
        };
        // The data has 1750 bytes or so, in frames of 500: the last holds all of `b`.
        let mut archive = open(entries[3].range().end - 1);
        assert_eq!(archive.tensors().unwrap().tensors().len(), 2);
        let error = archive.read_tensor_into("b", &mut [0; 24]).unwrap_err();
        assert!(matches!(kind(error), DecodeErrorKind::Truncated { .. }));
        assert!(archive.read_tensor::<bf16>("a").is_err());
        assert_eq!(archive.read_rows::<bf16>("a", 0..50).unwrap(), numbers[..400]);
        // All frames of data, and no index.
        let mut archive = open(entries[3].range().end);
        assert_eq!(archive.cut().unwrap().kind(), DecodeErrorKind::FooterMissing);
        assert_eq!(archive.read_tensor::<bf16>("a").unwrap(), numbers);
        archive.read_tensor_into("b", &mut [0; 24]).unwrap();
        // Not even the header.
        let mut archive = open(entries[0].range().end - 1);
        assert!(matches!(kind(archive.tensors().unwrap_err()), DecodeErrorKind::Truncated { .. }));
    }

    /// Without an index, only the header of the data says how long that has to be.
    #[test]
    fn a_cut_between_frames_shows_in_the_tensors() {
        let (file, numbers) = file();
        let mut data = vec![0; 1800];
        let mut whole = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        data.truncate(whole.decoded_len() as usize);
        whole.read_into(0, &mut data).unwrap();
        let builder = EncoderBuilder::new(Options::new(DType::BF16).plain()).frame_len(500);
        let plain = encode_with(&data, builder);
        let archive = Archive::open(Cursor::new(&plain), Limits::default()).unwrap();
        let cut = &plain[..archive.directory().entries()[2].range().end as usize];
        let mut archive = Archive::open(Cursor::new(cut), Limits::default()).unwrap();
        assert!(matches!(archive.tensors(), Err(ArchiveError::Metadata(_))));
        let mut archive = Archive::open_partial(Cursor::new(cut), Limits::default()).unwrap();
        assert_eq!(archive.cut(), None);
        assert_eq!(archive.tensors().unwrap().tensors().len(), 2);
        let (needed, have) = (data.len() as u64, 1500);
        assert_eq!(archive.cut().unwrap().kind(), DecodeErrorKind::Truncated { needed, have });
        assert_eq!(archive.read_rows::<bf16>("a", 0..50).unwrap(), numbers[..400]);
        assert!(archive.read_tensor_into("b", &mut [0; 24]).is_err());
    }

    #[test]
    fn what_is_not_there() {
        let (file, _) = file();
        let mut archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let error = archive.read_tensor::<bf16>("c").unwrap_err();
        assert!(matches!(error, ArchiveError::NoSuchTensor { .. }), "{error}");
        let error = archive.read_tensor::<f32>("a").unwrap_err();
        assert!(matches!(error, ArchiveError::WrongDType { .. }), "{error}");
        for rows in [0..101, 100..101, std::ops::Range { start: 2, end: 1 }] {
            assert!(archive.read_rows::<bf16>("a", rows).is_err());
        }
        assert!(archive.read_tensor_into("b", &mut [0; 23]).is_err());
        let other = encode(&[7; 1000], Options::new(DType::F32).plain());
        let mut archive = Archive::open(Cursor::new(&other), Limits::default()).unwrap();
        assert!(matches!(archive.tensors().unwrap_err(), ArchiveError::Metadata(_)));
    }
}

/// Damage to one chunk, and to one frame, hides nothing else.
#[test]
fn all_damage_is_told() {
    let data = data::weights(DType::BF16, 4000, 2);
    let options = Options::new(DType::BF16).chunk_log2(9);
    let sound = encode_with(&data, EncoderBuilder::new(options).frame_len(1100));
    let mut archive = Archive::open(Cursor::new(&sound), Limits::default()).unwrap();
    assert_eq!(archive.damage().unwrap(), []);
    let second = archive.directory().entries()[1];
    let last = archive.directory().entries()[3];
    let mut damaged = sound.clone();
    damaged[second.range().end as usize - 20] ^= 1;
    let frame = zipnn::frame::Frame::parse(&sound[last.offset as usize..]).unwrap();
    let chunk = frame.index().chunk(1).unwrap().plane_ranges().next().unwrap();
    damaged[(last.offset + chunk.start) as usize] ^= 1;
    let mut archive = Archive::open(Cursor::new(&damaged), Limits::default()).unwrap();
    let damage = archive.damage().unwrap();
    let places: Vec<_> = damage.iter().map(|d| (d.error.place().frame, d.range.clone())).collect();
    let expected = [(Some(1), 1100..2200), (Some(3), 3300 + 512..4000)];
    assert_eq!(places, expected);
    assert_eq!(damage[1].error.place().chunk, Some(1));
}

/// A part can be decoded again and again, and asks for nothing once it has everything.
#[test]
fn parts_keep_what_they_have() {
    let data = data::weights(DType::F16, 4000, 2);
    let file = encode(&data, Options::new(DType::F16).checksums(true));
    let bytes = |range: std::ops::Range<u64>| &file[range.start as usize..range.end as usize];
    let mut seeker = Seeker::new(file.len() as u64, Limits::default());
    while let Some(range) = seeker.wanted() {
        seeker.feed(bytes(range)).unwrap();
    }
    seeker.feed(&[]).unwrap();
    let mut part = seeker.covering(100..200).unwrap().next().unwrap();
    let mut decoded = [0; 100];
    assert!(part.decode_into(&mut decoded, &mut DecodeScratch::new()).is_err());
    while let Some(range) = part.wanted() {
        part.feed(bytes(range)).unwrap();
    }
    part.feed(&[]).unwrap();
    for _ in 0..2 {
        decoded.fill(0);
        part.decode_into(&mut decoded, &mut DecodeScratch::new()).unwrap();
        assert!(decoded == data[100..200]);
    }
    assert_eq!((part.frame(), part.decoded_range()), (0, 100..200));
    assert!(part.decode_into(&mut decoded[1..], &mut DecodeScratch::new()).is_err());
}

/// The last chunk of a frame may have fewer bytes than there are planes: of some planes, then,
/// nothing is stored.
#[test]
fn chunks_shorter_than_an_element() {
    for dtype in [DType::F32, DType::BF16] {
        let data = data::noise((1 << 18) + 1, 5);
        for sealed in [false, true] {
            let options = Options::new(dtype);
            let options = if sealed { options } else { options.plain() };
            let file = encode(&data, options);
            let mut archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
            let mut last = [0];
            archive.read_into(data.len() as u64 - 1, &mut last).unwrap();
            assert_eq!(last[0], data[data.len() - 1]);
        }
    }
}

/// However much is damaged, nothing is read again and again.
#[test]
fn much_damage_takes_no_longer() {
    let data = data::noise(1 << 18, 6);
    let options = Options::new(DType::BF16).chunk_log2(10).checksums(true);
    let mut file = encode(&data, options);
    let first_payload = file.len() - data.len();
    for at in (first_payload..data.len()).step_by(256) {
        file[at] ^= 1;
    }
    let count = Rc::new(Cell::new(0));
    let source = Counting(Cursor::new(&file), Rc::clone(&count));
    let mut archive = Archive::open(source, Limits::default()).unwrap();
    let damage = archive.damage().unwrap();
    assert!(damage.len() > 200, "{}", damage.len());
    assert!(count.get() < 3 * file.len() as u64, "{} of {}", count.get(), file.len());
}

/// The kind of an error that was found in the file.
fn kind(error: ArchiveError) -> DecodeErrorKind {
    match error {
        ArchiveError::Decode(error) => error.kind(),
        error => panic!("{error}"),
    }
}

/// Wherever a file is cut off, all whole frames can be read, and what can be read is right.
#[test]
fn files_that_are_cut_off() {
    let data = data::weights(DType::BF16, 5000, 11);
    let small = Options::new(DType::BF16).chunk_log2(9);
    let encode = |options: Options, index| {
        encode_with(&data, EncoderBuilder::new(options).frame_len(1700).index(index))
    };
    for (file, is_sealed) in [
        (encode(small, true), true),
        (encode(small, false), false),
        (encode(small.plain(), false), false),
        (zipnn::compress(&data, &small.plain()).unwrap(), false),
    ] {
        let whole = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let entries = whole.directory().entries().to_vec();
        for len in 0..file.len() {
            let cut = &file[..len];
            let opened = Archive::open_partial(Cursor::new(cut), Limits::default());
            let Ok(mut archive) = opened else {
                assert!(len < 32, "{len} of {}: {}", file.len(), opened.unwrap_err());
                continue;
            };
            let frames = entries.iter().take_while(|entry| entry.range().end <= len as u64);
            let expected: u64 = frames.map(|entry| entry.decoded_len).sum();
            let available = archive.available_len();
            assert!(expected <= available && available <= data.len() as u64, "{len}: {available}");
            let mut decoded = vec![0; available as usize];
            archive.read_into(0, &mut decoded).unwrap();
            assert!(decoded == data[..available as usize], "{len}");
            let is_at_a_frame = entries.iter().any(|entry| entry.offset == len as u64);
            assert_eq!(archive.cut().is_none(), is_at_a_frame && !is_sealed, "{len}");
            assert_eq!(archive.damage().unwrap(), []);
            if let Some(error) = archive.cut() {
                let mut beyond = [0; 2];
                let found = archive.read_into(available.saturating_sub(1), &mut beyond);
                assert_eq!(kind(found.unwrap_err()), error.kind());
            }
        }
        let archive = Archive::open_partial(Cursor::new(&file), Limits::default()).unwrap();
        assert_eq!((archive.cut(), archive.available_len()), (None, data.len() as u64));
    }
}

/// Planes are stored one behind the other. Whole chunks of a frame that was cut off can be read if
/// it has never had checksums, and no chunk if those are missing.
#[test]
fn chunks_of_a_frame_that_was_cut_off() {
    let data = data::weights(DType::BF16, 8192, 3);
    let options = Options::new(DType::BF16).plain().chunk_log2(10);
    for (checksums, expected) in [(false, 5 * 1024), (true, 0)] {
        let file = zipnn::compress(&data, &options.checksums(checksums)).unwrap();
        let frame = zipnn::frame::Frame::parse(&file).unwrap();
        let end = frame.index().chunk(5).unwrap().plane_ranges().last().unwrap().end - 1;
        let cut = &file[..end as usize];
        let mut archive = Archive::open_partial(Cursor::new(cut), Limits::default()).unwrap();
        assert_eq!(archive.available_len(), expected);
        let mut decoded = vec![0; expected as usize];
        archive.read_into(0, &mut decoded).unwrap();
        assert!(decoded == data[..expected as usize]);
        let unverified = Limits::default().verify(false);
        let archive = Archive::open_partial(Cursor::new(cut), unverified).unwrap();
        assert_eq!(archive.available_len(), 5 * 1024);
    }
}

/// What a header promises beyond the end of the file takes no memory, and a frame that has lost its
/// checksums is not taken for one that never had any.
#[test]
fn a_file_that_was_cut_off_is_not_trusted() {
    let data = data::weights(DType::BF16, 4000, 2);
    let file = encode_with(&data, EncoderBuilder::new(Options::new(DType::BF16)).frame_len(1000));
    let entries = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
    let entries = entries.directory().entries().to_vec();
    let second = entries[1];
    // Decoded length and length of the frame.
    let mut lies = file[..second.range().end as usize - 1].to_vec();
    lies[second.offset as usize + 16..][..16].fill(0x3f);
    let mut archive = Archive::open_partial(Cursor::new(&lies), Limits::default()).unwrap();
    assert_eq!(archive.available_len(), 1000);
    archive.read_into(0, &mut [0; 1000]).unwrap();
    assert!(archive.read_into(0, &mut [0; 1001]).is_err());

    let bare = encode(&data[1000..2000], Options::new(DType::BF16).plain());
    let swapped = [&file[..second.offset as usize], &bare].concat();
    let mut archive = Archive::open_partial(Cursor::new(&swapped), Limits::default()).unwrap();
    let error = archive.read_into(1000, &mut [0; 1000]).unwrap_err();
    assert_eq!(kind(error), DecodeErrorKind::ChecksumMissing);

    let limits = Limits::default().decoded_bytes(999);
    let cut = &file[..second.range().end as usize - 1];
    let error = Archive::open_partial(Cursor::new(cut), limits).unwrap_err();
    assert_eq!(kind(error), DecodeErrorKind::LimitExceeded { requested: 1000, limit: 999 });
    for other in [&b""[..], b"ZN", b"nothing of ours, but longer than a header"] {
        assert!(Archive::open_partial(Cursor::new(other), Limits::default()).is_err());
    }
}

/// Whatever is changed in a file that was cut off, what can be read is right, and what cannot is
/// damage.
#[test]
fn changed_files_that_are_cut_off() {
    let data = data::weights(DType::BF16, 5000, 11);
    let options = Options::new(DType::BF16).chunk_log2(9);
    let mut random = Random(9);
    for options in [options, options.plain()] {
        let file = encode_with(&data, EncoderBuilder::new(options).frame_len(1700));
        let is_sealed = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let is_sealed = is_sealed.directory().entries().last().unwrap().decoded_len == 0;
        for _ in 0..2000 {
            let mut cut = file[..random.below(file.len() + 1)].to_vec();
            for _ in 0..random.below(3) {
                if let Some(at) = cut.len().checked_sub(1) {
                    cut[random.below(at + 1)] = random.next() as u8;
                }
            }
            let opened = Archive::open_partial(Cursor::new(&cut), Limits::default());
            let Ok(mut archive) = opened else { continue };
            let mut decoded = vec![0; archive.available_len() as usize];
            let result = archive.read_into(0, &mut decoded);
            assert_eq!(result.is_ok(), archive.damage().unwrap().is_empty());
            if result.is_ok() && is_sealed {
                assert!(decoded == data[..decoded.len()]);
            }
        }
    }
}

/// A frame header that is damaged ends what can be found without an index, and only then.
#[test]
fn a_damaged_header_in_the_middle() {
    let data = data::weights(DType::BF16, 4000, 2);
    for (index, available) in [(false, 1000), (true, 4000)] {
        let builder = EncoderBuilder::new(Options::new(DType::BF16)).frame_len(1000);
        let mut file = encode_with(&data, builder.index(index));
        let archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let second = archive.directory().entries()[1].offset as usize;
        file[second] ^= 1;
        let archive = Archive::open_partial(Cursor::new(&file), Limits::default()).unwrap();
        assert_eq!(archive.available_len(), available);
        let found = archive.cut().map(|error| (error.kind(), error.place().frame));
        assert_eq!(found, (!index).then_some((DecodeErrorKind::BadMagic, Some(1))));
    }
}

/// Two versions of a model, and files that hold the difference from one to the other.
fn differences(len: usize) -> (Vec<u8>, Vec<u8>, [Vec<u8>; 4]) {
    let base = data::weights(DType::BF16, len, 11);
    let mut tuned = base.clone();
    (0..len).step_by(7).for_each(|at| tuned[at] ^= 3);
    let small = Options::new(DType::BF16).chunk_log2(9);
    let stream = |index| {
        let builder = EncoderBuilder::new(small).frame_len(1700).index(index);
        let mut encoder = builder.build_delta(Vec::new(), Cursor::new(&base)).unwrap();
        encoder.write_all(&tuned).unwrap();
        encoder.finish().unwrap()
    };
    let files = [
        stream(true),
        stream(false),
        zipnn::delta::compress(&tuned, &base, &small).unwrap(),
        zipnn::delta::compress(&tuned, &base, &small.plain()).unwrap(),
    ];
    (base, tuned, files)
}

#[test]
fn every_range_of_a_difference() {
    let (base, tuned, files) = differences(5000);
    for file in &files {
        let open = || Archive::open_delta(Cursor::new(file), Cursor::new(&base), Limits::default());
        let mut archive = open().unwrap();
        for range in ranges(5000, &[512, 1700, 3400]) {
            let expected = &tuned[range.start as usize..range.end as usize];
            let mut decoded = vec![0xaa; expected.len()];
            archive.read_into(range.start, &mut decoded).unwrap();
            assert!(decoded == expected, "{range:?}");
        }
        assert_eq!(archive.damage().unwrap(), []);
    }
}

#[test]
fn a_difference_needs_its_base() {
    let (base, tuned, files) = differences(5000);
    let limits = Limits::default();
    let mut wrong = base.clone();
    wrong[2000] ^= 1;
    for (number, file) in files.iter().enumerate() {
        let file = || Cursor::new(file);
        for opened in [Archive::open(file(), limits), Archive::open_partial(file(), limits)] {
            assert_eq!(kind(opened.unwrap_err()), DecodeErrorKind::BaseRequired);
        }
        let mut archive = Archive::open_delta(file(), Cursor::new(&wrong), limits).unwrap();
        let result = archive.read_into(1900, &mut [0; 200]).map_err(kind);
        let has_checksums = number < 3;
        assert_eq!(
            result,
            if has_checksums { Err(DecodeErrorKind::ChecksumMismatch) } else { Ok(()) }
        );
        // Of a base that is wrong elsewhere, nothing is noticed.
        archive.read_into(0, &mut [0; 200]).unwrap();
        for base in [&base[1..], &[&base[..], &[0]].concat()] {
            let error = Archive::open_delta(file(), Cursor::new(base), limits).unwrap_err();
            let found = base.len() as u64;
            assert_eq!(kind(error), DecodeErrorKind::BaseLength { expected: 5000, found });
        }
    }
    for options in [Options::new(DType::BF16), Options::new(DType::BF16).plain()] {
        let plain = encode(&tuned, options);
        let opened = Archive::open_delta(Cursor::new(&plain), Cursor::new(&base), limits);
        assert_eq!(kind(opened.unwrap_err()), DecodeErrorKind::NotADelta);
    }
}

#[test]
fn a_difference_that_was_cut_off() {
    let (base, tuned, files) = differences(5000);
    let file = &files[0];
    let open = |len: usize| {
        let (cut, base) = (Cursor::new(&file[..len]), Cursor::new(&base));
        Archive::open_partial_delta(cut, base, Limits::default())
    };
    for len in (200..file.len()).step_by(13) {
        let mut archive = open(len).unwrap();
        assert!(archive.cut().is_some());
        let mut decoded = vec![0; archive.available_len() as usize];
        archive.read_into(0, &mut decoded).unwrap();
        assert!(decoded == tuned[..decoded.len()], "{len}");
    }
}

/// Of a difference as of its base, only what is needed is read.
#[test]
fn little_is_read_of_a_difference() {
    let base = data::weights(DType::BF16, 12 << 20, 5);
    let mut tuned = base.clone();
    tuned[7 << 20] ^= 1;
    let options = Options::new(DType::BF16);
    let mut encoder =
        zipnn::delta::DeltaEncoder::new(Vec::new(), Cursor::new(&base), options).unwrap();
    encoder.write_all(&tuned).unwrap();
    let file = encoder.finish().unwrap();
    let count = Rc::new(Cell::new(0));
    let counted = Counting(Cursor::new(&base), Rc::clone(&count));
    let mut archive = Archive::open_delta(Cursor::new(&file), counted, Limits::default()).unwrap();
    let mut decoded = [0; 2];
    archive.read_into(7 << 20, &mut decoded).unwrap();
    assert_eq!(decoded, tuned[7 << 20..][..2]);
    assert!(count.get() <= 1 << 18, "{}", count.get());
}
