//! The directory of a file: the positions of its frames.

use alloc::vec::Vec;
use core::ops::Range;

use crate::base::Delta;
use crate::checksum::checksum;
use crate::dtype::DType;
use crate::file::check::entry_bytes;
use crate::format::{
    DEFAULT_CHUNK_LOG2, FOOTER_LEN, FRAME_CHECKSUM_LEN, HEADER_LEN, INDEX_COUNT_LEN,
    INDEX_ENTRY_LEN, RECORD_HEADER_LEN, kind,
};
use crate::frame::annex::{self, Annex};
use crate::frame::header::Header;
use crate::frame::write::annex::Records;

/// The position of a frame in a file, and of its data in the decoded data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryEntry {
    /// Offset of the frame in the file, in bytes.
    pub offset: u64,
    /// Length of the frame in bytes.
    pub len: u64,
    /// Offset of the frame's data in the decoded data of the file, in bytes.
    pub decoded_offset: u64,
    /// Decoded length of the frame in bytes.
    pub decoded_len: u64,
}

impl DirectoryEntry {
    /// Returns the range of the file that the frame occupies.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.len
    }

    /// Returns the range of the decoded data that the frame contains.
    pub fn decoded_range(&self) -> Range<u64> {
        self.decoded_offset..self.decoded_offset + self.decoded_len
    }
}

/// The positions of all frames of a file, in order.
///
/// A [`Seeker`](crate::seek::Seeker) reads it from a file, and can be created from it later without
/// reading the file again. A program that writes frames itself adds their lengths with
/// [`Self::push`], and ends the file with the frame that [`Self::to_frame`] returns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    entries: Vec<DirectoryEntry>,
    is_sealed: bool,
}

impl Directory {
    /// The directory of a file without frames.
    pub(crate) const EMPTY: &'static Self = &Self { entries: Vec::new(), is_sealed: false };

    /// Returns the directory of a file without frames.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a frame after the others, given its length and its decoded length in bytes.
    ///
    /// Returns `None`, and adds nothing, if the file or its decoded data would be longer than
    /// `u64::MAX` bytes.
    pub fn push(&mut self, frame_len: u64, decoded_len: u64) -> Option<()> {
        let (offset, decoded_offset) = (self.file_len(), self.decoded_len());
        offset.checked_add(frame_len)?;
        decoded_offset.checked_add(decoded_len)?;
        self.entries.push(DirectoryEntry { offset, len: frame_len, decoded_offset, decoded_len });
        Some(())
    }

    /// Returns the positions of the frames.
    pub fn entries(&self) -> &[DirectoryEntry] {
        &self.entries
    }

    /// Returns the length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.range().end)
    }

    /// Returns the decoded length of the file in bytes.
    pub fn decoded_len(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.decoded_range().end)
    }

    /// Returns whether every frame must have checksums, as in a file that ends with an index.
    ///
    /// If it is `true`, a reader returns `ChecksumMissing` for a frame without checksums. The
    /// default is `false`. A program that stores a directory should store this value too.
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Sets whether every frame must have checksums.
    pub fn set_sealed(&mut self, is_sealed: bool) {
        self.is_sealed = is_sealed;
    }

    /// Returns the decoded length of the first frame that holds data, or 0 if none does.
    ///
    /// Writers often give the header of a file a frame of its own.
    pub fn first_decoded_len(&self) -> u64 {
        self.entries.iter().map(|entry| entry.decoded_len).find(|&len| len > 0).unwrap_or(0)
    }

    /// Returns the frames that contain any byte of a range of the decoded data, with their numbers.
    pub fn covering(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = (u64, DirectoryEntry)> + use<'_> {
        let Range { start, end } = range;
        let first = self.entries.partition_point(|entry| entry.decoded_range().end <= start);
        (first as u64..)
            .zip(self.entries[first..].iter().copied())
            .take_while(move |(_, entry)| entry.decoded_offset < end)
            .filter(move |(_, entry)| entry.decoded_len > 0 && start < end)
    }

    /// Returns the approximate number of bytes of the file that store a range of the decoded data.
    ///
    /// A frame that also contains other data counts in proportion.
    pub fn stored_len(&self, range: Range<u64>) -> u64 {
        let share = |(_, entry): (u64, DirectoryEntry)| {
            let decoded = entry.decoded_range();
            let part = range.end.min(decoded.end) - range.start.max(decoded.start);
            let share = u128::from(entry.len) * u128::from(part) / u128::from(entry.decoded_len);
            // The share is at most the length of the frame, so it fits.
            share as u64
        };
        self.covering(range.clone()).map(share).sum()
    }

    /// Returns the frame that ends a file with an index.
    ///
    /// It contains no data, only the index and the footer. The frame itself is the last entry of
    /// the index. `delta` must be the same as in the other frames.
    pub fn to_frame(&self, delta: Delta) -> Vec<u8> {
        let index_len = INDEX_COUNT_LEN + (self.entries.len() + 1) * INDEX_ENTRY_LEN;
        let index_at = HEADER_LEN + Annex::MAGIC.len() + RECORD_HEADER_LEN;
        let footer_at = index_at + index_len + RECORD_HEADER_LEN + FRAME_CHECKSUM_LEN;
        let mut frame = alloc::vec![0; footer_at + FOOTER_LEN];
        let frame_len = frame.len() as u64;
        // All releases that read such frames know this type.
        let header = Header {
            delta,
            streaming: true,
            frame_len,
            ..Header::new(DType::F16, DEFAULT_CHUNK_LOG2, 0)
        };
        let (prefix, annex) = frame.split_at_mut(HEADER_LEN);
        prefix.copy_from_slice(&header.to_bytes(0));
        let (offset, decoded_offset) = (self.file_len(), self.decoded_len());
        let last = DirectoryEntry { offset, len: frame_len, decoded_offset, decoded_len: 0 };
        let mut index = Vec::with_capacity(index_len);
        index.extend_from_slice(&(self.entries.len() as u64 + 1).to_le_bytes());
        for entry in self.entries.iter().chain([&last]) {
            let DirectoryEntry { offset, len, decoded_offset, decoded_len } = *entry;
            index.extend_from_slice(&entry_bytes([offset, len, decoded_offset, decoded_len]));
        }
        let mut records = Records::new(annex);
        records.begin(kind::INDEX, index_len);
        records.bytes(&index);
        records.frame_checksum(decoded_offset, prefix, checksum(&[]));
        records.begin(kind::FOOTER, FOOTER_LEN - RECORD_HEADER_LEN);
        records.number(offset);
        records.number(offset + index_at as u64);
        records.number(checksum(&index));
        frame
    }

    /// Parses the body of the index of a file of `file_len` bytes.
    ///
    /// Returns `None` if the index contradicts itself or the length of the file.
    pub(crate) fn parse(body: &[u8], file_len: u64) -> Option<Self> {
        let mut directory = Self { is_sealed: true, ..Self::new() };
        let entries = annex::index_entries(body)?;
        directory.entries.reserve_exact(entries.len());
        for entry in entries {
            let mut numbers = entry.as_chunks().0.iter().map(|&number| u64::from_le_bytes(number));
            let mut next = || numbers.next().unwrap_or_default();
            let (offset, len, decoded_offset, decoded_len) = (next(), next(), next(), next());
            let is_next =
                offset == directory.file_len() && decoded_offset == directory.decoded_len();
            if !is_next || len < HEADER_LEN as u64 {
                return None;
            }
            directory.push(len, decoded_len)?;
        }
        (directory.file_len() == file_len).then_some(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::frame::annex::Annex;

    fn three() -> Directory {
        let mut directory = Directory::new();
        for (len, decoded_len) in [(100, 150), (40, 0), (60, 61)] {
            directory.push(len, decoded_len).unwrap();
        }
        directory
    }

    #[test]
    fn a_range_is_covered_by_the_frames_that_hold_it() {
        let numbers = |range| three().covering(range).map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!(numbers(0..1), [0]);
        assert_eq!(numbers(149..151), [0, 2]);
        assert_eq!(numbers(150..151), [2]);
        assert_eq!(numbers(0..211), [0, 2]);
        assert!(numbers(211..300).is_empty());
        assert!(numbers(5..5).is_empty());
        assert_eq!(three().stored_len(0..150), 100);
        assert_eq!(three().stored_len(75..211), 110);
    }

    #[test]
    fn the_first_frame_without_data_is_passed_over() {
        assert_eq!(three().first_decoded_len(), 150);
        let mut directory = Directory::new();
        directory.push(40, 0).unwrap();
        assert_eq!(directory.first_decoded_len(), 0);
        directory.push(60, 61).unwrap();
        assert_eq!(directory.first_decoded_len(), 61);
    }

    #[test]
    fn the_last_frame_tells_of_all() {
        let directory = three();
        let frame = directory.to_frame(Delta::None);
        let parsed = Frame::parse(&frame).unwrap();
        assert_eq!(parsed.decoded_len(), 0);
        let annex = Annex::parse(parsed.slack()).unwrap();
        let file_len = 200 + frame.len() as u64;
        let read = Directory::parse(annex.index().unwrap().body, file_len).unwrap();
        assert_eq!(read.entries()[..3], *directory.entries());
        assert_eq!(read.file_len(), file_len);
        assert_eq!(Directory::parse(annex.index().unwrap().body, file_len - 1), None);
        let footer = annex::Footer::parse(frame.last_chunk().unwrap()).unwrap();
        assert_eq!(annex.footer(), Some(footer));
        assert_eq!(footer.last_frame, 200);
        assert!(frame[footer.index as usize - 200..].starts_with(annex.index().unwrap().body));
    }

    #[test]
    fn lengths_that_no_file_has_are_refused() {
        let mut directory = three();
        assert_eq!(directory.push(u64::MAX, 0), None);
        assert_eq!(directory.push(0, u64::MAX), None);
        assert_eq!(directory, three());
    }
}
