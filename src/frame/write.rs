//! Writing a frame.

use super::header::{Form, HEADER_LEN, Header};
use super::index::tables_len;
use super::shape;
use crate::annex::write as annex;
use crate::checksum::checksum;
use crate::chunk::encode::{self, EncodeScratch, Stored};
use crate::error::EncodeError;
use crate::layout::FrameLayout;
use crate::options::Options;
use crate::plane::MAX_PLANES;

/// Where in its file a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePosition {
    /// Whether the file begins with it.
    pub is_first: bool,
    /// Bytes of data in the frames before it.
    pub decoded_offset: u64,
    /// Whether the file ends with an index, unless the options are
    /// [plain](crate::Options::plain). Its first frame promises so, and readers report a file in
    /// which the index is missing.
    pub is_indexed: bool,
}

impl Default for FramePosition {
    fn default() -> Self {
        Self::FIRST
    }
}

impl FramePosition {
    /// Position of the first frame in a file that ends with an index.
    pub const FIRST: Self = Self { is_first: true, decoded_offset: 0, is_indexed: true };

    /// Returns the same position in a file without an index. The loss of frames at the end of such
    /// a file goes unnoticed.
    #[must_use]
    pub const fn without_index(self) -> Self {
        Self { is_indexed: false, ..self }
    }

    /// Returns the position of the frame behind this one, which holds `len` bytes of data.
    #[must_use]
    pub const fn after(self, len: u64) -> Self {
        let decoded_offset = self.decoded_offset.saturating_add(len);
        Self { is_first: false, decoded_offset, ..self }
    }
}

/// What kind of frame is written around the data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) form: Form,
    /// Dimensions, for any form but bytes.
    pub(crate) shape: &'a [u64],
    pub(crate) streaming: bool,
    pub(crate) position: FramePosition,
    /// What the checksums are of, where that is not what is coded: the data of a difference.
    pub(crate) plain: Option<&'a [u8]>,
    /// Whether slack makes the frame's length leave the same remainder as that of the data, so that
    /// what follows either of them is aligned alike.
    pub(crate) is_aligned: bool,
    /// Most bytes of data in the frames of the file, which their headers name.
    pub(crate) frame_len: usize,
}

impl<'a> Envelope<'a> {
    /// The only frame of a file of bytes.
    pub(crate) const BYTES: Self = Self {
        form: Form::Bytes,
        shape: &[],
        streaming: false,
        position: FramePosition::FIRST,
        plain: None,
        is_aligned: false,
        frame_len: Options::DEFAULT_FRAME_LEN,
    };

    /// One of several frames of a file of bytes.
    pub(crate) const fn streaming(position: FramePosition, plain: Option<&'a [u8]>) -> Self {
        Self { streaming: true, position, plain, ..Self::BYTES }
    }

    fn shape_len(&self) -> usize {
        if self.form == Form::Bytes { 0 } else { shape::encoded_len(self.shape) }
    }
}

/// Where the parts of a frame of a given length are.
pub(crate) struct Geometry {
    pub(crate) layout: FrameLayout,
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
    pub(super) annex_len: usize,
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
    pub(super) fn slack_len(
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
    #[cfg(all(feature = "safetensors", feature = "std"))]
    pub(crate) fn shortest(shape: &[u64], has_checksums: bool) -> usize {
        let options = Options::new(crate::dtype::DType::F8E4M3).checksums(has_checksums);
        let envelope = Envelope { form: Form::Torch, shape, ..Envelope::BYTES };
        let geometry = Self::new(1, &options, &envelope);
        geometry.payload_at + 1 + geometry.annex_len
    }

    /// Length of a plane of a chunk, uncoded, in a frame of `len` decoded bytes.
    #[cfg(feature = "rayon")]
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

/// Compresses `src` into one frame at the beginning of `dst` and returns the frame's length.
pub(crate) fn compress_frame(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    envelope: &Envelope,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let geometry = prepare(src.len(), dst, options, envelope)?;
    let (prefix, payload) = dst.split_at_mut(geometry.payload_at);
    let mut tables = Tables::new(&mut prefix[geometry.tables_at..], &geometry);
    let mut regions = geometry.plane_regions(payload);
    let mut filled = [0; MAX_PLANES];
    let mut checksums = core::mem::take(&mut scratch.checksums);
    checksums.clear();
    let plain = if options.checksums { envelope.plain.unwrap_or(src) } else { &[] };
    let mut plain = plain.chunks(geometry.chunk_len);
    for (number, chunk) in src.chunks(geometry.chunk_len).enumerate() {
        checksums.extend(plain.next().map(checksum));
        let mut starts = filled.into_iter();
        let outputs =
            regions.each_mut().map(|region| &mut region[starts.next().unwrap_or_default()..]);
        let (layout, threshold) = (geometry.layout, options.threshold);
        let stored = encode::encode(layout, chunk, threshold, options.profile, outputs, scratch);
        for (filled, stored) in filled.iter_mut().zip(&stored) {
            *filled += stored.len;
        }
        tables.set(number, &stored);
    }
    let mut end = geometry.payload_at;
    let mut region = geometry.payload_at;
    for (filled, uncoded) in filled.into_iter().zip(geometry.plane_lens) {
        if region != end {
            dst.copy_within(region..region + filled, end);
        }
        end += filled;
        region += uncoded;
    }
    let len = finish(src.len(), end, &geometry, &checksums, dst, options, envelope);
    scratch.checksums = checksums;
    Ok(len)
}

/// Checks the arguments of a writer and works out where everything goes.
pub(crate) fn prepare(
    len: usize,
    dst: &[u8],
    options: &Options,
    envelope: &Envelope,
) -> Result<Geometry, EncodeError> {
    options.check()?;
    check_shape(len, options, envelope)?;
    let geometry = Geometry::new(len, options, envelope);
    let (needed, have) = (geometry.bound() as u64, dst.len() as u64);
    if have < needed {
        return Err(EncodeError::OutputTooSmall { needed, have });
    }
    Ok(geometry)
}

pub(super) fn check_shape(
    len: usize,
    options: &Options,
    envelope: &Envelope,
) -> Result<(), EncodeError> {
    if envelope.form == Form::Bytes {
        return if envelope.shape.is_empty() { Ok(()) } else { Err(EncodeError::InvalidShape) };
    }
    let elements = if envelope.shape.contains(&0) {
        Some(0)
    } else {
        envelope.shape.iter().try_fold(1_u64, |elements, &dim| elements.checked_mul(dim))
    };
    let bytes = elements.and_then(|elements| elements.checked_mul(options.dtype.size() as u64));
    if bytes != Some(len as u64) || envelope.shape.len() > usize::from(u8::MAX) {
        return Err(EncodeError::InvalidShape);
    }
    Ok(())
}

/// Writes the header and the shape of a frame of `content_len` bytes of content, and the annex
/// behind them, with the checksums of the chunks. Returns the length of the frame.
pub(crate) fn finish(
    decoded_len: usize,
    content_len: usize,
    geometry: &Geometry,
    checksums: &[u64],
    dst: &mut [u8],
    options: &Options,
    envelope: &Envelope,
) -> usize {
    let (content, behind) = dst.split_at_mut(content_len);
    let (prefix, payload) = content.split_at_mut(geometry.payload_at);
    let annex_len = geometry.slack_len(content_len, decoded_len, envelope);
    let annex = &mut behind[..annex_len];
    annex.fill(0);
    let payload = if geometry.annex_len > 0 { checksum(payload) } else { 0 };
    let content = (content_len, payload);
    finish_around(decoded_len, content, geometry, checksums, (prefix, annex), options, envelope);
    content_len + annex_len
}

/// Writes the header and the shape into the prefix of a frame, and the annex into its zeroed slack.
/// `content` is the length of the frame without the slack, and the checksum of the payload, which
/// only an annex needs.
pub(super) fn finish_around(
    decoded_len: usize,
    content: (usize, u64),
    geometry: &Geometry,
    checksums: &[u64],
    (prefix, slack): (&mut [u8], &mut [u8]),
    options: &Options,
    envelope: &Envelope,
) {
    let (content_len, payload) = content;
    let header = Header {
        form: envelope.form,
        delta: options.delta,
        streaming: envelope.streaming,
        // The original sets the flag for single planes, where it means nothing.
        rotated: options.layout.rotated || options.layout.planes == 1,
        frame_len: (content_len + slack.len()) as u64,
        ..Header::new(options.dtype, options.chunk_log2, decoded_len as u64)
    };
    // Of the next power of two, which for the largest sizes is none.
    let frame_size_log2 =
        (usize::BITS - envelope.frame_len.saturating_sub(1).leading_zeros()) as u8;
    prefix[..HEADER_LEN].copy_from_slice(&header.to_bytes(frame_size_log2));
    if envelope.form != Form::Bytes {
        shape::write(envelope.shape, &mut prefix[HEADER_LEN..HEADER_LEN + envelope.shape_len()]);
    }
    if geometry.annex_len > 0 {
        let padding = slack.len() - geometry.annex_len;
        annex::write((prefix, payload), checksums, padding, options, envelope, slack);
    }
}

/// The index of a frame while it is written, chunk by chunk in order.
pub(crate) struct Tables<'d> {
    methods: &'d mut [u8],
    ends: &'d mut [[u8; 8]],
    chunks: usize,
    /// Bytes of each plane so far.
    pub(super) filled: [u64; MAX_PLANES],
    planes: usize,
}

impl<'d> Tables<'d> {
    pub(crate) fn new(tables: &'d mut [u8], geometry: &Geometry) -> Self {
        let (methods, ends) = tables.split_at_mut(geometry.layout.planes * geometry.chunks);
        Self {
            methods,
            ends: ends.as_chunks_mut().0,
            chunks: geometry.chunks,
            filled: [0; MAX_PLANES],
            planes: geometry.layout.planes,
        }
    }

    /// The next chunk.
    pub(crate) fn set(&mut self, chunk: usize, stored: &[Stored; MAX_PLANES]) {
        for (plane, stored) in stored[..self.planes].iter().enumerate() {
            self.filled[plane] += stored.len as u64;
            self.methods[plane * self.chunks + chunk] = stored.method;
            self.ends[plane * self.chunks + chunk] = self.filled[plane].to_le_bytes();
        }
    }
}
