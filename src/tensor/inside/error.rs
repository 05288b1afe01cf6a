//! Errors of reading and writing files with compressed tensors.

use core::error::Error;
use core::fmt;
use std::io;
use std::string::String;

use crate::error::{DecodeError, EncodeError};
use crate::tensor::error::MetadataError;
use crate::tensor::rows::RowsError;
use crate::tensor::safetensors::format::MAX_HEADER_LEN;

/// Reports why a file with compressed tensors could not be read or written.
///
/// The message includes the message of the underlying error. [`source`](Error::source) therefore
/// returns the cause of the underlying error; match on the variant to get the underlying error
/// itself.
#[derive(Debug)]
#[non_exhaustive]
pub enum TensorError {
    /// The file could not be read or written.
    Io(io::Error),
    /// The data of a tensor could not be read from the source of a writer.
    Source(io::Error),
    /// The file's header is not a header of a `.safetensors` file.
    Metadata(MetadataError),
    /// A value in the metadata that describes the compressed tensors is malformed.
    InvalidMetadata {
        /// Key in the metadata.
        key: &'static str,
        /// Message of the parser.
        reason: String,
    },
    /// The list names a tensor that is not in the file: the list belongs to another file.
    NoSuchTensor {
        /// Name of the tensor.
        name: String,
    },
    /// The list names a tensor that is stored uncompressed: the list belongs to another file.
    NotCompressed {
        /// Name of the tensor.
        name: String,
    },
    /// The list names a tensor whose bytes are not exactly one frame: the tensor is damaged, or the
    /// list belongs to another file.
    NotAFrame {
        /// Name of the tensor.
        name: String,
    },
    /// Type or shape of a tensor differ between the list and its frame: one of them is damaged, or
    /// the list belongs to another file.
    Contradiction {
        /// Name of the tensor.
        name: String,
    },
    /// The metadata describes the source of another file.
    ForeignSource {
        /// Key in the metadata.
        key: &'static str,
    },
    /// A tensor could not be decoded or does not match its checksum.
    Decode {
        /// Name of the tensor.
        name: String,
        /// Underlying error.
        error: DecodeError,
    },
    /// A tensor could not be compressed.
    Encode {
        /// Name of the tensor.
        name: String,
        /// Underlying error.
        error: EncodeError,
    },
    /// The source of a writer already contains compressed tensors.
    AlreadyCompressed {
        /// Name of one of them.
        name: String,
    },
    /// The header of the result could become longer than the format allows.
    HeaderTooLong {
        /// Length of the header at most, in bytes.
        len: u64,
    },
    /// A writer received a tensor of another length than the header states, or too many or too few
    /// tensors.
    WrongTensor {
        /// Length of the next tensor in bytes; `None` if all tensors are written.
        expected: Option<u64>,
        /// Length of the data in bytes; `None` if tensors are missing.
        found: Option<u64>,
    },
}

/// Beginning of errors about a list that belongs to another file.
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
                write!(f, "the file already contains compressed tensors, such as {name:?}")
            }
            Self::HeaderTooLong { len } => write!(
                f,
                "the header of the result could take {len} bytes, more than the {MAX_HEADER_LEN} \
                 that the format allows"
            ),
            Self::WrongTensor { expected: Some(expected), found: Some(found) } => {
                write!(f, "the next tensor has {expected} bytes, but {found} bytes were written")
            }
            Self::WrongTensor { expected: Some(_), .. } => f.write_str("tensors are missing"),
            Self::WrongTensor { .. } => f.write_str("all tensors have been written already"),
        }
    }
}

impl Error for TensorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) | Self::Source(error) => error.source(),
            Self::Metadata(error) => error.source(),
            Self::Decode { error, .. } => error.source(),
            Self::Encode { error, .. } => error.source(),
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

impl From<TensorError> for io::Error {
    fn from(error: TensorError) -> Self {
        let kind = match error {
            TensorError::Io(error) | TensorError::Source(error) => return error,
            TensorError::Metadata(ref error) => metadata_error_kind(error),
            TensorError::Decode { error, .. } => Self::from(error).kind(),
            TensorError::Encode { error, .. } => Self::from(error).kind(),
            TensorError::AlreadyCompressed { .. }
            | TensorError::HeaderTooLong { .. }
            | TensorError::WrongTensor { .. } => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl From<MetadataError> for io::Error {
    fn from(error: MetadataError) -> Self {
        Self::new(metadata_error_kind(&error), error)
    }
}

impl From<RowsError> for io::Error {
    fn from(error: RowsError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

fn metadata_error_kind(error: &MetadataError) -> io::ErrorKind {
    match error {
        MetadataError::Truncated { .. } | MetadataError::MissingData { .. } => {
            io::ErrorKind::UnexpectedEof
        }
        MetadataError::HeaderTooLong { len } if *len <= MAX_HEADER_LEN => {
            io::ErrorKind::UnexpectedEof
        }
        _ => io::ErrorKind::InvalidData,
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use crate::error::DecodeErrorKind;

    #[test]
    fn io_errors_have_the_kind_of_their_cause() {
        let name = || String::from("w");
        let decode =
            |kind: DecodeErrorKind| TensorError::Decode { name: name(), error: kind.into() };
        let missing = MetadataError::MissingData { name: name(), needed: 2, have: 1 };
        for (error, kind) in [
            (TensorError::Io(io::ErrorKind::TimedOut.into()), io::ErrorKind::TimedOut),
            (TensorError::Source(io::ErrorKind::TimedOut.into()), io::ErrorKind::TimedOut),
            (TensorError::Metadata(missing), io::ErrorKind::UnexpectedEof),
            (decode(DecodeErrorKind::OutOfMemory { requested: 1 }), io::ErrorKind::OutOfMemory),
            (decode(DecodeErrorKind::ChecksumMismatch), io::ErrorKind::InvalidData),
            (TensorError::AlreadyCompressed { name: name() }, io::ErrorKind::InvalidInput),
            (TensorError::NoSuchTensor { name: name() }, io::ErrorKind::InvalidData),
        ] {
            let text = error.to_string();
            let converted = io::Error::from(error);
            assert_eq!((converted.kind(), converted.to_string()), (kind, text));
        }
    }

    #[test]
    fn no_message_repeats_that_of_its_cause() {
        let cause = DecodeErrorKind::ChecksumMismatch.into();
        let error = TensorError::Decode { name: "w".into(), error: cause };
        assert!(error.to_string().contains(&cause.to_string()));
        assert!(error.source().is_none());
    }
}
