//! Decoding a plane.

use super::table::{COUNT_SHIFT, DecodeTable, LOOKUP_BITS, LOOKUP_ENTRIES, MAX_SYMBOLS, Order};
use super::weights::{self, CodeLengths};
use super::{JUMP_TABLE, STREAMS};
use crate::bits::BackwardReader;
use crate::error::DecodeErrorKind;

/// Look-ups between refills of a container of 64 bits: 7 may be used up already, 5·11 follow, and
/// one is the mark that counts them.
const LOOKUPS: usize = 5;
/// Output that a round of look-ups may touch.
const WINDOW: usize = 63 + MAX_SYMBOLS;

/// How a coded plane is stored.
pub(crate) enum Coded<'a> {
    /// As it is.
    Copy(&'a [u8]),
    /// As one byte that repeats.
    Repeat(u8),
    /// As Huffman codes.
    Streams(&'a [u8]),
}

impl<'a> Coded<'a> {
    /// Tells the three apart by their sizes.
    pub(crate) fn new(src: &'a [u8], plane_len: u64) -> Result<Self, DecodeErrorKind> {
        match *src {
            _ if src.len() as u64 > plane_len => Err(DecodeErrorKind::InvalidIndex),
            [] => Err(DecodeErrorKind::InvalidIndex),
            _ if src.len() as u64 == plane_len => Ok(Self::Copy(src)),
            [byte] => Ok(Self::Repeat(byte)),
            _ => Ok(Self::Streams(src)),
        }
    }
}

/// Decodes a plane that is stored as Huffman codes. `dst` has the length of the plane.
pub(crate) fn decode(
    src: &[u8],
    dst: &mut [u8],
    table: &mut DecodeTable,
) -> Result<(), DecodeErrorKind> {
    let (code, tree_size) = weights::read(src)?;
    let streams = split_streams(&src[tree_size..])?;
    let outputs = split_outputs(dst)?;
    if code.longest > LOOKUP_BITS {
        return decode_by_length(&code, streams, outputs);
    }
    table.build(&code);
    decode_by_table(table, &code, streams, outputs)
}

/// Builds the table of a coded plane and nothing else.
#[cfg(feature = "kernels")]
pub(crate) fn build_table(src: &[u8], table: &mut DecodeTable) -> Result<(), DecodeErrorKind> {
    let (code, _) = weights::read(src)?;
    table.build(&code);
    Ok(())
}

/// The four streams behind the jump table.
fn split_streams(src: &[u8]) -> Result<[&[u8]; STREAMS], DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    let (jumps, mut rest) = src.split_at_checked(JUMP_TABLE).ok_or(corrupt)?;
    let mut streams = [rest; STREAMS];
    for (stream, size) in streams.iter_mut().zip(jumps.chunks_exact(2)) {
        let size = usize::from(u16::from_le_bytes([size[0], size[1]]));
        (*stream, rest) = rest.split_at_checked(size).ok_or(corrupt)?;
    }
    streams[STREAMS - 1] = rest;
    if streams.iter().any(|stream| stream.is_empty()) {
        return Err(corrupt);
    }
    Ok(streams)
}

/// The parts of the plane that the streams decode to: equal ones, but for the last.
fn split_outputs(dst: &mut [u8]) -> Result<[&mut [u8]; STREAMS], DecodeErrorKind> {
    let quarter = dst.len().div_ceil(STREAMS);
    let corrupt = DecodeErrorKind::CorruptStream;
    let (first, rest) = dst.split_at_mut_checked(quarter).ok_or(corrupt)?;
    let (second, rest) = rest.split_at_mut_checked(quarter).ok_or(corrupt)?;
    let (third, fourth) = rest.split_at_mut_checked(quarter).ok_or(corrupt)?;
    Ok([first, second, third, fourth])
}

/// A stream on its way through the table.
struct Cursor<'s, 'd> {
    src: &'s [u8],
    /// Number of bits below the end mark that have not been used up.
    left: usize,
    dst: &'d mut [u8],
    /// Symbols decoded.
    filled: usize,
}

impl<'s, 'd> Cursor<'s, 'd> {
    /// `None` if the stream has no end mark.
    fn new(src: &'s [u8], dst: &'d mut [u8]) -> Option<Self> {
        let left = BackwardReader::new(src)?.bits_left();
        Some(Self { src, left, dst, filled: 0 })
    }

    /// Decodes a few symbols; `false` (and nothing done) near an end of input or output.
    #[inline(always)]
    fn round(&mut self, symbols: &[u64; LOOKUP_ENTRIES], steps: &[u16; LOOKUP_ENTRIES]) -> bool {
        // The highest bit that is left comes to the top of the container; up to 7 bits above it
        // go, so that at least 57 are there.
        let highest = self.left.wrapping_sub(1);
        let position = (highest / 8).wrapping_sub(size_of::<u64>() - 1);
        let Some(loaded) = load(self.src, position) else { return false };
        let Some(window) = self.dst.get_mut(self.filled..).and_then(|dst| dst.first_chunk_mut())
        else {
            return false;
        };
        let window: &mut [u8; WINDOW] = window;
        let mut container = loaded << (!highest % 8);
        let mut taken = 0;
        for _ in 0..LOOKUPS {
            let entry = (container >> (64 - LOOKUP_BITS)) as usize;
            let step = steps[entry];
            let at = (taken >> COUNT_SHIFT) as usize;
            window[at..at + MAX_SYMBOLS].copy_from_slice(&symbols[entry].to_le_bytes());
            container <<= step & 63;
            taken += u32::from(step);
        }
        self.filled += (taken >> COUNT_SHIFT) as usize;
        self.left -= (taken % (1 << COUNT_SHIFT)) as usize;
        true
    }
}

/// The eight bytes at `position`.
#[inline(always)]
fn load(src: &[u8], position: usize) -> Option<u64> {
    src.get(position..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Decodes with the table: all streams in turn while all have room, then each as far as it goes,
/// then what is left symbol by symbol.
#[inline(never)]
fn decode_by_table(
    table: &DecodeTable,
    code: &CodeLengths,
    streams: [&[u8]; STREAMS],
    outputs: [&mut [u8]; STREAMS],
) -> Result<(), DecodeErrorKind> {
    let (symbols, steps) = table.entries();
    let next = |bits: &BackwardReader| {
        let symbol = symbols[bits.peek(LOOKUP_BITS)] as u8;
        (symbol, u32::from(code.bits[usize::from(symbol)]))
    };
    if streams.iter().any(|stream| stream.len() < size_of::<u64>()) {
        return decode_by_length(code, streams, outputs);
    }
    let [s0, s1, s2, s3] = streams;
    let [d0, d1, d2, d3] = outputs;
    let (Some(mut c0), Some(mut c1), Some(mut c2), Some(mut c3)) =
        (Cursor::new(s0, d0), Cursor::new(s1, d1), Cursor::new(s2, d2), Cursor::new(s3, d3))
    else {
        return Err(DecodeErrorKind::CorruptStream);
    };
    while c0.round(symbols, steps)
        && c1.round(symbols, steps)
        && c2.round(symbols, steps)
        && c3.round(symbols, steps)
    {}
    for mut cursor in [c0, c1, c2, c3] {
        while cursor.round(symbols, steps) {}
        let bits = BackwardReader::with_bits_left(cursor.src, cursor.left);
        decode_rest(bits, &mut cursor.dst[cursor.filled..], next)?;
    }
    Ok(())
}

/// Decodes one symbol at a time, to exactly the end of the stream. `next` gives the symbol that
/// the coming bits stand for and the length of its code.
fn decode_rest(
    mut bits: BackwardReader,
    dst: &mut [u8],
    next: impl Fn(&BackwardReader) -> (u8, u32),
) -> Result<(), DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    for to in dst {
        let (symbol, length) = next(&bits);
        bits.skip(length).ok_or(corrupt)?;
        *to = symbol;
    }
    if bits.bits_left() == 0 { Ok(()) } else { Err(corrupt) }
}

/// Decodes by comparing with the first cell of each code length: for codes of more bits than the
/// table has, and what the table is tested against.
fn decode_by_length(
    code: &CodeLengths,
    streams: [&[u8]; STREAMS],
    outputs: [&mut [u8]; STREAMS],
) -> Result<(), DecodeErrorKind> {
    let order = Order::new(code);
    let next = |bits: &BackwardReader| {
        let mut cell = bits.peek(code.longest);
        let mut symbols = order.symbols();
        loop {
            let length = u32::from(code.bits[usize::from(symbols[0])]);
            let same = symbols
                .partition_point(|&symbol| u32::from(code.bits[usize::from(symbol)]) == length);
            let unused = code.longest - length;
            if cell >> unused < same {
                return (symbols[cell >> unused], length);
            }
            cell -= same << unused;
            symbols = &symbols[same..];
        }
    };
    for (src, dst) in streams.into_iter().zip(outputs) {
        let bits = BackwardReader::new(src).ok_or(DecodeErrorKind::CorruptStream)?;
        decode_rest(bits, dst, next)?;
    }
    Ok(())
}
