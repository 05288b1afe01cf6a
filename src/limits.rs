//! How much a decoder may be made to do by its input, and how much it has to verify.

use crate::error::DecodeErrorKind;

/// Bounds on what a file may ask of a decoder.
///
/// The defaults accept everything that the original writes. They stop a small file that promises
/// a huge result: no more than [`expansion`](Self::expansion) bytes come out for a byte that goes
/// in. Lower [`decoded_bytes`](Self::decoded_bytes) when the input comes from a stranger.
///
/// ```
/// use zipnn::{DType, DecodeErrorKind, Limits, Options};
///
/// let file = zipnn::compress(&[0; 1 << 20], &Options::new(DType::BF16))?;
/// let limits = Limits { decoded_bytes: 1 << 16, ..Limits::default() };
/// let error = zipnn::decompress(&file, &limits).unwrap_err();
/// assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { requested: 1 << 20, limit: 1 << 16 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of decoded data, over all frames.
    pub decoded_bytes: u64,
    /// Most bytes that a frame may decode to for each byte of its header, index and payload. Slack
    /// behind them earns nothing.
    ///
    /// The original reaches 13,107: a chunk of 256 KiB in which each of two planes repeats one
    /// byte takes 20 bytes. Its releases before 0.3.5 come close to 32,768 with zeros: four bytes
    /// of Zstandard for a block of 128 KiB. [`u32::MAX`] sets no bound.
    pub expansion: u32,
    /// Most bytes of one compressed frame that a streaming decoder may have to keep in memory.
    /// Functions that decode from memory refuse the same frames, so that all agree on a file.
    pub frame_bytes: u64,
    /// Whether checksums are verified, and whatever else a file says beside its data. Without it
    /// the frames are decoded as the original does it. Every function that takes limits obeys it.
    pub verify: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { decoded_bytes: u64::MAX, expansion: 1 << 15, frame_bytes: u64::MAX, verify: true }
    }
}

impl Limits {
    /// No limits, for frames that are in memory and decoded into memory of the caller.
    pub(crate) const NONE: Self =
        Self { decoded_bytes: u64::MAX, expansion: u32::MAX, frame_bytes: u64::MAX, verify: true };

    /// Checks a frame with `content_len` bytes of content that would decode to `decoded_len`, after
    /// `decoded_before` bytes of earlier frames. For those who read frames on their own: every
    /// decoder of this crate has done it.
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

    /// Checks the bytes of a compressed frame that have to be kept in memory.
    pub(crate) fn check_memory(&self, requested: u64) -> Result<(), DecodeErrorKind> {
        let limit = self.frame_bytes;
        if requested > limit {
            return Err(DecodeErrorKind::LimitExceeded { requested, limit });
        }
        Ok(())
    }
}
