//! Decodes planes that are stored in blocks, each coded like a plane of a chunk in today's layout.

use crate::entropy::huffman::decode::{self, CodedPlane};
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::error::DecodeErrorKind;
use crate::format::method;
use crate::legacy::output::Output;
use crate::prefetch::Ahead;

/// A plane that is stored in blocks.
pub(super) struct PlaneBlocks<'a> {
    /// The stored blocks, one after another.
    pub(super) stored: &'a [u8],
    /// End of each block in `stored`, as a little-endian integer.
    pub(super) ends: &'a [[u8; 8]],
    /// Method of each block, a code from [`method`]. With `None`, all blocks are Huffman coded.
    pub(super) methods: Option<&'a [u8]>,
    /// Decoded length of every block except the last, in bytes.
    pub(super) block_len: usize,
}

impl PlaneBlocks<'_> {
    /// Decodes the plane. Empty blocks may follow the last block with data.
    pub(super) fn decode(
        &self,
        mut plane: &mut [u8],
        table: &mut DecodeTable,
        output: &mut Output<'_>,
    ) -> Result<(), DecodeErrorKind> {
        let mut start = 0;
        for (index, end) in self.ends.iter().enumerate() {
            let end = usize::try_from(u64::from_le_bytes(*end)).unwrap_or(usize::MAX);
            let stored = self.stored.get(start..end).ok_or(DecodeErrorKind::InvalidIndex)?;
            let len = self.block_len.min(plane.len());
            let (block, rest) = plane.split_at_mut(len);
            let code = self.methods.map_or(Some(method::HUFFMAN), |all| all.get(index).copied());
            decode_block(code.unwrap_or(method::RAW), stored, block, table, output)?;
            plane = rest;
            start = end;
        }
        if start != self.stored.len() || !plane.is_empty() {
            return Err(DecodeErrorKind::InvalidIndex);
        }
        Ok(())
    }
}

fn decode_block(
    code: u8,
    stored: &[u8],
    block: &mut [u8],
    table: &mut DecodeTable,
    output: &mut Output<'_>,
) -> Result<(), DecodeErrorKind> {
    let coded = match code {
        method::RAW if stored.len() == block.len() => CodedPlane::Copy(stored),
        method::RAW => return Err(DecodeErrorKind::InvalidIndex),
        method::HUFFMAN => CodedPlane::new(stored, block.len() as u64)?,
        _ => return Err(DecodeErrorKind::UnsupportedMethod(code)),
    };
    match coded {
        CodedPlane::Copy(bytes) => {
            output.add_method("raw");
            block.copy_from_slice(bytes);
        }
        CodedPlane::Repeat(byte) => {
            output.add_method("repeat");
            block.fill(byte);
        }
        CodedPlane::Streams(bytes) => {
            output.add_method("huffman");
            decode::decode(bytes, block, table, &mut Ahead::default())?;
        }
    }
    Ok(())
}
