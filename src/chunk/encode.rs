//! Encoding a chunk.

use super::plane_encoder::{PlaneEncoder, Tables};
use crate::layout::FrameLayout;
use crate::plane::{self, MAX_PLANES};

/// What an encoder needs besides input and output. Keep it from call to call: then only the first
/// of them allocates.
#[derive(Default)]
pub struct EncodeScratch {
    planes: [PlaneEncoder; MAX_PLANES],
    /// Of the chunks of the frame that is being written.
    pub(crate) checksums: alloc::vec::Vec<u64>,
    tables: Tables,
}

impl core::fmt::Debug for EncodeScratch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EncodeScratch").finish_non_exhaustive()
    }
}

impl EncodeScratch {
    /// Scratch that has allocated nothing but a small table.
    pub fn new() -> Self {
        Self::default()
    }
}

/// How a plane came to be stored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stored {
    /// A code from [`method`].
    pub(crate) method: u8,
    pub(crate) len: usize,
}

/// Encodes a chunk. Each of `dst` has at least the length of its plane. A plane is coded if that
/// takes less than `threshold` of its length.
pub(crate) fn encode(
    layout: FrameLayout,
    chunk: &[u8],
    threshold: f32,
    mut dst: [&mut [u8]; MAX_PLANES],
    scratch: &mut EncodeScratch,
) -> [Stored; MAX_PLANES] {
    for (plane, dst) in dst.iter_mut().enumerate() {
        let len = match plane < layout.planes {
            true => layout.plane_len(chunk.len() as u64, plane) as usize,
            false => 0,
        };
        *dst = &mut core::mem::take(dst)[..len];
    }
    let mut places = scratch.planes.iter_mut().zip(&mut dst);
    let targets = core::array::from_fn(|_| {
        places.next().map(|(plane, dst)| plane.target(dst)).unwrap_or_default()
    });
    plane::split(layout, chunk, targets);
    let mut stored = [Stored::default(); MAX_PLANES];
    let planes = stored.iter_mut().zip(&mut scratch.planes).zip(dst);
    for ((stored, plane), dst) in planes.take(layout.planes) {
        *stored = plane.encode(dst, threshold, &mut scratch.tables);
    }
    stored
}
