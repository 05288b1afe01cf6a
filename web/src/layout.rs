//! Which bytes of a safetensors file belong to which tensor.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::tensor;
use zipnn::tensor::TensorInfo;
use zipnn::tensor::safetensors::MetadataError;

use crate::failure::Failure;

/// A [`tensor::safetensors::Metadata`], or how much of the file is needed to know it.
#[wasm_bindgen]
pub struct Layout {
    layout: Option<tensor::safetensors::Metadata>,
    needed: u64,
}

#[wasm_bindgen]
impl Layout {
    /// Reads it from the bytes with which a file begins, of so many bytes if that is known.
    #[wasm_bindgen(constructor)]
    pub fn new(beginning: &[u8], file_len: Option<f64>) -> Result<Self, Failure> {
        let layout = match file_len {
            Some(file_len) => tensor::safetensors::Metadata::parse(beginning, file_len as u64),
            None => tensor::safetensors::Metadata::parse_header(beginning),
        };
        match layout {
            Ok(layout) => Ok(Self { layout: Some(layout), needed: 0 }),
            Err(MetadataError::Truncated { needed, .. }) => Ok(Self { layout: None, needed }),
            Err(error) => Err(Failure::new("NotSafetensors", error)),
        }
    }

    /// Bytes of the file that are needed; 0 if there have been enough.
    #[wasm_bindgen(getter)]
    pub fn needed(&self) -> f64 {
        self.needed as f64
    }

    /// The names of the tensors, in the order of their bytes.
    pub fn names(&self) -> Vec<String> {
        self.tensors().iter().map(|tensor| tensor.name.clone()).collect()
    }

    /// What the file calls their types.
    pub fn dtypes(&self) -> Vec<String> {
        self.tensors().iter().map(|tensor| tensor.dtype.clone()).collect()
    }

    /// The shape of one of them.
    pub fn shape(&self, tensor: usize) -> Box<[f64]> {
        let shape = self.tensors().get(tensor).map(|tensor| &tensor.shape[..]);
        shape.unwrap_or_default().iter().map(|&dim| dim as f64).collect()
    }

    /// Where in the file they begin and end: two numbers each.
    pub fn ranges(&self) -> Box<[f64]> {
        let ranges = self.tensors().iter().map(|tensor| &tensor.range);
        ranges.flat_map(|range| [range.start as f64, range.end as f64]).collect()
    }

    fn tensors(&self) -> &[TensorInfo] {
        self.layout.as_ref().map(tensor::safetensors::Metadata::tensors).unwrap_or_default()
    }
}
