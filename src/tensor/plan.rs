//! Divides a `.safetensors` or GGUF file into frames and chooses a plane layout for each.

use alloc::vec::Vec;
use core::ops::Range;

use crate::model::records::Record;
use crate::plane_layout::PlaneLayout;
use crate::tensor::info::TensorInfo;
use crate::tensor::metadata::Metadata;

/// Tensors of this length or longer get frames of their own, so that they can be read without
/// their neighbours. It is the length of a chunk.
const LARGE: u64 = 1 << 18;
/// Tensors shorter than this join their neighbours' frames, because a frame would cost more than
/// it saves.
const SMALL: u64 = 2 << 10;
/// Length of the longest element in bytes. Frames begin with a whole element.
const ELEMENT: u64 = 8;

/// Part of a file that becomes a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedFrame {
    /// Bytes of the file.
    pub range: Range<u64>,
    /// Plane layout for the declared type, or `None` if the type does not determine one.
    ///
    /// For example, `U8` says nothing about the data.
    ///
    /// [`layout_search::layout`](crate::layout_search::layout) finds the layout that suits the
    /// actual data, and [`layout_search::segments`](crate::layout_search::segments) divides data
    /// of an unknown type.
    pub layout: Option<PlaneLayout>,
    /// Type of the records at the beginning of the frame, or `None` if it does not contain any.
    pub record: Option<Record>,
}

/// Divides a file into frames of at most `frame_len` bytes, but at least one element.
///
/// The frames cover the whole file in order, or its header and tensors if its length is unknown
/// ([`Metadata::parse_header`]). A frame holds either the header, one large tensor or a part of it,
/// or small neighbouring tensors. Small tensors of different types can share a frame, and a large
/// tensor's last frame also takes up to 2 KiB of padding after it.
///
/// The iterator computes frames one at a time, so that a header which declares more data than
/// exists costs no memory.
///
/// ```
/// use zipnn::frame::PlaneLayout;
/// use zipnn::tensor::plan;
/// use zipnn::tensor::Metadata;
///
/// let header = br#"{"a":{"dtype":"BF16","shape":[3000],"data_offsets":[0,6000]},
///     "b":{"dtype":"F32","shape":[1000],"data_offsets":[6000,10000]}}"#;
/// let mut file = (header.len() as u64).to_le_bytes().to_vec();
/// file.extend_from_slice(header);
/// file.resize(file.len() + 10_000, 0);
///
/// let metadata = Metadata::parse(&file, file.len() as u64)?;
/// let frames: Vec<_> = plan(&metadata, 4096).collect();
/// let lens: Vec<_> = frames.iter().map(|frame| frame.range.end - frame.range.start).collect();
/// assert_eq!(lens, [metadata.data_start(), 4096, 1904, 4000]);
/// assert_eq!(frames[3].layout, Some(PlaneLayout::FOUR_ROTATED));
/// # Ok::<(), zipnn::tensor::MetadataError>(())
/// ```
pub fn plan(metadata: &Metadata, frame_len: u64) -> impl Iterator<Item = PlannedFrame> + use<> {
    let frame_len = (frame_len / ELEMENT).max(1) * ELEMENT;
    let header = Some(Span::header(metadata)).filter(|header| header.len() > 0);
    let runs = header.into_iter().chain(runs(metadata, frame_len));
    let spans: Vec<PlannedFrame> = join(runs, frame_len, metadata.is_scattered)
        .into_iter()
        .map(|Span { range, layout, record, .. }| PlannedFrame { range, layout, record })
        .collect();
    spans.into_iter().flat_map(move |span| divide(span, frame_len))
}

/// Divides a span into frames that begin with whole elements or records.
fn divide(span: PlannedFrame, frame_len: u64) -> impl Iterator<Item = PlannedFrame> {
    let PlannedFrame { range, layout, record } = span;
    let unit = record.map_or(ELEMENT, |record| record.len() as u64);
    let frame_len = (frame_len / unit).max(1) * unit;
    let starts = core::iter::successors(Some(range.start), move |start: &u64| {
        start.checked_add(frame_len).filter(|&start| start < range.end)
    });
    starts.map(move |start| {
        let end = start.saturating_add(frame_len).min(range.end);
        PlannedFrame { range: start..end, layout, record }
    })
}

/// A run of neighbouring tensors, or of bytes that belong to no tensor.
struct Span<'t> {
    range: Range<u64>,
    dtype: &'t str,
    /// Whether the bytes are exponents that scale the weights of another tensor.
    is_scale: bool,
    layout: Option<PlaneLayout>,
    record: Option<Record>,
    /// Whether the span keeps frames of its own.
    is_large: bool,
    is_gap: bool,
}

impl<'t> Span<'t> {
    fn header(metadata: &Metadata) -> Self {
        let range = 0..metadata.data_start();
        let layout = Some(PlaneLayout::ONE);
        let (dtype, is_scale, record) = ("", false, None);
        Self { range, dtype, is_scale, layout, record, is_large: true, is_gap: false }
    }

    /// Returns the span of the bytes of a tensor that no earlier span holds.
    fn of(tensor: &'t TensorInfo, range: Range<u64>) -> Self {
        let is_large = range.end - range.start >= LARGE;
        let (dtype, layout) = (&*tensor.dtype, declared(&tensor.dtype));
        let record = Record::from_name(dtype);
        // Checkpoints in MXFP4 store packed weights and their scales in tensors of the same type.
        let is_scale = dtype == "U8" && tensor.name.trim_end_matches('s').ends_with("_scale");
        Self { range, dtype, is_scale, layout, record, is_large, is_gap: false }
    }

    fn gap(range: Range<u64>) -> Self {
        let is_large = range.end - range.start >= LARGE;
        let (dtype, is_scale, layout, record) = ("", false, None, None);
        Self { range, dtype, is_scale, layout, record, is_large, is_gap: true }
    }

    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Returns whether both spans contain the same kind of data.
    fn is_like(&self, next: &Self) -> bool {
        let is_same = next.is_scale == self.is_scale && next.is_gap == self.is_gap;
        is_same && next.dtype == self.dtype
    }

    /// Returns whether both spans fit into one frame and neither needs its own.
    fn has_room_for(&self, next: &Self, frame_len: u64) -> bool {
        !self.is_large && !next.is_large && next.range.end - self.range.start <= frame_len
    }

    /// Returns whether elements after `next` stay aligned with the elements of this span.
    fn keeps_step_with(&self, next: &Self) -> bool {
        let planes = || self.layout.unwrap_or_default().planes();
        next.len().is_multiple_of(self.record.map_or_else(planes, Record::len) as u64)
    }

    /// Returns whether `next` is a small gap that may end the frame of this tensor.
    fn ends_with(&self, next: &Self, frame_len: u64) -> bool {
        let is_small = next.len() < SMALL && self.len() >= SMALL;
        is_small && next.is_gap && !self.is_gap && self.has_room_for(next, frame_len)
    }

    /// Returns whether `next` joins this span: it has the same type, or is too small for a frame.
    fn takes(&self, next: &Self, frame_len: u64) -> bool {
        let is_small = next.len() < SMALL;
        // A small gap after a large tensor is padding; what follows begins a frame anyway.
        if is_small && next.is_gap && self.is_large {
            return true;
        }
        let is_like = self.is_like(next);
        let may_join = is_like || is_small && (self.record.is_some() || self.keeps_step_with(next));
        may_join && self.has_room_for(next, frame_len)
    }
}

/// Joins neighbouring tensors of the same type that fit into one frame, and returns them with the
/// gaps between them. Bytes that tensors share belong to the first.
fn runs(metadata: &Metadata, frame_len: u64) -> Vec<Span<'_>> {
    let mut runs: Vec<Span<'_>> = Vec::new();
    let mut gaps = metadata.gaps().peekable();
    let mut at = metadata.data_start();
    for tensor in metadata.tensors() {
        let range = at.max(tensor.range.start)..tensor.range.end;
        if range.is_empty() {
            continue;
        }
        at = range.end;
        runs.extend(gaps.next_if(|gap| gap.end == range.start).map(Span::gap));
        let span = Span::of(tensor, range);
        match runs.last_mut() {
            Some(run) if run.is_like(&span) && run.has_room_for(&span, frame_len) => {
                run.range.end = span.range.end;
            }
            _ => runs.push(span),
        }
    }
    runs.extend(gaps.map(Span::gap));
    runs
}

/// Adds runs that are too small for a frame to the run before them.
///
/// In a scattered file, small gaps between tensors are headers, and need not keep elements aligned.
fn join<'t>(
    runs: impl Iterator<Item = Span<'t>>,
    frame_len: u64,
    is_scattered: bool,
) -> Vec<Span<'t>> {
    let mut joined: Vec<Span<'_>> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last)
                if last.takes(&run, frame_len)
                    || is_scattered && last.ends_with(&run, frame_len) =>
            {
                // After bytes of another length, a frame cannot contain further records or elements.
                let keeps_unit = last.record.is_some() || is_scattered && !last.is_gap;
                last.is_large |= keeps_unit && !last.keeps_step_with(&run);
                last.range.end = run.range.end;
            }
            _ => joined.push(run),
        }
    }
    joined
}

/// Returns the layout for a type by its name in the file.
///
/// Types of eight bytes have no layout of their own: four planes of two bytes each make them
/// smallest. `docs/LAYOUTS.md` lists the sizes.
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
