//! Encodes chunks.

use alloc::vec::Vec;

use crate::chunk::plane_encoder::{PlaneEncoder, Stored, Tables};
#[cfg(feature = "zstd")]
use crate::chunk::zstd;
use crate::format::method;
use crate::model::difference::encode::DifferenceEncoder;
use crate::model::records::MAX_PARTS;
use crate::model::scales::encode::ScalesEncoder;
use crate::plane::{self, MAX_PLANES};
use crate::plane_layout::PlaneLayout;
use crate::prefetch::Ahead;
use crate::profile::PlaneCoding;

/// Memory that encoding needs besides input and output.
///
/// Reuse it from call to call: it allocates when a call needs more memory than the calls before.
#[derive(Default)]
pub struct EncodeScratch {
    planes: [PlaneEncoder; MAX_PLANES],
    pub(crate) frame: FrameMemory,
    tables: Tables,
    #[cfg(feature = "zstd")]
    zstd: zstd::Encoder,
    pub(crate) difference: DifferenceMemory,
    pub(crate) records: RecordsMemory,
    pub(super) scales: ScalesEncoder,
}

/// Memory for encoding differences.
#[derive(Default)]
pub(crate) struct DifferenceMemory {
    pub(crate) encoder: DifferenceEncoder,
    /// The code of a chunk.
    pub(crate) code: Vec<u8>,
    /// A part of a chunk, and of its exclusive or with the base.
    pub(crate) samples: [Vec<u8>; 2],
    /// Space for coded samples.
    pub(crate) space: Vec<u8>,
}

/// Memory for encoding records.
#[derive(Default)]
pub(crate) struct RecordsMemory {
    pub(super) encoders: [PlaneEncoder; MAX_PARTS],
    /// The parts of a chunk, one after another.
    pub(super) parts: Vec<u8>,
    /// The stored form of a chunk.
    pub(super) stored: Vec<u8>,
}

/// Memory for writing frames, kept together with the memory for their chunks.
#[derive(Default)]
pub(crate) struct FrameMemory {
    /// Checksums of the chunks of a frame.
    pub(crate) checksums: Vec<u64>,
    /// Header, shape and index of a frame that is appended to a growing output.
    pub(crate) prefix: Vec<u8>,
    /// Coded planes whose place in the output is not known yet.
    pub(crate) planes: [Vec<u8>; MAX_PLANES],
    /// A frame that may be too long for its output.
    pub(crate) whole: Vec<u8>,
    /// Parts of the data, from which the length of a frame is estimated.
    pub(crate) sample: Vec<u8>,
}

impl core::fmt::Debug for EncodeScratch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EncodeScratch").finish_non_exhaustive()
    }
}

impl EncodeScratch {
    /// Creates scratch memory. Initially it allocates only a small table.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The memory that encoding the next chunk will use, which is prefetched meanwhile.
#[derive(Clone, Copy, Default)]
pub(crate) struct NextChunk<'a> {
    /// The bytes of the chunk.
    pub(crate) bytes: &'a [u8],
    /// Memory that begins with the place of each of its planes, where this chunk's plane stays raw.
    pub(crate) places: [&'a [u8]; MAX_PLANES],
}

impl<'a> NextChunk<'a> {
    /// Returns the chunk at an offset of the data, which has at most `chunk_len` bytes.
    pub(crate) fn at(offset: usize, data: &'a [u8], chunk_len: usize) -> Self {
        let bytes = data.get(offset..).unwrap_or_default();
        Self { bytes: &bytes[..bytes.len().min(chunk_len)], places: Default::default() }
    }

    /// Returns the memory that splitting the chunk will use.
    fn ahead(self, planes: &[PlaneEncoder; MAX_PLANES]) -> Ahead<'a> {
        let mut ahead = Ahead::default();
        ahead.add(self.bytes);
        for (place, plane) in self.places.into_iter().zip(planes) {
            if !plane.uses_space() {
                ahead.add(place);
            }
        }
        ahead
    }
}

/// Encodes a part of records like a plane.
pub(super) fn encode_part(
    encoder: &mut PlaneEncoder,
    part: &[u8],
    dst: &mut [u8],
    coding: PlaneCoding,
    scratch: &mut EncodeScratch,
) -> Stored {
    encoder.target(dst).copy_from_slice(part);
    #[cfg(feature = "zstd")]
    return encode_extended(
        encoder,
        dst,
        coding,
        &mut scratch.tables,
        &mut scratch.zstd,
        &mut Ahead::default(),
    );
    #[cfg(not(feature = "zstd"))]
    encoder.encode(dst, coding, &mut scratch.tables, &mut Ahead::default())
}

/// Encodes a chunk, each plane into its own part of `dst`.
///
/// Each slice of `dst` is at least as long as its plane.
pub(crate) fn encode(
    layout: PlaneLayout,
    chunk: &[u8],
    coding: PlaneCoding,
    mut dst: [&mut [u8]; MAX_PLANES],
    scratch: &mut EncodeScratch,
    next: NextChunk<'_>,
) -> [Stored; MAX_PLANES] {
    for (plane, dst) in dst.iter_mut().enumerate() {
        let len = match plane < layout.planes {
            true => layout.plane_len(chunk.len() as u64, plane) as usize,
            false => 0,
        };
        *dst = &mut core::mem::take(dst)[..len];
    }
    let mut ahead = next.ahead(&scratch.planes);
    let mut stored = [Stored::default(); MAX_PLANES];
    if layout.planes == 1 && !coding.profile.is_extended() {
        let ([plane, ..], [dst, ..]) = (&mut scratch.planes, dst);
        stored[0] = plane.encode_from(chunk, dst, coding, &mut scratch.tables, &mut ahead);
        return stored;
    }
    split_planes(layout, chunk, &mut dst, &mut scratch.planes);
    let planes = stored.iter_mut().zip(&mut scratch.planes).zip(dst);
    for ((stored, plane), dst) in planes.take(layout.planes) {
        *stored = match coding.profile.is_extended() {
            #[cfg(feature = "zstd")]
            true => encode_extended(
                plane,
                dst,
                coding,
                &mut scratch.tables,
                &mut scratch.zstd,
                &mut ahead,
            ),
            _ => plane.encode(dst, coding, &mut scratch.tables, &mut ahead),
        };
    }
    stored
}

/// Returns the number of bytes in which [`encode`] would store a chunk.
///
/// `space` is at least as long as the chunk.
pub(crate) fn encoded_len(
    layout: PlaneLayout,
    chunk: &[u8],
    coding: PlaneCoding,
    mut space: &mut [u8],
    scratch: &mut EncodeScratch,
) -> usize {
    let mut dst = <[&mut [u8]; MAX_PLANES]>::default();
    for (plane, dst) in dst[..layout.planes].iter_mut().enumerate() {
        let len = layout.plane_len(chunk.len() as u64, plane) as usize;
        (*dst, space) = space.split_at_mut(len);
    }
    split_planes(layout, chunk, &mut dst, &mut scratch.planes);
    let EncodeScratch { planes, tables, .. } = scratch;
    let planes = planes.iter_mut().zip(dst).take(layout.planes);
    planes
        .map(|(plane, dst)| match coding.profile.is_extended() {
            #[cfg(feature = "zstd")]
            true => extended_len(plane, dst, coding, tables, &mut scratch.zstd),
            _ => plane.encoded_len(dst, coding, tables),
        })
        .sum()
}

/// Stores the code of a whole chunk, of which there are two parts, in its planes, one after another.
/// It is not longer than they are.
pub(super) fn store_code(
    mut code: [&[u8]; 2],
    method: u8,
    dst: [&mut [u8]; MAX_PLANES],
) -> [Stored; MAX_PLANES] {
    dst.map(|plane| {
        let mut len = 0;
        for part in &mut code {
            let (stored, rest) = part.split_at(part.len().min(plane.len() - len));
            plane[len..][..stored.len()].copy_from_slice(stored);
            (*part, len) = (rest, len + stored.len());
        }
        Stored { method, len }
    })
}

/// Splits a chunk into planes, each into the memory of its encoder or into the output.
#[inline]
fn split_planes(
    layout: PlaneLayout,
    chunk: &[u8],
    dst: &mut [&mut [u8]; MAX_PLANES],
    planes: &mut [PlaneEncoder; MAX_PLANES],
) {
    let mut places = planes.iter_mut().zip(dst);
    let targets = core::array::from_fn(|_| {
        places.next().map(|(plane, dst)| plane.target(dst)).unwrap_or_default()
    });
    plane::split(layout, chunk, targets);
}

/// Encodes a plane, as a Zstandard frame if that is clearly smaller.
#[cfg(feature = "zstd")]
fn encode_extended(
    plane: &mut PlaneEncoder,
    dst: &mut [u8],
    coding: PlaneCoding,
    tables: &mut Tables,
    zstd: &mut zstd::Encoder,
    ahead: &mut Ahead<'_>,
) -> Stored {
    let frame = zstd_frame(plane, dst, coding, tables, zstd);
    let stored = match is_smallest(frame, dst, coding) {
        true => Stored { method: method::RAW, len: dst.len() },
        false => plane.encode(dst, coding, tables, ahead),
    };
    match frame {
        Some(frame) if is_smaller(frame.len(), stored.len, coding) => {
            dst[..frame.len()].copy_from_slice(frame);
            Stored { method: method::ZSTD, len: frame.len() }
        }
        _ => stored,
    }
}

/// Returns the number of bytes in which [`encode_extended`] would store a plane.
#[cfg(feature = "zstd")]
fn extended_len(
    plane: &mut PlaneEncoder,
    dst: &[u8],
    coding: PlaneCoding,
    tables: &mut Tables,
    zstd: &mut zstd::Encoder,
) -> usize {
    let frame = zstd_frame(plane, dst, coding, tables, zstd);
    let len = match is_smallest(frame, dst, coding) {
        true => dst.len(),
        false => plane.encoded_len(dst, coding, tables),
    };
    let frame_len = frame.map(<[u8]>::len).filter(|&frame| is_smaller(frame, len, coding));
    frame_len.unwrap_or(len)
}

/// Returns the Zstandard frame of a plane if that is small enough.
#[cfg(feature = "zstd")]
fn zstd_frame<'z>(
    plane: &PlaneEncoder,
    dst: &[u8],
    coding: PlaneCoding,
    tables: &mut Tables,
    zstd: &'z mut zstd::Encoder,
) -> Option<&'z [u8]> {
    let most = (dst.len() as f64 * f64::from(coding.threshold)) as usize;
    zstd.encode(plane.plane(dst), &mut tables.pair_table)
        .filter(|frame| frame.len() < most.min(dst.len()))
}

/// Returns whether no other code of a plane is as small as a Zstandard frame.
#[cfg(feature = "zstd")]
fn is_smallest(frame: Option<&[u8]>, plane: &[u8], coding: PlaneCoding) -> bool {
    // Other codes take at least one bit per symbol.
    frame.is_some_and(|frame| is_smaller(frame.len(), plane.len() / 8, coding))
}

/// Returns whether a Zstandard frame is so much smaller that it is worth the time of readers.
#[cfg(feature = "zstd")]
fn is_smaller(frame_len: usize, other_len: usize, coding: PlaneCoding) -> bool {
    let margin = if coding.profile.is_max() { 0 } else { other_len / 8 };
    frame_len <= other_len - margin
}
