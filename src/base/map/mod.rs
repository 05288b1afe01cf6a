//! Bases that are assembled from parts of other files.
//!
//! A file of tensors and its base need not have the same length or order. A [`BaseMap`] states, for
//! each part of the data, which part of which file the base consists of there. [`MappedBase`](crate::delta::MappedBase)
//! assembles the base, which then has the length of the data, as every difference requires. Parts
//! that the map does not mention are zeros.

mod conversion;
mod parse;
mod write;

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

pub use conversion::Conversion;

/// Which parts of which files a base consists of.
///
/// ```
/// use zipnn::delta::{BaseMap, MapSegment, MapSource, MapTensor};
///
/// let source = MapSource::new("base.safetensors", 1000, [7; 16]);
/// let mut map = BaseMap::new(500, vec![source]);
/// map.push(MapSegment::copy(100..300, 0, 640)).unwrap();
/// assert!(map.push(MapSegment::copy(200..400, 0, 0)).is_none(), "they overlap");
/// assert!(map.push(MapSegment::copy(400..500, 0, 950)).is_none(), "the source is too short");
/// assert_eq!(map.segments().len(), 1);
/// map.push_tensor(MapTensor::new(100..300, "layer.weight")).unwrap();
/// assert_eq!(map.tensors()[0].name, "layer.weight");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseMap {
    len: u64,
    sources: Vec<MapSource>,
    segments: Vec<MapSegment>,
    tensors: Vec<MapTensor>,
}

/// A file that parts of a base come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapSource {
    /// Path relative to the directory of the compressed file, with `/` between names. It is a hint:
    /// the identity decides.
    pub path: String,
    /// Length of the uncompressed file in bytes.
    pub len: u64,
    /// A hash of the uncompressed file, XXH3-128 with seed 0 in little-endian order.
    pub hash: [u8; 16],
}

impl MapSource {
    /// Describes a file.
    pub fn new(path: impl Into<String>, len: u64, hash: [u8; 16]) -> Self {
        Self { path: path.into(), len, hash }
    }
}

/// The name, in its source, of a tensor that is a part of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapTensor {
    /// Bytes of the base.
    pub range: Range<u64>,
    /// Name of the tensor in its source.
    pub name: String,
}

impl MapTensor {
    /// Names a tensor.
    pub fn new(range: Range<u64>, name: impl Into<String>) -> Self {
        Self { range, name: name.into() }
    }
}

/// A part of a base, and the part of a file that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapSegment {
    /// Bytes of the base.
    pub range: Range<u64>,
    /// Number of the source.
    pub source: usize,
    /// Offset in the source, in bytes.
    pub offset: u64,
    /// How elements of the source become elements of the base.
    pub conversion: Conversion,
}

impl MapSegment {
    /// Describes bytes that are copied from `offset` of a source.
    pub fn copy(range: Range<u64>, source: usize, offset: u64) -> Self {
        Self { range, source, offset, conversion: Conversion::None }
    }

    /// Sets how elements of the source become elements of the base.
    #[must_use]
    pub fn converted(self, conversion: Conversion) -> Self {
        Self { conversion, ..self }
    }

    /// Returns the bytes of the source; `None` if the range does not consist of whole elements, or
    /// the offset is too large.
    pub fn source_range(&self) -> Option<Range<u64>> {
        let len = self.range.end.checked_sub(self.range.start)?;
        let len = self.conversion.source_len(len)?;
        Some(self.offset..self.offset.checked_add(len)?)
    }

    /// Returns whether `next` continues this segment, so that both are one.
    fn continues_with(&self, next: &Self) -> bool {
        self.range.end == next.range.start
            && self.source == next.source
            && self.conversion == next.conversion
            && self.source_range().is_some_and(|range| range.end == next.offset)
    }
}

impl BaseMap {
    /// Creates a map for a base of `len` bytes, which are zeros until segments are added.
    pub fn new(len: u64, sources: Vec<MapSource>) -> Self {
        Self { len, sources, segments: Vec::new(), tensors: Vec::new() }
    }

    /// Adds a segment after all others. Joins it with the last one where both are one range.
    ///
    /// Returns `None`, and adds nothing, if the segment overlaps others, exceeds the base, or does
    /// not match its source.
    pub fn push(&mut self, segment: MapSegment) -> Option<()> {
        let source = self.sources.get(segment.source)?;
        let source_range = segment.source_range()?;
        let previous_end = self.segments.last().map_or(0, |last| last.range.end);
        let is_valid = segment.range.start >= previous_end
            && segment.range.end <= self.len
            && source_range.end <= source.len;
        if !is_valid {
            return None;
        }
        match self.segments.last_mut() {
            Some(last) if last.continues_with(&segment) => last.range.end = segment.range.end,
            _ => self.segments.push(segment),
        }
        Some(())
    }

    /// Names a tensor after all others, whether segments are joined or not. Names are for people.
    ///
    /// Returns `None`, and adds nothing, if the tensor overlaps others or exceeds the base.
    pub fn push_tensor(&mut self, tensor: MapTensor) -> Option<()> {
        let previous_end = self.tensors.last().map_or(0, |last| last.range.end);
        let (start, end) = (tensor.range.start, tensor.range.end);
        (previous_end <= start && start <= end && end <= self.len)
            .then(|| self.tensors.push(tensor))
    }

    /// Returns the length of the base in bytes.
    #[expect(clippy::len_without_is_empty, reason = "the length of the base, not of the map")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns the files that parts of the base come from.
    pub fn sources(&self) -> &[MapSource] {
        &self.sources
    }

    /// Returns the parts that are not zeros, in order.
    pub fn segments(&self) -> &[MapSegment] {
        &self.segments
    }

    /// Returns the names of tensors in their sources, in the order of the base.
    pub fn tensors(&self) -> &[MapTensor] {
        &self.tensors
    }

    /// Returns the segment that contains a position of the base.
    pub fn segment_at(&self, position: u64) -> Option<&MapSegment> {
        let after = self.segments.partition_point(|segment| segment.range.start <= position);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        segment.range.contains(&position).then_some(segment)
    }

    /// Returns the tensor that contains a position of the base.
    pub fn tensor_at(&self, position: u64) -> Option<&MapTensor> {
        let after = self.tensors.partition_point(|tensor| tensor.range.start <= position);
        let tensor = self.tensors.get(after.checked_sub(1)?)?;
        tensor.range.contains(&position).then_some(tensor)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn map() -> BaseMap {
        let sources = vec![
            MapSource::new("a/ä.safetensors", 5000, [1; 16]),
            MapSource::new("../b.safetensors", u64::MAX, [2; 16]),
        ];
        let mut map = BaseMap::new(100_000, sources);
        for segment in [
            MapSegment::copy(8..100, 0, 4000),
            MapSegment::copy(100..200, 0, 4092),
            MapSegment::copy(200..300, 0, 0),
            MapSegment::copy(1000..3000, 1, 1 << 60).converted(Conversion::F32ToBf16),
            MapSegment::copy(3000..100_000, 1, 17),
        ] {
            map.push(segment).unwrap();
        }
        for tensor in [MapTensor::new(8..100, "first"), MapTensor::new(1000..3000, "größer")] {
            map.push_tensor(tensor).unwrap();
        }
        map
    }

    #[test]
    fn positions_lead_to_segments_and_tensors() {
        let map = map();
        let name = |position| map.tensor_at(position).map(|tensor| tensor.name.as_str());
        assert_eq!(
            [7, 8, 99, 100, 2999].map(name),
            [None, Some("first"), Some("first"), None, Some("größer")]
        );
        let source = |position| map.segment_at(position).map(|segment| segment.source);
        assert_eq!(
            [7, 8, 199, 300, 1000, 99_999].map(source),
            [None, Some(0), Some(0), None, Some(1), Some(1)]
        );
        let mut map = map.clone();
        assert!(map.push_tensor(MapTensor::new(2999..3500, "")).is_none(), "they overlap");
        assert!(map.push_tensor(MapTensor::new(3000..100_001, "")).is_none(), "it is too long");
    }

    #[test]
    fn adjacent_segments_are_joined() {
        assert_eq!(map().segments().len(), 4);
        assert_eq!(map().segments()[0], MapSegment::copy(8..200, 0, 4000));
    }

    #[test]
    fn written_maps_are_parsed() {
        let map = map();
        let bytes = map.to_bytes();
        assert!(bytes.len() < 150, "{}", bytes.len());
        assert_eq!(BaseMap::parse(&bytes), Some(map));
        let empty = BaseMap::new(0, vec![]);
        assert_eq!(BaseMap::parse(&empty.to_bytes()), Some(empty));
    }

    #[test]
    fn damaged_maps_never_panic_and_stay_valid() {
        let bytes = map().to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(BaseMap::parse(&bytes[..len]), None, "{len}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 4] {
                let mut bad = bytes.clone();
                bad[at] = value;
                if let Some(map) = BaseMap::parse(&bad) {
                    let mut end = 0;
                    for segment in map.segments() {
                        assert!(segment.range.start >= end && segment.range.end <= map.len());
                        end = segment.range.end;
                        let source = segment.source_range().unwrap();
                        assert!(source.end <= map.sources()[segment.source].len);
                    }
                }
            }
        }
    }
}
