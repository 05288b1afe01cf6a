//! Decodes and inspects whole files of the old layouts.

use std::vec::Vec;

use crate::error::DecodeError;
use crate::format::{MAGIC, STREAMING, at};
use crate::frame::header::{self, Header};
use crate::legacy::frame::{self, Body, LegacyFrame, LegacyFrames};
use crate::legacy::output::Output;
use crate::legacy::{chunks, halves, planes};
use crate::limits::Limits;

/// Describes a file in an old layout, as [`summary`] returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Release that wrote the file.
    pub version: [u8; 3],
    /// Number of frames.
    pub frames: u64,
    /// Element type of the first frame; `bytes` if the release had no element types.
    pub dtype: &'static str,
    /// Distinct names of the methods by which planes are stored.
    pub methods: Vec<&'static str>,
    /// Whether the file holds a difference to a base.
    pub delta: bool,
    /// Decoded length in bytes.
    pub decoded_len: u64,
    /// Number of bytes of the original data that the headers count but the file lacks.
    pub lost: u64,
}

/// Returns whether a file has one of the old layouts.
///
/// This includes files whose only difference from today's layout is a missing last byte.
pub fn is_legacy(src: &[u8]) -> bool {
    src.starts_with(&MAGIC) && (header::is_legacy(src) || is_short(src))
}

/// Returns whether a file may have an old layout although its first header has today's layout.
///
/// A later frame of such a file may lack a byte. Only [`is_legacy`] with the whole file shows that.
pub fn may_be_legacy(first: &Header) -> bool {
    first.streaming && matches!(first.version, [0, 3, 0 | 1])
}

/// Returns the number of bytes after the only frame of a file in an old layout.
///
/// It is 0 for files of several frames, and for files of releases before 0.3.0, whose frames extend
/// to the end of the file.
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

/// Returns whether a file has today's layout except for a last byte that its writer omitted.
fn is_short(src: &[u8]) -> bool {
    let may_be = matches!(src, [_, _, 0, 3, 0 | 1, ..]);
    may_be
        && LegacyFrames::new(src)
            .map_while(Result::ok)
            .any(|frame| matches!(frame.body, Body::Chunks(ref header) if header.is_short()))
}

/// Returns whether a file in an old layout holds a difference to a base.
pub fn is_delta(src: &[u8]) -> bool {
    frame::is_delta(src)
}

/// Decodes all frames of a file in an old layout.
///
/// If the file holds a difference, the result is the difference.
///
/// # Errors
///
/// Returns the first error in the file, with the number of its frame.
pub fn decode(src: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let mut output = Output::new(limits);
    for (number, frame) in (0..).zip(LegacyFrames::new(src)) {
        decode_frame(&frame?, &mut output).map_err(|error| error.in_frame(number))?;
    }
    Ok(output.data)
}

/// Decodes a damaged file up to its first error; returns the data and the error.
///
/// The data ends with the last intact frame. If the file holds a difference, the data is the
/// difference.
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

/// Returns a description of a file in an old layout.
///
/// It decodes the whole file, one frame at a time, because the headers do not contain all lengths.
///
/// # Errors
///
/// The errors of [`decompress`](crate::decompress); `BadMagic` if the file has today's layout.
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
