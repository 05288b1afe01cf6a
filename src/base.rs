//! Bases of differences: how a file identifies its base, and how a base is applied to data.

use crate::checksum;
#[cfg(feature = "std")]
use crate::checksum::Hasher;
use crate::error::DecodeErrorKind;

/// Whether a file holds data or the difference to a base.
///
/// The difference is the exclusive or of data and base. The original notes whether its base was in
/// memory or in a file; decoding does not depend on that.
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
    /// Returns the identity of a base of this length and XXH3-64 checksum, with seed 0.
    pub const fn new(len: u64, checksum: u64) -> Self {
        Self { len, checksum }
    }

    /// Returns the identity of a base in memory.
    pub fn of(base: &[u8]) -> Self {
        Self { len: base.len() as u64, checksum: checksum::checksum(base) }
    }

    /// Reads a base to its end and returns its identity.
    ///
    /// # Errors
    ///
    /// Errors of the reader.
    #[cfg(feature = "std")]
    pub fn read(mut base: impl std::io::Read) -> std::io::Result<Self> {
        /// Maximum number of bytes that are read at once.
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

/// Replaces `data` by its exclusive or with `base`. Applying the same base twice restores the data.
///
/// If the two differ in length, the bytes that only one of them has are ignored.
pub fn apply(data: &mut [u8], base: &[u8]) {
    for (byte, base) in data.iter_mut().zip(base) {
        *byte ^= base;
    }
}

/// Checks the length of a base.
pub(crate) fn check_len(expected: u64, found: u64) -> Result<(), DecodeErrorKind> {
    if expected == found { Ok(()) } else { Err(DecodeErrorKind::BaseLength { expected, found }) }
}

/// Checks the identity of a base against that in a file.
pub(crate) fn check(expected: BaseId, found: BaseId) -> Result<(), DecodeErrorKind> {
    check_len(expected.len, found.len)?;
    if expected == found { Ok(()) } else { Err(DecodeErrorKind::WrongBase) }
}
