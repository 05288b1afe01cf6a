//! Tensors in files of NumPy, PyTorch and ONNX, found by reading parts of them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};

use data::Random;
use quickcheck::quickcheck;
use serde_json::Value;
use zipnn::frame::PlaneLayout;
use zipnn::io::{EncoderBuilder, ReadAt};
use zipnn::tensor::{Metadata, MetadataError, MetadataReader, plan};
use zipnn::{Archive, ArchiveError, Limits, Options};

use crate::common::data;
use crate::container_files::{Zip, npy};

const ALL: [&str; 9] = [
    "state.pt",
    "state4.pt",
    "module.pt",
    "arrays.npz",
    "compressed.npz",
    "matrix.npy",
    "model.onnx",
    "apart.onnx",
    "apart.onnx.data",
];

fn load(name: &str) -> Vec<u8> {
    fs::read(crate::common::root().join("tests/data/containers").join(name)).unwrap()
}

/// Finds the tensors of a file, and checks that only its bytes are wanted.
fn read(file: &[u8]) -> Result<Metadata, MetadataError> {
    let mut reader = MetadataReader::new(file.len() as u64);
    feed(&mut reader, file)?;
    reader.finish()
}

fn feed(reader: &mut MetadataReader, file: &[u8]) -> Result<(), MetadataError> {
    let mut reads = 0;
    reader.feed_all::<MetadataError>(|range, bytes| {
        assert!(range.start <= range.end && range.end <= file.len() as u64, "{range:?}");
        bytes.extend_from_slice(&file[range.start as usize..range.end as usize]);
        reads += 1;
        assert!(reads <= file.len() + 2, "reading does not end");
        Ok(())
    })
}

/// A tensor by its name: type, shape and bytes.
type Tensors = BTreeMap<String, (String, Vec<u64>, Vec<u8>)>;

fn tensors_of(file: &[u8], metadata: &Metadata) -> Tensors {
    let tensor = |tensor: &zipnn::tensor::TensorInfo| {
        let bytes = &file[tensor.range.start as usize..tensor.range.end as usize];
        (tensor.name.clone(), (tensor.dtype.clone(), tensor.shape.clone(), bytes.to_vec()))
    };
    metadata.tensors().iter().map(tensor).collect()
}

/// Returns the tensors that the script which wrote the file has listed.
fn expected(name: &str) -> Tensors {
    let all: Value = serde_json::from_slice(&load("expected.json")).unwrap();
    let tensors = all[name].as_object().unwrap().iter();
    let numbers =
        |shape: &Value| shape.as_array().unwrap().iter().map(|dim| dim.as_u64().unwrap()).collect();
    let bytes = |hex: &str| -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    let tensor = |(name, tensor): (&String, &Value)| {
        let dtype = tensor["dtype"].as_str().unwrap().to_owned();
        (name.clone(), (dtype, numbers(&tensor["shape"]), bytes(tensor["hex"].as_str().unwrap())))
    };
    tensors.map(tensor).collect()
}

#[test]
fn tensors_of_real_files_are_found() {
    for name in ALL {
        let file = load(name);
        let found = read(&file);
        match name {
            "compressed.npz" => assert_eq!(found, Err(MetadataError::NoTensors)),
            "apart.onnx.data" => {
                let mut reader = MetadataReader::new(load("apart.onnx").len() as u64);
                feed(&mut reader, &load("apart.onnx")).unwrap();
                let len = file.len() as u64;
                let found = reader.external(name, len).unwrap();
                assert_eq!(tensors_of(&file, &found), expected(name));
                assert_eq!(reader.external("other", len), Err(MetadataError::NoTensors));
                let cut = reader.external(name, len - 1);
                assert!(matches!(cut, Err(MetadataError::MissingData { .. })), "{cut:?}");
            }
            _ => assert_eq!(tensors_of(&file, &found.unwrap()), expected(name), "{name}"),
        }
    }
}

#[test]
fn archives_read_single_tensors() {
    for name in ["state.pt", "arrays.npz", "matrix.npy", "model.onnx"] {
        let file = load(name);
        let compressed = zipnn::compress(&file, &Options::bytes()).unwrap();
        let archive = Archive::open(compressed, Limits::default()).unwrap();
        for (tensor, (_, _, bytes)) in expected(name) {
            assert_eq!(archive.read_tensor_bytes(&tensor).unwrap(), bytes, "{name} {tensor}");
        }
    }
    let compressed = zipnn::compress(&load("compressed.npz"), &Options::bytes()).unwrap();
    let archive = Archive::open(compressed, Limits::default()).unwrap();
    let error = archive.tensors().unwrap_err();
    assert!(matches!(error, ArchiveError::Metadata(MetadataError::NoTensors)), "{error}");
}

/// Counts the bytes that are read.
struct Counting<'f>(&'f [u8], Cell<u64>);

impl ReadAt for Counting<'_> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.set(self.1.get() + buf.len() as u64);
        self.0.read_at(buf, offset)
    }
}

/// Many entries begin in each chunk.
#[test]
fn archives_decode_each_chunk_about_once_to_find_tensors() {
    let mut zip = Zip::default();
    let mut random = Random(3);
    let count = 3000;
    for number in 0..count {
        let data: Vec<u8> = (0..400).map(|_| random.below(256) as u8).collect();
        zip.add(&format!("{number}.npy"), &npy("<f4", &[100], &data), number % 64, false);
    }
    let file = zip.finish(b"");
    for frame_len in [200_000, 1 << 30] {
        let builder = EncoderBuilder::new(Options::bytes().checksums(true)).frame_len(frame_len);
        let mut encoder = builder.build(Vec::new()).unwrap();
        encoder.write_all(&file).unwrap();
        let compressed = encoder.finish().unwrap();
        let source = Counting(&compressed, Cell::new(0));
        let archive = Archive::open(&source, Limits::default()).unwrap();
        assert_eq!(archive.tensors().unwrap().tensors().len(), count);
        let read = source.1.get();
        assert!(read < 3 * compressed.len() as u64 / 2, "{read} of {}", compressed.len());
        assert_eq!(archive.read_tensor_bytes("7").unwrap().len(), 400);
    }
}

/// Any bytes that contain the first of the wanted ones are accepted.
#[test]
fn readers_take_what_they_need_from_larger_parts() {
    for name in ALL {
        let file = load(name);
        for len in [1, 7, 64, 1000, file.len()] {
            for first in [0, 100] {
                let mut reader = MetadataReader::new(file.len() as u64).first_read(first);
                let mut found = Ok(());
                while let (Some(wanted), true) = (reader.wanted(), found.is_ok()) {
                    assert!(wanted.start < wanted.end);
                    let start = wanted.start as usize / len * len;
                    found = reader.feed_at(start as u64, &file[start..file.len().min(start + len)]);
                }
                assert_eq!(found.and_then(|()| reader.finish()), read(&file), "{name} {len}");
            }
        }
    }
    let mut reader = MetadataReader::new(100);
    let result = reader.feed_at(1, &[0; 50]);
    assert_eq!(result, Err(MetadataError::Truncated { needed: 100, have: 0 }));
}

/// Checks that a plan covers a file without gaps.
fn check_plan(metadata: &Metadata, len: u64) {
    let mut at = 0;
    for frame in plan(metadata, 1 << 20) {
        assert!(frame.range.start == at && frame.range.end > at, "{frame:?}");
        at = frame.range.end;
    }
    assert_eq!(at, len);
}

#[test]
fn cut_and_changed_files_are_handled() {
    for name in ALL {
        let file = load(name);
        for len in 0..file.len() {
            if let Ok(metadata) = read(&file[..len]) {
                assert!(metadata.tensors().iter().all(|tensor| tensor.range.end <= len as u64));
                check_plan(&metadata, len as u64);
            }
        }
        let mut changed = file.clone();
        for at in 0..file.len() {
            for value in [0, 0xff, file[at] ^ 1] {
                changed[at] = value;
                if let Ok(metadata) = read(&changed) {
                    check_plan(&metadata, file.len() as u64);
                    // Bytes after the only array are odd.
                    let odd = usize::from(name == "matrix.npy");
                    assert!(metadata.oddities().count() <= odd, "{name} {at} {value}");
                }
            }
            changed[at] = file[at];
        }
    }
}

quickcheck! {
    fn any_bytes_after_a_magic_number_are_handled(kind: u8, bytes: Vec<u8>, end: Vec<u8>) -> bool {
        let beginning: &[u8] = match kind % 4 {
            0 => b"PK\x03\x04",
            1 => b"\x08\x07",
            2 => b"\x93NUMPY\x01\x00",
            _ => b"",
        };
        let footer = [&b"PK\x05\x06\0\0\0\0\0\0\0\0"[..], &(end.len() as u32).to_le_bytes()];
        let start = (beginning.len() + bytes.len()) as u32;
        let footer = [footer.concat(), start.to_le_bytes().into(), vec![0, 0]].concat();
        let file = [beginning, &bytes, &end, &footer].concat();
        read(&file).map_or(true, |metadata| metadata.file_len() == file.len() as u64)
    }

    fn arrays_in_archives_are_found(arrays: Vec<(String, Vec<u16>, bool)>, extra: u8) -> bool {
        let mut zip = Zip::default();
        let mut expected = Tensors::new();
        for (number, (name, elements, is_large)) in arrays.iter().enumerate() {
            let name = format!("{number}{name}");
            let shape = vec![elements.len() as u64];
            let data: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
            let npy = npy("<u2", &shape, &data);
            zip.add(&format!("{name}.npy"), &npy, extra.into(), *is_large);
            zip.add(&format!("{name}.txt"), &data, 0, false);
            expected.insert(name, ("U16".into(), shape, data));
        }
        let file = zip.finish(&vec![b'P'; extra.into()]);
        match read(&file) {
            Ok(metadata) => tensors_of(&file, &metadata) == expected,
            Err(error) => arrays.is_empty() && !matches!(error, MetadataError::MissingData { .. }),
        }
    }
}

#[test]
fn frames_follow_the_arrays_of_an_archive() {
    let mut zip = Zip::default();
    let large = vec![1; 300_001 * 4];
    zip.add("a.npy", &npy("<f4", &[300_001], &large), 5, false);
    for number in 0..40 {
        zip.add(&format!("small{number}.npy"), &npy("<f4", &[5], &[1; 20]), 1, false);
    }
    zip.add("b.npy", &npy("<f2", &[200_003], &[2; 400_006]), 5, false);
    zip.add("c.npy", &npy("<f8", &[1001], &[2; 8008]), 5, false);
    let file = zip.finish(b"");
    let metadata = read(&file).unwrap();
    check_plan(&metadata, file.len() as u64);
    let frames: Vec<_> = plan(&metadata, 1 << 20).collect();
    for (name, layout) in [
        ("a", PlaneLayout::FOUR_ROTATED),
        ("b", PlaneLayout::TWO),
        ("c", PlaneLayout::FOUR_ROTATED),
    ] {
        let start = metadata.tensor(name).unwrap().range.start;
        let frame = frames.iter().find(|frame| frame.range.start == start).unwrap();
        assert_eq!(frame.layout, Some(layout), "{name}");
    }
    // Small arrays share a frame, whose layout samples decide.
    assert!(frames.len() <= 8, "{frames:?}");
}

/// The directory of an archive over 4 GiB is described by a second record.
#[test]
fn the_record_for_large_archives_counts() {
    let mut zip = Zip::default();
    zip.add("a.npy", &npy("<f4", &[2], &[7; 8]), 0, true);
    let (offset, len) = (zip.file.len() as u64, zip.directory.len() as u64);
    let mut file = [zip.file, zip.directory].concat();
    let record = file.len() as u64;
    file.extend([&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[0; 28]].concat());
    file.extend([len, offset].map(u64::to_le_bytes).concat());
    file.extend([&b"PK\x06\x07\0\0\0\0"[..], &record.to_le_bytes(), &[1, 0, 0, 0]].concat());
    file.extend([&b"PK\x05\x06\0\0\0\0\0\0\0\0"[..], &[0xff; 8], &[0, 0]].concat());
    assert_eq!(read(&file).unwrap().tensors()[0].name, "a");
}

#[test]
fn overlapping_entries_are_an_error() {
    let mut zip = Zip::default();
    zip.add("a.npy", &npy("<f4", &[2], &[7; 8]), 0, false);
    zip.directory = zip.directory.repeat(2);
    let found = read(&zip.finish(b""));
    assert!(matches!(found, Err(MetadataError::InvalidHeader { .. })), "{found:?}");
}

/// The length of a header of 264 bytes begins like an ONNX model.
#[test]
fn the_length_of_a_safetensors_header_is_no_onnx_model() {
    let mut file = 264_u64.to_le_bytes().to_vec();
    file.extend(br#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#);
    file.resize(8 + 264, b' ');
    file.extend([1, 2]);
    assert_eq!(read(&file).unwrap().tensors()[0].range, 272..274);
}
