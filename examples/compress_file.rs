//! Compresses and decompresses a file of any size in bounded memory, with `Encoder` and `Decoder`.
//!
//! ```sh
//! cargo run --release --example compress_file [-- SOURCE TARGET]
//! ```
//!
//! Compresses the first file as bfloat16 into the second, and decompresses that. Without names, it
//! compresses a model of the repository into a temporary file.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::PathBuf;

use zipnn::{DType, Decoder, Encoder, Limits, Options};

const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/minilm-slice.bf16.safetensors");

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (source, target) = match (arguments.next(), arguments.next()) {
        (Some(source), Some(target)) => (source, target),
        (None, _) => (MODEL.into(), folder.path().join("model.znn")),
        _ => return Err("usage: compress_file [SOURCE TARGET]".into()),
    };

    let mut input = File::open(source)?;
    let output = BufWriter::new(File::create(&target)?);
    let mut encoder = Encoder::new(output, Options::new(DType::BF16))?;
    let read = io::copy(&mut input, &mut encoder)?;
    // Writes the last frame and the index. Without them, readers report a truncated file.
    let written = encoder.finish()?.get_ref().metadata()?.len();
    println!("compressed {read} bytes to {written}");

    let mut decoder = Decoder::new(BufReader::new(File::open(&target)?), Limits::default())?;
    let decoded = io::copy(&mut decoder, &mut io::sink())?;
    println!("decompressed {written} bytes to {decoded}");
    assert_eq!(decoded, read);
    Ok(())
}
