//! Whole inputs in one call.

use alloc::vec::Vec;

use bytemuck::allocation::try_zeroed_vec;

use crate::base::Delta;
use crate::chunk::decode::DecodeScratch;
use crate::chunk::encode::EncodeScratch;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::file::frames::Frames;
use crate::frame::header::Form;
use crate::frame::whole::Frame;
use crate::frame::write::body::compress_frame;
use crate::frame::write::envelope::{Envelope, FramePosition};
use crate::frame::write::geometry::Geometry;
use crate::limits::Limits;
use crate::options::Options;
use crate::try_alloc::{at_least, zeroed};

/// Compresses bytes into a file of one frame. `src` is never modified; its length need not be a
/// multiple of the element size.
///
/// ```
/// use zipnn::{DType, Limits, Options};
///
/// let weights: Vec<u8> = (0..1000).flat_map(|i| half::bf16::from_f32(i as f32).to_le_bytes()).collect();
/// let file = zipnn::compress(&weights, &Options::new(DType::BF16))?;
/// assert!(file.len() < weights.len());
/// assert_eq!(zipnn::decompress(&file, &Limits::default())?, weights);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `InvalidChunkSize`, `InvalidThreshold` and `BaseWithoutDelta` if the options are out of range or
/// exclude each other; `OutOfMemory`.
pub fn compress(src: &[u8], options: &Options) -> Result<Vec<u8>, EncodeError> {
    compress_vec(src, options, &Envelope::BYTES)
}

/// Compresses the elements of a tensor or array, in C order, with its shape.
///
/// # Errors
///
/// `InvalidShape` if `shape` has another number of elements than `src` or over 255 dimensions, or if
/// the form is `Bytes`, which have none; and as [`compress`].
pub fn compress_tensor(
    src: &[u8],
    form: Form,
    shape: &[u64],
    options: &Options,
) -> Result<Vec<u8>, EncodeError> {
    compress_vec(src, options, &Envelope { form, shape, ..Envelope::BYTES })
}

fn compress_vec(
    src: &[u8],
    options: &Options,
    envelope: &Envelope,
) -> Result<Vec<u8>, EncodeError> {
    options.check()?;
    let mut dst = zeroed_for_frame(src.len(), options, envelope)?;
    let len = compress_frame(src, &mut dst, options, envelope, &mut EncodeScratch::new())?;
    dst.truncate(len);
    Ok(dst)
}

/// Most bytes that [`compress`] and [`compress_frame_into`] make of `len` bytes.
pub fn compress_bound(len: usize, options: &Options) -> usize {
    // Of all frames the first of a file has the longest annex.
    Geometry::new(len, options, &Envelope::streaming(FramePosition::FIRST, None)).bound()
}

/// Compresses into the caller's memory, without allocating when `scratch` has been used before.
/// Returns the length of the result. While it works it uses as much of `dst` as
/// [`compress_bound`] says.
///
/// # Errors
///
/// `OutputTooSmall` if `dst` is shorter than that, and for the options as [`compress`].
pub fn compress_into(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    compress_frame(src, dst, options, &Envelope::BYTES, scratch)
}

/// Compresses into one of the frames of a streaming file, as an [`Encoder`](crate::Encoder) writes
/// them: frames made here, one after another, are such a file, whichever threads made them. A file
/// has at least one frame, if of no data. It ends with the frame that a
/// [`Directory`](crate::Directory) of all others makes, unless the options are
/// [plain](Options::plain) or the position says that there is none; readers report a file without
/// it as truncated.
///
/// ```
/// use zipnn::{DType, Limits, Options};
/// use zipnn::delta::Delta;
/// use zipnn::file::Directory;
/// use zipnn::frame::{EncodeScratch, FramePosition};
///
/// let options = Options::new(DType::BF16);
/// let mut scratch = EncodeScratch::new();
/// let mut file = Vec::new();
/// let mut directory = Directory::new();
/// let mut position = FramePosition::FIRST;
/// for part in [[1; 1000], [2; 1000]] {
///     let mut frame = vec![0; zipnn::compress_bound(part.len(), &options)];
///     let len = zipnn::frame::compress_frame_into(&part, &mut frame, &options, position, &mut scratch)?;
///     file.extend_from_slice(&frame[..len]);
///     directory.push(len as u64, part.len() as u64);
///     position = position.after(part.len() as u64);
/// }
/// file.extend_from_slice(&directory.to_frame(Delta::None));
/// assert_eq!(zipnn::decompress(&file, &Limits::default())?, [[1; 1000], [2; 1000]].concat());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`compress_into`].
pub fn compress_frame_into(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    position: FramePosition,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    compress_frame(src, dst, options, &Envelope::streaming(position, None), scratch)
}

/// Decompresses a file: all its frames.
///
/// ```
/// use zipnn::{DecodeErrorKind, Limits};
///
/// let error = zipnn::decompress(b"ZN, but no more", &Limits::default()).unwrap_err();
/// assert_eq!(error.to_string(), "frame 0: input is truncated: 32 bytes needed, 15 there");
/// ```
///
/// # Errors
///
/// With the place: whatever is wrong with the file. `BaseRequired` if it holds a difference.
pub fn decompress(src: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    refuse_delta(src)?;
    if let Some(decoded) = decode_legacy(src, limits) {
        return decoded;
    }
    let mut dst = zeroed(decoded_len(src, limits)?)?;
    decode_frames(src, &mut dst, limits.verify, &mut DecodeScratch::new())?;
    Ok(dst)
}

/// Decompresses a file into the beginning of `dst` and returns the number of bytes.
///
/// # Errors
///
/// As [`decompress`], and `OutputTooSmall`. Checksums are always verified.
pub fn decompress_into(
    src: &[u8],
    dst: &mut [u8],
    scratch: &mut DecodeScratch,
) -> Result<usize, DecodeError> {
    refuse_delta(src)?;
    decode_frames(src, dst, true, scratch)
}

/// Checks all of a file without keeping what it decodes to: that every chunk decodes and has its
/// checksum, and that what is stored is what was written, down to bits that no decoder looks at.
/// Returns the number of decoded bytes. Of a file that holds a difference only what is stored is
/// checked.
///
/// Files without checksums, such as all files of the original, are only decoded. The same holds
/// without [`Limits::verify`].
///
/// ```
/// use zipnn::{DType, Limits, Options};
///
/// let mut file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16))?;
/// assert_eq!(zipnn::verify(&file, &Limits::default())?, 1000);
/// file[50] ^= 1;
/// assert!(zipnn::verify(&file, &Limits::default()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// With the place: whatever is wrong with the file. Layouts of old, which have no checksums, are
/// `UnsupportedVersion`.
pub fn verify(src: &[u8], limits: &Limits) -> Result<u64, DecodeError> {
    let is_delta = file_delta(src)? != Delta::None;
    let mut scratch = DecodeScratch::new();
    let mut decoded = Vec::new();
    let mut total = 0;
    for (number, frame) in (0..).zip(Frames::with_limits(src, *limits)) {
        let frame = frame?;
        verify_frame(&frame, is_delta, &mut decoded, &mut scratch)
            .map_err(|error| error.in_frame(number))?;
        total = u64::saturating_add(total, frame.decoded_len());
    }
    Ok(total)
}

fn verify_frame(
    frame: &Frame<'_>,
    is_delta: bool,
    decoded: &mut Vec<u8>,
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    if let Some(mut check) = frame.annex().payload_check() {
        check.update(frame.payload());
        check.finish()?;
    }
    if is_delta {
        return Ok(());
    }
    let longest = frame.index().header().chunk_len().min(frame.decoded_len());
    let decoded = at_least(decoded, longest)?;
    let mut scratch = scratch.with_len(frame.scratch_len())?;
    for (number, chunk) in frame.index().chunks().enumerate() {
        frame.decode_chunk(number, &mut decoded[..chunk.len() as usize], &mut scratch)?;
    }
    Ok(())
}

pub(crate) fn decode_frames(
    src: &[u8],
    dst: &mut [u8],
    verify: bool,
    scratch: &mut DecodeScratch,
) -> Result<usize, DecodeError> {
    let have = dst.len() as u64;
    let limits = Limits { decoded_bytes: have, expansion: u32::MAX, ..Limits::default() };
    if let Some(decoded) = decode_legacy(src, &limits) {
        let decoded = decoded.map_err(|error| error.as_output_too_small(have))?;
        dst[..decoded.len()].copy_from_slice(&decoded);
        return Ok(decoded.len());
    }
    let mut filled = 0;
    for (number, frame) in (0..).zip(Frames::with_verification(src, verify)) {
        let frame = frame?;
        let mut scratch = scratch.with_len(frame.scratch_len())?;
        filled += frame
            .decode_into(&mut dst[filled..], &mut scratch)
            .map_err(|error| error.in_frame(number))?;
    }
    Ok(filled)
}

/// All frames of a file of an old layout as they are; `None` if it has today's, or if this build
/// cannot read the old ones.
#[cfg_attr(not(feature = "legacy"), expect(unused_variables, reason = "there is nothing to do"))]
pub(crate) fn decode_legacy(src: &[u8], limits: &Limits) -> Option<Result<Vec<u8>, DecodeError>> {
    #[cfg(feature = "legacy")]
    if crate::legacy::is_legacy(src) {
        return Some(crate::legacy::decode(src, limits));
    }
    None
}

/// Bytes that a file decodes to, by its headers. Those of most old layouts (feature `legacy`) do
/// not say, so that such a file is decoded to learn it.
///
/// # Errors
///
/// What is wrong with the frames' headers and indexes, and `LimitExceeded`.
pub fn decoded_len(src: &[u8], limits: &Limits) -> Result<u64, DecodeError> {
    #[cfg(feature = "legacy")]
    if crate::legacy::is_legacy(src) {
        return Ok(crate::legacy::summary(src, limits)?.decoded_len);
    }
    let mut total = 0;
    for frame in Frames::with_limits(src, *limits) {
        total = u64::saturating_add(total, frame?.decoded_len());
    }
    Ok(total)
}

/// Whether a file holds a difference; its frames need not be whole.
pub(crate) fn file_delta(src: &[u8]) -> Result<Delta, DecodeError> {
    #[cfg(feature = "legacy")]
    if crate::legacy::is_legacy(src) {
        return Ok(if crate::legacy::is_delta(src) { Delta::Bytes } else { Delta::None });
    }
    let header =
        crate::frame::Header::parse(src).map_err(|kind| DecodeError::from(kind).in_frame(0))?;
    Ok(header.delta)
}

pub(crate) fn refuse_delta(src: &[u8]) -> Result<(), DecodeError> {
    match file_delta(src)? {
        Delta::None => Ok(()),
        _ => Err(DecodeErrorKind::BaseRequired.into()),
    }
}

/// Memory for a frame of `len` bytes of input.
pub(crate) fn zeroed_for_frame(
    len: usize,
    options: &Options,
    envelope: &Envelope,
) -> Result<Vec<u8>, EncodeError> {
    let bound = Geometry::new(len, options, envelope).bound();
    try_zeroed_vec(bound).map_err(|()| EncodeError::OutOfMemory { requested: bound as u64 })
}
