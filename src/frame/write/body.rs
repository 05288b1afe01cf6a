//! Writing a frame.

use crate::checksum::checksum;
use crate::chunk::encode::{self, EncodeScratch};
use crate::chunk::plane_encoder::Stored;
use crate::error::EncodeError;
use crate::format::HEADER_LEN;
use crate::frame::header::{Form, Header};
use crate::frame::shape;
use crate::frame::write::annex;
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::options::Options;
use crate::plane::MAX_PLANES;

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
    let bytes = shape::checked_len(envelope.shape, options.dtype.size() as u64);
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
