//! Where to cut a `.safetensors` file into frames, and what layout each had best have.

use alloc::vec::Vec;
use core::ops::Range;

use crate::plane_layout::PlaneLayout;
use crate::tensor::metadata::{Metadata, TensorInfo};

/// Bytes from which on a tensor has frames of its own, so that it is read without its neighbours,
/// and coded without them: those of a chunk.
const LARGE: u64 = 1 << 18;
/// Bytes below which tensors are not worth a frame: they stay with their neighbours.
const SMALL: u64 = 2 << 10;
/// Frames begin with whole elements, of which this is the longest.
const ELEMENT: u64 = 8;

/// A part of a file that is to be a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFrame {
    /// Which bytes of the file.
    pub range: Range<u64>,
    /// The layout that goes with its type, as the file tells it. What the data is in truth,
    /// [`layout_search::layout`](crate::layout_search::layout) finds out. `None` where the type tells
    /// nothing, which is the case of bytes of any kind; then
    /// [`layout_search::segments`](crate::layout_search::segments) may.
    pub layout: Option<PlaneLayout>,
}

/// Cuts a file into parts of at most `frame_len` bytes (but not less than an element): in order,
/// from its first byte to its last, or to the last of its tensors if its length is not known. The
/// file's header is apart from the tensors, types are apart from each other, and large tensors are
/// apart from all others but for a few bytes behind them that belong to no tensor. Nothing is
/// collected, so that a header which promises more than there is does no harm.
///
/// ```
/// use zipnn::frame::PlaneLayout;
/// use zipnn::tensor::{Metadata, plan};
///
/// let header = br#"{"a":{"dtype":"BF16","shape":[3000],"data_offsets":[0,6000]},
///     "b":{"dtype":"F32","shape":[1000],"data_offsets":[6000,10000]}}"#;
/// let mut file = (header.len() as u64).to_le_bytes().to_vec();
/// file.extend_from_slice(header);
/// file.resize(file.len() + 10_000, 0);
///
/// let layout = Metadata::parse(&file, file.len() as u64)?;
/// let parts: Vec<_> = plan(&layout, 4096).collect();
/// let lens: Vec<_> = parts.iter().map(|part| part.range.end - part.range.start).collect();
/// assert_eq!(lens, [layout.data_start(), 4096, 1904, 4000]);
/// assert_eq!(parts[3].layout, Some(PlaneLayout::FOUR_ROTATED));
/// # Ok::<(), zipnn::tensor::MetadataError>(())
/// ```
pub fn plan(layout: &Metadata, frame_len: u64) -> impl Iterator<Item = PlannedFrame> + use<> {
    let frame_len = (frame_len / ELEMENT).max(1) * ELEMENT;
    let header = Span {
        range: 0..layout.data_start(),
        dtype: "",
        layout: Some(PlaneLayout::ONE),
        is_large: true,
        is_gap: false,
    };
    let runs = core::iter::once(header).chain(runs(layout, frame_len));
    let spans = join(runs, frame_len).into_iter();
    let spans: Vec<PlannedFrame> =
        spans.map(|Span { range, layout, .. }| PlannedFrame { range, layout }).collect();
    spans.into_iter().flat_map(move |PlannedFrame { range, layout }| {
        let starts = core::iter::successors(Some(range.start), move |start: &u64| {
            start.checked_add(frame_len).filter(|&start| start < range.end)
        });
        starts.map(move |start| {
            let end = start.saturating_add(frame_len).min(range.end);
            PlannedFrame { range: start..end, layout }
        })
    })
}

/// Tensors side by side, or bytes that belong to no tensor.
struct Span<'t> {
    range: Range<u64>,
    dtype: &'t str,
    layout: Option<PlaneLayout>,
    /// Whether it is to stay alone.
    is_large: bool,
    is_gap: bool,
}

impl<'t> Span<'t> {
    /// Returns a span of those bytes of a tensor that are not in a span before it.
    fn of(tensor: &'t TensorInfo, range: Range<u64>) -> Self {
        let is_large = range.end - range.start >= LARGE;
        let (dtype, layout) = (&*tensor.dtype, declared(&tensor.dtype));
        Self { range, dtype, layout, is_large, is_gap: false }
    }

    fn gap(range: Range<u64>) -> Self {
        let is_large = range.end - range.start >= LARGE;
        Self { range, dtype: "", layout: None, is_large, is_gap: true }
    }

    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether both can be in one frame, whatever is in them.
    fn has_room_for(&self, next: &Self, frame_len: u64) -> bool {
        !self.is_large && !next.is_large && next.range.end - self.range.start <= frame_len
    }

    /// Whether what follows the other is in step with the elements of this one.
    fn keeps_step_with(&self, next: &Self) -> bool {
        next.len().is_multiple_of(self.layout.unwrap_or_default().planes() as u64)
    }

    /// Returns whether a run is to be in the frames of this one: it has the same type or is not
    /// worth a frame.
    fn takes(&self, next: &Self, frame_len: u64) -> bool {
        let is_small = next.len() < SMALL;
        // Padding: what follows begins a frame anyway.
        if is_small && next.is_gap && self.is_large {
            return true;
        }
        let is_alike = next.dtype == self.dtype && next.is_gap == self.is_gap;
        (is_alike || is_small && self.keeps_step_with(next)) && self.has_room_for(next, frame_len)
    }
}

/// Returns tensors of one type that follow one another, as far as they go into a frame, and the
/// gaps between them. Where tensors share bytes, these belong to the first.
fn runs(layout: &Metadata, frame_len: u64) -> Vec<Span<'_>> {
    let mut runs: Vec<Span<'_>> = Vec::new();
    let mut gaps = layout.gaps().peekable();
    let mut at = layout.data_start();
    for tensor in layout.tensors() {
        let range = at.max(tensor.range.start)..tensor.range.end;
        if range.is_empty() {
            continue;
        }
        at = range.end;
        runs.extend(gaps.next_if(|gap| gap.end == range.start).map(Span::gap));
        let span = Span::of(tensor, range);
        match runs.last_mut() {
            Some(run)
                if !run.is_gap && run.dtype == span.dtype && run.has_room_for(&span, frame_len) =>
            {
                run.range.end = span.range.end;
            }
            _ => runs.push(span),
        }
    }
    runs.extend(gaps.map(Span::gap));
    runs
}

/// Adds runs that are not worth a frame to the one before them.
fn join<'t>(runs: impl Iterator<Item = Span<'t>>, frame_len: u64) -> Vec<Span<'t>> {
    let mut joined: Vec<Span<'_>> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if last.takes(&run, frame_len) => last.range.end = run.range.end,
            _ => joined.push(run),
        }
    }
    joined
}

/// The layout that goes with a type, as a file calls it. Elements of eight bytes have no layout of
/// their own; in four planes, of two bytes of an element each, they take least. `docs/LAYOUTS.md`
/// has the sizes.
fn declared(dtype: &str) -> Option<PlaneLayout> {
    match dtype {
        "F32" | "F64" | "C64" => Some(PlaneLayout::FOUR_ROTATED),
        "BF16" => Some(PlaneLayout::TWO_ROTATED),
        "F16" | "I16" | "U16" => Some(PlaneLayout::TWO),
        "I32" | "U32" | "I64" | "U64" => Some(PlaneLayout::FOUR),
        "BOOL" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ"
        | "F4" | "F6_E2M3" | "F6_E3M2" => Some(PlaneLayout::ONE),
        _ => None,
    }
}
