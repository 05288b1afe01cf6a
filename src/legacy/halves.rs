//! Bodies of 16-bit elements in releases 0.2.0 to 0.2.4: two planes of the whole input.
//!
//! The last byte of an input of odd length is not in the file, unless neither plane was worth
//! compressing: then the input follows the flags as it is, but rotated. The original forgets to
//! undo that when it reads.

use std::borrow::Cow;
use std::boxed::Box;

use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::legacy::frame::Frame;
use crate::legacy::output::Output;
use crate::legacy::pieces::Pieces;
use crate::plane;
use crate::plane_layout::PlaneLayout;
use crate::try_alloc::zeroed;

/// Planes of an element.
const PLANES: usize = 2;
/// Bytes of a plane that are coded together.
const PIECE: u64 = 128 * 1024;

/// Decodes the frame.
pub(super) fn decode(
    frame: &Frame<'_>,
    rotated: bool,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let mut cursor = frame.cursor();
    let frame_len = frame.bytes.len();
    let flags: [u8; PLANES] = cursor.array()?;
    if flags == [0, 0] {
        output.met("raw");
        return output.add_plain(cursor.rest(), PLANES, rotated, frame_len);
    }
    let len = cursor.number()?;
    let stored_lens = [cursor.number()?, cursor.number()?];
    let pieces = cursor.number()?;
    let plane_len = len / PLANES as u64;
    output.check(plane_len * PLANES as u64, frame_len)?;
    if pieces != plane_len.div_ceil(PIECE) {
        return Err(DecodeErrorKind::InvalidIndex.into());
    }
    let mut ends = [None; PLANES];
    for (plane, (ends, flag)) in ends.iter_mut().zip(flags).enumerate() {
        *ends = match flag {
            0 => None,
            1 => Some(cursor.numbers(pieces)?),
            _ => return Err(DecodeError::from(DecodeErrorKind::InvalidIndex).in_plane(plane)),
        };
    }
    let mut table = Box::<DecodeTable>::default();
    let mut planes = [const { Cow::Borrowed(&[] as &[u8]) }; PLANES];
    for (index, ((plane, ends), len)) in planes.iter_mut().zip(ends).zip(stored_lens).enumerate() {
        *plane = cursor
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

/// A plane from its pieces, or as it is stored where it has none.
fn decode_plane<'a>(
    stored: &'a [u8],
    ends: Option<&'a [[u8; 8]]>,
    plane_len: u64,
    table: &mut DecodeTable,
    output: &mut Output<'_>,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let Some(ends) = ends else {
        output.met("raw");
        return match stored.len() as u64 == plane_len {
            true => Ok(Cow::Borrowed(stored)),
            false => Err(DecodeErrorKind::InvalidIndex.into()),
        };
    };
    let mut plane = zeroed(plane_len)?;
    Pieces { stored, ends, methods: None, piece_len: PIECE as usize }
        .decode(&mut plane, table, output)?;
    Ok(Cow::Owned(plane))
}
