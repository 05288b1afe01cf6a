//! Encoding a chunk.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::method;
use crate::histogram::{self, StreamCounts};
use crate::huffman::encode::{Coding, Symbols, plan};
use crate::huffman::pairs::{self, PAIRS, PairCodes, PairCounts, SPAN};
use crate::huffman::{MAX_WRITTEN_PLANE, STREAMS, SYMBOLS};
use crate::plane::{self, Layout, MAX_PLANES};

/// What an encoder needs besides input and output. Keep it from call to call: then only the first
/// of them allocates.
#[derive(Debug)]
pub struct EncodeScratch {
    planes: [PlaneSpace; MAX_PLANES],
    tables: Tables,
}

/// The tables that a plane is analysed and coded with.
#[derive(Debug)]
struct Tables {
    counts: Box<StreamCounts>,
    pair_counts: Box<PairCounts>,
    pair_codes: Box<PairCodes>,
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
        let tables = Tables {
            counts: Box::new([[0; SYMBOLS]; STREAMS]),
            pair_counts: Box::new([[0; PAIRS]; STREAMS]),
            pair_codes: Box::new([Symbols::default(); PAIRS]),
        };
        Self { planes: Default::default(), tables }
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
        *stored = space.encode(dst, threshold, &mut scratch.tables);
    }
    stored
}

impl PlaneSpace {
    /// Encodes the plane that is here or in `dst`, as `was_coded` says.
    fn encode(&mut self, dst: &mut [u8], threshold: f32, tables: &mut Tables) -> Stored {
        let space = &mut self.bytes[..dst.len()];
        let stored_len = encode_plane(space, dst, self.was_coded, threshold, tables);
        self.was_coded = stored_len.is_some();
        match stored_len {
            Some(len) => Stored { method: method::HUFFMAN, len },
            None => Stored { method: method::RAW, len: dst.len() },
        }
    }
}

/// Encodes a plane that is in `space` or in `dst` into `dst` and returns the length of its code, or
/// leaves it there as it is, where a code is not worth it.
fn encode_plane(
    space: &mut [u8],
    dst: &mut [u8],
    is_in_space: bool,
    threshold: f32,
    tables: &mut Tables,
) -> Option<usize> {
    let len = dst.len();
    // A coded plane of its own length would be taken for a plain copy.
    let worth = |size| size < len && (size as f64) < len as f64 * f64::from(threshold);
    let plane = if is_in_space { &*space } else { &*dst };
    let is_noise = || threshold <= NOISE_THRESHOLD && histogram::is_noise(plane);
    // A narrow plane is never noise: which is asked first makes no difference but to the time.
    let (lowest, is_noise) = if is_in_space {
        let lowest = narrow(plane);
        (lowest, lowest.is_none() && is_noise())
    } else if is_noise() {
        (None, true)
    } else {
        (narrow(plane), false)
    };
    let coding = match lowest {
        _ if is_noise => Coding::Raw,
        Some(lowest) => {
            if !is_in_space {
                space.copy_from_slice(dst);
            }
            pairs::pack(space, lowest);
            pairs::count(space, lowest, &mut tables.pair_counts, &mut tables.counts);
            plan(&tables.counts, space.len())
        }
        None => {
            histogram::count(plane, &mut tables.counts);
            plan(&tables.counts, plane.len())
        }
    };
    match (coding, lowest) {
        (Coding::Repeat(byte), _) if worth(1) => {
            dst[0] = byte;
            Some(1)
        }
        (Coding::Streams(plan), Some(lowest)) if worth(plan.size()) => {
            let dst = &mut dst[..plan.size()];
            plan.encode_pairs(space, lowest, &mut tables.pair_codes, dst);
            Some(plan.size())
        }
        (Coding::Streams(plan), None) if worth(plan.size()) => {
            if !is_in_space {
                space.copy_from_slice(dst);
            }
            plan.encode(space, &mut dst[..plan.size()]);
            Some(plan.size())
        }
        (_, lowest) => {
            match lowest {
                Some(lowest) => pairs::unpack(space, lowest, dst),
                _ if is_in_space => dst.copy_from_slice(space),
                _ => {}
            }
            None
        }
    }
}

/// Up to this threshold, what a sample takes for noise would not be coded anyway.
const NOISE_THRESHOLD: f32 = 0.95;

/// Below this length, tables of pairs cost more than they save.
const SHORTEST_IN_PAIRS: usize = 16 * 1024;

/// The lowest symbol of a plane whose symbols can be coded in pairs.
fn narrow(plane: &[u8]) -> Option<u8> {
    let is_worth_tables = (SHORTEST_IN_PAIRS..=MAX_WRITTEN_PLANE).contains(&plane.len());
    if !is_worth_tables || !plane.len().is_multiple_of(pairs::ALIGNMENT) {
        return None;
    }
    let (lowest, highest) = histogram::range(plane);
    (usize::from(highest - lowest) < SPAN).then_some(lowest)
}
