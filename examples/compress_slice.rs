//! Compresses a slice of numbers, and decompresses it.
//!
//! ```sh
//! cargo run --release --example compress_slice
//! ```

use std::error::Error;

use half::bf16;
use zipnn::typed::{compress_slice, decompress_slice};
use zipnn::{Limits, Options};

const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/minilm-slice.bf16.safetensors");

fn main() -> Result<(), Box<dyn Error>> {
    // The header of the model is compressed like numbers, too.
    let weights: Vec<bf16> = std::fs::read(MODEL)?
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| bf16::from_le_bytes(bytes))
        .collect();
    let file = compress_slice(&weights, &Options::new(zipnn::DType::BF16))?;
    println!("{} numbers in {} bytes", weights.len(), file.len());
    assert!(file.len() < weights.len() * 2 * 7 / 10);
    let decoded: Vec<bf16> = decompress_slice(&file, &Limits::default())?;
    let bits = |numbers: &[bf16]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&decoded), bits(&weights), "equal to the last bit");
    Ok(())
}
