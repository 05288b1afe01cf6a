//! What a writer may choose.

use crate::annex::BaseId;
use crate::chunk::encode::Profile;
use crate::dtype::DType;
use crate::error::EncodeError;
use crate::frame::{Delta, header};
use crate::layout::FrameLayout;

/// How to compress.
///
/// The defaults are the original's. Whatever is chosen here, the original reads the result, unless
/// it is [`Profile::Extended`].
///
/// ```
/// use zipnn::{DType, Options};
///
/// let options = Options::new(DType::BF16).chunk_log2(16);
/// let file = zipnn::compress(&[0; 1000], &options)?;
/// # Ok::<(), zipnn::EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    pub(crate) dtype: DType,
    pub(crate) layout: FrameLayout,
    pub(crate) estimated: bool,
    pub(crate) chunk_log2: u8,
    pub(crate) frame_len: usize,
    pub(crate) threshold: f32,
    pub(crate) delta: Delta,
    pub(crate) base: Option<BaseId>,
    pub(crate) checksums: bool,
    pub(crate) index: bool,
    pub(crate) profile: Profile,
}

impl Options {
    /// Frame size of an [`Encoder`](crate::Encoder), in bytes of input, unless another is chosen.
    pub const DEFAULT_FRAME_LEN: usize = 4 << 20;

    /// The defaults for elements of this type: chunks of 256 KiB.
    pub const fn new(dtype: DType) -> Self {
        Self {
            dtype,
            layout: FrameLayout::of(dtype),
            estimated: false,
            chunk_log2: header::DEFAULT_CHUNK_LOG2,
            frame_len: Self::DEFAULT_FRAME_LEN,
            threshold: 0.95,
            delta: Delta::None,
            base: None,
            checksums: false,
            index: false,
            profile: Profile::Original,
        }
    }

    /// The type of the elements.
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// How frames are split into planes, where that is to differ from what goes with the type. The
    /// header names the type still if its elements are of that many planes, and otherwise
    /// [one that is](FrameLayout::dtype): readers go by that and by whether bits are rotated.
    ///
    /// ```
    /// use zipnn::{DType, FrameLayout, Limits, Options};
    ///
    /// let ids: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    /// let bytes = Options::new(DType::F8E4M3);
    /// let file = zipnn::compress(&ids, &bytes.layout(FrameLayout::FOUR))?;
    /// assert!(file.len() < zipnn::compress(&ids, &bytes)?.len() * 3 / 4);
    /// assert_eq!(zipnn::decompress(&file, &Limits::default())?, ids);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn layout(mut self, layout: FrameLayout) -> Self {
        if self.dtype.size() != layout.planes() {
            self.dtype = layout.dtype();
        }
        self.layout = layout;
        self
    }

    /// Whether an [`Encoder`](crate::Encoder) chooses the layout of its frames by samples of their
    /// data, as [`estimate::segments`](crate::estimate::segments) does, and cuts them where it
    /// changes: for data of which the type is not known. What has been said of type and layout does
    /// not count then.
    #[must_use]
    pub const fn estimated(mut self, wanted: bool) -> Self {
        self.estimated = wanted;
        self
    }

    /// Input bytes of a chunk, as a power of two from 2 to 62. Smaller chunks are quicker to reach
    /// one by one and cost more; planes of over 128 KiB are not coded at all, which is what the
    /// original does.
    #[must_use]
    pub const fn chunk_log2(mut self, exponent: u8) -> Self {
        self.chunk_log2 = exponent;
        self
    }

    /// Input bytes of each frame that an [`Encoder`](crate::Encoder) writes: what it keeps in
    /// memory.
    #[must_use]
    pub const fn frame_len(mut self, bytes: usize) -> Self {
        self.frame_len = bytes;
        self
    }

    /// A plane of a chunk is coded if that takes less than this part of its length. Raw planes
    /// decode faster; the default is 0.95.
    #[must_use]
    pub const fn threshold(mut self, part: f32) -> Self {
        self.threshold = part;
        self
    }

    /// Marks the result as a difference to a base. The data must be the difference already; see
    /// [`delta`](crate::delta).
    #[must_use]
    pub const fn delta(mut self, delta: Delta) -> Self {
        self.delta = delta;
        self
    }

    /// Whether frames carry checksums: of every chunk, of what is around the chunks, and of what is
    /// stored. Readers of this crate verify them, the original passes over them. They take eight
    /// bytes a chunk and about 60 a frame.
    #[must_use]
    pub const fn checksums(mut self, wanted: bool) -> Self {
        self.checksums = wanted;
        self
    }

    /// Whether a file of frames in a row ends with an index of them, and promises so in its first
    /// frame: then readers find any part of it with a few small reads, and notice if the end is
    /// missing.
    #[must_use]
    pub const fn index(mut self, wanted: bool) -> Self {
        self.index = wanted;
        self
    }

    /// For whom the file is: everybody, or readers of this crate alone, for whom it may be smaller.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Which base the difference is to: the file names it, so that no other is taken for it.
    #[must_use]
    pub const fn base(mut self, base: BaseId) -> Self {
        self.base = Some(base);
        self
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        if !header::CHUNK_LOG2.contains(&self.chunk_log2) {
            return Err(EncodeError::InvalidChunkSize(self.chunk_log2));
        }
        Ok(())
    }
}
