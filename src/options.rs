//! Options of compression.

use crate::base::{BaseId, Delta};
use crate::dtype::DType;
use crate::error::EncodeError;
use crate::format::{CHUNK_LOG2, DEFAULT_CHUNK_LOG2, HAS_EXTENDED, UNIT_LOG2};
use crate::layout_search;
use crate::model::records::Record;
use crate::model::scales::context::Division;
use crate::plane_layout::PlaneLayout;
use crate::profile::{PlaneCode, PlaneCoding, Profile};

/// Options for compression.
///
/// Create them by what you know about the data:
///
/// | the data is | use |
/// |---|---|
/// | elements of a type | [`Options::new`] |
/// | unknown | [`Options::auto`] |
/// | bytes that are not numbers, such as text | [`Options::bytes`] |
///
/// By default, frames contain checksums, and files of an [`Encoder`](crate::Encoder) end with an
/// index. The original ignores both, and reads every file that was written without
/// [`Profile::Extended`]. [`Self::plain`] omits everything that the original does not write.
/// [`EncoderBuilder`](crate::io::EncoderBuilder) has the settings for files of several frames.
///
/// Each method replaces the value of earlier calls. The compressing function returns an error if a
/// value is out of range.
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
    content: Content,
    /// The type that headers name. It and the layout have the same number of planes.
    pub(crate) header_dtype: DType,
    pub(crate) layout: PlaneLayout,
    pub(crate) chunk_log2: u8,
    pub(crate) threshold: f32,
    pub(crate) delta: Delta,
    pub(crate) base: Option<BaseId>,
    pub(crate) checksums: bool,
    /// Whether files of several frames end with an index, unless the caller overrides it.
    pub(crate) index: bool,
    pub(crate) profile: Profile,
    pub(crate) plane_code: PlaneCode,
    /// The records that the data consists of.
    record: Option<Record>,
    scales: ScalesUse,
}

/// Whether chunks are long and stored with the code of scales, if [`Profile::Max`] is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScalesUse {
    /// Each frame is stored in the smaller way.
    Chosen,
    Always,
    Never,
}

/// What the caller knows about the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The data consists of elements of the type.
    Elements,
    /// The data has no type.
    Bytes,
    /// The type is unknown. The layout is chosen when the data is compressed.
    Unknown,
}

impl Options {
    /// Default length of a chunk, in bytes of input.
    pub const DEFAULT_CHUNK_LEN: usize = 1 << DEFAULT_CHUNK_LOG2;

    /// Default frame length of an [`Encoder`](crate::Encoder), in bytes of input.
    pub const DEFAULT_FRAME_LEN: usize = 4 << 20;

    /// Returns the default options for elements of a type: chunks of 256 KiB, with checksums.
    pub const fn new(dtype: DType) -> Self {
        Self {
            content: Content::Elements,
            header_dtype: dtype,
            layout: PlaneLayout::of(dtype),
            chunk_log2: DEFAULT_CHUNK_LOG2,
            threshold: 0.95,
            delta: Delta::None,
            base: None,
            checksums: true,
            index: true,
            profile: Profile::Original,
            plane_code: PlaneCode::Pivot,
            record: None,
            scales: ScalesUse::Chosen,
        }
    }

    /// Returns the default options for bytes that are not numbers, in frames of one plane.
    pub const fn bytes() -> Self {
        Self { content: Content::Bytes, ..Self::new(PlaneLayout::ONE.dtype()) }
    }

    /// Returns the default options for data of unknown type.
    ///
    /// The compressing function chooses the layout from samples of the data: see
    /// [`layout_search`](crate::layout_search).
    ///
    /// Functions that write one frame choose one layout for it. An [`Encoder`](crate::Encoder)
    /// begins a new frame where the layout of the data changes, for example after the header of a
    /// file.
    ///
    /// ```
    /// use zipnn::{DType, Limits, Options};
    ///
    /// let data: Vec<u8> = (0..100_000).flat_map(|i| (i as f32).sin().to_le_bytes()).collect();
    /// let file = zipnn::compress(&data, &Options::auto())?;
    /// assert_eq!(file.len(), zipnn::compress(&data, &Options::new(DType::F32))?.len());
    /// assert_eq!(zipnn::decompress(&file, &Limits::default())?, data);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn auto() -> Self {
        Self { content: Content::Unknown, ..Self::bytes() }
    }

    /// Omits checksums, the identity of a base, and the index of a file.
    ///
    /// The original does not write any of these. Without them, readers cannot detect all damage,
    /// nor that the last frames of a file are missing.
    ///
    /// A later call of `checksums(true)` enables checksums and index again, and a later call of
    /// [`Self::base`] sets the identity of the base again.
    ///
    /// ```
    /// use std::io::Write;
    /// use zipnn::{DType, Encoder, Options};
    /// use zipnn::file::Frames;
    ///
    /// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::BF16).plain())?;
    /// encoder.write_all(&[0; 1000])?;
    /// let file = encoder.finish()?;
    /// let frames: Vec<_> = Frames::new(&file).collect::<Result<_, _>>()?;
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

    /// Returns the type of the elements, or `None` if the data has no known type.
    ///
    /// It is `None` for bytes, for data of unknown type, and if a [layout](Self::layout) was set
    /// whose number of planes differs from the number for the type.
    ///
    /// ```
    /// use zipnn::{DType, Options};
    ///
    /// assert_eq!(Options::new(DType::BF16).dtype(), Some(DType::BF16));
    /// assert_eq!(Options::bytes().dtype(), None);
    /// assert_eq!(Options::auto().dtype(), None);
    /// ```
    pub const fn dtype(&self) -> Option<DType> {
        match self.content {
            Content::Elements => Some(self.header_dtype),
            Content::Bytes | Content::Unknown => None,
        }
    }

    /// Sets how elements are split into planes. The default is the layout of the type.
    ///
    /// If the layout and the type have the same number of planes, headers name the type. Otherwise
    /// they name [the type of the layout](PlaneLayout::dtype). Readers use only the number of
    /// planes, and whether elements are rotated.
    ///
    /// ```
    /// use zipnn::{Limits, Options};
    /// use zipnn::frame::PlaneLayout;
    ///
    /// let ids: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    /// let bytes = Options::bytes();
    /// let file = zipnn::compress(&ids, &bytes.layout(PlaneLayout::FOUR))?;
    /// assert!(file.len() < zipnn::compress(&ids, &bytes)?.len() * 3 / 4);
    /// assert_eq!(zipnn::decompress(&file, &Limits::default())?, ids);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn layout(mut self, layout: PlaneLayout) -> Self {
        let has_other_planes = self.header_dtype.size() != layout.planes();
        if has_other_planes {
            self.header_dtype = layout.dtype();
        }
        if has_other_planes || matches!(self.content, Content::Unknown) {
            self.content = Content::Bytes;
        }
        self.layout = layout;
        self
    }

    /// Sets the base-2 logarithm of the chunk length in bytes, from 2 to 62. The default is 18.
    ///
    /// Smaller chunks make reading small parts faster, but files larger. Planes of more than 128
    /// KiB are stored raw, as in the original. Frames that [`Profile::Max`] stores with the code of
    /// scales have chunks of 4 MiB instead.
    #[must_use]
    pub const fn chunk_log2(mut self, exponent: u8) -> Self {
        self.chunk_log2 = exponent;
        self
    }

    /// Sets the ratio, from 0 to 1, below which planes are coded. The default is 0.95.
    ///
    /// A plane of a chunk is coded only if its coded length is less than this fraction of its
    /// length. Otherwise it is stored raw, which decodes faster.
    #[must_use]
    pub const fn threshold(mut self, part: f32) -> Self {
        self.threshold = part;
        self
    }

    /// Sets that the data consists of records, which quantised tensors are stored in.
    ///
    /// It begins with a whole record; other bytes may follow the last one. With
    /// [`Profile::Extended`], equal fields of the records are then compressed together. Other
    /// profiles store the data as [bytes](Self::bytes).
    ///
    /// ```
    /// use zipnn::frame::Record;
    /// use zipnn::{Limits, Options, Profile};
    ///
    /// let q8_0 = Record::from_name("Q8_0").unwrap();
    /// let block = |i: u16| [&[i as u8, 0x1c][..], &[(i % 7) as u8; 32]].concat();
    /// let data: Vec<u8> = (0..1000).flat_map(block).collect();
    /// let options = Options::bytes().record(q8_0).profile(Profile::Extended);
    /// let file = zipnn::compress(&data, &options)?;
    /// assert_eq!(zipnn::decompress(&file, &Limits::default())?, data);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn record(self, record: Record) -> Self {
        let mut options = self.layout(PlaneLayout::ONE);
        options.record = Some(record);
        options
    }

    /// Marks the result as a difference to a base.
    ///
    /// [`delta::compress`](crate::delta::compress) and [`DeltaEncoder`](crate::delta::DeltaEncoder)
    /// compute the difference and mark it. All other functions expect that the data already is the
    /// difference.
    #[must_use]
    pub const fn delta(mut self, delta: Delta) -> Self {
        self.delta = delta;
        self
    }

    /// Sets whether frames contain checksums. The default is `true`.
    ///
    /// There is a checksum of each decoded chunk, of header, shape and index, and of the payload.
    /// Readers of this crate verify them; the original ignores them. They take eight bytes for each
    /// chunk and about 60 bytes for each frame.
    ///
    /// Without checksums, files still end with an index, which [`Self::plain`] omits too.
    #[must_use]
    pub const fn checksums(mut self, wanted: bool) -> Self {
        self.checksums = wanted;
        self.index |= wanted;
        self
    }

    /// Sets the readers that the file is compatible with. The default is [`Profile::Original`].
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Sets how [`Profile::Extended`] codes planes. The default is [`PlaneCode::Pivot`].
    ///
    /// Other profiles ignore it.
    ///
    /// ```
    /// use zipnn::frame::{Frame, Method};
    /// use zipnn::{DType, Options, PlaneCode, Profile};
    ///
    /// let weights: Vec<u8> = (0..9000).flat_map(|i| (i as f32).sin().to_le_bytes()).collect();
    /// let fast = Options::new(DType::F32).profile(Profile::Extended);
    /// let file = zipnn::compress(&weights, &fast)?;
    /// let chunk = Frame::parse(&file)?.chunk(0).expect("there is data");
    /// assert_eq!(chunk.methods().last(), Some(Method::Pivot));
    ///
    /// let file = zipnn::compress(&weights, &fast.plane_code(PlaneCode::Huffman))?;
    /// let chunk = Frame::parse(&file)?.chunk(0).expect("there is data");
    /// assert_eq!(chunk.methods().last(), Some(Method::Huffman));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn plane_code(mut self, code: PlaneCode) -> Self {
        self.plane_code = code;
        self
    }

    /// Returns how planes are coded.
    pub(crate) const fn coding(&self) -> PlaneCoding {
        PlaneCoding::new(self.threshold, self.profile, self.plane_code)
    }

    /// Sets the identity of the base of a difference, so that readers reject any other base.
    ///
    /// It requires [`Self::delta`]. With checksums, [`delta::compress`](crate::delta::compress) and
    /// [`DeltaEncoder`](crate::delta::DeltaEncoder) set it themselves.
    #[must_use]
    pub const fn base(mut self, base: BaseId) -> Self {
        self.base = Some(base);
        self
    }

    /// Returns whether the original may be unable to read the result.
    ///
    /// ```
    /// use zipnn::{DType, Options};
    ///
    /// assert!(!Options::new(DType::BF16).is_extended());
    /// ```
    pub fn is_extended(&self) -> bool {
        self.profile.is_extended()
    }

    /// Returns whether the layout is chosen when the data is compressed.
    pub(crate) const fn is_auto(&self) -> bool {
        matches!(self.content, Content::Unknown)
    }

    /// Returns the options for one frame of `data`, with a chosen layout if the type is unknown.
    pub(crate) fn for_frame(&self, data: &[u8]) -> Self {
        match self.is_auto() {
            true => self.layout(layout_search::layout(data, None, PlaneLayout::ONE)),
            false => *self,
        }
    }

    /// Returns the options for frames with and without the code of scales, if the smaller frame is to
    /// be written.
    pub(crate) fn ways(&self) -> Option<[Self; 2]> {
        let is_chosen = self.profile.is_max() && self.scales == ScalesUse::Chosen;
        let is_possible = HAS_EXTENDED && self.delta == Delta::None && self.record.is_none();
        (is_chosen && is_possible).then(|| {
            let with = Self { scales: ScalesUse::Always, chunk_log2: UNIT_LOG2, ..*self };
            [with, Self { scales: ScalesUse::Never, ..*self }]
        })
    }

    /// Returns the type of the elements that the code of scales stores.
    pub(crate) fn scales_type(&self) -> DType {
        match self.dtype() {
            None if self.layout.planes == 1 => DType::F8E4M3,
            _ => self.likely_types()[0],
        }
    }

    /// Returns whether the code of scales may store `len` bytes in less than `other_len` bytes, the
    /// length of the frame without it.
    pub(crate) fn may_scales_save(&self, len: u64, other_len: u64) -> bool {
        Division::new(self.scales_type(), false)
            .is_some_and(|division| division.least_len(len) < other_len)
    }

    /// Returns whether chunks may be stored with the code of scales.
    pub(crate) fn uses_scales(&self) -> bool {
        self.scales == ScalesUse::Always
    }

    /// Returns the types that the elements of a chunk probably have, the most likely one first.
    pub(crate) fn likely_types(&self) -> &'static [DType] {
        match (self.dtype(), self.layout.planes) {
            (Some(DType::F32), _) | (None, 4) => &[DType::F32],
            (Some(DType::F16), _) => &[DType::F16],
            (Some(DType::BF16), _) => &[DType::BF16],
            (Some(DType::F8E4M3), _) => &[DType::F8E4M3],
            (Some(DType::F8E5M2), _) => &[DType::F8E5M2],
            (None, 2) if self.layout.rotated => &[DType::BF16, DType::F16],
            (None, 2) => &[DType::F16, DType::BF16],
            (None, _) => &DType::ALL,
        }
    }

    /// Returns the records that the data consists of, if the profile splits them.
    pub(crate) fn records(&self, layout: PlaneLayout) -> Option<Record> {
        let splits = self.profile.is_extended() && layout == PlaneLayout::ONE;
        self.record.filter(|_| splits && self.delta == Delta::None)
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
