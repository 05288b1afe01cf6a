//! Ranges of data that are lost or wrong, and the tensors in them.

use std::ops::Range;

use zipnn::DecodeError;
use zipnn::tensor::TensorInfo;

use crate::report::units;

/// Maximum number of ranges in a message.
pub const MAX_LINES: usize = 20;

/// A range of the data that is lost or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The first error in the range, with its frame and chunk.
    pub error: DecodeError,
    /// The decoded bytes. The end is `u64::MAX` if it is unknown.
    pub range: Range<u64>,
    /// Whether the bytes are decoded, but do not match their checksum.
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
        let tensors = if names.is_empty() { names } else { format!(", in {names}") };
        format!("{}; {kind}: {range}{tensors}", self.error)
    }
}

/// Returns a line for each of the first ranges, and a line that counts the others. Counts `more`
/// ranges that are not in `lost`.
pub fn describe(
    mut lost: impl Iterator<Item = Lost>,
    more: u64,
    tensors: &[TensorInfo],
) -> Vec<String> {
    let mut lines: Vec<String> =
        lost.by_ref().take(MAX_LINES).map(|lost| lost.describe(tensors)).collect();
    match lost.count() as u64 + more {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines
}
