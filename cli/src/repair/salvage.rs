//! Recovers the readable part of a damaged or incomplete file, and reports the lost part.

use std::fmt;

use zipnn::DecodeError;
use zipnn::tensor::Metadata;
use zipnn::tensor::TensorInfo;

use crate::content::data_header::{self, DataHeader};
use crate::content::lost::{self, Lost};
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;

/// Writes the data of a damaged file with zeros for lost ranges, and records these ranges.
#[derive(Debug, Default)]
pub struct Salvage {
    lost: Vec<Lost>,
    /// Number of lost ranges that are not in `lost`.
    more: u64,
    /// The reason why the file ends too early.
    end: Option<DecodeError>,
    /// Number of decoded bytes without wrong checksums.
    saved: u64,
    /// Number of decoded bytes with wrong checksums.
    wrong: u64,
    /// Number of bytes that were written, including zeros.
    written: u64,
    /// Number of lost bytes after the written ones, which become zeros when more data follows.
    owed: u64,
    /// Length of the data, if it is known.
    total: Option<u64>,
}

impl Salvage {
    /// Creates the state for a file that decodes to `total` bytes, if their number is known.
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

    /// Writes the next bytes of the data, which do not match their checksum.
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

    /// Writes zeros for lost bytes, and then the next bytes.
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
        let has_room = self.lost.len() < lost::MAX_LINES;
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

    /// Returns the number of bytes that were written, including zeros for lost bytes.
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

    /// Returns the failure for a file that lost data. `destination` holds the recovered part, if it
    /// was written; `header` is the header of the data.
    pub fn failure(
        &self,
        source: &Endpoint,
        destination: Option<&Endpoint>,
        header: &DataHeader,
    ) -> Failure {
        let layout = header.layout();
        let tensors = layout.map(Metadata::tensors).unwrap_or_default();
        let total = self.total.or_else(|| {
            // Bytes that belong to no tensor may follow the last one.
            layout.map(data_header::end_of).filter(|&end| end >= self.written)
        });
        let lost = if self.wrong > 0 { "lost or wrong" } else { "lost" };
        let message = match (destination, self.is_empty()) {
            (_, true) => "nothing can be recovered: no chunk is intact".to_owned(),
            (Some(destination), false) if total == Some(self.saved) => {
                let upto = self.total.map_or(" up to the end of the last tensor", |_| "");
                format!(
                    "all {} bytes saved in {destination}{upto}, but the end is missing",
                    self.saved
                )
            }
            (Some(destination), false) => {
                format!(
                    "{} saved in {destination}; the rest is {lost}",
                    SavedCount(self.saved, total)
                )
            }
            (None, false) => {
                format!("{} can be recovered; nothing was written", SavedCount(self.saved, total))
            }
        };
        let mut details = self.details(total, tensors);
        if self.written > self.saved + self.wrong {
            details.push("lost bytes before the end of the result are zeros".to_owned());
        }
        Failure::new(source, message).details(details)
    }

    /// Returns lines about the lost ranges, as [`Self::failure`] does.
    pub fn damage(&self, header: &DataHeader) -> Vec<String> {
        let layout = header.layout();
        let tensors = layout.map(Metadata::tensors).unwrap_or_default();
        self.details(self.total, tensors)
    }

    /// Returns lines about the lost ranges. Everything lost after the last written byte is one
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
        let mut lines = lost::describe(inside.chain(at_end), self.more, tensors);
        if lines.is_empty()
            && let Some(error) = self.end
        {
            let data = self.total.map_or("the last tensor", |_| "the data");
            lines.push(format!("{error}; lost: only the end of the file, after {data}"));
        }
        lines
    }
}

/// The number of saved bytes, and of all bytes if it is known.
struct SavedCount(u64, Option<u64>);

impl fmt::Display for SavedCount {
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
        let endpoint = Endpoint::Standard;
        salvage.failure(&endpoint, Some(&endpoint), &DataHeader::default()).to_string()
    }

    #[test]
    fn writes_zeros_for_lost_bytes_between_saved_ones() {
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
        assert_eq!(written, [[1; 10], [0; 10], [2; 10]].concat(), "no zeros at the end");
        assert!(!salvage.is_whole());
        let failure = message(&salvage);
        assert!(failure.contains("20 of 100 bytes saved"), "{failure}");
        assert!(failure.contains("chunk 1: corrupt data; lost: bytes 10 to 20"), "{failure}");
        assert!(failure.contains("chunk 4: corrupt data; lost: bytes 30 to 100"), "{failure}");
    }

    #[test]
    fn lists_a_bounded_number_of_lost_ranges() {
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
