//! The ranges of a frame to read, and the bytes that were read.

use core::ops::Range;

use crate::plane::MAX_PLANES;

/// Maximum number of reads: the beginning of the frame, one for each plane, and the annex.
const MAX_READS: usize = MAX_PLANES + 2;

/// The ranges of a frame to read, in order, each with its bytes once they have been read.
#[derive(Clone)]
pub(crate) struct Reads<P> {
    reads: [Option<Read<P>>; MAX_READS],
}

#[derive(Clone)]
struct Read<P> {
    /// Position in the frame.
    range: Range<u64>,
    bytes: Option<P>,
}

impl<P> Reads<P> {
    /// Creates a list that requests the first `len` bytes of a frame.
    pub(crate) fn beginning(len: u64) -> Self {
        let mut reads = Self { reads: [const { None }; MAX_READS] };
        reads.request(0..len);
        reads
    }

    /// Requests a range, by extending the last wanted range if the gap is at most `gap` bytes.
    pub(crate) fn request_near(&mut self, range: Range<u64>, gap: u64) {
        match self.reads.iter_mut().flatten().last() {
            Some(Read { range: last, bytes: None }) if range.start <= last.end + gap => {
                last.end = last.end.max(range.end);
            }
            _ => self.request(range),
        }
    }

    fn request(&mut self, range: Range<u64>) {
        // There is always a free entry: callers request at most one range for each plane, and the
        // annex.
        if let Some(free) = self.reads.iter_mut().find(|read| read.is_none()) {
            *free = Some(Read { range, bytes: None });
        }
    }

    /// Returns the ranges whose bytes are missing, in the order in which [`Self::fill`] takes them.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Range<u64>> {
        let missing = self.reads.iter().flatten().filter(|read| read.bytes.is_none());
        missing.map(|read| read.range.clone())
    }

    /// Stores the bytes of the first missing range.
    pub(crate) fn fill(&mut self, bytes: P) {
        if let Some(read) = self.reads.iter_mut().flatten().find(|read| read.bytes.is_none()) {
            read.bytes = Some(bytes);
        }
    }

    /// Returns the bytes that were read, without their positions.
    pub(crate) fn into_bytes(self) -> impl Iterator<Item = P> {
        self.reads.into_iter().flatten().filter_map(|read| read.bytes)
    }
}

impl<P: AsRef<[u8]>> Reads<P> {
    /// Returns the beginning of the frame, as much as has been read.
    pub(crate) fn first(&self) -> &[u8] {
        let first = self.reads[0].as_ref().and_then(|read| read.bytes.as_ref());
        first.map(AsRef::as_ref).unwrap_or_default()
    }

    /// Returns the bytes of a range; `None` if they have not been read.
    ///
    /// Every range that is needed lies within one read.
    pub(crate) fn get(&self, range: Range<u64>) -> Option<&[u8]> {
        let mut reads = self.reads.iter().flatten();
        reads.find_map(|read| stored_in(read.range.start, read.bytes.as_ref()?.as_ref(), &range))
    }
}

/// Returns a range of a frame from the bytes at `start` in the frame, if it lies within them.
///
/// An empty range lies anywhere: a chunk with fewer bytes than planes has empty planes.
pub(crate) fn stored_in<'s>(start: u64, bytes: &'s [u8], range: &Range<u64>) -> Option<&'s [u8]> {
    if range.is_empty() {
        return Some(&[]);
    }
    let from = usize::try_from(range.start.checked_sub(start)?).ok()?;
    let to = usize::try_from(range.end.checked_sub(start)?).ok()?;
    bytes.get(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_are_one_read() {
        let mut reads = Reads::<&[u8]>::beginning(4);
        reads.fill(b"0123");
        reads.request_near(5..7, 1);
        reads.request_near(8..9, 1);
        reads.request_near(11..12, 1);
        assert!(reads.wanted().eq([5..9, 11..12]));
        reads.fill(b"5678");
        assert!(reads.wanted().eq(core::iter::once(11..12)));
        assert_eq!(reads.first(), b"0123");
        assert_eq!(reads.get(6..8), Some(&b"67"[..]));
        assert_eq!(reads.get(20..20), Some(&b""[..]));
        assert_eq!(reads.get(3..6), None);
        assert_eq!(reads.get(11..12), None);
        assert!(reads.into_bytes().eq([&b"0123"[..], b"5678"]));
    }
}
