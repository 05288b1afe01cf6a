//! Decodes planes that are coded with Huffman codes.

use crate::bits::BackwardReader;
use crate::entropy::STREAMS;
use crate::entropy::huffman::table::adaptive::{DecodeTable, Filled};
use crate::entropy::huffman::table::look_up::LookUp;
use crate::entropy::huffman::table::multi::WRITTEN;
use crate::entropy::huffman::weights::{self, CodeLengths};
use crate::entropy::huffman::{JUMP_TABLE, MAX_READ_BITS};
use crate::error::DecodeErrorKind;
use crate::prefetch::Ahead;

/// Minimum number of bits that a fetch provides.
const FETCHED_BITS: u32 = 57;
/// Upper bound, which the compiler can prove, of the bytes that a round writes.
///
/// It is the largest number of symbols that a sum of entries can hold, plus the bytes of one
/// look-up.
const WINDOW: usize = 63 + WRITTEN;

/// A coded plane, classified by its kind.
pub(crate) enum CodedPlane<'a> {
    /// The bytes of the plane.
    Copy(&'a [u8]),
    /// One byte, which fills the plane.
    Repeat(u8),
    /// A description of a code and four streams.
    Streams(&'a [u8]),
}

impl<'a> CodedPlane<'a> {
    /// Determines the kind from the stored length and the length of the plane.
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

/// Decodes a description and four streams into `dst`, which is as long as the plane.
///
/// Meanwhile it prefetches what is `ahead`.
pub(crate) fn decode(
    src: &[u8],
    dst: &mut [u8],
    table: &mut DecodeTable,
    ahead: &mut Ahead<'_>,
) -> Result<(), DecodeErrorKind> {
    let (code, description_len) = weights::read(src)?;
    let streams = split_streams(&src[description_len..])?;
    let outputs = split_outputs(dst)?;
    match table.fill(&code) {
        Filled::Multi(table) => decode_by_table(&code, table, streams, outputs, ahead),
        Filled::Pair(table) => decode_by_table(&code, table, streams, outputs, ahead),
    }
}

/// Decodes with a table.
///
/// While no stream is near its end, all streams take turns at every look-up. Then the remaining
/// streams take turns at every round. Finally, each stream is decoded by single look-ups, and its
/// last symbols one by one.
fn decode_by_table(
    code: &CodeLengths,
    table: impl LookUp,
    streams: [&[u8]; STREAMS],
    outputs: [&mut [u8]; STREAMS],
    ahead: &mut Ahead<'_>,
) -> Result<(), DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    let [s0, s1, s2, s3] = streams;
    let [d0, d1, d2, d3] = outputs;
    let mut decoders = [
        StreamDecoder::new(s0, d0).ok_or(corrupt)?,
        StreamDecoder::new(s1, d1).ok_or(corrupt)?,
        StreamDecoder::new(s2, d2).ok_or(corrupt)?,
        StreamDecoder::new(s3, d3).ok_or(corrupt)?,
    ];
    let mut lines = core::mem::take(ahead);
    while round(&mut decoders, table).is_some() {
        lines.step();
    }
    *ahead = lines;
    let mut goes_on = true;
    while goes_on {
        goes_on = false;
        for decoder in &mut decoders {
            goes_on |= decoder.round(table).is_some();
        }
    }
    for mut decoder in decoders {
        while decoder.look_up(table).is_some() {}
        decoder.finish(code, table)?;
    }
    Ok(())
}

/// Decodes a round of each stream; returns `None` and does nothing near the end of any stream.
///
/// The streams take turns at every look-up. If they took turns at every round, the processor would
/// not look far enough ahead to overlap the work of two streams.
#[inline(always)]
fn round<T: LookUp>(decoders: &mut [StreamDecoder<'_, '_>; STREAMS], table: T) -> Option<()> {
    let [first, second, third, fourth] = &mut *decoders;
    let mut lanes: [Lane<'_, T, WINDOW>; STREAMS] =
        [first.open(table)?, second.open(table)?, third.open(table)?, fourth.open(table)?];
    for _ in 0..FETCHED_BITS / T::BITS {
        lanes.iter_mut().for_each(Lane::look_up);
    }
    let taken = lanes.map(|lane| lane.taken);
    for (decoder, taken) in decoders.iter_mut().zip(taken) {
        decoder.close::<T>(taken);
    }
    Some(())
}

/// Fills the table for a coded plane without decoding it.
pub(crate) fn build_table(src: &[u8], table: &mut DecodeTable) -> Result<(), DecodeErrorKind> {
    let (code, _) = weights::read(src)?;
    table.fill(&code);
    Ok(())
}

/// Splits a jump table and the bytes after it into the four streams.
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

/// Splits a plane into the outputs of the four streams, of which only the last may be shorter.
pub(crate) fn split_outputs(dst: &mut [u8]) -> Result<[&mut [u8]; STREAMS], DecodeErrorKind> {
    let quarter = dst.len().div_ceil(STREAMS);
    let corrupt = DecodeErrorKind::CorruptStream;
    let (first, rest) = dst.split_at_mut_checked(quarter).ok_or(corrupt)?;
    let (second, rest) = rest.split_at_mut_checked(quarter).ok_or(corrupt)?;
    let (third, fourth) = rest.split_at_mut_checked(quarter).ok_or(corrupt)?;
    Ok([first, second, third, fourth])
}

/// A partly decoded stream.
struct StreamDecoder<'s, 'd> {
    /// The stream without the consumed bytes at its end.
    src: &'s [u8],
    /// Number of bits at the end of `src` that are consumed, including the end mark; at most 7.
    consumed: u32,
    /// Memory for the remaining symbols.
    dst: &'d mut [u8],
}

/// A stream during a round.
struct Lane<'c, T, const ROOM: usize> {
    table: T,
    /// Bits of the stream, rotated so that the next look-up takes the lowest bits.
    ///
    /// The bits for the following look-ups are the highest.
    container: u64,
    /// Memory for the symbols of the round.
    window: &'c mut [u8; ROOM],
    /// The sum of the entries of the round.
    taken: u64,
}

impl<'s, 'd> StreamDecoder<'s, 'd> {
    /// Creates a decoder; returns `None` if the stream has no end mark.
    fn new(src: &'s [u8], dst: &'d mut [u8]) -> Option<Self> {
        let left = BackwardReader::new(src)?.bits_left();
        let src = &src[..left.div_ceil(8)];
        Some(Self { src, consumed: (src.len() * 8 - left) as u32, dst })
    }

    /// Fetches at least 57 bits and memory for `ROOM` symbols; `None` near the end of either.
    #[inline(always)]
    fn open<T: LookUp, const ROOM: usize>(&mut self, table: T) -> Option<Lane<'_, T, ROOM>> {
        let last = u64::from_le_bytes(*self.src.last_chunk()?);
        let container = last.rotate_left(self.consumed + T::BITS);
        Some(Lane { table, container, window: self.dst.first_chunk_mut()?, taken: 0 })
    }

    /// Consumes the bits and symbols of a round, given as the sum of its entries.
    #[inline(always)]
    fn close<T: LookUp>(&mut self, taken: u64) {
        let bits = self.consumed + taken as u32 % u64::BITS;
        self.consumed = bits % 8;
        self.src = &self.src[..self.src.len() - (bits / 8) as usize];
        self.dst = &mut core::mem::take(&mut self.dst)[(taken >> T::COUNT_SHIFT) as usize..];
    }

    /// Decodes a round of this stream alone.
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

    /// Decodes the last symbols one by one; the stream must end with them.
    fn finish<T: LookUp>(self, code: &CodeLengths, table: T) -> Result<(), DecodeErrorKind> {
        /// Number of symbols for which one fetch suffices.
        const RUN: usize = (FETCHED_BITS / MAX_READ_BITS) as usize;
        let corrupt = DecodeErrorKind::CorruptStream;
        let mut left = self.src.len() * 8 - self.consumed as usize;
        for run in self.dst.chunks_mut(RUN) {
            let mut container = highest_bits(self.src, left);
            for to in run {
                let mut symbols = [0; WRITTEN];
                table.look_up(container >> (u64::BITS - T::BITS), &mut symbols, 0);
                let bits = code.bits[usize::from(symbols[0])];
                left = left.checked_sub(bits.into()).ok_or(corrupt)?;
                container <<= bits % u64::BITS as u8;
                *to = symbols[0];
            }
        }
        if left == 0 { Ok(()) } else { Err(corrupt) }
    }
}

/// Returns at least 57 of the first `left` bits of a stream, the last bit highest.
///
/// Zeros follow the first bit of the stream.
fn highest_bits(stream: &[u8], left: usize) -> u64 {
    let bytes = &stream[..left.div_ceil(8)];
    let last = bytes.last_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; 8];
        last[8 - bytes.len()..].copy_from_slice(bytes);
        last
    });
    u64::from_le_bytes(last) << (bytes.len() * 8 - left)
}

impl<T: LookUp, const ROOM: usize> Lane<'_, T, ROOM> {
    /// Decodes the symbols of one look-up.
    #[inline(always)]
    fn look_up(&mut self) {
        let at = (self.taken >> T::COUNT_SHIFT) as usize;
        let entry = self.table.look_up(self.container, self.window, at);
        self.container = self.container.rotate_left(entry as u32);
        self.taken += entry;
    }
}

/// Decodes symbols one by one to fill `dst`; the stream must end with the last symbol.
///
/// `next` returns the symbol of the next bits and the length of its codeword in bits.
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
    use crate::entropy::huffman::pair_table::PairTable;
    use crate::entropy::{SYMBOLS, histogram};

    /// Decodes without a table, as a reference: compares with the first cell of each length.
    fn decode_by_length(src: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind> {
        let (code, description_len) = weights::read(src)?;
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
        for (src, dst) in split_streams(&src[description_len..])?.into_iter().zip(outputs) {
            let bits = BackwardReader::new(src).ok_or(DecodeErrorKind::CorruptStream)?;
            decode_rest(bits, dst, next)?;
        }
        Ok(())
    }

    /// Returns a plane of `len` symbols below `alphabet`, of which lower symbols are more frequent.
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

    fn encode(plane: &[u8]) -> Option<Vec<u8>> {
        let mut counts = [[0; SYMBOLS]; STREAMS];
        histogram::count(plane, &mut counts);
        let Coding::Streams(plan) = plan(&counts, plane.len()) else { return None };
        let mut coded = vec![0; plan.size()];
        plan.encode(plane, &mut coded, &mut PairTable::default(), &mut Ahead::default());
        Some(coded)
    }

    #[test]
    fn tables_decode_as_the_reference_does() {
        let mut table = alloc::boxed::Box::<DecodeTable>::default();
        let mut tried = 0;
        for len in [12, 13, 50, 255, 256, 1000, 4097, 20_000] {
            for alphabet in [2, 3, 5, 16, 40, 64, 130, 256] {
                for skew in [0, 1, 4, 30] {
                    let plane = plane(len, alphabet, skew);
                    let Some(coded) = encode(&plane) else { continue };
                    let mut decoded = vec![0x55; len];
                    decode_by_length(&coded, &mut decoded).unwrap();
                    assert_eq!(decoded, plane);
                    decoded.fill(0xaa);
                    decode(&coded, &mut decoded, &mut table, &mut Ahead::default()).unwrap();
                    assert_eq!(decoded, plane, "{len} symbols of {alphabet}, skew {skew}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "only {tried} planes could be coded");
    }

    #[test]
    fn damaged_streams_fail_as_in_the_reference() {
        let mut table = alloc::boxed::Box::<DecodeTable>::default();
        for (alphabet, skew) in [(40, 6), (200, 1), (2, 5)] {
            let plane = plane(600, alphabet, skew);
            let Some(coded) = encode(&plane) else { panic!("not encoded") };
            for at in 0..coded.len() {
                for flip in [1, 0x10, 0x80, 0xff] {
                    let mut damaged = coded.clone();
                    damaged[at] ^= flip;
                    let (mut expected, mut found) = (vec![0; 600], vec![1; 600]);
                    let expectation = decode_by_length(&damaged, &mut expected);
                    let result = decode(&damaged, &mut found, &mut table, &mut Ahead::default());
                    assert_eq!(result, expectation, "byte {at} ^ {flip}");
                    if result.is_ok() {
                        assert_eq!(found, expected);
                    }
                }
            }
        }
    }
}
