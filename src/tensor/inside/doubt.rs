//! Tensors of the list that may be damaged.

use crate::tensor::inside::error::TensorError;

/// Reason not to decode a tensor of the list: either the tensor is damaged or the list belongs to
/// another file, and nothing in the file shows which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The tensor is not a frame, but looks like a damaged one.
    Damaged,
    /// The tensor consists of bytes that are not a frame.
    NotAFrame,
    /// The frame has another type or shape than the list states.
    Contradiction,
}

impl Doubt {
    /// Returns the error for the tensor called `name`.
    pub(crate) fn error(self, name: &str) -> TensorError {
        let name = name.into();
        match self {
            Self::Damaged | Self::NotAFrame => TensorError::NotAFrame { name },
            Self::Contradiction => TensorError::Contradiction { name },
        }
    }
}
