//! Positions of the parts of a frame while it is written.

use crate::format::HEADER_LEN;
use crate::frame::header::{Form, Header};
use crate::frame::index::tables_len;
use crate::frame::write::annex;
use crate::frame::write::envelope::Envelope;
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::plane_layout::PlaneLayout;

/// Lengths and positions of the parts of a frame, in bytes.
pub(crate) struct Geometry {
    pub(crate) layout: PlaneLayout,
    /// Decoded length of every chunk except the last.
    pub(crate) chunk_len: usize,
    pub(crate) chunks: usize,
    /// Offset of the index.
    pub(crate) tables_at: usize,
    /// Offset of the payload.
    pub(crate) payload_at: usize,
    /// Length of each raw plane over all chunks.
    pub(crate) plane_lens: [usize; MAX_PLANES],
    /// Length of the annex after the content, without padding.
    pub(crate) annex_len: usize,
}

impl Geometry {
    pub(crate) fn new(len: usize, options: &Options, envelope: &Envelope) -> Self {
        let layout = options.layout;
        let header = Header::new(options.header_dtype, options.chunk_log2, len as u64);
        let chunks = header.chunk_count() as usize;
        let chunk_len = usize::try_from(header.chunk_len()).unwrap_or(usize::MAX);
        let tables_at = HEADER_LEN + envelope.shape_len();
        let (full, rest) = (plane_lens(layout, chunk_len), plane_lens(layout, len % chunk_len));
        let plane_lens = core::array::from_fn(|plane| len / chunk_len * full[plane] + rest[plane]);
        let payload_at = tables_at.saturating_add(tables_len(layout, chunks));
        let annex_len = annex::annex_len(chunks, options, envelope);
        Self { layout, chunk_len, chunks, tables_at, payload_at, plane_lens, annex_len }
    }

    /// Returns an upper bound of the length of the frame, which saturates at `usize::MAX`.
    pub(crate) fn bound(&self) -> usize {
        let behind = self.annex_len.saturating_add(annex::MAX_PADDING);
        let around = self.payload_at.saturating_add(behind);
        self.plane_lens.iter().fold(around, |sum, &len| sum.saturating_add(len))
    }

    /// Returns the length of annex and padding after `content_len` bytes of content.
    pub(crate) fn slack_len(
        &self,
        content_len: usize,
        decoded_len: usize,
        envelope: &Envelope,
    ) -> usize {
        let padding = match envelope.is_aligned {
            true => annex::padding(content_len, self.annex_len, decoded_len),
            false => 0,
        };
        self.annex_len + padding
    }

    /// Returns the minimum length of a frame with data of this shape.
    ///
    /// It consists of header, shape, the index of one chunk, one byte of payload and, with
    /// checksums, the annex.
    pub(crate) fn shortest(shape: &[u64], has_checksums: bool) -> usize {
        let options = Options::bytes().checksums(has_checksums);
        let envelope = Envelope { form: Form::Torch, shape, ..Envelope::BYTES };
        let geometry = Self::new(1, &options, &envelope);
        geometry.payload_at + 1 + geometry.annex_len
    }

    /// Returns the length of each raw plane of a chunk.
    pub(crate) fn plane_lens_in(&self, chunk_len: usize) -> [usize; MAX_PLANES] {
        plane_lens(self.layout, chunk_len)
    }

    /// Splits the payload at the positions where the planes would end if all of them were raw.
    pub(crate) fn plane_regions<'d>(&self, payload: &'d mut [u8]) -> [&'d mut [u8]; MAX_PLANES] {
        let mut rest = payload;
        self.plane_lens.map(|len| {
            let (region, behind) = core::mem::take(&mut rest).split_at_mut(len);
            rest = behind;
            region
        })
    }
}

fn plane_lens(layout: PlaneLayout, chunk_len: usize) -> [usize; MAX_PLANES] {
    core::array::from_fn(|plane| match plane < layout.planes {
        true => layout.plane_len(chunk_len as u64, plane) as usize,
        false => 0,
    })
}
