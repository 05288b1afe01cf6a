//! Compresses tensors into frames, whole or in parts.

use std::vec::Vec;

use crate::checksum::checksum;
use crate::chunk::encode::EncodeScratch;
use crate::error::EncodeError;
use crate::frame::index::FrameIndex;
use crate::frame::write::body::compress_frame;
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::frame::write::parts::{CompressedPart, FrameParts};
use crate::options::Options;
use crate::try_alloc;

/// Length up to which tensors are compressed whole. Longer ones are compressed in parts of about
/// this length.
pub(crate) const PART_LEN: usize = 4 << 20;

/// Computes frames and checksums. All implementations return the same bytes.
pub(crate) trait Coder {
    /// Compresses `data` into `frame` and returns the length of the frame.
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError>;

    /// Returns the checksum of each chunk of `chunk_len` bytes.
    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64>;

    /// Returns the number of bytes to compress at a time.
    fn part_len(&self) -> usize;
}

/// Computes on the calling thread.
pub(crate) struct OneThread;

impl Coder for OneThread {
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError> {
        compress_frame(data, frame, options, envelope, scratch)
    }

    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64> {
        data.chunks(chunk_len).map(checksum).collect()
    }

    fn part_len(&self) -> usize {
        PART_LEN
    }
}

/// Compresses a part of a frame into `dst` as a separate frame.
pub(crate) fn compress_part<'d>(
    frame: &FrameParts<'_>,
    data: &[u8],
    dst: &'d mut Vec<u8>,
    coder: &impl Coder,
    scratch: &mut EncodeScratch,
) -> Result<CompressedPart<'d>, EncodeError> {
    let options = frame.part_options();
    reserve(dst, Geometry::new(data.len(), &options, &Envelope::BYTES).bound())?;
    coder.compress(data, dst, &options, &Envelope::BYTES, scratch)?;
    let checksums = frame.checksum_len().map(|len| coder.checksums(data, len));
    let index = FrameIndex::parse(dst).expect("a frame that was just written is valid");
    Ok(CompressedPart { index, bytes: dst, checksums: checksums.unwrap_or_default() })
}

/// Extends `frame` to at least `len` bytes.
pub(crate) fn reserve(frame: &mut Vec<u8>, len: usize) -> Result<(), EncodeError> {
    let requested = len as u64;
    try_alloc::at_least(frame, requested)
        .map(drop)
        .map_err(|_| EncodeError::OutOfMemory { requested })
}
