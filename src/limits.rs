//! Limits on the memory and the output that an input may require of a decoder.

use crate::error::DecodeErrorKind;

/// Limits on the memory and the output that decoding may take, and whether decoders verify.
///
/// The defaults accept every file that the original writes. They reject a small file that claims to
/// decode to a huge result: each byte of a frame's content may decode to at most
/// [`expansion`](Self::expansion) bytes. Lower [`decoded_bytes`](Self::decoded_bytes) if you do not
/// trust the input.
///
/// ```
/// use zipnn::{DType, DecodeErrorKind, Limits, Options};
///
/// let file = zipnn::compress(&[0; 1 << 20], &Options::new(DType::BF16))?;
/// let limits = Limits::new().decoded_bytes(1 << 16);
/// let error = zipnn::decompress(&file, &limits).unwrap_err();
/// assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { requested: 1 << 20, limit: 1 << 16 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of decoded bytes, over all frames. The default is [`u64::MAX`], no limit.
    pub decoded_bytes: u64,
    /// Maximum number of decoded bytes for each byte of a frame's content. The default is 32,768.
    ///
    /// The content is header, shape, index and payload. The slack after it does not count.
    ///
    /// Files of the original reach 13,107: a chunk of 256 KiB takes 20 bytes if each of its two
    /// planes repeats one byte. Files of releases before 0.3.5 approach 32,768, because Zstandard
    /// stores 128 KiB of zeros in four bytes. With [`u32::MAX`] there is no limit.
    pub expansion: u32,
    /// Maximum number of bytes of a compressed frame that a decoder keeps in memory.
    ///
    /// The default is [`u64::MAX`], no limit. Functions that decode from memory reject the same
    /// frames as streaming decoders, so that all readers accept the same files.
    pub frame_bytes: u64,
    /// Whether decoders verify checksums and the other records after the data of a frame.
    ///
    /// The default is `true`. Without verification, frames are decoded as the original decodes
    /// them.
    pub verify: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// No limits, for frames in memory that are decoded into memory of the caller.
    pub(crate) const NONE: Self =
        Self { decoded_bytes: u64::MAX, expansion: u32::MAX, frame_bytes: u64::MAX, verify: true };

    /// Returns the default limits.
    pub const fn new() -> Self {
        Self { decoded_bytes: u64::MAX, expansion: 1 << 15, frame_bytes: u64::MAX, verify: true }
    }

    /// Sets the maximum number of decoded bytes, over all frames.
    #[must_use]
    pub const fn decoded_bytes(self, decoded_bytes: u64) -> Self {
        Self { decoded_bytes, ..self }
    }

    /// Sets the maximum number of decoded bytes for each byte of a frame's content.
    #[must_use]
    pub const fn expansion(self, expansion: u32) -> Self {
        Self { expansion, ..self }
    }

    /// Sets the maximum number of bytes of a compressed frame that a decoder keeps in memory.
    #[must_use]
    pub const fn frame_bytes(self, frame_bytes: u64) -> Self {
        Self { frame_bytes, ..self }
    }

    /// Sets whether decoders verify checksums and the other records after the data of a frame.
    #[must_use]
    pub const fn verify(self, verify: bool) -> Self {
        Self { verify, ..self }
    }

    /// Checks the decoded length of a frame against the limits.
    ///
    /// The frame has `content_len` bytes of content, decodes to `decoded_len` bytes, and follows
    /// frames that decode to `decoded_before` bytes. Every decoder of this crate calls this method;
    /// call it if you read frames yourself.
    ///
    /// # Errors
    ///
    /// `LimitExceeded` if the frame exceeds [`decoded_bytes`](Self::decoded_bytes) or
    /// [`expansion`](Self::expansion).
    pub fn check(
        &self,
        decoded_len: u64,
        content_len: u64,
        decoded_before: u64,
    ) -> Result<(), DecodeErrorKind> {
        let requested = decoded_before.saturating_add(decoded_len);
        if requested > self.decoded_bytes {
            return Err(DecodeErrorKind::LimitExceeded { requested, limit: self.decoded_bytes });
        }
        let earned = match self.expansion {
            u32::MAX => u64::MAX,
            expansion => content_len.saturating_mul(u64::from(expansion)),
        };
        if decoded_len > earned {
            return Err(DecodeErrorKind::LimitExceeded { requested: decoded_len, limit: earned });
        }
        Ok(())
    }

    /// Checks the number of bytes of a compressed frame that must be kept in memory.
    pub(crate) fn check_memory(&self, requested: u64) -> Result<(), DecodeErrorKind> {
        let limit = self.frame_bytes;
        if requested > limit {
            return Err(DecodeErrorKind::LimitExceeded { requested, limit });
        }
        Ok(())
    }
}
