//! Decodes frames of 16-bit elements of releases 0.3.0 to 0.3.4, which use today's layout.
//!
//! There is one exception: releases 0.3.0 and 0.3.1 omit the last byte of an input of odd length,
//! although the header counts it. Both planes of the last chunk then have the same length.

use std::boxed::Box;

use crate::chunk::decode::{DecodeScratch, Method};
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::frame::header::Header;
use crate::frame::shape::Shape;
use crate::legacy::blocks::PlaneBlocks;
use crate::legacy::fields::FieldReader;
use crate::legacy::output::Output;
use crate::try_alloc::zeroed;
use crate::{frame, plane};

/// Number of planes.
const PLANES: usize = 2;

/// Decodes the frame in `bytes`.
pub(super) fn decode(
    header: &Header,
    bytes: &[u8],
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    if header.is_short() {
        return decode_short(header, bytes, output);
    }
    decode_whole(bytes, output)
}

fn decode_whole(bytes: &[u8], output: &mut Output<'_>) -> Result<(), DecodeError> {
    let frame = frame::Frame::parse(bytes)?;
    for chunk in frame.index().chunks() {
        for method in chunk.methods() {
            output.add_method(match method {
                Method::Raw => "raw",
                Method::Repeat => "repeat",
                Method::Huffman => "huffman",
                Method::Pivot => "pivot",
                Method::Zstd => "zstd",
                Method::Difference => "difference",
                Method::Scales => "scales",
                Method::Records => "records",
            });
        }
    }
    let dst = output.grow(frame.decoded_len(), bytes.len())?;
    frame.decode_into(dst, &mut DecodeScratch::new().with_len(frame.scratch_len())?)?;
    Ok(())
}

/// Decodes a frame whose last byte is missing.
///
/// All chunks except the last consist of whole words, so the planes of all chunks can be merged at
/// once.
fn decode_short(header: &Header, bytes: &[u8], output: &mut Output<'_>) -> Result<(), DecodeError> {
    let len = header.decoded_len.saturating_sub(1);
    let plane_len = len / PLANES as u64;
    output.check(len, bytes.len())?;
    let (_, tables_at) = Shape::parse(bytes, header.form)?;
    let mut fields = FieldReader::new(bytes, tables_at);
    // This count includes the missing byte, which may have a chunk of its own.
    let chunks = header.chunk_count();
    let methods = [fields.take(chunks)?, fields.take(chunks)?];
    let ends = [fields.numbers(chunks)?, fields.numbers(chunks)?];
    let block_len = usize::try_from(header.chunk_len() / PLANES as u64).unwrap_or(usize::MAX);
    let mut table = Box::<DecodeTable>::default();
    let mut planes = [zeroed(plane_len)?, zeroed(plane_len)?];
    for (index, ((plane, methods), ends)) in planes.iter_mut().zip(methods).zip(ends).enumerate() {
        let stored_len = ends.last().map_or(0, |end| u64::from_le_bytes(*end));
        fields
            .take(stored_len)
            .and_then(|stored| {
                PlaneBlocks { stored, ends, methods: Some(methods), block_len }
                    .decode(plane, &mut table, output)
            })
            .map_err(|kind: DecodeErrorKind| DecodeError::from(kind).in_plane(index))?;
    }
    let [low, high] = &planes;
    let dst = output.grow(len, bytes.len())?;
    plane::merge(header.layout(), [low, high, &[], &[]], dst);
    output.lost = output.lost.saturating_add(1);
    Ok(())
}
