//! Compresses and decompresses whole differences in one call.

use alloc::vec::Vec;

use crate::base::{self, BaseId, Delta};
use crate::chunk::decode::DecodeScratch;
use crate::chunk::encode::EncodeScratch;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::file::frames::Frames;
use crate::frame::whole::stored;
use crate::frame::write::body::compress_frame;
use crate::frame::write::envelope::{Envelope, FramePosition};
use crate::limits::Limits;
use crate::older_file::OlderFile;
use crate::oneshot;
use crate::options::Options;
use crate::try_alloc::zeroed;

/// Compresses the difference between `src` and `base` into a file of one frame.
///
/// The file identifies the base if the options enable checksums or name a base.
///
/// # Errors
///
/// `BaseLength` if `src` and `base` differ in length, `WrongBase` if the options name another base,
/// and the errors of [`compress`](crate::compress).
pub fn compress(src: &[u8], base: &[u8], options: &Options) -> Result<Vec<u8>, EncodeError> {
    if src.len() != base.len() {
        return Err(EncodeError::BaseLength {
            expected: src.len() as u64,
            found: base.len() as u64,
        });
    }
    options.delta(options.delta.or_bytes()).check()?;
    let mut difference = src.to_vec();
    base::apply(&mut difference, base);
    let mut options = options.for_frame(&difference).delta(options.delta.or_bytes());
    if options.checksums || options.base.is_some() {
        let id = BaseId::of(base);
        if options.base.is_some_and(|named| named != id) {
            return Err(EncodeError::WrongBase);
        }
        options = options.base(id);
    }
    let envelope = Envelope { plain: Some(src), ..Envelope::BYTES };
    let mut dst = oneshot::zeroed_for_frame(src.len(), &options, &envelope)?;
    let scratch = &mut EncodeScratch::new();
    let len = compress_frame(&difference, &mut dst, &options, &envelope, scratch)?;
    Ok(oneshot::shortened(dst, len))
}

/// Compresses the difference between `src` and a part of a base into one frame of a file.
///
/// The file can have several frames, as with
/// [`frame::compress_frame_into`](crate::frame::compress_frame_into). The function writes the frame
/// to the beginning of `dst`, returns its length in bytes, and replaces `part` with the difference.
///
/// # Errors
///
/// `BaseLength` if `src` and `part` differ in length, and the errors of
/// [`frame::compress_frame_into`](crate::frame::compress_frame_into).
pub fn compress_frame_into(
    src: &[u8],
    part: &mut [u8],
    dst: &mut [u8],
    options: &Options,
    position: FramePosition,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let (expected, found) = (src.len() as u64, part.len() as u64);
    if expected != found {
        return Err(EncodeError::BaseLength { expected, found });
    }
    base::apply(part, src);
    let envelope = Envelope::streaming(position, Some(src));
    compress_frame(part, dst, &options.delta(options.delta.or_bytes()), &envelope, scratch)
}

/// Decompresses a file that holds the difference to `base`.
///
/// # Errors
///
/// `NotADelta` if the file is not a difference, `BaseLength` if `base` and the data differ in
/// length, `WrongBase` if the file identifies another base, and the errors of
/// [`decompress`](crate::decompress).
pub fn decompress(src: &[u8], base: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    if oneshot::file_delta(src)? == Delta::None {
        return Err(DecodeErrorKind::NotADelta.into());
    }
    if let Some(older) = OlderFile::probe(src) {
        let mut decoded = older.decode(limits)?;
        base::check_len(decoded.len() as u64, base.len() as u64)?;
        base::apply(&mut decoded, base);
        return Ok(decoded);
    }
    let expected = oneshot::decoded_len(src, limits)?;
    base::check_len(expected, base.len() as u64)?;
    let mut dst = zeroed(expected)?;
    decode_frames(src, base, &mut dst, limits, &mut DecodeScratch::new())?;
    Ok(dst)
}

/// Decompresses a file that holds the difference to `base` into the beginning of `dst`.
///
/// Returns the number of decoded bytes. If `scratch` has been used for a similar file before, this
/// allocates nothing, except for files of older layouts.
///
/// ```
/// use zipnn::frame::DecodeScratch;
/// use zipnn::{DType, Limits, Options, delta};
///
/// let base = [0x3f; 1000];
/// let file = delta::compress(&[0x3e; 1000], &base, &Options::new(DType::BF16))?;
/// let mut weights = [0; 1000];
/// let mut scratch = DecodeScratch::new();
/// let limits = Limits::default();
/// assert_eq!(delta::decompress_into(&file, &base, &mut weights, &limits, &mut scratch)?, 1000);
/// assert_eq!(weights, [0x3e; 1000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The errors of [`decompress`], and `OutputTooSmall`.
pub fn decompress_into(
    src: &[u8],
    base: &[u8],
    dst: &mut [u8],
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<usize, DecodeError> {
    if oneshot::file_delta(src)? == Delta::None {
        return Err(DecodeErrorKind::NotADelta.into());
    }
    let older = OlderFile::probe(src);
    let needed = match &older {
        Some(older) => older.content(limits)?.0,
        None => oneshot::decoded_len(src, limits)?,
    };
    base::check_len(needed, base.len() as u64)?;
    let have = dst.len() as u64;
    let dst = usize::try_from(needed).ok().and_then(|len| dst.get_mut(..len));
    let dst = dst.ok_or(DecodeErrorKind::OutputTooSmall { needed, have })?;
    match older {
        Some(older) => {
            older.decode_into(dst, limits)?;
            base::apply(dst, base);
        }
        None => decode_frames(src, base, dst, limits, scratch)?,
    }
    Ok(dst.len())
}

/// Decodes all frames and applies the base. `dst` and `base` are as long as the data.
fn decode_frames(
    src: &[u8],
    mut base: &[u8],
    mut dst: &mut [u8],
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    let whole = base;
    for (number, frame) in (0..).zip(Frames::with_verification(src, limits.verify)) {
        let frame = frame?;
        // Only the first frame is checked, because computing the checksum of a long base takes
        // time.
        if number == 0
            && let Some(expected) = frame.annex().base()
        {
            base::check(expected, BaseId::of(whole))?;
        }
        let mut scratch = scratch.with_len(frame.scratch_len())?;
        for (chunk_number, chunk) in frame.index().chunks().enumerate() {
            let len = chunk.len() as usize;
            let (part, behind) = core::mem::take(&mut dst).split_at_mut(len);
            let (base_part, base_behind) = base.split_at(len);
            (dst, base) = (behind, base_behind);
            let chunk = chunk.with_checksum(frame.annex().checksum(chunk_number));
            chunk
                .decode_delta(&stored(&chunk, frame.bytes()), base_part, part, &mut scratch)
                .map_err(|error| error.in_chunk(chunk_number as u64).in_frame(number))?;
        }
    }
    Ok(())
}
