//! Compresses and decompresses tensors in memory that is allocated once.
//!
//! ```sh
//! cargo run --release --example caller_memory
//! ```

use std::error::Error;

use zipnn::frame::{DecodeScratch, EncodeScratch, Frame};
use zipnn::{DType, Options, compress_bound, compress_into};

/// Length of a tensor in bytes.
const LEN: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(DType::BF16);
    let mut encode_scratch = EncodeScratch::new();
    let mut decode_scratch = DecodeScratch::new();
    let mut packed = vec![0; compress_bound(LEN, &options)];
    let mut unpacked = vec![0; LEN];

    for number in 0..4 {
        let tensor = tensor(number);
        let len = compress_into(&tensor, &mut packed, &options, &mut encode_scratch)?;

        // Parsing checks all lengths in the frame.
        let frame = Frame::parse(&packed[..len])?;
        let mut scratch = decode_scratch.with_len(frame.scratch_len())?;
        let decoded = frame.decode_into(&mut unpacked, &mut scratch)?;

        assert_eq!(unpacked[..decoded], tensor);
        println!("tensor {number}: {LEN} bytes, compressed {len}");
    }
    Ok(())
}

/// Returns numbers between -1 and 1.
fn tensor(number: usize) -> Vec<u8> {
    (0..LEN / 2)
        .map(|i| half::bf16::from_f32(((i * (number + 3)) as f32).sin()))
        .flat_map(half::bf16::to_le_bytes)
        .collect()
}
