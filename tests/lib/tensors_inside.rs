//! Tensors compressed inside a safetensors file: they decode to the same bytes, files of the
//! original decode, and readers detect malformed headers and frames.

use std::io::Cursor;

use serde_json::{Value, json};
use zipnn::frame::Form;
use zipnn::tensor::TensorInfo;
use zipnn::tensor::inside::{TensorError, TensorReader, TensorWriter};
use zipnn::tensor::{Metadata, MetadataError};
use zipnn::{DecodeErrorKind, Limits, Options, Profile};

use crate::tensor_files;
use crate::tensor_files::*;

const LIST: &str = "znn_compressed_vectors";

/// Returns a file with tensors of many types, lengths and contents.
fn varied() -> Vec<u8> {
    let fp8 = |count| f16(weights(count, 4)).chunks(2).map(|pair| pair[1]).collect::<Vec<u8>>();
    file_of(&[
        ("ids", "I64", &[30], (0..30_u64).flat_map(u64::to_le_bytes).collect()),
        (
            "w.f64",
            "F64",
            &[20, 5],
            weights(100, 1).flat_map(|w| f64::from(w).to_le_bytes()).collect(),
        ),
        ("w.f32", "F32", &[300, 70], f32(weights(21_000, 2))),
        ("norm.f32", "F32", &[4], f32([1.0; 4])),
        ("scalar.f32", "F32", &[], f32([1.5])),
        ("noise.f32", "F32", &[500], noise(2000, 7)),
        ("w.bf16", "BF16", &[333, 333], bf16(weights(333 * 333, 3))),
        ("empty.bf16", "BF16", &[0, 5], Vec::new()),
        ("odd.bf16", "BF16", &[3], bf16([1.0, -2.0, 0.5])),
        ("noise.bf16", "BF16", &[999], noise(1998, 8)),
        ("w.f16", "F16", &[50, 61], f16(weights(3050, 5))),
        ("w.e4m3", "F8_E4M3", &[5001], fp8(5001)),
        ("w.e5m2", "F8_E5M2", &[77, 13], fp8(1001)),
        ("scale", "F8_E8M0", &[3], vec![1, 2, 3]),
        ("fnuz", "F8_E4M3FNUZ", &[200], fp8(200)),
        ("nibbles", "F4", &[6], vec![1, 2, 3]),
        ("zeros.bf16", "BF16", &[1000], vec![0; 2000]),
        ("bytes", "U8", &[200], noise(200, 9)),
        ("mask", "BOOL", &[2], vec![0, 1]),
    ])
}

fn metadata(file: &[u8]) -> std::collections::BTreeMap<String, String> {
    parse(file).metadata().clone()
}

fn list(file: &[u8]) -> Value {
    serde_json::from_str(&metadata(file)[LIST]).unwrap()
}

#[test]
fn compressing_and_decompressing_restores_the_file() {
    let source = varied();
    for checksums in [false, true] {
        let file = compress(&source, checksums);
        assert!(file.len() < source.len() * 8 / 10, "{} of {}", file.len(), source.len());
        let (restored, is_exact) = restore(&file);
        assert!(restored == source);
        assert!(is_exact);
        let list = list(&file);
        for name in ["w.f32", "w.bf16", "w.f16", "w.e4m3", "w.e5m2", "zeros.bf16"] {
            assert!(list[name].is_object(), "{name}");
        }
        for name in ["ids", "w.f64", "norm.f32", "scalar.f32", "noise.bf16", "fnuz", "bytes"] {
            assert!(list[name].is_null(), "{name}");
        }
        assert_eq!(list["w.bf16"], json!({"dtype": "bfloat16", "shape": "[333, 333]"}));
    }
}

#[test]
fn uncompressed_tensors_are_stored_unchanged() {
    let source = varied();
    let file = compress(&source, true);
    let (before, after) = (tensors(&source), tensors(&file));
    let list = list(&file);
    for (name, tensor) in &before {
        if list[name].is_null() {
            assert_eq!(after[name], *tensor, "{name}");
        }
    }
}

#[test]
fn stored_frames_decode_with_decompress() {
    let source = varied();
    let before = tensors(&source);
    for checksums in [false, true] {
        let after = tensors(&compress(&source, checksums));
        for (name, (dtype, shape, frame)) in &after {
            let Some(Ok(index)) =
                frame.starts_with(b"ZN").then(|| zipnn::frame::Frame::parse(frame))
            else {
                continue;
            };
            assert_eq!((&**dtype, &**shape), ("U8", &[frame.len() as u64][..]), "{name}");
            assert_eq!(index.index().header().frame_len, frame.len() as u64, "{name}");
            assert_eq!(index.index().header().form, Form::Torch);
            let shape: Vec<u64> = index.index().shape().unwrap().iter().collect();
            assert_eq!(shape, before[name].1, "{name}");
            let decoded = zipnn::decompress(frame, &Limits::default()).unwrap();
            assert!(decoded == before[name].2, "{name}");
        }
    }
}

#[test]
fn every_tensor_keeps_its_alignment() {
    let source = varied();
    for checksums in [false, true] {
        let file = compress(&source, checksums);
        let (before, after) = (parse(&source), parse(&file));
        for (before, after) in before.tensors().iter().zip(after.tensors()) {
            assert_eq!(before.name, after.name, "the order must not change");
            assert_eq!(before.range.start % 8, after.range.start % 8, "{}", before.name);
        }
    }
}

#[test]
fn headers_of_any_form_are_restored_exactly() {
    let data = bf16(weights(4000, 1));
    let half = data.len() / 2;
    let a = entry("a", "BF16", &[2000], half, data.len());
    let b = entry("b", "BF16", &[40, 50], 0, half);
    for json in [
        format!("{{{a},{b}}}"),
        format!("{{{b},{a}}}"),
        format!("  {{ {a} ,\n\t{b} }}  \n   "),
        format!(r#"{{"__metadata__":{{}},{a},{b}}}"#),
        format!(r#"{{"__metadata__":null,{a},{b}}}"#),
        format!(r#"{{{a},"__metadata__":{{"format":"np","z":"\u00e9\"\\","y":"é"}},{b}}}"#),
        format!(r#"{{{a},"__metadata__":{{"zipnn_source_header":"{{}}"}},{b}}}"#),
    ] {
        let source = file(&json, &data);
        let file = compress(&source, true);
        assert!(metadata(&file).contains_key("format"), "{json}");
        let (restored, is_exact) = restore(&file);
        assert!(restored == source, "{json}");
        assert!(is_exact, "{json}");
        let again = compress(&source, true);
        assert!(file == again, "the same input gives the same bytes");
    }
}

#[test]
fn files_without_tensors_or_data_are_restored() {
    for source in [file("{}", &[]), file_of(&[("a", "F32", &[0], Vec::new())])] {
        let file = compress(&source, false);
        assert_eq!(list(&file), json!({}));
        assert_eq!(restore(&file), (source, true));
    }
}

/// A file with compressed tensors is at most 8 KB longer than the whole file compressed at once.
#[test]
fn compressing_inside_saves_as_much_as_compressing_the_whole_file() {
    let source = include_bytes!("../data/minilm-slice.bf16.safetensors");
    let whole = zipnn::compress(source, &Options::new(zipnn::DType::BF16).plain()).unwrap();
    let inside = compress(source, true);
    assert!(inside.len() < whole.len() + 8000, "{} and {}", inside.len(), whole.len());
    assert_eq!(restore(&inside), (source.to_vec(), true));
}

#[test]
#[cfg(feature = "rayon")]
fn threads_do_not_change_the_bytes() {
    let source = include_bytes!("../data/minilm-slice.bf16.safetensors");
    let metadata = parse(source);
    let (header, data) = source.split_at(metadata.data_start() as usize);
    let mut writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
    for tensor in metadata.tensors() {
        let options = tensor.dtype().map(|dtype| Options::new(dtype).checksums(true));
        let bytes = &source[tensor.range.start as usize..tensor.range.end as usize];
        writer.par_write(bytes, options.as_ref()).unwrap();
    }
    let file = writer.finish().unwrap().into_inner();
    assert!(file == compress(source, true));
    let mut reader = open(&file).unwrap();
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for number in 0..reader.tensors().len() {
        reader.read(number, &mut one).unwrap();
        reader.par_read(number, &mut other).unwrap();
        assert!(one == other);
    }
}

#[test]
fn files_of_the_original_decode() {
    let cases = golden("safetensors");
    assert!(!cases.is_empty());
    for (case, file, original) in cases {
        let name = &case["name"];
        let (restored, is_exact) = restore(&file);
        assert!(!is_exact, "{name}: the file has no source header");
        assert_eq!(tensors(&restored), tensors(&original), "{name}");
        assert_eq!(metadata(&restored), metadata(&original), "{name}");
        // The safetensors library saved the sources, whose order we use.
        assert!(restored == original, "{name}");
        assert!(matches!(
            TensorWriter::new(
                Cursor::new(Vec::new()),
                &file[..parse(&file).data_start() as usize],
                0
            ),
            Err(TensorError::Metadata(_) | TensorError::AlreadyCompressed { .. })
        ));
    }
}

#[test]
fn files_with_a_missing_list_decode() {
    let mut seen = 0;
    for (case, file, original) in golden("reference_damaged") {
        let reader = open(&file).unwrap();
        let is_lost = case["name"] == "no-metadata";
        assert_eq!(reader.is_list_lost(), is_lost);
        assert!(reader.is_compressed() && !reader.is_ours());
        let compressed = reader.tensors().iter().filter(|tensor| tensor.is_compressed).count();
        assert_eq!(compressed, 6);
        seen += usize::from(is_lost);
        let damaged: Vec<&str> = case["damaged_tensors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let (restored, original) = (tensors(&restore(&file).0), tensors(&original));
        for (name, tensor) in &original {
            assert_eq!(restored[name] != *tensor, damaged.contains(&&**name), "{name}");
        }
    }
    assert!(seen > 0);
}

/// Bytes of the source that look like a frame stay as they are.
#[test]
fn frames_that_are_not_in_the_list_are_not_decoded() {
    let weights = bf16(weights(2000, 1));
    let frame = zipnn::compress_tensor(
        &weights,
        Form::Torch,
        &[2000],
        &Options::new(zipnn::DType::BF16).plain(),
    )
    .unwrap();
    let source = file_of(&[
        ("frame", "U8", &[frame.len()], frame.clone()),
        ("weights", "BF16", &[2000], weights),
    ]);
    assert!(open(&source).unwrap().is_list_lost());
    let file = compress(&source, false);
    let reader = open(&file).unwrap();
    assert!(!reader.is_list_lost());
    assert_eq!(restore(&file), (source, true));
}

/// A file with the compressed tensor `w` and possibly wrong JSON.
struct Forged {
    frame: Vec<u8>,
    listed: Value,
    tensor: String,
    more: String,
}

impl Forged {
    fn new() -> Self {
        let dtype = zipnn::DType::BF16;
        let data = bf16(weights(2000, 1));
        let frame =
            zipnn::compress_tensor(&data, Form::Torch, &[40, 50], &Options::new(dtype).plain());
        let frame = frame.unwrap();
        let tensor = entry("w", "U8", &[frame.len()], 0, frame.len());
        let listed = json!({"w": {"dtype": "bfloat16", "shape": "[40, 50]"}});
        Self { frame, listed, tensor, more: String::new() }
    }

    fn file(&self) -> Vec<u8> {
        self.file_with_list(&self.listed.to_string())
    }

    fn file_with_list(&self, list: &str) -> Vec<u8> {
        let list = serde_json::to_string(list).unwrap();
        let Self { tensor, more, .. } = self;
        file(&format!(r#"{{"__metadata__":{{"{LIST}":{list}}},{tensor}{more}}}"#), &self.frame)
    }
}

#[test]
fn malformed_and_contradicting_lists_are_reported() {
    let good = Forged::new().file();
    assert!(open(&good).unwrap().list_problem().is_none());
    let decoded = restore(&good).0;
    for list in ["", "[]", "{", "null", "1", r#"{"w":[]}"#, r#"{"w":{"dtype":"bfloat16"}}"#] {
        let file = Forged::new().file_with_list(list);
        let reader = open(&file).unwrap();
        let problem = reader.list_problem().unwrap();
        assert!(matches!(problem, TensorError::InvalidMetadata { .. }), "{list}: {problem}");
        assert!(reader.is_compressed() && reader.tensors()[0].is_compressed);
        assert!(restore(&file).0 == decoded, "the frame contains type and shape");
    }
    let twice = r#"{"w":{"dtype":"bfloat16","shape":"[40, 50]"},"w":{"dtype":"bfloat16","shape":"[40, 50]"}}"#;
    assert!(open(&Forged::new().file_with_list(twice)).unwrap().list_problem().is_none());
    for (dtype, shape, is_known) in [
        ("bfloat16", "[50, 40]", true),
        ("bfloat16", "[2000]", true),
        ("bfloat16", "[40, 50, 1]", true),
        ("bfloat16", "[-40, 50]", false),
        ("bfloat16", "[99999999999999999999, 50]", false),
        ("bfloat16", "40, 50", false),
        ("float16", "[40, 50]", true),
        ("int8", "[40, 50]", false),
        ("torch.bfloat16", "[40, 50]", false),
    ] {
        let listed = json!({"w": {"dtype": dtype, "shape": shape}});
        let file = Forged { listed, ..Forged::new() }.file();
        let is_contradiction = |error: &TensorError| matches!(error, TensorError::Contradiction { name } if name == "w");
        assert!(is_contradiction(open(&file).unwrap().list_problem().unwrap()));
        // If the list is well-formed, the frame may be the damaged one.
        match try_restore(&file) {
            Err(error) => assert!(is_known && is_contradiction(&error), "{dtype} {shape}: {error}"),
            Ok(restored) => assert!(!is_known && restored.0 == decoded, "{dtype} {shape}"),
        }
    }
    let listed = json!({
        "w": {"dtype": "bfloat16", "shape": "[40, 50]"},
        "v": {"dtype": "bfloat16", "shape": "[40, 50]"}
    });
    let file = Forged { listed, ..Forged::new() }.file();
    let reader = open(&file).unwrap();
    let problem = reader.list_problem();
    assert!(matches!(problem, Some(TensorError::NoSuchTensor { name }) if name == "v"));
    assert!(restore(&file).0 == decoded);
}

#[test]
fn listed_tensors_that_are_not_frames_are_rejected() {
    let is_no_frame = |forged: Forged| {
        let file = forged.file();
        let is_no_frame =
            |error: &TensorError| matches!(error, TensorError::NotAFrame { name } if name == "w");
        assert!(is_no_frame(open(&file).unwrap().list_problem().unwrap()));
        assert!(is_no_frame(&try_restore(&file).unwrap_err()));
        let limits = Limits::default().verify(false);
        let mut reader = TensorReader::open(Cursor::new(&file), limits).unwrap();
        reader.read(0, &mut Vec::new()).unwrap();
    };
    let good = Forged::new();
    let len = good.frame.len();
    // Another type, another number of dimensions, a tensor shorter or longer than its frame.
    is_no_frame(Forged { tensor: entry("w", "I8", &[len], 0, len), ..Forged::new() });
    is_no_frame(Forged { tensor: entry("w", "U8", &[1, len], 0, len), ..Forged::new() });
    let tensor = entry("w", "U8", &[len - 1], 0, len - 1);
    let more = format!(",{}", entry("x", "U8", &[1], len - 1, len));
    is_no_frame(Forged { tensor, more, ..Forged::new() });
    let mut frame = good.frame.clone();
    frame.push(0);
    let tensor = entry("w", "U8", &[len + 1], 0, len + 1);
    is_no_frame(Forged { frame, tensor, ..Forged::new() });
    for len in [0, 1, 31] {
        let frame = good.frame[..len].to_vec();
        is_no_frame(Forged { frame, tensor: entry("w", "U8", &[len], 0, len), ..Forged::new() });
    }
    let mut frame = good.frame.clone();
    frame[0] = b'Y';
    is_no_frame(Forged { frame, ..Forged::new() });
    // A frame without a shape, and one whose shape does not match its length.
    let data = bf16(weights(2000, 1));
    let frame = zipnn::compress(&data, &Options::new(zipnn::DType::BF16).plain()).unwrap();
    let tensor = entry("w", "U8", &[frame.len()], 0, frame.len());
    is_no_frame(Forged { frame, tensor, ..Forged::new() });
    let mut frame = good.frame.clone();
    frame[34] = 41;
    is_no_frame(Forged { frame, ..Forged::new() });
}

#[test]
fn malformed_headers_are_rejected() {
    let tensor = |shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"BF16","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let with = |json: &str| open(&file(json, &[0; 8])).map(drop).unwrap_err();
    for json in [
        tensor("[-4]", "[0,8]"),
        tensor("[4]", "[-8,0]"),
        tensor("[4.0]", "[0,8]"),
        tensor("4", "[0,8]"),
        tensor("[4]", "[0]"),
        tensor("[4]", "[0,8,8]"),
        tensor("[184467440737095516150]", "[0,8]"),
        tensor("[4]", "[0,8]").replace("dtype", "type"),
        tensor("[4]", "[0,8]").replace("\"BF16\"", "16"),
        tensor("[4]", "[0,8]") + "}",
        tensor("[4]", "[0,8]")[1..].into(),
        format!("[{}]", tensor("[4]", "[0,8]")),
        r#"{"__metadata__":{"a":1}}"#.into(),
        r#"{"__metadata__":[]}"#.into(),
        "[".repeat(100_000),
        format!(r#"{{"w":{}"#, r#"{"a":"#.repeat(100_000)),
        String::new(),
        "\u{0}".into(),
    ] {
        let error = with(&json);
        assert!(
            matches!(error, TensorError::Metadata(MetadataError::InvalidHeader { .. })),
            "{}: {error}",
            &json[..json.len().min(100)]
        );
    }
    for (json, offset) in [(tensor("[4]", "[1,9]"), 1), (tensor("[5]", "[0,10]"), 2)] {
        let error = with(&json);
        let TensorError::Metadata(MetadataError::MissingData { name, needed, have }) = error else {
            panic!("{json}: {error}")
        };
        assert_eq!((&*name, needed - have), ("w", offset));
    }
    for json in [
        tensor("[4]", "[8,0]"),
        tensor("[5]", "[0,8]"),
        tensor("[4]", "[0,18446744073709551615]"),
        tensor("[4]", "[18446744073709551608,18446744073709551615]"),
        tensor("[9223372036854775809,2]", "[0,8]"),
        tensor("[4611686018427387904,1]", "[0,8]"),
    ] {
        let error = with(&json);
        let TensorError::Metadata(MetadataError::InvalidTensor { .. }) = error else {
            panic!("{json}: {error}")
        };
    }
    let len = |len: u64| [&len.to_le_bytes()[..], b"{}"].concat();
    for len in [len(3), len(100_000_001), len(u64::MAX), len(1 << 63)] {
        let error = open(&len).map(drop).unwrap_err();
        assert!(
            matches!(error, TensorError::Metadata(MetadataError::HeaderTooLong { .. })),
            "{error}"
        );
    }
}

/// A truncated file is rejected. A file with a wrong bit is rejected or decodes to the right data,
/// unless the bit is in the header.
#[test]
fn damage_does_not_change_data_without_an_error() {
    let source = file_of(&[
        ("w", "BF16", &[40, 25], bf16(weights(1000, 1))),
        ("v", "F32", &[200], f32(weights(200, 2))),
    ]);
    let file = compress(&source, true);
    for len in 0..file.len() {
        assert!(try_restore(&file[..len]).is_err(), "cut to {len} bytes");
    }
    let expected = tensors(&source);
    let data_start = parse(&file).data_start() as usize;
    let mut undetected = 0;
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok((restored, is_exact)) = try_restore(&damaged) else { continue };
        let found = tensors(&restored);
        assert!(
            bit / 8 < data_start || found == expected,
            "bit {bit}: damage to a frame is not detected"
        );
        undetected += usize::from(is_exact && restored != source);
    }
    assert_eq!(undetected, 0, "an exact header must be that of the source");
}

/// Every wrong bit is detected in a file with checksums, even if the data decodes correctly: the
/// bit could hide further damage. `verify` detects bits of a frame that do not affect decoding.
#[test]
fn every_flipped_bit_is_detected() {
    let source = file_of(&[
        ("w", "BF16", &[40, 25], bf16(weights(1000, 1))),
        ("v", "F32", &[200], f32(weights(200, 2))),
        ("n", "F32", &[2], f32(weights(2, 3))),
    ]);
    let file = compress(&source, true);
    assert!(try_restore(&file).unwrap() == (source, true));
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok((_, is_exact)) = try_restore(&damaged) else { continue };
        let mut reader = open(&damaged).unwrap();
        let is_detected = reader.is_ours() && !is_exact
            || reader.list_problem().is_some()
            || has_damaged_frame(&mut reader);
        let around = &damaged[(bit / 8).saturating_sub(20)..][..20];
        assert!(is_detected, "bit {bit}, after {:?}", String::from_utf8_lossy(around));
    }
}

fn has_damaged_frame(reader: &mut TensorReader<Cursor<&[u8]>>) -> bool {
    let mut stored = Vec::new();
    (0..reader.tensors().len()).any(|number| {
        reader.read_stored(number, &mut stored).unwrap();
        let is_compressed = reader.tensors()[number].is_compressed;
        is_compressed && zipnn::verify(&stored, &Limits::default()).is_err()
    })
}

/// Checksums cover uncompressed tensors, and must not be missing.
#[test]
fn checksums_of_uncompressed_tensors_are_verified() {
    let source = file_of(&[("ids", "I64", &[30], noise(240, 1)), ("b", "BOOL", &[1], vec![1])]);
    let file = compress(&source, true);
    let start = parse(&file).data_start() as usize;
    for at in start..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        let error = try_restore(&damaged).unwrap_err();
        let TensorError::Decode { name, error } = error else { panic!("{error}") };
        assert_eq!(name, if at < start + 240 { "ids" } else { "b" });
        assert_eq!(error.kind(), DecodeErrorKind::ChecksumMismatch);
        let limits = Limits::default().verify(false);
        let mut reader = TensorReader::open(Cursor::new(&damaged), limits).unwrap();
        reader.read(0, &mut Vec::new()).unwrap();
    }
    let json = std::str::from_utf8(&file[8..start]).unwrap();
    for (from, to, is_opened) in [
        (r#"\"tensors\":{\"b\""#, r#"\"tensors\":{\"c\""#, true),
        (r#"\"tensors\":{"#, r#"\"tensor\":{"#, false),
        (r#"\"tensors\":{\"b\":"#, r#"\"tensors\":{\"b\":-"#, false),
    ] {
        let forged = json.replacen(from, to, 1);
        assert_ne!(forged, json);
        let forged = tensor_files::file(&forged, &file[start..]);
        match try_restore(&forged).unwrap_err() {
            TensorError::Decode { error, .. } if is_opened => {
                assert_eq!(error.kind(), DecodeErrorKind::ChecksumMissing);
            }
            TensorError::InvalidMetadata { .. } if !is_opened => {}
            error => panic!("{to}: {error}"),
        }
    }
}

#[test]
fn a_source_header_that_does_not_match_the_tensors_is_ignored() {
    let source = file_of(&[("w", "BF16", &[2000], bf16(weights(2000, 1)))]);
    let file = compress(&source, true);
    let metadata = parse(&file);
    let start = metadata.data_start() as usize;
    let json = std::str::from_utf8(&file[8..start]).unwrap();
    for (from, to) in [
        (r#"header":"{\"w\":"#, r#"header":"{\"x\":"#),
        (r#"\"BF16\""#, r#"\"F16\" "#),
        (r#"\"shape\":[2000]"#, r#"\"shape\":[2001]"#),
        (r#"\"shape\":[2000]"#, r#"\"shape\":[20,100]"#),
        (r#"[0,4000]"#, r#"[1,4001]"#),
        (r#"header":"{\"w\""#, r#"header":"{,\"w\""#),
        (r#"header":"{\"w\""#, r#"header":"{\"__metadata__\":{\"a\":\"b\"},\"w\""#),
        // Only the checksum shows this change.
        (r#"header":"{\"w\""#, r#"header":"{ \"w\""#),
    ] {
        let forged = json.replacen(from, to, 1);
        assert_ne!(forged, json);
        let forged = tensor_files::file(&forged, &file[start..]);
        let (restored, is_exact) = restore(&forged);
        assert!(!is_exact, "{to}");
        assert_eq!(tensors(&restored), tensors(&source), "{to}");
    }
}

/// Any source can contain metadata with our keys.
#[test]
fn checksums_in_the_metadata_of_the_source_are_ignored() {
    let json = r#"{"__metadata__":{"zipnn_checksums":"none"},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#;
    let source = file(json, &[1, 2, 3]);
    for checksums in [false, true] {
        assert_eq!(restore(&compress(&source, checksums)), (source.clone(), true));
    }
}

#[test]
fn writers_reject_tensors_that_differ_from_the_header() {
    let source = file_of(&[("a", "U8", &[3], vec![1, 2, 3])]);
    let (header, data) = source.split_at(source.len() - 3);
    let writer = || TensorWriter::new(Cursor::new(Vec::new()), header, 3).unwrap();
    let error = writer().write(&data[1..], None).unwrap_err();
    assert!(matches!(error, TensorError::WrongTensor { expected: Some(3), found: Some(2) }));
    let error = writer().finish().unwrap_err();
    assert!(matches!(error, TensorError::WrongTensor { expected: Some(3), found: None }));
    let mut full = writer();
    full.write(data, None).unwrap();
    let error = full.write(data, None).unwrap_err();
    assert!(matches!(error, TensorError::WrongTensor { expected: None, found: Some(3) }));
    let error = TensorWriter::new(Cursor::new(Vec::new()), header, 2).unwrap_err();
    assert!(matches!(error, TensorError::Metadata(MetadataError::MissingData { .. })));
}

#[test]
fn tensors_beyond_the_limits_are_rejected() {
    let source = file_of(&[("zeros", "BF16", &[1 << 20], vec![0; 2 << 20])]);
    let file = compress(&source, false);
    let limits = Limits::default().decoded_bytes(1 << 20);
    let mut reader = TensorReader::open(Cursor::new(&file), limits).unwrap();
    let error = reader.read(0, &mut Vec::new()).unwrap_err();
    let TensorError::Decode { name, error } = error else { panic!("{error}") };
    assert_eq!(name, "zeros");
    assert!(matches!(error.kind(), DecodeErrorKind::LimitExceeded { .. }));
}

/// The original misreads dimensions of 2^32 or more.
#[test]
fn tensors_that_the_original_cannot_read_are_not_compressed() {
    let json = r#"{"w":{"dtype":"BF16","shape":[0,4294967296],"data_offsets":[0,0]}}"#;
    let source = file(json, &[]);
    assert_eq!(restore(&compress(&source, false)), (source, true));
    let dims = vec![1; 256];
    let source = file_of(&[("w", "F32", &dims, f32([0.5]))]);
    assert_eq!(list(&compress(&source, false)), json!({}));
}

#[test]
fn compressed_files_are_safetensors_files() {
    let file = compress(&varied(), true);
    assert!(Metadata::parse(&file, file.len() as u64).is_ok());
}

/// Writes all tensors of a file uncompressed.
fn store(source: &[u8], checksums: bool) -> Vec<u8> {
    let metadata = parse(source);
    let (header, data) = source.split_at(metadata.data_start() as usize);
    let writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
    let mut writer = writer.checksums(checksums);
    for tensor in metadata.tensors() {
        let bytes = &source[tensor.range.start as usize..tensor.range.end as usize];
        writer.write(bytes, None).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn header_blanks(file: &[u8]) -> usize {
    let header = &file[8..parse(file).data_start() as usize];
    header.iter().rev().take_while(|&&byte| byte == b' ').count()
}

/// A tensor is compressed only if that saves more than its entries in the header cost.
#[test]
fn small_tensors_are_compressed_only_if_the_file_gets_smaller() {
    const COUNT: usize = 50;
    for checksums in [false, true] {
        let mut listed_before = 0;
        for elements in [1, 8, 64, 128, 192, 256, 320, 384, 512, 1024, 4096] {
            let names: Vec<String> = (0..COUNT).map(|i| format!("layers.{i}.weight")).collect();
            let tensors: Vec<_> = names
                .iter()
                .zip(1..)
                .map(|(name, seed)| {
                    (&**name, "BF16", vec![elements], bf16(weights(elements, seed)))
                })
                .collect();
            let tensors: Vec<_> = tensors
                .iter()
                .map(|(name, dtype, shape, data)| (*name, *dtype, &shape[..], data.clone()))
                .collect();
            let source = file_of(&tensors);
            let file = compress(&source, checksums);
            assert_eq!(restore(&file), (source.clone(), true));
            let stored = store(&source, checksums);
            assert!(file.len() <= stored.len() + 8, "{elements}: {} {}", file.len(), stored.len());
            let listed = list(&file).as_object().unwrap().len();
            assert!(listed >= listed_before, "{elements}: {listed} after {listed_before}");
            listed_before = listed;
            match elements {
                ..=128 => assert_eq!(listed, 0, "{elements}"),
                4096.. => assert_eq!(listed, COUNT, "{elements}"),
                _ => {}
            }
            // The writer reserves little more room than the header needs.
            if elements <= 8 || listed == COUNT {
                assert!(header_blanks(&file) < 16 + 6 * COUNT, "{}", header_blanks(&file));
            }
        }
    }
}

fn options_of(tensor: &TensorInfo, checksums: bool, chunk_log2: u8) -> Option<Options> {
    let options = |dtype| Options::new(dtype).checksums(checksums).chunk_log2(chunk_log2);
    tensor.dtype().map(options)
}

/// Compresses all tensors of a file with `write_from`, on one thread and on many.
fn compress_from(source: &[u8], checksums: bool, chunk_log2: u8) -> Vec<u8> {
    compress_with(source, checksums, |tensor| options_of(tensor, checksums, chunk_log2))
}

/// Compresses all tensors of a file as [`compress_from`] does, with these options.
fn compress_with(
    source: &[u8],
    checksums: bool,
    options_of: impl Fn(&TensorInfo) -> Option<Options>,
) -> Vec<u8> {
    let metadata = parse(source);
    let (header, data) = source.split_at(metadata.data_start() as usize);
    let mut written = Vec::new();
    for is_parallel in [false, cfg!(feature = "rayon")] {
        let writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
        let mut writer = writer.checksums(checksums);
        for tensor in metadata.tensors() {
            let options = options_of(tensor);
            let mut data = Cursor::new(&source[tensor.range.start as usize..]);
            match is_parallel {
                #[cfg(feature = "rayon")]
                true => writer.par_write_from(&mut data, options.as_ref()).unwrap(),
                _ => writer.write_from(&mut data, options.as_ref()).unwrap(),
            }
        }
        written.push(writer.finish().unwrap().into_inner());
    }
    assert!(written[0] == written[1], "threads must not change the bytes");
    written.remove(0)
}

/// Returns a file with large tensors. In some the lower planes are compressible too; others are
/// incompressible.
fn large() -> Vec<u8> {
    const MIB: usize = 1 << 20;
    let long =
        |data: Vec<u8>, len: usize| -> Vec<u8> { data.into_iter().cycle().take(len).collect() };
    let w = 100_000;
    let bf = long(bf16(weights(w, 1)), 5 * MIB + 6);
    let fp = long(f32(weights(w, 2)), 9 * MIB + 4);
    let half = long(f16(weights(w, 3)), 6 * MIB);
    let few = long(f32((0..1000).map(|i| i as f32)), 5 * MIB);
    let mut end = noise(3 * MIB, 5);
    end.extend(bf16(weights(2 * MIB, 6)));
    file_of(&[
        ("bf", "BF16", &[bf.len() / 2], bf),
        ("small", "BF16", &[1000], bf16(weights(1000, 9))),
        ("fp", "F32", &[fp.len() / 4], fp),
        ("ids", "I64", &[5 * MIB / 8], noise(5 * MIB, 4)),
        ("half", "F16", &[half.len() / 2], half.clone()),
        ("eight", "F8_E4M3", &[6 * MIB], half),
        ("few", "F32", &[few.len() / 4], few),
        ("zeros", "BF16", &[5 * MIB], vec![0; 10 * MIB]),
        ("end", "BF16", &[end.len() / 2], end),
        ("noise", "F32", &[2 * MIB], noise(8 * MIB, 7)),
    ])
}

#[test]
fn writing_large_tensors_in_parts_returns_the_same_bytes() {
    let source = large();
    let metadata = parse(&source);
    for (checksums, chunk_log2) in [(true, 18), (false, 15)] {
        let (header, data) = source.split_at(metadata.data_start() as usize);
        let writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
        let mut writer = writer.checksums(checksums);
        for tensor in metadata.tensors() {
            let options = options_of(tensor, checksums, chunk_log2);
            let bytes = &source[tensor.range.start as usize..tensor.range.end as usize];
            writer.write(bytes, options.as_ref()).unwrap();
        }
        let expected = writer.finish().unwrap().into_inner();
        let file = compress_from(&source, checksums, chunk_log2);
        assert!(file == expected, "{checksums} {chunk_log2}");
        assert!(restore(&file) == (source.clone(), true));
    }
}

/// Codes of scales suit some tensors; planes suit others, in which parts repeat.
#[test]
fn large_tensors_are_stored_in_the_smaller_way() {
    const LEN: usize = 4_500_000;
    let mixed = [vec![0; LEN / 2], bf16(weights(LEN / 4, 6))].concat();
    let few = f32((0..1000).map(|i| i as f32)).into_iter().cycle().take(LEN).collect();
    let source = file_of(&[
        ("bf", "BF16", &[LEN / 2], bf16(weights(LEN / 2, 1))),
        ("few", "F32", &[LEN / 4], few),
        ("mixed", "BF16", &[LEN / 2], mixed),
    ]);
    let with = |profile| {
        let file = compress_with(&source, true, |tensor| {
            Some(Options::new(tensor.dtype()?).profile(profile))
        });
        assert!(restore(&file) == (source.clone(), true));
        parse(&file).tensors().iter().map(TensorInfo::len).collect::<Vec<_>>()
    };
    let (max, extended) = (with(Profile::Max), with(Profile::Extended));
    assert!(
        max.iter().zip(&extended).all(|(max, extended)| max <= extended),
        "{max:?} {extended:?}"
    );
    assert!(max[0] < extended[0], "{max:?} {extended:?}");
}

/// Nothing follows the last tensor, whether it is compressed or not.
#[test]
fn files_end_with_the_last_tensor() {
    let few: Vec<u8> = (0..6 << 20).map(|i: u32| (i % 7) as u8).collect();
    for data in [few, noise(6 << 20, 1)] {
        let source = file_of(&[("w", "BF16", &[3 << 20], data)]);
        let file = compress_from(&source, true, 18);
        assert_eq!(parse(&file).tensors()[0].range.end, file.len() as u64);
        assert!(restore(&file) == (source, true));
    }
}

#[test]
fn a_source_that_ends_within_a_tensor_is_an_error() {
    let source = large();
    let metadata = parse(&source);
    let (header, data) = source.split_at(metadata.data_start() as usize);
    let mut writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
    let options = Options::new(zipnn::DType::BF16);
    let error = writer.write_from(&mut Cursor::new(&data[..5 << 20]), Some(&options)).unwrap_err();
    assert!(matches!(error, TensorError::Source(_)), "{error}");
}

#[test]
fn parts_of_tensors_decode_to_the_same_bytes() {
    let source = large();
    let expected = tensors(&source);
    let file = compress(&source, true);
    let mut reader = open(&file).unwrap();
    for number in 0..reader.tensors().len() {
        let data = &expected[&reader.tensors()[number].name].2;
        let len = data.len();
        for (start, end) in
            [(0, 1), (0, len), (len - 1, len), (len / 2, len / 2), (len / 3, len / 2 + 1)]
        {
            let mut part = vec![0; end - start];
            reader.read_part(number, start as u64, &mut part).unwrap();
            assert!(part == data[start..end], "{number}: {start}..{end}");
            #[cfg(feature = "rayon")]
            {
                part.fill(0);
                reader.par_read_part(number, start as u64, &mut part).unwrap();
                assert!(part == data[start..end], "{number}: {start}..{end}");
            }
        }
        let beyond = [(len as u64, 1), (len as u64 - 1, 2), (u64::MAX, 2)];
        for (offset, count) in beyond {
            let error = reader.read_part(number, offset, &mut vec![0; count]).unwrap_err();
            let TensorError::Decode { error, .. } = error else { panic!("{error}") };
            assert_eq!(error.kind(), DecodeErrorKind::OutOfRange);
        }
        reader.verify_stored(number).unwrap();
    }
}

/// A read verifies the chunks that it needs, and no others.
#[test]
fn reads_of_parts_verify_the_chunks_that_they_need() {
    let source = large();
    let mut file = compress(&source, true);
    let (bf, ids) =
        (parse(&file).tensors()[0].range.clone(), parse(&file).tensors()[3].range.clone());
    // In the lower plane of a chunk in the middle, and in an uncompressed tensor.
    file[(bf.start + (bf.end - bf.start) / 3) as usize] ^= 1;
    file[ids.end as usize - 1] ^= 1;
    let mut reader = open(&file).unwrap();
    let mut part = [0; 1000];
    reader.read_part(0, 0, &mut part).unwrap();
    let mut is_damaged = |number: usize, offset: u64, len: usize| match reader.read_part(
        number,
        offset,
        &mut vec![0; len],
    ) {
        Ok(()) => false,
        Err(TensorError::Decode { error, .. }) => {
            assert_eq!(error.kind(), DecodeErrorKind::ChecksumMismatch);
            true
        }
        Err(error) => panic!("{error}"),
    };
    assert!(is_damaged(0, 0, 5 << 20));
    assert!(!is_damaged(0, 5 << 20, 6));
    assert!(is_damaged(3, 0, 1), "an uncompressed tensor is verified as a whole");
    let limits = Limits::default().verify(false);
    let mut reader = TensorReader::open(Cursor::new(&file), limits).unwrap();
    reader.read_part(0, 0, &mut vec![0; 5 << 20]).unwrap();
    reader.read_part(3, 0, &mut part).unwrap();
}

/// If the header is a large part of the file, the result describes the form of the source's header
/// instead of copying it.
#[test]
fn a_header_that_is_a_large_part_of_the_file_is_not_copied() {
    const COUNT: usize = 400;
    let names: Vec<String> = (0..COUNT).map(|i| format!("model.layers.{i}.weight")).collect();
    let shapes = [[16], [700]];
    let tensors: Vec<_> = names
        .iter()
        .zip(0..)
        .map(|(name, i)| {
            let shape = &shapes[i % 2];
            (&**name, "BF16", &shape[..], bf16(weights(shape[0], i as u64)))
        })
        .collect();
    let source = file_of(&tensors);
    for checksums in [false, true] {
        let file = compress(&source, checksums);
        assert!(file.len() < source.len(), "{} of {}", file.len(), source.len());
        assert_eq!(list(&file).as_object().unwrap().len(), COUNT / 2);
        assert!(restore(&file) == (source.clone(), true));
    }
    // Every tensor has a checksum, with or without a name.
    let file = compress(&source, true);
    let metadata = parse(&file);
    for (number, tensor) in metadata.tensors().iter().enumerate() {
        let mut damaged = file.clone();
        damaged[tensor.range.start as usize + tensor.len() as usize / 2] ^= 1;
        let result = open(&damaged).unwrap().read(number, &mut Vec::new());
        assert!(matches!(result, Err(TensorError::Decode { .. })), "{}", tensor.name);
    }
}

/// If a copy of the source's header would make the header too long, the result describes its form
/// and has checksums without names.
#[test]
fn a_header_that_would_become_too_long_is_not_copied() {
    let text = "x".repeat(60_000_000);
    let data = [bf16(weights(4000, 1)), noise(8, 1), noise(16, 2)].concat();
    let w = entry("w", "BF16", &[4000], 0, 8000);
    let tensors = format!(
        "{w},{},{}",
        entry("b", "I64", &[1], 8000, 8008),
        entry("a", "I64", &[2], 8008, 8024)
    );
    let metadata = format!(r#""__metadata__":{{"text":"{text}"}}"#);
    let source = tensor_files::file(&format!("{{{metadata},{tensors}}}   "), &data);
    let mut file = compress(&source, true);
    assert!(file.len() < source.len(), "{} of {}", file.len(), source.len());
    assert!(restore(&file) == (source.clone(), true));
    let last = file.len() - 1;
    file[last] ^= 1;
    let error = try_restore(&file).unwrap_err();
    assert!(matches!(error, TensorError::Decode { name, .. } if name == "a"));
    file[last] ^= 1;
    // Metadata that was changed since does not count as metadata of the source.
    let at = file.windows(3).position(|bytes| bytes == b"xxx").unwrap();
    file[at] = b'y';
    assert!(!restore(&file).1);
    let unusual = tensor_files::file(&format!("{{{tensors},{metadata}}}"), &data);
    let metadata = parse(&unusual);
    let (header, data) = unusual.split_at(metadata.data_start() as usize);
    let mut writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
    let error = writer.write(&data[..8000], None).unwrap_err();
    assert!(matches!(error, TensorError::HeaderTooLong { len: 120_000_000.. }), "{error}");
}

/// Reading a damaged tensor as a whole and in parts returns the same error or the same bytes.
#[test]
fn reads_of_parts_and_of_wholes_agree_on_damage() {
    let source = file_of(&[
        ("w", "BF16", &[40, 25], bf16(weights(1000, 1))),
        ("n", "F32", &[2], f32(weights(2, 3))),
    ]);
    for checksums in [false, true] {
        let file = compress(&source, checksums);
        let start = parse(&file).data_start() as usize;
        for verify in [false, true] {
            for bit in start * 8..file.len() * 8 {
                let mut damaged = file.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let limits = Limits::default().verify(verify);
                let Ok(mut reader) = TensorReader::open(Cursor::new(&damaged), limits) else {
                    continue;
                };
                for number in 0..reader.tensors().len() {
                    let mut whole = Vec::new();
                    let mut part = vec![0; reader.tensors()[number].decoded_len as usize];
                    let text = |error: TensorError| error.to_string();
                    let expected = reader.read(number, &mut whole).map_err(text);
                    let found = reader.read_part(number, 0, &mut part).map_err(text);
                    assert_eq!(found, expected, "bit {bit}");
                    assert!(found.is_err() || part == whole, "bit {bit}");
                }
            }
        }
    }
}
