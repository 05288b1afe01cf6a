//! Running the codecs.

use std::time::{Duration, Instant};

use crate::codecs::{self, Codec, Failure};
use crate::input::Input;

/// How a codec did.
pub struct Row {
    /// The codec.
    pub name: &'static str,
    /// Compressed size as part of the original.
    pub ratio: f64,
    /// Millions of bytes of original data a second.
    pub compress: f64,
    /// The same.
    pub decompress: f64,
}

/// Runs every codec `runs` times, and once before that to check that the data comes back. The
/// codecs take turns, so that a machine that slows down slows all of them.
pub fn all(input: &Input, runs: usize) -> Result<Vec<Row>, Failure> {
    let mut candidates = codecs::all(input.dtype)?
        .into_iter()
        .map(|codec| Candidate::new(codec, input))
        .collect::<Result<Vec<_>, _>>()?;
    for _ in 0..runs {
        for candidate in &mut candidates {
            candidate.run(input)?;
        }
    }
    Ok(candidates.into_iter().map(|candidate| candidate.row(input)).collect())
}

/// A codec, what it made of the data, and memory that it uses again.
struct Candidate {
    codec: Box<dyn Codec>,
    compressed: Vec<Vec<u8>>,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    compress_times: Vec<Duration>,
    decompress_times: Vec<Duration>,
}

impl Candidate {
    /// Compresses and decompresses everything once.
    fn new(mut codec: Box<dyn Codec>, input: &Input) -> Result<Self, Failure> {
        let longest = input.pieces().map(<[u8]>::len).max().unwrap_or_default();
        let mut packed = vec![0; longest * 2 + (64 << 10)];
        let mut unpacked = vec![0; longest];
        let mut compressed = Vec::new();
        for piece in input.pieces() {
            let len = codec.compress(piece, &mut packed)?;
            let unpacked = &mut unpacked[..piece.len()];
            unpacked.fill(0);
            codec.decompress(&packed[..len], unpacked)?;
            if unpacked != piece {
                return Err(format!("{} changed the data", codec.name()).into());
            }
            compressed.push(packed[..len].to_vec());
        }
        let (compress_times, decompress_times) = (Vec::new(), Vec::new());
        Ok(Self { codec, compressed, packed, unpacked, compress_times, decompress_times })
    }

    /// Measures both directions once.
    fn run(&mut self, input: &Input) -> Result<(), Failure> {
        let start = Instant::now();
        for piece in input.pieces() {
            self.codec.compress(piece, &mut self.packed)?;
        }
        self.compress_times.push(start.elapsed());
        let start = Instant::now();
        for (piece, compressed) in input.pieces().zip(&self.compressed) {
            self.codec.decompress(compressed, &mut self.unpacked[..piece.len()])?;
        }
        self.decompress_times.push(start.elapsed());
        Ok(())
    }

    fn row(self, input: &Input) -> Row {
        let speed = |times| input.len() as f64 / 1e6 / median(times).as_secs_f64();
        let compressed: usize = self.compressed.iter().map(Vec::len).sum();
        Row {
            name: self.codec.name(),
            ratio: compressed as f64 / input.len() as f64,
            compress: speed(self.compress_times),
            decompress: speed(self.decompress_times),
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
