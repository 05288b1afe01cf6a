//! One tensor of a file: its name, type, shape and position.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::dtype::DType;
use crate::frame::shape::checked_len;

/// Describes a tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Name of the tensor.
    pub name: String,
    /// Type of the elements as the file names it: `BF16`, `I64` and so on.
    pub dtype: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<u64>,
    /// Bytes of the file that hold the tensor.
    pub range: Range<u64>,
}

impl TensorInfo {
    /// Describes the tensor `name` that occupies `range` in its file.
    pub fn new(
        name: impl Into<String>,
        dtype: impl Into<String>,
        shape: impl Into<Vec<u64>>,
        range: Range<u64>,
    ) -> Self {
        Self { name: name.into(), dtype: dtype.into(), shape: shape.into(), range }
    }

    /// Returns the element type, or `None` if [`DType`] has no such type.
    pub fn dtype(&self) -> Option<DType> {
        DType::from_safetensors(&self.dtype)
    }

    /// Returns the number of bytes that the tensor occupies in the file.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a size in bytes, not the size of a collection"
    )]
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Returns the width of an element in bits, or `None` if the format does not define the type.
    ///
    /// Elements narrower than a byte are packed without padding between them.
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

    /// Returns whether the tensor has the type and shape in which files store frames.
    pub(crate) fn is_row_of_bytes(&self) -> bool {
        self.dtype == "U8" && self.shape.len() == 1
    }

    /// Returns whether type and shape match the length in bytes. `true` for unknown types.
    pub(crate) fn fits(&self) -> bool {
        let Some(bits) = self.element_bits() else { return true };
        let needed = checked_len(&self.shape, bits);
        needed.is_some() && needed == self.len().checked_mul(8)
    }
}

impl DType {
    pub(crate) fn from_safetensors(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.safetensors_name() == name)
    }
}
