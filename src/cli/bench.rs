//! `zipnn bench`: ratio and speed on a file of one's own.
//!
//! The file is cut into frames, as `compress` cuts it, and every frame is coded in memory. Threads
//! take whole frames, one after the other.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use zipnn::{
    DType, DecodeScratch, EncodeScratch, Limits, Options, compress, compress_bound, compress_into,
    decompress, decompress_into,
};

use super::args::{self, Bench, dtype_name};
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
    let options = Options::new(dtype).profile(args::profile(arguments.extended));
    let result = measure(&data, options, arguments.threads.into(), arguments.runs.into())
        .map_err(|message| Failure::new(&source, message))?;
    let text = if arguments.json { result.json() } else { result.text(&source) };
    writeln!(io::stdout(), "{text}").map_err(|error| Failure::writing("-", error))?;
    if result.round_trip {
        return Ok(());
    }
    Err(Failure::new(&source, "did not come back as it was")
        .hint("please report this, with the file: nothing else may ever happen"))
}

/// Times of each kind of run; the median counts.
struct Measured {
    dtype: DType,
    threads: usize,
    original: u64,
    compressed: u64,
    compress: Duration,
    decompress: Duration,
    compress_fresh: Duration,
    decompress_fresh: Duration,
    round_trip: bool,
}

/// What a thread keeps from frame to frame, and from run to run.
struct Worker {
    encode_scratch: EncodeScratch,
    decode_scratch: DecodeScratch,
    compressed: Vec<u8>,
    decoded: Vec<u8>,
}

/// Runs everything `runs` times, once it is warm.
fn measure(data: &[u8], options: Options, threads: usize, runs: usize) -> Result<Measured, String> {
    let frame_len = Options::DEFAULT_FRAME_LEN.min(data.len().max(1));
    // A file without data has one empty frame.
    let frames: Vec<&[u8]> =
        if data.is_empty() { vec![data] } else { data.chunks(frame_len).collect() };
    let new_worker = || Worker {
        encode_scratch: EncodeScratch::new(),
        decode_scratch: DecodeScratch::new(),
        compressed: vec![0; compress_bound(frame_len, &options)],
        decoded: vec![0; frame_len],
    };
    let mut workers: Vec<Worker> = (0..threads).map(|_| new_worker()).collect();
    let files = frames
        .iter()
        .map(|frame| compress(frame, &options).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut round_trip = true;
    for (frame, file) in frames.iter().zip(&files) {
        round_trip &= decompress(file, &Limits::default()).is_ok_and(|decoded| decoded == *frame);
    }
    let compress_time = median(runs, || {
        each(&mut workers, &frames, |worker, frame| {
            compress_into(frame, &mut worker.compressed, &options, &mut worker.encode_scratch)
                .map_err(|error| error.to_string())
        })
    })?;
    let decompress_time = median(runs, || {
        each(&mut workers, &files, |worker, file| {
            decompress_into(file, &mut worker.decoded, &mut worker.decode_scratch)
                .map_err(|error| error.to_string())
        })
    })?;
    // What is allocated afresh is kept to the end of the run: no frame gets another's memory.
    let compress_fresh = median(runs, || {
        each(&mut workers, &frames, |_, frame| {
            compress(frame, &options).map_err(|error| error.to_string())
        })
    })?;
    let decompress_fresh = median(runs, || {
        each(&mut workers, &files, |_, file| {
            decompress(file, &Limits::default()).map_err(|error| error.to_string())
        })
    })?;
    Ok(Measured {
        dtype: options.dtype(),
        threads,
        original: data.len() as u64,
        compressed: files.iter().map(|file| file.len() as u64).sum(),
        compress: compress_time,
        decompress: decompress_time,
        compress_fresh,
        decompress_fresh,
        round_trip,
    })
}

/// Does something to every item, each on the next worker that is free, and keeps the results until
/// all are there.
fn each<Item: Sync, Result: Send>(
    workers: &mut [Worker],
    items: &[Item],
    call: impl Fn(&mut Worker, &Item) -> std::result::Result<Result, String> + Sync,
) -> std::result::Result<(), String> {
    let next = AtomicUsize::new(0);
    let take = |worker: &mut Worker| {
        let mut results = Vec::with_capacity(items.len());
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            results.push(call(worker, item)?);
        }
        Ok(results)
    };
    if let [worker] = workers {
        return take(worker).map(drop);
    }
    thread::scope(|scope| {
        let handles: Vec<_> =
            workers.iter_mut().map(|worker| scope.spawn(|| take(worker))).collect();
        let results: Vec<_> = handles.into_iter().map(|handle| handle.join()).collect();
        for result in results {
            match result {
                Ok(result) => result.map(drop)?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}

/// How long to run before it counts: processors and caches take their time.
const WARM_UP: Duration = Duration::from_millis(250);

/// The median time of `runs` calls, after some that do not count.
fn median(runs: usize, mut call: impl FnMut() -> Result<(), String>) -> Result<Duration, String> {
    let start = Instant::now();
    call()?;
    while start.elapsed() < WARM_UP {
        call()?;
    }
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

    fn json(&self) -> String {
        json!({
            "dtype": dtype_name(self.dtype),
            "threads": self.threads,
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

    fn text(&self, source: &Place) -> String {
        format!(
            "{source}: {}, {} threads, {} -> {} bytes ({})\n\
             {:24}{:>12}{:>14}\n{:24}{:>7.0} MB/s{:>9.0} MB/s\n{:24}{:>7.0} MB/s{:>9.0} MB/s",
            dtype_name(self.dtype),
            self.threads,
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
