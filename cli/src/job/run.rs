//! Runs of chunks, which are decoded together on one thread.

use std::ops::Range;

use zipnn::frame::{Chunk, DecodeScratch, PayloadCheck};
use zipnn::{DecodeError, DecodeErrorKind};

use crate::job::frames::{Frames, OpenFrame};
use crate::report::failure::Failure;

/// Consecutive chunks of a frame, with their stored bytes.
#[derive(Default)]
pub struct Run {
    frame: u64,
    /// Number of the first chunk.
    first: u64,
    chunks: Vec<Chunk>,
    /// The stored bytes of these chunks, one plane after the other.
    stored: Vec<u8>,
    /// For each plane, the number that turns an offset in the frame into one in `stored`.
    shifts: Vec<u64>,
    /// For each plane, the offset in the frame at which reading ended. It is before the end of the
    /// plane only during salvage of a file that was cut off.
    ends: Vec<u64>,
}

impl Run {
    /// The decoded length of a run in bytes. Only a single chunk may be longer.
    pub const TARGET_LEN: u64 = 4 << 20;

    /// Maximum number of chunks in a run, which bounds memory if chunks are tiny.
    const MAX_CHUNKS: u64 = 1 << 12;

    /// Returns the number of chunks of a frame in a run.
    pub fn chunk_count(frame: &OpenFrame) -> usize {
        (Self::TARGET_LEN / frame.opened.header().chunk_len()).clamp(1, Self::MAX_CHUNKS) as usize
    }

    /// Returns whether a run holds all chunks of a frame, which has at least one.
    pub fn holds(frame: &OpenFrame) -> bool {
        (1..=Self::chunk_count(frame)).contains(&frame.index().chunk_count())
    }

    /// Reads the chunks with these numbers, at least one.
    pub fn read(
        &mut self,
        frames: &mut Frames,
        frame: &OpenFrame,
        numbers: Range<usize>,
    ) -> Result<(), Failure> {
        self.frame = frame.number;
        self.first = numbers.start as u64;
        self.chunks.clear();
        self.chunks.extend(numbers.filter_map(|number| frame.opened.chunk(number)));
        self.stored.clear();
        self.shifts.clear();
        self.ends.clear();
        let Some(first) = self.chunks.first() else { return Ok(()) };
        for plane in 0..first.plane_count() {
            let ranges = || self.chunks.iter().filter_map(|chunk| chunk.plane_ranges().nth(plane));
            let range = Range {
                start: ranges().map(|range| range.start).next().unwrap_or_default(),
                end: ranges().next_back().map(|range| range.end).unwrap_or_default(),
            };
            self.shifts.push((self.stored.len() as u64).wrapping_sub(range.start));
            let read = frames.read_up_to(frame, range.clone(), &mut self.stored);
            let have = read.map_err(|error| frames.read_failure(error))?;
            let end = range.start + have;
            self.ends.push(end);
            if end < range.end && !frames.is_salvaging() {
                let needed = range.end - range.start;
                let whole = ranges().take_while(|range| range.end <= end).count() as u64;
                let error = DecodeError::from(DecodeErrorKind::Truncated { needed, have });
                let error = error.in_plane(plane).in_chunk(self.first + whole);
                return Err(Failure::decoding(frames.endpoint(), error.in_frame(self.frame)));
            }
        }
        Ok(())
    }

    /// Returns the decoded length of the chunks.
    pub fn decoded_len(&self) -> u64 {
        self.chunks.iter().map(Chunk::len).sum()
    }

    /// Returns the number of chunks with checksums.
    pub fn checksum_count(&self) -> u64 {
        self.chunks.iter().filter_map(Chunk::checksum).count() as u64
    }

    /// Checks the stored bytes of a run that [holds](Self::holds) a frame.
    pub fn check_payload(&self, mut check: PayloadCheck) -> Result<(), DecodeError> {
        check.update(&self.stored);
        check.finish().map_err(|error| DecodeError::from(error).in_frame(self.frame))
    }

    /// Decodes the chunks into `decoded`, which has [`Self::decoded_len`] bytes.
    ///
    /// Applies a part of a base, if there is one, which has the same length. For each chunk that
    /// cannot be decoded, calls `fault` with its range in `decoded` and the error, and continues
    /// with the next chunk if `fault` returns `Ok`. After a checksum mismatch, the range contains
    /// the decoded bytes.
    pub fn decode(
        &self,
        decoded: &mut [u8],
        base: Option<&[u8]>,
        scratch: &mut DecodeScratch,
        mut fault: impl FnMut(Range<usize>, DecodeError) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut stored = Vec::with_capacity(self.shifts.len());
        let mut start = 0;
        for (number, chunk) in (self.first..).zip(&self.chunks) {
            let range = start..start + chunk.len() as usize;
            start = range.end;
            let base = base.map(|base| &base[range.clone()]);
            stored.clear();
            let mut decode = |chunk: &Chunk, stored: &[&[u8]]| {
                let mut scratch = scratch.with_len(chunk.scratch_len())?;
                let part = &mut decoded[range.clone()];
                match base {
                    Some(base) => chunk.decode_delta(stored, base, part, &mut scratch),
                    // Only its stored bytes can be verified.
                    None if chunk.requires_base() => {
                        part.fill(0);
                        Ok(())
                    }
                    None => chunk.decode(stored, part, &mut scratch),
                }
            };
            let result = self.stored(chunk, &mut stored).and_then(|()| decode(chunk, &stored));
            let Err(error) = result else { continue };
            fault(range.clone(), error.in_chunk(number).in_frame(self.frame))?;
            if error.kind() == DecodeErrorKind::ChecksumMismatch {
                decode(&chunk.clone().with_checksum(None), &stored)?;
            }
        }
        Ok(())
    }

    /// Appends the stored bytes of each plane of a chunk.
    fn stored<'r>(&'r self, chunk: &Chunk, stored: &mut Vec<&'r [u8]>) -> Result<(), DecodeError> {
        let planes = chunk.plane_ranges().zip(self.shifts.iter().zip(&self.ends));
        for (plane, (range, (&shift, &end))) in planes.enumerate() {
            let place = |offset: u64| offset.wrapping_add(shift) as usize;
            if range.end > end {
                let needed = range.end - range.start;
                let have = end.saturating_sub(range.start);
                let error = DecodeError::from(DecodeErrorKind::Truncated { needed, have });
                return Err(error.in_plane(plane));
            }
            stored.push(&self.stored[place(range.start)..place(range.end)]);
        }
        Ok(())
    }
}
