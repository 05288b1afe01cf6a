//! Loads compressed weights into [candle](https://github.com/huggingface/candle), one tensor at a
//! time.
//!
//! Each tensor is decoded into the vector that becomes candle's tensor: nothing is copied, and no
//! other tensor is in memory twice. The example then computes attention with these weights, and
//! compares each tensor with the tensor that candle loads from the uncompressed file.
//!
//! ```sh
//! cargo run --manifest-path examples/candle/Cargo.toml [-- MODEL.safetensors]
//! ```

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, WithDType, safetensors};
use zipnn::io::ReadAt;
use zipnn::typed::Element;
use zipnn::{Archive, Encoder, Limits, Options};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/minilm-slice.bf16.safetensors");
    let model = std::fs::read(std::env::args_os().nth(1).map_or(default, PathBuf::from))?;
    let file = compress(&model)?;
    println!("{} bytes, compressed {}", model.len(), file.len());

    let archive = Archive::open(file, Limits::default())?;
    let tensors = load_all(&archive, &Device::Cpu)?;
    let expected = safetensors::load_buffer(&model, &Device::Cpu)?;
    assert_eq!(tensors.len(), expected.len());
    for (name, tensor) in &tensors {
        assert!(is_equal(tensor, &expected[name])?, "{name} differs");
    }
    println!("{} tensors are equal to those that candle loads", tensors.len());
    if let Some(scores) = attention(&tensors)? {
        println!("attention between the two types of tokens:\n{scores}");
    }
    Ok(())
}

/// Compresses a model, and detects the types of its data.
fn compress(model: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::new(), Options::auto())?;
    encoder.write_all(model)?;
    Ok(encoder.finish()?)
}

/// Loads all tensors of a compressed safetensors file.
fn load_all<S: ReadAt>(archive: &Archive<S>, device: &Device) -> Result<HashMap<String, Tensor>> {
    let names = archive.tensors()?.tensors().iter().map(|tensor| tensor.name.clone());
    names.map(|name| Ok((name.clone(), load(archive, &name, device)?))).collect()
}

/// Loads one tensor. Reads and decodes only the bytes that it needs.
fn load<S: ReadAt>(archive: &Archive<S>, name: &str, device: &Device) -> Result<Tensor> {
    let dtype = archive.tensor(name)?.dtype.to_ascii_lowercase();
    match dtype.parse()? {
        DType::BF16 => load_as::<half::bf16, _>(archive, name, device),
        DType::F16 => load_as::<half::f16, _>(archive, name, device),
        DType::F32 => load_as::<f32, _>(archive, name, device),
        DType::F64 => load_as::<f64, _>(archive, name, device),
        DType::U8 => load_as::<u8, _>(archive, name, device),
        DType::U32 => load_as::<u32, _>(archive, name, device),
        DType::I64 => load_as::<i64, _>(archive, name, device),
        dtype => Err(format!("{name}: this example does not load {dtype:?}").into()),
    }
}

fn load_as<T, S>(archive: &Archive<S>, name: &str, device: &Device) -> Result<Tensor>
where
    T: WithDType + Element,
    S: ReadAt,
{
    let shape: Vec<usize> = archive
        .tensor(name)?
        .shape
        .iter()
        .map(|&len| usize::try_from(len))
        .collect::<std::result::Result<_, _>>()?;
    Ok(Tensor::from_vec(archive.read_tensor::<T>(name)?, shape, device)?)
}

fn is_equal(one: &Tensor, other: &Tensor) -> Result<bool> {
    let is_same_kind = one.dtype() == other.dtype() && one.shape() == other.shape();
    Ok(is_same_kind && one.ne(other)?.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()? == 0)
}

/// Computes the attention of the first layer between token types, or nothing for other models.
fn attention(tensors: &HashMap<String, Tensor>) -> Result<Option<Tensor>> {
    let weight = |name: &str| tensors.get(name)?.to_dtype(DType::F32).ok();
    let layer = |name: &str| weight(&format!("encoder.layer.0.attention.self.{name}"));
    let (Some(tokens), Some(query), Some(key)) = (
        weight("embeddings.token_type_embeddings.weight"),
        layer("query.weight"),
        layer("key.weight"),
    ) else {
        return Ok(None);
    };
    let (query, key) = (tokens.matmul(&query.t()?)?, tokens.matmul(&key.t()?)?);
    Ok(Some(query.matmul(&key.t()?)?))
}
