//! Writing the header of a `.safetensors` file, as the format's own writers do.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use serde::Serialize;

use super::error::TensorError;
use super::layout::{Layout, METADATA};

/// Tensors' data begins at a multiple of this many bytes.
pub(super) const ALIGNMENT: u64 = 8;

/// A tensor as the header has it.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    #[serde(skip)]
    pub(super) name: &'a str,
    pub(super) dtype: &'a str,
    pub(super) shape: &'a [u64],
    pub(super) data_offsets: [u64; 2],
}

/// The header's JSON. Without metadata it says nothing of any.
pub(super) fn json<'a>(
    metadata: &BTreeMap<String, String>,
    entries: impl Iterator<Item = Entry<'a>>,
) -> String {
    let metadata = (!metadata.is_empty()).then(|| member(METADATA, metadata));
    let members: Vec<String> =
        metadata.into_iter().chain(entries.map(|entry| member(entry.name, &entry))).collect();
    ["{", &members.join(","), "}"].concat()
}

fn member(name: &str, value: &impl Serialize) -> String {
    // Texts, numbers and lists of them: nothing that JSON does not have.
    let text = |json: serde_json::Result<String>| json.unwrap_or_default();
    [text(serde_json::to_string(name)), text(serde_json::to_string(value))].join(":")
}

/// Bytes of an entry's JSON without its name.
pub(super) fn entry_len(entry: &Entry<'_>) -> usize {
    serde_json::to_string(entry).unwrap_or_default().len()
}

/// Header and its length, filled up with blanks so that the data begins at `data_start`.
pub(super) fn bytes(json: &str, data_start: u64) -> Vec<u8> {
    let len = data_start - Layout::PREFIX_LEN;
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    bytes.resize(data_start as usize, b' ');
    bytes
}

/// Where the data begins at the earliest behind `json_len` bytes, at `phase` behind a multiple of
/// the alignment.
pub(super) fn data_start(json_len: usize, phase: u64) -> Result<u64, TensorError> {
    let earliest = Layout::PREFIX_LEN + json_len as u64;
    let start = earliest + (phase + ALIGNMENT - earliest % ALIGNMENT) % ALIGNMENT;
    let len = start - Layout::PREFIX_LEN;
    if len > Layout::MAX_HEADER_LEN {
        return Err(TensorError::HeaderTooLong { len });
    }
    Ok(start)
}

/// Where types stand in files that the format's own writers made: those come first that need the
/// most alignment.
pub(super) fn rank(dtype: &str) -> usize {
    const ORDER: [&str; 22] = [
        "U64",
        "I64",
        "F64",
        "C64",
        "F32",
        "U32",
        "I32",
        "BF16",
        "F16",
        "U16",
        "I16",
        "F8_E5M2FNUZ",
        "F8_E4M3FNUZ",
        "F8_E8M0",
        "F8_E4M3",
        "F8_E5M2",
        "I8",
        "U8",
        "F6_E3M2",
        "F6_E2M3",
        "F4",
        "BOOL",
    ];
    ORDER.iter().position(|known| *known == dtype).unwrap_or_default()
}

/// The text of a header that has been read together with its length. As JSON, it is UTF-8.
pub(super) fn text(header: &[u8]) -> String {
    let json = header.get(Layout::PREFIX_LEN as usize..).unwrap_or_default();
    String::from_utf8_lossy(json).into_owned()
}
