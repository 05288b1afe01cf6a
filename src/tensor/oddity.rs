//! What loaders accept in a `.safetensors` file though the reference library refuses it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::{fmt, iter};

use crate::tensor::metadata::{Metadata, MetadataError, TensorInfo};

/// Something in a `.safetensors` file that many loaders accept, and the reference library does not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// Zero bytes pad the header instead of blanks.
    ZeroPadding {
        /// How many zero bytes.
        len: u64,
    },
    /// Bytes before a tensor belong to no tensor.
    Gap {
        /// Which bytes of the file.
        range: Range<u64>,
    },
    /// Bytes behind the last tensor belong to no tensor.
    TrailingBytes {
        /// How many bytes.
        len: u64,
    },
    /// A tensor begins within another one.
    SharedBytes {
        /// The tensor's name.
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
                write!(f, "{len} bytes behind the last tensor belong to no tensor")
            }
            Self::SharedBytes { name } => {
                write!(f, "tensor {name:?} shares bytes with another tensor")
            }
        }
    }
}

impl Metadata {
    /// Returns everything for which the reference library refuses the file.
    ///
    /// ```
    /// use zipnn::tensor::{Metadata, Oddity};
    ///
    /// let header = b"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}\0";
    /// let mut file = (header.len() as u64).to_le_bytes().to_vec();
    /// file.extend_from_slice(header);
    /// file.extend_from_slice(&[0; 4]);
    ///
    /// let layout = Metadata::parse(&file, file.len() as u64)?;
    /// let start = layout.data_start();
    /// assert!(layout.oddities().eq([
    ///     Oddity::ZeroPadding { len: 1 },
    ///     Oddity::Gap { range: start..start + 1 },
    ///     Oddity::TrailingBytes { len: 1 },
    /// ]));
    /// # Ok::<(), zipnn::tensor::MetadataError>(())
    /// ```
    pub fn oddities(&self) -> impl Iterator<Item = Oddity> {
        let len = self.zero_padding;
        let padding = (len > 0).then_some(Oddity::ZeroPadding { len });
        let gaps = self.gaps().map(|range| match range.end == self.file_len {
            true => Oddity::TrailingBytes { len: range.end - range.start },
            false => Oddity::Gap { range },
        });
        let shared = self.shared().map(|tensor| Oddity::SharedBytes { name: tensor.name.clone() });
        padding.into_iter().chain(gaps).chain(shared)
    }

    /// Returns the bytes behind the header that belong to no tensor, in order.
    pub fn gaps(&self) -> impl Iterator<Item = Range<u64>> {
        let end = self.file_len..self.file_len;
        let mut at = self.data_start();
        self.filled().map(|tensor| tensor.range.clone()).chain(iter::once(end)).filter_map(
            move |range| {
                let gap = at..range.start;
                at = at.max(range.end);
                (!gap.is_empty()).then_some(gap)
            },
        )
    }

    /// Returns the tensors that begin within another one.
    fn shared(&self) -> impl Iterator<Item = &TensorInfo> {
        let mut at = self.data_start();
        self.filled().filter(move |tensor| {
            let is_shared = tensor.range.start < at;
            at = at.max(tensor.range.end);
            is_shared
        })
    }

    /// Returns the tensors that have bytes.
    fn filled(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors().iter().filter(|tensor| !tensor.range.is_empty())
    }
}

impl Metadata {
    /// Returns each gap as a tensor of bytes with a name that no tensor has.
    pub(crate) fn gap_tensors(&self) -> Result<Vec<TensorInfo>, MetadataError> {
        if let Some(tensor) = self.shared().next() {
            return Err(MetadataError::SharedBytes { name: tensor.name.clone() });
        }
        let prefix = self.gap_prefix();
        let tensors = self.gaps().zip(0_u64..).map(|(range, number)| {
            let (name, shape) = (format!("{prefix}{number}"), [range.end - range.start].into());
            TensorInfo { name, dtype: "U8".into(), shape, range }
        });
        Ok(tensors.collect())
    }

    /// Returns all that follows the header, each byte once: tensors and gaps, and which it is.
    pub(crate) fn pieces<'l>(&'l self, gaps: &'l [TensorInfo]) -> Vec<(&'l TensorInfo, bool)> {
        let tensors = self.tensors().iter().map(|tensor| (tensor, false));
        let mut pieces: Vec<_> = tensors.chain(gaps.iter().map(|gap| (gap, true))).collect();
        pieces.sort_by_key(|(tensor, _)| (tensor.range.start, tensor.range.end));
        pieces
    }

    /// Returns the layout with all gaps as tensors.
    pub(crate) fn with_gaps(mut self) -> Result<Self, MetadataError> {
        let gaps = self.gap_tensors()?;
        self.tensors.extend(gaps);
        self.tensors.sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
        Ok(self)
    }

    /// Returns what the names of gaps begin with, and no tensor's name does.
    fn gap_prefix(&self) -> String {
        const PREFIX: &str = "zipnn_gap";
        let underscores = |tensor: &TensorInfo| {
            let rest = tensor.name.strip_prefix(PREFIX)?;
            Some(rest.bytes().take_while(|&byte| byte == b'_').count())
        };
        let longest = self.tensors().iter().filter_map(underscores).max().unwrap_or_default();
        format!("{PREFIX}{}", "_".repeat(longest + 1))
    }
}
