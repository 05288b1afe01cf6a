//! Decompresses planes and inputs that a general-purpose compressor compressed as a whole.

use std::io::{self, Read};
use std::vec::Vec;

use lz4_flex::frame::FrameDecoder as Lz4Decoder;
use ruzstd::decoding::{FrameDecoder as ZstdFrame, StreamingDecoder as ZstdDecoder};

use crate::error::DecodeErrorKind;
use crate::try_alloc::{reserve_decoded, zeroed};

/// A general-purpose compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// A Zstandard frame.
    Zstd,
    /// An LZ4 frame.
    Lz4,
    /// A Snappy block without framing.
    Snappy,
}

/// Window size in bytes that every frame may require: RFC 8878 recommends that decoders support it.
const LEAST_WINDOW: u64 = 8 << 20;
/// Upper bound of Snappy's expansion: three bytes encode at most 64.
const SNAPPY_EXPANSION: u64 = 22;
/// The end mark of an LZ4 frame.
const LZ4_END: [u8; 4] = [0; 4];

impl Codec {
    /// Returns the lowercase name of the compressor.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Snappy => "snappy",
        }
    }

    /// Decompresses all of `src`; returns `None` if the result exceeds `most` bytes.
    pub(super) fn decompress(
        self,
        src: &[u8],
        most: u64,
    ) -> Result<Option<Vec<u8>>, DecodeErrorKind> {
        match self {
            Self::Zstd => zstd(src, most),
            Self::Lz4 => lz4(src, most),
            Self::Snappy => snappy(src, most),
        }
    }
}

fn zstd(src: &[u8], most: u64) -> Result<Option<Vec<u8>>, DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    let mut frame = ZstdFrame::new();
    // Decoding allocates as much memory as the window.
    frame.set_max_window_size(most.max(LEAST_WINDOW));
    let mut decoder = ZstdDecoder::new_with_decoder(src, frame).map_err(|_| corrupt)?;
    let Some(content) = read_at_most(&mut decoder, most)? else {
        return Ok(None);
    };
    let (behind, frame) = decoder.into_parts();
    let (stored, found) = (frame.get_checksum_from_data(), frame.get_calculated_checksum());
    // The decoder also reports a length of zero if none is stored.
    let len_fits =
        matches!(frame.content_size(), 0) || frame.content_size() == content.len() as u64;
    if !behind.is_empty() || !len_fits || stored.is_some() && stored != found {
        return Err(corrupt);
    }
    Ok(Some(content))
}

/// Decompresses an LZ4 frame.
///
/// The decoder accepts a frame that is cut off between two blocks. To detect this, a second end
/// mark follows the input: the decoder consumes it if and only if the first one is missing.
fn lz4(src: &[u8], most: u64) -> Result<Option<Vec<u8>>, DecodeErrorKind> {
    let mut decoder = Lz4Decoder::new(src.chain(&LZ4_END[..]));
    let Some(content) = read_at_most(&mut decoder, most)? else {
        return Ok(None);
    };
    let (behind, end_mark) = decoder.into_inner().into_inner();
    if !behind.is_empty() || end_mark.len() != LZ4_END.len() {
        return Err(DecodeErrorKind::CorruptStream);
    }
    Ok(Some(content))
}

fn snappy(src: &[u8], most: u64) -> Result<Option<Vec<u8>>, DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    let len = snap::raw::decompress_len(src).map_err(|_| corrupt)? as u64;
    if len > (src.len() as u64).saturating_mul(SNAPPY_EXPANSION) {
        return Err(corrupt);
    }
    if len > most {
        return Ok(None);
    }
    let mut content = zeroed(len).map_err(|error| error.kind())?;
    let filled = snap::raw::Decoder::new().decompress(src, &mut content).map_err(|_| corrupt)?;
    if filled != content.len() {
        return Err(corrupt);
    }
    Ok(Some(content))
}

/// Reads to the end; returns `None` if the content exceeds `most` bytes.
///
/// It never reads again after the end, because an LZ4 decoder would begin the next frame.
fn read_at_most(reader: &mut impl Read, most: u64) -> Result<Option<Vec<u8>>, DecodeErrorKind> {
    const BLOCK: usize = 1 << 16;
    let mut block = zeroed(BLOCK as u64).map_err(|error| error.kind())?;
    let mut content = Vec::new();
    loop {
        let filled = match reader.read(&mut block) {
            Ok(0) => return Ok(Some(content)),
            Ok(filled) => block.get(..filled).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(DecodeErrorKind::CorruptStream),
        };
        let requested = (content.len() as u64).saturating_add(filled.len() as u64);
        if requested > most {
            return Ok(None);
        }
        reserve_decoded(&mut content, filled.len(), requested)?;
        content.extend_from_slice(filled);
    }
}
