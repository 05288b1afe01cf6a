//! Compares `zipnn` with other codecs, on weights of one's own: one process, one thread, memory
//! used again where the codec's interface allows it.
//!
//! ```sh
//! cargo run --release -p zipnn-peers -- [--runs N] [--svg PICTURE] FILE:TYPE...
//! ```
//!
//! TYPE is bf16, f16, f32, f8e4m3 or f8e5m2. Prints a table for each file, and draws all of them
//! if asked to. Speeds are medians, in millions of bytes of original data a second.

mod codecs;
mod input;
mod measure;
mod picture;
mod table;

use std::error::Error;
use std::path::PathBuf;

use input::Input;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mut results = Vec::new();
    for file in &arguments.files {
        let input = Input::read(file)?;
        let rows = measure::all(&input, arguments.runs)?;
        print!("{}", table::markdown(&input, &rows));
        results.push((input.title(), rows));
    }
    if let Some(path) = &arguments.svg {
        picture::draw(path, &results)?;
    }
    Ok(())
}

/// What the command line says.
struct Arguments {
    runs: usize,
    svg: Option<PathBuf>,
    files: Vec<String>,
}

impl Arguments {
    fn parse(mut from: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut arguments = Self { runs: 15, svg: None, files: Vec::new() };
        while let Some(argument) = from.next() {
            match argument.as_str() {
                "--runs" => arguments.runs = from.next().ok_or("--runs needs a number")?.parse()?,
                "--svg" => arguments.svg = Some(from.next().ok_or("--svg needs a path")?.into()),
                _ => arguments.files.push(argument),
            }
        }
        if arguments.files.is_empty() || arguments.runs == 0 {
            return Err("usage: zipnn-peers [--runs N] [--svg PICTURE] FILE:TYPE...".into());
        }
        Ok(arguments)
    }
}
