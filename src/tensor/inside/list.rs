//! The list of compressed tensors: JSON in a value of the metadata.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::{String, ToString};
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::dtype::DType;
use crate::frame::shape::checked_len;
use crate::limits::Limits;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::json::{write_member, write_object};
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::metadata::Metadata;

/// Key in the metadata of the list.
pub(crate) const LIST: &str = "znn_compressed_vectors";

/// Type and shape of a compressed tensor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListEntry {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<u64>,
}

impl ListEntry {
    /// Returns whether `tensor` is shorter than the decoded tensor, as every frame is.
    pub(crate) fn is_longer_than(&self, tensor: &TensorInfo) -> bool {
        self.decoded_len().is_none_or(|len| tensor.len() < len)
    }

    /// Returns the tensor as the list describes it, without reading its frame.
    ///
    /// Returns it as stored if its frame cannot decode to that many bytes.
    pub(crate) fn stand_in(&self, tensor: &TensorInfo, limits: &Limits) -> StoredTensor {
        let plain = StoredTensor::plain(tensor);
        let is_possible = |&len: &u64| limits.check(len, tensor.len(), 0).is_ok();
        let Some(decoded_len) = self.decoded_len().filter(is_possible) else { return plain };
        StoredTensor {
            dtype: self.dtype.safetensors_name().into(),
            shape: self.shape.clone(),
            decoded_len,
            is_compressed: true,
            ..plain
        }
    }

    fn decoded_len(&self) -> Option<u64> {
        checked_len(&self.shape, self.dtype.size() as u64)
    }
}

/// An entry in JSON: the type by PyTorch's name, and the shape as Python prints a list.
#[derive(Serialize, Deserialize)]
struct RawEntry {
    dtype: String,
    shape: String,
}

impl RawEntry {
    fn new(dtype: DType, shape: &[u64]) -> Self {
        Self { dtype: dtype.name().to_string(), shape: render_shape(shape) }
    }
}

/// Parses the list.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, ListEntry>, TensorError> {
    let raw: BTreeMap<String, RawEntry> = serde_json::from_str(text)
        .map_err(|error| TensorError::InvalidMetadata { key: LIST, reason: error.to_string() })?;
    raw.into_iter()
        .map(|(name, raw)| match (parse_dtype(&raw.dtype), parse_shape(&raw.shape)) {
            (Some(dtype), Some(shape)) => Ok((name, ListEntry { dtype, shape })),
            _ => Err(TensorError::Contradiction { name }),
        })
        .collect()
}

/// Returns the first name in the list of a file, or `None` if the header shows that the list
/// belongs to another file: some tensor that it names is not stored as a frame.
pub(crate) fn first_frame(metadata: &Metadata) -> Option<String> {
    let list = parse(metadata.metadata().get(LIST)?).ok()?;
    let is_frame = |tensor: &&TensorInfo| {
        let entry = list.get(&tensor.name);
        tensor.is_row_of_bytes() && entry.is_some_and(|entry| entry.is_longer_than(tensor))
    };
    let frames = metadata.tensors().iter().filter(is_frame).count();
    list.keys().next().filter(|_| frames == list.len()).cloned()
}

fn parse_dtype(name: &str) -> Option<DType> {
    DType::ALL.into_iter().find(|dtype| dtype.name() == name)
}

fn parse_shape(text: &str) -> Option<Vec<u64>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    if inner.trim().is_empty() {
        return Some(Vec::new());
    }
    inner.split(',').map(|dimension| parse_dimension(dimension.trim())).collect()
}

/// Parses a number as Python prints it. Rejects signs and leading zeros as damage.
fn parse_dimension(text: &str) -> Option<u64> {
    text.parse().ok().filter(|dimension: &u64| dimension.to_string() == text)
}

/// Writes the list of `tensors`, which are sorted by name.
pub(crate) fn write<'a>(
    out: &mut dyn Write,
    tensors: impl Iterator<Item = (&'a str, DType, &'a [u64])>,
) -> io::Result<()> {
    write_object(out, tensors.map(|(name, dtype, shape)| (name, RawEntry::new(dtype, shape))))
}

/// Writes the member of one tensor.
pub(crate) fn write_entry(
    out: &mut dyn Write,
    name: &str,
    dtype: DType,
    shape: &[u64],
) -> io::Result<()> {
    write_member(out, name, &RawEntry::new(dtype, shape))
}

/// Returns the JSON of the list.
pub(crate) fn render<'a>(tensors: impl Iterator<Item = (&'a str, DType, &'a [u64])>) -> String {
    let mut tensors: Vec<_> = tensors.collect();
    tensors.sort_unstable_by_key(|&(name, ..)| name);
    let mut text = Vec::new();
    // Writing to memory does not fail, and JSON is UTF-8.
    let _ = write(&mut text, tensors.into_iter());
    String::from_utf8(text).unwrap_or_default()
}

fn render_shape(shape: &[u64]) -> String {
    let mut text = String::from("[");
    for (number, dimension) in shape.iter().enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{dimension}");
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_restores_a_rendered_list() {
        let text =
            render([("a", DType::BF16, &[100, 64][..]), ("\"b\"", DType::F8E5M2, &[])].into_iter());
        assert_eq!(
            text,
            r#"{"\"b\"":{"dtype":"float8_e5m2","shape":"[]"},"a":{"dtype":"bfloat16","shape":"[100, 64]"}}"#
        );
        let list = parse(&text).unwrap();
        assert_eq!(list["a"], ListEntry { dtype: DType::BF16, shape: [100, 64].into() });
        assert_eq!(list["\"b\""], ListEntry { dtype: DType::F8E5M2, shape: Vec::new() });
    }

    #[test]
    fn malformed_lists_are_rejected() {
        for text in [
            "",
            "[]",
            r#"{"a":1}"#,
            r#"{"a":{"dtype":"int8","shape":"[1]"}}"#,
            r#"{"a":{"dtype":"float16","shape":"[-1]"}}"#,
            r#"{"a":{"dtype":"float16","shape":"[1, ]"}}"#,
            r#"{"a":{"dtype":"float16","shape":"[1, 025]"}}"#,
            r#"{"a":{"dtype":"float16","shape":"1"}}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
