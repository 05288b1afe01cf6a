//! The header of a frame: its first 32 bytes.

use crate::base::Delta;
use crate::dtype::DType;
use crate::error::DecodeErrorKind;
use crate::format::{
    CHUNK_LOG2, HEADER_LEN, MAGIC, MAX_SINGLE_PLANE_CHUNK, STREAMING, VERSION, at, byte_group,
};
use crate::plane_layout::PlaneLayout;

/// The kind of object that was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Bytes without a shape.
    Bytes,
    /// A PyTorch tensor.
    Torch,
    /// A NumPy array.
    Numpy,
}

impl Form {
    /// Returns the name of the form: `bytes`, `torch` or `numpy`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Torch => "torch",
            Self::Numpy => "numpy",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Bytes => 1,
            Self::Torch => 2,
            Self::Numpy => 3,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Bytes),
            2 => Some(Self::Torch),
            3 => Some(Self::Numpy),
            _ => None,
        }
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The release of the original whose format the frame has.
    pub version: [u8; 3],
    /// Whether the elements were rotated.
    pub rotated: bool,
    /// The code of the method that the original was asked for. Readers ignore it.
    pub method: u8,
    /// The kind of object that was compressed.
    pub form: Form,
    /// Whether the file holds a difference. Only the value of the first frame matters.
    pub delta: Delta,
    /// Whether other frames may follow. Only the value of the first frame matters.
    pub streaming: bool,
    /// The base-2 logarithm of the chunk size in bytes.
    pub chunk_log2: u8,
    /// The type of the elements.
    pub dtype: DType,
    /// The decoded length in bytes.
    pub decoded_len: u64,
    /// The length of the whole frame in bytes.
    pub frame_len: u64,
}

impl Header {
    /// Parses the header at the beginning of `bytes`.
    ///
    /// # Errors
    ///
    /// `Truncated`, `BadMagic`, `UnsupportedVersion` for the layouts that the feature `legacy`
    /// reads, `UnsupportedDType`, `UnsupportedByteGroup`, `UnsupportedForm`, `InvalidChunkSize`,
    /// `InvalidLength`.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeErrorKind> {
        match bytes {
            &[_, _, major, minor, tiny, ..] if bytes.starts_with(&MAGIC) && is_legacy(bytes) => {
                Err(DecodeErrorKind::UnsupportedVersion([major, minor, tiny]))
            }
            _ => Self::parse_following(bytes),
        }
    }

    /// Parses the header of a frame that is not the first of its file.
    ///
    /// The version of the first frame determines the layout of the file; the version of this frame
    /// does not.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::parse`], but `UnsupportedVersion` only if the writer of the frame
    /// omitted a byte.
    pub fn parse_following(bytes: &[u8]) -> Result<Self, DecodeErrorKind> {
        let header = Self::read(bytes)?;
        if header.is_short() {
            return Err(DecodeErrorKind::UnsupportedVersion(header.version));
        }
        Ok(header)
    }

    /// Returns how many of two fields, magic number and frame length, have the expected value.
    ///
    /// With these, a caller recognizes the damaged header of a frame.
    pub(crate) fn marks(bytes: &[u8], frame_len: u64) -> usize {
        let len = bytes.get(at::FRAME_LEN..at::FRAME_LEN + size_of::<u64>());
        let has_len = len == Some(&frame_len.to_le_bytes());
        usize::from(bytes.starts_with(&MAGIC)) + usize::from(has_len)
    }

    /// Parses a header of any release.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeErrorKind> {
        if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
            return Err(DecodeErrorKind::BadMagic);
        }
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(DecodeErrorKind::Truncated {
            needed: HEADER_LEN as u64,
            have: bytes.len() as u64,
        })?;
        let version = [bytes[at::VERSION], bytes[at::VERSION + 1], bytes[at::VERSION + 2]];
        let u64_at = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
        let code = bytes[at::DTYPE];
        let dtype = DType::from_code(code).ok_or(DecodeErrorKind::UnsupportedDType(code))?;
        let code = bytes[at::FORM];
        let header = Self {
            version,
            rotated: bytes[at::ROTATION] == 1,
            method: bytes[at::METHOD],
            form: Form::from_code(code).ok_or(DecodeErrorKind::UnsupportedForm(code))?,
            delta: match bytes[at::DELTA] {
                0 => Delta::None,
                2 => Delta::File,
                _ => Delta::Bytes,
            },
            streaming: bytes[at::STREAMING] >= STREAMING,
            chunk_log2: bytes[at::CHUNK_LOG2],
            dtype,
            decoded_len: u64_at(at::DECODED_LEN),
            frame_len: u64_at(at::FRAME_LEN),
        };
        header.validate(bytes[at::BYTE_GROUP])?;
        Ok(header)
    }

    fn validate(&self, group: u8) -> Result<(), DecodeErrorKind> {
        let expected = match self.dtype.size() {
            1 => group,
            2 => byte_group::UP_TO_TWO_PLANES,
            _ => byte_group::FOUR_PLANES,
        };
        if group != expected {
            return Err(DecodeErrorKind::UnsupportedByteGroup(group));
        }
        let chunk_matters = self.dtype.size() > 1 && self.decoded_len > 0;
        if chunk_matters && !CHUNK_LOG2.contains(&self.chunk_log2) {
            return Err(DecodeErrorKind::InvalidChunkSize(self.chunk_log2));
        }
        if self.decoded_len >= 1 << 63 || self.frame_len < HEADER_LEN as u64 {
            return Err(DecodeErrorKind::InvalidLength);
        }
        Ok(())
    }

    /// Returns whether the frame has today's layout, but lacks the last byte of its data.
    ///
    /// Releases 0.3.0 and 0.3.1 omit the last byte of 16-bit data of odd length, but count it.
    /// Decoding such a frame like any other would require the missing byte.
    pub(crate) fn is_short(&self) -> bool {
        matches!(self.version, [0, 3, 0 | 1])
            && self.dtype.size() == 2
            && !self.decoded_len.is_multiple_of(2)
    }

    /// Returns how chunks are split into planes.
    pub fn layout(&self) -> PlaneLayout {
        let planes = self.dtype.size();
        PlaneLayout { planes, rotated: self.rotated && planes > 1 }
    }

    /// Returns the decoded length of every chunk except the last, in bytes.
    pub fn chunk_len(&self) -> u64 {
        chunk_len(self.dtype, self.chunk_log2)
    }

    /// Returns the number of chunks.
    pub fn chunk_count(&self) -> u64 {
        self.decoded_len.div_ceil(self.chunk_len())
    }

    /// Returns the header as bytes. The streaming byte contains `frame_size_log2`.
    pub(crate) fn to_bytes(self, frame_size_log2: u8) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
        bytes[at::VERSION..at::VERSION + 3].copy_from_slice(&self.version);
        bytes[at::BYTE_GROUP] = match self.dtype.size() {
            4 => byte_group::FOUR_PLANES,
            _ => byte_group::UP_TO_TWO_PLANES,
        };
        bytes[at::ROTATION] = self.rotated.into();
        bytes[at::METHOD] = self.method;
        bytes[at::FORM] = self.form.code();
        bytes[at::DELTA] = self.delta.code();
        bytes[at::STREAMING] = if self.streaming { STREAMING | frame_size_log2 } else { 0 };
        bytes[at::CHUNK_LOG2] = self.chunk_log2;
        bytes[at::DTYPE] = self.dtype.code();
        bytes[at::DECODED_LEN..at::DECODED_LEN + 8]
            .copy_from_slice(&self.decoded_len.to_le_bytes());
        bytes[at::FRAME_LEN..at::FRAME_LEN + 8].copy_from_slice(&self.frame_len.to_le_bytes());
        bytes
    }

    /// Creates a header as the original writes it, for a frame whose length is not known yet.
    pub(crate) fn new(dtype: DType, chunk_log2: u8, decoded_len: u64) -> Self {
        Self {
            version: VERSION,
            // The original also sets the flag for single planes, where it has no effect.
            rotated: dtype.is_rotated() || dtype.size() == 1,
            method: 0,
            form: Form::Bytes,
            delta: Delta::None,
            streaming: false,
            chunk_log2,
            dtype,
            decoded_len,
            frame_len: 0,
        }
    }
}

/// Returns the decoded length of every chunk except the last, in bytes.
pub(crate) fn chunk_len(dtype: DType, chunk_log2: u8) -> u64 {
    let len = 1_u64.checked_shl(chunk_log2.into()).unwrap_or(u64::MAX);
    if dtype.size() == 1 { len.min(MAX_SINGLE_PLANE_CHUNK) } else { len }
}

/// Returns whether a file that begins with `bytes` has a layout older than today's.
///
/// These are the layouts of releases 0.1.1 to 0.3.4. For elements of two bytes, releases 0.3.0 to
/// 0.3.4 already write today's layout.
pub(crate) fn is_legacy(bytes: &[u8]) -> bool {
    match bytes.get(at::VERSION..at::VERSION + 3) {
        Some([0, 1, _] | [0, 2, 0..=4]) => true,
        Some([0, 3, 0..=4]) => bytes.get(at::DTYPE).is_some_and(|dtype| !matches!(dtype, 4..=6)),
        _ => false,
    }
}
