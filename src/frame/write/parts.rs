//! Writing a frame whose data comes in parts, to a place where its planes can grow side by side.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::chunk::plane_encoder::Stored;
use crate::error::EncodeError;
use crate::frame::index::FrameIndex;
use crate::frame::write::body::{Tables, check_shape, finish_around};
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::options::Options;
use crate::plane::MAX_PLANES;

/// A frame that is put together from frames of its parts. It keeps the index and the checksums in
/// memory; the payload goes to where the caller has room for it.
///
/// Each plane is first stored where it would begin if all planes before it were stored as they are.
/// In the end the planes move together.
pub(crate) struct FrameParts<'a> {
    len: usize,
    options: &'a Options,
    envelope: &'a Envelope<'a>,
    geometry: Geometry,
    /// Header, shape and index.
    prefix: Vec<u8>,
    checksums: Vec<u64>,
    /// How many chunks have come.
    chunks: usize,
    /// Bytes of each plane that have come.
    filled: [u64; MAX_PLANES],
}

/// A part of a frame, compressed.
pub(crate) struct CompressedPart<'p> {
    /// The index and the bytes of the frame that has been made of the part alone.
    pub(crate) index: FrameIndex<'p>,
    pub(crate) bytes: &'p [u8],
    /// The checksums of its chunks, if they are needed.
    pub(crate) checksums: Vec<u64>,
}

impl<'a> FrameParts<'a> {
    /// Begins a frame of `len` bytes of data.
    pub(crate) fn new(
        len: usize,
        options: &'a Options,
        envelope: &'a Envelope<'a>,
    ) -> Result<Self, EncodeError> {
        options.check()?;
        check_shape(len, options, envelope)?;
        let geometry = Geometry::new(len, options, envelope);
        let prefix = vec![0; geometry.payload_at];
        let (checksums, filled) = (Vec::new(), [0; MAX_PLANES]);
        Ok(Self { len, options, envelope, geometry, prefix, checksums, chunks: 0, filled })
    }

    /// Returns the length of a part that has about `len` bytes: whole chunks, at least one.
    pub(crate) fn part_len(&self, len: usize) -> usize {
        (len / self.geometry.chunk_len).max(1).saturating_mul(self.geometry.chunk_len)
    }

    /// Returns the options for the frame of a part alone.
    pub(crate) fn part_options(&self) -> Options {
        self.options.plain()
    }

    /// Returns the length of the chunks that need a checksum, if any do.
    pub(crate) fn checksum_len(&self) -> Option<usize> {
        self.options.checksums.then_some(self.geometry.chunk_len)
    }

    /// Takes the next part, and returns its planes: for each, where in the frame it is to be
    /// stored, and its bytes.
    pub(crate) fn add<'p>(&mut self, part: &CompressedPart<'p>) -> [(u64, &'p [u8]); MAX_PLANES] {
        self.checksums.extend_from_slice(&part.checksums);
        let mut planes = [(0, &[][..]); MAX_PLANES];
        let mut at = self.geometry.payload_at;
        let mut from = part.index.prefix_len() as usize;
        let before = self.filled;
        let mut tables = Tables::new(&mut self.prefix[self.geometry.tables_at..], &self.geometry);
        tables.filled = self.filled;
        for chunk in part.index.chunks() {
            let stored = chunk.planes.each_ref().map(|entry| Stored {
                method: entry.method,
                len: (entry.range.end - entry.range.start) as usize,
            });
            tables.set(self.chunks, &stored);
            self.chunks += 1;
        }
        self.filled = tables.filled;
        for (plane, place) in planes[..self.geometry.layout.planes].iter_mut().enumerate() {
            let len = (self.filled[plane] - before[plane]) as usize;
            *place = (at as u64 + before[plane], &part.bytes[from..from + len]);
            from += len;
            at += self.geometry.plane_lens[plane];
        }
        planes
    }

    /// Returns where each plane is stored, and where it has to begin in the end, in the order in
    /// which they are to be moved.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (Range<u64>, u64)> + use<> {
        let start = self.geometry.payload_at as u64;
        let (mut from, mut to) = (start, start);
        let planes: Vec<(Range<u64>, u64)> = self
            .filled
            .iter()
            .zip(self.geometry.plane_lens)
            .map(|(&filled, plane_len)| {
                let moved = (from..from + filled, to);
                from += plane_len as u64;
                to += filled;
                moved
            })
            .collect();
        planes.into_iter()
    }

    /// Returns whether the frame ends with a checksum of its payload.
    pub(crate) fn needs_payload_checksum(&self) -> bool {
        self.geometry.annex_len > 0
    }

    fn content_len(&self) -> usize {
        self.geometry.payload_at + self.filled.iter().sum::<u64>() as usize
    }

    fn slack_len(&self) -> usize {
        self.geometry.slack_len(self.content_len(), self.len, self.envelope)
    }

    /// Returns the length of the frame, once all parts have come.
    pub(crate) fn frame_len(&self) -> u64 {
        (self.content_len() + self.slack_len()) as u64
    }

    /// Returns what the frame begins with, where in it the slack begins, and the slack.
    pub(crate) fn finish(mut self, payload_checksum: u64) -> (Vec<u8>, u64, Vec<u8>) {
        let content_len = self.content_len();
        let mut slack = vec![0; self.slack_len()];
        finish_around(
            self.len,
            (content_len, payload_checksum),
            &self.geometry,
            &self.checksums,
            (&mut self.prefix, &mut slack),
            self.options,
            self.envelope,
        );
        (self.prefix, content_len as u64, slack)
    }
}
