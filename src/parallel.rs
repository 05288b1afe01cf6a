//! Whole inputs on many threads: the pool of the caller, or rayon's global one. The bytes that are
//! written do not depend on it.

use std::vec::Vec;

use rayon::prelude::*;

use crate::checksum::checksum;
use crate::chunk::decode::DecodeScratch;
use crate::chunk::encode::{self, EncodeScratch};
use crate::chunk::plane_encoder::Stored;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::file::frames::Frames;
use crate::frame::whole::Frame;
use crate::frame::write::body::{Tables, finish, prepare};
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::limits::Limits;
#[cfg(feature = "legacy")]
use crate::oneshot::decompress_into;
use crate::oneshot::{decode_legacy, decoded_len, refuse_delta, zeroed_for_frame};
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::try_alloc::zeroed;

/// [`compress`](crate::compress) on all threads of the pool.
///
/// # Errors
///
/// As [`compress`](crate::compress).
pub fn par_compress(src: &[u8], options: &Options) -> Result<Vec<u8>, EncodeError> {
    options.check()?;
    let mut dst = zeroed_for_frame(src.len(), options, &Envelope::BYTES)?;
    let len = par_compress_into(src, &mut dst, options)?;
    dst.truncate(len);
    Ok(dst)
}

/// [`compress_into`](crate::compress_into) on all threads of the pool.
///
/// # Errors
///
/// As [`compress_into`](crate::compress_into).
pub fn par_compress_into(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
) -> Result<usize, EncodeError> {
    par_compress_frame(src, dst, options, &Envelope::BYTES)
}

/// [`compress_frame`](crate::frame::write::compress_frame) on all threads of the pool, of data that
/// is no difference.
pub(crate) fn par_compress_frame(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    envelope: &Envelope,
) -> Result<usize, EncodeError> {
    let geometry = prepare(src.len(), dst, options, envelope)?;
    let (prefix, payload) = dst.split_at_mut(geometry.payload_at);
    let places = chunk_places(&geometry, src.len(), payload);
    let stored: Vec<[Stored; MAX_PLANES]> = src
        .par_chunks(geometry.chunk_len)
        .zip(places)
        .with_min_len(run_len(geometry.chunks))
        .map_init(EncodeScratch::new, |scratch, (chunk, place)| {
            let (layout, threshold) = (geometry.layout, options.threshold);
            encode::encode(layout, chunk, threshold, options.profile, place, scratch)
        })
        .collect();
    let mut tables = Tables::new(&mut prefix[geometry.tables_at..], &geometry);
    for (number, stored) in stored.iter().enumerate() {
        tables.set(number, stored);
    }
    let checksums: Vec<u64> = match options.checksums {
        true => par_checksums(src, geometry.chunk_len),
        false => Vec::new(),
    };
    let len = close_gaps(&geometry, src.len(), &stored, dst);
    Ok(finish(src.len(), len, &geometry, &checksums, dst, options, envelope))
}

/// Returns the checksums of chunks of this length, made on all threads of the pool.
pub(crate) fn par_checksums(src: &[u8], chunk_len: usize) -> Vec<u64> {
    src.par_chunks(chunk_len).map(checksum).collect()
}

/// Returns the length of parts that keep all threads of the pool busy: `len`, or more for many.
pub(crate) fn part_len(len: usize) -> usize {
    /// Bytes for each thread, at least.
    const OF_THREAD: usize = 1 << 20;
    len.max(OF_THREAD * rayon::current_num_threads())
}

/// Chunks that one thread takes at a time, at least. Every run of chunks has scratch of its own,
/// and with many short runs the fresh memory would cost more than the coding.
pub(crate) fn run_len(chunks: usize) -> usize {
    /// Runs for each thread, so that one that is late holds up little.
    const RUNS: usize = 4;
    (chunks / (RUNS * rayon::current_num_threads())).max(1)
}

/// Where in the payload each plane of each chunk has room, uncoded.
fn chunk_places<'d>(
    geometry: &Geometry,
    len: usize,
    payload: &'d mut [u8],
) -> Vec<[&'d mut [u8]; MAX_PLANES]> {
    let mut regions = geometry.plane_regions(payload);
    (0..geometry.chunks)
        .map(|chunk| {
            let mut plane = 0..;
            regions.each_mut().map(|region| {
                let room = geometry.plane_room(len, chunk, plane.next().unwrap_or_default());
                let (place, behind) = core::mem::take(region).split_at_mut(room);
                *region = behind;
                place
            })
        })
        .collect()
}

/// Moves what was stored together and returns the length of the frame.
fn close_gaps(
    geometry: &Geometry,
    len: usize,
    stored: &[[Stored; MAX_PLANES]],
    dst: &mut [u8],
) -> usize {
    let mut from = geometry.payload_at;
    let mut to = from;
    for plane in 0..geometry.layout.planes {
        for (chunk, stored) in stored.iter().enumerate() {
            let stored = stored[plane].len;
            if from != to {
                dst.copy_within(from..from + stored, to);
            }
            to += stored;
            from += geometry.plane_room(len, chunk, plane);
        }
    }
    to
}

/// [`decompress`](crate::decompress) on all threads of the pool.
///
/// # Errors
///
/// As [`decompress`](crate::decompress). Which of several faults is named may differ from run to
/// run.
pub fn par_decompress(src: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    refuse_delta(src)?;
    if let Some(decoded) = decode_legacy(src, limits) {
        return decoded;
    }
    let mut dst = zeroed(decoded_len(src, limits)?)?;
    decode_frames(src, &mut dst, limits.verify)?;
    Ok(dst)
}

/// [`decompress_into`](crate::decompress_into) on all threads of the pool.
///
/// # Errors
///
/// As [`par_decompress`], and `OutputTooSmall`.
pub fn par_decompress_into(src: &[u8], dst: &mut [u8]) -> Result<usize, DecodeError> {
    #[cfg(feature = "legacy")]
    if crate::legacy::is_legacy(src) {
        return decompress_into(src, dst, &mut DecodeScratch::new());
    }
    refuse_delta(src)?;
    decode_frames(src, dst, true)
}

pub(crate) fn decode_frames(
    src: &[u8],
    dst: &mut [u8],
    verify: bool,
) -> Result<usize, DecodeError> {
    let frames: Vec<Frame<'_>> =
        Frames::with_verification(src, verify).collect::<Result<_, _>>()?;
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
        DecodeScratch::new,
        |scratch, (number, frame, chunk_number, needed, part)| {
            scratch
                .with_len(needed)
                .and_then(|mut scratch| frame.decode_chunk(chunk_number, part, &mut scratch))
                .map_err(|error| error.in_frame(number))
        },
    )?;
    Ok(needed as usize)
}
