//! Finds the parts of a file that contain a range of its data, without reading the whole file.
//!
//! [`Seeker`] and [`FramePart`] perform no input or output. They return the ranges of the file that
//! they need next, and the caller supplies the bytes. They therefore work with any source, such as
//! files, HTTP ranges and object stores, blocking or asynchronous.

pub(crate) mod part;
mod reads;
mod steps;

use alloc::vec::Vec;
use core::ops::Range;

pub use part::FramePart;
use part::{PART_LEN, Surroundings};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::index::Directory;
use crate::format::{FOOTER_LEN, HEADER_LEN};
use crate::frame::annex::Footer;
use crate::frame::header::Header;
use crate::limits::Limits;

/// Finds the frames of a file, and the parts of frames that contain a range of its data.
///
/// It performs no input or output: the caller reads the ranges of the file that [`Self::wanted`]
/// returns and passes them to [`Self::feed`]. A file with an index takes one or two small reads at
/// its end. A file without an index, such as a file of the original, takes a read for each frame
/// header.
///
/// ```
/// use zipnn::{DType, Encoder, Limits, Options};
/// use zipnn::frame::DecodeScratch;
/// use zipnn::seek::Seeker;
/// # use std::io::Write;
///
/// let data: Vec<u8> = (0..100_000_u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::F32))?;
/// encoder.write_all(&data)?;
/// let file = encoder.finish()?;
///
/// let bytes = |range: std::ops::Range<u64>| &file[range.start as usize..range.end as usize];
/// let mut seeker = Seeker::new(file.len() as u64, Limits::default());
/// while let Some(range) = seeker.wanted() {
///     seeker.feed(bytes(range))?;
/// }
/// let mut numbers = [0; 4000];
/// let mut rest = &mut numbers[..];
/// for mut part in seeker.covering(200_000..204_000)? {
///     while let Some(range) = part.wanted() {
///         part.feed(bytes(range))?;
///     }
///     let (decoded, behind) = rest.split_at_mut(part.decoded_len() as usize);
///     part.decode_into(decoded, &mut DecodeScratch::new())?;
///     rest = behind;
/// }
/// assert_eq!(numbers, data[200_000..204_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A seeker rejects files that hold a difference unless [`Self::delta`] is set. It always rejects
/// files in the layouts of releases before 0.3.5: only functions that decode whole files read them.
#[derive(Debug, Clone)]
pub struct Seeker {
    file_len: u64,
    limits: Limits,
    stage: Stage,
    directory: Directory,
    /// Whether the file ends with a wrong footer, which may be data that looks like a footer.
    is_footer_wrong: bool,
    /// Whether the file must hold a difference. If not, it must not hold one.
    expects_delta: bool,
    /// Whether it has been checked that the file holds a difference or not, as expected.
    is_delta_checked: bool,
    partial: Partial,
}

/// Whether a file may lack its end.
#[derive(Debug, Clone, Copy)]
enum Partial {
    /// The file must be complete.
    Refused,
    /// If the usual search fails, the frames are searched from the front.
    Allowed,
    /// The frames are searched from the front, because the usual search has failed with this error.
    Walked(DecodeError),
    /// The search from the front has ended with this error; this many decoded bytes are available.
    Cut(DecodeError, u64),
}

#[derive(Debug, Clone)]
enum Stage {
    /// Reads the last bytes, where the footer is.
    Tail,
    /// Reads the last frame, which contains the index.
    Index(Footer),
    /// Reads the header of the next frame.
    Walk,
    /// Reads the first frame up to its payload.
    First { beginning: Vec<u8>, needed: u64 },
    /// Reads the slack of the first frame, which announces the footer.
    Slack(Range<u64>),
    /// Reads the index of a last frame whose end is missing.
    Cut { header: Header, beginning: Vec<u8>, needed: u64 },
    /// Knows all frames.
    Complete,
}

impl Seeker {
    /// Number of bytes at the end of a file that are read first: the footer, and usually the index.
    ///
    /// For a source of unknown length, request a suffix of this length: see [`Self::feed_suffix`].
    pub const SUFFIX_LEN: u64 = 16 << 10;

    /// Creates a seeker for a file of `file_len` bytes.
    pub fn new(file_len: u64, limits: Limits) -> Self {
        Self {
            file_len,
            limits,
            stage: Stage::Tail,
            directory: Directory::new(),
            is_footer_wrong: false,
            expects_delta: false,
            is_delta_checked: false,
            partial: Partial::Refused,
        }
    }

    /// Creates a seeker for a file whose directory is known already.
    ///
    /// The seeker wants no bytes.
    ///
    /// Each frame is compared with the directory when the frame is read, and a wrong directory
    /// causes `IndexMismatch`. For a difference, also call [`Self::delta`].
    ///
    /// ```
    /// use zipnn::{DType, Limits, Options};
    /// use zipnn::file::Directory;
    /// use zipnn::seek::Seeker;
    ///
    /// let file = zipnn::compress(&[1; 1000], &Options::new(DType::BF16))?;
    /// let mut directory = Directory::new();
    /// directory.push(file.len() as u64, 1000);
    /// let seeker = Seeker::with_directory(directory, Limits::default())?;
    /// assert_eq!(seeker.wanted(), None);
    /// assert_eq!(seeker.covering::<&[u8]>(10..20)?.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `LimitExceeded`, with the number of the frame.
    pub fn with_directory(directory: Directory, limits: Limits) -> Result<Self, DecodeError> {
        let mut seeker = Self { directory, ..Self::new(0, limits) };
        seeker.file_len = seeker.directory.file_len();
        seeker.complete()?;
        Ok(seeker)
    }

    /// Sets whether the file holds a difference. The default is `false`.
    ///
    /// The parts of a difference are decoded with [`FramePart::decode_delta_into`], which takes the
    /// base.
    #[must_use]
    pub fn delta(self, expected: bool) -> Self {
        Self { expects_delta: expected, ..self }
    }

    /// Sets whether the end of the file may be missing or damaged. The default is `false`.
    ///
    /// If the usual search for the frames fails, they are searched from the front, up to the first
    /// frame that cannot be read. [`Self::cut`] then returns the reason, and
    /// [`Self::available_len`] the number of bytes of the data that can be decoded.
    ///
    /// The limits apply to the bytes that the file contains. If the file ends within a frame, the
    /// complete chunks of this frame are available only if the frame has no checksums or
    /// [`Limits::verify`] is `false`.
    #[must_use]
    pub fn partial(self, allowed: bool) -> Self {
        let partial = if allowed { Partial::Allowed } else { Partial::Refused };
        Self { partial, ..self }
    }

    #[cfg(feature = "std")]
    pub(crate) fn is_partial(&self) -> bool {
        !matches!(self.partial, Partial::Refused)
    }

    #[cfg(feature = "std")]
    pub(crate) fn expects_delta(&self) -> bool {
        self.expects_delta
    }

    /// Returns why the file is incomplete or its end is damaged; `None` if it is complete.
    pub fn cut(&self) -> Option<DecodeError> {
        match self.partial {
            Partial::Walked(error) | Partial::Cut(error, _) => Some(error),
            Partial::Refused | Partial::Allowed => None,
        }
    }

    /// Returns the number of bytes, from the beginning of the data, that can be decoded.
    ///
    /// It is 0 while bytes are wanted.
    pub fn available_len(&self) -> u64 {
        self.directory().map_or(0, |_| self.readable_len())
    }

    fn readable_len(&self) -> u64 {
        match self.partial {
            Partial::Cut(_, available_len) => available_len,
            _ => self.directory.decoded_len(),
        }
    }

    /// Returns the range of the file that [`Self::feed`] takes next.
    ///
    /// It is `None` once all frames are known.
    pub fn wanted(&self) -> Option<Range<u64>> {
        let within = |start: u64, len: u64| start..self.file_len.min(start.saturating_add(len));
        match &self.stage {
            Stage::Tail => Some(self.file_len.saturating_sub(Self::SUFFIX_LEN)..self.file_len),
            Stage::Index(footer) => Some(footer.last_frame..self.file_len),
            Stage::Walk => Some(within(self.directory.file_len(), HEADER_LEN as u64)),
            Stage::First { beginning, needed } => Some(beginning.len() as u64..*needed),
            Stage::Slack(range) => Some(range.clone()),
            Stage::Cut { beginning, needed, .. } => {
                let start = self.last_offset();
                Some(start + beginning.len() as u64..start + needed)
            }
            Stage::Complete => None,
        }
    }

    /// Takes exactly the bytes of the file in the range [`Self::wanted`].
    ///
    /// It ignores them if nothing is wanted.
    ///
    /// # Errors
    ///
    /// `Truncated` and the errors of the header, with the number of the frame; `FooterMissing` or
    /// `IndexMismatch` if the file must end with an index and the index is missing or wrong;
    /// `BaseRequired`, `NotADelta`, `LimitExceeded`. Do not use the seeker after an error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let Some(wanted) = self.wanted() else { return Ok(()) };
        let (needed, have) = (wanted.end - wanted.start, bytes.len() as u64);
        if have != needed {
            return Err(DecodeErrorKind::Truncated { needed, have }.into());
        }
        self.take_or_walk(bytes)
    }

    /// Takes the last bytes of the file, of any length, instead of the first wanted range.
    ///
    /// This avoids a request for the length of a file over HTTP: the response to a request with
    /// `Range: bytes=-16384` contains the last bytes, and its `Content-Range` header the length of
    /// the file.
    ///
    /// ```
    /// use zipnn::{DType, Encoder, Limits, Options};
    /// use zipnn::seek::Seeker;
    /// # use std::io::Write;
    /// # let mut encoder = Encoder::new(Vec::new(), Options::new(DType::F32))?;
    /// # encoder.write_all(&[7; 100_000])?;
    /// # let file = encoder.finish()?;
    /// # let get_suffix = |len: u64| {
    /// #     let start = file.len().saturating_sub(len as usize);
    /// #     (&file[start..], file.len() as u64)
    /// # };
    ///
    /// let (suffix, file_len) = get_suffix(Seeker::SUFFIX_LEN);
    /// let mut seeker = Seeker::new(file_len, Limits::default());
    /// seeker.feed_suffix(suffix)?;
    /// assert_eq!(seeker.wanted(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It ignores the bytes if others were taken before, or if they are too few for a footer.
    /// [`Self::wanted`] then returns the range that is needed.
    ///
    /// # Errors
    ///
    /// `InvalidLength` if `suffix` is longer than the file, and the errors of [`Self::feed`].
    pub fn feed_suffix(&mut self, suffix: &[u8]) -> Result<(), DecodeError> {
        if suffix.len() as u64 > self.file_len {
            return Err(DecodeErrorKind::InvalidLength.into());
        }
        let is_enough = self.wanted().is_some_and(|wanted| {
            suffix.len() >= FOOTER_LEN || suffix.len() as u64 == wanted.end - wanted.start
        });
        match self.stage {
            Stage::Tail if is_enough => self.take_or_walk(suffix),
            _ => Ok(()),
        }
    }

    /// Takes bytes. After an error, begins a search from the front if that is allowed.
    fn take_or_walk(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let result = self.take(bytes);
        if let (Err(error), Partial::Allowed) = (result, self.partial) {
            self.partial = Partial::Walked(error);
            self.directory = Directory::new();
            self.stage = Stage::Walk;
            return Ok(());
        }
        result
    }

    /// Returns the positions of all frames; `None` while bytes are wanted.
    pub fn directory(&self) -> Option<&Directory> {
        matches!(self.stage, Stage::Complete).then_some(&self.directory)
    }

    /// Returns the parts of frames that contain a range of the data, in order.
    ///
    /// Together they decode to exactly this range.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the range exceeds the data or its start exceeds its end, or while bytes are
    /// wanted. If the range exceeds the available data of an incomplete file, the error that
    /// [`Self::cut`] returns.
    pub fn covering<P>(
        &self,
        range: Range<u64>,
    ) -> Result<impl Iterator<Item = FramePart<P>> + use<'_, P>, DecodeError> {
        let out_of_range = DecodeErrorKind::OutOfRange.into();
        let directory = self.directory().ok_or(out_of_range)?;
        if range.start > range.end {
            return Err(out_of_range);
        }
        if range.end > self.available_len() {
            return Err(self.cut().unwrap_or(out_of_range));
        }
        let parts = directory.covering(range.clone()).flat_map(move |(number, entry)| {
            let decoded = entry.decoded_range();
            let start = range.start.max(decoded.start) - decoded.start;
            let end = range.end.min(decoded.end) - decoded.start;
            cut(start..end).map(move |part| (number, entry, part))
        });
        Ok(parts.map(|(number, entry, part)| {
            let surroundings = Surroundings {
                limits: self.limits,
                have: entry.len.min(self.file_len - entry.offset),
                is_sealed: directory.is_sealed(),
                is_delta: self.expects_delta,
                is_delta_checked: self.is_delta_checked,
            };
            FramePart::new(number, entry, part, surroundings)
        }))
    }
}

/// Splits a range of a frame's decoded bytes into parts of at most [`PART_LEN`] bytes.
///
/// The parts begin at multiples of [`PART_LEN`], where chunks of all usual sizes begin.
fn cut(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let first = range.start / PART_LEN;
    let behind = range.end.div_ceil(PART_LEN);
    let parts = (first..behind).map(move |part| {
        let start = part * PART_LEN;
        range.start.max(start)..range.end.min(start.saturating_add(PART_LEN))
    });
    parts.filter(|part| !part.is_empty())
}
