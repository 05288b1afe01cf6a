//! Parses the header, and checks it against the length of its file.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::tensor::error::MetadataError;
use crate::tensor::info::TensorInfo;
use crate::tensor::metadata::Metadata;
use crate::tensor::safetensors::format::{MAX_HEADER_LEN, PREFIX_LEN};
use crate::tensor::safetensors::json::{RawHeader, RawTensor};

/// Parses the header of a `.safetensors` file of `file_len` bytes that begins with `bytes`.
pub(crate) fn parse(bytes: &[u8], file_len: u64) -> Result<Metadata, MetadataError> {
    let json = header_json(bytes, file_len)?;
    let data_start = PREFIX_LEN + json.len() as u64;
    let (json, padding) = json.split_at(json.len() - padding_len(json));
    let raw = RawHeader::parse(json)?;
    let tensors = locate_tensors(raw.tensors, data_start, file_len)?;
    let zero_padding = padding.iter().filter(|&&byte| byte == 0).count() as u64;
    let metadata = Metadata::new(data_start, file_len, tensors);
    Ok(Metadata { zero_padding, metadata: raw.metadata, ..metadata })
}

/// Returns the JSON of the header with its padding.
fn header_json(bytes: &[u8], file_len: u64) -> Result<&[u8], MetadataError> {
    let have = bytes.len() as u64;
    let prefix =
        bytes.first_chunk().ok_or(MetadataError::Truncated { needed: PREFIX_LEN, have })?;
    let len = u64::from_le_bytes(*prefix);
    if len > MAX_HEADER_LEN || len > file_len.saturating_sub(PREFIX_LEN) {
        return Err(MetadataError::HeaderTooLong { len });
    }
    let end = PREFIX_LEN + len;
    bytes
        .get(PREFIX_LEN as usize..end as usize)
        .ok_or(MetadataError::Truncated { needed: end, have })
}

/// Returns the number of padding bytes at the end of a header: blanks, and zero bytes, which are
/// not JSON.
fn padding_len(json: &[u8]) -> usize {
    let is_padding = |byte: &&u8| matches!(**byte, 0 | b' ' | b'\t' | b'\n' | b'\r');
    json.iter().rev().take_while(is_padding).count()
}

/// Returns the tensors with the bytes of each. Checks that they lie within the file.
fn locate_tensors(
    raw: BTreeMap<String, RawTensor>,
    data_start: u64,
    file_len: u64,
) -> Result<Vec<TensorInfo>, MetadataError> {
    raw.into_iter().map(|(name, raw)| locate_tensor(name, raw, data_start, file_len)).collect()
}

fn locate_tensor(
    name: String,
    raw: RawTensor,
    data_start: u64,
    file_len: u64,
) -> Result<TensorInfo, MetadataError> {
    let [start, end] = raw.data_offsets.map(|offset| offset.checked_add(data_start));
    let (Some(start), Some(end)) = (start, end) else {
        return Err(MetadataError::InvalidTensor { name });
    };
    if end > file_len {
        return Err(MetadataError::MissingData { name, needed: end, have: file_len });
    }
    let RawTensor { dtype, shape, .. } = raw;
    let tensor = TensorInfo { name, dtype, shape, range: start..end };
    if start > end || !tensor.fits() {
        return Err(MetadataError::InvalidTensor { name: tensor.name });
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::dtype::DType;

    fn file(json: &str, data: usize) -> Vec<u8> {
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(json.as_bytes());
        file.resize(file.len() + data, 0);
        file
    }

    fn parse(json: &str, data: usize) -> Result<Metadata, MetadataError> {
        let file = file(json, data);
        Metadata::parse(&file, file.len() as u64)
    }

    const TWO: &str = r#"{"__metadata__":{"format":"pt"},
        "b":{"dtype":"I64","shape":[1],"data_offsets":[6,14]},
        "a":{"dtype":"F16","shape":[3,1],"data_offsets":[0,6]}}"#;

    #[test]
    fn tensors_are_sorted_by_offset() {
        let metadata = parse(TWO, 14).unwrap();
        assert_eq!(
            metadata.tensors().iter().map(|tensor| &*tensor.name).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(metadata.metadata()["format"], "pt");
        assert_eq!(metadata.data_start(), 8 + TWO.len() as u64);
        assert_eq!(metadata.tensors()[0].dtype(), Some(DType::F16));
        assert_eq!(metadata.main_dtype(), None);
    }

    #[test]
    fn truncated_headers_report_the_length_needed() {
        let file = file(TWO, 14);
        let len = file.len() as u64;
        let header = 8 + TWO.len() as u64;
        assert_eq!(Metadata::parse(&[], len), Err(MetadataError::Truncated { needed: 8, have: 0 }));
        assert_eq!(
            Metadata::parse(&file[..8], len),
            Err(MetadataError::Truncated { needed: header, have: 8 })
        );
        assert!(Metadata::parse(&file[..header as usize], len).is_ok());
    }

    #[test]
    fn tensors_and_headers_that_exceed_the_file_are_rejected() {
        let end = 8 + TWO.len() as u64 + 14;
        let missing = MetadataError::MissingData { name: "b".into(), needed: end, have: end - 1 };
        assert_eq!(parse(TWO, 13), Err(missing));
        for (shape, offsets) in [
            ("[2]", "[0,6]"),
            ("[3]", "[6,0]"),
            ("[3]", "[0,18446744073709551615]"),
            ("[18446744073709551615,3]", "[0,6]"),
        ] {
            let json =
                format!(r#"{{"a":{{"dtype":"F16","shape":{shape},"data_offsets":{offsets}}}}}"#);
            assert_eq!(
                parse(&json, 6),
                Err(MetadataError::InvalidTensor { name: "a".into() }),
                "{json}"
            );
        }
        assert!(matches!(parse("[]", 0), Err(MetadataError::InvalidHeader { .. })));
        assert!(matches!(
            Metadata::parse(&[0xff; 100], 100),
            Err(MetadataError::HeaderTooLong { .. })
        ));
        assert!(matches!(
            Metadata::parse(&[200, 0, 0, 0, 0, 0, 0, 0], 100),
            Err(MetadataError::HeaderTooLong { .. })
        ));
    }

    #[test]
    fn repeated_names_are_accepted_as_in_the_reference_library() {
        let tensor = r#""a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
        let other = r#""a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}"#;
        assert_eq!(parse(&format!("{{{tensor},{tensor}}}"), 0).unwrap().tensors().len(), 1);
        let ambiguous = Err(MetadataError::AmbiguousTensor { name: "a".into() });
        assert_eq!(parse(&format!("{{{tensor},{other}}}"), 0), ambiguous);
        assert_eq!(parse(&format!("{{{tensor},{other},{tensor}}}"), 0), ambiguous);
        let metadata = parse(r#"{"__metadata__":{"format":"pt","format":"np"}}"#, 0).unwrap();
        assert_eq!(metadata.metadata()["format"], "np");
        for json in [
            format!(r#"{{"__metadata__":{{}},{tensor},"__metadata__":{{}}}}"#),
            r#"{"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}}"#.into(),
        ] {
            let error = parse(&json, 0).unwrap_err();
            assert!(matches!(error, MetadataError::InvalidHeader { .. }), "{json}: {error}");
        }
        assert!(parse(r#"{"__metadata__":null}"#, 0).unwrap().metadata().is_empty());
    }

    #[test]
    fn subbyte_types_must_fill_whole_bytes() {
        let json =
            |shape| format!(r#"{{"a":{{"dtype":"F4","shape":[{shape}],"data_offsets":[0,3]}}}}"#);
        assert!(parse(&json(6), 3).is_ok());
        for wrong in [5, 7] {
            assert!(parse(&json(wrong), 3).is_err());
        }
    }

    #[test]
    fn main_dtype_of_a_file_without_tensors_is_none() {
        assert_eq!(parse("{}", 0).unwrap().main_dtype(), None);
    }
}
