//! Compresses and decompresses pieces in memory, and measures the time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zipnn::delta;
use zipnn::frame::{DecodeScratch, EncodeScratch, FramePosition, Header};
use zipnn::{Limits, Options, decompress, decompress_into};

use crate::content::types::{self, Types};
use crate::job::framing::{Coded, Knowledge};

/// A part of the file, what is known about it, and the matching part of a base.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'d> {
    pub data: &'d [u8],
    pub knowledge: Knowledge,
    pub base: Option<&'d [u8]>,
}

/// The memory that receives results, and that runs reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Each thread reuses the memory of a single piece for all its pieces, which caches may hold.
    OfOnePiece,
    /// Each piece has memory of its own, so that a run writes a whole file.
    OfAllPieces,
}

/// How to measure.
pub struct Measurement {
    pub options: Options,
    pub threads: usize,
    /// The number of runs that count.
    pub runs: usize,
    pub memory: Memory,
}

/// The lengths, and the median time of each kind of run.
pub struct Times {
    pub original: u64,
    pub compressed: u64,
    pub compress: Duration,
    pub decompress: Duration,
    pub compress_fresh: Duration,
    pub decompress_fresh: Duration,
    /// Whether every piece decompressed to its data, with reused and with fresh memory.
    pub round_trip: bool,
}

/// The memory for results.
#[derive(Default)]
struct Slot {
    coded: Coded,
    decoded: Vec<u8>,
    /// A copy of the base, which compression overwrites.
    base: Vec<u8>,
}

/// A thread that takes pieces, and its scratch memory.
#[derive(Default)]
struct Worker {
    number: usize,
    encode_scratch: EncodeScratch,
    decode_scratch: DecodeScratch,
}

impl Measurement {
    /// Measures each kind of run, and returns the element types of the frames as well.
    pub fn run(&self, pieces: &[Piece<'_>]) -> Result<(Times, Types), String> {
        let slots = self.slots(pieces);
        let mut workers: Vec<Worker> =
            (0..self.threads).map(|number| Worker { number, ..Worker::default() }).collect();
        let slot = |worker: &Worker, number: usize| {
            let number = match self.memory {
                Memory::OfOnePiece => worker.number,
                Memory::OfAllPieces => number,
            };
            slots[number].lock().unwrap_or_else(PoisonError::into_inner)
        };
        let compress_piece = |worker: &mut Worker, number: usize, piece: &Piece<'_>| {
            let mut slot = slot(worker, number);
            let Slot { coded, base, .. } = &mut *slot;
            compress(coded, piece, base, &self.options, &mut worker.encode_scratch)
        };
        let decompress_piece = |worker: &mut Worker, number: usize, file: &Coded| {
            let (dst, limits) = (&mut slot(worker, number).decoded, Limits::default());
            let (file, scratch) = (file.bytes(), &mut worker.decode_scratch);
            match pieces[number].base {
                Some(base) => delta::decompress_into(file, base, dst, &limits, scratch),
                None => decompress_into(file, dst, &limits, scratch),
            }
            .map_err(|error| error.to_string())
        };
        let fresh_decoded = |number: usize, file: &Coded| {
            match pieces[number].base {
                Some(base) => delta::decompress(file.bytes(), base, &Limits::default()),
                None => decompress(file.bytes(), &Limits::default()),
            }
            .map_err(|error| error.to_string())
        };

        let files = pieces.iter().map(|piece| self.fresh(piece)).collect::<Result<Vec<_>, _>>()?;
        let mut round_trip = true;
        let mut dtypes = Types::default();
        for (number, (piece, file)) in pieces.iter().zip(&files).enumerate() {
            let worker = &mut workers[0];
            compress_piece(worker, number, piece)?;
            round_trip &= slot(worker, number).coded.bytes() == file.bytes();
            let decoded = decompress_piece(worker, number, file);
            round_trip &=
                decoded.is_ok_and(|len| slot(worker, number).decoded[..len] == *piece.data);
            let decoded = fresh_decoded(number, file);
            round_trip &= decoded.is_ok_and(|decoded| decoded == *piece.data);
            for (frame, _) in file.frames() {
                let header = Header::parse(frame).map_err(|error| error.to_string())?;
                types::of_frame(&header, None, 0).into_iter().for_each(|dtype| dtypes.add(dtype));
            }
        }

        let workers = &mut workers[..];
        let times = Times {
            original: pieces.iter().map(|piece| piece.data.len() as u64).sum(),
            compressed: files.iter().map(|file| file.bytes().len() as u64).sum(),
            compress: self.median(|| each(workers, pieces, compress_piece))?,
            decompress: self.median(|| each(workers, &files, decompress_piece))?,
            // Results are kept until the end of the run, so that no piece reuses the memory of
            // another.
            compress_fresh: self
                .median(|| each(workers, pieces, |_, _, piece| self.fresh(piece)))?,
            decompress_fresh: self
                .median(|| each(workers, &files, |_, number, file| fresh_decoded(number, file)))?,
            round_trip,
        };
        Ok((times, dtypes))
    }

    /// Returns memory for one piece for each thread, or for each piece.
    fn slots(&self, pieces: &[Piece<'_>]) -> Vec<Mutex<Slot>> {
        let new = |len| Mutex::new(Slot { decoded: vec![0; len], ..Slot::default() });
        let lens = pieces.iter().map(|piece| piece.data.len());
        match self.memory {
            Memory::OfOnePiece => {
                let longest = lens.max().unwrap_or_default();
                (0..self.threads).map(|_| new(longest)).collect()
            }
            Memory::OfAllPieces => lens.map(new).collect(),
        }
    }

    /// Compresses a piece into fresh memory.
    fn fresh(&self, piece: &Piece<'_>) -> Result<Coded, String> {
        let mut coded = Coded::default();
        let (memory, scratch) = (&mut Vec::new(), &mut EncodeScratch::new());
        compress(&mut coded, piece, memory, &self.options, scratch)?;
        Ok(coded)
    }

    /// Returns the median time of the runs, after some that do not count.
    fn median(&self, mut run: impl FnMut() -> Result<(), String>) -> Result<Duration, String> {
        /// Duration of runs that do not count, for processors and caches to warm up.
        const WARM_UP: Duration = Duration::from_millis(250);
        let start = Instant::now();
        run()?;
        while start.elapsed() < WARM_UP {
            run()?;
        }
        let mut times = Vec::with_capacity(self.runs);
        for _ in 0..self.runs {
            let start = Instant::now();
            run()?;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let (lower, upper) = (times[(self.runs - 1) / 2], times[self.runs / 2]);
        Ok((lower + upper) / 2)
    }
}

/// Compresses a piece as if it were a whole file without an index.
fn compress(
    coded: &mut Coded,
    piece: &Piece<'_>,
    base_memory: &mut Vec<u8>,
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<(), String> {
    let position = FramePosition::FIRST.without_index();
    base_memory.clear();
    base_memory.extend_from_slice(piece.base.unwrap_or_default());
    let base = piece.base.is_some().then_some(&mut base_memory[..]);
    coded
        .compress(piece.data, base, piece.knowledge, options, position, scratch)
        .map_err(|error| error.to_string())
}

/// Calls a function for every item and its number on the next free worker. Keeps the results until
/// all are complete.
fn each<Item: Sync, Output: Send>(
    workers: &mut [Worker],
    items: &[Item],
    call: impl Fn(&mut Worker, usize, &Item) -> Result<Output, String> + Sync,
) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let take = |worker: &mut Worker| {
        let mut results = Vec::with_capacity(items.len());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return Ok(results) };
            results.push(call(worker, number, item)?);
        }
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
