//! Writes a frame whose data arrives in parts, to storage in which its planes grow separately.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::chunk::plane_encoder::Stored;
use crate::error::EncodeError;
use crate::frame::index::FrameIndex;
use crate::frame::write::draft::Draft;
use crate::frame::write::envelope::Envelope;
use crate::frame::write::tables::Tables;
use crate::options::Options;
use crate::plane::MAX_PLANES;

/// A frame that is combined from frames of its parts.
///
/// It keeps the index and the checksums in memory; the caller stores the payload.
///
/// Each plane is first stored at the position that it would have if all planes before it were raw.
/// At the end, the caller moves the planes together.
pub(crate) struct FrameParts<'a> {
    draft: Draft<'a>,
    /// Header, shape and index.
    prefix: Vec<u8>,
    checksums: Vec<u64>,
    /// Number of chunks so far.
    chunks: usize,
    /// Length of each plane so far, in bytes.
    filled: [u64; MAX_PLANES],
}

/// A compressed part of a frame.
pub(crate) struct CompressedPart<'p> {
    /// The index of a frame that contains only this part. `bytes` is the whole frame.
    pub(crate) index: FrameIndex<'p>,
    pub(crate) bytes: &'p [u8],
    /// The checksums of the chunks of the part; empty without checksums.
    pub(crate) checksums: Vec<u64>,
}

impl<'a> FrameParts<'a> {
    /// Begins a frame of `len` bytes of data.
    pub(crate) fn new(
        len: usize,
        options: &Options,
        envelope: &'a Envelope<'a>,
    ) -> Result<Self, EncodeError> {
        let draft = Draft::with_len(len, options, envelope)?;
        let prefix = vec![0; draft.geometry.payload_at];
        Ok(Self { draft, prefix, checksums: Vec::new(), chunks: 0, filled: [0; MAX_PLANES] })
    }

    /// Returns `len` rounded down to whole chunks, but at least one chunk.
    pub(crate) fn part_len(&self, len: usize) -> usize {
        let chunk_len = self.draft.geometry.chunk_len;
        (len / chunk_len).max(1).saturating_mul(chunk_len)
    }

    /// Returns the options for the frame of a single part.
    pub(crate) fn part_options(&self) -> Options {
        self.draft.options.plain()
    }

    /// Returns the length of a chunk if chunks have checksums, otherwise `None`.
    pub(crate) fn checksum_len(&self) -> Option<usize> {
        self.draft.options.checksums.then_some(self.draft.geometry.chunk_len)
    }

    /// Adds the next part and returns its planes, each with its offset in the frame.
    pub(crate) fn add<'p>(&mut self, part: &CompressedPart<'p>) -> [(u64, &'p [u8]); MAX_PLANES] {
        self.checksums.extend_from_slice(&part.checksums);
        let mut planes = [(0, &[][..]); MAX_PLANES];
        let geometry = &self.draft.geometry;
        let mut at = geometry.payload_at;
        let mut from = part.index.prefix_len() as usize;
        let before = self.filled;
        let mut tables = Tables::new(&mut self.prefix, geometry);
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
        for (plane, place) in planes[..geometry.layout.planes].iter_mut().enumerate() {
            let len = (self.filled[plane] - before[plane]) as usize;
            *place = (at as u64 + before[plane], &part.bytes[from..from + len]);
            from += len;
            at += geometry.plane_lens[plane];
        }
        planes
    }

    /// Returns the range of each plane and its offset in the finished frame.
    ///
    /// The caller must move the planes in this order.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (Range<u64>, u64)> + use<> {
        let start = self.draft.geometry.payload_at as u64;
        let (mut from, mut to) = (start, start);
        let planes: Vec<(Range<u64>, u64)> = self
            .filled
            .iter()
            .zip(self.draft.geometry.plane_lens)
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
        self.draft.has_annex()
    }

    fn content_len(&self) -> usize {
        self.draft.geometry.payload_at + self.filled.iter().sum::<u64>() as usize
    }

    fn slack_len(&self) -> usize {
        self.draft.slack_len(self.content_len())
    }

    /// Returns the length of the frame after all parts have been added.
    pub(crate) fn frame_len(&self) -> u64 {
        (self.content_len() + self.slack_len()) as u64
    }

    /// Returns the prefix of the frame, the offset of the slack in the frame, and the slack.
    pub(crate) fn finish(mut self, payload_checksum: u64) -> (Vec<u8>, u64, Vec<u8>) {
        let content_len = self.content_len();
        let mut slack = vec![0; self.slack_len()];
        let content = (content_len, payload_checksum);
        self.draft.finish_around(content, &self.checksums, &mut self.prefix, &mut slack);
        (self.prefix, content_len as u64, slack)
    }
}
