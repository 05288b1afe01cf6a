//! Bases of differences: how a file names its base, and applying a base to data.

use crate::checksum;
#[cfg(feature = "std")]
use crate::checksum::Hasher;
use crate::error::DecodeErrorKind;

/// Whether a file holds data or a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Delta {
    /// The data itself.
    #[default]
    None,
    /// The exclusive or with a base that was given as bytes.
    Bytes,
    /// The exclusive or with a base that was given as a file.
    File,
}

impl Delta {
    /// Itself, or a difference to bytes where it is none.
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

/// Which base a difference was made against.
///
/// ```
/// use zipnn::delta::BaseId;
///
/// assert_eq!(BaseId::of(b"a model").len, 7);
/// assert_ne!(BaseId::of(b"a model"), BaseId::of(b"b model"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BaseId {
    /// Its length in bytes.
    pub len: u64,
    /// Its XXH3-64, seed 0.
    pub checksum: u64,
}

impl BaseId {
    /// That of these bytes.
    pub fn of(base: &[u8]) -> Self {
        Self { len: base.len() as u64, checksum: checksum::checksum(base) }
    }

    /// That of what can be read.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    #[cfg(feature = "std")]
    pub fn read(mut base: impl std::io::Read) -> std::io::Result<Self> {
        /// Bytes that are read at a time.
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

/// Replaces `data` by its exclusive or with as many bytes of `base`: the way there and back.
pub fn apply(data: &mut [u8], base: &[u8]) {
    for (byte, base) in data.iter_mut().zip(base) {
        *byte ^= base;
    }
}

/// Checks the length of a base.
pub(crate) fn check_len(expected: u64, found: u64) -> Result<(), DecodeErrorKind> {
    if expected == found { Ok(()) } else { Err(DecodeErrorKind::BaseLength { expected, found }) }
}

/// Checks that the given base is the base that a file needs.
pub(crate) fn check(expected: BaseId, found: BaseId) -> Result<(), DecodeErrorKind> {
    check_len(expected.len, found.len)?;
    if expected == found { Ok(()) } else { Err(DecodeErrorKind::WrongBase) }
}
