//! What a writer may choose.

use crate::base::{BaseId, Delta};
use crate::dtype::DType;
use crate::error::EncodeError;
use crate::format::{CHUNK_LOG2, DEFAULT_CHUNK_LOG2};
use crate::plane_layout::PlaneLayout;
use crate::profile::Profile;

/// Options that every compressing call takes.
///
/// What only concerns a file of several frames belongs to
/// [`EncoderBuilder`](crate::EncoderBuilder). By default frames carry checksums, and files of an
/// [`Encoder`](crate::Encoder) end with an index. The original's reader ignores both, and reads
/// every file without [`Profile::Extended`]. [`Self::plain`] leaves out what the original does not
/// write.
///
/// Each method replaces what earlier calls chose. Values out of range are reported by the call that
/// compresses.
///
/// ```
/// use zipnn::{DType, EncodeError, Options};
///
/// let options = Options::new(DType::BF16).chunk_log2(16);
/// let file = zipnn::compress(&[0; 1000], &options)?;
/// let plain = zipnn::compress(&[0; 1000], &options.plain())?;
/// assert!(plain.len() < file.len());
///
/// let error = zipnn::compress(&[0; 1000], &options.threshold(f32::NAN));
/// assert_eq!(error, Err(EncodeError::InvalidThreshold));
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    pub(crate) dtype: DType,
    pub(crate) layout: PlaneLayout,
    pub(crate) chunk_log2: u8,
    pub(crate) threshold: f32,
    pub(crate) delta: Delta,
    pub(crate) base: Option<BaseId>,
    pub(crate) checksums: bool,
    /// Whether a file of frames in a row ends with an index unless its writer is asked otherwise.
    pub(crate) index: bool,
    pub(crate) profile: Profile,
}

impl Options {
    /// Default length of a chunk, in bytes of input.
    pub const DEFAULT_CHUNK_LEN: usize = 1 << DEFAULT_CHUNK_LOG2;

    /// Default frame length of an [`Encoder`](crate::Encoder), in bytes of input.
    pub const DEFAULT_FRAME_LEN: usize = 4 << 20;

    /// Returns the default options for elements of this type: chunks of 256 KiB, with checksums.
    pub const fn new(dtype: DType) -> Self {
        Self {
            dtype,
            layout: PlaneLayout::of(dtype),
            chunk_log2: DEFAULT_CHUNK_LOG2,
            threshold: 0.95,
            delta: Delta::None,
            base: None,
            checksums: true,
            index: true,
            profile: Profile::Original,
        }
    }

    /// Returns the default options for bytes of any kind, in frames of one plane.
    pub const fn bytes() -> Self {
        Self::new(PlaneLayout::ONE.dtype())
    }

    /// Leaves out everything that the original does not write: checksums, the name of a base, and
    /// the index of a file. The result is byte for byte in the original's form, and damage to it or
    /// the loss of its last frames may go unnoticed.
    ///
    /// A later `checksums(true)` brings checksums and index back, and a later [`Self::base`] the
    /// name of the base.
    ///
    /// ```
    /// use std::io::Write;
    /// use zipnn::{DType, Encoder, Options};
    /// use zipnn::file::Frames;
    ///
    /// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::BF16).plain())?;
    /// encoder.write_all(&[0; 1000])?;
    /// let file = encoder.finish()?;
    /// let frames: Vec<_> = Frames::new(&file).collect::<Result<_, _>>().expect("the file is sound");
    /// assert_eq!(frames.len(), 1);
    /// assert!(frames[0].slack().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub const fn plain(mut self) -> Self {
        self.checksums = false;
        self.base = None;
        self.index = false;
        self
    }

    /// The type of the elements.
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// How frames are split into planes, where that is to differ from what goes with the type. The
    /// header names the type still if its elements are of that many planes, and otherwise
    /// [one that is](PlaneLayout::dtype): readers go by that and by whether bits are rotated.
    ///
    /// ```
    /// use zipnn::{DType, Limits, Options};
    /// use zipnn::frame::PlaneLayout;
    ///
    /// let ids: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    /// let bytes = Options::new(DType::F8E4M3);
    /// let file = zipnn::compress(&ids, &bytes.layout(PlaneLayout::FOUR))?;
    /// assert!(file.len() < zipnn::compress(&ids, &bytes)?.len() * 3 / 4);
    /// assert_eq!(zipnn::decompress(&file, &Limits::default())?, ids);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn layout(mut self, layout: PlaneLayout) -> Self {
        if self.dtype.size() != layout.planes() {
            self.dtype = layout.dtype();
        }
        self.layout = layout;
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

    /// Codes a plane of a chunk only if that takes less than this part of its length, from 0 to 1.
    /// Raw planes decode faster; the default is 0.95.
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

    /// Sets whether frames carry checksums of every decoded chunk, of their header and index, and
    /// of their stored bytes. The default is `true`. Readers of this crate verify them, the
    /// original ignores them. They take eight bytes a chunk and about 60 a frame.
    ///
    /// Without them the index of a file stays: see [`Self::plain`].
    #[must_use]
    pub const fn checksums(mut self, wanted: bool) -> Self {
        self.checksums = wanted;
        self.index |= wanted;
        self
    }

    /// For whom the file is: everybody, or readers of this crate alone, for whom it may be smaller.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Names the base that the difference is to, so that no other is taken for it. Only goes with
    /// [`Self::delta`]. [`delta::compress`](crate::delta::compress) and
    /// [`DeltaEncoder`](crate::delta::DeltaEncoder) name the base themselves where there are
    /// checksums.
    #[must_use]
    pub const fn base(mut self, base: BaseId) -> Self {
        self.base = Some(base);
        self
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        if !CHUNK_LOG2.contains(&self.chunk_log2) {
            return Err(EncodeError::InvalidChunkSize(self.chunk_log2));
        }
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(EncodeError::InvalidThreshold);
        }
        if self.base.is_some() && self.delta == Delta::None {
            return Err(EncodeError::BaseWithoutDelta);
        }
        Ok(())
    }
}
