//! Compares the report of a batch with what its file promises.

use alloc::vec::Vec;

use crate::checksum;
use crate::error::{DecodeError, DecodeErrorKind, Location};

/// The state of a coded plane that the shader has decoded without an error.
const GOOD: u32 = 1;
/// The bits of a state that hold it. The others count how often threads decoded again.
const STATE: u32 = 0xffff;
/// The longest chunk, in bytes, whose checksum the processor computes.
///
/// XXH3 treats longer inputs in another way, which is the only one that the shader knows.
pub(crate) const MAX_SMALL_CHUNK: u64 = 240;

/// What a part of a report must contain.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// The state of a decoded plane.
    Decoded,
    /// A checksum, as two words.
    Checksum(u64),
    /// So many bytes with this checksum.
    Bytes(u32, u64),
}

impl Expected {
    /// Returns the number of words in the report.
    const fn words(self) -> u32 {
        match self {
            Self::Decoded => 1,
            Self::Checksum(_) => 2,
            Self::Bytes(len, _) => len.div_ceil(4),
        }
    }
}

/// What the report of a batch must contain for its data to be right.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    checks: Vec<(Expected, Location)>,
    words: u32,
}

impl Checks {
    /// Returns the length of the report in bytes.
    pub fn report_len(&self) -> u64 {
        u64::from(self.words) * 4
    }

    /// Expects a decoded plane, and returns its word in the report.
    pub(crate) fn push_plane(&mut self, location: Location) -> u32 {
        self.push(Expected::Decoded, location)
    }

    /// Expects the checksum of a chunk of `len` bytes, and returns its first word in the report.
    pub(crate) fn push_checksum(&mut self, checksum: u64, len: u64, location: Location) -> u32 {
        let expected = match len {
            0..=MAX_SMALL_CHUNK => Expected::Bytes(len as u32, checksum),
            _ => Expected::Checksum(checksum),
        };
        self.push(expected, location)
    }

    fn push(&mut self, expected: Expected, location: Location) -> u32 {
        let at = self.words;
        self.words += expected.words();
        self.checks.push((expected, location));
        at
    }

    /// Checks a report, which the passes of the batch have filled.
    ///
    /// # Errors
    ///
    /// `CorruptStream` and `ChecksumMismatch`, with frame, chunk and plane; `Truncated` if the
    /// report has not [`Self::report_len`] bytes.
    pub fn verify(&self, report: &[u8]) -> Result<(), DecodeError> {
        let (needed, have) = (self.report_len(), report.len() as u64);
        if have < needed {
            return Err(DecodeErrorKind::Truncated { needed, have }.into());
        }
        let mut rest = report;
        for &(expected, location) in &self.checks {
            let (words, behind) = rest.split_at(expected.words() as usize * 4);
            rest = behind;
            let fault = match expected {
                Expected::Decoded if number(words) & u64::from(STATE) != u64::from(GOOD) => {
                    DecodeErrorKind::CorruptStream
                }
                Expected::Checksum(checksum) if number(words) != checksum => {
                    DecodeErrorKind::ChecksumMismatch
                }
                Expected::Bytes(len, checksum)
                    if !checksum::matches(&words[..len as usize], checksum) =>
                {
                    DecodeErrorKind::ChecksumMismatch
                }
                _ => continue,
            };
            return Err(DecodeError::from(fault).at(location));
        }
        Ok(())
    }

    /// Returns how many times threads decoded their part of a stream again, because it did not begin
    /// where the part before ended.
    pub fn repeats(&self, report: &[u8]) -> u64 {
        let mut repeats = 0;
        let mut at = 0;
        for &(expected, _) in &self.checks {
            if let (Expected::Decoded, Some(word)) = (expected, report.get(at..at + 4)) {
                repeats += number(word) >> 16;
            }
            at += expected.words() as usize * 4;
        }
        repeats
    }
}

/// Returns one or two words of a report as a number.
fn number(words: &[u8]) -> u64 {
    words.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
