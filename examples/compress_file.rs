//! Compresses and decompresses a file of any size in bounded memory, with `Encoder` and `Decoder`.
//!
//! ```sh
//! cargo run --release --example compress_file -- model.bin model.bin.znn
//! ```
//!
//! Compresses the first file as bfloat16 into the second, and decompresses that.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};

use zipnn::{DType, Decoder, Encoder, Limits, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("usage: compress_file SOURCE TARGET".into());
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
    Ok(())
}
