//! Finds the layouts of the parts of data whose type is unknown.

use alloc::vec::Vec;
use core::ops::Range;

use crate::layout_search::candidate::{Candidate, WORD, WORTHWHILE_PART, size};
use crate::layout_search::sample::{RUNS, Sample};
use crate::layout_search::windows::{WINDOW, windows};
use crate::plane_layout::PlaneLayout;

/// Number of bytes that a new frame must save: more than its overhead and the estimation error.
const SWITCH: u64 = 4096;
/// Length in bytes of the windows in which the boundary between two segments is searched.
const BOUNDARY_WINDOW: usize = 16 * 1024;
/// Number of runs of a sample in a window of [`BOUNDARY_WINDOW`] bytes.
const BOUNDARY_RUNS: usize = 4;

/// A part of the data, and the best layout for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Range of the part in the data, in bytes.
    pub range: Range<usize>,
    /// Layout with which a frame of the part is smallest, estimated from samples.
    pub layout: PlaneLayout,
}

/// Splits data of an unknown type into segments, each of which should become a frame.
///
/// The segments cover the data in order and without gaps. If the first element does not begin at
/// the beginning of the data, a short segment precedes it. With a `base`, which must be as long as
/// `data`, the search examines the difference between the two.
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
    let Some(path) = Path::over(data, base, &mut sample) else {
        return Vec::from([Segment { range: 0..data.len(), layout: PlaneLayout::ONE }]);
    };
    let mut segments = Vec::new();
    let mut start = 0;
    let mut current: Option<Candidate> = None;
    for (next, window) in path.best().into_iter().zip(windows(0..data.len(), WINDOW)) {
        if let Some(before) = current
            && before != next
        {
            let around = window.start.saturating_sub(WINDOW).max(start)..window.end;
            let end = next.align(boundary(&mut sample, data, base, around, before, next));
            push(&mut segments, start..end.min(data.len()), before.layout);
            start = end;
        } else if current.is_none() {
            start = next.align(0);
            push(&mut segments, 0..start, PlaneLayout::ONE);
        }
        current = Some(next);
    }
    let layout = current.map_or(PlaneLayout::ONE, |candidate| candidate.layout);
    push(&mut segments, start..data.len(), layout);
    segments
}

/// Adds a segment unless it is empty.
fn push(segments: &mut Vec<Segment>, range: Range<usize>, layout: PlaneLayout) {
    if !range.is_empty() {
        segments.push(Segment { range, layout });
    }
}

/// Returns the offset in `range` at which the best layout changes from `before` to `behind`.
fn boundary(
    sample: &mut Sample,
    data: &[u8],
    base: Option<&[u8]>,
    range: Range<usize>,
    before: Candidate,
    behind: Candidate,
) -> usize {
    let (mut best, mut least, mut difference) = (range.start, 0, 0);
    for window in windows(range, BOUNDARY_WINDOW) {
        let (end, len) = (window.end, window.len());
        if sample.take(data, base, window, BOUNDARY_RUNS) {
            let size = |candidate| size(sample.cost(candidate), len).cast_signed();
            difference += size(before) - size(behind);
            if difference < least {
                (best, least) = (end, difference);
            }
        }
    }
    best
}

/// The size of a window for each candidate, in bytes.
type Sizes = [u64; Candidate::ALL.len()];

/// Returns the size of a window of `len` bytes for every candidate.
///
/// Only the most likely phase is examined: rotation is useful where the byte with the exponent,
/// which has few values, follows the byte with the lowest bit of the exponent, which has many
/// values. All layouts except a single plane get a penalty, so that they win only if they save
/// enough.
fn sizes(sample: &Sample, len: usize) -> Sizes {
    let single = sample.single_costs();
    let phase = (0..WORD)
        .filter(|&phase| single[(phase + 3) % WORD] > 0)
        .max_by_key(|&phase| {
            let [second, top] = [2, 3].map(|byte| single[(phase + byte) % WORD].cast_signed());
            second - top
        })
        .unwrap_or_default();
    let mut unrotated = [0; 3];
    let mut sizes = [0; Candidate::ALL.len()];
    for (total, candidate) in sizes.iter_mut().zip(Candidate::ALL) {
        let planes_log2 = candidate.layout.planes.ilog2() as usize;
        let is_rotated = candidate.layout.rotated;
        let is_likely = !sample.is_noise() && candidate.phase == phase % candidate.layout.planes;
        let word_cost = match !is_rotated || is_likely {
            true => sample.cost(candidate),
            false => unrotated[planes_log2],
        };
        if !is_rotated {
            unrotated[planes_log2] = word_cost;
        }
        *total = size(word_cost, len);
    }
    let [one_plane, others @ ..] = &mut sizes;
    others.iter_mut().for_each(|size| *size += *one_plane / WORTHWHILE_PART);
    sizes
}

/// The cheapest sequence of candidates for successive windows.
#[derive(Default)]
struct Path {
    /// Total size of the windows so far, for each candidate of the last window.
    totals: Sizes,
    /// For each window and each of its candidates, the best candidate of the window before.
    before: Vec<[u8; Candidate::ALL.len()]>,
}

impl Path {
    /// Samples all windows of the data; returns `None` if the data is too short.
    fn over(data: &[u8], base: Option<&[u8]>, sample: &mut Sample) -> Option<Self> {
        let mut path = Self::default();
        let (mut last_single, mut last_sizes) = ([u32::MAX; WORD], Sizes::default());
        for window in windows(0..data.len(), WINDOW) {
            let len = window.len();
            if !sample.take(data, base, window, RUNS) {
                return None;
            }
            // A window that resembles the last one reuses its sizes, which saves time.
            if !sample.looks_like(last_single) {
                (last_single, last_sizes) = (sample.single_costs(), sizes(sample, len));
            }
            path.push(last_sizes);
        }
        Some(path)
    }

    fn push(&mut self, window: Sizes) {
        let (cheapest, least) = self.cheapest();
        let mut before = [0; Candidate::ALL.len()];
        for (number, (total, before)) in (0_u8..).zip(self.totals.iter_mut().zip(&mut before)) {
            let stays = *total <= least + SWITCH;
            *before = if stays { number } else { cheapest };
            *total = window[usize::from(number)] + if stays { *total } else { least + SWITCH };
        }
        self.before.push(before);
    }

    /// Returns the number of the best candidate of the last window, and its total size.
    fn cheapest(&self) -> (u8, u64) {
        let totals = (0_u8..).zip(self.totals);
        totals.min_by_key(|&(_, total)| total).unwrap_or_default()
    }

    /// Returns the best candidate of each window.
    fn best(&self) -> Vec<Candidate> {
        let (mut number, _) = self.cheapest();
        let mut path = Vec::with_capacity(self.before.len());
        for before in self.before.iter().rev() {
            path.push(Candidate::ALL[usize::from(number)]);
            number = before[usize::from(number)];
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::layout_search::sample::tests::{floats, halves, noise};

    /// Returns the sizes of a window: `size` for candidate `number`, `others` for all other
    /// candidates.
    fn window(number: usize, size: u64, others: u64) -> Sizes {
        let mut sizes = [others; Candidate::ALL.len()];
        sizes[number] = size;
        sizes
    }

    fn best(windows: &[Sizes]) -> Vec<usize> {
        let mut path = Path::default();
        windows.iter().for_each(|&window| path.push(window));
        let number = |found| Candidate::ALL.iter().position(|&candidate| candidate == found);
        path.best().into_iter().map(|found| number(found).unwrap()).collect()
    }

    #[test]
    fn a_path_switches_only_where_that_pays() {
        let [first, second] = [window(2, 1000, 9000), window(5, 1000, 9000)];
        assert!(best(&[]).is_empty());
        assert_eq!(best(&[first, first, second, second]), [2, 2, 5, 5]);
        // There and back takes two switches.
        let hardly = window(5, 1000, 1000 + 2 * SWITCH - 1);
        assert_eq!(best(&[first, first, hardly, first, first]), [2; 5]);
        let clearly = window(5, 1000, 1000 + 2 * SWITCH + 1);
        assert_eq!(best(&[first, first, clearly, first, first]), [2, 2, 5, 2, 2]);
    }

    #[test]
    fn noise_costs_most_in_other_layouts_than_one_plane() {
        let data = noise(100_000);
        let mut sample = Sample::default();
        assert!(sample.take(&data, None, 0..data.len(), RUNS));
        let [one_plane, others @ ..] = sizes(&sample, data.len());
        assert_eq!(one_plane, 100_000);
        assert_eq!(others, [100_000 + 100_000 / WORTHWHILE_PART; 8]);
    }

    #[test]
    fn the_boundary_is_where_the_layout_changes() {
        let candidate = |layout| Candidate { layout, phase: 0 };
        let two = candidate(PlaneLayout::TWO_ROTATED);
        let four = candidate(PlaneLayout::FOUR_ROTATED);
        let data = [halves(80_000), floats(40_000)].concat();
        let mut sample = Sample::default();
        let found = boundary(&mut sample, &data, None, 0..data.len(), two, four);
        assert!(found.abs_diff(160_000) <= BOUNDARY_WINDOW, "{found}");
    }

    #[test]
    fn segments_start_at_elements_and_change_with_the_data() {
        let text: Vec<u8> = noise(600_001).iter().map(|byte| b'a' + byte % 26).collect();
        let data = [text, floats(300_000)].concat();
        let found = segments(&data, None);
        let layouts: Vec<PlaneLayout> = found.iter().map(|segment| segment.layout).collect();
        assert_eq!(layouts, [PlaneLayout::ONE, PlaneLayout::FOUR_ROTATED]);
        assert_eq!(found[0].range.end, found[1].range.start);
        assert_eq!(found[1].range.start % WORD, 1, "a whole element");
        assert_eq!((found[0].range.start, found[1].range.end), (0, data.len()));
    }

    #[test]
    fn short_data_is_one_segment_of_one_plane() {
        for len in [0, 1, 200] {
            let expected = Segment { range: 0..len, layout: PlaneLayout::ONE };
            assert_eq!(segments(&floats(50)[..len], None), [expected]);
        }
    }
}
