//! Parses a header and locates its tensors.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::error::MetadataError;
use crate::tensor::gguf::reader::{Reader, invalid};
use crate::tensor::gguf::types;
use crate::tensor::info::TensorInfo;
use crate::tensor::metadata::Metadata;

/// The magic number at the beginning of a file.
const MAGIC: [u8; 4] = *b"GGUF";
/// Key of the alignment of tensors in the metadata.
const ALIGNMENT: &str = "general.alignment";
/// Alignment of tensors in bytes where the metadata do not name one.
const DEFAULT_ALIGNMENT: u32 = 32;
/// Maximum number of dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;
/// Beginning of the names of types that are not known. Their numbers follow.
const UNKNOWN: &str = "ggml_type_";
/// Longest header to parse, in bytes. The longest known ones contain vocabularies of some 20 MB.
pub(crate) const MAX_HEADER_LEN: u64 = 1 << 28;

/// Returns whether a file that begins with `bytes` is a GGUF file.
pub(crate) fn is_gguf(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Parses the header of a file of `file_len` bytes that begins with `bytes`.
///
/// # Errors
///
/// `Truncated` with twice the available length, or more, if the header is longer than `bytes`;
/// `InvalidHeader`, `HeaderTooLong`, `InvalidTensor`, `AmbiguousTensor`, `MissingData`.
pub(crate) fn parse(bytes: &[u8], file_len: u64) -> Result<Metadata, MetadataError> {
    let have = bytes.len() as u64;
    let limit = MAX_HEADER_LEN.min(file_len);
    try_parse(bytes, file_len).map_err(|error| match error {
        MetadataError::Truncated { needed, .. } if needed > limit => {
            MetadataError::HeaderTooLong { len: needed }
        }
        // The length of the header is unknown. Doubling keeps the number of calls small.
        MetadataError::Truncated { needed, .. } => {
            let needed = needed.max(have.saturating_mul(2)).min(limit);
            MetadataError::Truncated { needed, have }
        }
        error => error,
    })
}

fn try_parse(bytes: &[u8], file_len: u64) -> Result<Metadata, MetadataError> {
    let mut reader = Reader::new(bytes);
    if reader.bytes(MAGIC.len() as u64)? != MAGIC {
        return Err(invalid("the magic number is missing"));
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(invalid(match version & 0xffff {
            0 => "the file is big-endian".into(),
            _ => format!("version {version} is not supported"),
        }));
    }
    let tensor_count = reader.u64()?;
    let metadata_count = reader.u64()?;
    let alignment = read_alignment(&mut reader, metadata_count)?;
    let tensors = read_tensors(&mut reader, tensor_count)?;
    let data_start = reader.position().next_multiple_of(alignment);
    locate(tensors, data_start, alignment, file_len)
}

/// Reads all metadata and returns the alignment.
fn read_alignment(reader: &mut Reader<'_>, count: u64) -> Result<u64, MetadataError> {
    let mut alignment = DEFAULT_ALIGNMENT;
    for _ in 0..count {
        let key = reader.string()?;
        let kind = reader.u32()?;
        let value = reader.value(kind)?;
        if key == ALIGNMENT {
            alignment = value.unwrap_or_default();
        }
    }
    if !alignment.is_power_of_two() {
        return Err(invalid("the alignment is not a power of two"));
    }
    Ok(alignment.into())
}

/// A tensor whose data has not been located yet.
struct Unlocated {
    tensor: TensorInfo,
    offset: u64,
    /// Length in bytes, or `None` if the type is unknown.
    len: Option<u64>,
}

fn read_tensors(reader: &mut Reader<'_>, count: u64) -> Result<Vec<Unlocated>, MetadataError> {
    /// Length of the shortest description of a tensor: all fields without dimensions.
    const SHORTEST: u64 = 8 + 4 + 4 + 8;
    let mut tensors = Vec::new();
    // Memory grows with the bytes that exist, not with the number that the file states.
    let known = count.min(reader.remaining() / SHORTEST);
    tensors.reserve_exact(known as usize);
    for _ in 0..count {
        tensors.push(read_tensor(reader)?);
    }
    Ok(tensors)
}

fn read_tensor(reader: &mut Reader<'_>) -> Result<Unlocated, MetadataError> {
    let name = reader.string()?;
    let dimensions = reader.u32()?;
    if dimensions > MAX_DIMENSIONS {
        return Err(MetadataError::InvalidTensor { name });
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(reader.u64()?);
    }
    let code = reader.u32()?;
    let offset = reader.u64()?;
    let known = types::from_code(code);
    let len = match &known {
        None => None,
        Some(known) => {
            let row = shape.first().copied().unwrap_or(1);
            let elements = shape.iter().try_fold(1_u64, |product, &len| product.checked_mul(len));
            let blocks = elements.filter(|_| row.is_multiple_of(known.elements));
            let len =
                blocks.and_then(|elements| (elements / known.elements).checked_mul(known.len));
            Some(len.ok_or_else(|| MetadataError::InvalidTensor { name: name.clone() })?)
        }
    };
    // A file lists the innermost dimension first.
    shape.reverse();
    let dtype = known.map_or_else(|| format!("{UNKNOWN}{code}"), |known| known.name.into());
    Ok(Unlocated { tensor: TensorInfo::new(name, dtype, shape, 0..0), offset, len })
}

/// Determines the bytes of each tensor.
fn locate(
    tensors: Vec<Unlocated>,
    data_start: u64,
    alignment: u64,
    file_len: u64,
) -> Result<Metadata, MetadataError> {
    check_names(&tensors)?;
    let mut located = Vec::with_capacity(tensors.len());
    for Unlocated { mut tensor, offset, len } in tensors {
        let start = data_start.checked_add(offset);
        let end = start.and_then(|start| start.checked_add(len.unwrap_or_default()));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(MetadataError::InvalidTensor { name: tensor.name });
        };
        if end > file_len {
            let name = tensor.name;
            return Err(MetadataError::MissingData { name, needed: end, have: file_len });
        }
        tensor.range = start..end;
        located.push(tensor);
    }
    let mut metadata = Metadata::new(data_start.min(file_len), file_len, located);
    extend_unknown(&mut metadata.tensors, file_len);
    Ok(Metadata { alignment, ..metadata })
}

/// Extends tensors of unknown types, which end where the next tensor begins. The last one ends with
/// the file, unless its length is unknown.
fn extend_unknown(tensors: &mut [TensorInfo], file_len: u64) {
    let mut next = Some(file_len).filter(|&len| len < u64::MAX);
    for tensor in tensors.iter_mut().rev() {
        let Range { start, end } = &mut tensor.range;
        if tensor.dtype.starts_with(UNKNOWN) {
            *end = next.unwrap_or(*start);
        }
        next = Some(*start);
    }
}

fn check_names(tensors: &[Unlocated]) -> Result<(), MetadataError> {
    let mut names = BTreeSet::new();
    match tensors.iter().find(|unlocated| !names.insert(&*unlocated.tensor.name)) {
        Some(unlocated) => {
            Err(MetadataError::AmbiguousTensor { name: unlocated.tensor.name.clone() })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn string(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    /// Returns a header with an array of texts, an alignment, and tensors of a type and shape.
    fn header(alignment: u32, tensors: &[(&str, &[u64], u32, u64)]) -> Vec<u8> {
        let mut bytes = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
        bytes.extend((tensors.len() as u64).to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        bytes.extend(
            [string("words"), 9_u32.to_le_bytes().into(), 8_u32.to_le_bytes().into()].concat(),
        );
        bytes.extend([2_u64.to_le_bytes().into(), string("one"), string("two")].concat());
        bytes.extend([string(ALIGNMENT), 4_u32.to_le_bytes().into()].concat());
        bytes.extend(alignment.to_le_bytes());
        for (name, shape, code, offset) in tensors {
            bytes.extend(string(name));
            bytes.extend((shape.len() as u32).to_le_bytes());
            shape.iter().for_each(|len| bytes.extend(len.to_le_bytes()));
            bytes.extend(code.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes
    }

    fn parse_whole(header: &[u8], data_len: u64) -> Result<Metadata, MetadataError> {
        let data_start = (header.len() as u64).next_multiple_of(64);
        parse(header, data_start + data_len)
    }

    #[test]
    fn tensors_are_located_in_the_order_of_their_bytes() {
        let header = header(64, &[("b", &[64, 3], 8, 64), ("a", &[5], 0, 0), ("c", &[], 1, 320)]);
        let contents = parse_whole(&header, 322).unwrap();
        let start = contents.data_start;
        assert!(start.is_multiple_of(64) && start >= header.len() as u64);
        let expected = [
            TensorInfo::new("a", "F32", [5], start..start + 20),
            TensorInfo::new("b", "Q8_0", [3, 64], start + 64..start + 64 + 6 * 34),
            TensorInfo::new("c", "F16", [], start + 320..start + 322),
        ];
        assert_eq!(contents.tensors, expected);
    }

    #[test]
    fn unknown_types_end_where_the_next_tensor_begins() {
        let header = header(32, &[("a", &[7], 999, 0), ("b", &[9], 998, 96)]);
        let data_start = (header.len() as u64).next_multiple_of(32);
        let contents = parse(&header, data_start + 200).unwrap();
        let ranges: Vec<_> = contents.tensors.iter().map(|tensor| tensor.range.clone()).collect();
        assert_eq!(ranges, [data_start..data_start + 96, data_start + 96..data_start + 200]);
        assert_eq!(contents.tensors[0].dtype, "ggml_type_999");
        assert_eq!(parse(&header, u64::MAX).unwrap().tensors[1].len(), 0);
    }

    #[test]
    fn every_truncation_asks_for_more() {
        let header = header(32, &[("a", &[32], 2, 0)]);
        for len in 0..header.len() {
            match parse(&header[..len], u64::MAX) {
                Err(MetadataError::Truncated { needed, have }) => {
                    assert!(have == len as u64 && needed > have && needed >= 2 * have, "{len}");
                }
                other => panic!("{len}: {other:?}"),
            }
            let whole = parse(&header[..len], len as u64);
            assert!(matches!(whole, Err(MetadataError::HeaderTooLong { .. })), "{len}: {whole:?}");
        }
        assert!(parse(&header, u64::MAX).is_ok());
    }

    #[test]
    fn malformed_headers_are_errors() {
        let invalid = |bytes: &[u8], reason: &str| match parse(bytes, u64::MAX) {
            Err(MetadataError::InvalidHeader { reason: found }) => assert_eq!(found, reason),
            other => panic!("{reason}: {other:?}"),
        };
        let good = header(32, &[("a", &[32], 2, 0)]);
        let with = |at: usize, bytes: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            bad
        };
        invalid(&with(4, &[1]), "version 1 is not supported");
        invalid(&with(4, &[0, 0, 0, 3]), "the file is big-endian");
        invalid(&header(48, &[]), "the alignment is not a power of two");
        invalid(&with(24 + 13, &[13]), "metadata have the unknown type 13");
        invalid(&with(24 + 8, &[0xff]), "a name is not UTF-8");
        let mut nested = good[..24 + 17].to_vec();
        for _ in 0..6 {
            nested.extend(9_u32.to_le_bytes());
            nested.extend(1_u64.to_le_bytes());
        }
        invalid(&nested, "arrays are nested too deeply");
        let many = with(8, &[0xff; 8]);
        assert!(matches!(parse(&many, u64::MAX), Err(MetadataError::Truncated { .. })));

        let tensor = |shape: &[u64], code, offset| {
            parse(&header(32, &[("a", shape, code, offset)]), 4096).map(|_| ())
        };
        let name = String::from("a");
        let wrong = Err(MetadataError::InvalidTensor { name: name.clone() });
        assert_eq!(tensor(&[33], 2, 0), wrong);
        assert_eq!(tensor(&[u64::MAX, 2], 0, 0), wrong);
        assert_eq!(tensor(&[1; 5], 0, 0), wrong);
        assert_eq!(tensor(&[1], 0, u64::MAX), wrong);
        assert!(matches!(tensor(&[4096], 0, 0), Err(MetadataError::MissingData { .. })));
        let twice = header(32, &[("a", &[1], 0, 0), ("a", &[1], 0, 32)]);
        assert_eq!(parse(&twice, u64::MAX), Err(MetadataError::AmbiguousTensor { name }));
    }

    #[test]
    fn any_flipped_byte_is_handled() {
        let good = header(32, &[("a", &[32, 2], 2, 0), ("b", &[3], 30, 64)]);
        for at in 0..good.len() {
            for value in [0, 1, 9, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                for len in [300, 1000, u64::MAX] {
                    let _ = parse(&bad, len);
                }
            }
        }
    }
}
