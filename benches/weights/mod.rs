//! Real weights for benchmarks.
//!
//! They are from `../shared/models` if that folder exists, otherwise casts of the slice in
//! `tests/data`. The lower half of its float32 numbers is zero.
#![allow(dead_code, reason = "no benchmark needs all of it")]

use std::fs;
use std::path::Path;

use half::{bf16, f16};
use zipnn::DType;

/// Returns weights of this type.
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

/// Returns this many bytes of weights, repeated as needed.
pub fn weights_of(dtype: DType, len: usize) -> Vec<u8> {
    weights(dtype).into_iter().cycle().take(len).collect()
}

/// Returns the name of a type in benchmarks.
pub fn name(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::BF16 => "bf16",
        DType::F16 => "f16",
        DType::F8E4M3 => "f8e4m3",
        _ => "f8e5m2",
    }
}

/// Returns the tensors of a file from the middle on, because the first ones are small or no weights.
fn read(file: &str) -> Option<Vec<u8>> {
    let mut bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
    let header = u64::from_le_bytes(*bytes.first_chunk()?) as usize;
    bytes.drain(..8 + header);
    let middle = bytes.len() / 8 * 4;
    bytes.rotate_left(middle);
    Some(bytes)
}

/// Returns the slice in the repository, which is bfloat16.
fn slice() -> Vec<u8> {
    read("tests/data/minilm-slice.bf16.safetensors").expect("part of the repository")
}

/// Returns the numbers of the slice as bytes of another type.
fn cast<const N: usize>(to: impl Fn(bf16) -> [u8; N]) -> Vec<u8> {
    slice().as_chunks().0.iter().flat_map(|&bytes| to(bf16::from_le_bytes(bytes))).collect()
}

fn wide() -> Vec<u8> {
    cast(|number| number.to_f32().to_le_bytes())
}

fn half() -> Vec<u8> {
    cast(|number| f16::from_f32(number.to_f32()).to_le_bytes())
}

/// Truncates to float8_e4m3fn: as halves, 256 times smaller numbers have the same exponent bits.
fn e4m3() -> Vec<u8> {
    cast(|number| {
        let bits = f16::from_f32(number.to_f32() / 256.0).to_bits();
        [(bits >> 8 & 0x80 | bits >> 7 & 0x7f) as u8]
    })
}
