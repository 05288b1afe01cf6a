//! The input of the examples.

use std::io::Write;

use zipnn::{Encoder, Options};

const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/minilm-slice.bf16.safetensors");
const TENSOR: &str = "encoder.layer.0.attention.self.query.weight";

/// Returns a compressed file and the name of a tensor in it: the arguments of the program, or a model
/// of the repository.
pub fn input() -> Result<(Vec<u8>, String), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [path, name] => Ok((std::fs::read(path)?, name.clone())),
        [] => {
            let mut encoder = Encoder::new(Vec::new(), Options::auto())?;
            encoder.write_all(&std::fs::read(MODEL)?)?;
            Ok((encoder.finish()?, TENSOR.into()))
        }
        _ => Err("usage: FILE.znn TENSOR, or neither".into()),
    }
}
