//! Finding parts of a file without reading all of it, and without reading anything itself: it says
//! which bytes it needs next, and whoever has the file brings them.

pub(crate) mod part;

use alloc::vec::Vec;
use core::ops::Range;

pub use part::FramePart;
use part::Surroundings;

use crate::base::Delta;
use crate::checksum;
use crate::chunk::decode::Chunk;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::index::{Directory, DirectoryEntry};
use crate::format::{FOOTER_LEN, HEADER_LEN};
use crate::frame::Frame;
use crate::frame::annex::{Annex, Footer};
use crate::frame::header::Header;
use crate::frame::index::{FrameIndex, IndexBuf};
use crate::limits::Limits;

/// Bytes at the end of a file that are asked for first: the footer, and with luck the index.
const TAIL_LEN: u64 = 16 << 10;
/// Most decoded bytes of a part of a frame.
const PART_LEN: u64 = 16 << 20;

/// Finds the frames of a file, and which of them hold a range of its data.
///
/// A file with an index is known after one or two small reads at its end. Any other, all of the
/// original's among them, is walked from header to header.
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
/// Files that hold a difference are refused unless [`Self::delta`] is set. Old layouts are always
/// refused: those are decoded whole.
#[derive(Debug, Clone)]
pub struct Seeker {
    file_len: u64,
    limits: Limits,
    stage: Stage,
    directory: Directory,
    /// Whether every frame has to carry checksums, as frames of a file with an index do.
    is_sealed: bool,
    /// Whether the file ends with a footer of which something is wrong. It may be data that only
    /// looks like one.
    is_footer_wrong: bool,
    /// Whether a difference is expected, and nothing else.
    expects_delta: bool,
    partial: Partial,
}

/// Whether a file may lack its end.
#[derive(Debug, Clone, Copy)]
enum Partial {
    /// The file must be complete.
    Refused,
    /// The frames are searched from the front once the usual way fails.
    Allowed,
    /// The frames are searched from the front, because the usual way has failed with this error.
    Walked(DecodeError),
    /// The search has ended with this error, and this many decoded bytes are available.
    Cut(DecodeError, u64),
}

#[derive(Debug, Clone)]
enum Stage {
    /// Reads where the footer would be.
    Tail,
    /// Reads the last frame, in which the index is.
    Index(Footer),
    /// Reads the header of the next frame.
    Walk,
    /// Reads the beginning of the first frame, up to where its payload begins.
    First { beginning: Vec<u8>, needed: u64 },
    /// Reads the slack of the first frame, where it would promise a footer.
    Slack(Range<u64>),
    /// Reads the index of the last frame, of which the end is missing.
    Cut { header: Header, beginning: Vec<u8>, needed: u64 },
    /// Knows all frames.
    Complete,
}

impl Seeker {
    /// One that knows nothing of a file but its length.
    pub fn new(file_len: u64, limits: Limits) -> Self {
        Self {
            file_len,
            limits,
            stage: Stage::Tail,
            directory: Directory::new(),
            is_sealed: false,
            is_footer_wrong: false,
            expects_delta: false,
            partial: Partial::Refused,
        }
    }

    /// Sets whether the file holds a difference.
    ///
    /// The parts of a difference are decoded with [`FramePart::decode_delta_into`], which takes the
    /// base.
    #[must_use]
    pub fn delta(self, expected: bool) -> Self {
        Self { expects_delta: expected, ..self }
    }

    /// Sets whether the end of the file may be missing or damaged.
    ///
    /// If the frames cannot be found as usual, they are searched from the front, up to the first
    /// that cannot be read. [`Self::cut`] then returns the reason, and [`Self::available_len`] how
    /// many bytes of the data can be decoded.
    ///
    /// Lengths in the file are checked against the bytes that it has. In the frame in which the
    /// file ends, chunks are available only if the frame has no checksums that could be missing.
    #[must_use]
    pub fn partial(self, allowed: bool) -> Self {
        let partial = if allowed { Partial::Allowed } else { Partial::Refused };
        Self { partial, ..self }
    }

    pub(crate) fn is_partial(&self) -> bool {
        !matches!(self.partial, Partial::Refused)
    }

    /// Returns why the file is incomplete, or its end cannot be trusted; `None` if it is complete.
    pub fn cut(&self) -> Option<DecodeError> {
        match self.partial {
            Partial::Walked(error) | Partial::Cut(error, _) => Some(error),
            Partial::Refused | Partial::Allowed => None,
        }
    }

    /// Returns how many bytes of the data can be decoded, counted from the first.
    pub fn available_len(&self) -> u64 {
        self.directory().map_or(0, |_| self.readable_len())
    }

    fn readable_len(&self) -> u64 {
        match self.partial {
            Partial::Cut(_, available_len) => available_len,
            _ => self.directory.decoded_len(),
        }
    }

    /// Which bytes of the file it needs next; `None` when it knows all frames.
    pub fn wanted(&self) -> Option<Range<u64>> {
        let within = |start: u64, len: u64| start..self.file_len.min(start.saturating_add(len));
        match &self.stage {
            Stage::Tail => Some(self.file_len.saturating_sub(TAIL_LEN)..self.file_len),
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

    /// Takes the bytes that are wanted: exactly those. When nothing is wanted, none.
    ///
    /// # Errors
    ///
    /// What is wrong with the file: with the frame, `Truncated` and what its header shows;
    /// `FooterMissing` and `IndexMismatch` if it has promised an index and has none that fits;
    /// `BaseRequired`, `NotADelta`, `LimitExceeded`. Nothing is to be had after an error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let Some(wanted) = self.wanted() else { return Ok(()) };
        let (needed, have) = (wanted.end - wanted.start, bytes.len() as u64);
        if have != needed {
            return Err(DecodeErrorKind::Truncated { needed, have }.into());
        }
        let result = self.take(bytes);
        if let (Err(error), Partial::Allowed) = (result, self.partial) {
            self.partial = Partial::Walked(error);
            self.directory = Directory::new();
            self.stage = Stage::Walk;
            return Ok(());
        }
        result
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        match core::mem::replace(&mut self.stage, Stage::Walk) {
            Stage::Tail => self.read_tail(bytes),
            Stage::Index(footer) => self.read_index(bytes, footer),
            Stage::Walk => {
                let number = self.directory.entries().len() as u64;
                let in_frame = |kind| DecodeError::from(kind).in_frame(number);
                match self.read_header(bytes).map_err(in_frame) {
                    Err(error) if number > 0 && matches!(self.partial, Partial::Walked(_)) => {
                        self.cut_at(error, self.directory.decoded_len())
                    }
                    result => result,
                }
            }
            Stage::First { mut beginning, .. } => {
                beginning.extend_from_slice(bytes);
                self.read_beginning(beginning).map_err(|error| error.in_frame(0))
            }
            Stage::Slack(_) => self.read_slack(bytes),
            Stage::Cut { header, mut beginning, .. } => {
                beginning.extend_from_slice(bytes);
                self.read_cut(header, beginning)
            }
            Stage::Complete => Ok(()),
        }
    }

    /// The frames of the file; `None` while more is wanted.
    pub fn directory(&self) -> Option<&Directory> {
        matches!(self.stage, Stage::Complete).then_some(&self.directory)
    }

    /// The parts of frames that hold a range of the data, in order. Together they decode to exactly
    /// that range.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the data ends before the range does, or while more is wanted. For an incomplete
    /// file, the error that [`Self::cut`] returns.
    pub fn covering(
        &self,
        range: Range<u64>,
    ) -> Result<impl Iterator<Item = FramePart> + use<'_>, DecodeError> {
        let directory = self.directory().ok_or(DecodeErrorKind::OutOfRange)?;
        if range.start > range.end || range.end > self.available_len() {
            let in_range = range.start <= range.end;
            return Err(self
                .cut()
                .filter(|_| in_range)
                .unwrap_or(DecodeErrorKind::OutOfRange.into()));
        }
        let parts = directory.covering(range.clone()).flat_map(move |(number, entry)| {
            let decoded = entry.decoded_range();
            let start = range.start.max(decoded.start) - decoded.start;
            let end = range.end.min(decoded.end) - decoded.start;
            cut(start..end).map(move |part| (number, entry, part))
        });
        Ok(parts.map(|(number, entry, part)| {
            FramePart::new(
                number,
                entry,
                part,
                Surroundings {
                    limits: self.limits,
                    have: entry.len.min(self.file_len - entry.offset),
                    is_sealed: self.is_sealed,
                    is_delta: self.expects_delta,
                },
            )
        }))
    }

    fn read_tail(&mut self, tail: &[u8]) -> Result<(), DecodeError> {
        let Some(footer) = tail.last_chunk::<FOOTER_LEN>().and_then(Footer::parse) else {
            return Ok(());
        };
        if !self.limits.verify {
            return Ok(());
        }
        let frame_len = self.file_len.checked_sub(footer.last_frame);
        match frame_len.and_then(|len| usize::try_from(len).ok()) {
            Some(len) if len <= tail.len() => self.read_index(&tail[tail.len() - len..], footer),
            Some(len) => {
                self.check_memory(len as u64)?;
                self.stage = Stage::Index(footer);
                Ok(())
            }
            None => {
                self.is_footer_wrong = true;
                Ok(())
            }
        }
    }

    /// Reads the last frame. If the index is not right, the first frame tells whether there has to
    /// be one.
    fn read_index(&mut self, frame: &[u8], footer: Footer) -> Result<(), DecodeError> {
        let Some((directory, delta)) = index_of(frame, footer, self.file_len) else {
            self.is_footer_wrong = true;
            return Ok(());
        };
        self.directory = directory;
        self.is_sealed = true;
        self.check_delta(delta)?;
        self.complete()
    }

    fn read_header(&mut self, bytes: &[u8]) -> Result<(), DecodeErrorKind> {
        let start = self.directory.file_len();
        let is_first = self.directory.entries().is_empty();
        let header = if is_first { Header::parse(bytes)? } else { Header::parse_following(bytes)? };
        let have = self.file_len - start;
        let is_cut = header.frame_len > have;
        if is_cut && !matches!(self.partial, Partial::Walked(_)) {
            return Err(DecodeErrorKind::Truncated { needed: header.frame_len, have });
        }
        if is_first {
            self.check_delta(header.delta)?;
        }
        self.directory
            .push(header.frame_len, header.decoded_len)
            .ok_or(DecodeErrorKind::InvalidLength)?;
        if is_cut {
            self.stage = Stage::Cut { header, beginning: Vec::new(), needed: have.min(FIRST_READ) };
            return Ok(());
        }
        if is_first && header.streaming && self.limits.verify {
            let needed = header.frame_len.min(FIRST_READ);
            self.stage = Stage::First { beginning: Vec::new(), needed };
            return Ok(());
        }
        let is_last = self.directory.file_len() == self.file_len;
        if is_last || is_first && !header.streaming {
            return self.complete().map_err(|error| error.kind());
        }
        self.stage = Stage::Walk;
        Ok(())
    }

    /// Counts the available chunks of the last frame, of which the end is missing.
    fn read_cut(&mut self, header: Header, beginning: Vec<u8>) -> Result<(), DecodeError> {
        let number = self.directory.entries().len() as u64 - 1;
        let before = self.directory.decoded_len() - header.decoded_len;
        let (needed, have) = (header.frame_len, self.file_len - self.last_offset());
        let error = DecodeError::from(DecodeErrorKind::Truncated { needed, have }).in_frame(number);
        let index = match IndexBuf::parse(header, &beginning) {
            Ok(index) => index,
            Err(error) => match error.kind() {
                DecodeErrorKind::Truncated { needed, .. } if needed <= have => {
                    self.check_memory(needed)?;
                    self.stage = Stage::Cut { header, beginning, needed };
                    return Ok(());
                }
                _ => return self.cut_at(error.in_frame(number), before),
            },
        };
        let has_checksums = self.is_sealed || index.get().content_len() < header.frame_len;
        if has_checksums && self.limits.verify {
            return self.cut_at(error, before);
        }
        let is_there = |chunk: &Chunk| chunk.plane_ranges().all(|range| range.end <= have);
        let index = index.get();
        let whole: u64 = index.chunks().take_while(is_there).map(|chunk| chunk.len()).sum();
        self.cut_at(error, before + whole)
    }

    /// Ends the search with the reason why no further frame can be found.
    fn cut_at(&mut self, error: DecodeError, available_len: u64) -> Result<(), DecodeError> {
        self.partial = Partial::Cut(error, available_len);
        self.complete()
    }

    /// Returns where the last known frame begins.
    fn last_offset(&self) -> u64 {
        self.directory.entries().last().map_or(0, |entry| entry.offset)
    }

    /// Reads the first frame up to its payload, to learn where its slack is.
    fn read_beginning(&mut self, beginning: Vec<u8>) -> Result<(), DecodeError> {
        let index = match FrameIndex::parse(&beginning) {
            Ok(index) => index,
            Err(error) => {
                let needed = more_of(error, self.directory.file_len())?;
                self.stage = Stage::First { beginning, needed };
                return Ok(());
            }
        };
        let slack = index.content_len()..index.header().frame_len;
        if slack.is_empty() {
            return self.walk_on();
        }
        self.check_memory(slack.end - slack.start)?;
        self.stage = Stage::Slack(slack);
        Ok(())
    }

    fn read_slack(&mut self, slack: &[u8]) -> Result<(), DecodeError> {
        let annex = Annex::parse(slack).map_err(|kind| DecodeError::from(kind).in_frame(0))?;
        if let Partial::Walked(_) = self.partial {
            self.is_sealed = annex.is_sealed();
            return self.walk_on();
        }
        match (annex.is_sealed(), self.is_footer_wrong) {
            (false, _) => self.walk_on(),
            (true, true) => Err(DecodeErrorKind::IndexMismatch.into()),
            (true, false) => Err(DecodeErrorKind::FooterMissing.into()),
        }
    }

    /// Whether the limits allow to ask for so much of a frame.
    fn check_memory(&self, requested: u64) -> Result<(), DecodeError> {
        let limit = self.limits.frame_bytes;
        if requested > limit {
            return Err(DecodeErrorKind::LimitExceeded { requested, limit }.into());
        }
        Ok(())
    }

    /// Goes on behind the first frame.
    fn walk_on(&mut self) -> Result<(), DecodeError> {
        if self.directory.file_len() == self.file_len {
            return self.complete();
        }
        self.stage = Stage::Walk;
        Ok(())
    }

    fn check_delta(&self, delta: Delta) -> Result<(), DecodeErrorKind> {
        match (delta != Delta::None, self.expects_delta) {
            (true, false) => Err(DecodeErrorKind::BaseRequired),
            (false, true) => Err(DecodeErrorKind::NotADelta),
            _ => Ok(()),
        }
    }

    fn complete(&mut self) -> Result<(), DecodeError> {
        let readable_len = self.readable_len();
        for (number, entry) in (0..).zip(self.directory.entries()) {
            // Bytes that the file lacks earn no output, and their chunks are never decoded.
            let decoded_len =
                entry.decoded_len.min(readable_len.saturating_sub(entry.decoded_offset));
            let len = entry.len.min(self.file_len - entry.offset);
            self.limits
                .check(decoded_len, len, entry.decoded_offset)
                .map_err(|kind| DecodeError::from(kind).in_frame(number))?;
        }
        self.stage = Stage::Complete;
        Ok(())
    }
}

/// Bytes of the first frame that are asked for at once: its header and index, for most.
const FIRST_READ: u64 = 1 << 10;

/// Up to where a frame of `frame_len` bytes has to be read before its index is there, if only that
/// was the error.
fn more_of(error: DecodeError, frame_len: u64) -> Result<u64, DecodeError> {
    match error.kind() {
        DecodeErrorKind::Truncated { needed, .. } if needed <= frame_len => Ok(needed),
        DecodeErrorKind::Truncated { .. } => Err(DecodeErrorKind::InvalidLength.into()),
        _ => Err(error),
    }
}

/// The frames as the index in the last of them tells, and whether they hold a difference; `None` if
/// anything about it is wrong.
fn index_of(bytes: &[u8], footer: Footer, file_len: u64) -> Option<(Directory, Delta)> {
    let frame = Frame::parse(bytes).ok().filter(|frame| frame.bytes().len() == bytes.len())?;
    let index = frame.annex().index()?;
    let index_at = file_len.checked_sub(index.from_end as u64)?;
    let directory = Directory::parse(index.body, file_len)?;
    let last = DirectoryEntry {
        offset: footer.last_frame,
        len: bytes.len() as u64,
        decoded_offset: frame.annex().frame_checksum()?.decoded_offset,
        decoded_len: frame.decoded_len(),
    };
    let is_right = frame.annex().footer() == Some(footer)
        && footer.index == index_at
        && checksum::matches(index.body, footer.index_checksum)
        && directory.entries().last() == Some(&last);
    is_right.then(|| (directory, frame.index().header().delta))
}

/// A range of a frame's decoded bytes in parts that are not too long, cut where chunks of all usual
/// sizes begin.
fn cut(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let first = range.start / PART_LEN;
    let behind = range.end.div_ceil(PART_LEN);
    let parts = (first..behind).map(move |part| {
        let start = part * PART_LEN;
        range.start.max(start)..range.end.min(start.saturating_add(PART_LEN))
    });
    parts.filter(|part| !part.is_empty())
}
