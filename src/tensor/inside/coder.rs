//! Making frames of tensors, at once or part by part, on one thread or on many.

use std::io;
use std::vec::Vec;

use crate::checksum::checksum;
use crate::chunk::encode::EncodeScratch;
use crate::error::EncodeError;
use crate::frame::header::Form;
use crate::frame::index::FrameIndex;
use crate::frame::write::body::compress_frame;
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::frame::write::parts::{FramePart, FrameParts};
use crate::options::Options;
use crate::tensor::error::TensorError;
use crate::tensor::inside::stored::StoredTensor;
use crate::try_alloc;

/// Tensors up to this length are compressed in memory, and longer ones in parts of about it.
pub(crate) const PART_LEN: usize = 4 << 20;

/// What frames and checksums are made with. The bytes do not depend on it.
pub(crate) trait Coder {
    /// Compresses data into a frame and returns its length.
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError>;

    /// Returns the checksums of chunks of this length.
    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64>;

    /// Returns how many bytes should be compressed at a time.
    fn part_len(&self) -> usize;
}

/// The thread that calls.
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

/// All threads of the pool.
#[cfg(feature = "rayon")]
pub(crate) struct Pool;

#[cfg(feature = "rayon")]
impl Coder for Pool {
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        _scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError> {
        use crate::parallel::ScratchPool;
        crate::parallel::par_compress_frame(data, frame, options, envelope, &ScratchPool::new())
    }

    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64> {
        crate::parallel::par_checksums(data, chunk_len)
    }

    fn part_len(&self) -> usize {
        crate::parallel::part_len(PART_LEN)
    }
}

/// Compresses a part of a frame into `dst`, as a frame of its own.
pub(crate) fn compress_part<'d>(
    frame: &FrameParts<'_>,
    data: &[u8],
    dst: &'d mut Vec<u8>,
    coder: &impl Coder,
    scratch: &mut EncodeScratch,
) -> Result<FramePart<'d>, EncodeError> {
    let options = frame.part_options();
    reserve(dst, Geometry::new(data.len(), &options, &Envelope::BYTES).bound())?;
    coder.compress(data, dst, &options, &Envelope::BYTES, scratch)?;
    let checksums = frame.checksum_len().map(|len| coder.checksums(data, len));
    let index = FrameIndex::parse(dst).expect("a frame that was just written is right");
    Ok(FramePart { index, bytes: dst, checksums: checksums.unwrap_or_default() })
}

/// Returns the length of the frame that a tensor would be compressed to. `read` fills one part of
/// its data after another: whole chunks.
pub(crate) fn frame_len(
    tensor: &StoredTensor,
    options: &Options,
    mut read: impl FnMut(&mut [u8]) -> io::Result<()>,
) -> Result<u64, TensorError> {
    let failure = |error| TensorError::Encode { name: tensor.name.clone(), error };
    let envelope = Envelope { form: Form::Torch, shape: &tensor.shape, ..Envelope::BYTES };
    let out_of_memory = EncodeError::OutOfMemory { requested: tensor.decoded_len };
    let mut left = usize::try_from(tensor.decoded_len).map_err(|_| failure(out_of_memory))?;
    let mut frame = FrameParts::new(left, options, &envelope).map_err(failure)?;
    let part_len = frame.part_len(PART_LEN);
    let (mut data, mut dst) = (Vec::new(), Vec::new());
    let mut scratch = EncodeScratch::new();
    while left > 0 {
        data.resize(part_len.min(left), 0);
        read(&mut data)?;
        let part = compress_part(&frame, &data, &mut dst, &OneThread, &mut scratch);
        frame.add(&part.map_err(failure)?);
        left -= data.len();
    }
    Ok(frame.frame_len())
}

/// Makes `frame` at least `len` bytes long, whatever it holds.
pub(crate) fn reserve(frame: &mut Vec<u8>, len: usize) -> Result<(), EncodeError> {
    let requested = len as u64;
    try_alloc::at_least(frame, requested)
        .map(drop)
        .map_err(|_| EncodeError::OutOfMemory { requested })
}
