//! A part of a frame: which bytes of the file it takes, and decoding it from them.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::chunk::decode::{Chunk, DecodeScratch};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::index::DirectoryEntry;
use crate::file::seek::more_of;
use crate::format::HEADER_LEN;
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::index::IndexBuf;
use crate::limits::Limits;
use crate::plane::MAX_PLANES;
use crate::try_alloc::at_least;

/// Bytes of a frame that are asked for first where only some of its chunks are needed: header and
/// index, for frames of usual sizes.
const FIRST_READ: u64 = 1 << 10;
/// Frames up to this length are asked for whole: one read costs less than several.
const SMALL_FRAME: u64 = 64 << 10;
/// Two reads that are no further apart are one.
const GAP: u64 = 4 << 10;

/// Some of the decoded bytes of a frame, from [`Seeker::covering`](crate::file::seek::Seeker::covering): it
/// says which bytes of the file it needs, takes them, and decodes. Only the chunks that hold its
/// bytes are read and decoded; each is verified if it has a checksum.
#[derive(Clone)]
pub struct FramePart {
    number: u64,
    entry: DirectoryEntry,
    /// Which of the frame's decoded bytes it is.
    range: Range<u64>,
    surroundings: Surroundings,
    stage: Stage,
    /// What has been read of the frame, in pieces with their offsets in it.
    pieces: Vec<(u64, Vec<u8>)>,
    /// A chunk of which only a part is needed.
    chunk: Vec<u8>,
}

/// The properties of a file that matter to each of its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) limits: Limits,
    /// Bytes of the frame that the file has: fewer than its length if the file was cut off in it.
    pub(super) have: u64,
    /// Whether every frame of the file has to have checksums.
    pub(super) is_sealed: bool,
    /// Whether the file holds a difference.
    pub(super) is_delta: bool,
}

#[derive(Clone)]
enum Stage {
    /// Reads the frame up to this byte, to have its index.
    Beginning(u64),
    /// Reads what the chunks are decoded from; the next range is the last of these.
    Stored(Opened, Vec<Range<u64>>),
}

/// A frame whose index has been read.
#[derive(Clone)]
struct Opened {
    index: IndexBuf,
    checksums: Vec<u64>,
    /// The slack is still to be read and checked.
    slack: Option<Range<u64>>,
}

impl fmt::Debug for FramePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramePart")
            .field("number", &self.number)
            .field("entry", &self.entry)
            .field("range", &self.range)
            .field("wanted", &self.wanted())
            .finish_non_exhaustive()
    }
}

impl FramePart {
    pub(super) fn new(
        number: u64,
        entry: DirectoryEntry,
        range: Range<u64>,
        surroundings: Surroundings,
    ) -> Self {
        let is_most = range.end - range.start >= entry.decoded_len / 2;
        let is_whole =
            (entry.len <= SMALL_FRAME || is_most) && entry.len <= surroundings.limits.frame_bytes;
        let first_read = if is_whole { entry.len } else { FIRST_READ };
        Self {
            number,
            entry,
            range,
            surroundings,
            stage: Stage::Beginning(first_read.min(surroundings.have)),
            pieces: Vec::new(),
            chunk: Vec::new(),
        }
    }

    /// The number of its frame in the file.
    pub fn frame(&self) -> u64 {
        self.number
    }

    /// Bytes that it decodes to.
    pub fn decoded_len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Which of the file's decoded bytes it is.
    pub fn decoded_range(&self) -> Range<u64> {
        let start = self.entry.decoded_offset;
        start + self.range.start..start + self.range.end
    }

    /// Which of the file's decoded bytes its frame holds.
    pub fn frame_range(&self) -> Range<u64> {
        self.entry.decoded_range()
    }

    /// Which of the file's decoded bytes a chunk of its frame holds; `None` while its frame's index
    /// is wanted, and if there is no such chunk.
    pub fn chunk_range(&self, number: u64) -> Option<Range<u64>> {
        let Stage::Stored(opened, _) = &self.stage else { return None };
        let index = opened.index.get();
        let chunk = index.chunk(usize::try_from(number).ok()?)?;
        let start = self.entry.decoded_offset + number * index.header().chunk_len();
        Some(start..start + chunk.len())
    }

    /// Returns which bytes of the base [`Self::decode_delta_into`] needs.
    ///
    /// They go with the chunks that hold the part. `None` while its frame's index is wanted.
    pub fn base_range(&self) -> Option<Range<u64>> {
        let Stage::Stored(opened, _) = &self.stage else { return None };
        let chunks = self.chunks(&opened.index);
        let chunk_len = opened.index.get().header().chunk_len();
        let end = (chunks.end as u64).saturating_mul(chunk_len).min(self.entry.decoded_len);
        let offset = self.entry.decoded_offset;
        Some(offset + chunks.start as u64 * chunk_len..offset + end)
    }

    /// Which bytes of the file it needs next; `None` when it can be decoded.
    pub fn wanted(&self) -> Option<Range<u64>> {
        let in_frame = match &self.stage {
            Stage::Beginning(needed) => self.beginning().len() as u64..*needed,
            Stage::Stored(_, ranges) => ranges.last()?.clone(),
        };
        Some(self.entry.offset + in_frame.start..self.entry.offset + in_frame.end)
    }

    /// Takes the bytes that are wanted: exactly those. When nothing is wanted, none.
    ///
    /// # Errors
    ///
    /// With the frame: errors of its index or annex, `IndexMismatch` if its header does not match
    /// the file's index, `ChecksumMissing`, `LimitExceeded`.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.take(bytes).map_err(|error| error.in_frame(self.number))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let Some(wanted) = self.wanted() else { return Ok(()) };
        let (needed, have) = (wanted.end - wanted.start, bytes.len() as u64);
        if have != needed {
            return Err(DecodeErrorKind::Truncated { needed, have }.into());
        }
        match &mut self.stage {
            Stage::Beginning(_) => {
                match self.pieces.first_mut() {
                    Some((_, beginning)) => beginning.extend_from_slice(bytes),
                    None => self.pieces.push((0, bytes.to_vec())),
                }
                self.open()
            }
            Stage::Stored(_, ranges) => {
                ranges.pop();
                self.pieces.push((wanted.start - self.entry.offset, bytes.to_vec()));
                self.check_slack()
            }
        }
    }

    /// What has been read from where the frame begins.
    fn beginning(&self) -> &[u8] {
        self.pieces.first().map(|(_, bytes)| &bytes[..]).unwrap_or_default()
    }

    /// Reads the index, if it is there, and finds out what else is needed.
    fn open(&mut self) -> Result<(), DecodeError> {
        let beginning = self.beginning();
        if beginning.len() < HEADER_LEN {
            // Frames are never shorter; this one the index tells a lie of.
            return Err(DecodeErrorKind::IndexMismatch.into());
        }
        let header = match self.number {
            0 => Header::parse(beginning)?,
            _ => Header::parse_following(beginning)?,
        };
        if (header.frame_len, header.decoded_len) != (self.entry.len, self.entry.decoded_len) {
            return Err(DecodeErrorKind::IndexMismatch.into());
        }
        let index = match IndexBuf::parse(header, beginning) {
            Ok(index) => index,
            Err(error) => {
                let needed = more_of(error, header.frame_len)?;
                self.surroundings.limits.check_memory(needed)?;
                self.stage = Stage::Beginning(needed);
                return Ok(());
            }
        };
        let content_len = index.get().content_len();
        self.surroundings.limits.check(header.decoded_len, content_len, 0)?;
        let slack = content_len..header.frame_len;
        let slack = (self.surroundings.limits.verify && !slack.is_empty()).then_some(slack);
        if slack.is_none() && self.surroundings.is_sealed {
            return Err(DecodeErrorKind::ChecksumMissing.into());
        }
        let ranges = self.missing(&index, slack.as_ref());
        let requested = ranges.iter().map(|range| range.end - range.start).sum();
        let limit = self.surroundings.limits.frame_bytes;
        if requested > limit {
            return Err(DecodeErrorKind::LimitExceeded { requested, limit }.into());
        }
        self.stage = Stage::Stored(Opened { index, checksums: Vec::new(), slack }, ranges);
        self.check_slack()
    }

    /// What is still to be read, from the last to the first.
    fn missing(&self, index: &IndexBuf, slack: Option<&Range<u64>>) -> Vec<Range<u64>> {
        let have = self.beginning().len() as u64;
        let chunks = self.chunks(index);
        let planes = index.get().header().dtype.size();
        let plane_range = |plane: usize| {
            let of = |chunk| index.get().chunk(chunk)?.plane_ranges().nth(plane);
            Some(of(chunks.start)?.start..of(chunks.end.checked_sub(1)?)?.end)
        };
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for range in (0..planes).filter_map(plane_range).chain(slack.cloned()) {
            match ranges.last_mut() {
                _ if range.is_empty() || range.end <= have => {}
                Some(last) if range.start <= last.end + GAP => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges.reverse();
        ranges
    }

    /// Numbers of the chunks that hold the part.
    fn chunks(&self, index: &IndexBuf) -> Range<usize> {
        let chunk_len = index.get().header().chunk_len();
        let start = self.range.start / chunk_len;
        start as usize..self.range.end.div_ceil(chunk_len) as usize
    }

    /// Checks the slack once it has been read: the checksums come from there.
    fn check_slack(&mut self) -> Result<(), DecodeError> {
        let Stage::Stored(opened, _) = &mut self.stage else { return Ok(()) };
        let Some(slack) = opened.slack.clone() else { return Ok(()) };
        let Some(slack) = stored(&self.pieces, slack) else { return Ok(()) };
        let annex = Annex::parse(slack)?;
        opened.index.check_annex(&annex)?;
        match annex.frame_checksum() {
            None if self.surroundings.is_sealed => {
                return Err(DecodeErrorKind::ChecksumMissing.into());
            }
            Some(checksum) if checksum.decoded_offset != self.entry.decoded_offset => {
                return Err(DecodeErrorKind::FrameOutOfPlace {
                    expected: self.entry.decoded_offset,
                    found: checksum.decoded_offset,
                }
                .into());
            }
            _ => {}
        }
        opened.checksums = annex.checksums().collect();
        opened.slack = None;
        Ok(())
    }

    /// Decodes the part into `dst`, which has exactly its length.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall` if `dst` has another length, `OutOfRange` while more is wanted,
    /// `BaseRequired` for a part of a difference, and, with frame, chunk and plane, the
    /// errors of the stored data. `dst` is then unspecified.
    pub fn decode_into(
        &mut self,
        dst: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        if self.surroundings.is_delta {
            return Err(DecodeErrorKind::BaseRequired.into());
        }
        let number = self.number;
        self.decode(None, dst, scratch).map_err(|error| error.in_frame(number))
    }

    /// Decodes a part of a difference into `dst`, which has exactly its length. `base` holds the
    /// bytes of [`Self::base_range`].
    ///
    /// The checksums belong to the data, so that with another base the error is
    /// `ChecksumMismatch`. In a file without checksums, another base is not detected.
    ///
    /// # Errors
    ///
    /// `NotADelta` for a part of another file, `BaseLength`, and as [`Self::decode_into`].
    pub fn decode_delta_into(
        &mut self,
        base: &[u8],
        dst: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        if !self.surroundings.is_delta {
            return Err(DecodeErrorKind::NotADelta.into());
        }
        let number = self.number;
        self.decode(Some(base), dst, scratch).map_err(|error| error.in_frame(number))
    }

    /// Checks the length of a part of the base.
    fn check_base(&self, base: Option<&[u8]>) -> Result<(), DecodeErrorKind> {
        let (Some(base), Some(range)) = (base, self.base_range()) else { return Ok(()) };
        let (expected, found) = (range.end - range.start, base.len() as u64);
        if expected != found {
            return Err(DecodeErrorKind::BaseLength { expected, found });
        }
        Ok(())
    }

    fn decode(
        &mut self,
        base: Option<&[u8]>,
        dst: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        let (needed, have) = (self.decoded_len(), dst.len() as u64);
        if needed != have {
            return Err(DecodeErrorKind::OutputTooSmall { needed, have }.into());
        }
        self.check_base(base)?;
        let Stage::Stored(opened, ranges) = &self.stage else {
            return Err(DecodeErrorKind::OutOfRange.into());
        };
        if !ranges.is_empty() {
            return Err(DecodeErrorKind::OutOfRange.into());
        }
        let index = opened.index.get();
        let chunk_len = index.header().chunk_len();
        let mut rest = dst;
        let mut base = base;
        for number in self.chunks(&opened.index) {
            let chunk = index.chunk(number).ok_or(DecodeErrorKind::OutOfRange)?;
            let chunk = chunk.with_checksum(opened.checksums.get(number).copied());
            let start = number as u64 * chunk_len;
            let from = self.range.start.saturating_sub(start);
            let to = chunk.len().min(self.range.end - start);
            let (part, behind) = rest.split_at_mut((to - from) as usize);
            rest = behind;
            let is_whole = part.len() as u64 == chunk.len();
            let whole = match is_whole {
                true => &mut *part,
                false => at_least(&mut self.chunk, chunk.len())?,
            };
            let base = split_base(&mut base, chunk.len());
            decode_chunk(&chunk, &self.pieces, base, whole, scratch)
                .map_err(|error| error.in_chunk(number as u64))?;
            if !is_whole {
                part.copy_from_slice(&self.chunk[from as usize..to as usize]);
            }
        }
        Ok(())
    }
}

impl FramePart {
    /// Decodes its chunks one by one, and tells of those that are damaged: what is wrong, and which
    /// of the file's decoded bytes cannot be had. Of nothing while more is wanted. A difference
    /// needs the same part of the base as in [`Self::decode_delta_into`].
    pub(crate) fn damage(
        &mut self,
        base: Option<&[u8]>,
        scratch: &mut DecodeScratch,
    ) -> Result<Vec<(DecodeError, Range<u64>)>, DecodeError> {
        self.check_base(base)?;
        let Stage::Stored(opened, _) = &self.stage else { return Ok(Vec::new()) };
        let index = opened.index.get();
        let mut damage = Vec::new();
        let mut base = base;
        for number in self.chunks(&opened.index) {
            let chunk = index.chunk(number).ok_or(DecodeErrorKind::OutOfRange)?;
            let chunk = chunk.with_checksum(opened.checksums.get(number).copied());
            let decoded = at_least(&mut self.chunk, chunk.len())?;
            let base = split_base(&mut base, chunk.len());
            if let Err(error) = decode_chunk(&chunk, &self.pieces, base, decoded, scratch) {
                let number = number as u64;
                let start = self.entry.decoded_offset + number * index.header().chunk_len();
                let error = error.in_chunk(number).in_frame(self.number);
                damage.push((error, start..start + chunk.len()));
            }
        }
        Ok(damage)
    }
}

/// Splits the first `len` bytes off a part of a base, which is known to have them.
fn split_base<'b>(base: &mut Option<&'b [u8]>, len: u64) -> Option<&'b [u8]> {
    let (part, behind) = (*base)?.split_at(len as usize);
    *base = Some(behind);
    Some(part)
}

/// Decodes a chunk from pieces of its frame; with its part of the base in a difference.
pub(crate) fn decode_chunk(
    chunk: &Chunk,
    pieces: &[(u64, Vec<u8>)],
    base: Option<&[u8]>,
    dst: &mut [u8],
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    let mut planes = [&[][..]; MAX_PLANES];
    for (plane, range) in planes.iter_mut().zip(chunk.plane_ranges()) {
        *plane = stored(pieces, range).ok_or(DecodeErrorKind::OutOfRange)?;
    }
    let mut scratch = scratch.with_len(chunk.scratch_len())?;
    match base {
        Some(base) => chunk.decode_delta(&planes, base, dst, &mut scratch),
        None => chunk.decode(&planes, dst, &mut scratch),
    }
}

/// A range of a frame, if it has been read. Every range that is needed lies in one piece; one of
/// nothing, which a chunk of fewer bytes than planes has, is never read.
fn stored(pieces: &[(u64, Vec<u8>)], range: Range<u64>) -> Option<&[u8]> {
    if range.is_empty() {
        return Some(&[]);
    }
    pieces.iter().find_map(|(start, bytes)| {
        let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
        bytes.get(from..to)
    })
}
