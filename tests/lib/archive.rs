//! Parts of files: any range, any tensor, with as few bytes read as that takes.

use std::cell::Cell;
use std::io::{self, Cursor, Write};
use std::rc::Rc;

use data::Random;
use zipnn::frame::DecodeScratch;
use zipnn::io::{EncoderBuilder, ReadAt};
use zipnn::seek::Seeker;
use zipnn::{Archive, ArchiveError, DType, DecodeErrorKind, Limits, Options};

use crate::common::{data, golden};

/// Counts the bytes that are read.
struct Counting<S>(S, Rc<Cell<u64>>);

impl<S: ReadAt> ReadAt for Counting<S> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = self.0.read_at(buf, offset)?;
        self.1.set(self.1.get() + len as u64);
        Ok(len)
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
            let archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
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
        let archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
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
    let archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
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
        let archive = Archive::open(source, Limits::default()).unwrap();
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
        let archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let names: Vec<String> =
            archive.tensors().unwrap().tensors().iter().map(|t| t.name.clone()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(archive.read_tensor::<bf16>("a").unwrap(), numbers);
        assert_eq!(archive.read_rows::<bf16>("a", 99..100).unwrap(), numbers[792..]);
        assert_eq!(archive.read_rows::<bf16>("a", 3..3).unwrap(), []);
        let mut bytes = [0; 24];
        archive.read_tensor_bytes_into("b", &mut bytes).unwrap();
        assert_eq!(bytes[8..16], 2_i64.to_le_bytes());
        archive.read_rows_bytes_into("b", 2..3, &mut bytes[..8]).unwrap();
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
        let archive = open(entries[3].range().end - 1);
        assert_eq!(archive.tensors().unwrap().tensors().len(), 2);
        let error = archive.read_tensor_bytes_into("b", &mut [0; 24]).unwrap_err();
        assert!(matches!(kind(error), DecodeErrorKind::Truncated { .. }));
        assert!(archive.read_tensor::<bf16>("a").is_err());
        assert_eq!(archive.read_rows::<bf16>("a", 0..50).unwrap(), numbers[..400]);
        // All frames of data, and no index.
        let archive = open(entries[3].range().end);
        assert_eq!(archive.cut().unwrap().kind(), DecodeErrorKind::FooterMissing);
        assert_eq!(archive.read_tensor::<bf16>("a").unwrap(), numbers);
        archive.read_tensor_bytes_into("b", &mut [0; 24]).unwrap();
        // Not even the header.
        let archive = open(entries[0].range().end - 1);
        assert!(matches!(kind(archive.tensors().unwrap_err()), DecodeErrorKind::Truncated { .. }));
    }

    /// Without an index, only the header of the data says how long that has to be.
    #[test]
    fn a_cut_between_frames_shows_in_the_tensors() {
        let (file, numbers) = file();
        let mut data = vec![0; 1800];
        let whole = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        data.truncate(whole.decoded_len() as usize);
        whole.read_into(0, &mut data).unwrap();
        let builder = EncoderBuilder::new(Options::new(DType::BF16).plain()).frame_len(500);
        let plain = encode_with(&data, builder);
        let archive = Archive::open(Cursor::new(&plain), Limits::default()).unwrap();
        let cut = &plain[..archive.directory().entries()[2].range().end as usize];
        let archive = Archive::open(Cursor::new(cut), Limits::default()).unwrap();
        assert!(matches!(archive.tensors(), Err(ArchiveError::Metadata(_))));
        let archive = Archive::open_partial(Cursor::new(cut), Limits::default()).unwrap();
        assert_eq!(archive.cut(), None);
        assert_eq!(archive.tensors().unwrap().tensors().len(), 2);
        let (needed, have) = (data.len() as u64, 1500);
        assert_eq!(archive.cut().unwrap().kind(), DecodeErrorKind::Truncated { needed, have });
        assert_eq!(archive.read_rows::<bf16>("a", 0..50).unwrap(), numbers[..400]);
        assert!(archive.read_tensor_bytes_into("b", &mut [0; 24]).is_err());
    }

    /// Every type of element is read as it was written.
    #[test]
    fn elements_of_every_type() {
        let mut header = Vec::new();
        let mut data = Vec::new();
        let mut add = |name: &str, bytes: &[u8]| {
            let (start, end) = (data.len(), data.len() + bytes.len());
            header.push(format!(
                r#""{name}":{{"dtype":"{name}","shape":[{}],"data_offsets":[{start},{end}]}}"#,
                if name == "BOOL" || name.ends_with('8') {
                    bytes.len()
                } else {
                    bytes.len() / (name[1..].parse::<usize>().unwrap() / 8)
                }
            ));
            data.extend_from_slice(bytes);
        };
        add("U8", &[0, 200]);
        add("I8", &[0, 200]);
        add("U16", &0x1234_u16.to_le_bytes());
        add("I16", &(-2_i16).to_le_bytes());
        add("U32", &0x1234_5678_u32.to_le_bytes());
        add("I32", &(-3_i32).to_le_bytes());
        add("U64", &(1_u64 << 63).to_le_bytes());
        add("I64", &(-4_i64).to_le_bytes());
        add("F16", &half::f16::from_f32(0.5).to_le_bytes());
        add("F32", &1.5_f32.to_le_bytes());
        add("F64", &(-2.5_f64).to_le_bytes());
        add("BOOL", &[1, 0, 1]);
        let header = format!("{{{}}}", header.join(","));
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(&data);
        let compressed = zipnn::compress(&file, &Options::bytes()).unwrap();
        let archive = Archive::open(&compressed, Limits::default()).unwrap();
        assert_eq!(archive.read_tensor::<u8>("U8").unwrap(), [0, 200]);
        assert_eq!(archive.read_tensor::<i8>("I8").unwrap(), [0, -56]);
        assert_eq!(archive.read_tensor::<u16>("U16").unwrap(), [0x1234]);
        assert_eq!(archive.read_tensor::<i16>("I16").unwrap(), [-2]);
        assert_eq!(archive.read_tensor::<u32>("U32").unwrap(), [0x1234_5678]);
        assert_eq!(archive.read_tensor::<i32>("I32").unwrap(), [-3]);
        assert_eq!(archive.read_tensor::<u64>("U64").unwrap(), [1 << 63]);
        assert_eq!(archive.read_tensor::<i64>("I64").unwrap(), [-4]);
        assert_eq!(archive.read_tensor::<half::f16>("F16").unwrap(), [half::f16::from_f32(0.5)]);
        assert_eq!(archive.read_tensor::<f32>("F32").unwrap(), [1.5]);
        assert_eq!(archive.read_tensor::<f64>("F64").unwrap(), [-2.5]);
        assert_eq!(archive.read_tensor::<bool>("BOOL").unwrap(), [true, false, true]);
        assert_eq!(archive.tensor_names().unwrap().len(), 12);
        for name in archive.tensor_names().unwrap() {
            let bytes = archive.read_tensor_bytes(name).unwrap();
            assert_eq!(archive.read_rows_bytes(name, 0..1).unwrap()[..1], bytes[..1]);
        }

        let at = file.len() - 1;
        file[at] = 2;
        let compressed = zipnn::compress(&file, &Options::bytes()).unwrap();
        let archive = Archive::open(&compressed, Limits::default()).unwrap();
        let error = archive.read_tensor::<bool>("BOOL").unwrap_err();
        assert_eq!(kind(error), DecodeErrorKind::InvalidBool(2));
        assert_eq!(archive.read_rows::<bool>("BOOL", 0..2).unwrap(), [true, false]);
    }

    #[test]
    fn what_is_not_there() {
        let (file, _) = file();
        let archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
        let error = archive.read_tensor::<bf16>("c").unwrap_err();
        assert!(matches!(error, ArchiveError::NoSuchTensor { .. }), "{error}");
        let error = archive.read_tensor::<f32>("a").unwrap_err();
        assert!(matches!(error, ArchiveError::WrongDType { .. }), "{error}");
        for rows in [0..101, 100..101, std::ops::Range { start: 2, end: 1 }] {
            assert!(archive.read_rows::<bf16>("a", rows).is_err());
        }
        assert!(archive.read_tensor_bytes_into("b", &mut [0; 23]).is_err());
        let other = encode(&[7; 1000], Options::new(DType::F32).plain());
        let archive = Archive::open(Cursor::new(&other), Limits::default()).unwrap();
        assert!(matches!(archive.tensors().unwrap_err(), ArchiveError::Metadata(_)));
    }
}

/// Damage to one chunk, and to one frame, hides nothing else.
#[test]
fn all_damage_is_told() {
    let data = data::weights(DType::BF16, 4000, 2);
    let options = Options::new(DType::BF16).chunk_log2(9);
    let sound = encode_with(&data, EncoderBuilder::new(options).frame_len(1100));
    let archive = Archive::open(Cursor::new(&sound), Limits::default()).unwrap();
    assert_eq!(archive.damage().unwrap(), []);
    let second = archive.directory().entries()[1];
    let last = archive.directory().entries()[3];
    let mut damaged = sound.clone();
    damaged[second.range().end as usize - 20] ^= 1;
    let frame = zipnn::frame::Frame::parse(&sound[last.offset as usize..]).unwrap();
    let chunk = frame.index().chunk(1).unwrap().plane_ranges().next().unwrap();
    damaged[(last.offset + chunk.start) as usize] ^= 1;
    let archive = Archive::open(Cursor::new(&damaged), Limits::default()).unwrap();
    let damage = archive.damage().unwrap();
    let places: Vec<_> =
        damage.iter().map(|d| (d.error.location().frame, d.range.clone())).collect();
    let expected = [(Some(1), 1100..2200), (Some(3), 3300 + 512..4000)];
    assert_eq!(places, expected);
    assert_eq!(damage[1].error.location().chunk, Some(1));
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
            let archive = Archive::open(Cursor::new(&file), Limits::default()).unwrap();
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
    let archive = Archive::open(source, Limits::default()).unwrap();
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
            let Ok(archive) = opened else {
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
        let archive = Archive::open_partial(Cursor::new(cut), Limits::default()).unwrap();
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
    let archive = Archive::open_partial(Cursor::new(&lies), Limits::default()).unwrap();
    assert_eq!(archive.available_len(), 1000);
    archive.read_into(0, &mut [0; 1000]).unwrap();
    assert!(archive.read_into(0, &mut [0; 1001]).is_err());

    let bare = encode(&data[1000..2000], Options::new(DType::BF16).plain());
    let swapped = [&file[..second.offset as usize], &bare].concat();
    let archive = Archive::open_partial(Cursor::new(&swapped), Limits::default()).unwrap();
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
            let Ok(archive) = opened else { continue };
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
        let found = archive.cut().map(|error| (error.kind(), error.location().frame));
        assert_eq!(found, (!index).then_some((DecodeErrorKind::BadMagic, Some(1))));
    }
}

/// Threads share an archive, and each reads right bytes.
#[test]
fn eight_threads_at_once() {
    let data = data::weights(DType::BF16, 3 << 20, 5);
    let options = Options::new(DType::BF16).chunk_log2(14);
    let encoded = encode_with(&data, EncoderBuilder::new(options).frame_len(1 << 18));
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&encoded).unwrap();
    let in_memory: Box<dyn ReadAt + Sync> = Box::new(&encoded[..]);
    let locked: Box<dyn ReadAt + Sync> = Box::new(std::sync::Mutex::new(Cursor::new(&encoded)));
    let from_file: Box<dyn ReadAt + Sync> = Box::new(file);
    for source in [in_memory, locked, from_file] {
        let archive = Archive::open(source, Limits::default()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (archive, data) = (&archive, &data);
                scope.spawn(move || {
                    let mut random = Random(thread);
                    for _ in 0..50 {
                        let start = random.below(data.len());
                        let end = start + random.below((data.len() - start).min(500_000) + 1);
                        let mut decoded = vec![0; end - start];
                        archive.read_into(start as u64, &mut decoded).unwrap();
                        assert!(decoded == data[start..end], "{start}..{end}");
                    }
                });
            }
        });
    }
}

/// Once an archive has its memory, reads allocate nothing, whatever the source.
#[test]
fn reads_do_not_allocate() {
    for dtype in [DType::BF16, DType::F8E4M3] {
        let data = data::weights(dtype, 3 << 20, 5);
        let mut file = tempfile::tempfile().unwrap();
        let builder = EncoderBuilder::new(Options::new(dtype));
        let encoded = encode_with(&data, builder.frame_len(1 << 20));
        file.write_all(&encoded).unwrap();
        let sources: [Box<dyn ReadAt>; 2] = [Box::new(&encoded[..]), Box::new(file)];
        for source in sources {
            let archive = Archive::open(source, Limits::default()).unwrap();
            let mut decoded = vec![0; 2 << 20];
            let mut read = || {
                // Whole frames, parts of chunks, and few bytes.
                archive.read_into(100, &mut decoded).unwrap();
                archive.read_into(2_000_000, &mut decoded[..300_001]).unwrap();
                archive.read_into(1, &mut decoded[..1]).unwrap();
            };
            read();
            let counted = allocation_counter::measure(read);
            assert_eq!(counted.count_total, 0, "{dtype:?}: {counted:?}");
        }
    }
}

/// A source in memory that cannot be read except where it is.
struct Borrowed<'f>(&'f [u8]);

impl ReadAt for Borrowed<'_> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        panic!("the bytes were copied")
    }

    fn slice(&self, range: std::ops::Range<u64>) -> Option<&[u8]> {
        self.0.slice(range)
    }
}

#[test]
fn sources_in_memory_are_not_copied() {
    let (base, tuned, files) = differences(5000);
    for file in &files {
        let (file, base) = (Borrowed(file), Borrowed(&base));
        let archive = Archive::open_delta(file, base, Limits::default()).unwrap();
        let mut decoded = vec![0; tuned.len()];
        archive.read_into(0, &mut decoded).unwrap();
        assert!(decoded == tuned);
        assert_eq!(archive.damage().unwrap(), []);
    }
}

#[test]
fn a_known_directory_opens_without_reading() {
    let data = data::weights(DType::BF16, 5000, 11);
    let options = Options::new(DType::BF16).chunk_log2(9);
    let limits = Limits::default();
    for builder in [EncoderBuilder::new(options), EncoderBuilder::new(options.plain())] {
        let file = encode_with(&data, builder.frame_len(1700));
        let opened = Archive::open(&file, limits).unwrap();
        let directory = opened.directory().clone();
        let count = Rc::new(Cell::new(0));
        let source = Counting(&file[..], Rc::clone(&count));
        let archive = Archive::with_directory(source, directory.clone(), limits).unwrap();
        let source = Counting(&file[..], Rc::clone(&count));
        let cloned = Archive::with_seeker(source, opened.seeker().clone()).unwrap();
        assert_eq!(count.get(), 0);
        for archive in [archive, cloned] {
            let mut decoded = vec![0; 3000];
            archive.read_into(1500, &mut decoded).unwrap();
            assert!(decoded == data[1500..4500]);
        }
        // A directory of another file does not fit.
        let other = encode_with(&data, builder.frame_len(1600));
        let archive = Archive::with_directory(&other, directory, limits).unwrap();
        let error = archive.read_into(0, &mut [0; 5000]).unwrap_err();
        assert_eq!(kind(error), DecodeErrorKind::IndexMismatch);
    }
    let tight = limits.decoded_bytes(4999);
    let directory = Archive::open(&encode(&data, options), limits).unwrap().directory().clone();
    let error = Archive::with_directory(&data, directory, tight).unwrap_err();
    assert_eq!(kind(error), DecodeErrorKind::LimitExceeded { requested: 5000, limit: 4999 });
}

/// A directory says whether frames must have checksums.
#[test]
fn a_known_directory_keeps_the_seal() {
    let data = data::weights(DType::BF16, 2000, 2);
    let options = Options::new(DType::BF16);
    let sealed = encode_with(&data, EncoderBuilder::new(options).frame_len(1000));
    let directory = Archive::open(&sealed, Limits::default()).unwrap().directory().clone();
    assert!(directory.is_sealed());
    let second = directory.entries()[1];
    // The annex of the second frame becomes slack without a meaning.
    let frame = zipnn::frame::Frame::parse(&sealed[second.offset as usize..]).unwrap();
    let annex = second.range().end as usize - frame.slack().len();
    let mut stripped = sealed.clone();
    stripped[annex] ^= 1;
    let open = |directory| Archive::with_directory(&stripped, directory, Limits::default());
    let error = open(directory.clone()).unwrap().read_into(1000, &mut [0; 1000]).unwrap_err();
    assert_eq!(kind(error), DecodeErrorKind::ChecksumMissing);
    let mut unsealed = directory;
    unsealed.set_sealed(false);
    open(unsealed).unwrap().read_into(1000, &mut [0; 1000]).unwrap();
}

#[test]
fn a_known_directory_of_a_difference_needs_its_base() {
    let (base, tuned, files) = differences(5000);
    let limits = Limits::default();
    for file in &files {
        let opened = Archive::open_delta(file, &base, limits).unwrap();
        let directory = opened.directory().clone();
        let archive = Archive::with_directory(file, directory.clone(), limits).unwrap();
        for offset in [0, 4000] {
            let error = archive.read_into(offset, &mut [0; 100]).unwrap_err();
            assert_eq!(kind(error), DecodeErrorKind::BaseRequired);
        }
        let seeker = Seeker::with_directory(directory, limits).unwrap();
        let archive = Archive::with_seeker_delta(file, &base, seeker).unwrap();
        let mut decoded = vec![0; 5000];
        archive.read_into(0, &mut decoded).unwrap();
        assert!(decoded == tuned);
        let error = Archive::with_seeker(file, archive.seeker().clone()).unwrap_err();
        assert_eq!(kind(error), DecodeErrorKind::BaseRequired);
    }
    let plain = encode(&tuned, Options::new(DType::BF16));
    let directory = Archive::open(&plain, limits).unwrap().directory().clone();
    let seeker = Seeker::with_directory(directory, limits).unwrap();
    let archive = Archive::with_seeker_delta(&plain, &base, seeker).unwrap();
    let error = archive.read_into(0, &mut [0; 10]).unwrap_err();
    assert_eq!(kind(error), DecodeErrorKind::NotADelta);
}

/// Any number of last bytes begins the search; what is missing is asked for.
#[test]
fn a_suffix_of_any_length() {
    let data = data::weights(DType::BF16, 60_000, 11);
    let options = Options::new(DType::BF16).chunk_log2(12);
    let encode = |options| encode_with(&data, EncoderBuilder::new(options).frame_len(7000));
    for file in [encode(options), encode(options.plain())] {
        let expected = Archive::open(&file, Limits::default()).unwrap().directory().clone();
        for len in [0, 1, 31, 32, 100, 1000, 16 << 10, file.len() - 1, file.len()] {
            let mut seeker = Seeker::new(file.len() as u64, Limits::default());
            seeker.feed_suffix(&file[file.len() - len..]).unwrap();
            while let Some(range) = seeker.wanted() {
                seeker.feed(&file[range.start as usize..range.end as usize]).unwrap();
            }
            assert_eq!(seeker.directory(), Some(&expected), "{len}");
            seeker.feed_suffix(&file).unwrap();
        }
        let mut seeker = Seeker::new(file.len() as u64 - 1, Limits::default());
        let error = seeker.feed_suffix(&file).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::InvalidLength);
    }
    // Short files, and ones of which nothing is left.
    for file in [&b""[..], b"short"] {
        let mut seeker = Seeker::new(file.len() as u64, Limits::default());
        let fed = seeker.feed_suffix(file);
        let fed = fed.and_then(|()| seeker.feed(file));
        assert!(fed.is_err(), "{fed:?}");
    }
}

/// A source that becomes shorter, or cannot be read, is an error of the right kind.
#[test]
fn errors_become_errors_of_input() {
    struct Shrunk<'f>(&'f [u8], Cell<u64>);
    impl ReadAt for Shrunk<'_> {
        fn size(&self) -> io::Result<u64> {
            Ok(self.1.get())
        }
        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            self.0[..self.1.get() as usize].read_at(buf, offset)
        }
    }
    let file = encode(&[7; 100_000], Options::new(DType::F32).plain());
    let archive =
        Archive::open(Shrunk(&file, Cell::new(file.len() as u64)), Limits::default()).unwrap();
    archive.get_ref().1.set(50);
    let error = io::Error::from(archive.read_into(0, &mut [0; 100_000]).unwrap_err());
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let error = error.downcast::<zipnn::DecodeError>().unwrap();
    assert!(matches!(error.kind(), DecodeErrorKind::Truncated { have: 50, .. }), "{error}");

    let inner = io::Error::from(error);
    assert!(matches!(ArchiveError::from(inner), ArchiveError::Decode(found) if found == error));
    let denied = ArchiveError::from(io::Error::from(io::ErrorKind::PermissionDenied));
    let (message, error) = (denied.to_string(), io::Error::from(denied));
    assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::PermissionDenied, message));
}

/// Each message says everything once, also where the sources of an error are printed behind it.
#[test]
fn messages_do_not_repeat_themselves() {
    let open = |file: &[u8]| Archive::open(file, Limits::default()).map(drop).unwrap_err();
    let errors = [open(b"no file"), io::Error::other(open(&[0; 100])).into()];
    for error in errors {
        let mut text = vec![error.to_string()];
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            text.push(inner.to_string());
            source = inner.source();
        }
        text.dedup();
        assert_eq!(text.len(), 1, "{text:?}");
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
        let archive = open().unwrap();
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
        let archive = Archive::open_delta(file(), Cursor::new(&wrong), limits).unwrap();
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
        let archive = open(len).unwrap();
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
    let archive = Archive::open_delta(Cursor::new(&file), counted, Limits::default()).unwrap();
    let mut decoded = [0; 2];
    archive.read_into(7 << 20, &mut decoded).unwrap();
    assert_eq!(decoded, tuned[7 << 20..][..2]);
    assert!(count.get() <= 1 << 18, "{}", count.get());
}
