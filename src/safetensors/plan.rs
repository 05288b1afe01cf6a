//! Where to cut a `.safetensors` file into frames, and what layout each had best have.

use alloc::vec::Vec;
use core::ops::Range;

use super::layout::{Layout, Tensor};
use crate::layout::FrameLayout;

/// Bytes from which on a tensor has frames of its own, so that it is read without its neighbours,
/// and coded without them: those of a chunk.
const LARGE: u64 = 1 << 18;
/// Bytes below which tensors are not worth a frame: they stay with their neighbours.
const SMALL: u64 = 2 << 10;
/// Frames begin with whole elements, of which this is the longest.
const ELEMENT: u64 = 8;

/// A part of a file that is to be a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which bytes of the file.
    pub range: Range<u64>,
    /// The layout that goes with its type, as the file tells it. What the data is in truth,
    /// [`estimate::layout`](crate::estimate::layout) finds out. `None` where the type tells
    /// nothing, which is the case of bytes of any kind; then
    /// [`estimate::segments`](crate::estimate::segments) may.
    pub layout: Option<FrameLayout>,
}

/// Cuts a file into parts of at most `frame_len` bytes (but not less than an element): in order,
/// from its first byte to the last of its tensors. The file's header is apart from the tensors,
/// types are apart from each other, and large tensors are apart from all others. Nothing is
/// collected, so that a header which promises more than there is does no harm.
///
/// ```
/// use zipnn::FrameLayout;
/// use zipnn::safetensors::{Layout, plan};
///
/// let header = br#"{"a":{"dtype":"BF16","shape":[3000],"data_offsets":[0,6000]},
///     "b":{"dtype":"F32","shape":[1000],"data_offsets":[6000,10000]}}"#;
/// let mut file = (header.len() as u64).to_le_bytes().to_vec();
/// file.extend_from_slice(header);
/// file.resize(file.len() + 10_000, 0);
///
/// let layout = Layout::parse(&file, file.len() as u64)?;
/// let parts: Vec<_> = plan(&layout, 4096).collect();
/// let lens: Vec<_> = parts.iter().map(|part| part.range.end - part.range.start).collect();
/// assert_eq!(lens, [layout.data_start(), 4096, 1904, 4000]);
/// assert_eq!(parts[3].layout, Some(FrameLayout::FOUR_ROTATED));
/// # Ok::<(), zipnn::safetensors::LayoutError>(())
/// ```
pub fn plan(layout: &Layout, frame_len: u64) -> impl Iterator<Item = Part> + use<> {
    let frame_len = (frame_len / ELEMENT).max(1) * ELEMENT;
    let header = Span {
        range: 0..layout.data_start(),
        dtype: "",
        layout: Some(FrameLayout::ONE),
        is_large: true,
    };
    let spans = core::iter::once(header).chain(join(runs(layout.tensors(), frame_len), frame_len));
    let spans: Vec<Part> = spans.map(|Span { range, layout, .. }| Part { range, layout }).collect();
    spans.into_iter().flat_map(move |Part { range, layout }| {
        let starts = core::iter::successors(Some(range.start), move |start: &u64| {
            start.checked_add(frame_len).filter(|&start| start < range.end)
        });
        starts.map(move |start| {
            let end = start.saturating_add(frame_len).min(range.end);
            Part { range: start..end, layout }
        })
    })
}

/// Tensors side by side.
struct Span<'t> {
    range: Range<u64>,
    dtype: &'t str,
    layout: Option<FrameLayout>,
    /// Whether it is to stay alone.
    is_large: bool,
}

impl Span<'_> {
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
}

/// Tensors of one type that follow one another, as far as they go into a frame.
fn runs(tensors: &[Tensor], frame_len: u64) -> Vec<Span<'_>> {
    let mut runs: Vec<Span<'_>> = Vec::new();
    for tensor in tensors.iter().filter(|tensor| tensor.len() > 0) {
        let span = Span {
            range: tensor.range.clone(),
            dtype: &tensor.dtype,
            layout: declared(&tensor.dtype),
            is_large: tensor.len() >= LARGE,
        };
        match runs.last_mut() {
            Some(run) if run.dtype == span.dtype && run.has_room_for(&span, frame_len) => {
                run.range.end = span.range.end;
            }
            _ => runs.push(span),
        }
    }
    runs
}

/// Adds runs that are not worth a frame to the one before them.
fn join(runs: Vec<Span<'_>>, frame_len: u64) -> Vec<Span<'_>> {
    let mut joined: Vec<Span<'_>> = Vec::with_capacity(runs.len());
    for run in runs {
        match joined.last_mut() {
            Some(last)
                if (run.dtype == last.dtype || run.len() < SMALL && last.keeps_step_with(&run))
                    && last.has_room_for(&run, frame_len) =>
            {
                last.range.end = run.range.end;
            }
            _ => joined.push(run),
        }
    }
    joined
}

/// The layout that goes with a type, as a file calls it. Elements of eight bytes have no layout of
/// their own; in four planes, of two bytes of an element each, they take least. `docs/LAYOUTS.md`
/// has the sizes.
fn declared(dtype: &str) -> Option<FrameLayout> {
    match dtype {
        "F32" | "F64" | "C64" => Some(FrameLayout::FOUR_ROTATED),
        "BF16" => Some(FrameLayout::TWO_ROTATED),
        "F16" | "I16" | "U16" => Some(FrameLayout::TWO),
        "I32" | "U32" | "I64" | "U64" => Some(FrameLayout::FOUR),
        "BOOL" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ"
        | "F4" | "F6_E2M3" | "F6_E3M2" => Some(FrameLayout::ONE),
        _ => None,
    }
}
