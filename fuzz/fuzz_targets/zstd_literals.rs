//! A coded plane is what Zstandard calls compressed literals in four streams (RFC 8878, section
//! 3.1.1.3.1). So another decoder, `ruzstd`, has to find the same bytes in what we write, and in
//! whatever both accept.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ruzstd::decoding::FrameDecoder;
use zipnn::DecodeTable;
use zipnn::kernels::{self, Counts};
use zipnn_fuzz::Data;

#[derive(Debug, Arbitrary)]
struct Input {
    plane: Data,
    changes: Vec<(u16, u8)>,
}

/// A Zstandard frame of one block, in which there is nothing but these literals.
fn zstd_frame(coded: &[u8], plane_len: usize) -> Vec<u8> {
    // Type 2, sizes of 18 bits.
    let literals = 2 | 3 << 2 | (plane_len as u64) << 4 | (coded.len() as u64) << 22;
    let block_len = 5 + coded.len() + 1;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
    // A single segment with its size in four bytes.
    frame.push(0b1010_0000);
    frame.extend((plane_len as u32).to_le_bytes());
    // The last block, compressed.
    frame.extend(&((block_len << 3 | 2 << 1 | 1) as u32).to_le_bytes()[..3]);
    frame.extend(&literals.to_le_bytes()[..5]);
    frame.extend(coded);
    // No sequences.
    frame.push(0);
    frame
}

fn decode_zstd(coded: &[u8], plane_len: usize) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(plane_len + 64);
    FrameDecoder::new().decode_all_to_vec(&zstd_frame(coded, plane_len), &mut decoded).ok()?;
    Some(decoded)
}

fn decode(coded: &[u8], plane_len: usize) -> Option<Vec<u8>> {
    let mut decoded = vec![0; plane_len];
    kernels::decode(coded, &mut decoded, &mut Box::new(DecodeTable::new())).then_some(decoded)
}

fuzz_target!(|input: Input| {
    let plane = &input.plane.0;
    let mut counts = Counts::new();
    counts.count(plane);
    let Some(code) = counts.code(plane.len()) else { return };
    let mut coded = code.encode(plane);
    assert!(decode_zstd(&coded, plane.len()).as_ref() == Some(plane), "ruzstd reads other bytes");

    for &(at, change) in &input.changes {
        let at = usize::from(at) % coded.len();
        coded[at] ^= change;
    }
    if let (Some(ours), Some(theirs)) =
        (decode(&coded, plane.len()), decode_zstd(&coded, plane.len()))
    {
        assert!(ours == theirs, "ruzstd reads other bytes");
    }
});
