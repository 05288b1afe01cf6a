//! Frames whose header and index fit together, around arbitrary payloads: what is behind the checks
//! of lengths. Decoded in every way, and chunk by chunk with bytes that are not the chunk's.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::DType;
use zipnn::frame::{DecodeScratch, Frame, HEADER_LEN};

#[derive(Debug, Arbitrary)]
struct Plane {
    /// How the plane is stored: as it is, as one byte, as what is in `stored`, or wrongly.
    method: u8,
    stored: Vec<u8>,
}

#[derive(Debug, Arbitrary)]
struct Input {
    dtype: u8,
    rotated: bool,
    streaming: bool,
    chunk_log2: u8,
    decoded_len: u16,
    planes: Vec<Plane>,
    slack: Vec<u8>,
    lengths: Vec<u8>,
    frames: u8,
}

/// A frame of the format's layout, FORMAT.md, written by other code than the crate's.
fn frame(input: &Input) -> Vec<u8> {
    let dtype = DType::ALL[usize::from(input.dtype) % DType::ALL.len()];
    let planes = dtype.size();
    let chunk_log2 = 2 + input.chunk_log2 % 13;
    let chunk_len = 1 << chunk_log2;
    let decoded_len = usize::from(input.decoded_len);
    let chunks = decoded_len.div_ceil(chunk_len).min(64);
    let decoded_len = decoded_len.min(chunks * chunk_len);

    let mut methods = Vec::new();
    let mut ends = Vec::new();
    let mut payload = Vec::new();
    let mut given = input.planes.iter().cycle();
    for plane in 0..planes {
        let start = payload.len();
        for chunk in 0..chunks {
            let len = chunk_len.min(decoded_len - chunk * chunk_len);
            let plane_len = len / planes + usize::from(plane < len % planes);
            let stored = given.next();
            let method = stored.map_or(0, |plane| plane.method % 8);
            let bytes = stored.map_or(&[][..], |plane| &plane.stored);
            match method {
                // Raw: exactly the plane's length.
                0 => payload.extend((0..plane_len).map(|i| bytes.get(i).copied().unwrap_or(7))),
                1 => payload.push(bytes.first().copied().unwrap_or_default()),
                _ => payload.extend_from_slice(&bytes[..bytes.len().min(plane_len)]),
            }
            methods.push(if method == 7 { bytes.len() as u8 } else { method.min(1) });
            ends.extend(((payload.len() - start) as u64).to_le_bytes());
        }
    }

    let mut frame = vec![0; HEADER_LEN];
    frame[..5].copy_from_slice(&[b'Z', b'N', 0, 5, 4]);
    frame[5] = if planes == 4 { 220 } else { 10 };
    frame[6] = input.rotated.into();
    frame[8] = 1;
    frame[13] = if input.streaming { 128 } else { 0 };
    frame[14] = chunk_log2;
    frame[15] = dtype.code();
    frame[16..24].copy_from_slice(&(decoded_len as u64).to_le_bytes());
    frame.extend(methods);
    frame.extend(ends);
    frame.extend(payload);
    frame.extend(&input.slack);
    let frame_len = frame.len() as u64;
    frame[24..32].copy_from_slice(&frame_len.to_le_bytes());
    frame
}

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |input: Input| {
    let frame = frame(&input);
    let file = frame.repeat(1 + usize::from(input.frames % 3));
    let _ = zipnn_fuzz::decode(&file, &input.lengths);

    let Ok(parsed) = Frame::parse(&frame) else { return };
    let mut scratch = DecodeScratch::new();
    for chunk in parsed.index().chunks() {
        let stored: Vec<&[u8]> = input.planes.iter().map(|plane| &plane.stored[..]).collect();
        let mut dst = vec![0; chunk.len() as usize];
        let mut scratch = scratch.with_len(chunk.scratch_len()).unwrap();
        let _ = chunk.decode(&stored, &mut dst, &mut scratch);
    }
});
