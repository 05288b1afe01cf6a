//! Checksums of everything in a file that is not in a frame.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::{String, ToString};
use std::vec::Vec;

use serde::Deserialize;

use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::json::{write_member, write_object};

/// Key in the metadata of the checksums.
pub(crate) const CHECKSUMS: &str = "zipnn_checksums";
/// Number of hexadecimal digits of a checksum without a name.
pub(crate) const HEX_LEN: usize = 16;

/// Checksums of what no frame contains. Frames have their own.
#[derive(Debug, Deserialize)]
pub(crate) struct Checksums {
    /// Checksum of the text of the source's header.
    pub(crate) source_header: u64,
    tensors: TensorChecksums,
}

/// Checksums of the tensors that are stored uncompressed.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TensorChecksums {
    Named(BTreeMap<String, u64>),
    /// [`HEX_LEN`] hexadecimal digits for each tensor in the order of the file, where names would
    /// make the header too long.
    InOrder(String),
}

impl Checksums {
    /// Parses the value in the metadata.
    pub(crate) fn parse(text: &str) -> Result<Self, TensorError> {
        serde_json::from_str(text).map_err(|error| TensorError::InvalidMetadata {
            key: CHECKSUMS,
            reason: error.to_string(),
        })
    }

    /// Returns the checksum of each tensor, given its name and whether it is stored uncompressed.
    /// Compressed tensors have none.
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
        let checksums = tensors.map(|(name, is_plain)| match &self.tensors {
            _ if !is_plain => None,
            TensorChecksums::Named(named) => named.get(name).copied(),
            TensorChecksums::InOrder(_) => numbers.next().flatten(),
        });
        checksums.collect()
    }
}

/// Writes the JSON of [`Checksums`] with the names of `tensors`, which are sorted by name.
pub(crate) fn write_named<'a>(
    out: &mut dyn Write,
    source_header: u64,
    tensors: impl Iterator<Item = (&'a str, u64)>,
) -> io::Result<()> {
    write!(out, "{{\"source_header\":{source_header},\"tensors\":")?;
    write_object(out, tensors)?;
    out.write_all(b"}")
}

/// Writes the JSON of [`Checksums`] without names, for tensors in the order of the file.
pub(crate) fn write_in_order(
    out: &mut dyn Write,
    source_header: u64,
    mut tensors: impl Iterator<Item = u64>,
) -> io::Result<()> {
    write!(out, "{{\"source_header\":{source_header},\"tensors\":\"")?;
    tensors.try_for_each(|checksum| write!(out, "{checksum:0HEX_LEN$x}"))?;
    out.write_all(b"\"}")
}

/// Writes the member of one tensor.
pub(crate) fn write_entry(out: &mut dyn Write, name: &str, checksum: u64) -> io::Result<()> {
    write_member(out, name, &checksum)
}
