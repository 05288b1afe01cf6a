//! What surrounds the data of a frame that is written.

use crate::frame::header::Form;
use crate::frame::shape;
use crate::options::Options;

/// Where in its file a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePosition {
    /// Whether the file begins with it.
    pub is_first: bool,
    /// Bytes of data in the frames before it.
    pub decoded_offset: u64,
    /// Whether the file ends with an index, unless the options are
    /// [plain](crate::Options::plain). Its first frame promises so, and readers report a file in
    /// which the index is missing.
    pub is_indexed: bool,
}

impl Default for FramePosition {
    fn default() -> Self {
        Self::FIRST
    }
}

impl FramePosition {
    /// Position of the first frame in a file that ends with an index.
    pub const FIRST: Self = Self { is_first: true, decoded_offset: 0, is_indexed: true };

    /// Returns the same position in a file without an index. The loss of frames at the end of such
    /// a file goes unnoticed.
    #[must_use]
    pub const fn without_index(self) -> Self {
        Self { is_indexed: false, ..self }
    }

    /// Returns the position of the frame behind this one, which holds `len` bytes of data.
    #[must_use]
    pub const fn after(self, len: u64) -> Self {
        let decoded_offset = self.decoded_offset.saturating_add(len);
        Self { is_first: false, decoded_offset, ..self }
    }
}

/// What kind of frame is written around the data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) form: Form,
    /// Dimensions, for any form but bytes.
    pub(crate) shape: &'a [u64],
    pub(crate) streaming: bool,
    pub(crate) position: FramePosition,
    /// What the checksums are of, where that is not what is coded: the data of a difference.
    pub(crate) plain: Option<&'a [u8]>,
    /// Whether slack makes the frame's length leave the same remainder as that of the data, so that
    /// what follows either of them is aligned alike.
    pub(crate) is_aligned: bool,
    /// Most bytes of data in the frames of the file, which their headers name.
    pub(crate) frame_len: usize,
}

impl<'a> Envelope<'a> {
    /// The only frame of a file of bytes.
    pub(crate) const BYTES: Self = Self {
        form: Form::Bytes,
        shape: &[],
        streaming: false,
        position: FramePosition::FIRST,
        plain: None,
        is_aligned: false,
        frame_len: Options::DEFAULT_FRAME_LEN,
    };

    /// One of several frames of a file of bytes.
    pub(crate) const fn streaming(position: FramePosition, plain: Option<&'a [u8]>) -> Self {
        Self { streaming: true, position, plain, ..Self::BYTES }
    }

    pub(crate) fn shape_len(&self) -> usize {
        if self.form == Form::Bytes { 0 } else { shape::encoded_len(self.shape) }
    }
}
