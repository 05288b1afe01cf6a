//! The GPU and the processor agree on damaged frames: both fail, or both return the same bytes.

use zipnn::frame::{DecodeScratch, Frame};
use zipnn::gpu::{ChunkInput, Plan};
use zipnn::{DType, DecodeError, Options};
use zipnn_gpu::GpuError;

use crate::common::data::{Random, weights};
use crate::device::gpu;

const FRAMES: usize = 2000;

fn on_processor(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let frame = Frame::parse(bytes)?;
    let mut decoded = vec![0; frame.decoded_len() as usize];
    frame.decode_into(&mut decoded, &mut DecodeScratch::new().with_len(frame.scratch_len())?)?;
    Ok(decoded)
}

/// Returns whether the damage is left for the shaders to find.
fn can_be_planned(bytes: &[u8]) -> bool {
    let Ok(frame) = Frame::parse(bytes) else { return false };
    let (mut plan, mut scratch) = (Plan::new(0), DecodeScratch::new());
    ChunkInput::of_frame(&frame, 0).all(|chunk| plan.push(chunk, &mut scratch).is_ok())
}

#[test]
fn damaged_frames() {
    let gpu = gpu();
    let mut random = Random(5);
    let mut files = Vec::new();
    for dtype in DType::ALL {
        for (len, chunk_log2) in [(900, 9), (30_000, 18), (20_002, 12)] {
            let options = Options::new(dtype).chunk_log2(chunk_log2);
            let data = weights(dtype, len, random.next());
            for checksums in [false, true] {
                files.push(zipnn::compress(&data, &options.checksums(checksums)).unwrap());
            }
        }
    }
    let (mut found_by_shaders, mut refused, mut decoded) = (0, 0, 0);
    for round in 0..FRAMES {
        let mut bytes = files[round % files.len()].clone();
        // Mostly the streams, sometimes the header, the index or the end.
        let from = if random.below(8) == 0 { 0 } else { bytes.len().min(60) };
        for _ in 0..=random.below(3) {
            let at = from + random.below(bytes.len() - from);
            bytes[at] ^= 1 << random.below(8);
        }
        let expected = on_processor(&bytes);
        if expected.as_ref().is_ok_and(|decoded| decoded.len() > 1 << 20) {
            continue;
        }
        let is_planned = can_be_planned(&bytes);
        let found = gpu.decode(&gpu.decoders[round % 2], &bytes);
        match (expected, found) {
            (Ok(expected), Ok(found)) => {
                assert!(found == expected, "frame {round}: other bytes");
                decoded += 1;
            }
            (Err(expected), Err(GpuError::Decode(found))) => {
                if is_planned {
                    assert_eq!(found.kind(), expected.kind(), "frame {round}");
                    assert_eq!(found.location().chunk, expected.location().chunk, "frame {round}");
                    assert_eq!(found.location().plane, expected.location().plane, "frame {round}");
                    found_by_shaders += 1;
                } else {
                    refused += 1;
                }
            }
            (expected, found) => {
                panic!("frame {round}: processor {:?}, GPU {:?}", expected.err(), found.err());
            }
        }
    }
    println!("{found_by_shaders} found by shaders, {refused} refused, {decoded} decoded");
    assert!(found_by_shaders > 500 && refused > 50 && decoded > 100);
}
