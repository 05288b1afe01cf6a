//! A plane that was cut in pieces, each coded alone as in today's chunks.

use crate::entropy::huffman::decode::{self, CodedPlane};
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::error::DecodeErrorKind;
use crate::format::method;
use crate::legacy::output::Output;

/// A plane as it is stored.
pub(super) struct Pieces<'a> {
    /// All pieces, one after the other.
    pub(super) stored: &'a [u8],
    /// Where in `stored` each ends.
    pub(super) ends: &'a [[u8; 8]],
    /// How each is stored, as a code from [`method`]; Huffman coded where none is given.
    pub(super) methods: Option<&'a [u8]>,
    /// Bytes that every piece but the last decodes to.
    pub(super) piece_len: usize,
}

impl Pieces<'_> {
    /// Decodes the plane. There may be empty pieces behind its last.
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
            let len = self.piece_len.min(plane.len());
            let (piece, rest) = plane.split_at_mut(len);
            let code = self.methods.map_or(Some(method::HUFFMAN), |all| all.get(index).copied());
            decode_piece(code.unwrap_or(method::RAW), stored, piece, table, output)?;
            plane = rest;
            start = end;
        }
        if start != self.stored.len() || !plane.is_empty() {
            return Err(DecodeErrorKind::InvalidIndex);
        }
        Ok(())
    }
}

fn decode_piece(
    code: u8,
    stored: &[u8],
    piece: &mut [u8],
    table: &mut DecodeTable,
    output: &mut Output<'_>,
) -> Result<(), DecodeErrorKind> {
    let coded = match code {
        method::RAW if stored.len() == piece.len() => CodedPlane::Copy(stored),
        method::RAW => return Err(DecodeErrorKind::InvalidIndex),
        method::HUFFMAN => CodedPlane::new(stored, piece.len() as u64)?,
        _ => return Err(DecodeErrorKind::UnsupportedMethod(code)),
    };
    match coded {
        CodedPlane::Copy(bytes) => {
            output.met("raw");
            piece.copy_from_slice(bytes);
        }
        CodedPlane::Repeat(byte) => {
            output.met("repeat");
            piece.fill(byte);
        }
        CodedPlane::Streams(bytes) => {
            output.met("huffman");
            decode::decode(bytes, piece, table)?;
        }
    }
    Ok(())
}
