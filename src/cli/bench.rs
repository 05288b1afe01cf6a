//! `zipnn bench`: ratio and speed on a file of one's own.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;
use zipnn::{
    DType, DecodeScratch, EncodeScratch, Limits, Options, compress_bound, compress_into,
    decompress_into, par_compress, par_compress_into, par_decompress, par_decompress_into,
};

use super::args::{Bench, dtype_name};
use super::dtype;
use super::failure::Failure;
use super::input::Input;
use super::names::Place;
use super::units;

/// Measures, and tells the result.
pub fn run(arguments: &Bench) -> Result<(), Failure> {
    let source = Place::new(&arguments.file);
    let mut input = Input::open(&source)?;
    let dtype = dtype::choose(arguments.dtype, &mut input, None)?;
    let mut data = Vec::new();
    input.read_up_to(u64::MAX, &mut data).map_err(|error| input.failure(error))?;
    let coder = Coder::new(dtype, arguments.threads.into())?;
    let result = measure(&data, &coder, arguments.runs.into())
        .map_err(|message| Failure::new(&source, message))?;
    let text = if arguments.json { result.json(&coder) } else { result.text(&source, &coder) };
    writeln!(io::stdout(), "{text}").map_err(|error| Failure::writing("-", error))?;
    if result.round_trip {
        return Ok(());
    }
    Err(Failure::new(&source, "did not come back as it was")
        .hint("please report this, with the file: nothing else may ever happen"))
}

/// The library's functions for a type and a number of threads.
struct Coder {
    options: Options,
    threads: usize,
    /// Where they run, if there are several.
    pool: Option<rayon::ThreadPool>,
}

impl Coder {
    fn new(dtype: DType, threads: usize) -> Result<Self, Failure> {
        let build = || rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = (threads > 1).then(build).transpose().map_err(|error| {
            Failure::new("threads", format_args!("cannot be started: {error}"))
                .hint("ask for fewer with --threads")
        })?;
        Ok(Self { options: Options::new(dtype), threads, pool })
    }

    fn compress_into(
        &self,
        data: &[u8],
        file: &mut [u8],
        scratch: &mut EncodeScratch,
    ) -> Result<usize, String> {
        match &self.pool {
            Some(pool) => pool.install(|| par_compress_into(data, file, &self.options)),
            None => compress_into(data, file, &self.options, scratch),
        }
        .map_err(|error| error.to_string())
    }

    fn decompress_into(
        &self,
        file: &[u8],
        data: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<usize, String> {
        match &self.pool {
            Some(pool) => pool.install(|| par_decompress_into(file, data)),
            None => decompress_into(file, data, scratch),
        }
        .map_err(|error| error.to_string())
    }

    fn compress(&self, data: &[u8]) -> Result<Vec<u8>, String> {
        match &self.pool {
            Some(pool) => pool.install(|| par_compress(data, &self.options)),
            None => zipnn::compress(data, &self.options),
        }
        .map_err(|error| error.to_string())
    }

    fn decompress(&self, file: &[u8]) -> Result<Vec<u8>, String> {
        let limits = Limits::default();
        match &self.pool {
            Some(pool) => pool.install(|| par_decompress(file, &limits)),
            None => zipnn::decompress(file, &limits),
        }
        .map_err(|error| error.to_string())
    }
}

/// Times of each kind of run; the median counts.
struct Measured {
    original: u64,
    compressed: u64,
    compress: Duration,
    decompress: Duration,
    compress_fresh: Duration,
    decompress_fresh: Duration,
    round_trip: bool,
}

/// Runs everything once to warm up, then `runs` times.
fn measure(data: &[u8], coder: &Coder, runs: usize) -> Result<Measured, String> {
    let mut space = vec![0; compress_bound(data.len(), &coder.options)];
    let mut scratch = EncodeScratch::new();
    let mut len = 0;
    let compress = median(runs, || {
        len = coder.compress_into(data, &mut space, &mut scratch)?;
        Ok(())
    })?;
    let file = &space[..len];
    let mut decoded = vec![0; data.len()];
    let mut scratch = DecodeScratch::new();
    let mut decoded_len = 0;
    let decompress = median(runs, || {
        decoded_len = coder.decompress_into(file, &mut decoded, &mut scratch)?;
        Ok(())
    })?;
    let mut round_trip = decoded[..decoded_len] == *data;
    drop(decoded);
    let mut fresh = Vec::new();
    let compress_fresh = median(runs, || {
        fresh = Vec::new();
        fresh = coder.compress(data)?;
        Ok(())
    })?;
    round_trip &= fresh == file;
    let decompress_fresh = median(runs, || {
        fresh = Vec::new();
        fresh = coder.decompress(file)?;
        Ok(())
    })?;
    round_trip &= fresh == data;
    Ok(Measured {
        original: data.len() as u64,
        compressed: len as u64,
        compress,
        decompress,
        compress_fresh,
        decompress_fresh,
        round_trip,
    })
}

/// The median time of `runs` calls, after one that does not count.
fn median(runs: usize, mut call: impl FnMut() -> Result<(), String>) -> Result<Duration, String> {
    call()?;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        call()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let (lower, upper) = (times[(runs - 1) / 2], times[runs / 2]);
    Ok((lower + upper) / 2)
}

impl Measured {
    /// Millions of bytes of original data in a second.
    fn speed(&self, time: Duration) -> f64 {
        self.original as f64 / 1e6 / time.as_secs_f64().max(1e-9)
    }

    fn json(&self, coder: &Coder) -> String {
        json!({
            "dtype": dtype_name(coder.options.dtype()),
            "threads": coder.threads,
            "original_bytes": self.original,
            "compressed_bytes": self.compressed,
            "ratio": units::ratio(self.compressed, self.original),
            "compress_mb_s": self.speed(self.compress),
            "decompress_mb_s": self.speed(self.decompress),
            "compress_fresh_mb_s": self.speed(self.compress_fresh),
            "decompress_fresh_mb_s": self.speed(self.decompress_fresh),
            "round_trip": self.round_trip,
        })
        .to_string()
    }

    fn text(&self, source: &Place, coder: &Coder) -> String {
        format!(
            "{source}: {}, {} threads, {} -> {} bytes ({})\n\
             {:24}{:>12}{:>14}\n{:24}{:>7.0} MB/s{:>9.0} MB/s\n{:24}{:>7.0} MB/s{:>9.0} MB/s",
            dtype_name(coder.options.dtype()),
            coder.threads,
            self.original,
            self.compressed,
            units::percent(self.compressed, self.original),
            "",
            "compress",
            "decompress",
            "memory used again",
            self.speed(self.compress),
            self.speed(self.decompress),
            "memory freshly allocated",
            self.speed(self.compress_fresh),
            self.speed(self.decompress_fresh),
        )
    }
}
