//! Headers with a correct list of compressed tensors, for files where it is missing or wrong.

use std::io::{Read, Seek};
use std::vec::Vec;

use crate::tensor::inside::checksums::CHECKSUMS;
use crate::tensor::inside::doubt::Doubt;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::header_form::SOURCE_HEADER;
use crate::tensor::inside::list::{self, LIST};
use crate::tensor::inside::reader::TensorReader;
use crate::tensor::safetensors::format::ALIGNMENT;
use crate::tensor::safetensors::write::{self, Entry};

impl<R: Read + Seek> TensorReader<R> {
    /// Returns the file's header, after its length, with a correct list of compressed tensors.
    ///
    /// This header and the file's data form a file that the original reads. If nothing has to
    /// change, it equals [`Self::header`]. Otherwise it contains no checksums, and no metadata of
    /// another file. Set `changes_data` if you will change the data of uncompressed tensors, so
    /// that existing checksums no longer match.
    ///
    /// # Errors
    ///
    /// - `NotAFrame` if a tensor of the list is damaged, so that only the list shows its type and
    ///   shape,
    /// - `HeaderTooLong` if the list does not fit into the header.
    pub fn repaired_header(&self, changes_data: bool) -> Result<Vec<u8>, TensorError> {
        if let Some((tensor, doubt)) = self.doubts().find(|&(_, doubt)| doubt == Doubt::Damaged) {
            return Err(doubt.error(&self.tensors()[tensor].name));
        }
        let is_wrong = self.is_list_lost() || self.has_foreign_metadata();
        if is_wrong || (changes_data && self.is_ours()) {
            return self.header_with_new_list();
        }
        Ok(self.header().to_vec())
    }

    fn header_with_new_list(&self) -> Result<Vec<u8>, TensorError> {
        let stored = self.metadata();
        let mut metadata = stored.metadata().clone();
        metadata.remove(CHECKSUMS);
        if self.has_foreign_metadata() {
            metadata.remove(LIST);
            metadata.remove(SOURCE_HEADER);
        }
        let is_listed = metadata.contains_key(LIST);
        let mut compressed = self.tensors().iter().filter(|tensor| tensor.is_compressed).peekable();
        if is_listed || compressed.peek().is_some() {
            let listed = compressed
                .filter_map(|tensor| Some((&*tensor.name, tensor.dtype()?, &*tensor.shape)));
            metadata.insert(LIST.into(), list::render(listed));
            metadata.entry("format".into()).or_insert_with(|| "pt".into());
        }
        let data_start = stored.data_start();
        let entries = stored.tensors().iter().map(|tensor| Entry {
            name: &tensor.name,
            dtype: &tensor.dtype,
            shape: &tensor.shape,
            data_offsets: [tensor.range.start - data_start, tensor.range.end - data_start],
        });
        let json = write::json(&metadata, entries);
        let data_start = write::data_start(json.len() as u64, data_start % ALIGNMENT)
            .map_err(|len| TensorError::HeaderTooLong { len })?;
        Ok(write::bytes(&json, data_start))
    }
}
