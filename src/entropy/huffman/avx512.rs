//! Codes planes with AVX-512: byte permutes look up the codes of 64 symbols at once, and shifts join
//! neighbours to units, which the scalar writer appends to a stream.
//!
//! A vector takes part in four steps: 64 codes are joined to 32 pairs, 16 quads, 8 octets and, where
//! codes are short, 4 units of 16 symbols. In a stream the last symbol comes first, so that each
//! step moves the first of two above the second.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
use fearless_simd::x86::Avx512;

use crate::entropy::huffman::code::Symbols;
use crate::entropy::huffman::stream_writer::{MAX_UNIT_BITS, StreamWriter};
use crate::entropy::{STREAMS, SYMBOLS};

/// Bytes of a vector.
const LANES: usize = 64;
/// Longest unit, in a form for comparisons.
const LONGEST_UNIT: i64 = MAX_UNIT_BITS as i64;
/// Longest pair that two bytes hold.
const LONGEST_PAIR: i16 = 16;
/// Up to so many bits a symbol, 16 symbols nearly always make a unit.
const SHORT_CODES: f32 = 3.1;
/// Up to so many bits a symbol, 8 symbols often make a unit.
const MEDIUM_CODES: f32 = 6.8;

/// Lengths of codes and their bits, by symbol.
struct Tables {
    low: [u8; SYMBOLS],
    high: [u8; SYMBOLS],
    len: [u8; SYMBOLS],
}

impl Tables {
    fn new(codes: &[Symbols; SYMBOLS]) -> Self {
        let mut tables = Self { low: [0; SYMBOLS], high: [0; SYMBOLS], len: [0; SYMBOLS] };
        for (symbol, code) in codes.iter().enumerate().filter(|(_, code)| code.len() > 0) {
            let [low, high, ..] = code.bits().to_le_bytes();
            tables.low[symbol] = low;
            tables.high[symbol] = high;
            tables.len[symbol] = code.len() as u8;
        }
        tables
    }

    /// Returns whether the symbols span at most as many values as a vector has bytes.
    fn is_narrow(&self) -> bool {
        let first = self.len.iter().position(|&len| len > 0).unwrap_or_default();
        let last = self.len.iter().rposition(|&len| len > 0).unwrap_or_default();
        last - first < LANES
    }
}

/// Folds the table of a narrow plane into one vector, indexed by the symbol modulo its length.
fn fold(table: &[u8; SYMBOLS]) -> [u8; LANES] {
    let mut folded = [0; LANES];
    for part in table.as_chunks::<LANES>().0 {
        for (folded, value) in folded.iter_mut().zip(part) {
            *folded |= value;
        }
    }
    folded
}

/// Codes the four streams of a plane and their end marks.
///
/// Two streams go hand in hand, so that neither waits for itself.
pub(crate) fn encode(
    token: Avx512,
    plane: &[u8],
    codes: &[Symbols; SYMBOLS],
    writers: [StreamWriter<'_>; STREAMS],
) {
    let tables = Tables::new(codes);
    let coded_bits: usize = writers.iter().map(|writer| writer.room_len() * 8).sum();
    let bits_a_symbol = coded_bits as f32 / plane.len() as f32;
    let encode_two = match bits_a_symbol {
        bits if tables.is_narrow() && bits < SHORT_CODES => encode_narrow16,
        bits if tables.is_narrow() && bits < MEDIUM_CODES => encode_narrow8,
        bits if bits < MEDIUM_CODES => encode_wide8,
        _ => encode_wide4,
    };
    let mut streams = plane.chunks(plane.len().div_ceil(STREAMS));
    let [first, second, third, fourth] = writers;
    for writers in [[first, second], [third, fourth]] {
        let streams = core::array::from_fn(|_| streams.next().unwrap_or_default());
        encode_two(token, streams, &tables, codes, writers);
    }
}

/// Writes the codes of symbols, last first.
///
/// Never inlined: where AVX-512 is enabled, the compiler turns look-ups into slow gathers.
#[inline(never)]
fn write_scalar<'a>(
    symbols: &[u8],
    codes: &[Symbols; SYMBOLS],
    mut writer: StreamWriter<'a>,
) -> StreamWriter<'a> {
    const RUN: usize = 5;
    let code = |[symbol]: [u8; 1]| codes[usize::from(symbol)];
    let (head, runs) = symbols.as_chunks::<1>().0.as_rchunks::<RUN>();
    for run in runs.iter().rev() {
        writer.write(run, code);
    }
    writer.write_one_by_one(head, code)
}

/// Units of a vector: their bits from the highest on, and how many.
struct Units {
    bits: [u64; 8],
    len: [u64; 8],
}

impl Units {
    const EMPTY: Self = Self { bits: [0; 8], len: [0; 8] };
}

/// Stores a vector as words.
macro_rules! store {
    ($token:ident, $vector:expr, $to:expr) => {{
        let vector: u8x64<Avx512> = $vector.simd_into($token);
        vector.store_slice(bytemuck::cast_slice_mut(&mut $to[..]));
    }};
}

/// Stores units, with their bits moved to the top.
macro_rules! store_units {
    ($token:ident, $bits:expr, $len:expr, $units:expr) => {{
        let (bits, len) = ($bits, $len);
        let unused = _mm512_sub_epi64(_mm512_set1_epi64(64), len);
        store!($token, _mm512_sllv_epi64(bits, unused), $units.bits);
        store!($token, len, $units.len);
    }};
}

/// Joins the codes of 64 symbols to units, or returns none if a code is too long for that.
macro_rules! narrow_units {
    ($token:ident, $symbols:ident, $tables:ident, $units:ident, $joined:literal) => {{
        let [low, high, len] = $tables;
        let byte = _mm512_set1_epi16(0xff);
        let symbols: __m512i = u8x64::from_slice($token, $symbols).into();
        let len = _mm512_permutexvar_epi8(symbols, len);
        let low = _mm512_permutexvar_epi8(symbols, low);
        let high = _mm512_permutexvar_epi8(symbols, high);
        // Codes of even and of odd symbols, as words of 16 bits.
        let even = _mm512_ternarylogic_epi32::<0xf8>(_mm512_slli_epi16::<8>(high), low, byte);
        let odd = _mm512_or_si512(_mm512_srli_epi16::<8>(low), _mm512_andnot_si512(byte, high));
        let shifted = _mm512_sllv_epi16(even, _mm512_srli_epi16::<8>(len));
        let pairs = _mm512_or_si512(shifted, odd);
        let pair_len = _mm512_maddubs_epi16(len, _mm512_set1_epi8(1));
        let low_word = _mm512_set1_epi32(0xffff);
        let first = _mm512_and_si512(pairs, low_word);
        let shifted = _mm512_sllv_epi32(first, _mm512_srli_epi32::<16>(pair_len));
        let quads = _mm512_or_si512(shifted, _mm512_srli_epi32::<16>(pairs));
        let quad_len = _mm512_madd_epi16(pair_len, _mm512_set1_epi16(1));
        let low_half = _mm512_set1_epi64(0xffff_ffff);
        let second_len = _mm512_srli_epi64::<32>(quad_len);
        let shifted = _mm512_sllv_epi64(_mm512_and_si512(quads, low_half), second_len);
        let octets = _mm512_or_si512(shifted, _mm512_srli_epi64::<32>(quads));
        let octet_len = _mm512_add_epi64(_mm512_and_si512(quad_len, low_half), second_len);
        let long_pairs = _mm512_cmpgt_epi16_mask(pair_len, _mm512_set1_epi16(LONGEST_PAIR));
        let longest = _mm512_set1_epi64(LONGEST_UNIT);
        if $joined {
            let second = _mm512_unpackhi_epi64(octets, octets);
            let second_len = _mm512_unpackhi_epi64(octet_len, octet_len);
            let joined = _mm512_or_si512(_mm512_sllv_epi64(octets, second_len), second);
            let joined_len = _mm512_add_epi64(octet_len, second_len);
            let long_units = _mm512_mask_cmpgt_epi64_mask(0x55, joined_len, longest);
            store_units!($token, joined, joined_len, $units);
            long_pairs == 0 && long_units == 0
        } else {
            let long_units = _mm512_cmpgt_epi64_mask(octet_len, longest);
            store_units!($token, octets, octet_len, $units);
            long_pairs == 0 && long_units == 0
        }
    }};
}

/// Defines how two streams of symbols that span at most 64 values are coded: in units of 16 symbols
/// if `$joined`, otherwise of 8. Where one is too long, 64 symbols are coded one by one.
macro_rules! narrow {
    ($name:ident, $joined:literal, $positions:expr) => {
        fearless_simd::kernel!(
            #[inline(never)]
            fn $name(
                token: Avx512,
                streams: [&[u8]; 2],
                tables: &Tables,
                codes: &[Symbols; SYMBOLS],
                writers: [StreamWriter<'_>; 2],
            ) {
                let vectors = [&tables.low, &tables.high, &tables.len]
                    .map(|table| -> __m512i { u8x64::from_slice(token, &fold(table)).into() });
                let [mut first, mut second] = writers;
                let [(head0, groups0), (head1, groups1)] =
                    streams.map(|stream| stream.as_rchunks::<LANES>());
                let common = groups0.len().min(groups1.len());
                let (rest0, both0) = groups0.split_at(groups0.len() - common);
                let (rest1, both1) = groups1.split_at(groups1.len() - common);
                let [mut units0, mut units1] = [Units::EMPTY; 2];
                for (group0, group1) in both0.iter().zip(both1).rev() {
                    let fits0 = narrow_units!(token, group0, vectors, units0, $joined);
                    let fits1 = narrow_units!(token, group1, vectors, units1, $joined);
                    if fits0 && fits1 {
                        for position in $positions {
                            first.write_bits(units0.bits[position], units0.len[position]);
                            second.write_bits(units1.bits[position], units1.len[position]);
                        }
                        continue;
                    }
                    first = write_scalar(group0, codes, first);
                    second = write_scalar(group1, codes, second);
                }
                first = write_scalar(rest0.as_flattened(), codes, first);
                second = write_scalar(rest1.as_flattened(), codes, second);
                write_scalar(head0, codes, first).finish();
                write_scalar(head1, codes, second).finish();
            }
        );
    };
}
narrow!(encode_narrow16, true, [6, 4, 2, 0]);
narrow!(encode_narrow8, false, [7, 6, 5, 4, 3, 2, 1, 0]);

/// Looks 64 symbols up in a table of four vectors.
macro_rules! look_up {
    ($symbols:ident, $table:ident) => {
        _mm512_mask_blend_epi8(
            _mm512_movepi8_mask($symbols),
            _mm512_permutex2var_epi8($table[0], $symbols, $table[1]),
            _mm512_permutex2var_epi8($table[2], $symbols, $table[3]),
        )
    };
}

/// Joins words of 16 bits, the codes of half the symbols, to quads. Lengths are in the lower halves.
macro_rules! quads {
    ($codes:expr, $len:expr) => {{
        let (codes, len) = ($codes, $len);
        let ones = _mm512_set1_epi16(1);
        let powers = _mm512_sllv_epi16(ones, _mm512_srli_epi32::<16>(len));
        // Multiplies the first code of each pair by a power of two, the second by one.
        let pairs = _mm512_madd_epi16(codes, powers);
        let pair_len = _mm512_madd_epi16(len, ones);
        let second_len = _mm512_srli_epi64::<32>(pair_len);
        let low_half = _mm512_set1_epi64(0xffff_ffff);
        let shifted = _mm512_sllv_epi64(_mm512_and_si512(pairs, low_half), second_len);
        let quads = _mm512_or_si512(shifted, _mm512_srli_epi64::<32>(pairs));
        (quads, _mm512_and_si512(_mm512_add_epi64(pair_len, second_len), low_half))
    }};
}

/// Defines how two streams of any symbols are coded: in octets if `$joined`, but for those that are
/// too long, and otherwise in quads.
macro_rules! wide {
    ($name:ident, $joined:literal) => {
        fearless_simd::kernel!(
            #[inline(never)]
            fn $name(
                token: Avx512,
                streams: [&[u8]; 2],
                tables: &Tables,
                codes: &[Symbols; SYMBOLS],
                writers: [StreamWriter<'_>; 2],
            ) {
                let table = |table: &[u8; SYMBOLS]| -> [__m512i; 4] {
                    core::array::from_fn(|part| {
                        u8x64::from_slice(token, &table[part * LANES..][..LANES]).into()
                    })
                };
                let (low, high, len) =
                    (table(&tables.low), table(&tables.high), table(&tables.len));
                let zero = _mm512_setzero_si512();
                let longest = _mm512_set1_epi64(LONGEST_UNIT);
                // Returns which octets are too long. The quads are those of even and odd number.
                let join = |group: &[u8; LANES], octets: &mut Units, quads: &mut [Units; 2]| {
                    let symbols: __m512i = u8x64::from_slice(token, group).into();
                    let len = look_up!(symbols, len);
                    let low = look_up!(symbols, low);
                    let high = look_up!(symbols, high);
                    let (lower, lower_len) =
                        quads!(_mm512_unpacklo_epi8(low, high), _mm512_unpacklo_epi8(len, zero));
                    let (upper, upper_len) =
                        quads!(_mm512_unpackhi_epi8(low, high), _mm512_unpackhi_epi8(len, zero));
                    let even = _mm512_unpacklo_epi64(lower, upper);
                    let odd = _mm512_unpackhi_epi64(lower, upper);
                    let even_len = _mm512_unpacklo_epi64(lower_len, upper_len);
                    let odd_len = _mm512_unpackhi_epi64(lower_len, upper_len);
                    let octet_len = _mm512_add_epi64(even_len, odd_len);
                    let long = _mm512_cmpgt_epi64_mask(octet_len, longest);
                    if $joined {
                        let joined = _mm512_or_si512(_mm512_sllv_epi64(even, odd_len), odd);
                        store_units!(token, joined, octet_len, octets);
                    }
                    if !$joined || long != 0 {
                        store_units!(token, even, even_len, quads[0]);
                        store_units!(token, odd, odd_len, quads[1]);
                    }
                    long
                };
                let [mut first, mut second] = writers;
                let [(head0, groups0), (head1, groups1)] =
                    streams.map(|stream| stream.as_rchunks::<LANES>());
                let common = groups0.len().min(groups1.len());
                let (rest0, both0) = groups0.split_at(groups0.len() - common);
                let (rest1, both1) = groups1.split_at(groups1.len() - common);
                let [mut octets0, mut octets1] = [Units::EMPTY; 2];
                let [mut quads0, mut quads1] = [[Units::EMPTY; 2], [Units::EMPTY; 2]];
                for (group0, group1) in both0.iter().zip(both1).rev() {
                    let long0 = join(group0, &mut octets0, &mut quads0);
                    let long1 = join(group1, &mut octets1, &mut quads1);
                    if $joined && long0 | long1 == 0 {
                        for at in (0..8).rev() {
                            first.write_bits(octets0.bits[at], octets0.len[at]);
                            second.write_bits(octets1.bits[at], octets1.len[at]);
                        }
                        continue;
                    }
                    for at in (0..8).rev() {
                        if $joined && long0 >> at & 1 == 0 {
                            first.write_bits(octets0.bits[at], octets0.len[at]);
                        } else {
                            first.write_bits(quads0[1].bits[at], quads0[1].len[at]);
                            first.write_bits(quads0[0].bits[at], quads0[0].len[at]);
                        }
                        if $joined && long1 >> at & 1 == 0 {
                            second.write_bits(octets1.bits[at], octets1.len[at]);
                        } else {
                            second.write_bits(quads1[1].bits[at], quads1[1].len[at]);
                            second.write_bits(quads1[0].bits[at], quads1[0].len[at]);
                        }
                    }
                }
                first = write_scalar(rest0.as_flattened(), codes, first);
                second = write_scalar(rest1.as_flattened(), codes, second);
                write_scalar(head0, codes, first).finish();
                write_scalar(head1, codes, second).finish();
            }
        );
    };
}
wide!(encode_wide8, true);
wide!(encode_wide4, false);

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::entropy::histogram;
    use crate::entropy::huffman::encode::{Coding, plan};
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
        plan.encode_with(kernels, plane, &mut coded);
        Some(coded)
    }

    /// Compares all four ways of coding with the scalar one, at lengths that leave every kind of
    /// rest.
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
                (0, 64, 3, 256),
                (0, 256, 20, 1),
                (0, 256, 12, 60),
                (0, 256, 6, 200),
                (0, 200, 1, 256),
            ] {
                let plane = symbols(len, lowest, span, steps, spread);
                let expected = encoded(&plane, Kernels::Scalar);
                for (level, kernels) in Kernels::all() {
                    let found = encoded(&plane, kernels);
                    assert!(found == expected, "{level}: {len}, {span}, {steps}, {spread}");
                }
                compared += usize::from(expected.is_some());
            }
        }
        assert!(compared > 400, "only {compared} planes were coded");
    }
}
