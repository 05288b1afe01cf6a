//! Settings of files that are written frame by frame.

use crate::error::EncodeError;
use crate::options::Options;

/// Builds an [`Encoder`](crate::Encoder) or a [`DeltaEncoder`](crate::delta::DeltaEncoder).
///
/// ```
/// use std::io::Write;
/// use zipnn::{Limits, Options};
/// use zipnn::io::EncoderBuilder;
///
/// let builder = EncoderBuilder::new(Options::auto()).frame_len(1 << 20).index(false);
/// let mut encoder = builder.build(Vec::new())?;
/// encoder.write_all(&[0x3f; 10_000])?;
/// let file = encoder.finish()?;
/// assert_eq!(zipnn::decompress(&file, &Limits::default())?, [0x3f; 10_000]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct EncoderBuilder {
    pub(crate) options: Options,
    pub(crate) frame_len: usize,
}

impl EncoderBuilder {
    /// Returns a builder of encoders that compress with these options.
    pub const fn new(options: Options) -> Self {
        Self { options, frame_len: Options::DEFAULT_FRAME_LEN }
    }

    /// Sets the number of input bytes in each frame, which the encoder keeps in memory.
    ///
    /// The default is [`Options::DEFAULT_FRAME_LEN`].
    pub const fn frame_len(mut self, bytes: usize) -> Self {
        self.frame_len = bytes;
        self
    }

    /// Sets whether the file ends with an index of its frames.
    ///
    /// The default is `true`, unless the options are [plain](Options::plain).
    ///
    /// With an index, readers find any part of the file with a few small reads. The first frame
    /// states that an index follows, so readers report a file that was cut off or whose encoder was
    /// dropped. Without an index, such a file decodes to the data of the remaining frames, without
    /// an error.
    pub const fn index(mut self, wanted: bool) -> Self {
        self.options.index = wanted;
        self
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        self.options.check()?;
        if self.frame_len == 0 {
            return Err(EncodeError::InvalidFrameSize);
        }
        Ok(())
    }
}
