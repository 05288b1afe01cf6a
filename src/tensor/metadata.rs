//! The tensors of a file and where they are.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::dtype::DType;
use crate::tensor::info::TensorInfo;

/// Describes the tensors of a file: names, types, shapes and bytes.
///
/// | file | types | further metadata |
/// |---|---|---|
/// | `.safetensors` | as the file names them: `BF16`, `I64` and so on | the texts of the header |
/// | GGUF, versions 2 and 3 | names of ggml for quantised types, such as `Q8_0` | left out |
///
/// Parsing accepts every header that common loaders accept, including some that the reference
/// library of safetensors rejects: bytes that belong to no tensor or to several, and zero bytes as
/// padding. [`Self::oddities`] reports these.
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
/// let metadata = Metadata::parse(&file, file.len() as u64)?;
/// assert_eq!(metadata.tensors()[0].name, "a");
/// assert_eq!(metadata.tensors()[0].range, 63..67);
/// assert_eq!(metadata.main_dtype(), Some(DType::BF16));
/// # Ok::<(), zipnn::tensor::MetadataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub(crate) data_start: u64,
    pub(crate) file_len: u64,
    /// Number of zero bytes that pad the header.
    pub(crate) zero_padding: u64,
    /// Tensors begin at multiples of this many bytes of the data.
    pub(crate) alignment: u64,
    pub(crate) tensors: Vec<TensorInfo>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Metadata {
    /// Describes `tensors`, whose data begin at `data_start` in a file of `file_len` bytes.
    pub(crate) fn new(data_start: u64, file_len: u64, mut tensors: Vec<TensorInfo>) -> Self {
        sort(&mut tensors);
        let metadata = BTreeMap::new();
        Self { data_start, file_len, zero_padding: 0, alignment: 1, tensors, metadata }
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

    /// Returns the same header with more tensors.
    pub(crate) fn with_tensors(mut self, more: Vec<TensorInfo>) -> Self {
        self.tensors.extend(more);
        sort(&mut self.tensors);
        self
    }
}

/// Sorts tensors by the order of their bytes.
fn sort(tensors: &mut [TensorInfo]) {
    tensors.sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
}
