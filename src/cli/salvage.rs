//! What is saved of a file that is damaged or was cut off, and what of it is lost.

use std::fmt;
use std::ops::Range;

use zipnn::DecodeError;
use zipnn::safetensors::{Layout, Tensor};

use super::failure::Failure;
use super::names::Place;
use super::units;

/// Most lines about what is lost.
const MOST_LINES: usize = 20;
/// Most names of tensors in a line.
const MOST_NAMES: usize = 8;

/// Decoded bytes that are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Why, and in which frame and chunk; of several that follow one another, the first reason.
    pub error: DecodeError,
    /// Which; to the end of all numbers where the end is not known.
    pub range: Range<u64>,
}

impl Lost {
    /// A line about it, with the names of the tensors that it is part of.
    pub fn describe(&self, tensors: &[Tensor]) -> String {
        let Range { start, end } = self.range;
        let is_touched = |tensor: &&Tensor| tensor.range.start < end && start < tensor.range.end;
        let mut names = tensors.iter().filter(is_touched).map(|tensor| units::name(&tensor.name));
        let listed: Vec<String> = names.by_ref().take(MOST_NAMES).collect();
        let mut text = match end {
            u64::MAX => format!("{}; lost: everything from byte {start} on", self.error),
            _ => format!("{}; lost: bytes {start} to {end}", self.error),
        };
        if !listed.is_empty() {
            text += &format!(", in {}", listed.join(", "));
        }
        match names.count() {
            0 => text,
            more => format!("{text} and {more} more"),
        }
    }
}

/// A line about each of these ranges, as long as there are not too many; and one about how many more
/// there are, with `more` that are not among them.
pub fn describe(
    mut lost: impl Iterator<Item = Lost>,
    more: u64,
    tensors: &[Tensor],
) -> Vec<String> {
    let mut lines: Vec<String> =
        lost.by_ref().take(MOST_LINES).map(|lost| lost.describe(tensors)).collect();
    match lost.count() as u64 + more {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines
}

/// Puts zeros in the place of what is lost, and remembers what that is.
#[derive(Debug, Default)]
pub struct Salvage {
    lost: Vec<Lost>,
    /// How many ranges were lost that are not in the list.
    more: u64,
    /// Why nothing more can be found, if that is so.
    end: Option<DecodeError>,
    /// Decoded bytes that are right, as far as that can be said.
    saved: u64,
    /// Bytes that were handed on, zeros included.
    written: u64,
    /// Lost bytes behind them, for which zeros are written once anything follows.
    owed: u64,
    header: HeaderBytes,
    /// Length of the data, where the file says it.
    total: Option<u64>,
}

impl Salvage {
    /// Of a file that decodes to `total` bytes, if that is known.
    pub fn new(total: Option<u64>) -> Self {
        Self { total, ..Self::default() }
    }

    /// Hands on the next bytes of the data.
    pub fn save(
        &mut self,
        bytes: &[u8],
        write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.fill(write)?;
        self.header.push(bytes);
        write(bytes)?;
        self.saved += bytes.len() as u64;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Fills up what is lost at the end of a file of which all frames have been found, so that the
    /// result has the length of the data.
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
            self.header.push(part);
            write(part)?;
            self.owed -= part.len() as u64;
            self.written += part.len() as u64;
        }
        Ok(())
    }

    /// Takes note that the next `len` bytes of the data are lost.
    pub fn lose(&mut self, len: u64, error: DecodeError) {
        if len == 0 {
            return;
        }
        let start = self.written.saturating_add(self.owed);
        let end = start.saturating_add(len);
        self.owed = self.owed.saturating_add(len);
        let has_room = self.lost.len() < MOST_LINES;
        match self.lost.last_mut() {
            Some(last) if last.range.end == start => last.range.end = end,
            _ if has_room => self.lost.push(Lost { error, range: start..end }),
            _ => self.more += 1,
        }
    }

    /// Takes note that nothing more can be found, for this reason.
    pub fn end(&mut self, error: DecodeError) {
        self.end = Some(error);
    }

    /// Whether nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.end.is_none()
    }

    /// Whether nothing is saved.
    pub fn is_empty(&self) -> bool {
        self.saved == 0
    }

    /// What to say of a file that is not whole, of which the rest is saved in `destination`; nothing
    /// has been written without one.
    pub fn failure(&self, source: &Place, destination: Option<&Place>) -> Failure {
        let layout = self.header.layout();
        let tensors = layout.as_ref().map(Layout::tensors).unwrap_or_default();
        let total = self.total.or_else(|| layout.as_ref().map(end_of));
        let message = match (destination, self.is_empty()) {
            (_, true) => "nothing of it can be saved: no chunk is whole".to_owned(),
            (Some(destination), false) if total == Some(self.saved) => {
                format!("all {} bytes saved in {destination}, but the end is missing", self.saved)
            }
            (Some(destination), false) => {
                format!("{} saved in {destination}; the rest is lost", Saved(self.saved, total))
            }
            (None, false) => {
                format!("{} could be saved; nothing has been written", Saved(self.saved, total))
            }
        };
        Failure::new(source, message).details(self.details(total, tensors))
    }

    /// Lines about what is lost. What is lost at the end is one range, whatever it is made of.
    fn details(&self, total: Option<u64>, tensors: &[Tensor]) -> Vec<String> {
        let is_inside = |lost: &&Lost| lost.range.start < self.written;
        let inside = self.lost.iter().filter(is_inside).cloned();
        let at_end = self.lost.iter().find(|lost| !is_inside(lost)).map(|lost| lost.error);
        let at_end = at_end.or(self.end).map(|error| {
            let end = total.filter(|&total| total >= self.written);
            Lost { error, range: self.written..end.unwrap_or(u64::MAX) }
        });
        let at_end = at_end.filter(|lost| !lost.range.is_empty());
        let mut lines = describe(inside.chain(at_end), self.more, tensors);
        if lines.is_empty()
            && let Some(error) = self.end
        {
            lines.push(format!("{error}; lost: nothing but the end of the file, behind the data"));
        }
        if self.written > self.saved {
            lines.push("in the result, these bytes are zeros up to where it ends".to_owned());
        }
        lines
    }
}

/// Where the last tensor ends.
pub fn end_of(layout: &Layout) -> u64 {
    let ends = layout.tensors().iter().map(|tensor| tensor.range.end);
    ends.max().unwrap_or(layout.data_start())
}

/// How much is saved, of how much.
struct Saved(u64, Option<u64>);

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(total) => write!(f, "{} of {total} bytes", self.0),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// The beginning of the data: the header of a `.safetensors` file, if it begins as one.
#[derive(Debug, Default)]
struct HeaderBytes(Vec<u8>);

impl HeaderBytes {
    const LENGTH_LEN: usize = 8;

    fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        // First the length of the header, then as much as that says.
        while let Some(missing) = self.missing().filter(|&missing| missing > 0) {
            let (part, behind) = rest.split_at(missing.min(rest.len()));
            self.0.extend_from_slice(part);
            rest = behind;
            if part.is_empty() {
                return;
            }
        }
    }

    /// How many bytes are missing; `None` if it is no such header.
    fn missing(&self) -> Option<usize> {
        let Some(len) = self.0.first_chunk().copied().map(u64::from_le_bytes) else {
            return Some(Self::LENGTH_LEN - self.0.len());
        };
        let is_header = len <= Layout::MAX_HEADER_LEN
            && self.0.get(Self::LENGTH_LEN).is_none_or(|&byte| byte == b'{');
        let needed = Self::LENGTH_LEN + usize::try_from(len).ok()?;
        is_header.then(|| needed.saturating_sub(self.0.len()))
    }

    fn layout(&self) -> Option<Layout> {
        Layout::parse_header(&self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zipnn::DecodeErrorKind;

    fn error(chunk: u64) -> DecodeError {
        DecodeError::from(DecodeErrorKind::CorruptStream).in_frame(0).in_chunk(chunk)
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
        let failure = salvage.failure(&Place::Standard, Some(&Place::Standard)).to_string();
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
        let failure = salvage.failure(&Place::Standard, Some(&Place::Standard)).to_string();
        assert!(failure.lines().count() < 30, "{failure}");
        assert!(failure.contains("and 99980 more"), "{failure}");
    }

    #[test]
    fn the_header_takes_no_more_than_it_has() {
        let json = br#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
        let file = [&(json.len() as u64).to_le_bytes()[..], json, &[7; 1000]].concat();
        for step in [1, 7, 5000] {
            let mut header = HeaderBytes::default();
            file.chunks(step).for_each(|part| header.push(part));
            assert_eq!(header.0.len(), 8 + json.len());
            assert_eq!(end_of(&header.layout().unwrap()), header.0.len() as u64 + 4);
        }
        let mut header = HeaderBytes::default();
        header.push(&[b'x'; 5000]);
        assert_eq!(header.0.len(), 8);
    }
}
