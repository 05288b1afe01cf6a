//! Assembles a base from its sources.

use std::io::{self, ErrorKind, Read};
use std::vec::Vec;

use crate::base::map::{BaseMap, MapSegment};
use crate::io::read_at::ReadAt;

/// A base that is assembled from parts of its sources, as a [`BaseMap`] describes.
///
/// ```
/// use std::io::Read;
/// use zipnn::delta::{BaseMap, MapSegment, MapSource, MappedBase};
///
/// let source = b"0123456789";
/// let mut map = BaseMap::new(6, vec![MapSource::new("digits", 10, [0; 16])]);
/// map.push(MapSegment::copy(1..4, 0, 7)).unwrap();
///
/// let mut base = Vec::new();
/// MappedBase::new(map, vec![source])?.reader().read_to_end(&mut base)?;
/// assert_eq!(base, b"\x00789\x00\x00");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MappedBase<S> {
    map: BaseMap,
    sources: Vec<S>,
}

impl<S: ReadAt> MappedBase<S> {
    /// Combines a map with its sources, which are in the order of [`BaseMap::sources`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the number of sources or the length of one does not match the map, and
    /// errors of the sources.
    pub fn new(map: BaseMap, sources: Vec<S>) -> io::Result<Self> {
        if sources.len() != map.sources().len() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the number of sources is wrong"));
        }
        for (source, expected) in sources.iter().zip(map.sources()) {
            if source.size()? != expected.len {
                let path = &expected.path;
                let message = std::format!("the length of the source {path:?} is wrong");
                return Err(io::Error::new(ErrorKind::InvalidInput, message));
            }
        }
        Ok(Self { map, sources })
    }

    /// Returns the map.
    pub fn map(&self) -> &BaseMap {
        &self.map
    }

    /// Returns the sources, in the order of the map.
    pub fn sources(&self) -> &[S] {
        &self.sources
    }

    /// Returns a reader of the whole base.
    pub fn reader(&self) -> impl Read + '_ {
        Reader { base: self, at: 0 }
    }
}

impl MapSegment {
    /// Reads bytes of the base from the segment's source, from `start` bytes after the beginning of
    /// the segment on.
    ///
    /// # Errors
    ///
    /// The errors of the source.
    pub fn read_at(&self, source: &impl ReadAt, start: u64, buf: &mut [u8]) -> io::Result<()> {
        let (from, to) = self.conversion.sizes();
        if from == to {
            return source.read_exact_at(buf, self.offset + start);
        }
        // The bytes may begin and end within elements.
        let first = start / to as u64;
        let skipped = (start % to as u64) as usize;
        let elements = (skipped + buf.len()).div_ceil(to);
        let mut unconverted = std::vec![0; elements * from];
        source.read_exact_at(&mut unconverted, self.offset + first * from as u64)?;
        let mut converted = std::vec![0; elements * to];
        self.conversion.convert(&unconverted, &mut converted);
        buf.copy_from_slice(&converted[skipped..][..buf.len()]);
        Ok(())
    }
}

impl<S: ReadAt> ReadAt for MappedBase<S> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.map.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        /// Maximum number of bytes of a converted segment to read at a time, which bounds memory.
        const MAX_PART: u64 = 1 << 20;
        let segments = self.map.segments();
        let next = segments.partition_point(|segment| segment.range.end <= offset);
        let segment = segments.get(next).filter(|segment| segment.range.start <= offset);
        let end = match (segment, segments.get(next)) {
            (Some(segment), _) => segment.range.end.min(offset.saturating_add(MAX_PART)),
            (None, Some(next)) => next.range.start,
            (None, None) => self.map.len(),
        };
        let len = end.saturating_sub(offset).min(buf.len() as u64) as usize;
        let buf = &mut buf[..len];
        match segment {
            Some(segment) => {
                let source = self.sources.get(segment.source).ok_or(ErrorKind::InvalidInput)?;
                segment.read_at(source, offset - segment.range.start, buf)?;
            }
            None => buf.fill(0),
        }
        Ok(len)
    }
}

/// Reads a base from its beginning to its end.
struct Reader<'b, S> {
    base: &'b MappedBase<S>,
    at: u64,
}

impl<S: ReadAt> Read for Reader<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.base.read_at(buf, self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec;

    use super::*;
    use crate::base::map::{Conversion, MapSource};

    fn base() -> MappedBase<Vec<u8>> {
        let numbers: Vec<u8> = (0..300).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let sources = vec![
            MapSource::new("a", numbers.len() as u64, [0; 16]),
            MapSource::new("b", 9, [0; 16]),
        ];
        let mut map = BaseMap::new(1000, sources);
        for segment in [
            MapSegment::copy(0..5, 1, 4),
            MapSegment::copy(10..410, 0, 400).converted(Conversion::F32ToBf16),
            MapSegment::copy(410..419, 1, 0),
        ] {
            map.push(segment).unwrap();
        }
        MappedBase::new(map, vec![numbers, b"ABCDEFGHI".to_vec()]).unwrap()
    }

    fn expected() -> Vec<u8> {
        let numbers = (100..300).flat_map(|i| half::bf16::from_f32(i as f32).to_le_bytes());
        let mut all: Vec<u8> = b"EFGHI\0\0\0\0\0".iter().copied().chain(numbers).collect();
        all.extend(b"ABCDEFGHI");
        all.resize(1000, 0);
        all
    }

    #[test]
    fn every_range_has_the_bytes_of_the_whole() {
        let (base, expected) = (base(), expected());
        let mut whole = Vec::new();
        base.reader().read_to_end(&mut whole).unwrap();
        assert_eq!(whole, expected);
        for start in 0..430 {
            for len in [1, 2, 3, 7, 100] {
                let mut part = vec![0xaa; len];
                base.read_exact_at(&mut part, start as u64).unwrap();
                assert_eq!(part, expected[start..start + len], "{start} {len}");
            }
        }
        assert_eq!(base.read_at(&mut [0; 4], 1000).unwrap(), 0);
        assert_eq!(base.size().unwrap(), 1000);
    }

    #[test]
    fn wrong_sources_are_errors() {
        let map = base().map().clone();
        let error = MappedBase::new(map.clone(), vec![vec![0; 1200]]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = MappedBase::new(map, vec![vec![0; 1200], vec![0; 8]]).unwrap_err();
        assert!(error.to_string().contains("\"b\""), "{error}");
    }
}
