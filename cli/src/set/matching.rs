//! Finds the parts of other files that are equal or similar to the parts of a file.

use std::io;
use std::ops::Range;

use zipnn::delta::{Conversion, MapSegment, MapTensor};
use zipnn::io::ReadAt;
use zipnn::tensor::TensorInfo;

use crate::set::contents::Contents;

/// Number of parts of a sample, which are spread over the range.
const SAMPLE_PARTS: u64 = 16;
/// Length of a part of a sample in bytes of the new file.
const SAMPLE_PART: u64 = 1024;
/// Number of tensors of equal shape but another name to compare with a tensor.
const MAX_TRIALS: usize = 64;
/// Shortest tensor for which looking for a base is worthwhile, in bytes.
const SHORTEST: u64 = 4096;

/// The parts of a base.
pub struct Parts {
    pub segments: Vec<MapSegment>,
    /// The names of the tensors among them.
    pub tensors: Vec<MapTensor>,
}

/// A part of an anchor that is equal or similar to a tensor.
struct Match<'a> {
    segment: MapSegment,
    /// The tensor of the anchor.
    tensor: &'a TensorInfo,
}

/// Returns the parts of a base for `new`, whose sources are positions in `anchors`.
///
/// Equal bytes are found by their hashes. Similar tensors are found by their names and shapes, and
/// compared in samples.
pub fn parts(new: &Contents, anchors: &[&Contents]) -> io::Result<Parts> {
    let mut parts = Parts { segments: Vec::new(), tensors: Vec::new() };
    let mut primary = None;
    let mut end = 0;
    for tensor in new.tensors() {
        let Some(found) = find(new, tensor, anchors, primary)? else { continue };
        let Match { segment, tensor: other } = found;
        let source = segment.source;
        primary = primary.or(Some(source));
        // Tensors can share bytes.
        if segment.range.start >= end {
            let gaps = (new.gap_before(tensor), anchors[source].gap_before(other));
            parts.segments.extend(gap_segment(gaps.0, gaps.1, source, end));
            end = segment.range.end;
            parts.tensors.push(MapTensor::new(segment.range.clone(), &other.name));
            parts.segments.push(segment);
        }
    }
    if let Some(source) = primary {
        let tails = (new.tail(), anchors[source].tail());
        parts.segments.extend(gap_segment(tails.0, tails.1, source, end));
    }
    if let Some(head) = head_segment(new, anchors, primary)? {
        parts.segments.insert(0, head);
    }
    Ok(parts)
}

/// Returns a segment for bytes of the new file, from `end` on, that belong to no tensor, and bytes of
/// a source at the same place. In a container, these are headers, which are similar if their lengths
/// are equal.
fn gap_segment(gap: Range<u64>, other: Range<u64>, source: usize, end: u64) -> Option<MapSegment> {
    let is_alike = gap.end - gap.start == other.end - other.start;
    let is_free = !gap.is_empty() && gap.start >= end;
    (is_alike && is_free).then(|| MapSegment::copy(gap, source, other.start))
}

/// Returns a segment for the bytes before the tensors, which in most files are the whole file.
fn head_segment(
    new: &Contents,
    anchors: &[&Contents],
    primary: Option<usize>,
) -> io::Result<Option<MapSegment>> {
    let head = new.head();
    if head.is_empty() {
        return Ok(None);
    }
    for source in in_order(anchors, primary) {
        let anchor = anchors[source];
        if anchor.head() != head {
            continue;
        }
        let segment = MapSegment::copy(head.clone(), source, 0);
        let is_equal = new.hash(&head)? == anchor.hash(&head)?;
        let is_whole = new.tensors().is_empty();
        if is_equal
            || is_whole && similarity(new, anchor, &segment, Kind::Bytes)? > LEAST_SIMILARITY
        {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}

/// Returns the positions of all anchors, `primary` first.
fn in_order(anchors: &[&Contents], primary: Option<usize>) -> impl Iterator<Item = usize> {
    primary.into_iter().chain((0..anchors.len()).filter(move |&source| Some(source) != primary))
}

/// A tensor of an anchor.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    source: usize,
    tensor: &'a TensorInfo,
    conversion: Conversion,
}

impl<'a> Candidate<'a> {
    fn to_match(self, range: &Range<u64>) -> Match<'a> {
        Match { segment: self.segment(range), tensor: self.tensor }
    }

    fn segment(&self, range: &Range<u64>) -> MapSegment {
        MapSegment::copy(range.clone(), self.source, self.tensor.range.start)
            .converted(self.conversion)
    }
}

/// Returns the best base of a tensor.
fn find<'a>(
    new: &Contents,
    tensor: &TensorInfo,
    anchors: &[&'a Contents],
    primary: Option<usize>,
) -> io::Result<Option<Match<'a>>> {
    if tensor.len() < SHORTEST {
        return find_equal(new, tensor, anchors, primary);
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    for source in in_order(anchors, primary) {
        let first = candidates.len();
        candidates.extend(candidates_in(source, anchors[source], tensor));
        // Neighbours of tensors of the same name are more likely to be equal as well.
        candidates[first..].sort_by_key(|candidate| candidate.tensor.name != tensor.name);
    }
    for candidate in &candidates {
        let is_equal = candidate.conversion == Conversion::None
            && new.hash(&tensor.range)?
                == anchors[candidate.source].hash(&candidate.tensor.range)?;
        if is_equal {
            return Ok(Some(candidate.to_match(&tensor.range)));
        }
    }
    most_similar(new, tensor, anchors, candidates)
}

/// Returns the tensors of an anchor that may be similar to a tensor.
fn candidates_in<'a>(
    source: usize,
    anchor: &'a Contents,
    tensor: &TensorInfo,
) -> impl Iterator<Item = Candidate<'a>> {
    anchor.tensors().iter().filter_map(move |other| {
        let is_alike = other.shape == tensor.shape && !other.range.is_empty();
        let conversion = conversion(&other.dtype, &tensor.dtype).filter(|_| is_alike)?;
        Some(Candidate { source, tensor: other, conversion })
    })
}

/// Returns the candidate whose sample is most similar to a tensor.
fn most_similar<'a>(
    new: &Contents,
    tensor: &TensorInfo,
    anchors: &[&'a Contents],
    mut candidates: Vec<Candidate<'a>>,
) -> io::Result<Option<Match<'a>>> {
    // Names decide where several tensors are similar.
    candidates.sort_by_key(|candidate| candidate.tensor.name != tensor.name);
    let mut best = None;
    let mut best_similarity = LEAST_SIMILARITY;
    for candidate in candidates.iter().take(MAX_TRIALS) {
        let segment = candidate.segment(&tensor.range);
        let kind = Kind::of(&tensor.dtype);
        let similarity = similarity(new, anchors[candidate.source], &segment, kind)?;
        if similarity > best_similarity {
            (best, best_similarity) = (Some(candidate.to_match(&tensor.range)), similarity);
        }
    }
    Ok(best)
}

/// Returns the part of an anchor that is most similar to a tensor.
pub fn similar_part(
    new: &Contents,
    tensor: &TensorInfo,
    anchor: &Contents,
) -> io::Result<Option<MapSegment>> {
    let candidates = candidates_in(0, anchor, tensor).collect();
    let found = most_similar(new, tensor, &[anchor], candidates)?;
    Ok(found.map(|found| found.segment))
}

/// Returns an equal tensor of the same name for a tensor that is too short for a difference.
fn find_equal<'a>(
    new: &Contents,
    tensor: &TensorInfo,
    anchors: &[&'a Contents],
    primary: Option<usize>,
) -> io::Result<Option<Match<'a>>> {
    if tensor.range.is_empty() {
        return Ok(None);
    }
    for source in in_order(anchors, primary) {
        let same = anchors[source].tensors().iter().find(|other| {
            other.name == tensor.name && other.dtype == tensor.dtype && other.shape == tensor.shape
        });
        if let Some(other) = same
            && new.hash(&tensor.range)? == anchors[source].hash(&other.range)?
        {
            let candidate = Candidate { source, tensor: other, conversion: Conversion::None };
            return Ok(Some(candidate.to_match(&tensor.range)));
        }
    }
    Ok(None)
}

/// Returns how elements of one type become elements of another; `None` if that is not supported.
fn conversion(from: &str, to: &str) -> Option<Conversion> {
    match (from, to) {
        (from, to) if from == to => Some(Conversion::None),
        ("F32", "BF16") => Some(Conversion::F32ToBf16),
        ("F32", "F16") => Some(Conversion::F32ToF16),
        ("BF16", "F32") => Some(Conversion::Bf16ToF32),
        ("F16", "F32") => Some(Conversion::F16ToF32),
        _ => None,
    }
}

/// Similarity above which a difference is likely to be smaller than the data.
const LEAST_SIMILARITY: f64 = 0.5;

/// How elements are compared.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Little-endian floats of `len` bytes, by their sign and exponent: all but the lowest bits.
    Floats { len: usize, ignored_bits: u32 },
    /// Bytes.
    Bytes,
}

impl Kind {
    fn of(dtype: &str) -> Self {
        let (len, ignored_bits) = match dtype {
            "F32" => (4, 23),
            "BF16" => (2, 7),
            "F16" => (2, 10),
            "F8_E4M3" => (1, 3),
            "F8_E5M2" => (1, 2),
            _ => return Self::Bytes,
        };
        Self::Floats { len, ignored_bits }
    }

    /// Returns how many elements are similar, and how many there are.
    fn compare(self, one: &[u8], other: &[u8]) -> (usize, usize) {
        let (len, ignored_bits) = match self {
            Self::Floats { len, ignored_bits } => (len, ignored_bits),
            Self::Bytes => (1, 0),
        };
        let value = |bytes: &[u8]| {
            bytes.iter().rev().fold(0_u32, |value, &byte| value << 8 | u32::from(byte))
                >> ignored_bits
        };
        let pairs = one.chunks_exact(len).zip(other.chunks_exact(len));
        let similar = pairs.clone().filter(|(one, other)| value(one) == value(other)).count();
        (similar, pairs.len())
    }
}

/// Returns which part of a sample of the elements of a segment is similar to its source.
fn similarity(
    new: &Contents,
    anchor: &Contents,
    segment: &MapSegment,
    kind: Kind,
) -> io::Result<f64> {
    let len = segment.range.end - segment.range.start;
    let step = (len / SAMPLE_PARTS).next_multiple_of(8).max(SAMPLE_PART);
    let (mut similar, mut count) = (0, 0);
    let (new_file, anchor_file) = (new.file()?, anchor.file()?);
    for start in (0..len).step_by(step as usize) {
        let range = start..(start + SAMPLE_PART).min(len);
        let mut part = vec![0; (range.end - range.start) as usize];
        new_file.read_exact_at(&mut part, segment.range.start + range.start)?;
        let mut base = vec![0; part.len()];
        segment.read_at(&*anchor_file, range.start, &mut base)?;
        let (part_similar, part_count) = kind.compare(&part, &base);
        similar += part_similar;
        count += part_count;
    }
    Ok(similar as f64 / count.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_similar_if_their_exponents_are_equal() {
        let bytes = |values: [f32; 3]| values.map(f32::to_le_bytes).concat();
        let kind = Kind::of("F32");
        let one = bytes([1.0, -2.5, 0.75]);
        assert_eq!(kind.compare(&one, &bytes([1.5, -3.9, 0.51])), (3, 3));
        assert_eq!(kind.compare(&one, &bytes([2.0, 2.5, 0.49])), (0, 3));
        assert_eq!(Kind::of("I64").compare(b"abc", b"abd"), (2, 3));
    }
}
