//! The header of a `.safetensors` file: its length as a little-endian u64, then JSON, then the
//! tensors' bytes.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::dtype::DType;
use crate::frame::shape::element_count;

/// Which bytes of a `.safetensors` file belong to which tensor.
///
/// It accepts all that loaders accept, also what the reference library refuses: bytes that belong
/// to no tensor or to several, and a header that is padded with zero bytes. [`Self::oddities`]
/// reports these.
///
/// ```
/// use zipnn::DType;
/// use zipnn::tensor::Metadata;
///
/// let header = br#"{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
/// let mut file = (header.len() as u64).to_le_bytes().to_vec();
/// file.extend_from_slice(header);
/// file.extend_from_slice(&[0; 4]);
///
/// let layout = Metadata::parse(&file, file.len() as u64)?;
/// assert_eq!(layout.tensors()[0].name, "a");
/// assert_eq!(layout.tensors()[0].range, 63..67);
/// assert_eq!(layout.main_dtype(), Some(DType::BF16));
/// # Ok::<(), zipnn::tensor::MetadataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    data_start: u64,
    pub(crate) file_len: u64,
    /// How many zero bytes pad the header.
    pub(crate) zero_padding: u64,
    pub(crate) tensors: Vec<TensorInfo>,
    metadata: BTreeMap<String, String>,
}

/// A tensor of a `.safetensors` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements, as the file calls it: `BF16`, `I64` and so on.
    pub dtype: String,
    /// Its dimensions, outermost first; none for a scalar.
    pub shape: Vec<u64>,
    /// Where in the file its bytes are.
    pub range: Range<u64>,
}

impl TensorInfo {
    /// The type of its elements, if this crate has a layout for it. Anything else is best
    /// compressed as single bytes, [`DType::F8E4M3`].
    pub fn dtype(&self) -> Option<DType> {
        DType::from_safetensors(&self.dtype)
    }

    /// Its bytes in the file.
    #[expect(clippy::len_without_is_empty, reason = "it is a size, and a tensor no collection")]
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Bits of one of its elements, if the format knows the type. Those of types below a byte lie
    /// side by side, and tensors of them take whole bytes.
    pub fn element_bits(&self) -> Option<u64> {
        match self.dtype.as_str() {
            "F4" => Some(4),
            "F6_E2M3" | "F6_E3M2" => Some(6),
            "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ"
            | "F8_E5M2FNUZ" => Some(8),
            "I16" | "U16" | "F16" | "BF16" => Some(16),
            "I32" | "U32" | "F32" => Some(32),
            "I64" | "U64" | "F64" | "C64" => Some(64),
            _ => None,
        }
    }

    /// Returns whether the tensor has the type and shape of those that hold frames.
    pub(crate) fn is_row_of_bytes(&self) -> bool {
        self.dtype == "U8" && self.shape.len() == 1
    }

    /// Whether shape and type fit the number of bytes, as far as the type is known.
    pub(crate) fn fits(&self) -> bool {
        let Some(bits) = self.element_bits() else { return true };
        let elements = element_count(self.shape.iter().copied());
        let needed = elements.and_then(|elements| elements.checked_mul(bits));
        needed.is_some() && needed == self.len().checked_mul(8)
    }
}

impl DType {
    pub(crate) fn from_safetensors(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.safetensors_name() == name)
    }
}

/// Why the beginning of a file is not the header of a `.safetensors` file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// More of the file is needed to read its header.
    Truncated {
        /// Bytes from the file's beginning that have to be there.
        needed: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// The header would be longer than the format allows, or than the file.
    HeaderTooLong {
        /// What the file gives as its length.
        len: u64,
    },
    /// The header is not the JSON that the format asks for.
    InvalidHeader {
        /// What the JSON reader says.
        reason: String,
    },
    /// A tensor's bytes do not fit its type and shape.
    InvalidTensor {
        /// The tensor's name.
        name: String,
    },
    /// The file ends before a tensor does.
    MissingData {
        /// The tensor's name.
        name: String,
        /// Length that the file needs for this tensor.
        needed: u64,
        /// Length of the file.
        have: u64,
    },
    /// The header describes a tensor twice, and in different ways: which one a reader takes depends
    /// on the reader.
    AmbiguousTensor {
        /// The tensor's name.
        name: String,
    },
    /// Two tensors share bytes, where each needs its own.
    SharedBytes {
        /// The name of the tensor that begins within another.
        name: String,
    },
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, have } => {
                write!(f, "the header is truncated: {needed} bytes needed, {have} there")
            }
            Self::HeaderTooLong { len } if *len <= Metadata::MAX_HEADER_LEN => {
                write!(f, "the file ends before its header of {len} bytes does")
            }
            Self::HeaderTooLong { len } => write!(f, "a header of {len} bytes is too long"),
            Self::InvalidHeader { reason } => write!(f, "the header is malformed: {reason}"),
            Self::InvalidTensor { name } => {
                write!(f, "the bytes of tensor {name:?} do not fit its type and shape")
            }
            Self::MissingData { name, needed, have } => write!(
                f,
                "the file ends after {have} bytes, before tensor {name:?}, which needs {needed}"
            ),
            Self::AmbiguousTensor { name } => {
                write!(f, "the header describes tensor {name:?} twice, in different ways")
            }
            Self::SharedBytes { name } => {
                write!(f, "tensor {name:?} shares bytes with another tensor")
            }
        }
    }
}

impl core::error::Error for MetadataError {}

/// The header as JSON has it.
struct RawHeader {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, RawTensor>,
    /// A name with two entries that differ.
    ambiguous: Option<String>,
}

#[derive(PartialEq, serde::Deserialize)]
struct RawTensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Repeated names are accepted as in the reference library, which takes the last entry, but for
/// tensors whose entries differ: other readers take the first, and would see another file.
impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut metadata = None;
                let mut tensors = BTreeMap::new();
                let mut ambiguous = None;
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        if metadata.is_some() {
                            return Err(A::Error::duplicate_field(METADATA));
                        }
                        metadata = Some(map.next_value::<Option<BTreeMap<String, String>>>()?);
                        continue;
                    }
                    let tensor: RawTensor = map.next_value()?;
                    match tensors.entry(name) {
                        Entry::Vacant(entry) => {
                            entry.insert(tensor);
                        }
                        Entry::Occupied(entry) if *entry.get() == tensor => {}
                        Entry::Occupied(entry) => ambiguous = Some(entry.key().clone()),
                    }
                }
                let metadata = metadata.flatten().unwrap_or_default();
                Ok(RawHeader { metadata, tensors, ambiguous })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The member of the header that is no tensor.
pub(crate) const METADATA: &str = "__metadata__";

impl Metadata {
    /// Longest header that the format allows, in bytes.
    pub const MAX_HEADER_LEN: u64 = 100_000_000;
    /// Length of the number with which a file begins, in bytes: the length of the header's JSON.
    pub const PREFIX_LEN: u64 = 8;

    /// Reads the header from `bytes`, with which a file of `file_len` bytes begins, and checks it
    /// against that length. On `Truncated`, read as much as is needed and try again: two attempts
    /// suffice, and neither asks for more than [`Self::MAX_HEADER_LEN`] and a bit.
    ///
    /// # Errors
    ///
    /// All of [`MetadataError`] but `SharedBytes`.
    pub fn parse(bytes: &[u8], file_len: u64) -> Result<Self, MetadataError> {
        let have = bytes.len() as u64;
        let prefix = bytes
            .first_chunk()
            .ok_or(MetadataError::Truncated { needed: Self::PREFIX_LEN, have })?;
        let len = u64::from_le_bytes(*prefix);
        if len > Self::MAX_HEADER_LEN || len > file_len.saturating_sub(Self::PREFIX_LEN) {
            return Err(MetadataError::HeaderTooLong { len });
        }
        let data_start = Self::PREFIX_LEN + len;
        let json = bytes
            .get(Self::PREFIX_LEN as usize..data_start as usize)
            .ok_or(MetadataError::Truncated { needed: data_start, have })?;
        let (json, padding) = json.split_at(json.len() - padding_len(json));
        let raw: RawHeader = serde_json::from_slice(json)
            .map_err(|error| MetadataError::InvalidHeader { reason: error.to_string() })?;
        if let Some(name) = raw.ambiguous {
            return Err(MetadataError::AmbiguousTensor { name });
        }
        let tensors = place(raw.tensors, data_start, file_len)?;
        let zero_padding = padding.iter().filter(|&&byte| byte == 0).count() as u64;
        Ok(Self { data_start, file_len, zero_padding, tensors, metadata: raw.metadata })
    }

    /// Reads the header of a file whose length is not known, for example one from a pipe. The
    /// layout ends with its last tensor. Other than that, it is as [`Self::parse`].
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_header(bytes: &[u8]) -> Result<Self, MetadataError> {
        let mut layout = Self::parse(bytes, u64::MAX)?;
        let ends = layout.tensors.iter().map(|tensor| tensor.range.end);
        layout.file_len = ends.fold(layout.data_start, u64::max);
        Ok(layout)
    }

    /// Where in the file the first tensor's bytes begin: right behind the header.
    pub fn data_start(&self) -> u64 {
        self.data_start
    }

    /// The tensors, in the order of their bytes.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// The texts that the file carries beside its tensors.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The type that most of the file's bytes have. `None` if that is one for which this crate has
    /// no layout.
    pub fn main_dtype(&self) -> Option<DType> {
        let mut totals: BTreeMap<Option<u8>, u64> = BTreeMap::new();
        for tensor in &self.tensors {
            let total = totals.entry(tensor.dtype().map(DType::code)).or_default();
            // Tensors that share bytes can be longer together than any file.
            *total = total.saturating_add(tensor.len());
        }
        let (code, _) = totals.into_iter().max_by_key(|&(_, bytes)| bytes)?;
        code.and_then(DType::from_code)
    }
}

/// Returns how many bytes of padding end a header: blanks, and zero bytes, which are not JSON.
fn padding_len(json: &[u8]) -> usize {
    let is_padding = |byte: &&u8| matches!(**byte, 0 | b' ' | b'\t' | b'\n' | b'\r');
    json.iter().rev().take_while(is_padding).count()
}

/// Returns the tensors in the order of their bytes, each of which lies within the file.
fn place(
    raw: BTreeMap<String, RawTensor>,
    data_start: u64,
    file_len: u64,
) -> Result<Vec<TensorInfo>, MetadataError> {
    let mut tensors = Vec::with_capacity(raw.len());
    for (name, raw) in raw {
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
        tensors.push(tensor);
    }
    tensors.sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
    Ok(tensors)
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
    fn tensors_come_in_the_order_of_their_bytes() {
        let layout = parse(TWO, 14).unwrap();
        assert_eq!(
            layout.tensors().iter().map(|tensor| &*tensor.name).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(layout.metadata()["format"], "pt");
        assert_eq!(layout.data_start(), 8 + TWO.len() as u64);
        assert_eq!(layout.tensors()[0].dtype(), Some(DType::F16));
        assert_eq!(layout.main_dtype(), None);
    }

    #[test]
    fn the_header_may_come_in_parts() {
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
    fn what_does_not_fit_is_refused() {
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
        let layout = parse(r#"{"__metadata__":{"format":"pt","format":"np"}}"#, 0).unwrap();
        assert_eq!(layout.metadata()["format"], "np");
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
    fn elements_below_a_byte() {
        let json =
            |shape| format!(r#"{{"a":{{"dtype":"F4","shape":[{shape}],"data_offsets":[0,3]}}}}"#);
        assert!(parse(&json(6), 3).is_ok());
        for wrong in [5, 7] {
            assert!(parse(&json(wrong), 3).is_err());
        }
    }

    #[test]
    fn an_empty_file_has_no_main_type() {
        assert_eq!(parse("{}", 0).unwrap().main_dtype(), None);
    }
}
