//! Weights that lie in flash are decoded, chunk by chunk, into fixed memory: what a device does
//! that has little of it. Ends well if every byte is right and every damage an error.
//!
//! There is no `alloc` crate here: a decoder that used one would not link.
//!
//! `tests/firmware/measure.sh` runs it on an emulated Cortex-M4 and measures code and stack;
//! `tests/core_only.rs` runs it on this machine.
#![no_std]
#![no_main]

mod entry;

use zipnn::{DecodeError, Frame, Frames, Scratch};

#[cfg(feature = "fast")]
type Table = zipnn::DecodeTable;
#[cfg(not(feature = "fast"))]
type Table = zipnn::SmallTable;

/// Most bytes of a chunk in [`FILES`].
const CHUNK: usize = 4096;

/// All memory that decoding needs, besides the stack.
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

macro_rules! golden {
    ($file:literal, $original:literal) => {
        (
            include_bytes!(concat!("../../data/golden/", $file)),
            include_bytes!(concat!("../../data/golden/orig/", $original)),
        )
    };
}

/// Compressed files and what they decode to, perhaps with more behind it.
const FILES: [(&[u8], &[u8]); 6] = [
    golden!("0.5.4/bf16-cchunk4096.znn", "bf16.bin"),
    golden!("0.5.4/f32-cchunk4096-stream16384.znn", "f32.bin"),
    golden!("0.5.4/f16-cchunk4096-n4095.znn", "f16.bin"),
    golden!("0.5.4/e4m3-cchunk1024.znn", "e4m3.bin"),
    golden!("0.5.4/rand_then_normal-cchunk1024.znn", "rand_then_normal.bin"),
    golden!("0.5.4/few_high-x-f32.znn", "few_high.bin"),
];

/// Why the program fails.
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
    for (file, original) in FILES {
        check(file, original, memory)?;
        for len in (0..file.len()).step_by(97) {
            if check(&file[..len], original, memory).is_ok() {
                return Err(Failure::DamageUnnoticed);
            }
        }
    }
    Ok(())
}

fn check(file: &[u8], original: &[u8], memory: &mut Memory) -> Result<(), Failure> {
    let mut rest = original;
    for frame in Frames::new(file) {
        let frame = frame?;
        for number in 0..frame.chunk_count() {
            let decoded = decode_chunk(&frame, number, memory)?;
            rest = rest.strip_prefix(decoded).ok_or(Failure::WrongBytes)?;
        }
    }
    Ok(())
}

/// The weights of one chunk. Longer chunks than there is memory for are an error.
fn decode_chunk<'m>(
    frame: &Frame<'_>,
    number: usize,
    memory: &'m mut Memory,
) -> Result<&'m [u8], DecodeError> {
    let chunk = frame.index().chunk(number).ok_or(zipnn::DecodeErrorKind::OutOfRange)?;
    let (needed, have) = (chunk.len(), CHUNK as u64);
    let decoded = memory
        .decoded
        .get_mut(..needed as usize)
        .ok_or(zipnn::DecodeErrorKind::OutputTooSmall { needed, have })?;
    frame.decode_chunk(
        number,
        decoded,
        &mut Scratch::new(&mut memory.table, &mut memory.planes),
    )?;
    Ok(decoded)
}
