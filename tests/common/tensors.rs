//! Writes and reads files of tensors.
#![allow(dead_code, reason = "no program of tests uses everything")]

use std::collections::BTreeMap;
use std::io::Cursor;

use zipnn::tensor::Metadata;
use zipnn::tensor::inside::{TensorError, TensorReader, TensorWriter};
use zipnn::{Limits, Options};

use crate::common::golden;

/// Type, shape and bytes of each tensor by name.
pub type Tensors = BTreeMap<String, (String, Vec<u64>, Vec<u8>)>;

/// Returns a file of a JSON header and data.
pub fn file(json: &str, data: &[u8]) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json.as_bytes(), data].concat()
}

/// Returns a tensor's entry in the JSON header.
pub fn entry(name: &str, dtype: &str, shape: &[usize], start: usize, end: usize) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
}

/// Returns a file of these tensors in this order, without metadata.
pub fn file_of(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let mut at = 0;
    let mut entries = Vec::new();
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        entries.push(entry(name, dtype, shape, at, at + bytes.len()));
        at += bytes.len();
        data.extend_from_slice(bytes);
    }
    file(&format!("{{{}}}", entries.join(",")), &data)
}

/// Returns `count` files with up to three tensors anywhere in the data, with gaps and shared bytes.
pub fn files_with_tensors_anywhere(count: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut random = 7_u64;
    let mut below = move |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % bound
    };
    (0..count).map(move |case| {
        let data = noise(below(60), case);
        let entries: Vec<String> = (0..below(4))
            .map(|number| {
                let start = below(data.len() + 1);
                let end = start + below(data.len() - start + 1);
                entry(&format!("t{number}"), "U8", &[end - start], start, end)
            })
            .collect();
        let padding = "\0 \0"[..below(4)].to_owned();
        file(&format!("{{{}}}{padding}", entries.join(",")), &data)
    })
}

pub fn parse(file: &[u8]) -> Metadata {
    Metadata::parse(file, file.len() as u64).unwrap()
}

/// Returns the tensors of a file that is not compressed.
pub fn tensors(file: &[u8]) -> Tensors {
    let layout = parse(file);
    let tensors = layout.tensors().iter().map(|tensor| {
        let bytes = file[tensor.range.start as usize..tensor.range.end as usize].to_vec();
        (tensor.name.clone(), (tensor.dtype.clone(), tensor.shape.clone(), bytes))
    });
    tensors.collect()
}

/// Compresses the tensors inside a file, with or without checksums.
pub fn compress(source: &[u8], checksums: bool) -> Vec<u8> {
    let layout = parse(source);
    let (header, data) = source.split_at(layout.data_start() as usize);
    let writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
    let mut writer = writer.checksums(checksums);
    for tensor in writer.tensors().to_vec() {
        let options = tensor.dtype().map(|dtype| Options::new(dtype).checksums(checksums));
        let bytes = &source[tensor.range.start as usize..tensor.range.end as usize];
        writer.write(bytes, options.as_ref()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn open(file: &[u8]) -> Result<TensorReader<Cursor<&[u8]>>, TensorError> {
    TensorReader::open(Cursor::new(file), Limits::default())
}

/// Decompresses the tensors inside a file and returns whether it is the source to the byte.
pub fn try_restore(file: &[u8]) -> Result<(Vec<u8>, bool), TensorError> {
    let mut reader = open(file)?;
    let restored = reader.restored_header()?;
    let mut bytes = restored.header;
    let mut decoded = Vec::new();
    for number in restored.order {
        reader.read(number, &mut decoded)?;
        bytes.extend_from_slice(&decoded);
    }
    Ok((bytes, restored.is_exact))
}

pub fn restore(file: &[u8]) -> (Vec<u8>, bool) {
    try_restore(file).unwrap()
}

/// Returns numbers distributed like the weights of a layer.
pub fn weights(count: usize, mut seed: u64) -> impl Iterator<Item = f32> {
    (0..count).map(move |_| {
        let mut sum = 0.0;
        for _ in 0..6 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (seed >> 40) as f32 / (1_u64 << 24) as f32;
        }
        (sum - 3.0) * 0.05
    })
}

pub fn bf16(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(|value| half::bf16::from_f32(value).to_le_bytes()).collect()
}

pub fn f16(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect()
}

pub fn f32(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

pub fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    let byte = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    (0..len).map(byte).collect()
}

/// Returns the cases of a list of the golden manifests.
///
/// Each is the manifest's entry, the original's result, and its source.
pub fn golden(list: &str) -> Vec<(serde_json::Value, Vec<u8>, Vec<u8>)> {
    let mut cases = Vec::new();
    for folder in golden::folders() {
        let manifest = golden::manifest(&folder);
        for case in manifest[list].as_array().unwrap() {
            let read = |key: &str| std::fs::read(folder.join(case[key].as_str().unwrap())).unwrap();
            cases.push((case.clone(), read("file"), read("original")));
        }
    }
    cases
}
