//! Reads one tensor, and some rows of it, from a compressed file without decoding the rest.
//!
//! ```sh
//! cargo run --release --example one_tensor
//! ```

use std::error::Error;
use std::fs::File;
use std::io::Write;

use half::bf16;
use zipnn::{Archive, Encoder, Limits, Options};

const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/minilm-slice.bf16.safetensors");
const TENSOR: &str = "encoder.layer.0.attention.self.query.weight";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors.znn");
    let mut encoder = Encoder::new(File::create(&path)?, Options::auto())?;
    encoder.write_all(&std::fs::read(MODEL)?)?;
    encoder.finish()?;

    let archive = Archive::open(File::open(&path)?, Limits::default())?;
    let tensor = archive.tensor(TENSOR)?;
    let weights: Vec<bf16> = archive.read_tensor(TENSOR)?;
    println!("{TENSOR}: {} {:?}, {} numbers", tensor.dtype, tensor.shape, weights.len());

    let rows: Vec<bf16> = archive.read_rows(TENSOR, 100..102)?;
    let row_len = tensor.shape[1] as usize;
    assert_eq!(rows, weights[100 * row_len..102 * row_len]);
    println!("rows 100 and 101 begin with {} and {}", rows[0], rows[row_len]);
    Ok(())
}
