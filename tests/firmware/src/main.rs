//! Decodes weights in flash chunk by chunk into fixed memory, like a small device.
//!
//! The weights are whole or a difference to other weights in flash. The program succeeds if every
//! byte is right and every damage is an error. It has no allocator: a decoder that used one would
//! not link.
//!
//! `tests/firmware/measure.sh` runs it on an emulated Cortex-M4 and measures code and stack;
//! `tests/project/core_only.rs` runs it on this machine.
#![no_std]
#![no_main]

mod entry;

use zipnn::{DecodeError, DecodeErrorKind};
use zipnn::file::Frames;
use zipnn::frame::{Chunk, Frame, Scratch};

#[cfg(feature = "fast")]
type Table = zipnn::frame::DecodeTable;
#[cfg(not(feature = "fast"))]
type Table = zipnn::frame::SmallTable;

/// Most bytes of a chunk in [`FILES`].
const CHUNK: usize = 4096;

/// All memory that decoding needs besides the stack.
struct Memory {
    table: Table,
    planes: [u8; CHUNK],
    decoded: [u8; CHUNK],
}

impl Memory {
    const fn new() -> Self {
        Self { table: Table::new(), planes: [0; CHUNK], decoded: [0; CHUNK] }
    }
}

/// A compressed file.
struct File {
    compressed: &'static [u8],
    /// The decoded data, perhaps followed by more.
    original: &'static [u8],
    /// The base, if the file holds a difference.
    base: Option<&'static [u8]>,
}

macro_rules! golden {
    ($path:literal) => {
        include_bytes!(concat!("../../data/golden/", $path))
    };
    ($file:literal, $original:literal) => {
        File { compressed: golden!($file), original: golden!($original), base: None }
    };
    ($file:literal, $original:literal, $base:literal) => {
        File {
            compressed: golden!($file),
            original: golden!($original),
            base: Some(golden!($base)),
        }
    };
}

const FILES: [File; 7] = [
    golden!("0.5.4/bf16-cchunk4096.znn", "orig/bf16.bin"),
    golden!("0.5.4/f32-cchunk4096-stream16384.znn", "orig/f32.bin"),
    golden!("0.5.4/f16-cchunk4096-n4095.znn", "orig/f16.bin"),
    golden!("0.5.4/e4m3-cchunk1024.znn", "orig/e4m3.bin"),
    golden!("0.5.4/rand_then_normal-cchunk1024.znn", "orig/rand_then_normal.bin"),
    golden!("0.5.4/few_high-x-f32.znn", "orig/few_high.bin"),
    golden!("0.5.4/delta-byte-stream4096.znn", "orig/bf16.bin", "orig/delta_bf16.bin"),
];

/// Reasons for the program to fail.
enum Failure {
    Undecodable,
    WrongBytes,
    DamageUnnoticed,
}

impl From<DecodeError> for Failure {
    fn from(_: DecodeError) -> Self {
        Self::Undecodable
    }
}

/// Decodes all files, sound and damaged.
fn run(memory: &mut Memory) -> Result<(), Failure> {
    for file in FILES {
        check(file.compressed, &file, memory)?;
        for len in (0..file.compressed.len()).step_by(97) {
            if check(&file.compressed[..len], &file, memory).is_ok() {
                return Err(Failure::DamageUnnoticed);
            }
        }
    }
    Ok(())
}

fn check(compressed: &[u8], file: &File, memory: &mut Memory) -> Result<(), Failure> {
    let (mut original, mut base) = (file.original, file.base);
    for frame in Frames::new(compressed) {
        let frame = frame?;
        for number in 0..frame.chunk_count() {
            let decoded = decode_chunk(&frame, number, &mut base, memory)?;
            original = original.strip_prefix(decoded).ok_or(Failure::WrongBytes)?;
        }
    }
    Ok(())
}

/// Decodes a chunk, with its part of the base.
///
/// A chunk that exceeds the memory is an error.
fn decode_chunk<'m>(
    frame: &Frame<'_>,
    number: usize,
    base: &mut Option<&[u8]>,
    memory: &'m mut Memory,
) -> Result<&'m [u8], DecodeError> {
    let chunk = frame.chunk(number).ok_or(DecodeErrorKind::OutOfRange)?;
    let (needed, have) = (chunk.len(), CHUNK as u64);
    let decoded = memory
        .decoded
        .get_mut(..needed as usize)
        .ok_or(DecodeErrorKind::OutputTooSmall { needed, have })?;
    let mut scratch = Scratch::new(&mut memory.table, &mut memory.planes);
    match base {
        None => frame.decode_chunk(number, decoded, &mut scratch)?,
        Some(base) => {
            let part = base.split_off(..decoded.len()).ok_or(DecodeErrorKind::OutOfRange)?;
            // The checksum covers the weights, not the difference.
            let chunk = chunk.with_checksum(frame.annex().checksum(number));
            chunk.decode_delta(&stored(&chunk, frame), part, decoded, &mut scratch)?;
        }
    }
    Ok(decoded)
}

/// Returns the stored planes of a chunk, which are at most four.
fn stored<'f>(chunk: &Chunk, frame: &Frame<'f>) -> [&'f [u8]; 4] {
    let mut stored = [&[][..]; 4];
    for (stored, range) in stored.iter_mut().zip(chunk.plane_ranges()) {
        *stored = &frame.bytes()[range.start as usize..range.end as usize];
    }
    stored
}
