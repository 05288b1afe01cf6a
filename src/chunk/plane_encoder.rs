//! Encoding a plane of a chunk: whether to code it, and in which of two ways.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::entropy::histogram::{self, StreamCounts};
use crate::entropy::huffman::MAX_WRITTEN_PLANE;
use crate::entropy::huffman::code::Symbols;
use crate::entropy::huffman::encode::{Coding, Plan, plan};
use crate::entropy::huffman::pairs::{self, PAIRS, PairCodes, PairCounts, SPAN};
use crate::entropy::{STREAMS, SYMBOLS};
use crate::format::method;

/// How a plane came to be stored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stored {
    /// A code from [`method`].
    pub(crate) method: u8,
    pub(crate) len: usize,
}

/// Up to this threshold, what is noise or flat would not be coded anyway.
const NOISE_THRESHOLD: f32 = 0.95;

/// Below this length, tables of pairs cost more than they save.
const SHORTEST_IN_PAIRS: usize = 16 * 1024;

/// The tables that a plane is analysed and coded with.
pub(super) struct Tables {
    counts: Box<StreamCounts>,
    /// Made when they are first needed.
    pairs: Option<Box<PairTables>>,
}

struct PairTables {
    counts: PairCounts,
    codes: PairCodes,
}

impl Default for Tables {
    fn default() -> Self {
        Self { counts: Box::new([[0; SYMBOLS]; STREAMS]), pairs: None }
    }
}

impl Tables {
    fn pairs(&mut self) -> (&mut PairTables, &mut StreamCounts) {
        let pairs = self.pairs.get_or_insert_with(|| {
            Box::new(PairTables {
                counts: [[0; PAIRS]; STREAMS],
                codes: [Symbols::default(); PAIRS],
            })
        });
        (pairs, &mut self.counts)
    }
}

/// The same plane of one chunk after another.
#[derive(Default)]
pub(super) struct PlaneEncoder {
    /// Where the plane waits to be coded.
    space: Vec<u8>,
    /// Whether the plane was worth coding in the last chunk: a guess at the next. Planes that stay
    /// raw are split straight into the output.
    was_coded: bool,
}

/// How a plane is analysed.
#[derive(Clone, Copy)]
enum Way {
    /// Not at all: it is noise.
    Noise,
    /// Symbol by symbol.
    Symbols,
    /// Two symbols at a time, counted from this one on.
    Pairs(u8),
}

impl PlaneEncoder {
    /// Where the plane is to be split to: here if it is likely to be coded, otherwise to `dst`,
    /// where it is wanted. Planes that are too long to be coded need no space here.
    pub(super) fn target<'t>(&'t mut self, dst: &'t mut [u8]) -> &'t mut [u8] {
        if dst.len() > MAX_WRITTEN_PLANE {
            self.was_coded = false;
            return dst;
        }
        if self.space.len() < dst.len() {
            self.space.resize(dst.len(), 0);
        }
        if self.was_coded { &mut self.space[..dst.len()] } else { dst }
    }

    /// The plane, which is where [`Self::target`] said.
    #[cfg(feature = "zstd")]
    pub(super) fn plane<'p>(&'p self, dst: &'p [u8]) -> &'p [u8] {
        if self.was_coded { &self.space[..dst.len()] } else { dst }
    }

    /// Encodes the plane, which is where [`Self::target`] said, into `dst`.
    pub(super) fn encode(&mut self, dst: &mut [u8], threshold: f32, tables: &mut Tables) -> Stored {
        if dst.len() > MAX_WRITTEN_PLANE {
            return Stored { method: method::RAW, len: dst.len() };
        }
        let (way, coding) = self.plan(dst, threshold, tables);
        match coding {
            Coding::Raw => self.store_raw(dst, way),
            Coding::Repeat(byte) => {
                self.was_coded = true;
                dst[0] = byte;
                Stored { method: method::HUFFMAN, len: 1 }
            }
            Coding::Streams(plan) => {
                self.make_room(dst);
                let plane = &self.space[..dst.len()];
                way.store(&plan, plane, &mut dst[..plan.size()], tables);
                Stored { method: method::HUFFMAN, len: plan.size() }
            }
        }
    }

    /// Returns the length that [`Self::encode`] would store the plane in.
    pub(super) fn encoded_len(&mut self, dst: &[u8], threshold: f32, tables: &mut Tables) -> usize {
        if dst.len() > MAX_WRITTEN_PLANE {
            return dst.len();
        }
        let (_, coding) = self.plan(dst, threshold, tables);
        self.was_coded = !matches!(coding, Coding::Raw);
        match coding {
            Coding::Raw => dst.len(),
            Coding::Repeat(_) => 1,
            Coding::Streams(plan) => plan.size(),
        }
    }

    /// Decides how to store the plane, and packs it if it goes in pairs.
    #[inline]
    fn plan(&mut self, dst: &[u8], threshold: f32, tables: &mut Tables) -> (Way, Coding) {
        let plane = if self.was_coded { &self.space[..dst.len()] } else { dst };
        let way = Way::new(plane, threshold, self.was_coded);
        if let Way::Pairs(lowest) = way {
            self.make_room(dst);
            pairs::pack(&mut self.space[..dst.len()], lowest);
        }
        let plane = if self.was_coded { &self.space[..dst.len()] } else { dst };
        (way, worthwhile(way.plan(plane, threshold, tables), dst.len(), threshold))
    }

    /// Brings the plane here, out of the way of its code.
    fn make_room(&mut self, dst: &[u8]) {
        if !self.was_coded {
            self.space[..dst.len()].copy_from_slice(dst);
            self.was_coded = true;
        }
    }

    /// Leaves the plane in `dst` as it is, or brings it there.
    fn store_raw(&mut self, dst: &mut [u8], way: Way) -> Stored {
        let space = &self.space[..dst.len()];
        match way {
            Way::Pairs(lowest) => pairs::unpack(space, lowest, dst),
            Way::Noise | Way::Symbols if self.was_coded => dst.copy_from_slice(space),
            Way::Noise | Way::Symbols => {}
        }
        self.was_coded = false;
        Stored { method: method::RAW, len: dst.len() }
    }
}

impl Way {
    /// A narrow plane is never noise. So which is asked first makes no difference but to the time.
    fn new(plane: &[u8], threshold: f32, was_coded: bool) -> Self {
        let is_noise = || threshold <= NOISE_THRESHOLD && histogram::is_noise(plane);
        if !was_coded && is_noise() {
            return Self::Noise;
        }
        match lowest_of_narrow(plane) {
            Some(lowest) => Self::Pairs(lowest),
            None if was_coded && is_noise() => Self::Noise,
            None => Self::Symbols,
        }
    }

    /// Decides how to store the plane, which has been packed if it goes in pairs.
    fn plan(self, plane: &[u8], threshold: f32, tables: &mut Tables) -> Coding {
        match self {
            Self::Noise => return Coding::Raw,
            Self::Symbols => {
                histogram::count(plane, &mut tables.counts);
                if threshold <= NOISE_THRESHOLD && histogram::is_flat(&tables.counts, plane.len()) {
                    return Coding::Raw;
                }
            }
            Self::Pairs(lowest) => {
                let (pairs, counts) = tables.pairs();
                pairs::count(plane, lowest, &mut pairs.counts, counts);
            }
        }
        plan(&tables.counts, plane.len())
    }

    /// Codes the plane as planned.
    fn store(self, plan: &Plan, plane: &[u8], dst: &mut [u8], tables: &mut Tables) {
        match self {
            Self::Noise | Self::Symbols => plan.encode(plane, dst),
            Self::Pairs(lowest) => {
                plan.encode_pairs(plane, lowest, &mut tables.pairs().0.codes, dst);
            }
        }
    }
}

/// The lowest symbol of a plane whose symbols can be coded in pairs.
fn lowest_of_narrow(plane: &[u8]) -> Option<u8> {
    if plane.len() < SHORTEST_IN_PAIRS || !plane.len().is_multiple_of(pairs::ALIGNMENT) {
        return None;
    }
    let (lowest, highest) = histogram::range(plane);
    (usize::from(highest - lowest) < SPAN).then_some(lowest)
}

/// A coding that takes less than `threshold` of the plane's length, or none.
fn worthwhile(coding: Coding, plane_len: usize, threshold: f32) -> Coding {
    let size = match &coding {
        Coding::Raw => return coding,
        Coding::Repeat(_) => 1,
        Coding::Streams(plan) => plan.size(),
    };
    // A coded plane of its own length would be taken for a plain copy.
    let is_worth = size < plane_len && (size as f64) < plane_len as f64 * f64::from(threshold);
    if is_worth { coding } else { Coding::Raw }
}
