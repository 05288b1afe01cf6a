//! The tensors of a file and where they are.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::dtype::DType;
use crate::tensor::error::MetadataError;
use crate::tensor::info::TensorInfo;

/// Describes the tensors of a file: names, types, shapes and bytes.
///
/// | file | types | further metadata |
/// |---|---|---|
/// | `.safetensors` | as the file names them: `BF16`, `I64` and so on | the texts of the header |
/// | GGUF, versions 2 and 3 | names of ggml for quantised types, such as `Q8_0` | left out |
/// | `.npy`, and `.npz` without compression | NumPy's names of types that safetensors files cannot have | |
/// | PyTorch (`.pt`, `.pth`, `.bin`) since release 1.6 | as in safetensors files | |
/// | ONNX | as in safetensors files, and `U4` and `I4` | |
///
/// [`Self::parse`] reads formats that begin with a header, and [`MetadataReader`] reads all of them.
///
/// [`MetadataReader`]: crate::tensor::MetadataReader
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
    /// Whether headers of tensors lie between the tensors.
    pub(crate) is_scattered: bool,
    pub(crate) tensors: Vec<TensorInfo>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Metadata {
    /// Describes `tensors`, whose data begin at `data_start` in a file of `file_len` bytes.
    pub(crate) fn new(data_start: u64, file_len: u64, mut tensors: Vec<TensorInfo>) -> Self {
        sort(&mut tensors);
        let metadata = BTreeMap::new();
        let is_scattered = false;
        Self {
            data_start,
            file_len,
            zero_padding: 0,
            alignment: 1,
            is_scattered,
            tensors,
            metadata,
        }
    }

    /// Describes `tensors` of a file that has no header at its beginning.
    ///
    /// # Errors
    ///
    /// `NoTensors` if there are none.
    pub(crate) fn scattered(
        file_len: u64,
        tensors: Vec<TensorInfo>,
    ) -> Result<Self, MetadataError> {
        match tensors.is_empty() {
            true => Err(MetadataError::NoTensors),
            false => Ok(Self { is_scattered: true, ..Self::new(0, file_len, tensors) }),
        }
    }

    /// Returns the offset of the tensor data in the file: the end of the header, or 0 for formats
    /// whose headers lie between the tensors.
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

    /// Returns whether the format explains bytes that belong to no tensor: they align the next
    /// tensor, or describe it.
    pub(crate) fn is_expected(&self, gap: &Range<u64>) -> bool {
        let aligns = gap.end - gap.start < self.alignment && gap.end.is_multiple_of(self.alignment);
        self.is_scattered || aligns
    }

    /// Returns the same header with more tensors.
    pub(crate) fn with_tensors(mut self, more: Vec<TensorInfo>) -> Self {
        self.tensors.extend(more);
        sort(&mut self.tensors);
        self
    }
}

/// Sorts tensors by the order of their bytes, and by name where several have the same bytes.
fn sort(tensors: &mut [TensorInfo]) {
    // An unstable sort has less code, which browsers download.
    tensors.sort_unstable_by(|a, b| {
        let order = (a.range.start, a.range.end).cmp(&(b.range.start, b.range.end));
        order.then_with(|| a.name.cmp(&b.name))
    });
}
