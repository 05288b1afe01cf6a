//! Decodes a part of a frame.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::base::Delta;
use crate::chunk::decode::{Chunk, DecodeScratch};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::index::DirectoryEntry;
use crate::file::seek::reads::{Reads, stored_in};
use crate::format::HEADER_LEN;
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::index::CheckedIndex;
use crate::frame::open::{Keep, OpenOptions, Prefix};
#[cfg(feature = "gpu")]
use crate::gpu::ChunkInput;
use crate::limits::Limits;
use crate::plane::MAX_PLANES;
use crate::try_alloc::at_least;

/// Maximum decoded length of a part of a frame in bytes.
pub(super) const PART_LEN: u64 = 16 << 20;
/// Number of bytes of a frame that are read first if only some of its chunks are needed.
///
/// This is enough for the header and the index of a frame of usual size.
const FIRST_READ: u64 = 1 << 10;
/// Maximum length of a frame that is read at once, because one read costs less than several.
const SMALL_FRAME: u64 = 64 << 10;
/// Maximum distance of two reads that are joined.
const GAP: u64 = 4 << 10;

/// Decodes a part of a frame from only the bytes of the file that it needs.
///
/// [`Seeker::covering`](crate::seek::Seeker::covering) returns the parts that contain a range of
/// the data. A part returns the ranges of the file that it needs, takes their bytes, and decodes
/// them. It decodes only the chunks that contain its data, and verifies their checksums.
///
/// It stores the bytes without copying them: `P` can be `&[u8]` for a file in memory, `Vec<u8>`, or
/// any other type that implements `AsRef<[u8]>`.
#[derive(Clone)]
pub struct FramePart<P = Vec<u8>> {
    number: u64,
    entry: DirectoryEntry,
    /// Position in the decoded data of the frame.
    range: Range<u64>,
    surroundings: Surroundings,
    reads: Reads<P>,
    opened: Option<Opened>,
}

/// The properties of a file that its parts depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    pub(crate) limits: Limits,
    /// Number of bytes of the frame in the file: less than its length if the file is cut off.
    pub(crate) have: u64,
    /// Whether every frame of the file must have checksums.
    pub(crate) is_sealed: bool,
    /// Whether a difference is expected.
    pub(crate) is_delta: bool,
    /// Whether it has been checked that the file holds a difference or not, as expected.
    pub(crate) is_delta_checked: bool,
}

/// A frame whose index has been read.
#[derive(Clone)]
struct Opened {
    /// The index, without its bytes, which are in the first read.
    index: CheckedIndex,
    /// Range of the slack in the frame; `None` if there is no annex to verify.
    slack: Option<Range<u64>>,
}

impl<P> fmt::Debug for FramePart<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramePart")
            .field("number", &self.number)
            .field("entry", &self.entry)
            .field("range", &self.range)
            .field("wanted", &self.wanted())
            .finish_non_exhaustive()
    }
}

impl<P> FramePart<P> {
    pub(crate) fn new(
        number: u64,
        entry: DirectoryEntry,
        range: Range<u64>,
        surroundings: Surroundings,
    ) -> Self {
        let is_most = range.end - range.start >= entry.decoded_len / 2;
        let is_whole =
            (entry.len <= SMALL_FRAME || is_most) && entry.len <= surroundings.limits.frame_bytes;
        let first_read = if is_whole { entry.len } else { FIRST_READ };
        let reads = Reads::beginning(first_read.min(surroundings.have));
        Self { number, entry, range, surroundings, reads, opened: None }
    }

    /// Returns the number of the frame in the file, counted from zero.
    pub fn frame(&self) -> u64 {
        self.number
    }

    /// Returns the decoded length of the part in bytes.
    pub fn decoded_len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Returns the range of the part in the decoded data of the file.
    pub fn decoded_range(&self) -> Range<u64> {
        let start = self.entry.decoded_offset;
        start + self.range.start..start + self.range.end
    }

    /// Returns the range of the whole frame in the decoded data of the file.
    pub fn frame_range(&self) -> Range<u64> {
        self.entry.decoded_range()
    }

    /// Returns the range of a chunk of the frame in the decoded data of the file.
    ///
    /// It is `None` before the index of the frame has been read, and if there is no such chunk.
    pub fn chunk_range(&self, number: u64) -> Option<Range<u64>> {
        let header = self.opened.as_ref()?.index.header();
        let start = number.checked_mul(header.chunk_len())?;
        let len = header.decoded_len.checked_sub(start)?.min(header.chunk_len());
        let start = self.entry.decoded_offset + start;
        (len > 0).then_some(start..start + len)
    }

    /// Returns the range of the base that [`Self::decode_delta_into`] needs.
    ///
    /// It covers the chunks that contain the part. It is `None` before the index of the frame has
    /// been read.
    pub fn base_range(&self) -> Option<Range<u64>> {
        let chunks = self.whole_chunks()?;
        let offset = self.entry.decoded_offset;
        Some(offset + chunks.start..offset + chunks.end)
    }

    /// Extends the part to the whole chunks that contain it, which decoding decodes anyway.
    ///
    /// A reader of many small ranges thus decodes each chunk once. Nothing happens before the index
    /// of the frame has been read, or if the chunks have more than 16 MiB.
    pub fn widen(&mut self) {
        if let Some(chunks) = self.whole_chunks()
            && chunks.end - chunks.start <= PART_LEN
        {
            self.range = chunks;
        }
    }

    /// Returns the range of the chunks that contain the part, in the decoded data of the frame.
    fn whole_chunks(&self) -> Option<Range<u64>> {
        let opened = self.opened.as_ref()?;
        let chunks = self.chunks(&opened.index);
        let chunk_len = opened.index.header().chunk_len();
        let end = (chunks.end as u64).saturating_mul(chunk_len).min(self.entry.decoded_len);
        Some(chunks.start as u64 * chunk_len..end)
    }

    /// Returns the range of the file that [`Self::feed`] takes next; `None` if none is needed.
    pub fn wanted(&self) -> Option<Range<u64>> {
        self.all_wanted().next()
    }

    /// Returns all ranges known to be needed, in the order in which [`Self::feed`] takes them.
    ///
    /// A reader can request them in parallel. Feeding the first range of a part can add others.
    pub fn all_wanted(&self) -> impl Iterator<Item = Range<u64>> {
        let offset = self.entry.offset;
        self.reads.wanted().map(move |range| offset + range.start..offset + range.end)
    }

    /// Returns the bytes that the part has taken, so that the caller can reuse their memory.
    pub fn into_bytes(self) -> impl Iterator<Item = P> {
        self.reads.into_bytes()
    }

    /// Returns the numbers of the chunks that contain the part.
    fn chunks(&self, index: &CheckedIndex) -> Range<usize> {
        let chunk_len = index.header().chunk_len();
        let start = self.range.start / chunk_len;
        start as usize..self.range.end.div_ceil(chunk_len) as usize
    }
}

impl<P: AsRef<[u8]>> FramePart<P> {
    /// Takes exactly the bytes of the file in the range [`Self::wanted`].
    ///
    /// It ignores them if nothing is wanted.
    ///
    /// # Errors
    ///
    /// The errors of the header, index and annex; `IndexMismatch` if the header does not match the
    /// directory; `FrameOutOfPlace`; `BaseRequired`, `NotADelta`, `ChecksumMissing`,
    /// `LimitExceeded`; `Truncated` if `bytes` and the wanted range differ in length. All errors
    /// contain the number of the frame.
    pub fn feed(&mut self, bytes: P) -> Result<(), DecodeError> {
        self.take(bytes).map_err(|error| error.in_frame(self.number))
    }

    fn take(&mut self, bytes: P) -> Result<(), DecodeError> {
        let Some(wanted) = self.wanted() else { return Ok(()) };
        let (needed, have) = (wanted.end - wanted.start, bytes.as_ref().len() as u64);
        if have != needed {
            return Err(DecodeErrorKind::Truncated { needed, have }.into());
        }
        self.reads.fill(bytes);
        if self.opened.is_none() {
            self.open()?;
        }
        if self.wanted().is_none() {
            self.check_annex()?;
        }
        Ok(())
    }

    /// Reads the index, and requests the other ranges that are needed.
    ///
    /// If the index is longer than the bytes read, it requests the beginning again, up to the end
    /// of the index.
    fn open(&mut self) -> Result<(), DecodeError> {
        let beginning = self.reads.first();
        if beginning.len() < HEADER_LEN {
            // The index of the file states a length that is too short for a frame.
            return Err(DecodeErrorKind::IndexMismatch.into());
        }
        let options = self.options();
        let index = match options.prefix(beginning)? {
            Prefix::Needs(needed) => {
                self.reads = Reads::beginning(needed);
                return Ok(());
            }
            Prefix::Read(index) => index,
        };
        self.check_delta(index.header())?;
        let slack = index.content_len()..index.header().frame_len;
        let slack = options.reads_annex(&index).then_some(slack);
        if slack.is_none() && self.surroundings.is_sealed {
            return Err(DecodeErrorKind::ChecksumMissing.into());
        }
        let index = index.checked();
        self.request_chunks(&index, slack.as_ref());
        let requested = self.reads.wanted().map(|range| range.end - range.start).sum();
        self.surroundings.limits.check_memory(requested)?;
        self.opened = Some(Opened { index, slack });
        Ok(())
    }

    /// Returns the options that make the frame match the directory of the file.
    fn options(&self) -> OpenOptions {
        let Surroundings { limits, is_delta, .. } = self.surroundings;
        let options = OpenOptions::new(limits)
            .keep(Keep::Index)
            .delta(is_delta)
            .lengths(self.entry.len, self.entry.decoded_len);
        match self.number {
            0 => options,
            _ => options.following(self.entry.decoded_offset),
        }
    }

    /// Returns an error if the frame is marked as a difference and none is expected.
    ///
    /// Only the first frame decides for the file, but it has not been read if the caller supplied
    /// the directory.
    fn check_delta(&self, header: &Header) -> Result<(), DecodeErrorKind> {
        let Surroundings { is_delta, is_delta_checked, .. } = self.surroundings;
        if header.delta != Delta::None && !is_delta && !is_delta_checked {
            return Err(DecodeErrorKind::BaseRequired);
        }
        Ok(())
    }

    /// Requests the stored planes of the chunks that contain the part, and the annex.
    fn request_chunks(&mut self, index: &CheckedIndex, slack: Option<&Range<u64>>) {
        let have = self.reads.first().len() as u64;
        let mut ranges: [Range<u64>; MAX_PLANES] = Default::default();
        let chunks = self.chunks(index);
        let ends = (chunks.start, chunks.end.checked_sub(1));
        if let (first, Some(last)) = ends {
            let index = index.with_bytes(self.reads.first());
            if let (Some(first), Some(last)) = (index.chunk(first), index.chunk(last)) {
                let planes = first.plane_ranges().zip(last.plane_ranges());
                for (range, (first, last)) in ranges.iter_mut().zip(planes) {
                    *range = first.start..last.end;
                }
            }
        }
        for range in ranges.iter().chain(slack) {
            if !range.is_empty() && range.end > have {
                self.reads.request_near(range.clone(), GAP);
            }
        }
    }

    /// Verifies the annex, which contains the checksums of the chunks.
    fn check_annex(&self) -> Result<(), DecodeError> {
        let Some(opened) = &self.opened else { return Ok(()) };
        let index = opened.index.with_bytes(self.reads.first());
        let prefix = self.reads.get(0..index.prefix_len()).unwrap_or_default();
        let slack = self.slack(opened);
        let annex = self.options().annex(prefix, index.chunk_count(), slack)?;
        match annex.frame_checksum() {
            None if self.surroundings.is_sealed => Err(DecodeErrorKind::ChecksumMissing.into()),
            Some(checksum) if checksum.decoded_offset != self.entry.decoded_offset => {
                Err(DecodeErrorKind::FrameOutOfPlace {
                    expected: self.entry.decoded_offset,
                    found: checksum.decoded_offset,
                }
                .into())
            }
            _ => Ok(()),
        }
    }

    /// Returns the slack of the frame, empty if there is no annex to verify.
    fn slack(&self, opened: &Opened) -> &[u8] {
        let slack = opened.slack.clone().and_then(|slack| self.reads.get(slack));
        slack.unwrap_or_default()
    }

    /// Decodes the part into `dst`, which must have exactly its length.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall` if `dst` has any other length; `OutOfRange` while bytes are wanted;
    /// `BaseRequired` for a part of a difference; the errors of the stored data, with frame, chunk
    /// and plane. After an error, the contents of `dst` are unspecified.
    pub fn decode_into(
        &self,
        dst: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        if self.surroundings.is_delta {
            return Err(DecodeErrorKind::BaseRequired.into());
        }
        self.decode(None, dst, scratch).map_err(|error| error.in_frame(self.number))
    }

    /// Decodes a part of a difference into `dst`, which must have exactly its length.
    ///
    /// `base` contains the bytes of [`Self::base_range`].
    ///
    /// The checksums are of the data, so a wrong base causes `ChecksumMismatch`. In a file without
    /// checksums, a wrong base is not detected.
    ///
    /// # Errors
    ///
    /// `NotADelta` if the seeker does not expect a difference, `BaseLength` if `base` and its range
    /// differ in length, and the errors of [`Self::decode_into`].
    pub fn decode_delta_into(
        &self,
        base: &[u8],
        dst: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        if !self.surroundings.is_delta {
            return Err(DecodeErrorKind::NotADelta.into());
        }
        self.decode(Some(base), dst, scratch).map_err(|error| error.in_frame(self.number))
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
        &self,
        base: Option<&[u8]>,
        dst: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        let (needed, have) = (self.decoded_len(), dst.len() as u64);
        if needed != have {
            return Err(DecodeErrorKind::OutputTooSmall { needed, have }.into());
        }
        self.check_base(base)?;
        let mut rest = dst;
        for chunk in self.stored_chunks(base)? {
            let chunk = chunk?;
            let from = self.range.start.saturating_sub(chunk.start);
            let to = chunk.chunk.len().min(self.range.end - chunk.start);
            let (part, behind) = rest.split_at_mut((to - from) as usize);
            rest = behind;
            if part.len() as u64 == chunk.chunk.len() {
                self.decode_chunk(&chunk, part, scratch)?;
                continue;
            }
            // Only a part of the chunk is wanted, so the whole chunk is decoded into scratch
            // memory.
            let mut whole = core::mem::take(&mut scratch.chunk);
            let result = at_least(&mut whole, chunk.chunk.len()).and_then(|whole| {
                self.decode_chunk(&chunk, whole, scratch)?;
                part.copy_from_slice(&whole[from as usize..to as usize]);
                Ok(())
            });
            scratch.chunk = whole;
            result?;
        }
        Ok(())
    }

    /// Returns the chunks that contain the part, to plan their decoding on a GPU.
    ///
    /// For a difference, `base` contains the bytes of [`Self::base_range`], unless the GPU has them.
    ///
    /// # Errors
    ///
    /// `OutOfRange` while bytes are wanted; `BaseLength` if `base` and its range differ in length.
    #[cfg(feature = "gpu")]
    pub fn chunk_inputs<'a>(
        &'a self,
        base: Option<&'a [u8]>,
    ) -> Result<impl Iterator<Item = Result<ChunkInput<'a>, DecodeError>>, DecodeError> {
        self.check_base(base)?;
        let inputs = self.stored_chunks(base)?.map(|stored| {
            let StoredChunk { number, start, chunk, base } = stored?;
            let mut planes = [&[][..]; MAX_PLANES];
            for (plane, range) in planes.iter_mut().zip(chunk.plane_ranges()) {
                *plane = self.reads.get(range).ok_or(DecodeErrorKind::OutOfRange)?;
            }
            let from = self.range.start.saturating_sub(start);
            let to = chunk.len().min(self.range.end - start);
            Ok(ChunkInput::new(chunk, &planes, self.number, number)
                .in_delta(self.surroundings.is_delta)
                .part(from..to)
                .base(base))
        });
        let frame = self.number;
        Ok(inputs.map(move |input| input.map_err(|error: DecodeError| error.in_frame(frame))))
    }

    /// Returns the chunks that contain the part, with their checksums and their parts of the base.
    ///
    /// The length of the base has been checked.
    ///
    /// # Errors
    ///
    /// `OutOfRange` while bytes are wanted.
    fn stored_chunks<'a>(
        &'a self,
        base: Option<&'a [u8]>,
    ) -> Result<impl Iterator<Item = Result<StoredChunk<'a>, DecodeError>>, DecodeError> {
        let out_of_range = DecodeError::from(DecodeErrorKind::OutOfRange);
        let opened =
            self.opened.as_ref().filter(|_| self.wanted().is_none()).ok_or(out_of_range)?;
        let annex = Annex::parse(self.slack(opened))?;
        let index = opened.index.with_bytes(self.reads.first());
        let chunk_len = index.header().chunk_len();
        let mut base = base;
        Ok(self.chunks(&opened.index).map(move |number| {
            let chunk = index.chunk(number).ok_or(out_of_range)?;
            let chunk = chunk.with_checksum(annex.checksum(number));
            let number = number as u64;
            let base = split_base(&mut base, chunk.len());
            Ok(StoredChunk { number, start: number * chunk_len, chunk, base })
        }))
    }

    /// Decodes a chunk from the bytes that were read.
    fn decode_chunk(
        &self,
        stored: &StoredChunk<'_>,
        dst: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        decode_stored(&stored.chunk, |range| self.reads.get(range), stored.base, dst, scratch)
            .map_err(|error| error.in_chunk(stored.number))
    }

    /// Decodes each chunk, and returns the errors of damaged chunks with the ranges of lost data.
    ///
    /// The ranges are in the decoded data of the file. The result is empty while bytes are wanted.
    /// A difference needs the same part of the base as in [`Self::decode_delta_into`].
    #[cfg(feature = "std")]
    pub(crate) fn damage(
        &self,
        base: Option<&[u8]>,
        scratch: &mut DecodeScratch,
    ) -> Result<Vec<(DecodeError, Range<u64>)>, DecodeError> {
        self.check_base(base)?;
        let mut damage = Vec::new();
        if self.wanted().is_some() {
            return Ok(damage);
        }
        for chunk in self.stored_chunks(base)? {
            let chunk = chunk?;
            let mut decoded = core::mem::take(&mut scratch.chunk);
            let result = at_least(&mut decoded, chunk.chunk.len())
                .map(|decoded| self.decode_chunk(&chunk, decoded, scratch));
            scratch.chunk = decoded;
            if let Err(error) = result? {
                let start = self.entry.decoded_offset + chunk.start;
                damage.push((error.in_frame(self.number), start..start + chunk.chunk.len()));
            }
        }
        Ok(damage)
    }
}

/// A chunk whose stored bytes have been read.
struct StoredChunk<'a> {
    number: u64,
    /// Position in the decoded data of the frame.
    start: u64,
    chunk: Chunk,
    base: Option<&'a [u8]>,
}

/// Decodes a chunk from pieces of its frame, each with its position in the frame.
pub(crate) fn decode_chunk(
    chunk: &Chunk,
    pieces: &[(u64, Vec<u8>)],
    base: Option<&[u8]>,
    dst: &mut [u8],
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    let stored = |range| pieces.iter().find_map(|(start, bytes)| stored_in(*start, bytes, &range));
    decode_stored(chunk, stored, base, dst, scratch)
}

/// Decodes a chunk whose planes `stored` returns, and applies its part of the base, if any.
fn decode_stored<'s>(
    chunk: &Chunk,
    stored: impl Fn(Range<u64>) -> Option<&'s [u8]>,
    base: Option<&[u8]>,
    dst: &mut [u8],
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    let mut planes = [&[][..]; MAX_PLANES];
    for (plane, range) in planes.iter_mut().zip(chunk.plane_ranges()) {
        *plane = stored(range).ok_or(DecodeErrorKind::OutOfRange)?;
    }
    let mut scratch = scratch.with_len(chunk.scratch_len())?;
    match base {
        Some(base) => chunk.decode_delta(&planes, base, dst, &mut scratch),
        None => chunk.decode(&planes, dst, &mut scratch),
    }
}

/// Splits the first `len` bytes off a part of a base, which is long enough.
fn split_base<'b>(base: &mut Option<&'b [u8]>, len: u64) -> Option<&'b [u8]> {
    let (part, behind) = (*base)?.split_at(len as usize);
    *base = Some(behind);
    Some(part)
}
