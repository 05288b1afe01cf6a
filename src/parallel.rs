//! Compresses and decompresses whole inputs on many threads of a rayon pool.
//!
//! The functions run on the rayon pool of the calling thread, or on the global pool. The bytes that
//! they write do not depend on the number of threads.
//!
//! ```
//! use zipnn::parallel::{ScratchPool, par_compress, par_compress_into, par_decompress_into};
//! use zipnn::{DType, Limits, Options};
//!
//! let options = Options::new(DType::BF16);
//! let file = par_compress(&[0x3f; 10_000], &options)?;
//!
//! // The same without fresh memory from the second input on.
//! let pool = ScratchPool::new();
//! let mut packed = vec![0; zipnn::compress_bound(10_000, &options)];
//! let mut weights = vec![0; 10_000];
//! for byte in [0x3e, 0x3f] {
//!     let len = par_compress_into(&[byte; 10_000], &mut packed, &options, &pool)?;
//!     par_decompress_into(&packed[..len], &mut weights, &Limits::default(), &pool)?;
//!     assert_eq!(weights, [byte; 10_000]);
//! }
//! assert_eq!(packed[..file.len()], file);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use rayon::prelude::*;

use crate::checksum::checksum;
use crate::chunk::decode::DecodeScratch;
use crate::chunk::encode::{EncodeScratch, NextChunk};
use crate::chunk::encode_records;
use crate::chunk::plane_encoder::Stored;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::file::frames::Frames;
use crate::frame::whole::Frame;
use crate::frame::write::draft::{Draft, Hashed};
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::frame::write::tables::Tables;
use crate::limits::Limits;
use crate::older_file::OlderFile;
use crate::oneshot::{decoded_len, refuse_delta, shortened, zeroed_for_frame};
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::try_alloc::zeroed;

/// Keeps scratch memory for the functions of this module.
///
/// Use one pool for many calls: then only the first calls allocate. Threads can share it.
#[derive(Debug, Default)]
pub struct ScratchPool {
    encode: Mutex<Vec<EncodeScratch>>,
    decode: Mutex<Vec<DecodeScratch>>,
}

impl ScratchPool {
    /// Returns an empty pool.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Scratch memory from a pool, which gets it back on drop.
struct Lent<'p, T: Default> {
    scratch: Option<T>,
    pool: &'p Mutex<Vec<T>>,
}

impl<'p, T: Default> Lent<'p, T> {
    fn new(pool: &'p Mutex<Vec<T>>) -> Self {
        Self { scratch: lock(pool).pop(), pool }
    }

    fn get(&mut self) -> &mut T {
        self.scratch.get_or_insert_default()
    }
}

impl<T: Default> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        lock(self.pool).extend(self.scratch.take());
    }
}

/// Locks a list of scratch memory, which stays valid when a thread panics.
fn lock<T>(pool: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compresses bytes into a file of one frame, as [`compress`](crate::compress) does.
///
/// # Errors
///
/// The errors of [`compress`](crate::compress).
pub fn par_compress(src: &[u8], options: &Options) -> Result<Vec<u8>, EncodeError> {
    let options = options.for_frame(src);
    options.check()?;
    let mut dst = zeroed_for_frame(src.len(), &options, &Envelope::BYTES)?;
    let len = par_compress_into(src, &mut dst, &options, &ScratchPool::new())?;
    Ok(shortened(dst, len))
}

/// Compresses bytes into a file of one frame at the beginning of `dst`.
///
/// Returns the length of the file, as [`compress_into`](crate::compress_into) does. If `dst` is
/// shorter than [`compress_bound`](crate::compress_bound), this writes the file to newly allocated
/// memory first.
///
/// # Errors
///
/// The errors of [`compress_into`](crate::compress_into).
pub fn par_compress_into(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    pool: &ScratchPool,
) -> Result<usize, EncodeError> {
    par_compress_frame(src, dst, options, &Envelope::BYTES, pool)
}

/// Compresses data into a frame as [`compress_frame`](crate::frame::write::body::compress_frame)
/// does. The data is not a difference.
pub(crate) fn par_compress_frame(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    envelope: &Envelope,
    pool: &ScratchPool,
) -> Result<usize, EncodeError> {
    let options = &options.for_frame(src);
    let Some([with, without]) = options.ways() else {
        return par_compress_frame_as(src, dst, options, envelope, pool);
    };
    // A frame with the code of scales fits wherever the other one does.
    let mut frame = zeroed_for_frame(src.len(), &without, envelope)?;
    let len = par_compress_frame_as(src, &mut frame, &without, envelope, pool)?;
    if with.may_scales_save(src.len() as u64, len as u64)
        && let Ok(with_len) = par_compress_frame_as(src, dst, &with, envelope, pool)
        && with_len < len
    {
        return Ok(with_len);
    }
    let (needed, have) = (len as u64, dst.len() as u64);
    let dst = dst.get_mut(..len).ok_or(EncodeError::OutputTooSmall { needed, have })?;
    dst.copy_from_slice(&frame[..len]);
    Ok(len)
}

fn par_compress_frame_as(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    envelope: &Envelope,
    pool: &ScratchPool,
) -> Result<usize, EncodeError> {
    let draft = Draft::new(src, options, envelope)?;
    if dst.len() >= draft.geometry.bound() {
        return Ok(write_into(&draft, src, dst, pool));
    }
    let mut frame = zeroed_for_frame(src.len(), &draft.options, envelope)?;
    let len = write_into(&draft, src, &mut frame, pool);
    let (needed, have) = (len as u64, dst.len() as u64);
    let dst = dst.get_mut(..len).ok_or(EncodeError::OutputTooSmall { needed, have })?;
    dst.copy_from_slice(&frame[..len]);
    Ok(len)
}

/// Writes a frame into memory that has room for any frame of this length.
fn write_into(draft: &Draft, src: &[u8], dst: &mut [u8], pool: &ScratchPool) -> usize {
    let Draft { geometry, options, .. } = draft;
    let (prefix, payload) = dst.split_at_mut(geometry.payload_at);
    let places = chunk_places(geometry, src, payload);
    let (stored, checksums): (Vec<[Stored; MAX_PLANES]>, Vec<Option<u64>>) = src
        .par_chunks(geometry.chunk_len)
        .zip(places)
        .enumerate()
        .with_min_len(run_len(geometry.chunks))
        .map_init(
            || Lent::new(&pool.encode),
            |scratch, (number, (chunk, place))| {
                let checksum = options.checksums.then(|| checksum(chunk));
                let (offset, layout) = (number * geometry.chunk_len, geometry.layout);
                let next = NextChunk::at(offset + chunk.len(), src, chunk.len());
                let scratch = scratch.get();
                let stored =
                    encode_records::encode(offset, layout, chunk, options, place, scratch, next);
                (stored, checksum)
            },
        )
        .unzip();
    let checksums: Vec<u64> = checksums.into_iter().flatten().collect();
    let mut tables = Tables::new(prefix, geometry);
    for (number, stored) in stored.iter().enumerate() {
        tables.set(number, stored);
    }
    let content_len = close_gaps(geometry, src, &stored, dst);
    draft.finish(content_len, Hashed::default(), &checksums, dst)
}

/// Returns the checksums of chunks of this length.
pub(crate) fn par_checksums(src: &[u8], chunk_len: usize) -> Vec<u64> {
    src.par_chunks(chunk_len).map(checksum).collect()
}

/// Returns the length of parts that keep all threads of the pool busy: at least `len`.
pub(crate) fn part_len(len: usize) -> usize {
    /// Minimum number of bytes for each thread.
    const OF_THREAD: usize = 1 << 20;
    len.max(OF_THREAD * rayon::current_num_threads())
}

/// Returns the minimum number of chunks that one thread takes at a time.
///
/// Every run of chunks needs its own scratch memory. With many short runs, fresh memory would cost
/// more than the coding.
pub(crate) fn run_len(chunks: usize) -> usize {
    /// Number of runs for each thread, so that a slow thread delays the others little.
    const RUNS: usize = 4;
    (chunks / (RUNS * rayon::current_num_threads())).max(1)
}

/// Returns the parts of the payload to write each chunk's planes to, with room for raw planes.
fn chunk_places<'d>(
    geometry: &Geometry,
    src: &[u8],
    payload: &'d mut [u8],
) -> Vec<[&'d mut [u8]; MAX_PLANES]> {
    let mut regions = geometry.plane_regions(payload);
    src.chunks(geometry.chunk_len)
        .map(|chunk| {
            let mut lens = geometry.plane_lens_in(chunk.len()).into_iter();
            regions.each_mut().map(|region| {
                let len = lens.next().unwrap_or_default();
                let (place, behind) = core::mem::take(region).split_at_mut(len);
                *region = behind;
                place
            })
        })
        .collect()
}

/// Closes the gaps between the planes of the chunks, and returns the length of the content.
fn close_gaps(
    geometry: &Geometry,
    src: &[u8],
    stored: &[[Stored; MAX_PLANES]],
    dst: &mut [u8],
) -> usize {
    let mut from = geometry.payload_at;
    let mut to = from;
    for plane in 0..geometry.layout.planes {
        for (chunk, stored) in src.chunks(geometry.chunk_len).zip(stored) {
            let stored = stored[plane].len;
            if from != to {
                dst.copy_within(from..from + stored, to);
            }
            to += stored;
            from += geometry.plane_lens_in(chunk.len())[plane];
        }
    }
    to
}

/// Decompresses a file, as [`decompress`](crate::decompress) does.
///
/// # Errors
///
/// The errors of [`decompress`](crate::decompress). If a file has several faults, any of them may
/// be returned.
pub fn par_decompress(src: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    refuse_delta(src)?;
    if let Some(older) = OlderFile::probe(src) {
        return older.decode(limits);
    }
    let mut dst = zeroed(decoded_len(src, limits)?)?;
    decode_frames(src, &mut dst, limits, &ScratchPool::new())?;
    Ok(dst)
}

/// Decompresses a file into the beginning of `dst` and returns the number of decoded bytes.
///
/// Works as [`decompress_into`](crate::decompress_into) does.
///
/// # Errors
///
/// The errors of [`par_decompress`], and `OutputTooSmall`.
pub fn par_decompress_into(
    src: &[u8],
    dst: &mut [u8],
    limits: &Limits,
    pool: &ScratchPool,
) -> Result<usize, DecodeError> {
    refuse_delta(src)?;
    match OlderFile::probe(src) {
        Some(older) => older.decode_into(dst, limits),
        None => decode_frames(src, dst, limits, pool),
    }
}

pub(crate) fn decode_frames(
    src: &[u8],
    dst: &mut [u8],
    limits: &Limits,
    pool: &ScratchPool,
) -> Result<usize, DecodeError> {
    let frames: Vec<Frame<'_>> = Frames::with_limits(src, *limits).collect::<Result<_, _>>()?;
    let needed = frames.iter().fold(0_u64, |sum, frame| sum.saturating_add(frame.decoded_len()));
    let have = dst.len() as u64;
    if have < needed {
        return Err(DecodeErrorKind::OutputTooSmall { needed, have }.into());
    }
    let mut rest = &mut dst[..needed as usize];
    let mut tasks = Vec::new();
    for (number, frame) in (0_u64..).zip(&frames) {
        for (chunk_number, chunk) in frame.index().chunks().enumerate() {
            let (part, behind) = core::mem::take(&mut rest).split_at_mut(chunk.len() as usize);
            rest = behind;
            tasks.push((number, frame, chunk_number, chunk.scratch_len(), part));
        }
    }
    let run_len = run_len(tasks.len());
    tasks.into_par_iter().with_min_len(run_len).try_for_each_init(
        || Lent::new(&pool.decode),
        |scratch, (number, frame, chunk_number, needed, part)| {
            let scratch = scratch.get().with_len(needed);
            scratch
                .and_then(|mut scratch| frame.decode_chunk(chunk_number, part, &mut scratch))
                .map_err(|error| error.in_frame(number))
        },
    )?;
    Ok(needed as usize)
}
