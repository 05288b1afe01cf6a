//! Encodes planes with AVX2, 32 symbols at a time.
//!
//! Byte shuffles look up values and lengths of codewords, 16 symbols in each shuffle. Multiplications
//! and shifts join neighbours, so that each lane holds the codewords of eight symbols, or of 16 if
//! they are short. A scalar writer appends the lanes.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x32;
use fearless_simd::x86::Avx2;

use crate::entropy::huffman::avx2_pairs;
use crate::entropy::huffman::bytes::{Codes, write_scalar};
use crate::entropy::huffman::pair_table::PairTable;
use crate::entropy::huffman::stream_writer::{self, StreamWriter};
use crate::entropy::huffman::weights::CodeLengths;
use crate::entropy::{STREAMS, SYMBOLS};
use crate::prefetch::Ahead;

/// Below this length of a plane, the preparation of tables costs more than vectors save.
pub(crate) const SHORTEST: usize = 1024;

/// Bytes of a vector.
const LANES: usize = 32;
/// Symbols of a lane.
const LANE: usize = 8;
/// Symbols that one shuffle looks up.
const BLOCK: usize = 16;
/// Maximum number of blocks that are looked up.
const MAX_BLOCKS: usize = 8;
/// Most bits of a lane, so that the bits of an incomplete byte fit as well.
const LONGEST_LANE: i32 = 56;
/// Most bits of two symbols in two bytes.
const LONGEST_PAIR: i16 = 16;
/// Mean length of codewords in bits up to which 16 symbols nearly always fit in a lane.
const SHORTEST_CODES: f32 = 3.0;
/// Mean length of codewords in bits up to which pairs nearly always fit in two bytes.
const SHORT_CODES: f32 = 4.5;

/// Number of symbols of a plane in each block of 16 values.
pub(crate) type BlockCounts = [u32; SYMBOLS / BLOCK];

/// Returns the number of symbols in each block.
pub(crate) fn block_counts(counts: &[u32; SYMBOLS]) -> BlockCounts {
    core::array::from_fn(|block| counts[block * BLOCK..][..BLOCK].iter().sum())
}

/// The blocks that are looked up.
enum Blocks {
    /// The values from the lowest symbol on.
    Near(u8),
    /// Blocks of values with the same high four bits, most frequent first.
    Far([u8; MAX_BLOCKS], usize),
}

impl Blocks {
    /// Chooses the blocks; returns `None` if too many symbols are in others.
    fn of(code: &CodeLengths, counts: &BlockCounts) -> Option<Self> {
        /// The share of symbols in other blocks that takes less time than looking up two blocks
        /// more.
        const FEW: u32 = 1024;
        /// The share of symbols in other blocks at which vectors save no time.
        const MANY: u32 = 256;
        let coded = code.coded();
        if coded.len() <= 2 * BLOCK {
            return Some(Self::Near(coded.start as u8));
        }
        let total: u32 = counts.iter().sum();
        let mut order: [u8; SYMBOLS / BLOCK] = core::array::from_fn(|block| block as u8);
        order.sort_unstable_by_key(|&block| u32::MAX - counts[usize::from(block)]);
        let others = |len: usize| -> u32 {
            order[len..].iter().map(|&block| counts[usize::from(block)]).sum()
        };
        let len = [4, 6, MAX_BLOCKS].into_iter().find(|&len| others(len) <= total / FEW);
        let len = len.or_else(|| (others(MAX_BLOCKS) <= total / MANY).then_some(MAX_BLOCKS))?;
        let mut blocks = [0; MAX_BLOCKS];
        blocks[..len].copy_from_slice(&order[..len]);
        Some(Self::Far(blocks, len))
    }

    /// Returns whether looking up pairs in a table takes less time.
    fn are_many(&self) -> bool {
        matches!(self, Self::Far(_, 6..))
    }
}

/// Tables to load into vectors.
struct Tables {
    /// The number of each block times 16, by the high four bits of symbols. Other symbols have the
    /// highest bit set.
    numbers: [u8; BLOCK],
    lowest: u8,
    /// Values and lengths of codewords. Each block holds the exclusive or with the block before it,
    /// because a symbol is also looked up in all blocks before its own.
    codes: [[[u8; BLOCK]; MAX_BLOCKS]; 2],
}

impl Tables {
    fn new(codes: &Codes, blocks: &Blocks) -> Self {
        let mut tables =
            Self { numbers: [1 << 7; BLOCK], lowest: 0, codes: [[[0; BLOCK]; MAX_BLOCKS]; 2] };
        match *blocks {
            Blocks::Near(lowest) => {
                tables.lowest = lowest;
                for number in 0..2 {
                    tables.fill(codes, number, usize::from(lowest) + number * BLOCK);
                }
            }
            Blocks::Far(blocks, len) => {
                for (number, &block) in blocks[..len].iter().enumerate() {
                    tables.numbers[usize::from(block)] = (number * BLOCK) as u8;
                    tables.fill(codes, number, usize::from(block) * BLOCK);
                }
            }
        }
        for tables in &mut tables.codes {
            for number in (1..MAX_BLOCKS).rev() {
                let before = tables[number - 1];
                for (value, before) in tables[number].iter_mut().zip(before) {
                    *value ^= before;
                }
            }
        }
        tables
    }

    /// Sets the codewords of a block to the codewords of the symbols from `first` on.
    fn fill(&mut self, codes: &Codes, number: usize, first: usize) {
        for (tables, all) in self.codes.iter_mut().zip([&codes.values, &codes.lens]) {
            for (value, &code) in tables[number].iter_mut().zip(&all[first.min(SYMBOLS)..]) {
                *value = code;
            }
        }
    }
}

/// Encodes the four streams of a plane and their end marks.
///
/// Returns the writers if vectors would not save time.
pub(crate) fn encode<'d>(
    token: Avx2,
    plane: &[u8],
    code: &CodeLengths,
    counts: &BlockCounts,
    writers: [StreamWriter<'d>; STREAMS],
    table: &mut PairTable,
    ahead: &mut Ahead<'_>,
) -> Option<[StreamWriter<'d>; STREAMS]> {
    let blocks = Blocks::of(code, counts);
    if plane.len() >= avx2_pairs::SHORTEST
        && blocks.as_ref().is_none_or(Blocks::are_many)
        && let Some(pairs) = table.pairs()
    {
        avx2_pairs::encode(token, plane, code, writers, pairs, ahead);
        return None;
    }
    let Some(blocks) = blocks else { return Some(writers) };
    let codes = Codes::new(code);
    let tables = Tables::new(&codes, &blocks);
    let coded_bits: usize = writers.iter().map(|writer| writer.room_len() * 8).sum();
    let mean = coded_bits as f32 / plane.len() as f32;
    let encode_stream = match (blocks, mean) {
        (Blocks::Near(_), ..SHORTEST_CODES) => encode_near_shortest,
        (Blocks::Near(_), ..SHORT_CODES) => encode_near_short,
        (Blocks::Near(_), _) => encode_near_long,
        (Blocks::Far(_, 4), ..SHORTEST_CODES) => encode_far4_shortest,
        (Blocks::Far(_, 4), ..SHORT_CODES) => encode_far4_short,
        (Blocks::Far(_, 4), _) => encode_far4_long,
        (Blocks::Far(_, 6), _) => encode_far6_long,
        (Blocks::Far(..), _) => encode_far8_long,
    };
    for (stream, writer) in plane.chunks(plane.len().div_ceil(STREAMS)).zip(writers) {
        encode_stream(token, stream, &tables, &codes, writer, ahead);
    }
    None
}

/// Powers of two by their exponent, as the low byte of two; zero for exponents from eight on.
///
/// The high byte of 2^*n* has the index *n* ^ 8.
const POWERS: [u8; BLOCK] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];
/// Turns lengths in both bytes of a number to indices of [`POWERS`].
const POWER_INDICES: i16 = 0x0800;
/// Duplicates the odd bytes.
const ODD_TWICE: [u8; BLOCK] = [1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15];
/// Orders the symbols of each lane for [`join_long`]: the last four, last first, in the even bytes,
/// the others in the odd bytes.
const LONG_ORDER: [u8; BLOCK] = [7, 3, 6, 2, 5, 1, 4, 0, 15, 11, 14, 10, 13, 9, 12, 8];
/// Moves the first even byte of four to the last two, and clears the first two.
const EVEN_POWERS: [u8; BLOCK] = [255, 255, 0, 0, 255, 255, 4, 4, 255, 255, 8, 8, 255, 255, 12, 12];
/// Moves the first odd byte of four to the last two, and clears the first two.
const ODD_POWERS: [u8; BLOCK] = [255, 255, 1, 1, 255, 255, 5, 5, 255, 255, 9, 9, 255, 255, 13, 13];

/// Loads a table of 16 bytes into both halves of a vector.
macro_rules! load_table {
    ($token:ident, $table:expr) => {{
        let table: &[u8; BLOCK] = &$table;
        let mut twice = [0; LANES];
        let (first, second) = twice.split_at_mut(BLOCK);
        first.copy_from_slice(table);
        second.copy_from_slice(table);
        let vector: __m256i = u8x32::from_slice($token, &twice).into();
        vector
    }};
}

/// Returns the four lanes of a vector.
macro_rules! lanes {
    ($token:ident, $vector:expr) => {{
        let mut lanes = [0_u64; LANES / LANE];
        let vector: u8x32<Avx2> = $vector.simd_into($token);
        vector.store_slice(bytemuck::cast_slice_mut(&mut lanes));
        lanes
    }};
}

/// Appends up to [`LONGEST_LANE`] bits.
macro_rules! push {
    ($writer:ident, $bits:expr, $len:expr) => {{
        $writer = stream_writer::append($writer, $bits, $len);
    }};
}

/// Appends the codewords of a lane one by one.
macro_rules! push_scalar {
    ($writer:ident, $symbols:expr, $codes:ident) => {{
        let (room, pending, pending_len) = $writer;
        let writer = StreamWriter::from_parts(room, pending, pending_len);
        $writer = write_scalar($symbols, $codes, writer).into_parts();
    }};
}

/// Returns the block number and the low four bits of symbols as the index for look-ups.
macro_rules! index {
    (near, $symbols:ident, $lowest:ident, $numbers:ident) => {
        _mm256_sub_epi8($symbols, $lowest)
    };
    (far, $symbols:ident, $lowest:ident, $numbers:ident) => {{
        let nibble = _mm256_set1_epi8(15);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>($symbols), nibble);
        let number = _mm256_shuffle_epi8($numbers, high);
        _mm256_or_si256(number, _mm256_and_si256($symbols, nibble))
    }};
}

/// Joins the codewords of each lane's symbols, where nearly all pairs are short.
///
/// Evaluates to the bits of the lanes, and to ones for pairs that are too long.
macro_rules! join_short {
    ($values:ident, $lens:ident, $odd_twice:ident, $powers:ident) => {{
        let byte = _mm256_set1_epi16(0xff);
        let word = _mm256_set1_epi32(0xffff);
        let indices = _mm256_shuffle_epi8($lens, $odd_twice);
        let indices = _mm256_xor_si256(indices, _mm256_set1_epi16(POWER_INDICES));
        let powers = _mm256_shuffle_epi8($powers, indices);
        let first = _mm256_mullo_epi16(_mm256_and_si256($values, byte), powers);
        let pairs = _mm256_or_si256(first, _mm256_srli_epi16::<8>($values));
        let pair_lens = _mm256_maddubs_epi16($lens, _mm256_set1_epi8(1));
        let first = _mm256_and_si256(pairs, word);
        let first = _mm256_sllv_epi32(first, _mm256_srli_epi32::<16>(pair_lens));
        let quads = _mm256_or_si256(first, _mm256_srli_epi32::<16>(pairs));
        let quad_lens = _mm256_madd_epi16(pair_lens, _mm256_set1_epi16(1));
        let first = _mm256_blend_epi32::<0b1010_1010>(quads, _mm256_setzero_si256());
        let first = _mm256_sllv_epi64(first, _mm256_srli_epi64::<32>(quad_lens));
        let octets = _mm256_or_si256(first, _mm256_srli_epi64::<32>(quads));
        (octets, _mm256_cmpgt_epi16(pair_lens, _mm256_set1_epi16(LONGEST_PAIR)))
    }};
}

/// Joins four codewords in even bytes to quads, first codeword lowest.
macro_rules! join_quads {
    ($values:expr, $lens:expr, $indices:ident, $all_lens:ident, $powers:ident) => {{
        let indices = _mm256_shuffle_epi8($all_lens, $indices);
        let indices = _mm256_xor_si256(indices, _mm256_set1_epi16(POWER_INDICES));
        let powers = _mm256_shuffle_epi8($powers, indices);
        let pairs = _mm256_madd_epi16($values, powers);
        let pair_lens = _mm256_madd_epi16($lens, _mm256_set1_epi16(1));
        let zero = _mm256_setzero_si256();
        let second = _mm256_srli_epi64::<32>(pairs);
        let second = _mm256_sllv_epi64(second, _mm256_blend_epi32::<0b1010_1010>(pair_lens, zero));
        _mm256_or_si256(second, _mm256_blend_epi32::<0b1010_1010>(pairs, zero))
    }};
}

/// Encodes a group of 32 symbols.
macro_rules! encode_group {
    (shortest, $($argument:ident),*) => { encode_group!(@short true, $($argument),*) };
    (short, $($argument:ident),*) => { encode_group!(@short false, $($argument),*) };
    (@short $in_two:literal, $token:ident, $group:ident, $symbols:ident, $values:ident,
        $lens:ident, $codes:ident, $writer:ident, $powers:ident, $odd_twice:ident,
        $even_powers:ident, $odd_powers:ident, $is_near:ident) => {{
        let (bits, too_long) = join_short!($values, $lens, $odd_twice, $powers);
        let bit_lens = _mm256_sad_epu8($lens, _mm256_setzero_si256());
        let absent = _mm256_cmpeq_epi8($lens, _mm256_setzero_si256());
        let too_long = if $is_near { too_long } else { _mm256_or_si256(too_long, absent) };
        let longest = _mm256_set1_epi32(LONGEST_LANE);
        // The second lane of each half has the later symbols.
        let (unit_bits, unit_lens) = if $in_two {
            let second_lens = _mm256_bsrli_epi128::<8>(bit_lens);
            let first = _mm256_sllv_epi64(bits, second_lens);
            let second = _mm256_bsrli_epi128::<8>(bits);
            (_mm256_or_si256(first, second), _mm256_add_epi64(bit_lens, second_lens))
        } else {
            (bits, bit_lens)
        };
        let bad = _mm256_or_si256(too_long, _mm256_cmpgt_epi32(unit_lens, longest));
        if _mm256_testz_si256(bad, bad) == 1 {
            let (bits, lens) = (lanes!($token, unit_bits), lanes!($token, unit_lens));
            if $in_two {
                push!($writer, bits[2], lens[2]);
                push!($writer, bits[0], lens[0]);
            } else {
                push!($writer, bits[3], lens[3]);
                push!($writer, bits[2], lens[2]);
                push!($writer, bits[1], lens[1]);
                push!($writer, bits[0], lens[0]);
            }
        } else {
            let bad = _mm256_or_si256(too_long, _mm256_cmpgt_epi32(bit_lens, longest));
            let (bits, lens) = (lanes!($token, bits), lanes!($token, bit_lens));
            let bad = lanes!($token, bad);
            for lane in (0..LANES / LANE).rev() {
                if bad[lane] == 0 {
                    push!($writer, bits[lane], lens[lane]);
                } else {
                    push_scalar!($writer, &$group[lane * LANE..][..LANE], $codes);
                }
            }
        }
    }};
    (long, $token:ident, $group:ident, $symbols:ident, $values:ident, $lens:ident, $codes:ident,
        $writer:ident, $powers:ident, $odd_twice:ident, $even_powers:ident, $odd_powers:ident, $is_near:ident) => {{
        let byte = _mm256_set1_epi16(0xff);
        let even_lens = _mm256_and_si256($lens, byte);
        let last = join_quads!(
            _mm256_and_si256($values, byte), even_lens, $even_powers, $lens, $powers
        );
        let first = join_quads!(
            _mm256_srli_epi16::<8>($values), _mm256_srli_epi16::<8>($lens), $odd_powers, $lens,
            $powers
        );
        let zero = _mm256_setzero_si256();
        let last_lens = _mm256_sad_epu8(even_lens, zero);
        let bit_lens = _mm256_sad_epu8($lens, zero);
        let bits = _mm256_or_si256(_mm256_sllv_epi64(first, last_lens), last);
        let absent = _mm256_cmpeq_epi8($lens, zero);
        let longest = _mm256_set1_epi32(LONGEST_LANE);
        let bad = _mm256_cmpgt_epi32(bit_lens, longest);
        let bad = if $is_near { bad } else { _mm256_or_si256(absent, bad) };
        let (bits, lens) = (lanes!($token, bits), lanes!($token, bit_lens));
        if _mm256_testz_si256(bad, bad) == 1 {
            push!($writer, bits[3], lens[3]);
            push!($writer, bits[2], lens[2]);
            push!($writer, bits[1], lens[1]);
            push!($writer, bits[0], lens[0]);
        } else {
            let (firsts, lasts) = (lanes!($token, first), lanes!($token, last));
            let (absent, last_lens) = (lanes!($token, absent), lanes!($token, last_lens));
            for lane in (0..LANES / LANE).rev() {
                if absent[lane] != 0 {
                    push_scalar!($writer, &$group[lane * LANE..][..LANE], $codes);
                } else {
                    push!($writer, lasts[lane], last_lens[lane]);
                    push!($writer, firsts[lane], lens[lane] - last_lens[lane]);
                }
            }
        }
    }};
}

/// Moves the symbols of a group to the order in which they are joined.
macro_rules! order {
    (long, $symbols:ident, $order:ident) => {
        _mm256_shuffle_epi8($symbols, $order)
    };
    ($join:ident, $symbols:ident, $order:ident) => {
        $symbols
    };
}

/// Returns whether all symbols are in blocks.
macro_rules! is_near {
    (near) => {
        true
    };
    (far) => {
        false
    };
}

/// Defines a function that encodes a stream and its end mark.
macro_rules! encoder {
    ($name:ident, $index:ident, $blocks:literal, $join:ident) => {
        fearless_simd::kernel!(
            #[inline(never)]
            fn $name(
                token: Avx2,
                stream: &[u8],
                tables: &Tables,
                codes: &Codes,
                writer: StreamWriter<'_>,
                ahead: &mut Ahead<'_>,
            ) {
                let mut lines = core::mem::take(ahead);
                let [mut values, mut lens] = [[_mm256_setzero_si256(); $blocks]; 2];
                for number in 0..$blocks {
                    values[number] = load_table!(token, tables.codes[0][number]);
                    lens[number] = load_table!(token, tables.codes[1][number]);
                }
                let _lowest = _mm256_set1_epi8(tables.lowest as i8);
                let _numbers = load_table!(token, tables.numbers);
                let powers = load_table!(token, POWERS);
                let _odd_twice = load_table!(token, ODD_TWICE);
                let _order = load_table!(token, LONG_ORDER);
                let _even_powers = load_table!(token, EVEN_POWERS);
                let _odd_powers = load_table!(token, ODD_POWERS);
                // All symbols are in blocks that start at the lowest one.
                let is_near = is_near!($index);
                let mut parts = writer.into_parts();
                let (head, groups) = stream.as_rchunks::<LANES>();
                for group in groups.iter().rev() {
                    lines.step();
                    let symbols: __m256i = u8x32::from_slice(token, group).into();
                    let symbols = order!($join, symbols, _order);
                    let mut index = index!($index, symbols, _lowest, _numbers);
                    let mut group_values = _mm256_shuffle_epi8(values[0], index);
                    let mut group_lens = _mm256_shuffle_epi8(lens[0], index);
                    for number in 1..$blocks {
                        // Saturates, so that indices below the block select zero.
                        index = _mm256_subs_epi8(index, _mm256_set1_epi8(BLOCK as i8));
                        let value = _mm256_shuffle_epi8(values[number], index);
                        group_values = _mm256_xor_si256(group_values, value);
                        let len = _mm256_shuffle_epi8(lens[number], index);
                        group_lens = _mm256_xor_si256(group_lens, len);
                    }
                    encode_group!(
                        $join,
                        token,
                        group,
                        symbols,
                        group_values,
                        group_lens,
                        codes,
                        parts,
                        powers,
                        _odd_twice,
                        _even_powers,
                        _odd_powers,
                        is_near
                    );
                }
                let (room, pending, pending_len) = parts;
                let writer = StreamWriter::from_parts(room, pending, pending_len);
                write_scalar(head, codes, writer).finish();
                *ahead = lines;
            }
        );
    };
}
encoder!(encode_near_shortest, near, 2, shortest);
encoder!(encode_near_short, near, 2, short);
encoder!(encode_near_long, near, 2, long);
encoder!(encode_far4_shortest, far, 4, shortest);
encoder!(encode_far4_short, far, 4, short);
encoder!(encode_far4_long, far, 4, long);
encoder!(encode_far6_long, far, 6, long);
encoder!(encode_far8_long, far, 8, long);
