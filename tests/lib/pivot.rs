//! Planes with pivot codes, through all readers.

use std::io::{Read, Write};

use zipnn::frame::{
    DecodeScratch, DecodeTable, Frame, HEADER_LEN, Method, Scratch, SmallTable, Table,
};
use zipnn::io::EncoderBuilder;
use zipnn::push::PushDecoder;
use zipnn::{
    Archive, DType, DecodeError, DecodeErrorKind, Decoder, Limits, Options, PlaneCode, Profile,
};

use crate::common::{data, golden, skipped};

fn extended(dtype: DType) -> Options {
    Options::new(dtype).profile(Profile::Extended)
}

/// Returns the number of planes that are stored with a method.
fn count(file: &[u8], wanted: Method) -> u64 {
    let frame = Frame::parse(file).unwrap();
    let counts = frame.index().method_counts();
    counts.filter(|&(method, _)| method == wanted).map(|(_, count)| count).sum()
}

fn decode_with(file: &[u8], mut table: impl Table) -> Result<Vec<u8>, DecodeError> {
    let frame = Frame::parse(file)?;
    let mut planes = vec![0; frame.scratch_len() as usize];
    let mut decoded = vec![0; frame.decoded_len() as usize];
    frame.decode_into(&mut decoded, &mut Scratch::new(&mut table, &mut planes))?;
    Ok(decoded)
}

/// Decodes with every reader; all must agree.
fn decode(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let decoded = zipnn::decompress(file, &Limits::default());
    // A frame alone does not know its number.
    let in_frame = |error: DecodeError| error.in_frame(0);
    let small = decode_with(file, SmallTable::new()).map_err(in_frame);
    assert_eq!(small, decoded, "SmallTable");
    assert_eq!(decode_with(file, DecodeTable::new()).map_err(in_frame), decoded, "DecodeTable");
    let mut streamed = Vec::new();
    let result = Decoder::new(file, Limits::default())
        .and_then(|mut decoder| decoder.read_to_end(&mut streamed));
    assert_eq!(result.ok().map(|_| &streamed), decoded.as_ref().ok(), "Decoder");
    decoded
}

#[test]
fn files_are_as_specified() {
    let folder = crate::common::root().join("tests/data/pivot");
    let cases = golden::cases_in(&folder);
    assert!(cases.len() > 5, "{} files", cases.len());
    for case in cases {
        let (file, original) = (case.file(), case.original());
        let dtype: DType = case.text("dtype").unwrap().parse().unwrap();
        assert!(count(&file, Method::Pivot) > 0, "{}", case.name());
        assert!(decode(&file).unwrap() == original, "{}", case.name());
        let written = zipnn::compress(&original, &extended(dtype)).unwrap();
        assert!(written == file, "{}: other bytes are written", case.name());
        let mut pushed = Vec::new();
        let mut decoder = PushDecoder::new(Limits::default());
        let mut rest = &file[..];
        while !rest.is_empty() {
            let taken = decoder.push(&rest[..rest.len().min(1000)]).unwrap();
            rest = &rest[taken..];
            while let Some(chunk) = decoder.next_chunk().unwrap() {
                pushed.extend_from_slice(chunk);
            }
        }
        assert!(pushed == original, "{}: PushDecoder", case.name());
    }
}

#[test]
fn ranges_are_decoded() {
    let data = data::weights(DType::BF16, 900_001, 1);
    let mut encoder =
        EncoderBuilder::new(extended(DType::BF16)).frame_len(400_000).build(Vec::new()).unwrap();
    encoder.write_all(&data).unwrap();
    let file = encoder.finish().unwrap();
    let archive = Archive::open(&file[..], Limits::default()).unwrap();
    for range in [0..1, 399_999..400_002, 262_000..700_000, 900_000..900_001] {
        let expected = &data[range.start as usize..range.end as usize];
        let mut decoded = vec![0; expected.len()];
        archive.read_into(range.start, &mut decoded).unwrap();
        assert!(decoded == expected, "{range:?}");
    }
}

#[test]
fn sizes_are_those_of_huffman_codes() {
    for dtype in DType::ALL {
        let data = data::weights(dtype, 1_500_000, 2);
        let plain = zipnn::compress(&data, &Options::new(dtype)).unwrap();
        let pivot = zipnn::compress(&data, &extended(dtype)).unwrap();
        let huffman = extended(dtype).plane_code(PlaneCode::Huffman);
        let huffman = zipnn::compress(&data, &huffman).unwrap();
        assert!(huffman == plain, "{dtype}: the option changes nothing else");
        assert!(count(&pivot, Method::Pivot) > 0, "{dtype}");
        assert_eq!(count(&pivot, Method::Huffman), 0, "{dtype}");
        let most = plain.len() + plain.len() / 2000;
        assert!(pivot.len() <= most, "{dtype}: {} and {}", pivot.len(), plain.len());
        let mut scratch = zipnn::frame::EncodeScratch::new();
        let len = zipnn::compressed_len(&data, &extended(dtype), &mut scratch).unwrap();
        assert_eq!(len, pivot.len(), "{dtype}");
    }
}

#[test]
fn planes_of_any_length_are_coded() {
    let mut pivot = 0;
    for dtype in [DType::F8E4M3, DType::BF16, DType::F32] {
        for len in (0..300).chain([1000, 4096, 131_071, 131_072, 131_073, 262_144, 300_000]) {
            let data = data::weights(dtype, len, len as u64);
            let file = zipnn::compress(&data, &extended(dtype)).unwrap();
            assert!(decode(&file).unwrap() == data, "{dtype}, {len} bytes");
            pivot += count(&file, Method::Pivot);
        }
    }
    assert!(pivot > 20, "{pivot}");
}

#[test]
fn long_planes_are_not_coded() {
    // Planes of 256 KiB.
    let data = data::weights(DType::BF16, 1 << 20, 3);
    let file = zipnn::compress(&data, &extended(DType::BF16).chunk_log2(19)).unwrap();
    assert_eq!(count(&file, Method::Raw), 4);

    // The shortest lengths for which the index of a file may name the method.
    let mut file = zipnn::compress(&data[..1 << 18], &extended(DType::BF16).plain()).unwrap();
    file[HEADER_LEN] = 3;
    let error = zipnn::decompress(&file, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::InvalidIndex, "as long as the plane");
    assert_eq!((error.location().chunk, error.location().plane), (Some(0), Some(0)));
}

#[test]
fn damage_is_an_error_that_names_the_plane() {
    let data = data::weights(DType::BF16, 1 << 14, 5);
    let options = extended(DType::BF16).plain().chunk_log2(12);
    let mut file = zipnn::compress(&data, &options).unwrap();
    assert_eq!(count(&file, Method::Pivot), 4);
    // A bit of the last node's padding, or a symbol that moves to a leaf that is full.
    let end = file.len();
    let mut errors = 0;
    for at in end - 1000..end {
        file[at] ^= 0x81;
        if let Err(error) = decode(&file) {
            let place = error.location();
            assert!(matches!(place.chunk, Some(2 | 3)), "byte {at}: {error}");
            assert_eq!((place.frame, place.plane), (Some(0), Some(1)), "byte {at}: {error}");
            errors += 1;
        }
        file[at] ^= 0x81;
    }
    assert!(errors > 100, "{errors}");
}

#[test]
fn truncations_are_errors() {
    let data = data::weights(DType::F16, 3000, 6);
    let file = zipnn::compress(&data, &extended(DType::F16).plain()).unwrap();
    for len in 0..file.len() {
        assert!(zipnn::decompress(&file[..len], &Limits::default()).is_err(), "{len} bytes");
    }
}

#[test]
fn scratch_is_reused_between_lengths() {
    let mut scratch = DecodeScratch::new();
    for len in [300_000, 5000, 1 << 20, 70] {
        let data = data::weights(DType::F8E4M3, len, 7);
        let file = zipnn::compress(&data, &extended(DType::F8E4M3)).unwrap();
        let mut decoded = vec![0; len];
        zipnn::decompress_into(&file, &mut decoded, &Limits::default(), &mut scratch).unwrap();
        assert!(decoded == data, "{len} bytes");
    }
}

#[test]
fn real_models_are_as_small_as_with_huffman_codes() {
    let Some(folder) = skipped::shared("models") else { return };
    let mut shorter = 0;
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension != "md")) {
        let model = std::fs::read(&path).unwrap();
        let options = Options::auto().profile(Profile::Extended);
        let pivot = zipnn::compress(&model, &options).unwrap();
        let decoded = zipnn::decompress(&pivot, &Limits::default()).unwrap();
        assert!(decoded == model, "{}", path.display());
        let huffman = zipnn::compress(&model, &options.plane_code(PlaneCode::Huffman)).unwrap();
        let ratio = pivot.len() as f64 / huffman.len() as f64;
        println!("{}: {:+.3} %", path.display(), (ratio - 1.0) * 100.0);
        assert!(ratio <= 1.0005, "{}: {ratio}", path.display());
        shorter += usize::from(pivot.len() < huffman.len());
    }
    assert!(shorter > 0, "no file is coded differently");
}
