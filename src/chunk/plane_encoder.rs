//! Encodes a plane of a chunk. Decides whether to code it, and whether to code pairs of symbols.

use alloc::boxed::Box;
use alloc::vec::Vec;

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use fearless_simd::x86::Avx512;

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::count_avx512;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::count_shuffle::{self, Way};
use crate::entropy::histogram::{self, StreamCounts};
use crate::entropy::huffman::MAX_WRITTEN_PLANE;
use crate::entropy::huffman::code::Codeword;
use crate::entropy::huffman::encode::{Coding, Plan, plan};
use crate::entropy::huffman::pair_table::PairTable;
use crate::entropy::huffman::pairs::{self, PAIRS, PairCodewords, PairCounts, SPAN};
use crate::entropy::pivot::encode as pivot;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::sample::Frequent;
use crate::entropy::sample::Sample;
use crate::entropy::{STREAMS, SYMBOLS};
use crate::format::method;
use crate::prefetch::Ahead;
use crate::profile::PlaneCoding;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::simd::Kernels;

/// Method and length of a stored plane.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stored {
    /// A code from [`method`].
    pub(crate) method: u8,
    pub(crate) len: usize,
}

/// Largest threshold at which a plane of noise is certain to be stored raw.
const NOISE_THRESHOLD: f32 = 0.95;

/// Shortest plane, in bytes, for which tables of pairs save more time than they cost.
const SHORTEST_IN_PAIRS: usize = 16 * 1024;

/// Shortest plane, in bytes, for which counting in vectors saves more time than its preparation
/// costs.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
const SHORTEST_IN_VECTORS: usize = 6 * 1024;

/// Tables for analysing and encoding planes.
pub(super) struct Tables {
    counts: Box<StreamCounts>,
    /// Created on first use.
    pairs: Option<Box<PairTables>>,
    /// Created on first use.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    vectors: Option<Box<count_avx512::Space>>,
    pub(super) pair_table: PairTable,
    /// Memory for the arrays of pivot codes.
    arrays: Vec<u8>,
}

struct PairTables {
    counts: PairCounts,
    codes: PairCodewords,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            counts: Box::new([[0; SYMBOLS]; STREAMS]),
            pairs: None,
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            vectors: None,
            pair_table: PairTable::default(),
            arrays: Vec::new(),
        }
    }
}

impl Tables {
    fn pairs(&mut self) -> (&mut PairTables, &mut StreamCounts) {
        let pairs = self.pairs.get_or_insert_with(|| {
            Box::new(PairTables {
                counts: [[0; PAIRS]; STREAMS],
                codes: [Codeword::default(); PAIRS],
            })
        });
        (pairs, &mut self.counts)
    }
}

/// Encodes the same plane of successive chunks.
#[derive(Default)]
pub(super) struct PlaneEncoder {
    /// Memory for a plane that is likely to be coded.
    space: Vec<u8>,
    /// Whether the plane is in `space`: set if the plane of the last chunk was coded, which
    /// predicts that the next plane will be coded too.
    ///
    /// Planes that are likely to stay raw are split directly into the output.
    was_coded: bool,
}

/// The analysis of a plane.
#[derive(Clone, Copy)]
enum Analysis {
    /// Skip the analysis, because the plane is noise.
    Noise,
    /// Skip the analysis, because the plane consists of this symbol.
    Repeat(u8),
    /// Count symbol by symbol.
    Symbols,
    /// Count pairs of symbols, relative to this lowest symbol.
    Pairs(u8),
    /// Count the frequent symbols in vectors.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    Vectors(Avx512, Frequent),
    /// Count with shuffles.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    Shuffles(Kernels, Way),
}

impl PlaneEncoder {
    /// Returns the memory to split the next plane into: `dst` if the plane is likely to stay raw.
    ///
    /// A plane that is likely to be coded goes to `self.space`, and [`Self::encode`] encodes it
    /// from there into `dst`.
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

    /// Returns whether [`Self::target`] is memory of the encoder.
    pub(super) fn uses_space(&self) -> bool {
        self.was_coded
    }

    /// Returns the plane, which has been split into [`Self::target`].
    pub(super) fn plane<'p>(&'p self, dst: &'p [u8]) -> &'p [u8] {
        if self.was_coded { &self.space[..dst.len()] } else { dst }
    }

    /// Encodes the plane, which has been split into [`Self::target`], into `dst`.
    pub(super) fn encode(
        &mut self,
        dst: &mut [u8],
        coding: PlaneCoding,
        tables: &mut Tables,
        ahead: &mut Ahead<'_>,
    ) -> Stored {
        if dst.len() > MAX_WRITTEN_PLANE {
            return Stored { method: method::RAW, len: dst.len() };
        }
        let (analysis, planned) = self.plan(dst, coding, tables);
        match planned {
            Coding::Raw => self.store_raw(dst, analysis),
            Coding::Repeat(byte) => {
                self.was_coded = true;
                dst[0] = byte;
                Stored { method: method::HUFFMAN, len: 1 }
            }
            Coding::Streams(plan) => {
                self.make_room(dst);
                let plane = &self.space[..dst.len()];
                if let Some(plan) = pivot_plan(&plan, dst.len(), coding, tables) {
                    plan.encode(plane, &mut dst[..plan.size()], &mut tables.arrays);
                    return Stored { method: method::PIVOT, len: plan.size() };
                }
                analysis.store(&plan, plane, &mut dst[..plan.size()], tables, ahead);
                Stored { method: method::HUFFMAN, len: plan.size() }
            }
        }
    }

    /// Encodes a plane that is not in [`Self::target`] into `dst`, which is as long.
    pub(super) fn encode_from(
        &mut self,
        plane: &[u8],
        dst: &mut [u8],
        coding: PlaneCoding,
        tables: &mut Tables,
        ahead: &mut Ahead<'_>,
    ) -> Stored {
        let threshold = coding.threshold;
        let analysis = (plane.len() <= MAX_WRITTEN_PLANE)
            .then(|| Analysis::new(plane, threshold, self.was_coded))
            .filter(|analysis| !matches!(analysis, Analysis::Pairs(_)));
        let Some(analysis) = analysis else {
            self.target(dst).copy_from_slice(plane);
            return self.encode(dst, coding, tables, ahead);
        };
        let coding = worthwhile(analysis.plan(plane, threshold, tables), plane.len(), threshold);
        self.was_coded = !matches!(coding, Coding::Raw);
        match coding {
            Coding::Raw => {
                dst.copy_from_slice(plane);
                Stored { method: method::RAW, len: plane.len() }
            }
            Coding::Repeat(byte) => {
                dst[0] = byte;
                Stored { method: method::HUFFMAN, len: 1 }
            }
            Coding::Streams(plan) => {
                analysis.store(&plan, plane, &mut dst[..plan.size()], tables, ahead);
                Stored { method: method::HUFFMAN, len: plan.size() }
            }
        }
    }

    /// Returns the number of bytes in which [`Self::encode`] would store the plane.
    pub(super) fn encoded_len(
        &mut self,
        dst: &[u8],
        coding: PlaneCoding,
        tables: &mut Tables,
    ) -> usize {
        if dst.len() > MAX_WRITTEN_PLANE {
            return dst.len();
        }
        let (_, planned) = self.plan(dst, coding, tables);
        self.was_coded = !matches!(planned, Coding::Raw);
        match planned {
            Coding::Raw => dst.len(),
            Coding::Repeat(_) => 1,
            Coding::Streams(plan) => pivot_plan(&plan, dst.len(), coding, tables)
                .map_or(plan.size(), |pivot| pivot.size()),
        }
    }

    /// Decides how to store the plane, and packs it if it is analysed in pairs.
    #[inline]
    fn plan(&mut self, dst: &[u8], coding: PlaneCoding, tables: &mut Tables) -> (Analysis, Coding) {
        let threshold = coding.threshold;
        let plane = self.plane(dst);
        if coding.profile.is_max() && Sample::finds_uniform(plane) {
            return (Analysis::Noise, Coding::Raw);
        }
        let analysis = match Analysis::new(plane, threshold, self.was_coded) {
            // Pivot codes are of single symbols.
            Analysis::Pairs(_) if coding.allows_pivot() => Analysis::of_symbols(plane),
            analysis => analysis,
        };
        if let Analysis::Pairs(lowest) = analysis {
            self.make_room(dst);
            pairs::pack(&mut self.space[..dst.len()], lowest);
        }
        let plane = self.plane(dst);
        let planned = analysis.plan(plane, threshold, tables);
        (analysis, worthwhile(planned, dst.len(), threshold))
    }

    /// Copies the plane from `dst` to `self.space`, unless it is there already.
    fn make_room(&mut self, dst: &[u8]) {
        if !self.was_coded {
            self.space[..dst.len()].copy_from_slice(dst);
            self.was_coded = true;
        }
    }

    /// Stores the plane in `dst` unchanged.
    fn store_raw(&mut self, dst: &mut [u8], analysis: Analysis) -> Stored {
        let space = &self.space[..dst.len()];
        match analysis {
            Analysis::Pairs(lowest) => pairs::unpack(space, lowest, dst),
            _ if self.was_coded => dst.copy_from_slice(space),
            _ => {}
        }
        self.was_coded = false;
        Stored { method: method::RAW, len: dst.len() }
    }
}

impl Analysis {
    /// Chooses the analysis of a plane.
    ///
    /// A plane with few values is never noise, so the order of the checks affects only the time.
    fn new(plane: &[u8], threshold: f32, was_coded: bool) -> Self {
        let may_be_noise = threshold <= NOISE_THRESHOLD;
        #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
        if plane.len() >= SHORTEST_IN_VECTORS {
            let kernels = Kernels::new();
            if let Kernels::Avx512(..) | Kernels::Avx2(_) = kernels {
                // AVX-512 counts symbols fast that are not in the sample.
                let half_suffices = matches!(kernels, Kernels::Avx512(..));
                let sample = match may_be_noise {
                    true => Sample::unless_noise(plane, half_suffices),
                    false => Some(Sample::new(plane)),
                };
                let Some(sample) = sample else { return Self::Noise };
                if let Some(symbol) = sample.only_symbol().filter(|&symbol| is_all(plane, symbol)) {
                    return Self::Repeat(symbol);
                }
                return Self::in_vectors(kernels, &sample, plane.len()).unwrap_or(Self::Symbols);
            }
        }
        let is_noise = || may_be_noise && Sample::finds_noise(plane);
        if !was_coded && is_noise() {
            return Self::Noise;
        }
        match narrow_range(plane) {
            Some((lowest, highest)) if lowest == highest => Self::Repeat(lowest),
            Some((lowest, _)) => Self::Pairs(lowest),
            None if was_coded && is_noise() => Self::Noise,
            None => Self::of_symbols(plane),
        }
    }

    /// Chooses the analysis of a plane that is not counted in pairs.
    #[allow(unused_variables, reason = "only dispatch looks at the plane")]
    fn of_symbols(plane: &[u8]) -> Self {
        #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
        if let (kernels @ Kernels::Sse4_2(_), SHORTEST_IN_VECTORS..) = (Kernels::new(), plane.len())
        {
            return Self::in_vectors(kernels, &Sample::new(plane), plane.len())
                .unwrap_or(Self::Symbols);
        }
        Self::Symbols
    }

    /// Returns the analysis in vectors, if that is faster than counting symbol by symbol.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    fn in_vectors(kernels: Kernels, sample: &Sample, plane_len: usize) -> Option<Self> {
        match kernels {
            Kernels::Avx512(token, _) => Some(Self::Vectors(token, Frequent::of(sample)?)),
            _ => Some(Self::Shuffles(kernels, Way::of(sample, plane_len)?)),
        }
    }

    /// Plans how to store the plane. For an analysis in pairs, the plane is packed.
    fn plan(self, plane: &[u8], threshold: f32, tables: &mut Tables) -> Coding {
        match self {
            Self::Noise => return Coding::Raw,
            Self::Repeat(symbol) => return Coding::Repeat(symbol),
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
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Self::Vectors(token, frequent) => {
                let space = tables.vectors.get_or_insert_default();
                count_avx512::count(token, plane, &frequent, space, &mut tables.counts);
            }
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Self::Shuffles(kernels, way) => {
                let (pairs, counts) = tables.pairs();
                count_shuffle::count(kernels, plane, &way, &mut pairs.counts, counts);
            }
        }
        plan(&tables.counts, plane.len())
    }

    /// Encodes the plane as planned.
    fn store(
        self,
        plan: &Plan,
        plane: &[u8],
        dst: &mut [u8],
        tables: &mut Tables,
        ahead: &mut Ahead<'_>,
    ) {
        match self {
            Self::Pairs(lowest) => {
                plan.encode_pairs(plane, lowest, &mut tables.pairs().0.codes, dst);
            }
            _ => plan.encode(plane, dst, &mut tables.pair_table, ahead),
        }
    }
}

/// Plans a pivot code instead of Huffman codes, if it is allowed and not much larger.
fn pivot_plan<'p>(
    plan: &'p Plan,
    plane_len: usize,
    coding: PlaneCoding,
    tables: &Tables,
) -> Option<pivot::Plan<'p>> {
    /// Part of the size that a code which decodes faster may cost.
    const COST: usize = 2000;
    if !coding.allows_pivot() {
        return None;
    }
    let pivot = pivot::Plan::new(plan.code(), plan.description(), &tables.counts);
    let most = match coding.profile.is_max() {
        true => plan.size().saturating_sub(1),
        false => plan.size() + plan.size() / COST,
    };
    let most = most.min(plane_len - 1);
    (pivot.size() <= most).then_some(pivot)
}

/// Returns whether a plane consists of one symbol.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
fn is_all(plane: &[u8], symbol: u8) -> bool {
    /// Number of symbols that are compared without a branch.
    const BLOCK: usize = 4096;
    let others = |block: &[u8]| block.iter().fold(0, |others, &other| others | (other ^ symbol));
    plane.chunks(BLOCK).all(|block| others(block) == 0)
}

/// Returns the lowest and the highest symbol of a plane that can be encoded in pairs, otherwise
/// `None`.
fn narrow_range(plane: &[u8]) -> Option<(u8, u8)> {
    if plane.len() < SHORTEST_IN_PAIRS || !plane.len().is_multiple_of(pairs::ALIGNMENT) {
        return None;
    }
    let (lowest, highest) = histogram::range(plane);
    (usize::from(highest - lowest) < SPAN).then_some((lowest, highest))
}

/// Returns the coding if it is shorter than `threshold` times the plane, otherwise `Raw`.
fn worthwhile(coding: Coding, plane_len: usize, threshold: f32) -> Coding {
    let size = match &coding {
        Coding::Raw => return coding,
        Coding::Repeat(_) => 1,
        Coding::Streams(plan) => plan.size(),
    };
    // Readers take a coded plane with the length of the plane for raw bytes.
    let is_worth = size < plane_len && (size as f64) < plane_len as f64 * f64::from(threshold);
    if is_worth { coding } else { Coding::Raw }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::profile::{PlaneCode, Profile};

    fn stored(plane: &[u8], is_coded: bool) -> Stored {
        let mut encoder = PlaneEncoder { was_coded: is_coded, ..Default::default() };
        let mut dst = vec![0; plane.len()];
        encoder.target(&mut dst).copy_from_slice(plane);
        let coding = PlaneCoding::new(0.95, Profile::Original, PlaneCode::default());
        encoder.encode(&mut dst, coding, &mut Tables::default(), &mut Ahead::default())
    }

    #[test]
    fn only_planes_of_one_symbol_become_that_symbol() {
        for len in [2, 1000, 16 * 1024, 70_000, 128 * 1024] {
            for is_coded in [false, true] {
                let mut plane = vec![7; len];
                assert_eq!(stored(&plane, is_coded).len, 1, "{len}");
                // Samples miss most symbols.
                for at in [len / 2 + 40, len - 1, 0].into_iter().filter(|&at| at < len) {
                    plane[at] = 8;
                    assert!(stored(&plane, is_coded).len > 1, "{len}, {at}");
                    plane[at] = 7;
                }
            }
        }
    }
}
