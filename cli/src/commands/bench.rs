//! `zipnn bench`: ratio and speed on a file of one's own.
//!
//! The file is cut into pieces and frames, as `compress` cuts it, and every piece is coded in
//! memory. Threads take whole pieces, one after the other.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use zipnn::frame::{DecodeScratch, EncodeScratch, FramePosition, Header};
use zipnn::tensor::Metadata;
use zipnn::{Limits, Options, decompress, decompress_into};

use crate::args::{self, Bench, Choice};
use crate::content::types::{self, Types};
use crate::fs::endpoint::Place;
use crate::fs::input::Input;
use crate::job::framing::{Coded, Knowledge, Pieces};
use crate::report::failure::Failure;
use crate::report::units;

/// Measures, and tells the result.
pub fn run(arguments: &Bench) -> Result<(), Failure> {
    let source = Place::new(&arguments.file);
    let mut input = Input::open(&source)?;
    let mut pieces =
        Pieces::new(arguments.dtype, &mut input).map_err(|error| input.failure(error))?;
    let mut data = Vec::new();
    input.read_up_to(u64::MAX, &mut data).map_err(|error| input.failure(error))?;
    let options = arguments
        .dtype
        .dtype()
        .map_or(Options::bytes(), Options::new)
        .profile(args::profile(arguments.extended))
        .checksums(arguments.checksums);
    let pieces = cut(&data, &mut pieces);
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
    Err(Failure::new(&source, "did not come back as it was")
        .hint("please report this, with the file: nothing else may ever happen"))
}

/// Returns the types from the command line or from the header of the file.
fn known_types(choice: Choice, data: &[u8]) -> Option<Types> {
    if choice != Choice::Auto {
        let mut types = Types::default();
        types.add(choice.name());
        return Some(types);
    }
    let layout = Metadata::parse_header(data).ok()?;
    let tensors = layout.tensors().iter().map(|tensor| (tensor.dtype(), tensor.len()));
    Some(Types::of_tensors(tensors))
}

/// A part of the file, and what is known of it.
type Piece<'d> = (&'d [u8], Knowledge);

/// The pieces of the data. A file without data has an empty one.
fn cut<'d>(data: &'d [u8], pieces: &mut Pieces) -> Vec<Piece<'d>> {
    let mut cut = Vec::new();
    let mut rest = data;
    while !rest.is_empty() || cut.is_empty() {
        let (len, knowledge) = pieces.next();
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
        let (piece, behind) = rest.split_at(len);
        cut.push((piece, knowledge));
        rest = behind;
    }
    cut
}

/// Times of each kind of run; the median counts.
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

/// What a thread keeps from piece to piece, and from run to run.
#[derive(Default)]
struct Worker {
    encode_scratch: EncodeScratch,
    decode_scratch: DecodeScratch,
    coded: Coded,
    decoded: Vec<u8>,
}

/// Compresses a piece as if its first frame were the first of a file, which has no index.
fn compress(
    coded: &mut Coded,
    &(piece, knowledge): &Piece<'_>,
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<(), String> {
    let position = FramePosition::FIRST.without_index();
    coded
        .compress(piece, None, knowledge, options, position, scratch)
        .map_err(|error| error.to_string())
}

/// Runs everything `runs` times, once it is warm.
fn measure(
    pieces: &[Piece<'_>],
    options: &Options,
    threads: usize,
    runs: usize,
) -> Result<Measured, String> {
    let longest = pieces.iter().map(|(piece, _)| piece.len()).max().unwrap_or_default();
    let new_worker = || Worker { decoded: vec![0; longest], ..Worker::default() };
    let mut workers: Vec<Worker> = (0..threads).map(|_| new_worker()).collect();
    let fresh = |piece: &Piece<'_>| {
        let mut coded = Coded::default();
        compress(&mut coded, piece, options, &mut EncodeScratch::new())?;
        Ok::<_, String>(coded)
    };
    let files = pieces.iter().map(fresh).collect::<Result<Vec<_>, _>>()?;
    let mut round_trip = true;
    let mut dtypes = Types::default();
    for ((piece, _), file) in pieces.iter().zip(&files) {
        let decoded = decompress(file.bytes(), &Limits::default());
        round_trip &= decoded.is_ok_and(|decoded| decoded == *piece);
        for (frame, _) in file.frames() {
            let header = Header::parse(frame).map_err(|error| error.to_string())?;
            types::of_frame(&header, None, 0).into_iter().for_each(|dtype| dtypes.add(dtype));
        }
    }
    let compress_time = median(runs, || {
        each(&mut workers, pieces, |worker, piece| {
            compress(&mut worker.coded, piece, options, &mut worker.encode_scratch)
        })
    })?;
    let decompress_time = median(runs, || {
        each(&mut workers, &files, |worker, file| {
            let (dst, limits) = (&mut worker.decoded, Limits::default());
            decompress_into(file.bytes(), dst, &limits, &mut worker.decode_scratch)
                .map_err(|error| error.to_string())
        })
    })?;
    // What is allocated afresh is kept to the end of the run: no piece gets another's memory.
    let compress_fresh = median(runs, || each(&mut workers, pieces, |_, piece| fresh(piece)))?;
    let decompress_fresh = median(runs, || {
        each(&mut workers, &files, |_, file| {
            decompress(file.bytes(), &Limits::default()).map_err(|error| error.to_string())
        })
    })?;
    Ok(Measured {
        dtypes,
        threads,
        original: pieces.iter().map(|(piece, _)| piece.len() as u64).sum(),
        compressed: files.iter().map(|file| file.bytes().len() as u64).sum(),
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
            "dtypes": self.dtypes.names(),
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
            "memory used again",
            self.speed(self.compress),
            self.speed(self.decompress),
            "memory freshly allocated",
            self.speed(self.compress_fresh),
            self.speed(self.decompress_fresh),
        )
    }
}
