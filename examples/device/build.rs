//! Compresses the weights for the device, and computes the result that it has to reach.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use half::bf16;
use zipnn::tensor::Metadata;
use zipnn::{DType, Options};

#[path = "../../tests/firmware/layout.rs"]
mod layout;

const MODEL: &str = "../../tests/data/minilm-slice.bf16.safetensors";
const TENSOR: &str = "encoder.layer.0.attention.self.value.weight";
/// More than the 4,608 bytes that `run.sh --least` finds to be enough.
const STACK: &str = "5632";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={MODEL}");
    layout::write(STACK)?;
    let model = fs::read(MODEL)?;
    let metadata = Metadata::parse(&model, model.len() as u64)?;
    let tensor = metadata.tensor(TENSOR).ok_or("the model lacks the tensor")?;
    let weights = &model[tensor.range.start as usize..tensor.range.end as usize];

    // A device has memory for small chunks only.
    let options = Options::new(DType::BF16).chunk_log2(12);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("layer.znn"), zipnn::compress(weights, &options)?)?;
    fs::write(out.join("expected.bin"), multiply(weights, tensor.shape[1] as usize))?;
    Ok(())
}

/// Returns the sum of each row, with each weight multiplied by the number of its column.
fn multiply(weights: &[u8], columns: usize) -> Vec<u8> {
    let sum = |row: &[u8]| {
        let weights = row.as_chunks().0.iter().map(|&weight| bf16::from_le_bytes(weight).to_f32());
        (0_u16..).zip(weights).fold(0.0, |sum, (column, weight)| sum + weight * f32::from(column))
    };
    weights.chunks(columns * 2).flat_map(|row| sum(row).to_le_bytes()).collect()
}
