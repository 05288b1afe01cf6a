//! `zipnn bench`.
//!
//! Cuts the file into pieces and frames as `compress` does, and compresses and decompresses every
//! piece in memory. Threads take whole pieces, one after the other.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use zipnn::delta::{self, Delta};
use zipnn::frame::{DecodeScratch, EncodeScratch, FramePosition, Header};
use zipnn::tensor::safetensors::Metadata;
use zipnn::{Limits, Options, decompress, decompress_into, simd};

use crate::args::{self, Bench, TypeChoice};
use crate::content::types::{self, Types};
use crate::fs::endpoint::Endpoint;
use crate::fs::input::{Base, Input};
use crate::job::framing::{Coded, Framing, Knowledge};
use crate::report::failure::{self, Failure};
use crate::report::units;

/// Measures ratio and speed, prints them, and returns the exit status.
pub fn run(arguments: &Bench) -> u8 {
    failure::status(measure_file(arguments))
}

fn measure_file(arguments: &Bench) -> Result<(), Failure> {
    let source = Endpoint::new(&arguments.file);
    let mut input = Input::open(&source)?;
    let mut pieces =
        Framing::new(arguments.dtype, &mut input, arguments.delta.is_some() && arguments.extended)
            .map_err(|error| input.failure(error))?;
    let mut data = Vec::new();
    input.read_up_to(u64::MAX, &mut data).map_err(|error| input.failure(error))?;
    let base = read_base(arguments, data.len() as u64, &source)?;
    let mut options = arguments
        .dtype
        .dtype()
        .map_or(Options::bytes(), Options::new)
        .profile(args::profile(arguments.extended))
        .checksums(arguments.checksums);
    if base.is_some() {
        options = options.delta(Delta::File);
    }
    let pieces = cut(&data, base.as_deref(), &mut pieces);
    let mut result = measure(&pieces, &options, arguments.threads.into(), arguments.runs.into())
        .map_err(|message| Failure::new(&source, message))?;
    if let Some(dtypes) = known_types(arguments.dtype, &data) {
        result.dtypes = dtypes;
    }
    let text = if arguments.json { result.json() } else { result.text(&source) };
    writeln!(io::stdout(), "{text}").map_err(|error| Failure::writing("-", error))?;
    if result.round_trip {
        return Ok(());
    }
    Err(Failure::new(&source, "decompressing the result gave other data")
        .hint("this is a bug: please report it with the file"))
}

/// Reads the whole base, if there is one. It must have `len` bytes, as `subject` has.
fn read_base(arguments: &Bench, len: u64, subject: &Endpoint) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &arguments.delta else { return Ok(None) };
    let mut base = Base::open(path)?;
    let mut bytes = Vec::new();
    base.read(len, &mut bytes, subject)?;
    base.finish(subject)?;
    Ok(Some(bytes))
}

/// Returns the types from the command line or from the header of the file.
fn known_types(choice: TypeChoice, data: &[u8]) -> Option<Types> {
    if choice != TypeChoice::Auto {
        let mut types = Types::default();
        types.add(choice.name());
        return Some(types);
    }
    let layout = Metadata::parse_header(data).ok()?;
    let tensors = layout.tensors().iter().map(|tensor| (tensor.dtype(), tensor.len()));
    Some(Types::of_tensors(tensors))
}

/// A part of the file, what is known about it, and the matching part of a base.
type Piece<'d> = (&'d [u8], Knowledge, Option<&'d [u8]>);

/// Returns the pieces of the data; one empty piece for an empty file. A base has the same length.
fn cut<'d>(data: &'d [u8], base: Option<&'d [u8]>, pieces: &mut Framing) -> Vec<Piece<'d>> {
    let mut cut = Vec::new();
    let mut rest = data;
    while !rest.is_empty() || cut.is_empty() {
        let (len, knowledge) = pieces.next();
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
        let (piece, behind) = rest.split_at(len);
        let start = data.len() - rest.len();
        cut.push((piece, knowledge, base.map(|base| &base[start..start + len])));
        rest = behind;
    }
    cut
}

/// The results: lengths, and the median time of each kind of run.
struct Measured {
    dtypes: Types,
    threads: usize,
    original: u64,
    compressed: u64,
    compress: Duration,
    decompress: Duration,
    compress_fresh: Duration,
    decompress_fresh: Duration,
    round_trip: bool,
}

/// Memory that a thread reuses for each piece and run.
#[derive(Default)]
struct BenchWorker {
    encode_scratch: EncodeScratch,
    decode_scratch: DecodeScratch,
    coded: Coded,
    decoded: Vec<u8>,
    base: Vec<u8>,
}

/// Compresses a piece as if it were a whole file without an index.
fn compress(
    coded: &mut Coded,
    &(piece, knowledge, base): &Piece<'_>,
    options: &Options,
    scratch: &mut EncodeScratch,
    base_memory: &mut Vec<u8>,
) -> Result<(), String> {
    let position = FramePosition::FIRST.without_index();
    // Compression overwrites the base.
    base_memory.clear();
    base_memory.extend_from_slice(base.unwrap_or_default());
    let base = base.is_some().then_some(&mut base_memory[..]);
    coded
        .compress(piece, base, knowledge, options, position, scratch)
        .map_err(|error| error.to_string())
}

/// Measures each kind of run `runs` times, after warming up.
fn measure(
    pieces: &[Piece<'_>],
    options: &Options,
    threads: usize,
    runs: usize,
) -> Result<Measured, String> {
    let longest = pieces.iter().map(|(piece, ..)| piece.len()).max().unwrap_or_default();
    let new_worker = || BenchWorker { decoded: vec![0; longest], ..BenchWorker::default() };
    let mut workers: Vec<BenchWorker> = (0..threads).map(|_| new_worker()).collect();
    let fresh = |piece: &Piece<'_>| {
        let mut coded = Coded::default();
        compress(&mut coded, piece, options, &mut EncodeScratch::new(), &mut Vec::new())?;
        Ok::<_, String>(coded)
    };
    let fresh_decoded = |file: &Coded, base: Option<&[u8]>| match base {
        Some(base) => delta::decompress(file.bytes(), base, &Limits::default()),
        None => decompress(file.bytes(), &Limits::default()),
    };
    let files = pieces.iter().map(fresh).collect::<Result<Vec<_>, _>>()?;
    let mut round_trip = true;
    let mut dtypes = Types::default();
    for ((piece, _, base), file) in pieces.iter().zip(&files) {
        let decoded = fresh_decoded(file, *base);
        round_trip &= decoded.is_ok_and(|decoded| decoded == *piece);
        for (frame, _) in file.frames() {
            let header = Header::parse(frame).map_err(|error| error.to_string())?;
            types::of_frame(&header, None, 0).into_iter().for_each(|dtype| dtypes.add(dtype));
        }
    }
    let compress_time = median(runs, || {
        each(&mut workers, pieces, |worker, piece| {
            let BenchWorker { coded, encode_scratch, base, .. } = worker;
            compress(coded, piece, options, encode_scratch, base)
        })
    })?;
    let bases = pieces.iter().map(|&(_, _, base)| base);
    let files: Vec<_> = files.into_iter().zip(bases).collect();
    let decompress_time = median(runs, || {
        each(&mut workers, &files, |worker, (file, base)| {
            let (dst, limits) = (&mut worker.decoded, Limits::default());
            let (file, scratch) = (file.bytes(), &mut worker.decode_scratch);
            match base {
                Some(base) => delta::decompress_into(file, base, dst, &limits, scratch),
                None => decompress_into(file, dst, &limits, scratch),
            }
            .map_err(|error| error.to_string())
        })
    })?;
    // Results are kept until the end of the run, so that no piece reuses the memory of another.
    let compress_fresh = median(runs, || each(&mut workers, pieces, |_, piece| fresh(piece)))?;
    let decompress_fresh = median(runs, || {
        each(&mut workers, &files, |_, (file, base)| {
            fresh_decoded(file, *base).map_err(|error| error.to_string())
        })
    })?;
    Ok(Measured {
        dtypes,
        threads,
        original: pieces.iter().map(|(piece, ..)| piece.len() as u64).sum(),
        compressed: files.iter().map(|(file, _)| file.bytes().len() as u64).sum(),
        compress: compress_time,
        decompress: decompress_time,
        compress_fresh,
        decompress_fresh,
        round_trip,
    })
}

/// Calls a function for every item on the next free worker. Keeps the results until all are
/// complete.
fn each<Item: Sync, Result: Send>(
    workers: &mut [BenchWorker],
    items: &[Item],
    call: impl Fn(&mut BenchWorker, &Item) -> std::result::Result<Result, String> + Sync,
) -> std::result::Result<(), String> {
    let next = AtomicUsize::new(0);
    let take = |worker: &mut BenchWorker| {
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

/// Duration of runs that do not count, for processors and caches to warm up.
const WARM_UP: Duration = Duration::from_millis(250);

/// Returns the median time of `runs` calls, after some that do not count.
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
    /// Returns the speed in millions of uncompressed bytes per second.
    fn speed(&self, time: Duration) -> f64 {
        self.original as f64 / 1e6 / time.as_secs_f64().max(1e-9)
    }

    fn json(&self) -> String {
        json!({
            "dtypes": self.dtypes.names(),
            "threads": self.threads,
            "simd": simd::level().name(),
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

    fn text(&self, source: &Endpoint) -> String {
        format!(
            "{source}: {}{}, {} -> {} bytes ({})\n\
             {:24}{:>12}{:>14}\n{:24}{:>7.0} MB/s{:>9.0} MB/s\n{:24}{:>7.0} MB/s{:>9.0} MB/s",
            self.dtypes.text("", ", "),
            units::count(self.threads as u64, "thread"),
            self.original,
            self.compressed,
            units::percent(self.compressed, self.original),
            "",
            "compress",
            "decompress",
            "memory reused",
            self.speed(self.compress),
            self.speed(self.decompress),
            "memory freshly allocated",
            self.speed(self.compress_fresh),
            self.speed(self.decompress_fresh),
        )
    }
}
