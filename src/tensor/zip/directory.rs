//! The directory of a zip archive, as PKWARE specifies it in APPNOTE.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::error::MetadataError;

/// First bytes of an archive: the signature of an entry.
const ENTRY: [u8; 4] = *b"PK\x03\x04";
/// Signature of an entry in the directory.
const LISTED: [u8; 4] = *b"PK\x01\x02";
/// Signatures of the records at the end.
const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
/// Lengths of these, without names and other parts of variable length.
const ENTRY_LEN: usize = 30;
const LISTED_LEN: usize = 46;
const END_LEN: usize = 22;
const END64_LEN: usize = 56;
const LOCATOR64_LEN: usize = 20;
/// Length of the longest end: all records, and a comment.
pub(super) const MAX_END_LEN: u64 = (END_LEN + END64_LEN + LOCATOR64_LEN + 0xffff) as u64;
/// Longest directory to read, in bytes.
const MAX_DIRECTORY_LEN: u64 = 256 << 20;
/// Stands for a number that is stored in an extra field.
const IN_EXTRA: u64 = 0xffff_ffff;

/// Returns whether a file that begins with `bytes` is a zip archive with entries.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(&ENTRY)
}

/// Returns the error for a malformed archive.
pub(super) fn invalid(reason: &str) -> MetadataError {
    MetadataError::InvalidHeader { reason: reason.to_string() }
}

/// An entry of an archive, stored without compression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Offset of the entry's header.
    pub(super) offset: u64,
    /// Length of the data in bytes.
    pub(super) len: u64,
}

impl Entry {
    /// Returns the offset of the entry's end, or a lower one: names and extra fields do not count.
    fn least_end(&self) -> u64 {
        self.offset.saturating_add(ENTRY_LEN as u64).saturating_add(self.len)
    }

    /// Returns the range that begins with the entry's header and holds `len` bytes of its data, if
    /// the extra field there is not much longer than the extra field in the directory.
    pub(super) fn beginning(&self, len: u64, file_len: u64) -> Range<u64> {
        /// Space for extra fields. PyTorch aligns data to 64 bytes.
        const EXTRA_LEN: u64 = 128;
        let header = ENTRY_LEN as u64 + self.name.len() as u64 + EXTRA_LEN;
        let end = self.offset.saturating_add(header.saturating_add(len));
        self.offset.min(file_len)..end.min(file_len)
    }
}

/// Returns the offset at which the data of an entry begin in `bytes`, which begin with its header.
pub(super) fn data_offset(bytes: &[u8]) -> Result<u64, MetadataError> {
    let header: &[u8; ENTRY_LEN] =
        bytes.first_chunk().ok_or(invalid("an entry of the zip archive is cut off"))?;
    if !is_zip(header) {
        return Err(invalid("the zip archive has no entry where its directory says"));
    }
    Ok(ENTRY_LEN as u64 + u64::from(u16_at(header, 26)) + u64::from(u16_at(header, 28)))
}

/// Returns the range of the directory in a file of `file_len` bytes that ends with `end`.
pub(super) fn locate(end: &[u8], file_len: u64) -> Result<Range<u64>, MetadataError> {
    let missing = || invalid("the zip archive has no directory at its end");
    let is_end = |&at: &usize| {
        let comment_len = usize::from(u16_at(end, at + 20));
        end[at..].starts_with(&END) && at + END_LEN + comment_len == end.len()
    };
    let last = end.len().checked_sub(END_LEN).ok_or_else(missing)?;
    let at = (0..=last).rev().find(is_end).ok_or_else(missing)?;
    let end_offset = file_len - (end.len() - at) as u64;
    let range = match end64(end, at) {
        Some(range) => range,
        None => range(u32_at(end, at + 16).into(), u32_at(end, at + 12).into()),
    };
    let range = range.filter(|range| range.end <= end_offset).ok_or_else(missing)?;
    match range.end - range.start {
        len if len > MAX_DIRECTORY_LEN => Err(MetadataError::HeaderTooLong { len }),
        _ => Ok(range),
    }
}

/// Returns the range in the record for large archives, which may precede the end of the directory
/// at `at`; `None` if there is no such record.
fn end64(end: &[u8], at: usize) -> Option<Option<Range<u64>>> {
    let locator = at.checked_sub(LOCATOR64_LEN).filter(|&at| end[at..].starts_with(&LOCATOR64))?;
    let record = locator.checked_sub(END64_LEN).filter(|&at| end[at..].starts_with(&END64))?;
    Some(range(u64_at(end, record + 48), u64_at(end, record + 40)))
}

fn range(start: u64, len: u64) -> Option<Range<u64>> {
    Some(start..start.checked_add(len)?)
}

/// Returns the entries of a directory that are stored without compression, by their offsets.
pub(super) fn entries(directory: &[u8]) -> Result<Vec<Entry>, MetadataError> {
    let cut = || invalid("the directory of the zip archive is cut off");
    let mut entries = Vec::new();
    let mut rest = directory;
    while !rest.is_empty() {
        let (listed, after) = rest.split_at_checked(LISTED_LEN).ok_or_else(cut)?;
        if !listed.starts_with(&LISTED) {
            return Err(invalid("the directory of the zip archive is malformed"));
        }
        let [name_len, extra_len, comment_len] =
            [28, 30, 32].map(|at| usize::from(u16_at(listed, at)));
        let (name, after) = after.split_at_checked(name_len).ok_or_else(cut)?;
        let (extra, after) = after.split_at_checked(extra_len).ok_or_else(cut)?;
        rest = after.get(comment_len..).ok_or_else(cut)?;
        entries.extend(stored(listed, name, extra));
    }
    entries.sort_by_key(|entry| entry.offset);
    // A short file could otherwise list a long entry many times, and each would be read.
    if entries.windows(2).any(|pair| pair[0].least_end() > pair[1].offset) {
        return Err(invalid("entries of the zip archive overlap"));
    }
    Ok(entries)
}

/// Returns an entry, or `None` if its data are compressed or encrypted.
fn stored(listed: &[u8], name: &[u8], extra: &[u8]) -> Option<Entry> {
    /// Flag of encrypted entries.
    const ENCRYPTED: u16 = 1;
    let is_plain = u16_at(listed, 8) & ENCRYPTED == 0 && u16_at(listed, 10) == 0;
    let name = core::str::from_utf8(name).ok().filter(|_| is_plain)?;
    let mut larger = numbers64(extra);
    // The extra field holds the numbers that do not fit, in this order.
    let mut number = |at| match u32_at(listed, at).into() {
        IN_EXTRA => larger.next(),
        number => Some(number),
    };
    let (len, stored_len, offset) = (number(24)?, number(20)?, number(42)?);
    (len == stored_len).then(|| Entry { name: name.to_string(), offset, len })
}

/// Returns the numbers in the extra field for large entries.
fn numbers64(extra: &[u8]) -> impl Iterator<Item = u64> {
    /// Type of the extra field.
    const LARGE: u16 = 1;
    let mut rest = extra;
    let fields = core::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(4)?;
        let (field, after) = after.split_at_checked(u16_at(head, 2).into())?;
        rest = after;
        Some((u16_at(head, 0), field))
    });
    let found = { fields }.find(|field| field.0 == LARGE).map_or(&[][..], |field| field.1);
    found.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number))
}

/// Returns the number at an offset, or 0 if `bytes` end before.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
