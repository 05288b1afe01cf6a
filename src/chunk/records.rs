//! The stored form of a chunk of records: a header, bytes outside of whole records, and the parts
//! into which the records are split, each coded like a plane.
//!
//! `docs/FORMAT.md` specifies it.

use core::ops::Range;

use crate::error::DecodeErrorKind;
use crate::format::method;
use crate::model::records::{MAX_PARTS, Record};

/// Length of the header in bytes: the type of the records, and the number of bytes before the first.
pub(crate) const HEADER_LEN: usize = 3;
/// Length of what precedes each part: its method and its stored length.
pub(crate) const PART_HEADER_LEN: usize = 5;

/// How a chunk is divided into records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Division {
    pub(crate) record: Record,
    /// Number of bytes before the first whole record.
    pub(crate) lead: usize,
    /// Number of whole records.
    pub(crate) count: usize,
}

impl Division {
    /// Divides `len` bytes, the first `lead` of which are no whole record.
    pub(crate) fn new(record: Record, lead: usize, len: usize) -> Option<Self> {
        let count = len.checked_sub(lead)? / record.len();
        (lead < record.len() && count > 0).then_some(Self { record, lead, count })
    }

    /// Returns the bytes that the records occupy in the chunk.
    pub(crate) fn range(&self) -> Range<usize> {
        self.lead..self.lead + self.count * self.record.len()
    }

    /// Returns the length of all parts in bytes.
    pub(crate) fn parts_len(&self) -> usize {
        self.record.parts_len(self.count)
    }

    /// Returns the length of each part in bytes.
    pub(crate) fn part_lens(&self) -> impl Iterator<Item = usize> {
        let count = self.count;
        self.record.part_lens().map(move |len| len * count)
    }

    /// Returns the header.
    pub(crate) fn header(&self) -> [u8; HEADER_LEN] {
        let [low, high] = (self.lead as u16).to_le_bytes();
        [self.record.code, low, high]
    }
}

/// A stored part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StoredPart<'s> {
    /// A code from [`method`](crate::format::method).
    pub(crate) method: u8,
    pub(crate) bytes: &'s [u8],
    /// Decoded length in bytes.
    pub(crate) len: usize,
}

/// A stored chunk of records, with all lengths checked.
#[derive(Debug)]
pub(crate) struct StoredRecords<'s> {
    pub(crate) division: Division,
    /// The bytes before and after the records.
    pub(crate) outside: [&'s [u8]; 2],
    parts: [StoredPart<'s>; MAX_PARTS],
}

impl<'s> StoredRecords<'s> {
    /// Parses the stored bytes of a chunk of `len` bytes.
    pub(crate) fn parse(stored: &'s [u8], len: usize) -> Result<Self, DecodeErrorKind> {
        let corrupt = DecodeErrorKind::CorruptStream;
        let (&[code, low, high], rest) = stored.split_first_chunk().ok_or(corrupt)?;
        let record =
            Record::from_code(code).ok_or(DecodeErrorKind::UnsupportedMethod(method::RECORDS))?;
        let lead = usize::from(u16::from_le_bytes([low, high]));
        let division = Division::new(record, lead, len).ok_or(corrupt)?;
        let range = division.range();
        let (before, rest) = rest.split_at_checked(range.start).ok_or(corrupt)?;
        let (after, mut rest) = rest.split_at_checked(len - range.end).ok_or(corrupt)?;
        let mut parts = [StoredPart::default(); MAX_PARTS];
        for (part, len) in parts.iter_mut().zip(division.part_lens()) {
            let (&[method, ref stored_len @ ..], behind) =
                rest.split_first_chunk::<PART_HEADER_LEN>().ok_or(corrupt)?;
            let stored_len = usize::try_from(u32::from_le_bytes(*stored_len));
            let (bytes, behind) =
                behind.split_at_checked(stored_len.map_err(|_| corrupt)?).ok_or(corrupt)?;
            *part = StoredPart { method, bytes, len };
            rest = behind;
        }
        if !rest.is_empty() {
            return Err(corrupt);
        }
        Ok(Self { division, outside: [before, after], parts })
    }

    /// Returns the parts in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = StoredPart<'s>> {
        self.parts.into_iter().take(self.division.part_lens().count())
    }
}
