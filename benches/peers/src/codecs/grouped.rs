//! What Hugging Face's Xet storage does with weights.

use std::io::{Read, Write};

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use super::{Codec, Failure};

/// Xet cuts files into chunks of about so many bytes.
const CHUNK: usize = 64 << 10;
/// It groups by this number of bytes, whatever the type of the numbers.
const GROUPS: usize = 4;
/// Bytes in which the size of a compressed chunk is stored.
const SIZE: usize = 4;

/// Byte grouping and LZ4, the scheme `ByteGrouping4LZ4` of Xet: the first bytes of every four in a
/// chunk, then the second, third and fourth ones, all of them as one LZ4 frame. No exponent is
/// separated from others where numbers have two bytes: the groups are then the two bytes of the
/// even and of the odd numbers.
///
/// Xet cuts chunks by their contents; here they have one size. The frames allocate in every call.
pub struct Grouped {
    chunk: Vec<u8>,
}

impl Default for Grouped {
    fn default() -> Self {
        Self { chunk: vec![0; CHUNK] }
    }
}

impl Codec for Grouped {
    fn name(&self) -> &'static str {
        "bytes grouped, lz4"
    }

    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, Failure> {
        let mut len = 0;
        for chunk in src.chunks(CHUNK) {
            let grouped = &mut self.chunk[..chunk.len()];
            group(chunk, grouped);
            let (size, room) = dst[len..].split_at_mut(SIZE);
            let room_len = room.len();
            let mut encoder = FrameEncoder::new(room);
            encoder.write_all(grouped)?;
            let packed = room_len - encoder.finish()?.len();
            size.copy_from_slice(&(packed as u32).to_le_bytes());
            len += SIZE + packed;
        }
        Ok(len)
    }

    fn decompress(&mut self, mut src: &[u8], dst: &mut [u8]) -> Result<(), Failure> {
        for chunk in dst.chunks_mut(CHUNK) {
            let (&size, rest) = src.split_first_chunk::<SIZE>().ok_or("a chunk is missing")?;
            let (packed, rest) = rest.split_at(u32::from_le_bytes(size) as usize);
            src = rest;
            let grouped = &mut self.chunk[..chunk.len()];
            FrameDecoder::new(packed).read_exact(grouped)?;
            ungroup(grouped, chunk);
        }
        Ok(())
    }
}

/// Sorts bytes by their place in every four.
fn group(bytes: &[u8], groups: &mut [u8]) {
    let mut parts = groups.chunks_exact_mut(bytes.len() / GROUPS);
    let [a, b, c, d] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let places = a.iter_mut().zip(b).zip(c).zip(d);
    for (four, (((a, b), c), d)) in bytes.as_chunks().0.iter().zip(places) {
        [*a, *b, *c, *d] = *four;
    }
}

/// Puts them back.
fn ungroup(groups: &[u8], bytes: &mut [u8]) {
    let mut parts = groups.chunks_exact(bytes.len() / GROUPS);
    let [a, b, c, d] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let places = a.iter().zip(b).zip(c).zip(d);
    for (four, (((a, b), c), d)) in bytes.as_chunks_mut().0.iter_mut().zip(places) {
        *four = [*a, *b, *c, *d];
    }
}
