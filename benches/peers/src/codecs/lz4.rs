//! LZ4 in Rust.

use lz4_flex::block::{self, CompressTable};

use super::{Codec, Failure};

/// `lz4_flex`: one block a piece.
pub struct Lz4 {
    table: CompressTable,
}

impl Default for Lz4 {
    fn default() -> Self {
        Self { table: CompressTable::large() }
    }
}

impl Codec for Lz4 {
    fn name(&self) -> &'static str {
        "lz4_flex"
    }

    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, Failure> {
        Ok(block::compress_into_with_table(src, dst, &mut self.table)?)
    }

    fn decompress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), Failure> {
        block::decompress_into(src, dst)?;
        Ok(())
    }
}
