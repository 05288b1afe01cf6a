//! Why a part of an archive could not be had.

use core::fmt;
use std::io;
use std::string::String;

use crate::error::{DecodeError, DecodeErrorKind};
#[cfg(feature = "safetensors")]
use crate::tensor::rows::RowsError;
#[cfg(feature = "safetensors")]
use crate::tensor::safetensors::error::MetadataError;

/// Why a part of an [`Archive`](crate::Archive) could not be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The source could not be read.
    Io(io::Error),
    /// What is in the file is wrong, or was asked for where it is not.
    Decode(DecodeError),
    /// The data is not that of a `.safetensors` file.
    #[cfg(feature = "safetensors")]
    Metadata(MetadataError),
    /// There is no tensor of this name.
    #[cfg(feature = "safetensors")]
    NoSuchTensor {
        /// What was asked for.
        name: String,
    },
    /// The bytes of some rows of a tensor cannot be given.
    #[cfg(feature = "safetensors")]
    Rows {
        /// The tensor's name.
        name: String,
        /// Why not.
        error: RowsError,
    },
    /// The tensor's elements are of another type than was asked for.
    #[cfg(feature = "safetensors")]
    WrongDType {
        /// The tensor's type, as the file calls it.
        found: String,
    },
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            #[cfg(feature = "safetensors")]
            Self::Metadata(error) => write!(f, "not the data of a safetensors file: {error}"),
            #[cfg(feature = "safetensors")]
            Self::NoSuchTensor { name } => write!(f, "there is no tensor {name:?}"),
            #[cfg(feature = "safetensors")]
            Self::Rows { name, error } => write!(f, "tensor {name:?}: {error}"),
            #[cfg(feature = "safetensors")]
            Self::WrongDType { found } => write!(f, "the tensor's elements are of type {found}"),
        }
    }
}

impl core::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Decode(error) => Some(error),
            #[cfg(feature = "safetensors")]
            Self::Metadata(error) => Some(error),
            #[cfg(feature = "safetensors")]
            Self::Rows { error, .. } => Some(error),
            #[cfg(feature = "safetensors")]
            Self::NoSuchTensor { .. } | Self::WrongDType { .. } => None,
        }
    }
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<DecodeError> for ArchiveError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<DecodeErrorKind> for ArchiveError {
    fn from(kind: DecodeErrorKind) -> Self {
        Self::Decode(kind.into())
    }
}

#[cfg(feature = "safetensors")]
impl From<MetadataError> for ArchiveError {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

impl From<ArchiveError> for io::Error {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
