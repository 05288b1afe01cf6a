//! Finds the compressed tensors of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::string::String;
use std::vec::Vec;

use crate::limits::Limits;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::checksums::{CHECKSUMS, Checksums};
use crate::tensor::inside::detect::{is_damaged_frame, read_cut_frame_prefix, read_frame_prefix};
use crate::tensor::inside::doubt::Doubt;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::header_form::SOURCE_HEADER;
use crate::tensor::inside::list::{self, LIST, ListEntry};
use crate::tensor::inside::list_state::ListState;
use crate::tensor::inside::reader::TensorReader;
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::metadata::Metadata;

impl<R: Read + Seek> TensorReader<R> {
    /// Finds the compressed tensors and checks the list of them.
    pub(super) fn find_tensors(&mut self, is_partial: bool) -> Result<(), TensorError> {
        let (list, problem) = match self.metadata.metadata().get(LIST).map(|text| list::parse(text))
        {
            Some(Ok(list)) => (Some(list), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let has_empty_list = list.as_ref().is_some_and(BTreeMap::is_empty);
        let mut finder = Finder {
            source: &mut self.source,
            metadata: &self.metadata,
            limits: &self.limits,
            file_len: self.file_len,
            is_cut: self.cut.is_some(),
            is_partial,
        };
        // Other tools write an empty list if they compress nothing, and may copy it into a file
        // with compressed tensors, so that it does not count as a list.
        let found = match list.filter(|list| !list.is_empty()) {
            Some(list) => finder.find_listed(&list)?,
            None => Found { problem, ..finder.find_unlisted()? },
        };
        let has_frames = found.tensors.iter().any(|tensor| tensor.is_compressed);
        self.list = match (found.is_listed, &found.problem) {
            (true, _) => ListState::Present,
            (false, Some(_)) => ListState::Stale,
            (false, None) if has_frames => ListState::Lost,
            // `TensorWriter` writes an empty list if no tensor is worth compressing.
            (false, None) if has_empty_list && self.is_ours() => ListState::Present,
            (false, None) => ListState::NotNeeded,
        };
        self.tensors = found.tensors;
        self.doubts = found.doubts;
        self.problem = found.problem;
        Ok(())
    }

    /// Detects metadata of compressed tensors in a file without compressed tensors.
    pub(super) fn check_leftovers(&mut self) {
        let has_frames = self.tensors.iter().any(|tensor| tensor.is_compressed);
        if !self.is_ours() || has_frames || self.problem.is_some() {
            return;
        }
        if self.list == ListState::Present && self.compressed().source_header().is_some() {
            return;
        }
        let has_source = self.metadata.metadata().contains_key(SOURCE_HEADER);
        let key = if has_source { SOURCE_HEADER } else { CHECKSUMS };
        self.problem = Some(TensorError::ForeignSource { key });
        self.list = ListState::Stale;
    }

    /// Parses the checksums, if the limits require verification and they belong to this file.
    pub(super) fn read_checksums(&mut self) -> Result<(), TensorError> {
        let is_own = matches!(self.list, ListState::Present | ListState::Lost);
        let text = self.metadata.metadata().get(CHECKSUMS);
        let Some(text) = text.filter(|_| is_own && self.limits.verify) else { return Ok(()) };
        let checksums = Checksums::parse(text)?;
        let tensors = self.tensors.iter();
        self.tensor_checksums =
            checksums.of(tensors.map(|tensor| (&*tensor.name, !tensor.is_compressed)));
        self.checksums = Some(checksums);
        Ok(())
    }
}

/// Result of a search.
#[derive(Default)]
struct Found {
    tensors: Vec<StoredTensor>,
    /// Tensors that may be damaged, by their index.
    doubts: BTreeMap<usize, Doubt>,
    problem: Option<TensorError>,
    /// Whether the list belongs to the file.
    is_listed: bool,
}

/// Search for compressed tensors in a file.
struct Finder<'f, R> {
    source: &'f mut R,
    metadata: &'f Metadata,
    limits: &'f Limits,
    file_len: u64,
    /// Whether the file is incomplete.
    is_cut: bool,
    /// Whether the file may be incomplete.
    is_partial: bool,
}

impl<R: Read + Seek> Finder<'_, R> {
    /// Finds the tensors of a file with a list.
    ///
    /// Ignores the list if it belongs to another file: it names a tensor that is missing or stored
    /// uncompressed, and no tensor looks like a damaged frame.
    fn find_listed(&mut self, list: &BTreeMap<String, ListEntry>) -> Result<Found, TensorError> {
        let mut found = Found { is_listed: true, ..Found::default() };
        let gaps = gap_tensors(self.metadata);
        for (tensor, is_gap) in self.metadata.tensors_and_gaps(&gaps) {
            match list.get(&tensor.name).filter(|_| !is_gap) {
                Some(entry) => self.find_entry(tensor, entry, &mut found)?,
                None => found.tensors.push(StoredTensor::plain_or_gap(tensor, is_gap)),
            }
        }
        let names: BTreeSet<&str> =
            self.metadata.tensors().iter().map(|tensor| &*tensor.name).collect();
        if let Some(name) = list.keys().find(|name| !names.contains(&***name)) {
            found.problem = Some(TensorError::NoSuchTensor { name: name.clone() });
        }
        if found.problem.is_some() && found.doubts.values().all(|&doubt| doubt != Doubt::Damaged) {
            return Ok(Found { problem: found.problem, ..self.find_unlisted()? });
        }
        if let Some((&number, doubt)) = found.doubts.first_key_value() {
            found.problem = Some(doubt.error(&found.tensors[number].name));
        }
        Ok(found)
    }

    /// Adds a tensor of the list.
    fn find_entry(
        &mut self,
        tensor: &TensorInfo,
        entry: &ListEntry,
        found: &mut Found,
    ) -> Result<(), TensorError> {
        if tensor.range.end > self.file_len {
            let frame = read_cut_frame_prefix(self.source, tensor)?;
            found.tensors.push(frame.unwrap_or_else(|| entry.stand_in(tensor, self.limits)));
            return Ok(());
        }
        let number = found.tensors.len();
        if let Some((dtype, stored)) = read_frame_prefix(self.source, tensor)? {
            if dtype != entry.dtype || stored.shape != entry.shape {
                found.doubts.insert(number, Doubt::Contradiction);
            }
            found.tensors.push(stored);
            return Ok(());
        }
        let mut stored = StoredTensor::plain(tensor);
        if self.is_damaged(tensor)? {
            found.doubts.insert(number, Doubt::Damaged);
            if self.is_partial {
                stored = entry.stand_in(tensor, self.limits);
            }
        } else if can_be_compressed(tensor, entry) {
            found.doubts.insert(number, Doubt::NotAFrame);
        } else {
            found.problem = Some(TensorError::NotCompressed { name: tensor.name.clone() });
        }
        found.tensors.push(stored);
        Ok(())
    }

    /// Returns whether a tensor of the list that is not a frame may be a damaged one.
    fn is_damaged(&mut self, tensor: &TensorInfo) -> Result<bool, TensorError> {
        // An incomplete file can have missing bytes in the middle, too.
        Ok(is_damaged_frame(self.source, tensor)? || self.is_cut && tensor.is_row_of_bytes())
    }

    /// Finds the tensors of a file without a list.
    fn find_unlisted(&mut self) -> Result<Found, TensorError> {
        let gaps = gap_tensors(self.metadata);
        let mut found = Found::default();
        for (tensor, is_gap) in self.metadata.tensors_and_gaps(&gaps) {
            let frame = match is_gap {
                true => None,
                false => read_cut_frame_prefix(self.source, tensor)?,
            };
            let stored = frame.unwrap_or_else(|| StoredTensor::plain_or_gap(tensor, is_gap));
            found.tensors.push(stored);
        }
        Ok(found)
    }
}

/// Returns whether type and length allow that a tensor of the list is a frame.
fn can_be_compressed(tensor: &TensorInfo, entry: &ListEntry) -> bool {
    // A frame is shorter than its tensor. A type that the format does not define may be a damaged
    // `U8`.
    entry.is_longer_than(tensor) && (tensor.is_row_of_bytes() || tensor.element_bits().is_none())
}

/// Returns the gaps between the tensors of a file, or nothing if tensors share bytes.
fn gap_tensors(metadata: &Metadata) -> Vec<TensorInfo> {
    metadata.gap_tensors().unwrap_or_default()
}
