//! Errors of decoding on a GPU.

use std::error::Error;
use std::fmt;

use zipnn::{ArchiveError, DecodeError, DecodeErrorKind};

/// The error of decoding on a GPU.
#[derive(Debug)]
#[non_exhaustive]
pub enum GpuError {
    /// The file cannot be read, or has no such tensor.
    Archive(ArchiveError),
    /// The file is damaged, or cannot be decoded. The error names frame, chunk and plane.
    Decode(DecodeError),
    /// A buffer of the caller is too short, counted from the offset that the caller passed.
    BufferTooSmall {
        /// Bytes needed, a multiple of 4.
        needed: u64,
        /// Bytes that the buffer has.
        have: u64,
    },
    /// A buffer of the caller lacks [`wgpu::BufferUsages::STORAGE`].
    BufferUsage,
    /// The base and the result are in the same buffer.
    SameBuffer,
    /// A buffer would exceed a limit of the device.
    DeviceLimit {
        /// Bytes needed.
        needed: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The GPU has no memory left.
    OutOfMemory,
    /// The device was lost, or failed in another way.
    Device(String),
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::BufferTooSmall { needed, have } => {
                write!(f, "buffer is too small: {needed} bytes needed, {have} there")
            }
            Self::BufferUsage => {
                f.write_str("the buffer cannot be written by shaders; create it with usage STORAGE")
            }
            Self::SameBuffer => {
                f.write_str("the base and the result are in the same buffer; use another one")
            }
            Self::DeviceLimit { needed, limit } => write!(
                f,
                "the device allows buffers of {limit} bytes, {needed} are needed; request a device \
                 with higher limits, or load parts"
            ),
            Self::OutOfMemory => f.write_str("the GPU has no memory left"),
            Self::Device(message) => write!(f, "the GPU failed: {message}"),
        }
    }
}

impl Error for GpuError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The messages above contain these errors' messages.
            Self::Archive(error) => error.source(),
            _ => None,
        }
    }
}

impl From<ArchiveError> for GpuError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Decode(error) => Self::Decode(error),
            error => Self::Archive(error),
        }
    }
}

impl From<DecodeError> for GpuError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<DecodeErrorKind> for GpuError {
    fn from(kind: DecodeErrorKind) -> Self {
        Self::Decode(kind.into())
    }
}
