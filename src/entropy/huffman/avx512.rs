//! Encodes planes with AVX-512, 64 symbols at a time and without a branch for each symbol.
//!
//! Byte permutes look up values and lengths of codewords. Shifts join neighbours, so that each of
//! the eight lanes holds the codewords of eight symbols. A second shift moves each lane to its
//! position within a byte, and a compressing move brings the complete bytes of all lanes together.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
use fearless_simd::x86::Avx512;

use crate::entropy::huffman::bytes::{Codes, write_scalar};
use crate::entropy::huffman::stream_writer::StreamWriter;
use crate::entropy::huffman::weights::CodeLengths;
use crate::entropy::{STREAMS, SYMBOLS};
use crate::prefetch::Ahead;

/// Below this length of a plane, the preparation of tables costs more than vectors save.
pub(crate) const SHORTEST: usize = 1024;

/// Bytes of a vector.
const LANES: usize = 64;
/// Most bits of a lane.
const LONGEST_LANE: i64 = 63;
/// Fewest bits of a lane, which complete a byte.
const SHORTEST_LANE: i64 = 8;
/// Most bits of two symbols in two bytes.
const LONGEST_PAIR: i16 = 16;
/// Mean length of codewords in bits up to which 16 symbols nearly always fit in a lane.
const SHORTEST_CODES: f32 = 3.0;
/// Mean length of codewords in bits up to which pairs nearly always fit in two bytes.
const SHORT_CODES: f32 = 4.5;

/// How to find the codeword of a symbol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Index {
    /// By the symbol modulo the length of a vector, because no two symbols are equal.
    Narrow,
    /// By the rank of the symbol, which is less than the length of a vector.
    Few,
    /// By the symbol.
    Wide,
}

impl Index {
    fn of(lens: &[u8; SYMBOLS]) -> Self {
        let mut equal = [0; LANES];
        for lens in lens.as_chunks::<LANES>().0 {
            for (equal, &len) in equal.iter_mut().zip(lens) {
                *equal += u8::from(len > 0);
            }
        }
        let count: usize = equal.iter().map(|&equal| usize::from(equal)).sum();
        match equal.iter().all(|&equal| equal <= 1) {
            true => Self::Narrow,
            false if count <= LANES => Self::Few,
            false => Self::Wide,
        }
    }
}

/// Tables to load into vectors.
struct Tables {
    /// Values and lengths of codewords.
    codes: [[u8; SYMBOLS]; 2],
    /// The index of each symbol, if it is its rank.
    ranks: [u8; SYMBOLS],
}

impl Tables {
    fn new(codes: &Codes, index: Index) -> Self {
        let mut tables = Self { codes: [codes.values, codes.lens], ranks: [0; SYMBOLS] };
        match index {
            Index::Narrow => tables.fold(),
            Index::Few => tables.rank(codes),
            Index::Wide => {}
        }
        tables
    }

    /// Moves all codewords to the first vector, by symbol modulo its length.
    fn fold(&mut self) {
        for table in &mut self.codes {
            let (first, others) = table.split_at_mut(LANES);
            for other in others.as_chunks::<LANES>().0 {
                for (folded, &value) in first.iter_mut().zip(other) {
                    *folded |= value;
                }
            }
        }
    }

    /// Ranks the symbols that have codewords, and moves the codewords to their ranks.
    fn rank(&mut self, codes: &Codes) {
        let coded = (0..SYMBOLS).filter(|&symbol| codes.lens[symbol] > 0);
        for (rank, symbol) in coded.enumerate() {
            self.ranks[symbol] = rank as u8;
            let [values, lens] = &mut self.codes;
            (values[rank], lens[rank]) = (codes.values[symbol], codes.lens[symbol]);
        }
    }
}

/// Encodes the four streams of a plane and their end marks.
pub(crate) fn encode(
    token: Avx512,
    plane: &[u8],
    code: &CodeLengths,
    writers: [StreamWriter<'_>; STREAMS],
    ahead: &mut Ahead<'_>,
) {
    let codes = Codes::new(code);
    let index = Index::of(&codes.lens);
    let tables = Tables::new(&codes, index);
    let coded_bits: usize = writers.iter().map(|writer| writer.room_len() * 8).sum();
    let mean = coded_bits as f32 / plane.len() as f32;
    let encode_stream = match (index, mean) {
        (Index::Narrow, ..SHORTEST_CODES) => encode_narrow_shortest,
        (Index::Narrow, ..SHORT_CODES) => encode_narrow_short,
        (Index::Narrow, _) => encode_narrow_long,
        (Index::Few, ..SHORTEST_CODES) => encode_few_shortest,
        (Index::Few, ..SHORT_CODES) => encode_few_short,
        (Index::Few, _) => encode_few_long,
        (Index::Wide, ..SHORT_CODES) => encode_wide_short,
        (Index::Wide, _) => encode_wide_long,
    };
    for (stream, writer) in plane.chunks(plane.len().div_ceil(STREAMS)).zip(writers) {
        encode_stream(token, stream, &tables, &codes, writer, ahead);
    }
}

/// Order of the bytes of a vector of which [`join_short`] joins neighbours: last symbol first.
const SHORT_ORDER: [u8; LANES] = {
    let mut order = [0; LANES];
    let mut at = 0;
    while at < LANES {
        order[at] = (LANES - 1 - at) as u8;
        at += 1;
    }
    order
};

/// Order of the bytes of a vector for [`join_long`].
///
/// The first four symbols of a lane, last symbol first, are in its even bytes, the others in its
/// odd bytes.
const LONG_ORDER: [u8; LANES] = {
    let mut order = [0; LANES];
    let mut at = 0;
    while at < LANES {
        let (lane, byte) = (at / 8 * 8, at % 8);
        order[at] = (LANES - 1 - (lane + byte / 2 + byte % 2 * 4)) as u8;
        at += 1;
    }
    order
};

/// Order of the lanes of two vectors for [`join_shortest`]: every other lane, last lane first.
const ALTERNATE_LANES: [[u64; 8]; 2] = [[15, 13, 11, 9, 7, 5, 3, 1], [14, 12, 10, 8, 6, 4, 2, 0]];

/// [`Tables`] in vectors: values and lengths, and ranks.
struct LoadedTables {
    codes: [[__m512i; 4]; 2],
    ranks: [__m512i; 4],
}

/// Loads a table of 256 bytes as four vectors.
macro_rules! load_table {
    ($token:ident, $table:expr) => {{
        let parts: [__m512i; 4] = core::array::from_fn(|part| {
            u8x64::from_slice($token, &$table[part * LANES..][..LANES]).into()
        });
        parts
    }};
}

/// Looks 64 symbols up in a table of 256 bytes.
macro_rules! look_up {
    ($symbols:ident, $table:expr) => {
        _mm512_mask_blend_epi8(
            _mm512_movepi8_mask($symbols),
            _mm512_permutex2var_epi8($table[0], $symbols, $table[1]),
            _mm512_permutex2var_epi8($table[2], $symbols, $table[3]),
        )
    };
}

/// Looks values and lengths of 64 symbols up.
macro_rules! look_up_codes {
    (narrow, $symbols:ident, $tables:ident) => {
        $tables.codes.map(|table| _mm512_permutexvar_epi8($symbols, table[0]))
    };
    (few, $symbols:ident, $tables:ident) => {{
        let ranks = look_up!($symbols, $tables.ranks);
        $tables.codes.map(|table| _mm512_permutexvar_epi8(ranks, table[0]))
    }};
    (wide, $symbols:ident, $tables:ident) => {
        $tables.codes.map(|table| look_up!($symbols, table))
    };
}

// Shifts by variable numbers of bits are funnel shifts and rotations here. Nothing that is shifted
// out matters, and the compiler surrounds plain shifts with comparisons.

/// Joins the codewords of each lane's eight bytes, where nearly all pairs are short.
///
/// Evaluates to the bits, and to a mask that is not zero if a pair is too long.
macro_rules! join_short {
    ($values:ident, $lens:ident) => {{
        let zero = _mm512_setzero_si512();
        let byte = _mm512_set1_epi16(0xff);
        let half = _mm512_set1_epi32(0xffff);
        let word = _mm512_set1_epi64(0xffff_ffff);
        let second = _mm512_srli_epi16::<8>($values);
        let second = _mm512_shldv_epi16(second, zero, _mm512_and_si512($lens, byte));
        let pairs = _mm512_ternarylogic_epi32::<0xf8>(second, $values, byte);
        let pair_lens = _mm512_maddubs_epi16($lens, _mm512_set1_epi8(1));
        let second = _mm512_srli_epi32::<16>(pairs);
        let second = _mm512_rolv_epi32(second, _mm512_and_si512(pair_lens, half));
        let quads = _mm512_ternarylogic_epi32::<0xf8>(second, pairs, half);
        let quad_lens = _mm512_madd_epi16(pair_lens, _mm512_set1_epi16(1));
        let second = _mm512_srli_epi64::<32>(quads);
        let second = _mm512_rolv_epi64(second, _mm512_and_si512(quad_lens, word));
        let octets = _mm512_ternarylogic_epi32::<0xf8>(second, quads, word);
        let longest = _mm512_set1_epi16(LONGEST_PAIR);
        (octets, u64::from(_mm512_cmpgt_epi16_mask(pair_lens, longest)))
    }};
}

/// Joins four codewords of each lane twice: those in the even bytes, and those in the odd bytes,
/// which follow them in the stream.
///
/// Evaluates to the bits and the lengths of both. Multiplications join two codewords in twice the
/// space, so that codewords of any length fit.
macro_rules! join_quads {
    ($values:ident, $lens:ident) => {{
        let zero = _mm512_setzero_si512();
        let byte = _mm512_set1_epi16(0xff);
        let one = _mm512_set1_epi16(1);
        let word = _mm512_set1_epi64(0xffff_ffff);
        let quads = |values: __m512i, lens: __m512i| {
            let powers =
                _mm512_shldv_epi16(one, _mm512_setzero_si512(), _mm512_slli_epi32::<16>(lens));
            let pairs = _mm512_madd_epi16(values, powers);
            let pair_lens = _mm512_madd_epi16(lens, one);
            let second = _mm512_srli_epi64::<32>(pairs);
            let second = _mm512_rolv_epi64(second, _mm512_and_si512(pair_lens, word));
            _mm512_ternarylogic_epi64::<0xf8>(second, pairs, word)
        };
        let first_lens = _mm512_and_si512($lens, byte);
        let second_lens = _mm512_srli_epi16::<8>($lens);
        let first = quads(_mm512_and_si512($values, byte), first_lens);
        let second = quads(_mm512_srli_epi16::<8>($values), second_lens);
        ([first, second], [_mm512_sad_epu8(first_lens, zero), _mm512_sad_epu8(second_lens, zero)])
    }};
}

/// Joins the codewords of each lane's eight bytes, in the order of [`LONG_ORDER`].
macro_rules! join_long {
    ($values:ident, $lens:ident) => {{
        let ([first, second], [first_len, _]) = join_quads!($values, $lens);
        (_mm512_or_si512(_mm512_rolv_epi64(second, first_len), first), 0_u64)
    }};
}

/// Interleaves the lanes of two vectors.
macro_rules! interleave {
    ($vectors:expr) => {{
        let [even, odd] = $vectors;
        let lower = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
        let upper = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
        [_mm512_permutex2var_epi64(even, lower, odd), _mm512_permutex2var_epi64(even, upper, odd)]
    }};
}

/// Returns a mask of the lanes that are too long.
macro_rules! long_lanes {
    ($lens:ident) => {
        u64::from(_mm512_cmpgt_epi64_mask($lens, _mm512_set1_epi64(LONGEST_LANE)))
    };
}

/// Returns a mask of the lanes that are too short for [`append`].
macro_rules! short_lanes {
    ($lens:ident) => {
        u64::from(_mm512_cmplt_epi64_mask($lens, _mm512_set1_epi64(SHORTEST_LANE)))
    };
}

/// Defines how the codewords of a group of symbols become the bits of lanes.
///
/// Evaluates to the bits and the lengths of the lanes, last symbol first, and to whether a pair or a
/// lane is too long.
macro_rules! join {
    (shortest, $span:ident, $token:ident, $tables:ident) => {
        |group: &[u8; 2 * LANES]| {
            let [first, second]: [__m512i; 2] =
                [0, LANES].map(|at| u8x64::from_slice($token, &group[at..at + LANES]).into());
            let reversed = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
            let [even, odd] = ALTERNATE_LANES.map(|order| {
                let order: __m512i =
                    u8x64::from_slice($token, bytemuck::cast_slice(&order[..])).into();
                let symbols = _mm512_permutex2var_epi64(first, order, second);
                let symbols = _mm512_shuffle_epi8(symbols, reversed);
                let [values, lens] = look_up_codes!($span, symbols, $tables);
                let (bits, long_pairs) = join_short!(values, lens);
                (bits, _mm512_sad_epu8(lens, _mm512_setzero_si512()), long_pairs)
            });
            let bits = _mm512_or_si512(_mm512_rolv_epi64(odd.0, even.1), even.0);
            let lens = _mm512_add_epi64(even.1, odd.1);
            (bits, lens, even.2 | odd.2 | long_lanes!(lens) != 0)
        }
    };
    (short, $span:ident, $token:ident, $tables:ident) => {
        join!(@one SHORT_ORDER, join_short, $span, $token, $tables)
    };
    (long, $span:ident, $token:ident, $tables:ident) => {
        join!(@one LONG_ORDER, join_long, $span, $token, $tables)
    };
    (@one $order:ident, $join:ident, $span:ident, $token:ident, $tables:ident) => {
        |group: &[u8; LANES]| {
            let order: __m512i = u8x64::from_slice($token, &$order).into();
            let symbols: __m512i = u8x64::from_slice($token, group).into();
            let symbols = _mm512_permutexvar_epi8(order, symbols);
            let [values, lens] = look_up_codes!($span, symbols, $tables);
            let (bits, long_pairs) = $join!(values, lens);
            let lens = _mm512_sad_epu8(lens, _mm512_setzero_si512());
            (bits, lens, long_pairs | long_lanes!(lens) != 0)
        }
    };
}

/// Returns a writer that continues after the last lane.
macro_rules! writer {
    ($token:ident, $room:ident, $left:ident, $position:ident) => {{
        let last = |vector: __m512i| {
            let mut lanes = [0_u64; 8];
            let vector: u8x64<Avx512> = vector.simd_into($token);
            vector.store_slice(bytemuck::cast_slice_mut(&mut lanes));
            lanes[7]
        };
        StreamWriter::from_parts($room, last($left), last($position) % 8)
    }};
}

/// Appends the bits of lanes to a stream. Each lane has at least [`SHORTEST_LANE`] bits.
///
/// `$left` holds the bits of each lane after its complete bytes, with which the next lane begins.
/// The lowest three bits of `$position`, the same in all lanes, are the number of bits that the last
/// lane left.
macro_rules! append {
    ($token:ident, $bits:ident, $lens:ident, $room:ident, $left:ident, $position:ident) => {{
        let zero = _mm512_setzero_si512();
        let seven = _mm512_set1_epi64(7);
        let two = _mm512_add_epi64($lens, _mm512_alignr_epi64::<7>($lens, zero));
        let four = _mm512_add_epi64(two, _mm512_alignr_epi64::<6>(two, zero));
        let ends = _mm512_add_epi64(four, _mm512_alignr_epi64::<4>(four, zero));
        let starts = _mm512_add_epi64(_mm512_sub_epi64(ends, $lens), $position);
        $position = _mm512_add_epi64($position, _mm512_permutexvar_epi64(seven, ends));
        // The bits of a lane begin within its first byte.
        let start = _mm512_and_si512(starts, seven);
        let end = _mm512_add_epi64(start, $lens);
        let shifted = _mm512_shldv_epi64($bits, zero, start);
        let left_len = _mm512_and_si512(end, seven);
        let left = _mm512_shrdv_epi64($bits, zero, _mm512_sub_epi64($lens, left_len));
        let bytes = _mm512_or_si512(shifted, _mm512_alignr_epi64::<7>(left, $left));
        $left = left;
        // A byte is complete if its lane ends at this bit or later.
        let complete_from = _mm512_set1_epi64(0x4038_3028_2018_1008);
        let first_byte_of_lane = _mm512_set4_epi32(0x0808_0808, 0x0808_0808, 0, 0);
        let end = _mm512_shuffle_epi8(end, first_byte_of_lane);
        let complete = _mm512_cmpge_epu8_mask(end, complete_from);
        // The form that keeps the destination does not wait for it.
        let bytes = _mm512_mask_compress_epi8(bytes, complete, bytes);
        let bytes: u8x64<Avx512> = bytes.simd_into($token);
        let len = complete.count_ones() as usize;
        if let Some(window) = $room.first_chunk_mut::<LANES>() {
            bytes.store_slice(window);
        } else {
            let mut window = [0; LANES];
            bytes.store_slice(&mut window);
            $room[..len].copy_from_slice(&window[..len]);
        }
        $room = &mut $room[len..];
    }};
}

/// Appends the codewords of 64 symbols of any lengths to a stream.
macro_rules! append_part {
    ($token:ident, $quads:ident, $part:ident, $codes:ident, $room:ident, $left:ident, $position:ident) => {{
        let ([first, second], [first_len, second_len]) = $quads($part);
        let lens = _mm512_add_epi64(first_len, second_len);
        if long_lanes!(lens) == 0 {
            let bits = _mm512_or_si512(_mm512_rolv_epi64(second, first_len), first);
            append!($token, bits, lens, $room, $left, $position);
        } else if short_lanes!(first_len) | short_lanes!(second_len) != 0 {
            let writer = writer!($token, $room, $left, $position);
            let (room, bits, len) = write_scalar($part, $codes, writer).into_parts();
            $room = room;
            $left = _mm512_set1_epi64(bits as i64);
            $position = _mm512_set1_epi64(len as i64);
        } else {
            let [lower, upper] = interleave!([first, second]);
            let [lower_lens, upper_lens] = interleave!([first_len, second_len]);
            append!($token, lower, lower_lens, $room, $left, $position);
            append!($token, upper, upper_lens, $room, $left, $position);
        }
    }};
}

/// Defines a function that encodes a stream and its end mark.
macro_rules! encoder {
    ($name:ident, $span:ident, $codes:ident) => {
        fearless_simd::kernel!(
            #[inline(never)]
            fn $name(
                token: Avx512,
                stream: &[u8],
                tables: &Tables,
                codes: &Codes,
                writer: StreamWriter<'_>,
                ahead: &mut Ahead<'_>,
            ) {
                let mut lines = core::mem::take(ahead);
                let tables = LoadedTables {
                    codes: tables.codes.map(|table| load_table!(token, table)),
                    ranks: load_table!(token, tables.ranks),
                };
                let join = join!($codes, $span, token, tables);
                let order: __m512i = u8x64::from_slice(token, &LONG_ORDER).into();
                let quads = |part: &[u8; LANES]| {
                    let symbols: __m512i = u8x64::from_slice(token, part).into();
                    let symbols = _mm512_permutexvar_epi8(order, symbols);
                    let [values, lens] = look_up_codes!($span, symbols, tables);
                    join_quads!(values, lens)
                };
                let [mut left, mut position] = [_mm512_setzero_si512(); 2];
                let (mut room, _, _) = writer.into_parts();
                let (head, groups) = stream.as_rchunks();
                let (head, last_parts) = head.as_rchunks();
                for group in groups.iter().rev() {
                    for _ in 0..group.len() / LANES {
                        lines.step();
                    }
                    let (bits, lens, is_long) = join(group);
                    if is_long {
                        for part in group.as_chunks().0.iter().rev() {
                            append_part!(token, quads, part, codes, room, left, position);
                        }
                    } else {
                        append!(token, bits, lens, room, left, position);
                    }
                }
                for part in last_parts.iter().rev() {
                    append_part!(token, quads, part, codes, room, left, position);
                }
                let writer = writer!(token, room, left, position);
                write_scalar(head, codes, writer).finish();
                *ahead = lines;
            }
        );
    };
}
encoder!(encode_narrow_shortest, narrow, shortest);
encoder!(encode_narrow_short, narrow, short);
encoder!(encode_narrow_long, narrow, long);
encoder!(encode_few_shortest, few, shortest);
encoder!(encode_few_short, few, short);
encoder!(encode_few_long, few, long);
encoder!(encode_wide_short, wide, short);
encoder!(encode_wide_long, wide, long);

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::entropy::histogram;
    use crate::entropy::huffman::encode::{Coding, plan};
    use crate::entropy::huffman::pair_table::PairTable;
    use crate::simd::Kernels;

    /// Returns symbols from `lowest` on, about half of which are the first, and so on, down to
    /// `steps` halvings. A share of them is spread evenly over `span` values.
    fn symbols(len: usize, lowest: u8, span: u64, steps: u32, spread_of_256: u64) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state ^ state >> 29
        };
        let mut symbol = || match random() >> 40 & 0xff {
            spread if spread < spread_of_256 => (random() >> 32) % span,
            _ => u64::from((random() >> 20 | 1 << steps).trailing_zeros()) % span,
        };
        (0..len).map(|_| lowest.wrapping_add(symbol() as u8)).collect()
    }

    fn encoded(plane: &[u8], kernels: Kernels) -> Option<Vec<u8>> {
        let mut counts = [[0; SYMBOLS]; STREAMS];
        histogram::count(plane, &mut counts);
        let Coding::Streams(plan) = plan(&counts, plane.len()) else { return None };
        let mut coded = vec![0; plan.size()];
        plan.encode_with(
            kernels,
            plane,
            &mut coded,
            &mut PairTable::needed(),
            &mut Ahead::default(),
        );
        Some(coded)
    }

    /// Compares all levels, at lengths that leave every kind of rest.
    #[test]
    fn every_level_writes_the_same_bytes() {
        let lengths = (12..80).chain([255, 256, 257, 1021, 4096, 70_001, 131_070, 131_072]);
        let mut compared = 0;
        for len in lengths {
            for (lowest, span, steps, spread) in [
                (100, 50, 20, 0),
                (100, 64, 20, 3),
                (100, 64, 6, 40),
                (220, 64, 8, 120),
                (220, 64, 20, 3),
                (0, 64, 3, 256),
                (0, 256, 20, 1),
                (0, 256, 12, 60),
                (0, 256, 6, 200),
                (0, 200, 1, 256),
            ] {
                compared += compare(&symbols(len, lowest, span, steps, spread));
            }
        }
        assert!(compared > 400, "only {compared} planes were coded");
    }

    /// Long codewords come in runs, between symbols with short ones.
    #[test]
    fn every_level_codes_runs_of_long_codewords() {
        let mut compared = 0;
        for (run, period) in [(1, 9), (5, 30), (8, 64), (70, 400), (300, 2000), (900, 30_000)] {
            for steps in [1, 2, 6, 20] {
                let spread = symbols(70_000, 0, 256, 1, 256);
                let frequent = symbols(70_000, 30, 64, steps, 0);
                let plane: Vec<u8> = (0..70_000)
                    .map(|at| if at % period < run { spread[at] } else { frequent[at] })
                    .collect();
                compared += compare(&plane);
            }
        }
        assert!(compared > 20, "only {compared} planes were coded");
    }

    #[test]
    fn every_level_codes_every_alphabet() {
        let mut compared = 0;
        for values in 1..=256 {
            for (lowest, steps, spread) in [(0, 20, 40), (128, 4, 100), (77, 7, 220)] {
                compared += compare(&symbols(5000, lowest, values, steps, spread));
            }
        }
        assert!(compared > 600, "only {compared} planes were coded");
    }

    /// Rare symbols in a row are too long for the lanes of a vector.
    #[test]
    fn every_level_codes_rare_symbols_in_a_row() {
        for (lowest, span) in [(100, 64), (220, 64), (0, 256)] {
            let mut plane = symbols(100_000, lowest, span, 3, 0);
            let rare = symbols(2000, lowest, span, 1, 256);
            for (start, len) in [(0, 100), (24_900, 150), (49_000, 500), (99_000, 1000)] {
                plane[start..start + len].copy_from_slice(&rare[..len]);
            }
            assert_eq!(compare(&plane), 1);
        }
    }

    /// Returns the number of coded planes: 1, or 0 if the plane is not worth a code.
    fn compare(plane: &[u8]) -> u32 {
        let expected = encoded(plane, Kernels::Scalar);
        for (level, kernels) in Kernels::all() {
            assert!(encoded(plane, kernels) == expected, "{level}: {} symbols", plane.len());
        }
        expected.is_some().into()
    }
}
