//! Identifies the bases of differences, and applies a base to data.

#[cfg(feature = "alloc")]
pub(crate) mod map;
#[cfg(feature = "alloc")]
pub(crate) mod varint;

use crate::checksum;
#[cfg(feature = "std")]
use crate::checksum::Hasher;
use crate::error::DecodeErrorKind;

/// Whether a file holds data or the difference to a base.
///
/// The difference is the exclusive or of data and base. The original records whether the base was
/// in memory or in a file. Decoding does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Delta {
    /// The data itself.
    #[default]
    None,
    /// The difference to a base that was passed as bytes.
    Bytes,
    /// The difference to a base that was passed as a file.
    File,
}

impl Delta {
    /// Returns `Bytes` for `None`, and otherwise the value itself.
    pub(crate) const fn or_bytes(self) -> Self {
        match self {
            Self::None => Self::Bytes,
            Self::Bytes | Self::File => self,
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Bytes => 1,
            Self::File => 2,
        }
    }
}

/// The length and checksum that identify the base of a difference.
///
/// ```
/// use zipnn::delta::BaseId;
///
/// assert_eq!(BaseId::of(b"a model").len, 7);
/// assert_ne!(BaseId::of(b"a model"), BaseId::of(b"b model"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BaseId {
    /// Length in bytes.
    pub len: u64,
    /// XXH3-64 checksum with seed 0.
    pub checksum: u64,
}

impl BaseId {
    /// Creates an identity from the length of a base in bytes and its XXH3-64 checksum with seed 0.
    pub const fn new(len: u64, checksum: u64) -> Self {
        Self { len, checksum }
    }

    /// Computes the identity of a base in memory.
    pub fn of(base: &[u8]) -> Self {
        Self { len: base.len() as u64, checksum: checksum::checksum(base) }
    }

    /// Reads a base to its end and returns its identity.
    ///
    /// # Errors
    ///
    /// Returns the errors of the reader, except `Interrupted`, after which it reads again.
    #[cfg(feature = "std")]
    pub fn read(mut base: impl std::io::Read) -> std::io::Result<Self> {
        /// Maximum number of bytes in one read.
        const PART: usize = 1 << 18;
        let mut part = std::vec![0; PART];
        let mut hasher = Hasher::default();
        let mut len = 0;
        loop {
            match base.read(&mut part) {
                Ok(0) => return Ok(Self { len, checksum: hasher.checksum() }),
                Ok(read) => {
                    hasher.update(&part[..read]);
                    len += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Replaces `data` with the exclusive or of `data` and `base`.
///
/// Applying the same base twice restores the data. If `data` and `base` differ in length, only the
/// bytes up to the shorter length are combined; the rest of `data` stays unchanged.
pub fn apply(data: &mut [u8], base: &[u8]) {
    for (byte, base) in data.iter_mut().zip(base) {
        *byte ^= base;
    }
}

/// Checks that a base has the expected length.
pub(crate) fn check_len(expected: u64, found: u64) -> Result<(), DecodeErrorKind> {
    if expected == found { Ok(()) } else { Err(DecodeErrorKind::BaseLength { expected, found }) }
}

/// Checks the identity of a base against the identity that the file names.
pub(crate) fn check(expected: BaseId, found: BaseId) -> Result<(), DecodeErrorKind> {
    check_len(expected.len, found.len)?;
    if expected == found { Ok(()) } else { Err(DecodeErrorKind::WrongBase) }
}
