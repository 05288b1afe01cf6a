//! Which layout makes data smallest, judged by samples.
//!
//! Frames cost little and samples less: for data whose type is known, [`layout`] finds out where it
//! is stored as something else than it claims, 16-bit numbers in a tensor of bytes for example. For
//! data of which nothing is known, [`segments`] finds the layout of every part, and where its
//! elements begin.
//!
//! What a plane takes is estimated by the entropy of its bytes, with what a prefix code cannot do:
//! no symbol takes less than a bit, and a plane that hardly shrinks is stored as it is. The entropy
//! of a sample is lower than that of its source; the correction is that of Miller, "Note on the bias
//! of information estimates", in "Information Theory in Psychology", 1955, for as many symbols as
//! there are by the estimate of Chao, "Nonparametric estimation of the number of classes in a
//! population", Scandinavian Journal of Statistics 11, 1984.

use alloc::vec::Vec;
use core::ops::Range;

use crate::plane_layout::PlaneLayout;

/// Bytes of a word: the longest element that a layout has.
const WORD: usize = 4;
/// Bytes of a run, as which samples are taken.
const RUN: usize = 256;
/// Runs of a sample.
const RUNS: usize = 8;
/// Bytes of data for which a sample stands, as the codes of a chunk do.
const SEGMENT: usize = 256 * 1024;
/// Bytes of the windows in which the end of a segment is looked for, and runs of a sample there.
const WINDOW: usize = 16 * 1024;
const WINDOW_RUNS: usize = 4;
/// What has to be saved by a layout that nobody asked for, so that chance does not choose: this
/// part of what the other takes, and a few bytes.
const WORTHWHILE_PART: u64 = 128;
const WORTHWHILE: u64 = 256;
/// What has to be saved by ending a frame, in bytes: more than the frame costs, and more than
/// samples are wrong by.
const SWITCH: u64 = 4096;

/// A part of some data, and the layout that suits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Which bytes.
    pub range: Range<usize>,
    /// What a frame of these bytes had best have.
    pub layout: PlaneLayout,
}

/// The layout with which a frame of `data` becomes smallest: `declared`, unless samples say that
/// another saves a hundredth. Where there is a `base` of the same length, what counts is the
/// difference to it.
///
/// ```
/// use zipnn::layout_search;
/// use zipnn::frame::PlaneLayout;
///
/// // Numbers of 16 bits, in what is said to be bytes.
/// let number = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 16) as u16 % 300;
/// let ids: Vec<u8> = (0..100_000).flat_map(|i| number(i).to_le_bytes()).collect();
/// assert_eq!(layout_search::layout(&ids, None, PlaneLayout::ONE).planes(), 2);
/// ```
pub fn layout(data: &[u8], base: Option<&[u8]>, declared: PlaneLayout) -> PlaneLayout {
    match choose(data, base, declared, &mut Sample::default()) {
        chosen if chosen == declared => chosen,
        // Whoever contradicts looks again, everywhere and more closely.
        _ => choose(data, base, declared, &mut Sample { is_thorough: true, ..Sample::default() }),
    }
}

fn choose(
    data: &[u8],
    base: Option<&[u8]>,
    declared: PlaneLayout,
    sample: &mut Sample,
) -> PlaneLayout {
    /// Windows of which the first look takes one.
    const STEP: usize = 4;
    let mut costs = [0; PlaneLayout::ALL.len()];
    let step = if sample.is_thorough { 1 } else { STEP };
    for window in windows(0..data.len(), SEGMENT).step_by(step) {
        let len = window.len();
        if !sample.take(data, base, window, RUNS) {
            return declared;
        }
        for (cost, layout) in costs.iter_mut().zip(PlaneLayout::ALL) {
            let word = match sample.is_noise() {
                true => RAW * WORD as u32,
                false => sample.cost(Placed { layout, phase: 0 }),
            };
            *cost += bytes(word, len);
        }
    }
    let costs = || PlaneLayout::ALL.into_iter().zip(costs);
    let of_declared = costs().find(|&(layout, _)| layout == declared).map_or(0, |(_, cost)| cost);
    let worthwhile = of_declared / WORTHWHILE_PART + WORTHWHILE;
    costs()
        .filter(|(_, cost)| cost + worthwhile <= of_declared)
        .min_by_key(|&(_, cost)| cost)
        .map_or(declared, |(layout, _)| layout)
}

/// Cuts `data` of which nothing is known into segments, in order and without gaps, each of which
/// had best be a frame of its own. Where elements do not begin with the data, nor does their
/// segment. Where there is a `base` of the same length, what counts is the difference to it.
///
/// ```
/// use zipnn::layout_search;
/// use zipnn::frame::PlaneLayout;
///
/// let mut file = b"???".to_vec();
/// file.extend((0..300_000).flat_map(|i| (i as f32).sin().to_le_bytes()));
/// let segments = layout_search::segments(&file, None);
/// assert_eq!(segments[0].range, 0..3);
/// assert_eq!((segments[1].range.clone(), segments[1].layout), (3..file.len(), PlaneLayout::FOUR_ROTATED));
/// ```
pub fn segments(data: &[u8], base: Option<&[u8]>) -> Vec<Segment> {
    let mut sample = Sample::default();
    let mut path = Path::default();
    let mut whole = Vec::new();
    let (mut last_look, mut costs) = ([u32::MAX; WORD], [0; Placed::ALL.len()]);
    for window in windows(0..data.len(), SEGMENT) {
        if !sample.take(data, base, window.clone(), RUNS) {
            return Vec::from([Segment { range: 0..data.len(), layout: PlaneLayout::ONE }]);
        }
        // What looks as before has the layout of before, and need not be looked at in all of them.
        if !sample.looks_like(last_look) {
            (last_look, costs) = (sample.single, sample.costs(window.len()));
        }
        path.push(costs);
        whole.push(window);
    }
    let mut segments = Vec::new();
    let mut start = 0;
    let mut current: Option<Placed> = None;
    for (next, window) in path.best().into_iter().zip(&whole) {
        if let Some(before) = current
            && before != next
        {
            let around = window.start.saturating_sub(SEGMENT).max(start)..window.end;
            let end = next.align(sample.boundary(data, base, around, before, next));
            push(&mut segments, start..end.min(data.len()), before.layout);
            start = end;
        } else if current.is_none() {
            start = next.align(0);
            push(&mut segments, 0..start, PlaneLayout::ONE);
        }
        current = Some(next);
    }
    let layout = current.map_or(PlaneLayout::ONE, |placed| placed.layout);
    push(&mut segments, start..data.len(), layout);
    segments
}

/// Adds a segment unless it is empty.
fn push(segments: &mut Vec<Segment>, range: Range<usize>, layout: PlaneLayout) {
    if !range.is_empty() {
        segments.push(Segment { range, layout });
    }
}

/// Cuts a range that begins with a whole word into parts of about equal length, of whole words.
fn windows(range: Range<usize>, len: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = (range.len() / len).max(1);
    let len = range.len().div_ceil(count).next_multiple_of(WORD);
    (0..count).map(move |number| {
        let place = |number: usize| (range.start + number * len).min(range.end);
        place(number)..place(number + 1)
    })
}

/// Bytes that data of this length takes at this cost.
fn bytes(cost: u32, len: usize) -> u64 {
    u64::from(cost) * len as u64 / u64::from(RAW * WORD as u32)
}

/// A layout, and by how many bytes its elements are out of step with the data's words. Where
/// nothing is rotated, that makes no difference: planes merely change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Placed {
    layout: PlaneLayout,
    phase: usize,
}

impl Placed {
    /// All that can be told apart.
    const ALL: [Self; 9] = [
        Self { layout: PlaneLayout::ONE, phase: 0 },
        Self { layout: PlaneLayout::TWO, phase: 0 },
        Self { layout: PlaneLayout::FOUR, phase: 0 },
        Self { layout: PlaneLayout::TWO_ROTATED, phase: 0 },
        Self { layout: PlaneLayout::TWO_ROTATED, phase: 1 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 0 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 1 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 2 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 3 },
    ];

    /// Where the first element begins at or after a place.
    fn align(self, place: usize) -> usize {
        let behind = (place + WORD - self.phase) % WORD;
        place + (WORD - behind) % WORD
    }
}

/// The cheapest way through the layouts of windows in a row.
#[derive(Default)]
struct Path {
    /// What the windows so far cost, by the layout of the last.
    costs: [u64; Placed::ALL.len()],
    /// For every window, which layout the one before it had best have, by that of the window.
    before: Vec<[u8; Placed::ALL.len()]>,
}

impl Path {
    fn push(&mut self, window: [u64; Placed::ALL.len()]) {
        let (cheapest, &least) =
            (0_u8..).zip(&self.costs).min_by_key(|&(_, cost)| cost).unwrap_or((0, &0));
        let mut before = [0; Placed::ALL.len()];
        for (number, (cost, before)) in (0_u8..).zip(self.costs.iter_mut().zip(&mut before)) {
            let stays = *cost <= least + SWITCH;
            *before = if stays { number } else { cheapest };
            *cost = window[usize::from(number)] + if stays { *cost } else { least + SWITCH };
        }
        self.before.push(before);
    }

    /// The layouts of all windows.
    fn best(&self) -> Vec<Placed> {
        let (mut number, _) =
            (0_u8..).zip(&self.costs).min_by_key(|&(_, cost)| cost).unwrap_or((0, &0));
        let mut path = Vec::with_capacity(self.before.len());
        for before in self.before.iter().rev() {
            path.push(Placed::ALL[usize::from(number)]);
            number = before[usize::from(number)];
        }
        path.reverse();
        path
    }
}

/// How often each byte occurs in a sample of a plane. A sample is short enough for the numbers.
type Counts = [u16; 256];

/// Runs of words from some part of the data, each with the beginning of the word behind it.
struct Sample {
    runs: [[u8; RUN + WORD]; RUNS],
    len: usize,
    /// Whether all words are looked at before bytes pass for being the same in all of them.
    is_thorough: bool,
    /// Counts of each byte of a word.
    plain: [Counts; WORD],
    /// What each byte of a word takes in a plane of its own.
    single: [u32; WORD],
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            runs: [[0; RUN + WORD]; RUNS],
            len: 0,
            is_thorough: false,
            plain: [[0; 256]; WORD],
            single: [0; WORD],
        }
    }
}

impl Sample {
    /// Takes up to so many runs from all over the window; `false` if there is not even one.
    fn take(
        &mut self,
        data: &[u8],
        base: Option<&[u8]>,
        window: Range<usize>,
        runs: usize,
    ) -> bool {
        let Some(last) = window.end.min(data.len()).checked_sub(RUN + WORD) else { return false };
        let Some(room) = last.checked_sub(window.start) else { return false };
        let runs = (room / RUN + 1).min(runs);
        let distance = room / runs;
        for (number, run) in self.runs[..runs].iter_mut().enumerate() {
            // Out of step with whatever repeats in the data, and the same every time.
            let scattered = (window.start + number).wrapping_mul(0x9e37_79b1) >> 8;
            let offset = number * distance + scattered % (distance.saturating_sub(RUN) + 1);
            let start = (window.start + offset) / WORD * WORD;
            *run = read(data, base, start);
        }
        self.len = runs;
        self.plain = [[0; 256]; WORD];
        let [p0, p1, p2, p3] = &mut self.plain;
        for run in &self.runs[..runs] {
            for &[b0, b1, b2, b3] in run[..RUN].as_chunks().0 {
                p0[usize::from(b0)] += 1;
                p1[usize::from(b1)] += 1;
                p2[usize::from(b2)] += 1;
                p3[usize::from(b3)] += 1;
            }
        }
        self.doubt_constants(data, base, window.start..window.start + room);
        self.single = self.plain.each_ref().map(symbol_cost);
        true
    }

    /// Counts another byte where one that seems to be the same in all words is not. Much depends on
    /// that: planes of one byte take nothing, and all others a bit a symbol.
    fn doubt_constants(&mut self, data: &[u8], base: Option<&[u8]>, starts: Range<usize>) {
        /// Words that are looked at, and bytes from one to the next, not in step with anything.
        const WORDS: usize = 4096;
        const DISTANCE: usize = 68;
        let distance = match self.is_thorough {
            true => WORD,
            false => (starts.len() / WORDS).next_multiple_of(WORD).clamp(WORD, DISTANCE),
        };
        let first: [u8; WORD] = self.runs[0][..WORD].try_into().unwrap_or_default();
        let total = (self.len * RUN / WORD) as u16;
        let mut constant = [0, 1, 2, 3].map(|byte| {
            if self.plain[byte][usize::from(first[byte])] == total { u8::MAX } else { 0 }
        });
        for start in starts.step_by(distance) {
            if constant == [0; WORD] {
                return;
            }
            let word = read::<WORD>(data, base, start);
            let differs = u32::from_le_bytes(word) ^ u32::from_le_bytes(first);
            if differs & u32::from_le_bytes(constant) == 0 {
                continue;
            }
            for byte in (0..WORD).filter(|&byte| word[byte] != first[byte]) {
                if core::mem::take(&mut constant[byte]) > 0 {
                    self.plain[byte][usize::from(word[byte])] += 1;
                }
            }
        }
    }

    /// Whether no layout makes it any smaller.
    fn is_noise(&self) -> bool {
        self.single == [RAW; WORD]
    }

    /// Whether each byte of a word takes about as much as in another sample.
    fn looks_like(&self, single: [u32; WORD]) -> bool {
        self.single.iter().zip(single).all(|(&one, other)| one.abs_diff(other) < RAW / 32)
    }

    /// What a word of this sample takes.
    fn cost(&self, placed: Placed) -> u32 {
        let [p0, p1, p2, p3] = &self.plain;
        match (placed.layout.planes, placed.layout.rotated) {
            (1, _) => 4 * symbol_cost(&sum(&sum(p0, p1), &sum(p2, p3))),
            (2, false) => 2 * (symbol_cost(&sum(p0, p2)) + symbol_cost(&sum(p1, p3))),
            (2, true) => {
                let is_certain = [sum(p0, p2), sum(p1, p3)].iter().all(is_constant);
                2 * rotated_cost(&self.rotated_pairs(placed.phase), is_certain)
            }
            (_, false) => self.single.iter().sum(),
            (_, true) => {
                let byte = |number: usize| &self.plain[(placed.phase + number) % WORD];
                let is_certain = is_constant(byte(2)) && is_constant(byte(3));
                let high = rotated_cost(&self.rotated_words(placed.phase), is_certain);
                [0, 1].map(|number| self.single[(placed.phase + number) % WORD]).iter().sum::<u32>()
                    + high
            }
        }
    }

    /// What a window of so many bytes takes in every layout. Of those that are out of step only the
    /// likeliest are looked at: a rotation pays where the byte with the exponent, which has few
    /// values, follows the one with its last bit, which has many.
    fn costs(&self, len: usize) -> [u64; Placed::ALL.len()] {
        let single = self.single;
        let phase = (0..WORD)
            .filter(|&phase| single[(phase + 3) % WORD] > 0)
            .max_by_key(|&phase| {
                let [second, top] = [2, 3].map(|byte| single[(phase + byte) % WORD].cast_signed());
                second - top
            })
            .unwrap_or_default();
        let mut others = [0; 3];
        let mut costs = [0; Placed::ALL.len()];
        for (cost, placed) in costs.iter_mut().zip(Placed::ALL) {
            let plain = match placed.layout.planes {
                1 => 0,
                2 => 1,
                _ => 2,
            };
            let is_rotated = placed.layout.rotated;
            let is_likely = !self.is_noise() && placed.phase == phase % placed.layout.planes;
            let word = if !is_rotated || is_likely { self.cost(placed) } else { others[plain] };
            if !is_rotated {
                others[plain] = word;
            }
            *cost = bytes(word, len);
        }
        let [of_one, others @ ..] = &mut costs;
        others.iter_mut().for_each(|cost| *cost += *of_one / WORTHWHILE_PART);
        costs
    }

    /// Counts of the bytes of rotated elements of two bytes, the exponent last.
    fn rotated_pairs(&self, phase: usize) -> [Counts; 2] {
        let mut counts = [[0; 256]; 2];
        let [low, high] = &mut counts;
        for run in &self.runs[..self.len] {
            for &element in run[phase..phase + RUN].as_chunks().0 {
                let [l, h] = u16::from_le_bytes(element).rotate_left(1).to_le_bytes();
                // The sign, now lowest, belongs above the mantissa; for counts any place will do.
                low[usize::from(l)] += 1;
                high[usize::from(h)] += 1;
            }
        }
        counts
    }

    /// Counts of the two upper bytes of rotated elements of four bytes, the exponent last.
    fn rotated_words(&self, phase: usize) -> [Counts; 2] {
        let mut counts = [[0; 256]; 2];
        let [low, high] = &mut counts;
        for run in &self.runs[..self.len] {
            for &[_, _, second, top] in run[phase..phase + RUN].as_chunks().0 {
                let [l, h] = u16::from_le_bytes([second, top]).rotate_left(1).to_le_bytes();
                low[usize::from(l)] += 1;
                high[usize::from(h)] += 1;
            }
        }
        counts
    }

    /// Where in a range data of one layout had best be taken to end, and data of another to begin.
    fn boundary(
        &mut self,
        data: &[u8],
        base: Option<&[u8]>,
        range: Range<usize>,
        before: Placed,
        behind: Placed,
    ) -> usize {
        let (mut best, mut least, mut difference) = (range.start, 0, 0);
        for window in windows(range, WINDOW) {
            let (end, len) = (window.end, window.len());
            if self.take(data, base, window, WINDOW_RUNS) {
                let cost = |placed| bytes(self.cost(placed), len).cast_signed();
                difference += cost(before) - cost(behind);
                if difference < least {
                    (best, least) = (end, difference);
                }
            }
        }
        best
    }
}

/// Bytes of the data, or of its difference to the base.
fn read<const LEN: usize>(data: &[u8], base: Option<&[u8]>, start: usize) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes.copy_from_slice(&data[start..][..LEN]);
    if let Some(base) = base.and_then(|base| base.get(start..)) {
        bytes.iter_mut().zip(base).for_each(|(byte, base)| *byte ^= base);
    }
    bytes
}

/// What the bytes of a rotated element take. Of those that seem to be the same in all of them it
/// must be certain that they are.
fn rotated_cost(planes: &[Counts; 2], is_certain: bool) -> u32 {
    let least = if is_certain { 0 } else { BIT };
    planes.iter().map(|counts| symbol_cost(counts).max(least)).sum()
}

fn is_constant(counts: &Counts) -> bool {
    counts.iter().filter(|&&count| count > 0).count() <= 1
}

fn sum(a: &Counts, b: &Counts) -> Counts {
    core::array::from_fn(|symbol| a[symbol] + b[symbol])
}

/// Fractions of a bit that costs are counted in.
const BIT: u32 = 4096;
/// What a symbol takes that is not coded.
const RAW: u32 = 8 * BIT;
/// What makes a plane not worth coding: a twentieth less than that.
const NOT_WORTHWHILE: u32 = RAW / 20 * 19;

/// What a symbol of a plane takes on average.
fn symbol_cost(counts: &Counts) -> u32 {
    /// Half of log2(e), which the estimate is short of for every symbol but one.
    const BIAS: u32 = N_LOG_N_BIT * 721 / 1000;
    let total: u16 = counts.iter().sum();
    let most = counts.iter().copied().max().unwrap_or_default();
    let facts: u64 = counts.iter().map(|&count| FACTS[usize::from(count) % MAX_COUNT]).sum();
    let sum = facts as u32;
    let [seen, once, twice] = [SEEN, ONCE, TWICE].map(|at| (facts >> at) as u32 % (1 << FACT_BITS));
    if seen <= 1 {
        return 0;
    }
    let unseen = once * once / (2 * twice).max(1);
    let symbols = (seen + unseen).min(counts.len() as u32);
    let mut bits = n_log_n(total) - sum + (symbols - 1) * BIAS;
    if most > total / 2 {
        // The most frequent symbol takes a whole bit, and so does saying that it is another.
        let which = n_log_n(total) - n_log_n(most) - n_log_n(total - most);
        bits += (u32::from(total) * N_LOG_N_BIT).saturating_sub(which);
    }
    let cost = bits * (BIT / N_LOG_N_BIT) / u32::from(total);
    if cost > NOT_WORTHWHILE { RAW } else { cost }
}

/// Fractions of a bit that n·log2(n) is told in.
const N_LOG_N_BIT: u32 = 256;
/// All counts of a sample are below this, those of words as bytes too.
const MAX_COUNT: usize = 4096;
const _: () = assert!(RUNS * RUN + WORD < MAX_COUNT);

/// Where in [`FACTS`] it is told that a symbol occurs, that it does once, and that it does twice; of
/// so many symbols there may be.
const SEEN: u32 = 32;
const ONCE: u32 = SEEN + FACT_BITS;
const TWICE: u32 = ONCE + FACT_BITS;
const FACT_BITS: u32 = 9;

/// For each count *n* all that is to be summed up: n·log2(n) lowest, and above it three flags.
static FACTS: [u64; MAX_COUNT] = {
    let mut table = [0; MAX_COUNT];
    let mut n = 1;
    while n < MAX_COUNT {
        let n_log_n = (n as u64 * log2(n as u64)) >> (LOG_BITS - N_LOG_N_BIT.ilog2());
        let once = if n == 1 { 1 << ONCE } else { 0 };
        let twice = if n == 2 { 1 << TWICE } else { 0 };
        table[n] = n_log_n | 1 << SEEN | once | twice;
        n += 1;
    }
    table
};

fn n_log_n(n: u16) -> u32 {
    FACTS[usize::from(n) % MAX_COUNT] as u32
}

/// Bits behind the point of [`log2`].
const LOG_BITS: u32 = 16;

/// log2 of a number from 1 on, bit by bit: where the square of a number between 1 and 2 is not
/// below 2, its logarithm is not below a half.
const fn log2(n: u64) -> u64 {
    const ONE: u64 = 1 << 31;
    let whole = n.ilog2();
    let mut log = whole as u64;
    let mut rest = (n << 31) >> whole;
    let mut bit = 0;
    while bit < LOG_BITS {
        rest = (rest * rest) >> 31;
        log <<= 1;
        if rest >= 2 * ONE {
            rest >>= 1;
            log += 1;
        }
        bit += 1;
    }
    log
}
