//! The header of a safetensors file.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::tensor::TensorInfo;
use zipnn::tensor::{Metadata, MetadataError};

use crate::failure::Failure;

/// A parsed header, or the number of bytes that are needed to parse it.
#[wasm_bindgen]
pub struct Header {
    metadata: Option<Metadata>,
    needed: u64,
}

#[wasm_bindgen]
impl Header {
    /// Parses the header of a file that begins with `beginning` and has `file_len` bytes, if known.
    #[wasm_bindgen(constructor)]
    pub fn new(beginning: &[u8], file_len: Option<f64>) -> Result<Self, Failure> {
        let metadata = match file_len {
            Some(file_len) => Metadata::parse(beginning, file_len as u64),
            None => Metadata::parse_header(beginning),
        };
        match metadata {
            Ok(metadata) => Ok(Self { metadata: Some(metadata), needed: 0 }),
            Err(MetadataError::Truncated { needed, .. }) => Ok(Self { metadata: None, needed }),
            Err(error) => Err(Failure::new("NotSafetensors", error)),
        }
    }

    /// Returns the number of bytes that are needed, or 0 if the header is parsed.
    #[wasm_bindgen(getter)]
    pub fn needed(&self) -> f64 {
        self.needed as f64
    }

    /// Returns the names of the tensors in the order of their bytes.
    pub fn names(&self) -> Vec<String> {
        self.tensors().iter().map(|tensor| tensor.name.clone()).collect()
    }

    /// Returns the names of the tensors' types.
    pub fn dtypes(&self) -> Vec<String> {
        self.tensors().iter().map(|tensor| tensor.dtype.clone()).collect()
    }

    /// Returns the shape of the tensor with this index.
    pub fn shape(&self, tensor: usize) -> Box<[f64]> {
        let shape = self.tensors().get(tensor).map(|tensor| &tensor.shape[..]);
        shape.unwrap_or_default().iter().map(|&dimension| dimension as f64).collect()
    }

    /// Returns the start and the end of each tensor in the file.
    pub fn ranges(&self) -> Box<[f64]> {
        let ranges = self.tensors().iter().map(|tensor| &tensor.range);
        ranges.flat_map(|range| [range.start as f64, range.end as f64]).collect()
    }

    fn tensors(&self) -> &[TensorInfo] {
        self.metadata.as_ref().map(Metadata::tensors).unwrap_or_default()
    }
}
