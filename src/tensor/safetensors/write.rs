//! Writes the header of a `.safetensors` file as the safetensors library does.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::String;
use std::vec::Vec;

use serde::Serialize;

use crate::tensor::safetensors::format::{ALIGNMENT, MAX_HEADER_LEN, METADATA, PREFIX_LEN};

/// Entry of a tensor.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    #[serde(skip)]
    pub(crate) name: &'a str,
    pub(crate) dtype: &'a str,
    pub(crate) shape: &'a [u64],
    pub(crate) data_offsets: [u64; 2],
}

/// Value in the metadata.
pub(crate) enum Text<'a> {
    Plain(&'a str),
    /// Writes JSON without control characters, which becomes the contents of a string.
    Json(&'a dyn Fn(&mut dyn Write) -> io::Result<()>),
}

/// Writes the header's JSON, without a member for the metadata if there are none.
pub(crate) fn write<'a>(
    out: &mut dyn Write,
    metadata: &BTreeMap<&str, Text<'_>>,
    entries: impl Iterator<Item = Entry<'a>>,
) -> io::Result<()> {
    out.write_all(b"{")?;
    if !metadata.is_empty() {
        serde_json::to_writer(&mut *out, METADATA)?;
        let mut separator: &[u8] = b":{";
        for (key, text) in metadata {
            out.write_all(separator)?;
            serde_json::to_writer(&mut *out, key)?;
            out.write_all(b":")?;
            write_text(out, text)?;
            separator = b",";
        }
        out.write_all(b"}")?;
    }
    let mut is_first = metadata.is_empty();
    for entry in entries {
        if !is_first {
            out.write_all(b",")?;
        }
        is_first = false;
        write_entry(out, &entry)?;
    }
    out.write_all(b"}")
}

/// Writes the member of a tensor.
pub(crate) fn write_entry(out: &mut dyn Write, entry: &Entry<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, entry.name)?;
    out.write_all(b":")?;
    Ok(serde_json::to_writer(out, entry)?)
}

fn write_text(out: &mut dyn Write, text: &Text<'_>) -> io::Result<()> {
    match text {
        Text::Plain(text) => Ok(serde_json::to_writer(out, text)?),
        Text::Json(write) => {
            out.write_all(b"\"")?;
            write(&mut Escaped(out))?;
            out.write_all(b"\"")
        }
    }
}

/// Escapes JSON as the contents of a JSON string.
pub(crate) struct Escaped<'w>(pub(crate) &'w mut dyn Write);

impl Write for Escaped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| matches!(byte, b'"' | b'\\')) {
            match part.split_last() {
                Some((last @ (b'"' | b'\\'), before)) => {
                    self.0.write_all(before)?;
                    self.0.write_all(&[b'\\', *last])?;
                }
                _ => self.0.write_all(part)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the number of bytes that `write` writes.
pub(crate) fn len_of(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> u64 {
    struct Counter(u64);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Counting does not fail.
    let _ = write(&mut counter);
    counter.0
}

/// Returns the header's JSON, without a member for the metadata if there are none.
pub(crate) fn json<'a>(
    metadata: &BTreeMap<String, String>,
    entries: impl Iterator<Item = Entry<'a>>,
) -> String {
    let texts = metadata.iter().map(|(key, text)| (&**key, Text::Plain(text))).collect();
    let mut json = Vec::new();
    // Writing to memory does not fail, and JSON is UTF-8.
    let _ = write(&mut json, &texts, entries);
    String::from_utf8(json).unwrap_or_default()
}

/// Returns the header after its length, padded with blanks so that the data begins at `data_start`.
pub(crate) fn bytes(json: &str, data_start: u64) -> Vec<u8> {
    let len = data_start - PREFIX_LEN;
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    bytes.resize(data_start as usize, b' ');
    bytes
}

/// Returns the minimum offset for the data after `json_len` bytes of JSON that lies `phase` bytes
/// after a multiple of the alignment.
///
/// # Errors
///
/// Returns the length of the header if the format does not allow it.
pub(crate) fn data_start(json_len: u64, phase: u64) -> Result<u64, u64> {
    let earliest = PREFIX_LEN + json_len;
    let start = earliest + (phase + ALIGNMENT - earliest % ALIGNMENT) % ALIGNMENT;
    let len = start - PREFIX_LEN;
    if len > MAX_HEADER_LEN { Err(len) } else { Ok(start) }
}

/// Returns the rank of a type in the order in which the safetensors library writes tensors: types
/// that need the largest alignment come first.
pub(crate) fn rank(dtype: &str) -> usize {
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

/// Returns the text of a header that follows its length. A parsed header is UTF-8, as JSON is.
pub(crate) fn text(header: &[u8]) -> String {
    let json = header.get(PREFIX_LEN as usize..).unwrap_or_default();
    String::from_utf8_lossy(json).into_owned()
}
