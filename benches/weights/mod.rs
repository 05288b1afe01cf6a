//! Real weights to measure with.
//!
//! Those in `../shared/models`, where that folder lies beside the repository; otherwise the slice
//! in `tests/data`, cast. A cast adds nothing: the lower half of the float32 numbers is then zero.
#![allow(dead_code, reason = "no benchmark needs all of it")]

use std::fs;
use std::path::Path;

use half::{bf16, f16};
use zipnn::DType;

/// Weights of this type.
pub fn weights(dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F32 => read("../shared/models/minilm-part.f32.safetensors").unwrap_or_else(wide),
        DType::BF16 => read("../shared/models/minilm-part.bf16.safetensors").unwrap_or_else(slice),
        DType::F16 => read("../shared/models/wordllama-part.f16.safetensors").unwrap_or_else(half),
        DType::F8E4M3 => {
            read("../shared/models/minilm-part.f8e4m3.safetensors").unwrap_or_else(e4m3)
        }
        // An e5m2 number is the upper byte of a half.
        _ => weights(DType::F16).chunks_exact(2).map(|number| number[1]).collect(),
    }
}

/// So many bytes of weights of this type, repeated if there are fewer.
pub fn weights_of(dtype: DType, len: usize) -> Vec<u8> {
    weights(dtype).into_iter().cycle().take(len).collect()
}

/// What a benchmark calls a type.
pub fn name(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::BF16 => "bf16",
        DType::F16 => "f16",
        DType::F8E4M3 => "f8e4m3",
        _ => "f8e5m2",
    }
}

/// The tensors of a file, from the middle on: files begin with what is small or no weights at all.
fn read(file: &str) -> Option<Vec<u8>> {
    let mut bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
    let header = u64::from_le_bytes(*bytes.first_chunk()?) as usize;
    bytes.drain(..8 + header);
    let middle = bytes.len() / 8 * 4;
    bytes.rotate_left(middle);
    Some(bytes)
}

/// The slice in the repository, which is bfloat16.
fn slice() -> Vec<u8> {
    read("tests/data/minilm-slice.bf16.safetensors").expect("part of the repository")
}

/// The numbers of the slice, as bytes of another type.
fn cast<const N: usize>(to: impl Fn(bf16) -> [u8; N]) -> Vec<u8> {
    slice().as_chunks().0.iter().flat_map(|&bytes| to(bf16::from_le_bytes(bytes))).collect()
}

fn wide() -> Vec<u8> {
    cast(|number| number.to_f32().to_le_bytes())
}

fn half() -> Vec<u8> {
    cast(|number| f16::from_f32(number.to_f32()).to_le_bytes())
}

/// Cut to float8_e4m3fn: as halves, 256 times smaller numbers have the same exponent bits.
fn e4m3() -> Vec<u8> {
    cast(|number| {
        let bits = f16::from_f32(number.to_f32() / 256.0).to_bits();
        [(bits >> 8 & 0x80 | bits >> 7 & 0x7f) as u8]
    })
}
