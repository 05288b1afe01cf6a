//! What an input may demand of a decoder.

use crate::error::DecodeErrorKind;

/// Limits on what an input may demand of a decoder, and whether the decoder verifies it.
///
/// The defaults accept every file that the original writes. They reject a small file that promises
/// a huge result: it may decode to at most [`expansion`](Self::expansion) bytes for each byte of
/// its content. Lower [`decoded_bytes`](Self::decoded_bytes) if you do not trust the input.
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
    /// Maximum number of decoded bytes, over all frames. By default there is none.
    pub decoded_bytes: u64,
    /// Maximum number of decoded bytes for each byte of a frame's header, index and payload.
    /// Bytes behind them do not count. The default is 32,768.
    ///
    /// Files of the original reach 13,107: a chunk of 256 KiB takes 20 bytes if each of its two
    /// planes repeats one byte. Releases before 0.3.5 store a block of 128 KiB of zeros in four
    /// bytes of Zstandard, which comes close to 32,768. [`u32::MAX`] sets no
    /// bound.
    pub expansion: u32,
    /// Maximum number of bytes of a compressed frame that a streaming decoder keeps in memory. By
    /// default there is none. Functions that decode from memory reject the same frames, so that all
    /// readers agree on a file.
    pub frame_bytes: u64,
    /// Whether checksums and the other records behind the data of a frame are verified. The
    /// default is `true`. Without verification, frames are decoded as the original decodes them.
    pub verify: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// No limits, for frames that are in memory and decoded into memory of the caller.
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

    /// Sets whether checksums and the other records behind the data of a frame are verified.
    #[must_use]
    pub const fn verify(self, verify: bool) -> Self {
        Self { verify, ..self }
    }

    /// Checks a frame with `content_len` bytes of content that decodes to `decoded_len` bytes,
    /// after frames that decode to `decoded_before` bytes. Call it if you read frames on your own;
    /// every decoder of this crate does.
    ///
    /// # Errors
    ///
    /// `LimitExceeded`.
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

    /// Checks the number of bytes of a compressed frame that have to be kept in memory.
    pub(crate) fn check_memory(&self, requested: u64) -> Result<(), DecodeErrorKind> {
        let limit = self.frame_bytes;
        if requested > limit {
            return Err(DecodeErrorKind::LimitExceeded { requested, limit });
        }
        Ok(())
    }
}
