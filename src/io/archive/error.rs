//! Errors of reading parts of a file.

use core::fmt;
use std::error::Error;
use std::io;
use std::string::String;

use crate::error::{DecodeError, DecodeErrorKind};
#[cfg(feature = "safetensors")]
use crate::tensor::error::MetadataError;
#[cfg(feature = "safetensors")]
use crate::tensor::rows::RowsError;

/// The error of reading from an [`Archive`](crate::Archive).
///
/// The message includes the message of the error inside, so [`source`](Error::source) skips that
/// error. Converting to an [`io::Error`] unwraps [`Io`](Self::Io) and [`Decode`](Self::Decode), so
/// that errors of all readers, including [`Decoder`](crate::Decoder), can be downcast alike:
///
/// ```
/// use std::io;
/// use zipnn::{Archive, DecodeError, DecodeErrorKind, Limits};
///
/// let error = Archive::open(&[0; 100], Limits::default()).unwrap_err();
/// let error = io::Error::from(error);
/// assert_eq!(error.kind(), io::ErrorKind::InvalidData);
/// assert_eq!(error.downcast::<DecodeError>()?.kind(), DecodeErrorKind::BadMagic);
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The source or the base could not be read.
    Io(io::Error),
    /// The file is damaged or not supported, or does not hold the requested range.
    Decode(DecodeError),
    /// The data lists no tensors in a format that [`Metadata`](crate::tensor::Metadata) knows.
    #[cfg(feature = "safetensors")]
    Metadata(MetadataError),
    /// The file has no tensor of this name.
    #[cfg(feature = "safetensors")]
    NoSuchTensor {
        /// The requested name.
        name: String,
    },
    /// The tensor does not have the requested rows.
    #[cfg(feature = "safetensors")]
    Rows {
        /// The name of the tensor.
        name: String,
        /// The reason.
        error: RowsError,
    },
    /// The elements of the tensor have another type than requested.
    #[cfg(feature = "safetensors")]
    WrongDType {
        /// The type of the tensor, as the file names it.
        found: String,
    },
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            #[cfg(feature = "safetensors")]
            Self::Metadata(error) => write!(
                f,
                "the data is neither a safetensors file nor another known list of tensors: {error}"
            ),
            #[cfg(feature = "safetensors")]
            Self::NoSuchTensor { name } => write!(f, "there is no tensor {name:?}"),
            #[cfg(feature = "safetensors")]
            Self::Rows { name, error } => write!(f, "tensor {name:?}: {error}"),
            #[cfg(feature = "safetensors")]
            Self::WrongDType { found } => write!(f, "the tensor's elements are of type {found}"),
        }
    }
}

impl Error for ArchiveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message includes the message of the error inside.
        match self {
            Self::Io(error) => error.source(),
            Self::Decode(error) => error.source(),
            #[cfg(feature = "safetensors")]
            Self::Metadata(error) => error.source(),
            #[cfg(feature = "safetensors")]
            Self::Rows { error, .. } => error.source(),
            #[cfg(feature = "safetensors")]
            Self::NoSuchTensor { .. } | Self::WrongDType { .. } => None,
        }
    }
}

/// Returns [`ArchiveError::Decode`] for an error that a reader of this crate has returned.
impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        error.downcast::<DecodeError>().map_or_else(Self::Io, Self::Decode)
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
            ArchiveError::Decode(error) => error.into(),
            #[cfg(feature = "safetensors")]
            ArchiveError::Metadata(_) => Self::new(io::ErrorKind::InvalidData, error),
            #[cfg(feature = "safetensors")]
            ArchiveError::NoSuchTensor { .. } => Self::new(io::ErrorKind::NotFound, error),
            #[cfg(feature = "safetensors")]
            ArchiveError::Rows { .. } | ArchiveError::WrongDType { .. } => {
                Self::new(io::ErrorKind::InvalidInput, error)
            }
        }
    }
}
