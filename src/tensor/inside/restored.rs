//! The header and the order of tensors of a file that is decompressed.

use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use crate::checksum;
use crate::error::DecodeErrorKind;
use crate::tensor::error::TensorError;
use crate::tensor::inside::list::{CHECKSUMS, LIST, SOURCE_HEADER};
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::inside::usual::Usual;
use crate::tensor::metadata::Metadata;
use crate::tensor::write_header::{self, Entry};

/// Describes the file that a reader's tensors are decoded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredHeader {
    /// Its first bytes: the header and its length.
    pub header: Vec<u8>,
    /// Which of [`TensorReader::tensors`] follow, one right behind the other. Some of them may be
    /// bytes that belong to no tensor of this header.
    ///
    /// [`TensorReader::tensors`]: crate::tensor::TensorReader::tensors
    pub order: Vec<usize>,
    /// Which of [`TensorReader::tensors`] are the tensors of this header, in the same order.
    ///
    /// [`TensorReader::tensors`]: crate::tensor::TensorReader::tensors
    pub tensors: Vec<usize>,
    /// Whether this is the header of the file that was compressed, so that the same bytes come
    /// back. Where it is not, names, types, shapes, data and metadata are the same. In a file for
    /// which [`TensorReader::is_ours`] is true, the header has been changed since then.
    ///
    /// [`TensorReader::is_ours`]: crate::tensor::TensorReader::is_ours
    pub is_exact: bool,
}

/// A file in which tensors are compressed, as far as its result depends on it.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'f> {
    pub(crate) layout: &'f Metadata,
    pub(crate) tensors: &'f [StoredTensor],
    /// The checksum of the source's header, if there is one.
    pub(crate) source_header: Option<u64>,
}

impl Stored<'_> {
    /// Returns the source's header and its order of tensors, if the file carries that header and
    /// it matches the file's tensors and metadata.
    pub(crate) fn as_source(&self) -> Option<RestoredHeader> {
        let metadata = self.layout.metadata();
        let json = metadata.get(SOURCE_HEADER)?;
        // The writer of such a header leaves no oddities.
        if self.layout.oddities().next().is_some() {
            return None;
        }
        if let Some(form) = Usual::parse(json) {
            let header = self.usual_header(form)?;
            let order: Vec<usize> = (0..self.tensors.len()).collect();
            return Some(RestoredHeader { header, tensors: order.clone(), order, is_exact: true });
        }
        if !self.is_source_header(json) {
            return None;
        }
        let header = with_len(json);
        let mut lens = self.tensors.iter().map(|tensor| tensor.decoded_len);
        let data_len = lens.try_fold(0_u64, u64::checked_add)?;
        let layout = Metadata::parse(&header, data_len.checked_add(header.len() as u64)?).ok()?;
        // What the writer adds, besides the keys that describe the file and not its source.
        let mut expected = source_metadata(&layout);
        expected.entry("format".into()).or_insert_with(|| "pt".into());
        if expected != source_metadata(self.layout) {
            return None;
        }
        let gaps = layout.gap_tensors().ok()?;
        let pieces = layout.pieces(&gaps);
        if pieces.len() != self.tensors.len() {
            return None;
        }
        let numbers: BTreeMap<&str, usize> =
            self.tensors.iter().zip(0..).map(|(tensor, number)| (&*tensor.name, number)).collect();
        let order = pieces.iter().map(|(expected, _)| {
            let number = *numbers.get(&*expected.name)?;
            let found = &self.tensors[number];
            let is_same = found.dtype == expected.dtype
                && found.shape == expected.shape
                && found.decoded_len == expected.len();
            is_same.then_some(number)
        });
        let order: Vec<usize> = order.collect::<Option<_>>()?;
        let is_tensor = pieces.iter().map(|(_, is_gap)| !is_gap);
        let tensors = order.iter().zip(is_tensor).filter(|(_, is_tensor)| *is_tensor);
        let tensors = tensors.map(|(&number, _)| number).collect();
        Some(RestoredHeader { header, order, tensors, is_exact: true })
    }

    /// Returns whether a text has the checksum of the source's header, if there is one.
    fn is_source_header(&self, json: &str) -> bool {
        self.source_header.is_none_or(|expected| checksum::matches(json.as_bytes(), expected))
    }

    /// Returns the header of a source in a usual form, if it describes this file's tensors.
    fn usual_header(&self, form: Usual) -> Option<Vec<u8>> {
        let mut at = 0_u64;
        let entries = self.tensors.iter().map(|tensor| {
            let entry = tensor.entry(at);
            at = entry.data_offsets[1];
            entry
        });
        let json = form.text(&source_metadata(self.layout), entries);
        let json = json.filter(|json| self.is_source_header(json))?;
        Some(with_len(&json))
    }

    /// Returns a new header for the tensors, without bytes that belong to no tensor. Tensors are in
    /// the order that the writers of the safetensors library use.
    pub(crate) fn made_anew(&self) -> Result<RestoredHeader, TensorError> {
        let is_tensor = |&number: &usize| !self.tensors[number].is_gap;
        let mut order: Vec<usize> = (0..self.tensors.len()).filter(is_tensor).collect();
        order.sort_by_cached_key(|&number| {
            let tensor = &self.tensors[number];
            (write_header::rank(&tensor.dtype), tensor.name.clone())
        });
        let mut at = 0_u64;
        let entries = order.iter().map(|&number| {
            let tensor = &self.tensors[number];
            let entry = tensor.entry(at);
            at = at.checked_add(tensor.decoded_len).ok_or_else(|| TensorError::Decode {
                name: tensor.name.to_owned(),
                error: DecodeErrorKind::InvalidLength.into(),
            })?;
            Ok(entry)
        });
        let entries: Vec<Entry<'_>> = entries.collect::<Result<_, TensorError>>()?;
        let json = write_header::json(&source_metadata(self.layout), entries.into_iter());
        let data_start = write_header::data_start(json.len() as u64, 0)?;
        let header = write_header::bytes(&json, data_start);
        Ok(RestoredHeader { header, tensors: order.clone(), order, is_exact: false })
    }
}

/// Returns the metadata that describes the tensors, and not how they are compressed.
fn source_metadata(layout: &Metadata) -> BTreeMap<String, String> {
    let is_foreign = |key: &str| !matches!(key, LIST | SOURCE_HEADER | CHECKSUMS);
    let foreign = layout.metadata().iter().filter(|(key, _)| is_foreign(key));
    foreign.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Returns a header's text with its length before it.
fn with_len(json: &str) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()
}
