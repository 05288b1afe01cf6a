//! Decoding planes.

use crate::bits::BackwardReader;
use crate::entropy::STREAMS;
use crate::entropy::huffman::JUMP_TABLE;
use crate::entropy::huffman::table::adaptive::{DecodeTable, Filled};
use crate::entropy::huffman::table::look_up::LookUp;
use crate::entropy::huffman::table::multi::WRITTEN;
use crate::entropy::huffman::weights::{self, CodeLengths};
use crate::error::DecodeErrorKind;

/// Bits that a fetch is sure to bring.
const FETCHED_BITS: u32 = 57;
/// Output that a round may touch, as far as the compiler can see: what the counts in a sum of
/// entries can be at most, and the symbols of the last look-up behind it.
const WINDOW: usize = 63 + WRITTEN;

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
    match table.fill(&code) {
        Filled::Many(table) => decode_by_table(&code, table, streams, outputs),
        Filled::Two(table) => decode_by_table(&code, table, streams, outputs),
    }
}

/// Decodes with a table: all streams in turn while none is near an end, then the others a round
/// each in turn, then look-up by look-up, and the last few symbols one by one.
fn decode_by_table(
    code: &CodeLengths,
    table: impl LookUp,
    streams: [&[u8]; STREAMS],
    outputs: [&mut [u8]; STREAMS],
) -> Result<(), DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    let [s0, s1, s2, s3] = streams;
    let [d0, d1, d2, d3] = outputs;
    let mut cursors = [
        Cursor::new(s0, d0).ok_or(corrupt)?,
        Cursor::new(s1, d1).ok_or(corrupt)?,
        Cursor::new(s2, d2).ok_or(corrupt)?,
        Cursor::new(s3, d3).ok_or(corrupt)?,
    ];
    while round(&mut cursors, table).is_some() {}
    let mut goes_on = true;
    while goes_on {
        goes_on = false;
        for cursor in &mut cursors {
            goes_on |= cursor.round(table).is_some();
        }
    }
    for mut cursor in cursors {
        while cursor.look_up(table).is_some() {}
        cursor.finish(code, table)?;
    }
    Ok(())
}

/// Decodes a few symbols of each stream; `None` (and nothing done) near an end of any.
///
/// The streams take turns at every look-up: a processor does not look far enough ahead to find the
/// next stream behind a whole round.
#[inline(always)]
fn round<T: LookUp>(cursors: &mut [Cursor<'_, '_>; STREAMS], table: T) -> Option<()> {
    let [first, second, third, fourth] = &mut *cursors;
    let mut lanes: [Lane<'_, T, WINDOW>; STREAMS] =
        [first.open(table)?, second.open(table)?, third.open(table)?, fourth.open(table)?];
    for _ in 0..FETCHED_BITS / T::BITS {
        lanes.iter_mut().for_each(Lane::look_up);
    }
    let taken = lanes.map(|lane| lane.taken);
    for (cursor, taken) in cursors.iter_mut().zip(taken) {
        cursor.close::<T>(taken);
    }
    Some(())
}

/// Builds the table of a coded plane and nothing else.
#[cfg(feature = "kernels")]
pub(crate) fn build_table(src: &[u8], table: &mut DecodeTable) -> Result<(), DecodeErrorKind> {
    let (code, _) = weights::read(src)?;
    table.fill(&code);
    Ok(())
}

/// The four streams behind the jump table.
pub(crate) fn split_streams(src: &[u8]) -> Result<[&[u8]; STREAMS], DecodeErrorKind> {
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
pub(crate) fn split_outputs(dst: &mut [u8]) -> Result<[&mut [u8]; STREAMS], DecodeErrorKind> {
    let quarter = dst.len().div_ceil(STREAMS);
    let corrupt = DecodeErrorKind::CorruptStream;
    let (first, rest) = dst.split_at_mut_checked(quarter).ok_or(corrupt)?;
    let (second, rest) = rest.split_at_mut_checked(quarter).ok_or(corrupt)?;
    let (third, fourth) = rest.split_at_mut_checked(quarter).ok_or(corrupt)?;
    Ok([first, second, third, fourth])
}

/// A stream on its way through a table.
struct Cursor<'s, 'd> {
    /// The stream, but for the bytes at its end that have been used up.
    src: &'s [u8],
    /// Bits of the last byte that have been used up, or are the end mark, at most 7.
    unused: u32,
    /// Where the coming symbols go.
    dst: &'d mut [u8],
}

/// A stream in a round.
struct Lane<'c, T, const ROOM: usize> {
    table: T,
    /// Rotated so that the bits of the next look-up are the lowest, and those behind them the
    /// highest.
    container: u64,
    /// Where the round's symbols go.
    window: &'c mut [u8; ROOM],
    /// The sum of the round's entries.
    taken: u64,
}

impl<'s, 'd> Cursor<'s, 'd> {
    /// `None` if the stream has no end mark.
    fn new(src: &'s [u8], dst: &'d mut [u8]) -> Option<Self> {
        let left = BackwardReader::new(src)?.bits_left();
        let src = &src[..left.div_ceil(8)];
        Some(Self { src, unused: (src.len() * 8 - left) as u32, dst })
    }

    /// The next 57 bits or more, and room for `ROOM` symbols; `None` near an end of either.
    #[inline(always)]
    fn open<T: LookUp, const ROOM: usize>(&mut self, table: T) -> Option<Lane<'_, T, ROOM>> {
        let last = u64::from_le_bytes(*self.src.last_chunk()?);
        let container = last.rotate_left(self.unused + T::BITS);
        Some(Lane { table, container, window: self.dst.first_chunk_mut()?, taken: 0 })
    }

    /// Goes on behind what a round has taken.
    #[inline(always)]
    fn close<T: LookUp>(&mut self, taken: u64) {
        let bits = self.unused + taken as u32 % u64::BITS;
        self.unused = bits % 8;
        self.src = &self.src[..self.src.len() - (bits / 8) as usize];
        self.dst = &mut core::mem::take(&mut self.dst)[(taken >> T::COUNT_SHIFT) as usize..];
    }

    /// Decodes a few symbols of this stream alone.
    #[inline(always)]
    fn round<T: LookUp>(&mut self, table: T) -> Option<()> {
        let mut lane: Lane<'_, T, WINDOW> = self.open(table)?;
        for _ in 0..FETCHED_BITS / T::BITS {
            lane.look_up();
        }
        let taken = lane.taken;
        self.close::<T>(taken);
        Some(())
    }

    /// Decodes the symbols of a single look-up.
    #[inline(always)]
    fn look_up<T: LookUp>(&mut self, table: T) -> Option<()> {
        let mut lane: Lane<'_, T, WRITTEN> = self.open(table)?;
        lane.look_up();
        let taken = lane.taken;
        self.close::<T>(taken);
        Some(())
    }

    /// Decodes the last symbols one by one, to exactly the end of the stream.
    fn finish<T: LookUp>(self, code: &CodeLengths, table: T) -> Result<(), DecodeErrorKind> {
        let left = self.src.len() * 8 - self.unused as usize;
        decode_rest(BackwardReader::with_bits_left(self.src, left), self.dst, |bits| {
            let container = bits.peek(T::BITS) as u64;
            let mut symbols = [0; WRITTEN];
            table.look_up(container, &mut symbols, 0);
            (symbols[0], u32::from(code.bits[usize::from(symbols[0])]))
        })
    }
}

impl<T: LookUp, const ROOM: usize> Lane<'_, T, ROOM> {
    /// Decodes the symbols that the next bits stand for.
    #[inline(always)]
    fn look_up(&mut self) {
        let at = (self.taken >> T::COUNT_SHIFT) as usize;
        let entry = self.table.look_up(self.container, self.window, at);
        self.container = self.container.rotate_left(entry as u32);
        self.taken += entry;
    }
}

/// Decodes one symbol at a time, to exactly the end of the stream. `next` gives the symbol that
/// the coming bits stand for and the length of its code.
pub(crate) fn decode_rest(
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

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::entropy::huffman::code::Order;
    use crate::entropy::huffman::encode::{Coding, plan};
    use crate::entropy::{SYMBOLS, histogram};

    /// Decodes by comparing with the first cell of each code length: what the tables are tested
    /// against.
    fn decode_by_length(src: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind> {
        let (code, tree_size) = weights::read(src)?;
        let order = Order::new(&code);
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
        let outputs = split_outputs(dst)?;
        for (src, dst) in split_streams(&src[tree_size..])?.into_iter().zip(outputs) {
            let bits = BackwardReader::new(src).ok_or(DecodeErrorKind::CorruptStream)?;
            decode_rest(bits, dst, next)?;
        }
        Ok(())
    }

    /// A plane of `len` symbols below `alphabet`, the higher the rarer.
    fn plane(len: usize, alphabet: u32, skew: u32) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ u64::from(alphabet * 7 + skew);
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..len)
            .map(|_| (0..=skew).map(|_| random() % u64::from(alphabet)).min().unwrap_or(0) as u8)
            .collect()
    }

    fn code(plane: &[u8]) -> Option<Vec<u8>> {
        let mut counts = [[0; SYMBOLS]; STREAMS];
        histogram::count(plane, &mut counts);
        let Coding::Streams(plan) = plan(&counts, plane.len()) else { return None };
        let mut coded = vec![0; plan.size()];
        plan.encode(plane, &mut coded);
        Some(coded)
    }

    #[test]
    fn tables_decode_as_lengths_do() {
        let mut table = alloc::boxed::Box::<DecodeTable>::default();
        let mut tried = 0;
        for len in [12, 13, 50, 255, 256, 1000, 4097, 20_000] {
            for alphabet in [2, 3, 5, 16, 40, 64, 130, 256] {
                for skew in [0, 1, 4, 30] {
                    let plane = plane(len, alphabet, skew);
                    let Some(coded) = code(&plane) else { continue };
                    let mut decoded = vec![0x55; len];
                    decode_by_length(&coded, &mut decoded).unwrap();
                    assert_eq!(decoded, plane);
                    decoded.fill(0xaa);
                    decode(&coded, &mut decoded, &mut table).unwrap();
                    assert_eq!(decoded, plane, "{len} symbols of {alphabet}, skew {skew}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "only {tried} planes could be coded");
    }

    #[test]
    fn damaged_streams_decode_alike() {
        let mut table = alloc::boxed::Box::<DecodeTable>::default();
        for (alphabet, skew) in [(40, 6), (200, 1), (2, 5)] {
            let plane = plane(600, alphabet, skew);
            let Some(coded) = code(&plane) else { panic!("cannot be coded") };
            for at in 0..coded.len() {
                for flip in [1, 0x10, 0x80, 0xff] {
                    let mut damaged = coded.clone();
                    damaged[at] ^= flip;
                    let (mut expected, mut found) = (vec![0; 600], vec![1; 600]);
                    let expectation = decode_by_length(&damaged, &mut expected);
                    let result = decode(&damaged, &mut found, &mut table);
                    assert_eq!(result, expectation, "byte {at} ^ {flip}");
                    if result.is_ok() {
                        assert_eq!(found, expected);
                    }
                }
            }
        }
    }
}
