//! Deviations from the format that many loaders accept and the reference library rejects.

use alloc::string::String;
use core::fmt;
use core::ops::Range;

use crate::tensor::metadata::Metadata;

/// Deviation of a `.safetensors` file that many loaders accept and the reference library rejects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// The header is padded with zero bytes instead of blanks.
    ZeroPadding {
        /// Number of zero bytes.
        len: u64,
    },
    /// Bytes before a tensor belong to no tensor.
    Gap {
        /// Bytes of the file.
        range: Range<u64>,
    },
    /// Bytes after the last tensor belong to no tensor.
    TrailingBytes {
        /// Number of bytes.
        len: u64,
    },
    /// A tensor begins within another one.
    SharedBytes {
        /// Name of the tensor.
        name: String,
    },
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroPadding { len } => {
                write!(f, "{len} zero bytes pad the header, where blanks belong")
            }
            Self::Gap { range } => write!(
                f,
                "{} bytes at {} belong to no tensor",
                range.end - range.start,
                range.start
            ),
            Self::TrailingBytes { len } => {
                write!(f, "{len} bytes after the last tensor belong to no tensor")
            }
            Self::SharedBytes { name } => {
                write!(f, "tensor {name:?} shares bytes with another tensor")
            }
        }
    }
}

impl Metadata {
    /// Returns all reasons why the reference library rejects the file.
    ///
    /// ```
    /// use zipnn::tensor::{Metadata, Oddity};
    ///
    /// let header = b"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}\0";
    /// let mut file = (header.len() as u64).to_le_bytes().to_vec();
    /// file.extend_from_slice(header);
    /// file.extend_from_slice(&[0; 4]);
    ///
    /// let metadata = Metadata::parse(&file, file.len() as u64)?;
    /// let start = metadata.data_start();
    /// assert!(metadata.oddities().eq([
    ///     Oddity::ZeroPadding { len: 1 },
    ///     Oddity::Gap { range: start..start + 1 },
    ///     Oddity::TrailingBytes { len: 1 },
    /// ]));
    /// # Ok::<(), zipnn::tensor::MetadataError>(())
    /// ```
    pub fn oddities(&self) -> impl Iterator<Item = Oddity> {
        let len = self.zero_padding;
        let padding = (len > 0).then_some(Oddity::ZeroPadding { len });
        let gaps = self.gaps().filter(|range| !self.is_expected(range)).map(|range| {
            match range.end == self.file_len() {
                true => Oddity::TrailingBytes { len: range.end - range.start },
                false => Oddity::Gap { range },
            }
        });
        let shared = self
            .overlapping_tensors()
            .filter(|_| !self.is_scattered)
            .map(|tensor| Oddity::SharedBytes { name: tensor.name.clone() });
        padding.into_iter().chain(gaps).chain(shared)
    }
}
