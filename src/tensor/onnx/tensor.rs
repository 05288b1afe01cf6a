//! A tensor of a model, collected field by field.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::info::TensorInfo;
use crate::tensor::onnx::fields::{external, tensor};
use crate::tensor::onnx::wire::{self, Value};

/// Maximum number of dimensions.
const MAX_DIMENSIONS: usize = 64;

/// Numbers of types in `onnx.proto`, and names of types in safetensors files.
const TYPES: [(u64, &str); 22] = [
    (1, "F32"),
    (2, "U8"),
    (3, "I8"),
    (4, "U16"),
    (5, "I16"),
    (6, "I32"),
    (7, "I64"),
    (9, "BOOL"),
    (10, "F16"),
    (11, "F64"),
    (12, "U32"),
    (13, "U64"),
    (14, "C64"),
    (16, "BF16"),
    (17, "F8_E4M3"),
    (18, "F8_E4M3FNUZ"),
    (19, "F8_E5M2"),
    (20, "F8_E5M2FNUZ"),
    (21, "U4"),
    (22, "I4"),
    (23, "F4"),
    (24, "F8_E8M0"),
];

/// Fields of a tensor.
#[derive(Debug, Default)]
pub(super) struct RawTensor {
    name: String,
    shape: Vec<u64>,
    dtype: Option<u64>,
    /// Bytes of the model that hold the elements.
    data: Option<Range<u64>>,
    is_external: bool,
    key: String,
    location: String,
    offset: u64,
    len: u64,
}

/// A tensor, and the file that holds its elements if it is another one.
pub(super) struct Located {
    pub(super) tensor: TensorInfo,
    pub(super) location: Option<String>,
}

impl RawTensor {
    /// Takes the value of a short field: a number, or these bytes.
    pub(super) fn take(&mut self, field: u64, value: Value, bytes: &[u8]) -> Option<()> {
        match (field, value) {
            (tensor::DIMS, Value::Number(dim)) => self.add_dimension(dim)?,
            (tensor::DIMS, Value::Bytes(_)) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let (dim, len) = wire::number(rest).ok()?;
                    self.add_dimension(dim)?;
                    rest = &rest[len..];
                }
            }
            (tensor::DATA_TYPE, Value::Number(dtype)) => self.dtype = Some(dtype),
            (tensor::DATA_LOCATION, Value::Number(location)) => self.is_external = location == 1,
            (tensor::NAME, Value::Bytes(_)) => self.name = text(bytes)?,
            _ => return None,
        }
        Some(())
    }

    fn add_dimension(&mut self, dim: u64) -> Option<()> {
        (self.shape.len() < MAX_DIMENSIONS).then(|| self.shape.push(dim))
    }

    /// Takes a key or a value that describes where the elements are.
    pub(super) fn take_external(&mut self, field: u64, bytes: &[u8]) -> Option<()> {
        let value = text(bytes)?;
        match (field, self.key.as_str()) {
            (external::KEY, _) => self.key = value,
            (_, "location") => self.location = value,
            (_, "offset") => self.offset = value.parse().ok()?,
            (_, "length") => self.len = value.parse().ok()?,
            _ => {}
        }
        Some(())
    }

    /// Takes the bytes that hold the elements.
    pub(super) fn locate(&mut self, range: Range<u64>) {
        self.data = Some(range);
    }

    /// Returns the tensor, or `None` if its bytes do not match its type and shape, or the model
    /// stores it in another way.
    pub(super) fn finish(self) -> Option<Located> {
        let code = self.dtype?;
        let dtype = TYPES.into_iter().find(|known| known.0 == code)?.1;
        let (range, location) = match self.is_external {
            true => (self.offset..self.offset.checked_add(self.len)?, Some(self.location)),
            false => (self.data?, None),
        };
        let tensor = TensorInfo::new(self.name, dtype, self.shape, range);
        let is_packed = matches!(dtype, "U4" | "I4");
        let elements = tensor.shape.iter().try_fold(1_u64, |len, &dim| len.checked_mul(dim))?;
        let fits = if is_packed { tensor.len() == elements.div_ceil(2) } else { tensor.fits() };
        (fits && tensor.len() > 0).then_some(Located { tensor, location })
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    core::str::from_utf8(bytes).ok().map(ToString::to_string)
}
