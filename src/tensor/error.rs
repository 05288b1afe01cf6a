//! What can be wrong with a file of tensors.

use core::fmt;
use std::io;
use std::string::String;

use crate::error::{DecodeError, EncodeError};
use crate::tensor::metadata::MetadataError;

/// Why a file of tensors could not be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum TensorError {
    /// The file could not be read or written.
    Io(io::Error),
    /// The data of a tensor that is to be written could not be read.
    Source(io::Error),
    /// The file's header is not that of a `.safetensors` file.
    Metadata(MetadataError),
    /// The list of compressed tensors, or another text in the metadata that this crate reads, is
    /// not what it should be.
    InvalidMetadata {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The list names a tensor that is not in the file: the list belongs to another file.
    NoSuchTensor {
        /// The name.
        name: String,
    },
    /// The list names a tensor that is stored as it is: the list belongs to another file.
    NotCompressed {
        /// The tensor's name.
        name: String,
    },
    /// The list names a tensor of bytes that are not one frame of a tensor, and nothing else: the
    /// tensor is damaged, or the list belongs to another file.
    NotAFrame {
        /// The tensor's name.
        name: String,
    },
    /// The list gives a tensor another type or shape than its frame does: one of them is damaged,
    /// or the list belongs to another file.
    Contradiction {
        /// The tensor's name.
        name: String,
    },
    /// The metadata describe the source of another file.
    ForeignSource {
        /// Which of the metadata.
        key: &'static str,
    },
    /// A tensor cannot be decoded, or is not what its checksum says.
    Decode {
        /// The tensor's name.
        name: String,
        /// Why not.
        error: DecodeError,
    },
    /// A tensor could not be compressed.
    Encode {
        /// The tensor's name.
        name: String,
        /// Why not.
        error: EncodeError,
    },
    /// The file that is to be compressed holds compressed tensors already.
    AlreadyCompressed {
        /// The name of one.
        name: String,
    },
    /// With all that is to be in it, the header would be longer than the format allows.
    HeaderTooLong {
        /// Bytes that it could take.
        len: u64,
    },
    /// A writer was given a tensor of another length than the header says, or too many or too few.
    WrongTensor {
        /// Bytes that were expected, if any.
        expected: Option<u64>,
        /// Bytes that were given, if any.
        found: Option<u64>,
    },
}

/// What the errors of a list that belongs to another file begin with.
const STALE: &str = "the list of compressed tensors is stale";

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) | Self::Source(error) => error.fmt(f),
            Self::Metadata(error) => error.fmt(f),
            Self::InvalidMetadata { key, reason } => {
                write!(f, "{key:?} in the metadata is malformed: {reason}")
            }
            Self::NoSuchTensor { name } => {
                write!(f, "{STALE}: it names {name:?}, which is not in the file")
            }
            Self::NotCompressed { name } => {
                write!(f, "{STALE}: it names {name:?}, which is not compressed")
            }
            Self::NotAFrame { name } => {
                write!(f, "tensor {name:?} is listed as compressed, but is not a frame of a tensor")
            }
            Self::Contradiction { name } => {
                write!(f, "type or shape of tensor {name:?} differ between its frame and the list")
            }
            Self::ForeignSource { key } => {
                write!(f, "{key:?} in the metadata is stale: it does not belong to these tensors")
            }
            Self::Decode { name, error } => write!(f, "tensor {name:?}: {error}"),
            Self::Encode { name, error } => write!(f, "tensor {name:?}: {error}"),
            Self::AlreadyCompressed { name } => {
                write!(f, "holds compressed tensors already, {name:?} among them")
            }
            Self::HeaderTooLong { len } => {
                write!(
                    f,
                    "the header of the result could take {len} bytes, more than the {} that the \
                     format allows",
                    crate::tensor::Metadata::MAX_HEADER_LEN
                )
            }
            Self::WrongTensor { expected: Some(expected), found: Some(found) } => {
                write!(f, "a tensor of {expected} bytes was to come, and {found} bytes came")
            }
            Self::WrongTensor { expected: Some(_), .. } => f.write_str("not all tensors came"),
            Self::WrongTensor { .. } => f.write_str("a tensor came that is not in the header"),
        }
    }
}

impl core::error::Error for TensorError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) | Self::Source(error) => Some(error),
            Self::Metadata(error) => Some(error),
            Self::Decode { error, .. } => Some(error),
            Self::Encode { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for TensorError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<MetadataError> for TensorError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}
