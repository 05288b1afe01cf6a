//! Errors of finding the tensors of a file.

use alloc::string::String;
use core::fmt;

use crate::tensor::safetensors::format::MAX_HEADER_LEN;

/// Reports why the tensors of a file cannot be found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// More of the file is needed to parse its header.
    Truncated {
        /// Length that the input must have, in bytes from the beginning of the file.
        needed: u64,
        /// Length of the input in bytes.
        have: u64,
    },
    /// The header is longer than the format allows, or than the file.
    HeaderTooLong {
        /// Length of the header that the file states, in bytes.
        len: u64,
    },
    /// The header is not as the format requires.
    InvalidHeader {
        /// Message of the parser.
        reason: String,
    },
    /// The byte range of a tensor does not match its type and shape.
    InvalidTensor {
        /// Name of the tensor.
        name: String,
    },
    /// The file ends before a tensor does.
    MissingData {
        /// Name of the tensor.
        name: String,
        /// Length that the file must have to contain the tensor, in bytes.
        needed: u64,
        /// Length of the file in bytes.
        have: u64,
    },
    /// The header describes a tensor twice, and the descriptions differ. Readers disagree on which
    /// one counts.
    AmbiguousTensor {
        /// Name of the tensor.
        name: String,
    },
    /// The file is of a known format, and no tensor in it can be located.
    NoTensors,
    /// Two tensors share bytes, but the operation needs tensors that do not overlap.
    SharedBytes {
        /// Name of the tensor that begins within another one.
        name: String,
    },
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, have } => {
                write!(f, "the header is truncated: {needed} bytes needed, {have} available")
            }
            Self::HeaderTooLong { len } if *len <= MAX_HEADER_LEN => {
                write!(f, "the file ends before its header of {len} bytes does")
            }
            Self::HeaderTooLong { len } => {
                write!(
                    f,
                    "the header has {len} bytes, more than the {MAX_HEADER_LEN} that the format \
                     allows"
                )
            }
            Self::InvalidHeader { reason } => write!(f, "the header is malformed: {reason}"),
            Self::InvalidTensor { name } => {
                write!(f, "the byte range of tensor {name:?} does not match its type and shape")
            }
            Self::MissingData { name, needed, have } => write!(
                f,
                "the file ends after {have} bytes, but tensor {name:?} ends at byte {needed}"
            ),
            Self::AmbiguousTensor { name } => {
                write!(f, "the header describes tensor {name:?} twice, in different ways")
            }
            Self::NoTensors => write!(f, "the file holds no tensors that can be located"),
            Self::SharedBytes { name } => {
                write!(f, "tensor {name:?} shares bytes with another tensor")
            }
        }
    }
}

impl core::error::Error for MetadataError {}
