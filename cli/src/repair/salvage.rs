//! Saving the readable part of a file that is damaged or was cut off, and reporting the lost part.

use std::fmt;
use std::ops::Range;

use zipnn::DecodeError;
use zipnn::tensor::TensorInfo;
use zipnn::tensor::safetensors::Metadata;

use crate::content::data_header::{self, DataHeader};
use crate::fs::endpoint::Place;
use crate::report::failure::Failure;
use crate::report::units;

/// Most lost ranges in a message.
const MOST_LINES: usize = 20;

/// A range of the data that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The first error in the range, with its frame and chunk.
    pub error: DecodeError,
    /// The decoded bytes. The end is `u64::MAX` if it is unknown.
    pub range: Range<u64>,
    /// Whether the bytes are decoded, and do not have their checksum.
    pub is_wrong: bool,
}

impl Lost {
    /// Returns a line that names the error, the range, and the tensors in it.
    pub fn describe(&self, tensors: &[TensorInfo]) -> String {
        let Range { start, end } = self.range;
        let is_touched =
            |tensor: &&TensorInfo| tensor.range.start < end && start < tensor.range.end;
        let names = units::list(tensors.iter().filter(is_touched).map(|tensor| &tensor.name));
        let kind = if self.is_wrong { "wrong" } else { "lost" };
        let range = match end {
            u64::MAX => format!("everything from byte {start} on"),
            _ => format!("bytes {start} to {end}"),
        };
        let place = if names.is_empty() { names } else { format!(", in {names}") };
        format!("{}; {kind}: {range}{place}", self.error)
    }
}

/// Returns a line for each of the first ranges, and one with the number of the others. `more`
/// ranges are not in `lost`, and counted as well.
pub fn describe(
    mut lost: impl Iterator<Item = Lost>,
    more: u64,
    tensors: &[TensorInfo],
) -> Vec<String> {
    let mut lines: Vec<String> =
        lost.by_ref().take(MOST_LINES).map(|lost| lost.describe(tensors)).collect();
    match lost.count() as u64 + more {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines
}

/// Writes the data of a damaged file, with zeros for lost ranges, and records those ranges.
#[derive(Debug, Default)]
pub struct Salvage {
    lost: Vec<Lost>,
    /// Number of lost ranges that are not in `lost`.
    more: u64,
    /// Why the file ends too early, if it does.
    end: Option<DecodeError>,
    /// Bytes that were decoded, without those with wrong checksums.
    saved: u64,
    /// Bytes with wrong checksums.
    wrong: u64,
    /// Bytes that were written, zeros included.
    written: u64,
    /// Lost bytes after these. Zeros are written for them once more data follows.
    owed: u64,
    /// Length of the data, if the file says it.
    total: Option<u64>,
}

impl Salvage {
    /// Creates the state for a file that decodes to `total` bytes, if that is known.
    pub fn new(total: Option<u64>) -> Self {
        Self { total, ..Self::default() }
    }

    /// Writes the next bytes of the data.
    pub fn save(
        &mut self,
        bytes: &[u8],
        write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.put(bytes, write)?;
        self.saved += bytes.len() as u64;
        Ok(())
    }

    /// Writes the next bytes of the data, which do not have their checksum.
    pub fn save_wrong(
        &mut self,
        bytes: &[u8],
        error: DecodeError,
        write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.put(bytes, write)?;
        let range = self.written - bytes.len() as u64..self.written;
        self.record(Lost { error, range, is_wrong: true });
        self.wrong += bytes.len() as u64;
        Ok(())
    }

    /// Writes the next bytes, behind zeros for what is lost before them.
    fn put(
        &mut self,
        bytes: &[u8],
        write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.fill(write)?;
        write(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes zeros for a lost range at the end, so that the result has the length of the data.
    /// Writes nothing if the file was cut off.
    pub fn finish(
        &mut self,
        write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.end.is_some() || self.is_empty() {
            return Ok(());
        }
        self.fill(write)
    }

    fn fill(
        &mut self,
        write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        while self.owed > 0 {
            let part = &ZEROS[..self.owed.min(ZEROS.len() as u64) as usize];
            write(part)?;
            self.owed -= part.len() as u64;
            self.written += part.len() as u64;
        }
        Ok(())
    }

    /// Records that the next `len` bytes of the data are lost.
    pub fn lose(&mut self, len: u64, error: DecodeError) {
        if len == 0 {
            return;
        }
        let start = self.written.saturating_add(self.owed);
        let end = start.saturating_add(len);
        self.owed = self.owed.saturating_add(len);
        self.record(Lost { error, range: start..end, is_wrong: false });
    }

    /// Adds a range to the list, or to the last range of the list.
    fn record(&mut self, lost: Lost) {
        let has_room = self.lost.len() < MOST_LINES;
        match self.lost.last_mut() {
            Some(last) if last.range.end == lost.range.start && last.is_wrong == lost.is_wrong => {
                last.range.end = lost.range.end;
            }
            _ if has_room => self.lost.push(lost),
            _ => self.more += 1,
        }
    }

    /// Records why the file ends too early.
    pub fn end(&mut self, error: DecodeError) {
        self.end = Some(error);
    }

    /// Returns how many bytes have been written, zeros for lost ones included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Returns whether nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.end.is_none()
    }

    /// Returns whether no chunk could be decoded.
    pub fn is_empty(&self) -> bool {
        self.saved == 0 && self.wrong == 0
    }

    /// Returns the message for a file of which a part is lost. `destination` holds the other part,
    /// if it has been written; `header` is the header of the data.
    pub fn failure(
        &self,
        source: &Place,
        destination: Option<&Place>,
        header: &DataHeader,
    ) -> Failure {
        let layout = header.layout();
        let tensors = layout.as_ref().map(Metadata::tensors).unwrap_or_default();
        let total = self.total.or_else(|| {
            // Bytes that belong to no tensor may follow the last one.
            layout.as_ref().map(data_header::end_of).filter(|&end| end >= self.written)
        });
        let lost = if self.wrong > 0 { "lost or wrong" } else { "lost" };
        let message = match (destination, self.is_empty()) {
            (_, true) => "nothing of it can be saved: no chunk is whole".to_owned(),
            (Some(destination), false) if total == Some(self.saved) => {
                let upto = self.total.map_or(" up to the end of the last tensor", |_| "");
                format!(
                    "all {} bytes saved in {destination}{upto}, but the end is missing",
                    self.saved
                )
            }
            (Some(destination), false) => {
                format!("{} saved in {destination}; the rest is {lost}", Saved(self.saved, total))
            }
            (None, false) => {
                format!("{} could be saved; nothing has been written", Saved(self.saved, total))
            }
        };
        let mut details = self.details(total, tensors);
        if self.written > self.saved + self.wrong {
            details.push("in the result, lost bytes are zeros up to where it ends".to_owned());
        }
        Failure::new(source, message).details(details)
    }

    /// Returns lines about the lost ranges, as [`Self::failure`] has them.
    pub fn damage(&self, header: &DataHeader) -> Vec<String> {
        let layout = header.layout();
        let tensors = layout.as_ref().map(Metadata::tensors).unwrap_or_default();
        self.details(self.total, tensors)
    }

    /// Returns lines about the lost ranges. All that is lost after the last written byte is one
    /// range.
    fn details(&self, total: Option<u64>, tensors: &[TensorInfo]) -> Vec<String> {
        let is_inside = |lost: &&Lost| lost.range.start < self.written;
        let inside = self.lost.iter().filter(is_inside).cloned();
        let at_end = self.lost.iter().find(|lost| !is_inside(lost)).map(|lost| lost.error);
        let at_end = at_end.or(self.end).map(|error| {
            let end = total.filter(|&total| total >= self.written);
            let range = self.written..end.unwrap_or(u64::MAX);
            Lost { error, range, is_wrong: false }
        });
        let at_end = at_end.filter(|lost| !lost.range.is_empty());
        let mut lines = describe(inside.chain(at_end), self.more, tensors);
        if lines.is_empty()
            && let Some(error) = self.end
        {
            let data = self.total.map_or("the last tensor", |_| "the data");
            lines.push(format!("{error}; lost: nothing but the end of the file, behind {data}"));
        }
        lines
    }
}

/// The number of saved bytes, and of all bytes, if that is known.
struct Saved(u64, Option<u64>);

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(total) => write!(f, "{} of {total} bytes", self.0),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use zipnn::DecodeErrorKind;

    use super::*;

    fn error(chunk: u64) -> DecodeError {
        DecodeError::from(DecodeErrorKind::CorruptStream).in_frame(0).in_chunk(chunk)
    }

    fn message(salvage: &Salvage) -> String {
        let place = Place::Standard;
        salvage.failure(&place, Some(&place), &DataHeader::default()).to_string()
    }

    #[test]
    fn zeros_keep_the_place_of_what_is_lost() {
        let mut salvage = Salvage::new(Some(100));
        let mut written = Vec::new();
        let mut write = |bytes: &[u8]| {
            written.extend_from_slice(bytes);
            Ok(())
        };
        salvage.save(&[1; 10], &mut write).unwrap();
        salvage.lose(5, error(1));
        salvage.lose(5, error(2));
        salvage.save(&[2; 10], &mut write).unwrap();
        salvage.lose(10, error(4));
        salvage.end(error(5));
        salvage.finish(&mut write).unwrap();
        assert_eq!(written, [[1; 10], [0; 10], [2; 10]].concat(), "and none at the end");
        assert!(!salvage.is_whole());
        let failure = message(&salvage);
        assert!(failure.contains("20 of 100 bytes saved"), "{failure}");
        assert!(failure.contains("chunk 1: corrupt data; lost: bytes 10 to 20"), "{failure}");
        assert!(failure.contains("chunk 4: corrupt data; lost: bytes 30 to 100"), "{failure}");
    }

    #[test]
    fn the_list_of_what_is_lost_is_bounded() {
        let mut salvage = Salvage::default();
        for number in 0..100_000 {
            salvage.lose(1, error(number));
            salvage.save(&[1], &mut |_| Ok(())).unwrap();
        }
        let failure = message(&salvage);
        assert!(failure.lines().count() < 30, "{failure}");
        assert!(failure.contains("and 99980 more"), "{failure}");
    }
}
