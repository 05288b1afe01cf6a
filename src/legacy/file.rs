//! Decodes and inspects whole files of the old layouts.

use std::vec::Vec;

use crate::error::DecodeError;
use crate::format::{MAGIC, STREAMING, at};
use crate::frame::header::{self, Header};
use crate::legacy::frame::{self, Body, LegacyFrame, LegacyFrames};
use crate::legacy::output::Output;
use crate::legacy::{chunks, halves, planes};
use crate::limits::Limits;

/// Description of a file of an old layout.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Release that wrote the file.
    pub version: [u8; 3],
    /// Number of frames.
    pub frames: u64,
    /// Type of the elements of the first frame; `bytes` if the release had no types.
    pub dtype: &'static str,
    /// Methods with which planes are stored, without repetition.
    pub methods: Vec<&'static str>,
    /// Whether the file holds a difference to a base.
    pub delta: bool,
    /// Decoded length in bytes.
    pub decoded_len: u64,
    /// Bytes of the original data that the header counts but the file lacks.
    pub lost: u64,
}

/// Returns whether a file has one of the old layouts.
///
/// Includes files that only lack the last byte of today's layout.
pub fn is_legacy(src: &[u8]) -> bool {
    src.starts_with(&MAGIC) && (header::is_legacy(src) || is_short(src))
}

/// Returns whether a file whose first header is in today's layout may still have an old one, which
/// only [`is_legacy`] with the whole file shows: a later frame may lack a byte.
pub fn may_be_legacy(first: &Header) -> bool {
    first.streaming && matches!(first.version, [0, 3, 0 | 1])
}

/// Returns the number of bytes after the only frame of a file of an old layout. It is 0 for files
/// of releases before 0.3.0, which do not give the length of their frames.
pub fn trailing_len(file: &[u8]) -> u64 {
    let frame_len = match file {
        [_, _, 0, 3, ..] if file.get(at::STREAMING).is_some_and(|&byte| byte < STREAMING) => {
            file.get(at::FRAME_LEN..).and_then(<[u8]>::first_chunk).copied().map(u64::from_le_bytes)
        }
        _ => None,
    };
    let file_len = file.len() as u64;
    file_len.saturating_sub(frame_len.unwrap_or(file_len))
}

/// Returns whether a file has today's layout except for a byte that its writer omitted.
fn is_short(src: &[u8]) -> bool {
    let may_be = matches!(src, [_, _, 0, 3, 0 | 1, ..]);
    may_be
        && LegacyFrames::new(src)
            .map_while(Result::ok)
            .any(|frame| matches!(frame.body, Body::Chunks(ref header) if header.is_short()))
}

/// Returns whether a file of an old layout holds a difference to a base.
pub fn is_delta(src: &[u8]) -> bool {
    frame::is_delta(src)
}

/// Decodes all frames of a file; returns the difference if it holds one.
///
/// # Errors
///
/// The first error in the file, with the number of its frame.
pub fn decode(src: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let mut output = Output::new(limits);
    for (number, frame) in (0..).zip(LegacyFrames::new(src)) {
        decode_frame(&frame?, &mut output).map_err(|error| error.in_frame(number))?;
    }
    Ok(output.data)
}

/// Decodes the frames of a damaged file up to the first error, and returns both.
///
/// Returns the difference if the file holds one.
pub fn decode_partial(src: &[u8], limits: &Limits) -> (Vec<u8>, Option<DecodeError>) {
    let mut output = Output::new(limits);
    for (number, frame) in (0..).zip(LegacyFrames::new(src)) {
        let len = output.data.len();
        if let Err(error) = frame.and_then(|frame| decode_frame(&frame, &mut output)) {
            output.data.truncate(len);
            return (output.data, Some(error.in_frame(number)));
        }
    }
    (output.data, None)
}

/// Describes a file of an old layout.
///
/// Decodes the whole file, one frame at a time, because the headers do not contain all lengths.
///
/// # Errors
///
/// As [`decompress`](crate::decompress); `BadMagic` if the file has today's layout.
pub fn summary(src: &[u8], limits: &Limits) -> Result<Summary, DecodeError> {
    let mut output = Output::new(limits);
    let mut frames = 0;
    let mut first = None;
    for frame in LegacyFrames::new(src) {
        let frame = frame?;
        decode_frame(&frame, &mut output).map_err(|error| error.in_frame(frames))?;
        output.drop_data();
        first.get_or_insert((frame.version, frame.dtype));
        frames += 1;
    }
    let (version, dtype) = first.unwrap_or_default();
    Ok(Summary {
        version,
        frames,
        dtype,
        delta: is_delta(src),
        decoded_len: output.total(),
        lost: output.lost,
        methods: output.methods,
    })
}

fn decode_frame(frame: &LegacyFrame<'_>, output: &mut Output<'_>) -> Result<(), DecodeError> {
    match frame.body {
        Body::Blob => planes::decode_blob(frame, output),
        Body::Planes { rotated } => planes::decode_elements(frame, rotated, output),
        Body::Integers { width, rotated } => planes::decode_integers(frame, width, rotated, output),
        Body::Halves { rotated } => halves::decode(frame, rotated, output),
        Body::Chunks(ref header) => chunks::decode(header, frame.bytes, output),
    }
}
