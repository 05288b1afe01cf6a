//! Zstandard, the C library, with contexts that are used again.

use zstd::bulk::{Compressor, Decompressor};

use super::{Codec, Failure};

/// `zstd` at some level: one frame a piece.
pub struct Zstd {
    name: &'static str,
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
}

impl Zstd {
    /// At this level.
    pub fn new(name: &'static str, level: i32) -> Result<Self, Failure> {
        let (compressor, decompressor) = (Compressor::new(level)?, Decompressor::new()?);
        Ok(Self { name, compressor, decompressor })
    }
}

impl Codec for Zstd {
    fn name(&self) -> &'static str {
        self.name
    }

    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, Failure> {
        Ok(self.compressor.compress_to_buffer(src, dst)?)
    }

    fn decompress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), Failure> {
        self.decompressor.decompress_to_buffer(src, dst)?;
        Ok(())
    }
}
