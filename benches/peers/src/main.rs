//! Compares `zipnn` with other codecs, on weights of one's own: one process, one thread, memory
//! used again where the codec's interface allows it.
//!
//! ```sh
//! cargo run --release -p zipnn-peers -- [--runs N] FILE:TYPE...
//! ```
//!
//! TYPE is bf16, f16, f32, f8e4m3 or f8e5m2. Prints a table for each file. Speeds are medians, in
//! millions of bytes of original data a second. `benches/picture.py` compares zipnn with packages of
//! Python, and draws the result.

mod codecs;
mod input;
mod measure;
mod table;

use std::error::Error;

use input::Input;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    for file in &arguments.files {
        let input = Input::read(file)?;
        let rows = measure::all(&input, arguments.runs)?;
        print!("{}", table::markdown(&input, &rows));
    }
    Ok(())
}

/// What the command line says.
struct Arguments {
    runs: usize,
    files: Vec<String>,
}

impl Arguments {
    fn parse(mut from: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut arguments = Self { runs: 15, files: Vec::new() };
        while let Some(argument) = from.next() {
            match argument.as_str() {
                "--runs" => arguments.runs = from.next().ok_or("--runs needs a number")?.parse()?,
                _ => arguments.files.push(argument),
            }
        }
        if arguments.files.is_empty() || arguments.runs == 0 {
            return Err("usage: zipnn-peers [--runs N] FILE:TYPE...".into());
        }
        Ok(arguments)
    }
}
