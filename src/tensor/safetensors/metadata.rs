//! The header, checked against the length of its file.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::dtype::DType;
use crate::tensor::gguf;
use crate::tensor::info::TensorInfo;
use crate::tensor::safetensors::error::MetadataError;
use crate::tensor::safetensors::format::{MAX_HEADER_LEN, PREFIX_LEN};
use crate::tensor::safetensors::json::{RawHeader, RawTensor};

/// Header of a `.safetensors` file: its tensors and its metadata.
///
/// It also parses the headers of GGUF files, whose tensors may be quantised. Their types have the
/// names of ggml, such as `Q8_0`; their metadata are left out.
///
/// Parsing accepts every header that common loaders accept, including some that the reference
/// library rejects: bytes that belong to no tensor or to several, and zero bytes as padding.
/// [`Self::oddities`] reports these.
///
/// ```
/// use zipnn::DType;
/// use zipnn::tensor::safetensors::Metadata;
///
/// let header = br#"{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
/// let mut file = (header.len() as u64).to_le_bytes().to_vec();
/// file.extend_from_slice(header);
/// file.extend_from_slice(&[0; 4]);
///
/// let metadata = Metadata::parse(&file, file.len() as u64)?;
/// assert_eq!(metadata.tensors()[0].name, "a");
/// assert_eq!(metadata.tensors()[0].range, 63..67);
/// assert_eq!(metadata.main_dtype(), Some(DType::BF16));
/// # Ok::<(), zipnn::tensor::safetensors::MetadataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    data_start: u64,
    file_len: u64,
    zero_padding: u64,
    /// Tensors begin at multiples of this many bytes of the data.
    alignment: u64,
    tensors: Vec<TensorInfo>,
    metadata: BTreeMap<String, String>,
}

impl Metadata {
    /// Longest header that the format allows, in bytes.
    pub const MAX_HEADER_LEN: u64 = MAX_HEADER_LEN;
    /// Length of the integer at the beginning of a file, which states the length of the header.
    pub const PREFIX_LEN: u64 = PREFIX_LEN;

    /// Parses the header of a file of `file_len` bytes that begins with `bytes`.
    ///
    /// If this returns [`MetadataError::Truncated`], read as many bytes as the error states and
    /// call again. For a `.safetensors` file, that happens at most twice, and the error states at
    /// most [`Self::PREFIX_LEN`] + [`Self::MAX_HEADER_LEN`] bytes. A GGUF file does not state the
    /// length of its header, so the error states twice the available length, up to 256 MiB.
    ///
    /// # Errors
    ///
    /// All variants of [`MetadataError`] except `SharedBytes`.
    pub fn parse(bytes: &[u8], file_len: u64) -> Result<Self, MetadataError> {
        if gguf::is_gguf(bytes) {
            return gguf::parse(bytes, file_len).map(|contents| Self::of_gguf(contents, file_len));
        }
        Self::parse_safetensors(bytes, file_len)
    }

    /// Parses the header of a `.safetensors` file, and no other.
    pub(crate) fn parse_safetensors(bytes: &[u8], file_len: u64) -> Result<Self, MetadataError> {
        let json = header_json(bytes, file_len)?;
        let data_start = PREFIX_LEN + json.len() as u64;
        let (json, padding) = json.split_at(json.len() - padding_len(json));
        let raw = RawHeader::parse(json)?;
        let tensors = locate_tensors(raw.tensors, data_start, file_len)?;
        let zero_padding = padding.iter().filter(|&&byte| byte == 0).count() as u64;
        let metadata = raw.metadata;
        Ok(Self { data_start, file_len, zero_padding, alignment: 1, tensors, metadata })
    }

    fn of_gguf(contents: gguf::Contents, file_len: u64) -> Self {
        let gguf::Contents { data_start, alignment, tensors } = contents;
        let metadata = BTreeMap::new();
        Self { data_start, file_len, zero_padding: 0, alignment, tensors, metadata }
    }

    /// Parses the header of a file of unknown length, such as one that comes from a pipe.
    ///
    /// Works like [`Self::parse`] and takes the end of the last tensor as the end of the file.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::parse`].
    pub fn parse_header(bytes: &[u8]) -> Result<Self, MetadataError> {
        let mut metadata = Self::parse(bytes, u64::MAX)?;
        let ends = metadata.tensors.iter().map(|tensor| tensor.range.end);
        metadata.file_len = ends.fold(metadata.data_start, u64::max);
        Ok(metadata)
    }

    /// Returns the offset of the tensor data in the file: the end of the header.
    pub fn data_start(&self) -> u64 {
        self.data_start
    }

    /// Returns the length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Returns the tensors in the order of their bytes.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Returns the tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Returns the texts under `__metadata__`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Returns the type that most bytes of the file have, or `None` if [`DType`] has no such type.
    pub fn main_dtype(&self) -> Option<DType> {
        let mut totals: BTreeMap<Option<u8>, u64> = BTreeMap::new();
        for tensor in &self.tensors {
            let total = totals.entry(tensor.dtype().map(DType::code)).or_default();
            // Tensors that share bytes can have a larger sum than any file.
            *total = total.saturating_add(tensor.len());
        }
        let (code, _) = totals.into_iter().max_by_key(|&(_, bytes)| bytes)?;
        code.and_then(DType::from_code)
    }

    /// Returns whether bytes that belong to no tensor only align the next tensor.
    pub(crate) fn is_alignment(&self, gap: &Range<u64>) -> bool {
        gap.end - gap.start < self.alignment && gap.end.is_multiple_of(self.alignment)
    }

    /// Returns the number of zero bytes that pad the header.
    pub(crate) fn zero_padding(&self) -> u64 {
        self.zero_padding
    }

    /// Returns the same header with more tensors.
    pub(crate) fn with_tensors(mut self, more: Vec<TensorInfo>) -> Self {
        self.tensors.extend(more);
        sort(&mut self.tensors);
        self
    }
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

/// Returns the tensors in the order of their bytes. Checks that each lies within the file.
fn locate_tensors(
    raw: BTreeMap<String, RawTensor>,
    data_start: u64,
    file_len: u64,
) -> Result<Vec<TensorInfo>, MetadataError> {
    let locate = |(name, raw)| locate_tensor(name, raw, data_start, file_len);
    let mut tensors = raw.into_iter().map(locate).collect::<Result<Vec<_>, _>>()?;
    sort(&mut tensors);
    Ok(tensors)
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

fn sort(tensors: &mut [TensorInfo]) {
    tensors.sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

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
