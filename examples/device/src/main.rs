//! Computes a layer of a model on a Cortex-M4, with compressed weights in flash.
//!
//! The weights are decoded chunk by chunk into static memory, and multiplied with the input as they
//! appear. They are never in memory as a whole: this layer has 288 KiB, the device uses 18 KiB. All
//! buffers are of fixed size (`heapless`), so the linker knows how much memory is needed.
//!
//! ```sh
//! examples/device/run.sh            # on an emulated device
//! examples/device/run.sh --least    # measures the stack, too
//! ```
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m_semihosting::debug::{self, ExitStatus};
use cortex_m_semihosting::hprintln;
use half::bf16;
use heapless::Vec;
use zipnn::file::Frames;
use zipnn::frame::{Frame, Scratch, SmallTable};
use zipnn::{DecodeError, DecodeErrorKind};

/// A matrix of real weights, compressed by `build.rs`.
static LAYER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/layer.znn"));
/// The result that the computer reached with the uncompressed weights.
static EXPECTED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/expected.bin"));

/// Number of rows and of columns of the layer.
const WIDTH: usize = 384;
/// Length of a chunk in bytes, the number in `build.rs`.
const CHUNK: usize = 4096;

/// All memory of the program besides the stack.
struct Memory {
    table: SmallTable,
    planes: [u8; CHUNK],
    weights: Vec<u8, CHUNK>,
    output: Vec<f32, WIDTH>,
}

impl Memory {
    const fn new() -> Self {
        Self {
            table: SmallTable::new(),
            planes: [0; CHUNK],
            weights: Vec::new(),
            output: Vec::new(),
        }
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    let status = match run(LAYER, MEMORY) {
        Ok(()) => ExitStatus::Ok(()),
        Err(error) => {
            hprintln!("{}", error);
            ExitStatus::Err(())
        }
    };
    end(status)
}

fn run(file: &[u8], memory: &mut Memory) -> Result<(), DecodeError> {
    let mut layer = Layer::default();
    memory.output.clear();
    for frame in Frames::new(file) {
        let frame = frame?;
        for number in 0..frame.chunk_count() {
            decode_chunk(&frame, number, memory)?;
            for &weight in memory.weights.as_chunks().0 {
                // A layer that is larger than it should be is damaged.
                layer
                    .add(bf16::from_le_bytes(weight).to_f32(), &mut memory.output)
                    .map_err(|_| DecodeErrorKind::OutOfRange)?;
            }
        }
    }
    let result = memory.output.iter().flat_map(|sum| sum.to_le_bytes());
    assert!(result.eq(EXPECTED.iter().copied()), "the device computes what the computer does");
    hprintln!("{} rows from {} bytes in flash", memory.output.len(), file.len());
    Ok(())
}

/// Decodes a chunk into `memory.weights`. A chunk that is too long is an error.
fn decode_chunk(frame: &Frame<'_>, number: usize, memory: &mut Memory) -> Result<(), DecodeError> {
    let needed = frame.chunk(number).map_or(0, |chunk| chunk.len());
    let have = CHUNK as u64;
    memory
        .weights
        .resize(needed as usize, 0)
        .map_err(|_| DecodeErrorKind::OutputTooSmall { needed, have })?;
    let mut scratch = Scratch::new(&mut memory.table, &mut memory.planes);
    frame.decode_chunk(number, &mut memory.weights, &mut scratch)
}

/// Multiplies a matrix with an input, one weight at a time. The input is the number of each column.
#[derive(Default)]
struct Layer {
    column: u16,
    sum: f32,
}

impl Layer {
    /// Adds the next weight. Appends the sum of a row to `output` when it is complete.
    fn add(&mut self, weight: f32, output: &mut Vec<f32, WIDTH>) -> Result<(), f32> {
        self.sum += weight * f32::from(self.column);
        self.column += 1;
        if usize::from(self.column) == WIDTH {
            output.push(self.sum)?;
            *self = Self::default();
        }
        Ok(())
    }
}

fn end(status: ExitStatus) -> ! {
    loop {
        debug::exit(status);
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    end(ExitStatus::Err(()))
}
