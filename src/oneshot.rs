//! Compresses and decompresses whole inputs in one call.

use alloc::vec::Vec;

use bytemuck::allocation::try_zeroed_vec;

use crate::base::Delta;
use crate::chunk::decode::DecodeScratch;
use crate::chunk::encode::EncodeScratch;
use crate::dtype::DType;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::file::frames::Frames;
use crate::frame::header::{Form, Header};
use crate::frame::shape::checked_len;
use crate::frame::whole::Frame;
use crate::frame::write::body::{append_frame, compress_frame, frame_len};
use crate::frame::write::envelope::{Envelope, FramePosition};
use crate::frame::write::geometry::Geometry;
use crate::limits::Limits;
use crate::older_file::OlderFile;
use crate::options::Options;
use crate::plane_layout::PlaneLayout;
use crate::try_alloc::{at_least, zeroed};

/// Compresses bytes into a file of one frame.
///
/// The length of `src` need not be a multiple of the element size. For several inputs,
/// [`compress_append`] and [`compress_into`] are faster, because they reuse memory.
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

/// Compresses the elements of a tensor or array, in C order, into a file that stores its shape.
///
/// ```
/// use zipnn::frame::Form;
/// use zipnn::{DType, Limits, Options};
///
/// let data = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].map(f32::to_le_bytes).concat();
/// let file = zipnn::compress_tensor(&data, Form::Numpy, &[2, 3], &Options::new(DType::F32))?;
/// let tensor = zipnn::decompress_tensor(&file, &Limits::default())?;
/// assert_eq!((tensor.dtype, &tensor.shape[..], tensor.data), (DType::F32, &[2, 3][..], data));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `InvalidShape` if `shape` and `src` differ in the number of elements, if `shape` has more than
/// 255 dimensions, or if the form is `Bytes` and there is a shape; and the errors of [`compress`].
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
    let options = options.for_frame(src);
    options.check()?;
    let mut dst = zeroed_for_frame(src.len(), &options, envelope)?;
    let len = compress_frame(src, &mut dst, &options, envelope, &mut EncodeScratch::new())?;
    Ok(shortened(dst, len))
}

/// Compresses bytes and appends them to `dst` as a file of one frame.
///
/// Returns the length of the file. After an error, `dst` is unchanged. This allocates only the
/// memory that `dst` and `scratch` lack: none, if both have been used for inputs of this length
/// before.
///
/// ```
/// use zipnn::{DType, Limits, Options};
/// use zipnn::frame::EncodeScratch;
///
/// let mut scratch = EncodeScratch::new();
/// let mut files = b"my container".to_vec();
/// for tensor in [[0x3f; 1000], [0x3e; 1000]] {
///     let start = files.len();
///     let len = zipnn::compress_append(&tensor, &mut files, &Options::new(DType::BF16), &mut scratch)?;
///     assert_eq!(files.len(), start + len);
///     assert_eq!(zipnn::decompress(&files[start..], &Limits::default())?, tensor);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The errors of [`compress`].
pub fn compress_append(
    src: &[u8],
    dst: &mut Vec<u8>,
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    append_frame(src, dst, options, &Envelope::BYTES, scratch)
}

/// Returns the maximum length of a file or frame that holds `len` bytes of data.
///
/// The bound applies to [`compress`] and
/// [`compress_frame_into`](crate::frame::compress_frame_into). [`compressed_len`] returns the exact
/// length for known bytes.
pub fn compress_bound(len: usize, options: &Options) -> usize {
    // The first frame of a file of several has the longest annex.
    let envelope = Envelope::streaming(FramePosition::FIRST, None);
    let bound = |options: &Options| Geometry::new(len, options, &envelope).bound();
    match options.is_auto() {
        true => PlaneLayout::ALL.map(|layout| bound(&options.layout(layout))).into_iter().max(),
        false => Some(bound(options)),
    }
    .unwrap_or(usize::MAX)
}

/// Returns the length of the file that [`compress`] returns for these bytes.
///
/// Chooses how to code every plane without coding it, in about half the time of compressing.
///
/// ```
/// use zipnn::{DType, Options};
/// use zipnn::frame::EncodeScratch;
///
/// let options = Options::new(DType::F32);
/// let mut scratch = EncodeScratch::new();
/// let len = zipnn::compressed_len(&[0x3f; 10_000], &options, &mut scratch)?;
/// let mut file = vec![0; len];
/// assert_eq!(zipnn::compress_into(&[0x3f; 10_000], &mut file, &options, &mut scratch)?, len);
/// # Ok::<(), zipnn::EncodeError>(())
/// ```
///
/// # Errors
///
/// The errors of [`compress`].
pub fn compressed_len(
    src: &[u8],
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    frame_len(src, options, &Envelope::BYTES, scratch)
}

/// Compresses bytes into a file of one frame at the beginning of `dst`.
///
/// Returns the length of the file. If `dst` has at least [`compress_bound`] bytes, this compresses
/// directly into it, and the bytes after the file are unspecified. Otherwise, it writes the file to
/// `scratch` first. It allocates nothing if `scratch` has been used for an input of this length
/// before.
///
/// # Errors
///
/// `OutputTooSmall` if the file does not fit into `dst`, and the errors of [`compress`].
pub fn compress_into(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    compress_frame(src, dst, options, &Envelope::BYTES, scratch)
}

/// Compresses bytes into one of several frames of a file.
///
/// Returns the length of the frame. Consecutive frames form a file like the file of an
/// [`Encoder`](crate::Encoder), and different threads can compress them. A file has at least one
/// frame, which may be empty. Its last frame is the one that
/// [`Directory::to_frame`](crate::file::Directory::to_frame) creates from the lengths of all
/// others, unless the options are [plain](Options::plain) or the position is [without an
/// index](FramePosition::without_index). Readers report a file without that last frame as
/// truncated.
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
/// The errors of [`compress_into`].
pub fn compress_frame_into(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    position: FramePosition,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    compress_frame(src, dst, options, &Envelope::streaming(position, None), scratch)
}

/// Decompresses all frames of a file.
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
/// Any error in the file, with its location; `BaseRequired` if the file is a difference, which
/// [`delta::decompress`](crate::delta::decompress) reads; `LimitExceeded` and `OutOfMemory`.
pub fn decompress(src: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    refuse_delta(src)?;
    if let Some(older) = OlderFile::probe(src) {
        return older.decode(limits);
    }
    let mut dst = zeroed(decoded_len(src, limits)?)?;
    decode_frames(src, &mut dst, limits, &mut DecodeScratch::new())?;
    Ok(dst)
}

/// Decompresses a file into the beginning of `dst` and returns the number of decoded bytes.
///
/// [`decoded_len`] returns the number of bytes beforehand. If `scratch` has been used for a similar
/// file before, this allocates nothing.
///
/// ```
/// use zipnn::{DType, Limits, Options};
/// use zipnn::frame::DecodeScratch;
///
/// let file = zipnn::compress(&[0x3f; 1000], &Options::new(DType::BF16))?;
/// let mut weights = [0; 1000];
/// let mut scratch = DecodeScratch::new();
/// let len = zipnn::decompress_into(&file, &mut weights, &Limits::default(), &mut scratch)?;
/// assert_eq!(weights[..len], [0x3f; 1000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The errors of [`decompress`], and `OutputTooSmall`.
pub fn decompress_into(
    src: &[u8],
    dst: &mut [u8],
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<usize, DecodeError> {
    refuse_delta(src)?;
    match OlderFile::probe(src) {
        Some(older) => older.decode_into(dst, limits),
        None => decode_frames(src, dst, limits, scratch),
    }
}

/// A tensor or array with its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tensor {
    /// Type of the elements.
    pub dtype: DType,
    /// Whether the source was a PyTorch tensor or a NumPy array.
    pub form: Form,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<u64>,
    /// Elements in C order, little-endian.
    pub data: Vec<u8>,
}

/// Decompresses a tensor or array with its shape.
///
/// It reads files of [`compress_tensor`] and of the original.
/// [`typed::decompress_tensor`](crate::typed::decompress_tensor) returns elements
/// instead of bytes.
///
/// # Errors
///
/// `NotATensor` if the file has no shape; `InvalidShape` if the shape does not match the data;
/// `UnsupportedVersion` for files of older layouts; and the errors of [`decompress`].
pub fn decompress_tensor(src: &[u8], limits: &Limits) -> Result<Tensor, DecodeError> {
    let (header, shape) = tensor_shape(src, limits)?;
    let data = decompress(src, limits)?;
    Ok(Tensor { dtype: header.dtype, form: header.form, shape, data })
}

/// Returns the header of a file that holds a tensor, and the shape, which matches the data.
pub(crate) fn tensor_shape(src: &[u8], limits: &Limits) -> Result<(Header, Vec<u64>), DecodeError> {
    let in_first = |kind: DecodeErrorKind| DecodeError::from(kind).in_frame(0);
    Header::parse(src).map_err(in_first)?;
    let mut frames = Frames::with_verification(src, limits.verify);
    let first = frames.next().unwrap_or_else(|| Frame::parse(src))?;
    let shape = first.index().shape().ok_or_else(|| in_first(DecodeErrorKind::NotATensor))?;
    let shape: Vec<u64> = shape.iter().collect();
    let header = *first.index().header();
    let len = checked_len(&shape, header.dtype.size() as u64);
    if len != Some(decoded_len(src, limits)?) {
        return Err(in_first(DecodeErrorKind::InvalidShape));
    }
    Ok((header, shape))
}

/// Checks a whole file without keeping its data, and returns the number of decoded bytes.
///
/// This checks that every chunk decodes and matches its checksum, and that no stored byte has
/// changed, including bits that decoding ignores. In a difference, it checks only the stored bytes.
/// It only decodes files without checksums, such as files of the original, and every file if
/// [`Limits::verify`] is off.
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
/// Any error in the file, with its location; `UnsupportedVersion` for files of older layouts, which
/// have no checksums.
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
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<usize, DecodeError> {
    let mut filled = 0;
    for (number, frame) in (0..).zip(Frames::with_limits(src, *limits)) {
        let frame = frame?;
        let mut scratch = scratch.with_len(frame.scratch_len())?;
        filled += frame
            .decode_into(&mut dst[filled..], &mut scratch)
            .map_err(|error| error.in_frame(number))?;
    }
    Ok(filled)
}

/// Returns the number of bytes that a file decodes to.
///
/// This reads only headers and indexes, except in older layouts (feature `legacy`): most of them do
/// not store the length, so it decodes the file.
///
/// # Errors
///
/// Errors in headers and indexes, and `LimitExceeded`.
pub fn decoded_len(src: &[u8], limits: &Limits) -> Result<u64, DecodeError> {
    if let Some(older) = OlderFile::probe(src) {
        return Ok(older.content(limits)?.0);
    }
    let mut total = 0;
    for frame in Frames::with_limits(src, *limits) {
        total = u64::saturating_add(total, frame?.decoded_len());
    }
    Ok(total)
}

/// Returns whether a file is a difference. Its frames may be incomplete.
pub(crate) fn file_delta(src: &[u8]) -> Result<Delta, DecodeError> {
    if let Some(older) = OlderFile::probe(src) {
        return Ok(older.delta());
    }
    let header = Header::parse(src).map_err(|kind| DecodeError::from(kind).in_frame(0))?;
    Ok(header.delta)
}

/// Checks that a file is not a difference.
pub(crate) fn refuse_delta(src: &[u8]) -> Result<(), DecodeError> {
    match file_delta(src)? {
        Delta::None => Ok(()),
        _ => Err(DecodeErrorKind::BaseRequired.into()),
    }
}

/// Truncates an output and frees the memory after it.
///
/// For outputs of this crate, this is faster than memory that grows: zeroed memory costs nothing
/// before its first use.
pub(crate) fn shortened(mut dst: Vec<u8>, len: usize) -> Vec<u8> {
    dst.truncate(len);
    dst.shrink_to_fit();
    dst
}

/// Allocates memory for a frame of `len` bytes of data.
pub(crate) fn zeroed_for_frame(
    len: usize,
    options: &Options,
    envelope: &Envelope,
) -> Result<Vec<u8>, EncodeError> {
    let bound = Geometry::new(len, options, envelope).bound();
    try_zeroed_vec(bound).map_err(|()| EncodeError::OutOfMemory { requested: bound as u64 })
}
