//! Decodes planes, each of which is compressed as a whole or not at all.
//!
//! Release 0.1.1 stores all data in this way, and releases up to 0.3.4 store 32-bit elements in
//! this way. A frame contains a flag for each plane, which is set if the plane is compressed, then
//! the stored lengths, then the planes. The decompressed lengths are not stored.

use std::borrow::Cow;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::legacy::frame::LegacyFrame;
use crate::legacy::output::Output;
use crate::legacy::rotation::unrotate;
use crate::plane::{self, MAX_PLANES};
use crate::plane_layout::PlaneLayout;

/// Decodes an input that is compressed as a whole.
pub(super) fn decode_blob(
    frame: &LegacyFrame<'_>,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let codec = frame.codec()?;
    let most = output.allowance(frame.bytes.len());
    let data = codec
        .decompress(frame.fields().rest(), most)?
        .ok_or_else(|| output.excess(most.saturating_add(1), frame.bytes.len()))?;
    output.add_method(codec.name());
    output.add_plain(&data, 1, false, frame.bytes.len())
}

/// Decodes elements that are stored as four planes.
pub(super) fn decode_elements(
    frame: &LegacyFrame<'_>,
    rotated: bool,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let planes = read_planes::<MAX_PLANES>(frame, output)?;
    let layout = PlaneLayout { planes: MAX_PLANES, rotated };
    let len = planes.iter().fold(0_u64, |len, plane| len.saturating_add(plane.len() as u64));
    for (index, plane) in planes.iter().enumerate() {
        if plane.len() as u64 != layout.plane_len(len, index) {
            return Err(DecodeError::from(DecodeErrorKind::InvalidLength).in_plane(index));
        }
    }
    let dst = output.grow(len, frame.bytes.len())?;
    plane::merge(layout, planes.each_ref().map(|plane| &**plane), dst);
    Ok(())
}

/// Decodes 32-bit integers, of which only the lower `width` bytes are stored.
pub(super) fn decode_integers(
    frame: &LegacyFrame<'_>,
    width: usize,
    rotated: bool,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let [stored] = read_planes::<1>(frame, output)?;
    let values = stored.chunks_exact(width);
    if !values.remainder().is_empty() {
        return Err(DecodeErrorKind::InvalidLength.into());
    }
    let len = (values.len() as u64).saturating_mul(4);
    let dst = output.grow(len, frame.bytes.len())?;
    for (element, value) in dst.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        for (byte, &stored) in element.iter_mut().zip(value) {
            *byte = stored;
        }
    }
    if rotated { unrotate(MAX_PLANES, dst) } else { Ok(()) }
}

/// A plane before decompression.
struct PackedPlane<'a> {
    bytes: &'a [u8],
    compressed: bool,
}

/// Returns the decompressed planes of a frame.
fn read_planes<'a, const K: usize>(
    frame: &LegacyFrame<'a>,
    output: &mut Output<'_>,
) -> Result<[Cow<'a, [u8]>; K], DecodeError> {
    let stored = read_stored::<K>(frame)?;
    let mut most = most_in_plane(&stored, output.allowance(frame.bytes.len()));
    let mut planes = [const { Cow::Borrowed(&[] as &[u8]) }; K];
    for (index, (plane, stored)) in planes.iter_mut().zip(&stored).enumerate() {
        *plane = decompress(stored, frame, most, output).map_err(|kind| error_in(kind, index))?;
        // The planes of an input differ in length by at most one byte.
        most = most.min((plane.len() as u64).saturating_add(1));
    }
    Ok(planes)
}

fn error_in(kind: DecodeErrorKind, plane: usize) -> DecodeError {
    DecodeError::from(kind).in_plane(plane)
}

fn read_stored<'a, const K: usize>(
    frame: &LegacyFrame<'a>,
) -> Result<[PackedPlane<'a>; K], DecodeError> {
    let mut fields = frame.fields();
    let flags: [u8; K] = fields.array()?;
    let mut lengths = [0; K];
    for length in &mut lengths {
        *length = fields.number()?;
    }
    let mut planes = [const { PackedPlane { bytes: &[], compressed: false } }; K];
    for (index, ((plane, flag), length)) in planes.iter_mut().zip(flags).zip(lengths).enumerate() {
        if flag > 1 {
            return Err(error_in(DecodeErrorKind::InvalidIndex, index));
        }
        plane.bytes = fields.take(length).map_err(|kind| error_in(kind, index))?;
        plane.compressed = flag == 1;
    }
    Ok(planes)
}

/// Returns the maximum decompressed length of a plane in bytes.
///
/// This is the plane's share of `allowance`, the maximum decoded length of the frame, but at most
/// one byte more than the length of a plane that is not compressed.
fn most_in_plane<const K: usize>(stored: &[PackedPlane<'_>; K], allowance: u64) -> u64 {
    let share = allowance.div_ceil(K as u64);
    let plain = stored.iter().find(|plane| !plane.compressed);
    plain.map_or(share, |plane| share.min((plane.bytes.len() as u64).saturating_add(1)))
}

fn decompress<'a>(
    stored: &PackedPlane<'a>,
    frame: &LegacyFrame<'a>,
    most: u64,
    output: &mut Output<'_>,
) -> Result<Cow<'a, [u8]>, DecodeErrorKind> {
    if !stored.compressed {
        output.add_method("raw");
        return Ok(Cow::Borrowed(stored.bytes));
    }
    let codec = frame.codec()?;
    output.add_method(codec.name());
    match codec.decompress(stored.bytes, most)? {
        Some(plane) => Ok(Cow::Owned(plane)),
        // The frame exceeds the limits, or this plane is longer than the others permit.
        None => {
            let whole = most.saturating_add(1).saturating_mul(MAX_PLANES as u64);
            output.check(whole, frame.bytes.len())?;
            Err(DecodeErrorKind::InvalidLength)
        }
    }
}
