//! Zstandard in Rust.

use ruzstd::decoding::FrameDecoder;
use ruzstd::encoding::{self, CompressionLevel};

use super::{Codec, Failure};

/// `ruzstd`, whose only level that compresses is the fastest: one frame a piece. Its encoder is
/// made afresh for each, as it is bound to its source.
#[derive(Default)]
pub struct RuZstd {
    decoder: FrameDecoder,
}

impl Codec for RuZstd {
    fn name(&self) -> &'static str {
        "ruzstd"
    }

    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, Failure> {
        let room = dst.len();
        let mut rest = dst;
        encoding::compress(src, &mut rest, CompressionLevel::Fastest);
        Ok(room - rest.len())
    }

    fn decompress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), Failure> {
        self.decoder.decode_all(src, dst)?;
        Ok(())
    }
}
