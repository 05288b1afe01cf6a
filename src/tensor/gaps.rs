//! Bytes of a file that belong to no tensor, and tensors that share bytes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::iter;
use core::ops::Range;

use crate::tensor::error::MetadataError;
use crate::tensor::info::TensorInfo;
use crate::tensor::metadata::Metadata;

impl Metadata {
    /// Returns the ranges after the header that belong to no tensor, in order.
    pub fn gaps(&self) -> impl Iterator<Item = Range<u64>> {
        let end = self.file_len()..self.file_len();
        let mut at = self.data_start();
        self.nonempty_tensors()
            .map(|tensor| tensor.range.clone())
            .chain(iter::once(end))
            .filter_map(move |range| {
                let gap = at..range.start;
                at = at.max(range.end);
                (!gap.is_empty()).then_some(gap)
            })
    }

    /// Returns the tensors that begin within another one.
    pub(crate) fn overlapping_tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        let mut at = self.data_start();
        self.nonempty_tensors().filter(move |tensor| {
            let overlaps = tensor.range.start < at;
            at = at.max(tensor.range.end);
            overlaps
        })
    }

    fn nonempty_tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors().iter().filter(|tensor| !tensor.range.is_empty())
    }

    /// Returns each gap as a `U8` tensor with a name that no tensor of the file has.
    pub(crate) fn gap_tensors(&self) -> Result<Vec<TensorInfo>, MetadataError> {
        if let Some(tensor) = self.overlapping_tensors().next() {
            return Err(MetadataError::SharedBytes { name: tensor.name.clone() });
        }
        let prefix = self.gap_prefix();
        let tensors = self.gaps().zip(0_u64..).map(|(range, number)| {
            TensorInfo::new(format!("{prefix}{number}"), "U8", [range.end - range.start], range)
        });
        Ok(tensors.collect())
    }

    /// Returns the file's tensors and `gaps` in the order of their bytes, and for each whether it
    /// is a gap.
    pub(crate) fn tensors_and_gaps<'l>(
        &'l self,
        gaps: &'l [TensorInfo],
    ) -> Vec<(&'l TensorInfo, bool)> {
        let tensors = self.tensors().iter().map(|tensor| (tensor, false));
        let mut all: Vec<_> = tensors.chain(gaps.iter().map(|gap| (gap, true))).collect();
        all.sort_by_key(|(tensor, _)| (tensor.range.start, tensor.range.end));
        all
    }

    /// Returns the header with a tensor for each gap.
    pub(crate) fn with_gaps(self) -> Result<Self, MetadataError> {
        let gaps = self.gap_tensors()?;
        Ok(self.with_tensors(gaps))
    }

    /// Returns a prefix for the names of gaps that no tensor's name has.
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
