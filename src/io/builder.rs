//! Settings of files that are written frame by frame.

use crate::error::EncodeError;
use crate::options::Options;
use crate::plane_layout::PlaneLayout;

/// Builds an [`Encoder`](crate::io::Encoder) or a [`DeltaEncoder`](crate::delta::DeltaEncoder).
///
/// ```
/// use std::io::Write;
/// use zipnn::{Limits, Options};
/// use zipnn::io::EncoderBuilder;
///
/// let mut encoder = EncoderBuilder::new(Options::bytes())
///     .frame_len(1 << 20)
///     .auto_layout(true)
///     .build(Vec::new())?;
/// encoder.write_all(&[0x3f; 10_000])?;
/// let file = encoder.finish()?;
/// assert_eq!(zipnn::decompress(&file, &Limits::default()).expect("it is sound"), [0x3f; 10_000]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use = "a builder writes nothing until it is built"]
pub struct EncoderBuilder {
    pub(crate) options: Options,
    pub(crate) frame_len: usize,
    pub(crate) auto_layout: bool,
}

impl EncoderBuilder {
    /// Returns a builder of encoders that compress with these options.
    pub const fn new(options: Options) -> Self {
        Self { options, frame_len: Options::DEFAULT_FRAME_LEN, auto_layout: false }
    }

    /// Sets the bytes of input that go into each frame, which the encoder keeps in memory. The
    /// default is [`Options::DEFAULT_FRAME_LEN`].
    pub const fn frame_len(mut self, bytes: usize) -> Self {
        self.frame_len = bytes;
        self
    }

    /// Sets whether the file ends with an index of its frames, and promises so in the first one.
    /// It does by default, unless the options are [plain](Options::plain).
    ///
    /// With an index, readers find any part of the file with a few small reads, and report a file
    /// that was cut off or whose encoder was dropped. Without one, such a file decodes to the data
    /// of the frames that are left, and readers report nothing.
    pub const fn index(mut self, wanted: bool) -> Self {
        self.options.index = wanted;
        self
    }

    /// Sets whether the encoder chooses the layout of its frames by samples of their data, as
    /// [`layout_search::segments`](crate::layout_search::segments) does, and cuts them where it changes: for
    /// data of which the type is not known. The options have to be for bytes: see
    /// [`Options::bytes`].
    pub const fn auto_layout(mut self, wanted: bool) -> Self {
        self.auto_layout = wanted;
        self
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        self.options.check()?;
        if self.frame_len == 0 {
            return Err(EncodeError::InvalidFrameSize);
        }
        if self.auto_layout && self.options.layout != PlaneLayout::ONE {
            return Err(EncodeError::LayoutGiven);
        }
        Ok(())
    }
}
