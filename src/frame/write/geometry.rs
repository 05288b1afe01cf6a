//! Where the parts of a frame that is written are.

use crate::format::HEADER_LEN;
use crate::frame::header::{Form, Header};
use crate::frame::index::tables_len;
use crate::frame::write::annex;
use crate::frame::write::envelope::Envelope;
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::plane_layout::PlaneLayout;

/// Where the parts of a frame of a given length are.
pub(crate) struct Geometry {
    pub(crate) layout: PlaneLayout,
    /// Decoded bytes of every chunk but the last.
    pub(crate) chunk_len: usize,
    pub(crate) chunks: usize,
    /// Where the index begins.
    pub(crate) tables_at: usize,
    /// Where the payload begins.
    pub(crate) payload_at: usize,
    /// Length of each plane over all chunks, uncoded.
    pub(crate) plane_lens: [usize; MAX_PLANES],
    /// Bytes of the annex behind the content.
    pub(crate) annex_len: usize,
}

impl Geometry {
    pub(crate) fn new(len: usize, options: &Options, envelope: &Envelope) -> Self {
        let layout = options.layout;
        let header = Header::new(options.dtype, options.chunk_log2, len as u64);
        let chunks = header.chunk_count() as usize;
        let chunk_len = usize::try_from(header.chunk_len()).unwrap_or(usize::MAX);
        let tables_at = HEADER_LEN + envelope.shape_len();
        let full = len / chunk_len;
        let plane_lens = core::array::from_fn(|plane| {
            if plane >= layout.planes {
                return 0;
            }
            let in_chunk = |len: usize| layout.plane_len(len as u64, plane) as usize;
            full * in_chunk(chunk_len) + in_chunk(len % chunk_len)
        });
        let payload_at = tables_at.saturating_add(tables_len(layout, chunks));
        let annex_len = annex::annex_len(chunks, options, envelope);
        Self { layout, chunk_len, chunks, tables_at, payload_at, plane_lens, annex_len }
    }

    /// Most bytes that the frame can take, or that memory has.
    pub(crate) fn bound(&self) -> usize {
        let behind = self.annex_len.saturating_add(annex::MAX_PADDING);
        let around = self.payload_at.saturating_add(behind);
        self.plane_lens.iter().fold(around, |sum, &len| sum.saturating_add(len))
    }

    /// Bytes behind `content_len` bytes of content: the annex, and what aligns the frame.
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

    /// Returns the least bytes that a frame around a tensor of this shape takes: header, shape, the
    /// index of a chunk with a byte of payload and, where it has checksums, the annex.
    pub(crate) fn shortest(shape: &[u64], has_checksums: bool) -> usize {
        let options = Options::new(crate::dtype::DType::F8E4M3).checksums(has_checksums);
        let envelope = Envelope { form: Form::Torch, shape, ..Envelope::BYTES };
        let geometry = Self::new(1, &options, &envelope);
        geometry.payload_at + 1 + geometry.annex_len
    }

    /// Length of a plane of a chunk, uncoded, in a frame of `len` decoded bytes.
    pub(crate) fn plane_room(&self, len: usize, chunk: usize, plane: usize) -> usize {
        if plane >= self.layout.planes {
            return 0;
        }
        let chunk_len = self.chunk_len.min(len - chunk * self.chunk_len);
        self.layout.plane_len(chunk_len as u64, plane) as usize
    }

    /// The output cut where each plane's uncoded bytes would end.
    pub(crate) fn plane_regions<'d>(&self, payload: &'d mut [u8]) -> [&'d mut [u8]; MAX_PLANES] {
        let mut rest = payload;
        self.plane_lens.map(|len| {
            let (region, behind) = core::mem::take(&mut rest).split_at_mut(len);
            rest = behind;
            region
        })
    }
}
