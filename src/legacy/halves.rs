//! Decodes 16-bit elements of releases 0.2.0 to 0.2.4, stored as two planes of the whole input.
//!
//! If neither plane was compressed, the rotated input follows the flags; the original does not undo
//! that rotation when it reads. Otherwise, the file lacks the last byte of an input of odd length.

use std::borrow::Cow;
use std::boxed::Box;

use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::legacy::blocks::PlaneBlocks;
use crate::legacy::frame::LegacyFrame;
use crate::legacy::output::Output;
use crate::plane;
use crate::plane_layout::PlaneLayout;
use crate::try_alloc::zeroed;

/// Number of planes.
const PLANES: usize = 2;
/// Length of a block of a plane in bytes.
const BLOCK: u64 = 128 * 1024;

/// Decodes the frame.
pub(super) fn decode(
    frame: &LegacyFrame<'_>,
    rotated: bool,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let mut fields = frame.fields();
    let frame_len = frame.bytes.len();
    let flags: [u8; PLANES] = fields.array()?;
    if flags == [0, 0] {
        output.add_method("raw");
        return output.add_plain(fields.rest(), PLANES, rotated, frame_len);
    }
    let len = fields.number()?;
    let stored_lens = [fields.number()?, fields.number()?];
    let blocks = fields.number()?;
    let plane_len = len / PLANES as u64;
    output.check(plane_len * PLANES as u64, frame_len)?;
    if blocks != plane_len.div_ceil(BLOCK) {
        return Err(DecodeErrorKind::InvalidIndex.into());
    }
    let mut ends = [None; PLANES];
    for (plane, (ends, flag)) in ends.iter_mut().zip(flags).enumerate() {
        *ends = match flag {
            0 => None,
            1 => Some(fields.numbers(blocks)?),
            _ => return Err(DecodeError::from(DecodeErrorKind::InvalidIndex).in_plane(plane)),
        };
    }
    let mut table = Box::<DecodeTable>::default();
    let mut planes = [const { Cow::Borrowed(&[] as &[u8]) }; PLANES];
    for (index, ((plane, ends), len)) in planes.iter_mut().zip(ends).zip(stored_lens).enumerate() {
        *plane = fields
            .take(len)
            .map_err(DecodeError::from)
            .and_then(|stored| decode_plane(stored, ends, plane_len, &mut table, output))
            .map_err(|error| error.in_plane(index))?;
    }
    let [low, high] = &planes;
    let dst = output.grow(plane_len * PLANES as u64, frame_len)?;
    plane::merge(PlaneLayout { planes: PLANES, rotated }, [low, high, &[], &[]], dst);
    output.lost = output.lost.saturating_add(len % PLANES as u64);
    Ok(())
}

/// Decodes a plane that is stored in blocks, or raw if `ends` is `None`.
fn decode_plane<'a>(
    stored: &'a [u8],
    ends: Option<&'a [[u8; 8]]>,
    plane_len: u64,
    table: &mut DecodeTable,
    output: &mut Output<'_>,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let Some(ends) = ends else {
        output.add_method("raw");
        return match stored.len() as u64 == plane_len {
            true => Ok(Cow::Borrowed(stored)),
            false => Err(DecodeErrorKind::InvalidIndex.into()),
        };
    };
    let mut plane = zeroed(plane_len)?;
    PlaneBlocks { stored, ends, methods: None, block_len: BLOCK as usize }
        .decode(&mut plane, table, output)?;
    Ok(Cow::Owned(plane))
}
