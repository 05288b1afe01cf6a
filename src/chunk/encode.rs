//! Encoding a chunk.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::method;
use crate::histogram::{self, SYMBOLS, StreamCounts};
use crate::huffman::STREAMS;
use crate::huffman::encode::{Coding, plan};
use crate::plane::{self, Layout, MAX_PLANES};

/// What an encoder needs besides input and output. Keep it from call to call: then only the first
/// of them allocates.
#[derive(Debug)]
pub struct EncodeScratch {
    counts: Box<StreamCounts>,
    planes: [PlaneSpace; MAX_PLANES],
}

/// Where a plane waits to be coded.
#[derive(Debug, Default)]
struct PlaneSpace {
    bytes: Vec<u8>,
    /// Whether the plane was worth coding in the last chunk: a guess at the next. Planes that stay
    /// raw are split straight into the output.
    was_coded: bool,
}

impl EncodeScratch {
    /// Scratch without space for planes.
    pub fn new() -> Self {
        Self { counts: Box::new([[0; SYMBOLS]; STREAMS]), planes: Default::default() }
    }
}

impl Default for EncodeScratch {
    fn default() -> Self {
        Self::new()
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
    layout: Layout,
    chunk: &[u8],
    threshold: f32,
    mut dst: [&mut [u8]; MAX_PLANES],
    scratch: &mut EncodeScratch,
) -> [Stored; MAX_PLANES] {
    for (plane, (space, dst)) in scratch.planes.iter_mut().zip(&mut dst).enumerate() {
        let len = if plane < layout.planes {
            layout.plane_len(chunk.len() as u64, plane) as usize
        } else {
            0
        };
        *dst = &mut core::mem::take(dst)[..len];
        if space.bytes.len() < len {
            space.bytes.resize(len, 0);
        }
    }
    let mut places = scratch.planes.iter_mut().zip(&mut dst);
    let targets = core::array::from_fn(|_| match places.next() {
        Some((space, dst)) if space.was_coded => &mut space.bytes[..dst.len()],
        Some((_, dst)) => &mut **dst,
        None => &mut [],
    });
    plane::split(layout, chunk, targets);
    let mut stored = [Stored::default(); MAX_PLANES];
    for ((stored, space), dst) in
        stored.iter_mut().zip(&mut scratch.planes).zip(dst).take(layout.planes)
    {
        *stored = space.encode(dst, threshold, &mut scratch.counts);
    }
    stored
}

impl PlaneSpace {
    /// Encodes the plane that is here or in `dst`, as `was_coded` says.
    fn encode(&mut self, dst: &mut [u8], threshold: f32, counts: &mut StreamCounts) -> Stored {
        let len = dst.len();
        let space = &mut self.bytes[..len];
        let was_here = self.was_coded;
        histogram::count(if was_here { space } else { dst }, counts);
        // A coded plane of its own length would be taken for a plain copy.
        let worth = |size| size < len && (size as f64) < len as f64 * f64::from(threshold);
        let stored_len = match plan(counts, len) {
            Coding::Repeat(byte) if worth(1) => {
                dst[0] = byte;
                1
            }
            Coding::Streams(plan) if worth(plan.size()) => {
                if !was_here {
                    space.copy_from_slice(dst);
                }
                plan.encode(space, &mut dst[..plan.size()]);
                plan.size()
            }
            _ => {
                if was_here {
                    dst.copy_from_slice(space);
                }
                self.was_coded = false;
                return Stored { method: method::RAW, len };
            }
        };
        self.was_coded = true;
        Stored { method: method::HUFFMAN, len: stored_len }
    }
}
