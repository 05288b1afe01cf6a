//! The header and the order of tensors of a decompressed file.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use crate::checksum;
use crate::error::DecodeErrorKind;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::checksums::CHECKSUMS;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::header_form::{HeaderForm, SOURCE_HEADER};
use crate::tensor::inside::list::LIST;
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::metadata::Metadata;
use crate::tensor::safetensors;
use crate::tensor::safetensors::write::{self, Entry};

/// Describes the file that results from decoding all tensors of a reader.
///
/// The file consists of [`header`](Self::header) and the decoded tensors in
/// [`order`](Self::order).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoredHeader {
    /// First bytes of the file: the length of the header, and the header.
    pub header: Vec<u8>,
    /// Indices into [`TensorReader::tensors`] of everything after the header, in order.
    ///
    /// There are no gaps between these tensors. Some can be bytes that belong to no tensor.
    ///
    /// [`TensorReader::tensors`]: crate::tensor::inside::TensorReader::tensors
    pub order: Vec<usize>,
    /// Indices into [`TensorReader::tensors`] of the tensors that the header lists, in order.
    ///
    /// [`TensorReader::tensors`]: crate::tensor::inside::TensorReader::tensors
    pub tensors: Vec<usize>,
    /// Whether the file equals the one that was compressed, byte for byte.
    ///
    /// If `false`, names, types, shapes, data and metadata are the same. If the reader's
    /// [`is_ours`] returns `true` nevertheless, the header has been changed since compression.
    ///
    /// [`is_ours`]: crate::tensor::inside::TensorReader::is_ours
    pub is_exact: bool,
}

/// A file with compressed tensors as far as it determines the restored header.
#[derive(Clone, Copy)]
pub(crate) struct Compressed<'f> {
    pub(crate) metadata: &'f Metadata,
    pub(crate) tensors: &'f [StoredTensor],
    /// Checksum of the source's header, if the file has one.
    pub(crate) source_header: Option<u64>,
}

impl Compressed<'_> {
    /// Returns the header of the source, or `None` if the file does not contain it, or contains one
    /// that does not match its tensors and metadata.
    pub(crate) fn source_header(&self) -> Option<RestoredHeader> {
        let text = self.metadata.metadata().get(SOURCE_HEADER)?;
        // `TensorWriter` writes files without oddities.
        if self.metadata.oddities().next().is_some() {
            return None;
        }
        match HeaderForm::parse(text) {
            Some(form) => self.described_header(form),
            None => self.copied_header(text),
        }
    }

    /// Returns the source's header from the description of its form, if it describes these tensors.
    fn described_header(&self, form: HeaderForm) -> Option<RestoredHeader> {
        let mut at = 0_u64;
        let entries = self.tensors.iter().map(|tensor| {
            let entry = tensor.entry(at);
            at = entry.data_offsets[1];
            entry
        });
        let json = form.render(&source_metadata(self.metadata), entries);
        let json = json.filter(|json| self.has_checksum_of(json))?;
        let order: Vec<usize> = (0..self.tensors.len()).collect();
        let tensors = order.clone();
        Some(RestoredHeader { header: with_len(&json), tensors, order, is_exact: true })
    }

    /// Returns the source's header from its text, if it describes these tensors and metadata.
    fn copied_header(&self, json: &str) -> Option<RestoredHeader> {
        if !self.has_checksum_of(json) {
            return None;
        }
        let header = with_len(json);
        let mut lens = self.tensors.iter().map(|tensor| tensor.decoded_len);
        let data_len = lens.try_fold(0_u64, u64::checked_add)?;
        let source =
            safetensors::parse(&header, data_len.checked_add(header.len() as u64)?).ok()?;
        // The writer adds this key, besides those that describe the compressed tensors.
        let mut expected = source_metadata(&source);
        expected.entry("format".into()).or_insert_with(|| "pt".into());
        if expected != source_metadata(self.metadata) {
            return None;
        }
        let gaps = source.gap_tensors().ok()?;
        let all = source.tensors_and_gaps(&gaps);
        let order = self.order_of(&all)?;
        let is_tensor = all.iter().map(|(_, is_gap)| !is_gap);
        let tensors = order.iter().zip(is_tensor).filter(|(_, is_tensor)| *is_tensor);
        let tensors = tensors.map(|(&number, _)| number).collect();
        Some(RestoredHeader { header, order, tensors, is_exact: true })
    }

    /// Returns the indices of `expected` among the tensors, or `None` if these are not the same.
    fn order_of(&self, expected: &[(&TensorInfo, bool)]) -> Option<Vec<usize>> {
        if expected.len() != self.tensors.len() {
            return None;
        }
        let numbers: BTreeMap<&str, usize> =
            self.tensors.iter().zip(0..).map(|(tensor, number)| (&*tensor.name, number)).collect();
        let order = expected.iter().map(|(expected, _)| {
            let number = *numbers.get(&*expected.name)?;
            let found = &self.tensors[number];
            let is_same = found.dtype == expected.dtype
                && found.shape == expected.shape
                && found.decoded_len == expected.len();
            is_same.then_some(number)
        });
        order.collect()
    }

    /// Returns whether the checksum of the source's header matches `json`. `true` without one.
    fn has_checksum_of(&self, json: &str) -> bool {
        self.source_header.is_none_or(|expected| checksum::matches(json.as_bytes(), expected))
    }

    /// Returns a new header for the tensors in the order in which the safetensors library writes
    /// them. Omits bytes that belong to no tensor.
    pub(crate) fn new_header(&self) -> Result<RestoredHeader, TensorError> {
        let is_tensor = |&number: &usize| !self.tensors[number].is_gap;
        let mut order: Vec<usize> = (0..self.tensors.len()).filter(is_tensor).collect();
        order.sort_by_cached_key(|&number| {
            let tensor = &self.tensors[number];
            (write::rank(&tensor.dtype), tensor.name.clone())
        });
        let mut at = 0_u64;
        let entries = order.iter().map(|&number| {
            let tensor = &self.tensors[number];
            let entry = tensor.entry(at);
            at = at.checked_add(tensor.decoded_len).ok_or_else(|| TensorError::Decode {
                name: tensor.name.clone(),
                error: DecodeErrorKind::InvalidLength.into(),
            })?;
            Ok(entry)
        });
        let entries: Vec<Entry<'_>> = entries.collect::<Result<_, TensorError>>()?;
        let json = write::json(&source_metadata(self.metadata), entries.into_iter());
        let data_start = write::data_start(json.len() as u64, 0)
            .map_err(|len| TensorError::HeaderTooLong { len })?;
        let header = write::bytes(&json, data_start);
        Ok(RestoredHeader { header, tensors: order.clone(), order, is_exact: false })
    }
}

/// Returns the metadata without the keys that describe the compressed tensors.
fn source_metadata(metadata: &Metadata) -> BTreeMap<String, String> {
    let is_own = |key: &str| matches!(key, LIST | SOURCE_HEADER | CHECKSUMS);
    let others = metadata.metadata().iter().filter(|(key, _)| !is_own(key));
    others.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Returns a header after its length.
fn with_len(json: &str) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()
}
