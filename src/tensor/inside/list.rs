//! Texts in the metadata, which are JSON in their turn: the list of compressed tensors, and what we
//! add to it.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::{String, ToString};
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::dtype::DType;
use crate::limits::Limits;
use crate::tensor::error::TensorError;
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::metadata::{Metadata, TensorInfo};

/// The metadata that holds the list.
pub(crate) const LIST: &str = "znn_compressed_vectors";
/// Where we keep the header of the file that was compressed, as it was, so that the same bytes
/// come back. The original passes it over.
pub(crate) const SOURCE_HEADER: &str = "zipnn_source_header";
/// Where we keep checksums of all that is in no frame.
pub(crate) const CHECKSUMS: &str = "zipnn_checksums";

/// Checksums of what is in no frame, as frames have them for what they hold.
#[derive(Debug, Deserialize)]
pub(crate) struct Checksums {
    /// Of the text of the source's header.
    pub(crate) source_header: u64,
    tensors: TensorChecksums,
}

/// Checksums of the tensors that are stored as they are.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TensorChecksums {
    Named(BTreeMap<String, u64>),
    /// In the order in which the tensors are stored, each in [`HEX_LEN`] hexadecimal digits: where
    /// names would make the header too long.
    InOrder(String),
}

/// Digits of a checksum without a name.
pub(crate) const HEX_LEN: usize = 16;

impl Checksums {
    /// Reads them.
    pub(crate) fn parse(text: &str) -> Result<Self, TensorError> {
        serde_json::from_str(text).map_err(|error| invalid(CHECKSUMS, &error))
    }

    /// Returns the checksum of each of these tensors, given its name and whether it is stored as it
    /// is. There is none for the others.
    pub(crate) fn of<'a>(
        &self,
        tensors: impl Iterator<Item = (&'a str, bool)>,
    ) -> Vec<Option<u64>> {
        let mut numbers = match &self.tensors {
            TensorChecksums::Named(_) => &[][..],
            TensorChecksums::InOrder(digits) => digits.as_bytes().as_chunks::<HEX_LEN>().0,
        }
        .iter()
        .map(|digits| u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok());
        let plain = tensors.map(|(name, is_plain)| match &self.tensors {
            _ if !is_plain => None,
            TensorChecksums::Named(named) => named.get(name).copied(),
            TensorChecksums::InOrder(_) => numbers.next().flatten(),
        });
        plain.collect()
    }
}

/// Writes the text of [`Checksums`]: of the source's header, and of tensors in the order of their
/// names.
pub(crate) fn write_checksums<'a>(
    out: &mut dyn Write,
    source_header: u64,
    tensors: impl Iterator<Item = (&'a str, u64)>,
) -> io::Result<()> {
    write!(out, "{{\"source_header\":{source_header},\"tensors\":")?;
    write_object(out, tensors)?;
    out.write_all(b"}")
}

/// Writes the text of [`Checksums`] without names: of tensors in the order in which they are
/// stored.
pub(crate) fn write_checksums_in_order(
    out: &mut dyn Write,
    source_header: u64,
    mut tensors: impl Iterator<Item = u64>,
) -> io::Result<()> {
    write!(out, "{{\"source_header\":{source_header},\"tensors\":\"")?;
    tensors.try_for_each(|checksum| write!(out, "{checksum:0HEX_LEN$x}"))?;
    out.write_all(b"\"}")
}

/// Writes a member of the checksums' `tensors`.
pub(crate) fn write_checksum(out: &mut dyn Write, name: &str, checksum: u64) -> io::Result<()> {
    write_member(out, name, &checksum)
}

fn write_object<'a, V: Serialize>(
    out: &mut dyn Write,
    members: impl Iterator<Item = (&'a str, V)>,
) -> io::Result<()> {
    let mut separator: &[u8] = b"{";
    for (name, value) in members {
        out.write_all(separator)?;
        write_member(out, name, &value)?;
        separator = b",";
    }
    out.write_all(if separator == b"{" { b"{}" } else { b"}" })
}

fn write_member(out: &mut dyn Write, name: &str, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, name)?;
    out.write_all(b":")?;
    Ok(serde_json::to_writer(out, value)?)
}

fn invalid(key: &'static str, error: &serde_json::Error) -> TensorError {
    TensorError::InvalidMetadata { key, reason: error.to_string() }
}

/// State of the list of compressed tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListState {
    /// The file has a list.
    There,
    /// It has none, and frames.
    Lost,
    /// It has one that belongs to another file, or other metadata that go with a list.
    Stale,
    /// It has none, and needs none.
    NotNeeded,
}

/// Why a tensor that the list names may not be decoded. Either the tensor is damaged or the list
/// belongs to another file, and nothing in the file shows which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The tensor is not a frame, but looks like the remains of one.
    Damaged,
    /// The tensor consists of bytes that are not a frame.
    NotAFrame,
    /// The frame has another type or shape.
    Contradiction,
}

impl Doubt {
    /// Returns the error for the tensor of this name.
    pub(crate) fn error(self, name: &str) -> TensorError {
        let name = name.into();
        match self {
            Self::Damaged | Self::NotAFrame => TensorError::NotAFrame { name },
            Self::Contradiction => TensorError::Contradiction { name },
        }
    }
}

/// What the list says of a tensor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<u64>,
}

impl Listed {
    /// Returns whether a tensor is shorter than this one when decoded, as its frame always is.
    pub(crate) fn is_longer_than(&self, tensor: &TensorInfo) -> bool {
        let size = self.dtype.size() as u64;
        let len = self.shape.iter().try_fold(size, |len, &dimension| len.checked_mul(dimension));
        len.is_none_or(|len| tensor.len() < len)
    }

    /// Returns the tensor as the list describes it, without a look at its frame; as it is stored if
    /// that many bytes cannot come from its frame.
    pub(crate) fn stand_in(&self, tensor: &TensorInfo, limits: &Limits) -> StoredTensor {
        let plain = StoredTensor::plain(tensor);
        let size = self.dtype.size() as u64;
        let len = self.shape.iter().try_fold(size, |len, &dimension| len.checked_mul(dimension));
        let is_possible = |&len: &u64| limits.check(len, tensor.len(), 0).is_ok();
        let Some(decoded_len) = len.filter(is_possible) else { return plain };
        StoredTensor {
            dtype: self.dtype.safetensors_name().into(),
            shape: self.shape.clone(),
            decoded_len,
            is_compressed: true,
            ..plain
        }
    }
}

/// The same as JSON: the type as PyTorch calls it, the shape as Python prints a list.
#[derive(Serialize, Deserialize)]
struct RawListed {
    dtype: String,
    shape: String,
}

impl RawListed {
    fn new(dtype: DType, shape: &[u64]) -> Self {
        Self { dtype: dtype.name().to_string(), shape: render_shape(shape) }
    }
}

/// Reads the list.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Listed>, TensorError> {
    let raw: BTreeMap<String, RawListed> =
        serde_json::from_str(text).map_err(|error| invalid(LIST, &error))?;
    raw.into_iter()
        .map(|(name, raw)| match (parse_dtype(&raw.dtype), parse_shape(&raw.shape)) {
            (Some(dtype), Some(shape)) => Ok((name, Listed { dtype, shape })),
            _ => Err(TensorError::Contradiction { name }),
        })
        .collect()
}

/// Returns the first name in the list of a file, if the header shows all listed tensors as what
/// frames are stored in. Otherwise the list belongs to another file.
pub(crate) fn first_frame(layout: &Metadata) -> Option<String> {
    let list = parse(layout.metadata().get(LIST)?).ok()?;
    let is_frame = |tensor: &&TensorInfo| {
        let listed = list.get(&tensor.name);
        tensor.is_row_of_bytes() && listed.is_some_and(|listed| listed.is_longer_than(tensor))
    };
    let frames = layout.tensors().iter().filter(is_frame).count();
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

/// A number as Python prints it: with a sign, or zeros in front, it is damaged.
fn parse_dimension(text: &str) -> Option<u64> {
    text.parse().ok().filter(|dimension: &u64| dimension.to_string() == text)
}

/// Writes the list of tensors that come in the order of their names.
pub(crate) fn write<'a>(
    out: &mut dyn Write,
    tensors: impl Iterator<Item = (&'a str, DType, &'a [u64])>,
) -> io::Result<()> {
    write_object(out, tensors.map(|(name, dtype, shape)| (name, RawListed::new(dtype, shape))))
}

/// Writes a member of the list.
pub(crate) fn write_listed(
    out: &mut dyn Write,
    name: &str,
    dtype: DType,
    shape: &[u64],
) -> io::Result<()> {
    write_member(out, name, &RawListed::new(dtype, shape))
}

/// Returns the list.
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
        // Writing to a text does not fail.
        let _ = write!(text, "{separator}{dimension}");
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back() {
        let text =
            render([("a", DType::BF16, &[100, 64][..]), ("\"b\"", DType::F8E5M2, &[])].into_iter());
        assert_eq!(
            text,
            r#"{"\"b\"":{"dtype":"float8_e5m2","shape":"[]"},"a":{"dtype":"bfloat16","shape":"[100, 64]"}}"#
        );
        let list = parse(&text).unwrap();
        assert_eq!(list["a"], Listed { dtype: DType::BF16, shape: [100, 64].into() });
        assert_eq!(list["\"b\""], Listed { dtype: DType::F8E5M2, shape: Vec::new() });
    }

    #[test]
    fn other_texts_are_refused() {
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
