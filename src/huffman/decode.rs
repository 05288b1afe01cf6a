//! Decoding planes.

use super::table::{COUNT_SHIFT, DecodeTable, Entries, LOOKUP_BITS, MAX_SYMBOLS, Order};
use super::weights::{self, CodeLengths};
use super::{JUMP_TABLE, STREAMS};
use crate::bits::BackwardReader;
use crate::error::DecodeErrorKind;

/// Look-ups of a round: a fetch brings 57 bits or more, and a look-up takes 11 at most.
const LOOKUPS: usize = 5;
/// Output that a round may touch, as far as the compiler can see: what the counts of five steps add
/// up to at most, and the symbols of the last look-up behind it.
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
    let Some(mut plane) = Plane::start(src, dst, table)? else { return Ok(()) };
    while plane.round().is_some() {}
    plane.finish()
}

/// A plane on its way through a table.
struct Plane<'t, 's, 'd> {
    code: CodeLengths,
    entries: Entries<'t>,
    cursors: [Cursor<'s, 'd>; STREAMS],
}

impl<'t, 's, 'd> Plane<'t, 's, 'd> {
    /// Builds the table and finds the streams. A plane whose codes are too long for the table is
    /// decoded at once, without it.
    fn start(
        src: &'s [u8],
        dst: &'d mut [u8],
        table: &'t mut DecodeTable,
    ) -> Result<Option<Self>, DecodeErrorKind> {
        let (code, tree_size) = weights::read(src)?;
        let streams = split_streams(&src[tree_size..])?;
        let outputs = split_outputs(dst)?;
        if code.longest > LOOKUP_BITS {
            decode_by_length(&code, streams, outputs)?;
            return Ok(None);
        }
        table.build(&code);
        let corrupt = DecodeErrorKind::CorruptStream;
        let [s0, s1, s2, s3] = streams;
        let [d0, d1, d2, d3] = outputs;
        let cursors = [
            Cursor::new(s0, d0).ok_or(corrupt)?,
            Cursor::new(s1, d1).ok_or(corrupt)?,
            Cursor::new(s2, d2).ok_or(corrupt)?,
            Cursor::new(s3, d3).ok_or(corrupt)?,
        ];
        Ok(Some(Self { code, entries: table.entries(), cursors }))
    }

    /// Decodes a few symbols of each stream; `None` (and nothing done) near an end of any.
    ///
    /// The streams take turns at every look-up: a processor does not look far enough ahead to find
    /// the next stream behind a whole round.
    #[inline(always)]
    fn round(&mut self) -> Option<()> {
        let mut lanes = open(&mut self.cursors)?;
        for _ in 0..LOOKUPS {
            lanes.iter_mut().for_each(|lane| lane.look_up(self.entries));
        }
        let taken = lanes.map(|lane| lane.taken);
        close(&mut self.cursors, taken);
        Some(())
    }

    /// Decodes what is left when the first stream has come near its end: the others a round each in
    /// turn, then look-up by look-up, and the last few symbols one by one.
    fn finish(mut self) -> Result<(), DecodeErrorKind> {
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for cursor in &mut self.cursors {
                goes_on |= cursor.round::<LOOKUPS, WINDOW>(self.entries).is_some();
            }
        }
        for mut cursor in self.cursors {
            while cursor.round::<1, MAX_SYMBOLS>(self.entries).is_some() {}
            let bits = BackwardReader::with_bits_left(cursor.src, cursor.left);
            decode_rest(bits, &mut cursor.dst[cursor.filled..], |bits| {
                let container = (bits.peek(LOOKUP_BITS) as u64) << (u64::BITS - LOOKUP_BITS);
                let symbol = self.entries.look_up(container).0 as u8;
                (symbol, u32::from(self.code.bits[usize::from(symbol)]))
            })?;
        }
        Ok(())
    }
}

/// A round of each of four streams, if none is near an end.
#[inline(always)]
fn open<'c>(cursors: &'c mut [Cursor<'_, '_>; STREAMS]) -> Option<[Lane<'c, WINDOW>; STREAMS]> {
    let [first, second, third, fourth] = cursors;
    Some([first.open()?, second.open()?, third.open()?, fourth.open()?])
}

#[inline(always)]
fn close(cursors: &mut [Cursor<'_, '_>; STREAMS], taken: [u32; STREAMS]) {
    for (cursor, taken) in cursors.iter_mut().zip(taken) {
        cursor.close(taken);
    }
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

/// A stream on its way through a table.
struct Cursor<'s, 'd> {
    src: &'s [u8],
    /// Number of bits below the end mark that have not been used up.
    left: usize,
    dst: &'d mut [u8],
    /// Symbols decoded.
    filled: usize,
}

/// A stream in a round.
struct Lane<'c, const ROOM: usize> {
    /// The next bits, first in the highest.
    container: u64,
    /// Where the round's symbols go.
    window: &'c mut [u8; ROOM],
    /// The sum of the round's steps.
    taken: u32,
}

impl<'s, 'd> Cursor<'s, 'd> {
    /// `None` if the stream has no end mark.
    fn new(src: &'s [u8], dst: &'d mut [u8]) -> Option<Self> {
        let left = BackwardReader::new(src)?.bits_left();
        Some(Self { src, left, dst, filled: 0 })
    }

    /// The next 57 bits or more, and room for `ROOM` symbols; `None` near an end of either.
    #[inline(always)]
    fn open<const ROOM: usize>(&mut self) -> Option<Lane<'_, ROOM>> {
        let highest = self.left.wrapping_sub(1);
        let position = (highest / 8).wrapping_sub(size_of::<u64>() - 1);
        let container = load(self.src, position)? << (!highest % 8);
        let last = self.dst.len().checked_sub(ROOM)?;
        if self.filled > last {
            return None;
        }
        let window = self.dst[self.filled..].first_chunk_mut()?;
        Some(Lane { container, window, taken: 0 })
    }

    /// Goes on behind what a round has taken.
    #[inline(always)]
    fn close(&mut self, taken: u32) {
        self.filled += (taken >> COUNT_SHIFT) as usize;
        self.left -= (taken % (1 << COUNT_SHIFT)) as usize;
    }

    /// Decodes a few symbols of this stream alone.
    #[inline(always)]
    fn round<const LOOKUPS: usize, const ROOM: usize>(
        &mut self,
        entries: Entries<'_>,
    ) -> Option<()> {
        let mut lane = self.open::<ROOM>()?;
        for _ in 0..LOOKUPS {
            lane.look_up(entries);
        }
        let taken = lane.taken;
        self.close(taken);
        Some(())
    }
}

impl<const ROOM: usize> Lane<'_, ROOM> {
    /// Decodes the symbols that the container begins with.
    #[inline(always)]
    fn look_up(&mut self, entries: Entries<'_>) {
        let (symbols, step) = entries.look_up(self.container);
        let at = (self.taken >> COUNT_SHIFT) as usize;
        self.window[at..at + MAX_SYMBOLS].copy_from_slice(&symbols.to_le_bytes());
        self.container <<= step & 63;
        self.taken += u32::from(step);
    }
}

/// The eight bytes at `position`.
#[inline(always)]
fn load(src: &[u8], position: usize) -> Option<u64> {
    let last = src.len().checked_sub(size_of::<u64>())?;
    if position > last {
        return None;
    }
    src[position..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
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
