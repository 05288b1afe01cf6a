//! Opening a frame: reading and checking everything but its payload.
//!
//! All readers open frames here, whether they read from memory, from a stream, in pieces or out of
//! order. They differ in their [`OpenOptions`] and in where they store the bytes.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
#[cfg(feature = "alloc")]
use core::fmt;
#[cfg(feature = "alloc")]
use core::ops::Range;

#[cfg(feature = "alloc")]
use crate::base::BaseId;
use crate::base::Delta;
#[cfg(feature = "alloc")]
use crate::base::map::BaseMap;
#[cfg(feature = "alloc")]
use crate::chunk::decode::Chunk;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::format::HEADER_LEN;
use crate::frame::annex::Annex;
#[cfg(feature = "alloc")]
use crate::frame::annex::PayloadCheck;
use crate::frame::header::Header;
use crate::frame::index::FrameIndex;
#[cfg(feature = "alloc")]
use crate::frame::index::{CheckedIndex, IndexBuf};
use crate::limits::Limits;

/// The part of a frame that its reader keeps in memory, which [`Limits::frame_bytes`] limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Keep {
    /// Header, shape and index. The payload is read in parts.
    Index,
    /// Header, shape, index and payload.
    ///
    /// The payload does not count if the frame can be decoded chunk by chunk, because it has a
    /// single plane and no annex to verify.
    #[default]
    Content,
    /// All bytes of the frame.
    Frame,
}

/// Whether the annex of a frame is read, and what happens if it is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnnexUse {
    /// The annex is not read.
    Skip,
    /// A damaged annex is an error.
    Verify,
    /// A damaged annex is ignored.
    Salvage,
}

/// Requirements of a reader for the next frame.
///
/// By default, the frame is the first of a file, may hold a difference, and the reader keeps its
/// payload in memory.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    limits: Limits,
    keep: Keep,
    annex: AnnexUse,
    follows: bool,
    decoded_before: u64,
    /// Whether the first frame must hold a difference, or must not.
    delta: Option<bool>,
    /// The expected length of the frame and of its decoded data.
    lengths: Option<(u64, u64)>,
}

impl OpenOptions {
    /// Creates options for the first frame of a file.
    ///
    /// Its annex is verified if [`Limits::verify`] is set.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            keep: Keep::default(),
            annex: if limits.verify { AnnexUse::Verify } else { AnnexUse::Skip },
            follows: false,
            decoded_before: 0,
            delta: None,
            lengths: None,
        }
    }

    /// Sets the part of the frame that the reader keeps in memory.
    #[must_use]
    pub fn keep(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// Sets that the frame follows others, which decode to `decoded_before` bytes.
    ///
    /// [`Limits::decoded_bytes`] counts these bytes too.
    #[must_use]
    pub fn following(self, decoded_before: u64) -> Self {
        Self { follows: true, decoded_before, ..self }
    }

    /// Sets whether the first frame must hold a difference. By default, both are allowed.
    ///
    /// If `expected` is `true`, a frame that does not hold a difference causes `NotADelta`; if it
    /// is `false`, a frame that does causes `BaseRequired`.
    #[must_use]
    pub fn delta(self, expected: bool) -> Self {
        Self { delta: Some(expected), ..self }
    }

    /// Sets the lengths of the frame and its decoded data, in bytes, from the index of the file.
    ///
    /// If the header of the frame differs, the error is `IndexMismatch`.
    #[must_use]
    pub fn lengths(self, frame_len: u64, decoded_len: u64) -> Self {
        Self { lengths: Some((frame_len, decoded_len)), ..self }
    }

    /// Ignores a damaged annex, so that the chunks of a damaged file can be decoded.
    ///
    /// An intact annex is used even if [`Limits::verify`] is `false`.
    #[must_use]
    pub fn salvage(self) -> Self {
        Self { annex: AnnexUse::Salvage, ..self }
    }

    /// Parses the header and checks its lengths against the limits.
    pub(crate) fn header(&self, frame: &[u8]) -> Result<Header, DecodeErrorKind> {
        let header = match self.follows {
            false => Header::parse(frame)?,
            true => Header::parse_following(frame)?,
        };
        self.check_delta(header.delta)?;
        let lengths = (header.frame_len, header.decoded_len);
        if self.lengths.is_some_and(|expected| expected != lengths) {
            return Err(DecodeErrorKind::IndexMismatch);
        }
        self.limits.check(header.decoded_len, header.frame_len, self.decoded_before)?;
        if self.keep == Keep::Frame {
            let requested = header.frame_len;
            self.limits.check_memory(requested)?;
            isize::try_from(requested).map_err(|_| DecodeErrorKind::OutOfMemory { requested })?;
        }
        Ok(header)
    }

    fn check_delta(&self, found: Delta) -> Result<(), DecodeErrorKind> {
        match self.delta.filter(|_| !self.follows) {
            Some(false) if found != Delta::None => Err(DecodeErrorKind::BaseRequired),
            Some(true) if found == Delta::None => Err(DecodeErrorKind::NotADelta),
            _ => Ok(()),
        }
    }

    /// Parses header, shape and index at the beginning of a frame, or returns the length needed.
    pub(crate) fn prefix<'f>(&self, frame: &'f [u8]) -> Result<Prefix<'f>, DecodeError> {
        if frame.len() < HEADER_LEN {
            return Ok(Prefix::Needs(HEADER_LEN as u64));
        }
        let header = self.header(frame)?;
        let index = match FrameIndex::parse_behind(header, frame) {
            Ok(index) => index,
            Err(error) => return self.needed(error, &header).map(Prefix::Needs),
        };
        // The frame length may be wrong or mostly slack, so only the content counts as input.
        let content_len = index.content_len();
        self.limits.check(header.decoded_len, content_len, self.decoded_before)?;
        self.limits.check_memory(match self.keep {
            Keep::Content if !self.is_chunk_by_chunk(&index) => content_len,
            _ => index.prefix_len(),
        })?;
        Ok(Prefix::Read(index))
    }

    /// Returns the needed length of the frame if `error` is `Truncated`, otherwise the error.
    fn needed(&self, error: DecodeError, header: &Header) -> Result<u64, DecodeError> {
        match error.kind() {
            DecodeErrorKind::Truncated { needed, .. } if needed > header.frame_len => {
                Err(DecodeErrorKind::InvalidLength.into())
            }
            DecodeErrorKind::Truncated { needed, .. } => {
                self.limits.check_memory(needed)?;
                Ok(needed)
            }
            _ => Err(error),
        }
    }

    /// Returns the error for a file that ends after `frame`, where `needed` bytes are needed.
    pub(crate) fn truncated(&self, frame: &[u8], needed: u64) -> DecodeError {
        match self.header(frame) {
            // The bytes are too short for a header, and may not be a frame at all.
            Err(kind) if frame.len() < HEADER_LEN => kind.into(),
            _ => DecodeErrorKind::Truncated { needed, have: frame.len() as u64 }.into(),
        }
    }

    /// Returns whether checksums and the connections between frames are verified.
    pub(crate) fn verifies(&self) -> bool {
        self.annex == AnnexUse::Verify
    }

    /// Returns whether the slack of the frame must be read because it may contain an annex.
    pub(crate) fn reads_annex(&self, index: &FrameIndex<'_>) -> bool {
        self.annex != AnnexUse::Skip && index.content_len() < index.header().frame_len
    }

    /// Returns whether a damaged annex is ignored.
    pub(crate) fn is_salvaging(&self) -> bool {
        self.annex == AnnexUse::Salvage
    }

    /// Returns whether a streaming decoder needs only one chunk of the payload at a time.
    ///
    /// This is so if the frame has a single plane, which is stored in decoding order, and no annex
    /// to read first.
    pub(crate) fn is_chunk_by_chunk(&self, index: &FrameIndex<'_>) -> bool {
        index.header().dtype.size() == 1 && !self.reads_annex(index)
    }

    /// Parses the annex in `slack` and checks it against the header, shape and index in `prefix`.
    pub(crate) fn annex<'f>(
        &self,
        prefix: &[u8],
        chunks: usize,
        slack: &'f [u8],
    ) -> Result<Annex<'f>, DecodeErrorKind> {
        if self.annex == AnnexUse::Skip {
            return Ok(Annex::default());
        }
        if slack.starts_with(&Annex::MAGIC) {
            self.limits.check_memory(slack.len() as u64)?;
        }
        let annex = Annex::parse(slack)
            .and_then(|annex| annex.check_prefix(prefix, chunks).map(|()| annex));
        if self.is_salvaging() { Ok(annex.unwrap_or_default()) } else { annex }
    }
}

/// The state of parsing the prefix of a frame: header, shape and index.
pub(crate) enum Prefix<'f> {
    /// At least this many bytes of the frame are needed.
    Needs(u64),
    /// The prefix has been parsed and checked.
    Read(FrameIndex<'f>),
}

/// Opens a frame from bytes that the caller supplies.
///
/// It performs no input: [`Self::wanted`] returns the range of bytes that it needs next.
///
/// It requests the header, then shape and index, then the annex. The payload lies before the annex:
/// a caller that cannot seek must store the payload when [`Self::wanted`] skips it.
///
/// ```
/// use zipnn::frame::{DecodeScratch, FrameOpener, OpenOptions};
/// use zipnn::{DType, Limits, Options};
///
/// let data = [1, 2, 3, 4].repeat(1000);
/// let file = zipnn::compress(&data, &Options::new(DType::BF16))?;
/// let bytes = |range: std::ops::Range<u64>| &file[range.start as usize..range.end as usize];
///
/// let mut opener = FrameOpener::new(OpenOptions::new(Limits::default()));
/// while let Some(range) = opener.wanted() {
///     opener.feed(bytes(range))?;
/// }
/// let frame = opener.finish()?;
/// let chunk = frame.chunk(0).expect("there is data");
/// let stored: Vec<&[u8]> = chunk.plane_ranges().map(bytes).collect();
/// let mut decoded = vec![0; chunk.len() as usize];
/// let mut scratch = DecodeScratch::new();
/// chunk.decode(&stored, &mut decoded, &mut scratch.with_len(chunk.scratch_len())?)?;
/// assert_eq!(decoded, data);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone)]
pub struct FrameOpener {
    options: OpenOptions,
    header: Option<Header>,
    index: Option<CheckedIndex>,
    /// The bytes of header, shape and index so far.
    prefix: Vec<u8>,
    /// The bytes of the slack so far.
    slack: Vec<u8>,
    /// Offset in the frame at which the wanted bytes end.
    needed: u64,
}

#[cfg(feature = "alloc")]
impl fmt::Debug for FrameOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameOpener")
            .field("options", &self.options)
            .field("header", &self.header)
            .field("wanted", &self.wanted())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "alloc")]
impl FrameOpener {
    /// Creates an opener for one frame.
    pub fn new(options: OpenOptions) -> Self {
        Self {
            options,
            header: None,
            index: None,
            prefix: Vec::new(),
            slack: Vec::new(),
            needed: HEADER_LEN as u64,
        }
    }

    /// Returns the range of bytes needed next; `None` once the frame can be opened.
    ///
    /// Offsets count from the beginning of the frame. Ranges are never empty, and each begins at or
    /// after the end of the range before.
    pub fn wanted(&self) -> Option<Range<u64>> {
        let have = match &self.index {
            None => self.prefix.len() as u64,
            Some(index) => index.slack_range().start + self.slack.len() as u64,
        };
        (have < self.needed).then_some(have..self.needed)
    }

    /// Takes the bytes of the frame in the range [`Self::wanted`].
    ///
    /// Fewer bytes mean that the file ends after them. Excess bytes are ignored.
    ///
    /// # Errors
    ///
    /// `Truncated`; the errors of [`Header::parse`] and [`FrameIndex::parse`]; `BaseRequired`,
    /// `NotADelta` or `IndexMismatch` if the frame does not meet the [`OpenOptions`];
    /// `LimitExceeded`. The errors do not contain the number of the frame.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.fill(|buffer, len| {
            let len = bytes.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            buffer.extend_from_slice(&bytes[..len]);
            Ok(())
        })
    }

    /// Calls `read` to append the bytes in the range [`Self::wanted`].
    ///
    /// This avoids the copy that [`Self::feed`] makes. The arguments of `read` are the buffer and
    /// the number of bytes to append. If it appends fewer, the file ends after them.
    ///
    /// The number comes from the file and may be wrong: `read` should allocate memory only as bytes
    /// arrive.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::feed`], and the error of `read`.
    pub fn fill<E: From<DecodeError>>(
        &mut self,
        read: impl FnOnce(&mut Vec<u8>, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(wanted) = self.wanted() else { return Ok(()) };
        let buffer = if self.index.is_none() { &mut self.prefix } else { &mut self.slack };
        let before = buffer.len();
        let len = wanted.end - wanted.start;
        read(buffer, len)?;
        buffer.truncate(usize::try_from(len).map_or(usize::MAX, |len| before.saturating_add(len)));
        match self.wanted() {
            None => Ok(self.advance()?),
            Some(missing) => Ok(self.end(missing)?),
        }
    }

    /// Determines the bytes that are needed next, after the wanted bytes have arrived.
    fn advance(&mut self) -> Result<(), DecodeError> {
        if let Some(index) = &self.index {
            if self.slack == Annex::MAGIC {
                let slack = index.slack_range();
                self.options.limits.check_memory(slack.end - slack.start)?;
                self.needed = slack.end;
            }
            return Ok(());
        }
        self.header = Some(self.options.header(&self.prefix)?);
        match self.options.prefix(&self.prefix)? {
            Prefix::Needs(needed) => self.needed = needed,
            Prefix::Read(index) => {
                let magic_len =
                    if self.options.reads_annex(&index) { Annex::MAGIC.len() } else { 0 };
                let slack = index.checked().slack_range();
                self.needed = slack.end.min(slack.start + magic_len as u64);
                self.index = Some(index.checked());
            }
        }
        Ok(())
    }

    /// Handles a file that ends before the bytes in `missing`.
    fn end(&mut self, missing: Range<u64>) -> Result<(), DecodeError> {
        let (needed, have) = (missing.end, missing.start);
        if self.index.is_none() {
            return Err(self.options.truncated(&self.prefix, needed));
        }
        if !self.options.is_salvaging() {
            return Err(DecodeErrorKind::Truncated { needed, have }.into());
        }
        self.needed = have;
        Ok(())
    }

    /// Returns the header, once it has been read and its lengths are within the limits.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Returns the index, once it has been read.
    pub fn index(&self) -> Option<FrameIndex<'_>> {
        self.index.map(|index| index.with_bytes(&self.prefix))
    }

    /// Returns the bytes of the slack so far.
    pub(crate) fn slack(&self) -> &[u8] {
        &self.slack
    }

    /// Returns the index and the verified annex once nothing is wanted.
    ///
    /// The annex is empty if the frame has none.
    fn checked(&self) -> Result<(CheckedIndex, Annex<'_>), DecodeError> {
        match (self.index, self.wanted()) {
            (Some(index), None) => {
                let chunks = index.chunk_count();
                Ok((index, self.options.annex(&self.prefix, chunks, &self.slack)?))
            }
            (_, wanted) => {
                let needed = wanted.map_or(self.needed, |wanted| wanted.end);
                Err(self.options.truncated(&self.prefix, needed))
            }
        }
    }

    /// Checks the annex and returns the frame.
    ///
    /// # Errors
    ///
    /// `Truncated` while bytes are wanted; `InvalidAnnex`, `UnsupportedAnnex`, `ChecksumMismatch`.
    pub fn finish(self) -> Result<OpenedFrame, DecodeError> {
        self.finish_with(|_, _| Ok(()))
    }

    /// Checks the annex, applies another check to header and annex, and returns the frame.
    pub(crate) fn finish_with(
        self,
        check: impl FnOnce(&Header, &Annex<'_>) -> Result<(), DecodeErrorKind>,
    ) -> Result<OpenedFrame, DecodeError> {
        let (index, annex) = self.checked()?;
        check(index.header(), &annex)?;
        Ok(OpenedFrame {
            checksums: annex.checksums().collect(),
            base: annex.base(),
            base_map: annex.base_map()?,
            payload_check: annex.payload_check(),
            index: index.own(self.prefix),
        })
    }
}

/// A frame whose parts except the payload have been read and checked.
///
/// [`FrameOpener::finish`] returns it.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone)]
pub struct OpenedFrame {
    index: IndexBuf,
    checksums: Vec<u64>,
    base: Option<BaseId>,
    base_map: Option<BaseMap>,
    payload_check: Option<PayloadCheck>,
}

#[cfg(feature = "alloc")]
impl OpenedFrame {
    /// Returns the header.
    pub fn header(&self) -> &Header {
        self.index.header()
    }

    /// Returns header, shape and index.
    pub fn index(&self) -> FrameIndex<'_> {
        self.index.get()
    }

    /// Returns the chunk with this number, including its checksum; `None` if there is none.
    ///
    /// The checksum is of the data, so [`Chunk::decode`] fails for a chunk of a difference. Use
    /// [`Chunk::decode_delta`], or call [`Self::without_checksums`] first.
    pub fn chunk(&self, number: usize) -> Option<Chunk> {
        let checksum = self.checksums.get(number).copied();
        Some(self.index.get().chunk(number)?.with_checksum(checksum))
    }

    /// Returns the range of the payload, in bytes from the beginning of the frame.
    pub fn payload_range(&self) -> Range<u64> {
        self.index.prefix_len()..self.index.get().content_len()
    }

    /// Returns the checksums of the chunks' data, in order; empty if the frame has none.
    pub fn checksums(&self) -> &[u64] {
        &self.checksums
    }

    /// Removes the checksums of the chunks, to decode a difference without its base.
    #[must_use]
    pub fn without_checksums(mut self) -> Self {
        self.checksums.clear();
        self
    }

    /// Returns the base of a difference. Only the first frame of a file names it.
    pub fn base(&self) -> Option<BaseId> {
        self.base
    }

    /// Returns the files from which the base of a difference is assembled; `None` if the base is one
    /// file. Only the first frame of a file names them.
    pub fn base_map(&self) -> Option<&BaseMap> {
        self.base_map.as_ref()
    }

    /// Returns a check of the stored payload; `None` if the frame has no checksum of it.
    pub fn payload_check(&self) -> Option<PayloadCheck> {
        self.payload_check.clone()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::dtype::DType;
    use crate::format::at;
    use crate::frame::whole::Frame;
    use crate::options::Options;

    fn file() -> Vec<u8> {
        let data: Vec<u8> = (0..5000_u32).map(|number| ((number * number) >> 7) as u8).collect();
        let options = Options::new(DType::BF16).chunk_log2(9).checksums(true);
        crate::oneshot::compress(&data, &options).unwrap()
    }

    /// Feeds a file until the frame is open, and returns the frame and the wanted ranges.
    fn open(
        file: &[u8],
        options: OpenOptions,
    ) -> Result<(OpenedFrame, Vec<Range<u64>>), DecodeError> {
        let mut opener = FrameOpener::new(options);
        let mut ranges = Vec::new();
        while let Some(wanted) = opener.wanted() {
            let at = |offset: u64| file.len().min(offset as usize);
            opener.feed(&file[at(wanted.start)..at(wanted.end)])?;
            ranges.push(wanted);
        }
        opener.finish().map(|frame| (frame, ranges))
    }

    fn kind(file: &[u8], options: OpenOptions) -> DecodeErrorKind {
        open(file, options).unwrap_err().kind()
    }

    #[test]
    fn everything_but_the_payload_is_asked_for_once() {
        let file = file();
        let frame = Frame::parse(&file).unwrap();
        let (opened, ranges) = open(&file, OpenOptions::new(Limits::default())).unwrap();
        let payload = opened.payload_range();
        let end = file.len() as u64;
        assert_eq!(ranges[0], 0..HEADER_LEN as u64);
        assert_eq!(ranges[1], HEADER_LEN as u64..payload.start);
        assert_eq!(ranges[2..], [payload.end..payload.end + 4, payload.end + 4..end]);
        for number in 0..frame.chunk_count() {
            let (found, expected) = (opened.chunk(number).unwrap(), frame.chunk(number).unwrap());
            assert_eq!(found.checksum(), expected.checksum());
            assert!(found.plane_ranges().eq(expected.plane_ranges()));
        }
        assert!(opened.chunk(frame.chunk_count()).is_none());
        assert!(opened.checksums().iter().copied().eq(frame.annex().checksums()));
        let mut check = opened.payload_check().unwrap();
        check.update(&file[payload.start as usize..payload.end as usize]);
        check.finish().unwrap();
    }

    #[test]
    fn slack_is_not_read_unless_it_is_verified() {
        let file = file();
        let blind = Limits { verify: false, ..Limits::default() };
        let (opened, ranges) = open(&file, OpenOptions::new(blind)).unwrap();
        assert!(opened.checksums().is_empty());
        assert_eq!(ranges.last().unwrap().end, opened.payload_range().start);
        // Slack without an annex is skipped after its first bytes.
        let mut foreign = file.clone();
        let slack = opened.payload_range().end as usize;
        foreign[slack] ^= 1;
        let (opened, ranges) = open(&foreign, OpenOptions::new(Limits::default())).unwrap();
        assert!(opened.checksums().is_empty());
        assert_eq!(ranges.last().unwrap().end, slack as u64 + 4);
    }

    #[test]
    fn a_frame_that_ends_early_is_truncated() {
        let file = file();
        let options = OpenOptions::new(Limits::default());
        let payload = open(&file, options).unwrap().0.payload_range();
        for len in (0..payload.start).chain(payload.end..file.len() as u64) {
            match kind(&file[..len as usize], options) {
                DecodeErrorKind::Truncated { needed, have } => {
                    assert_eq!(have, len);
                    assert!(needed > have);
                }
                kind => panic!("{kind} after {len} bytes"),
            }
        }
        assert_eq!(kind(b"Not found", options), DecodeErrorKind::BadMagic);
        assert!(FrameOpener::new(options).finish().is_err());
    }

    #[test]
    fn a_damaged_annex_is_an_error_or_ignored() {
        let file = file();
        let options = OpenOptions::new(Limits::default());
        let (opened, _) = open(&file, options).unwrap();
        // The record with the checksums of the chunks.
        let record = opened.payload_range().end as usize + Annex::MAGIC.len();
        for at in record..record + 8 + 8 * opened.checksums().len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            if !cfg!(feature = "__internal-fuzz") {
                assert!(open(&damaged, options).is_err(), "byte {at}");
            }
            open(&damaged, options.salvage()).unwrap();
            open(&damaged[..at], options.salvage()).unwrap();
        }
        let (opened, _) = open(&file, options.salvage()).unwrap();
        assert!(!opened.checksums().is_empty());
    }

    #[test]
    fn limits_count_what_is_kept() {
        let file = file();
        let limits = |frame_bytes| Limits { frame_bytes, ..Limits::default() };
        let options = |keep, frame_bytes| OpenOptions::new(limits(frame_bytes)).keep(keep);
        let (opened, _) = open(&file, options(Keep::Index, u64::MAX)).unwrap();
        let payload = opened.payload_range();
        for (keep, needed) in [
            (Keep::Index, payload.start),
            (Keep::Content, payload.end),
            (Keep::Frame, file.len() as u64),
        ] {
            open(&file, options(keep, needed)).unwrap();
            let limit = needed - 1;
            let expected = DecodeErrorKind::LimitExceeded { requested: needed, limit };
            assert_eq!(kind(&file, options(keep, limit)), expected, "{keep:?}");
        }
    }

    #[test]
    fn limits_count_the_frames_before() {
        let limits = Limits { decoded_bytes: 6000, ..Limits::default() };
        let file = file();
        open(&file, OpenOptions::new(limits).following(1000)).unwrap();
        let expected = DecodeErrorKind::LimitExceeded { requested: 6001, limit: 6000 };
        assert_eq!(kind(&file, OpenOptions::new(limits).following(1001)), expected);
    }

    #[test]
    fn a_frame_must_be_what_its_reader_expects() {
        let file = file();
        let options = OpenOptions::new(Limits::default());
        let len = file.len() as u64;
        open(&file, options.lengths(len, 5000)).unwrap();
        for (frame_len, decoded_len) in [(len + 1, 5000), (len, 4999)] {
            let options = options.lengths(frame_len, decoded_len);
            assert_eq!(kind(&file, options), DecodeErrorKind::IndexMismatch);
        }
        open(&file, options.delta(false)).unwrap();
        assert_eq!(kind(&file, options.delta(true)), DecodeErrorKind::NotADelta);
        let mut difference = file.clone();
        difference[at::DELTA] = 1;
        assert_eq!(kind(&difference, options.delta(false)), DecodeErrorKind::BaseRequired);
        // Only the first frame determines whether the file holds a difference, and its layout.
        let mut old = file;
        old[at::VERSION..at::VERSION + 3].copy_from_slice(&[0, 1, 1]);
        let expected = DecodeErrorKind::UnsupportedVersion([0, 1, 1]);
        assert_eq!(kind(&old, options), expected);
        assert_ne!(kind(&old, options.following(0).delta(true)), expected);
    }

    #[test]
    fn a_shape_beyond_the_frame_is_invalid() {
        let mut file = vec![0; HEADER_LEN];
        file.copy_from_slice(&Header::new(DType::BF16, 18, 0).to_bytes(0));
        file[at::FORM] = 2;
        file[at::FRAME_LEN] = HEADER_LEN as u8;
        let options = OpenOptions::new(Limits::default());
        assert_eq!(kind(&file, options), DecodeErrorKind::InvalidLength);
    }
}
