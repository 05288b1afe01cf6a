//! Properties of a frame to be written that do not depend on its data.

use crate::frame::header::Form;
use crate::frame::shape;
use crate::options::Options;

/// The position of a frame in a file of several frames.
///
/// Start with [`Self::FIRST`], and call [`Self::after`] for each following frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FramePosition {
    /// Whether the frame is the first of its file.
    pub is_first: bool,
    /// Decoded length of the frames before this one, in bytes.
    pub decoded_offset: u64,
    /// Whether the file ends with an index, unless the options are [plain](crate::Options::plain).
    ///
    /// The first frame announces the index, and readers return an error if it is missing.
    pub is_indexed: bool,
}

impl Default for FramePosition {
    /// Returns [`Self::FIRST`].
    fn default() -> Self {
        Self::FIRST
    }
}

impl FramePosition {
    /// The position of the first frame in a file that ends with an index.
    pub const FIRST: Self = Self { is_first: true, decoded_offset: 0, is_indexed: true };

    /// Returns the same position in a file without an index.
    ///
    /// Readers cannot detect missing frames at the end of such a file.
    #[must_use]
    pub const fn without_index(self) -> Self {
        Self { is_indexed: false, ..self }
    }

    /// Returns the position of the next frame, if this frame contains `len` bytes of data.
    #[must_use]
    pub const fn after(self, len: u64) -> Self {
        let decoded_offset = self.decoded_offset.saturating_add(len);
        Self { is_first: false, decoded_offset, ..self }
    }
}

/// Properties of a frame that do not depend on its data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) form: Form,
    /// The dimensions; empty for the form `Bytes`.
    pub(crate) shape: &'a [u64],
    pub(crate) streaming: bool,
    pub(crate) position: FramePosition,
    /// The data of a difference, which its checksums cover.
    pub(crate) plain: Option<&'a [u8]>,
    /// Whether the length of the frame is padded to the length of the data modulo 8.
    ///
    /// The data after the frame then keeps its alignment.
    pub(crate) is_aligned: bool,
    /// Maximum decoded length of the frames of the file in bytes, which their headers contain.
    pub(crate) frame_len: usize,
}

impl<'a> Envelope<'a> {
    /// The single frame of a file of bytes.
    pub(crate) const BYTES: Self = Self {
        form: Form::Bytes,
        shape: &[],
        streaming: false,
        position: FramePosition::FIRST,
        plain: None,
        is_aligned: false,
        frame_len: Options::DEFAULT_FRAME_LEN,
    };

    /// Returns the envelope of one of several frames in a file of bytes.
    pub(crate) const fn streaming(position: FramePosition, plain: Option<&'a [u8]>) -> Self {
        Self { streaming: true, position, plain, ..Self::BYTES }
    }

    /// Returns the stored length of the shape in bytes.
    pub(crate) fn shape_len(&self) -> usize {
        if self.form == Form::Bytes { 0 } else { shape::encoded_len(self.shape) }
    }
}
