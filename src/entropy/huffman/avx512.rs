//! Codes planes with AVX-512: byte permutes look up the codes of 64 symbols at once, and shifts join
//! neighbours to units, which the scalar writer appends to a stream.
//!
//! A vector takes part in four steps: 64 codes are joined to 32 pairs, 16 quads, 8 octets and, where
//! codes are short, 4 units of 16 symbols. In a stream the last symbol comes first, so that each
//! step moves the first of two above the second. Most steps rotate instead of shifting: nothing
//! leaves a lane at the top, and the compiler surrounds shifts by variable counts with comparisons.

use core::arch::x86_64::*;
use core::hint::black_box;

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
use fearless_simd::x86::Avx512;

use crate::entropy::huffman::code::Codeword;
use crate::entropy::huffman::stream_writer::{MAX_UNIT_BITS, StreamWriter};
use crate::entropy::{STREAMS, SYMBOLS};

/// Below this length of a plane, the preparation of tables costs more than vectors save.
pub(crate) const SHORTEST: usize = 4096;

/// Bytes of a vector.
const LANES: usize = 64;
/// Longest unit, in a form for comparisons.
const LONGEST_UNIT: i64 = MAX_UNIT_BITS as i64;
/// Longest pair that two bytes hold.
const LONGEST_PAIR: i16 = 16;
/// Up to so many bits a symbol, 16 symbols nearly always make a unit.
const SHORT_CODES: f32 = 3.1;
/// Up to so many bits a symbol, 8 symbols often make a unit.
const MEDIUM_CODES: f32 = 6.5;

/// Lengths of codes and their bits, by symbol.
struct Tables {
    low: [u8; SYMBOLS],
    high: [u8; SYMBOLS],
    len: [u8; SYMBOLS],
    /// Numbers of the symbols that have codes.
    ranks: [u8; SYMBOLS],
    span: Span,
}

/// How many symbols have codes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    /// They span at most as many values as a vector has bytes.
    Narrow,
    /// They are at most as many as a vector has bytes.
    Few,
    /// More.
    Wide,
}

impl Span {
    fn of(len: &[u8; SYMBOLS]) -> Self {
        let first = len.iter().position(|&len| len > 0).unwrap_or_default();
        let last = len.iter().rposition(|&len| len > 0).unwrap_or_default();
        if last - first < LANES {
            return Self::Narrow;
        }
        let count = len.iter().filter(|&&len| len > 0).count();
        if count <= LANES { Self::Few } else { Self::Wide }
    }
}

impl Tables {
    fn new(codes: &[Codeword; SYMBOLS]) -> Self {
        let [mut low, mut high, mut len, mut ranks] = [[0; SYMBOLS]; 4];
        let coded = codes.iter().enumerate().filter(|(_, code)| code.len() > 0);
        for (rank, (symbol, code)) in coded.enumerate() {
            [low[symbol], high[symbol], ..] = code.bits().to_le_bytes();
            len[symbol] = code.len() as u8;
            ranks[symbol] = rank as u8;
        }
        Self { span: Span::of(&len), low, high, len, ranks }
    }

    /// Returns the tables of a plane of few symbols, each as one vector, indexed by rank or by the
    /// symbol modulo the vector's length.
    fn folded(&self) -> [[u8; LANES]; 3] {
        [&self.low, &self.high, &self.len].map(|table| {
            let mut folded = [0; LANES];
            for (symbol, value) in table.iter().enumerate() {
                let index = match self.span {
                    Span::Few => usize::from(self.ranks[symbol]),
                    Span::Narrow | Span::Wide => symbol,
                };
                folded[index % LANES] |= value;
            }
            folded
        })
    }
}

/// Codes the four streams of a plane and their end marks.
///
/// Two streams go hand in hand, so that neither waits for itself.
pub(crate) fn encode(
    token: Avx512,
    plane: &[u8],
    codes: &[Codeword; SYMBOLS],
    writers: [StreamWriter<'_>; STREAMS],
) {
    let tables = Tables::new(codes);
    let coded_bits: usize = writers.iter().map(|writer| writer.room_len() * 8).sum();
    let bits_a_symbol = coded_bits as f32 / plane.len() as f32;
    let encode_two = match (tables.span, bits_a_symbol) {
        (Span::Narrow, bits) if bits < SHORT_CODES => encode_narrow16,
        (Span::Narrow, bits) if bits < MEDIUM_CODES => encode_narrow8,
        (Span::Few, bits) if bits < SHORT_CODES => encode_few16,
        (Span::Few, bits) if bits < MEDIUM_CODES => encode_few8,
        (_, bits) if bits < MEDIUM_CODES => encode_wide8,
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
    codes: &[Codeword; SYMBOLS],
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
///
/// Aligned, because words of a vector across two cache lines are slow to load after a store.
#[repr(align(64))]
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
        let len = $len;
        store!($token, _mm512_rorv_epi64($bits, len), $units.bits);
        store!($token, len, $units.len);
    }};
}

/// Loads a table over all symbols as four vectors.
macro_rules! quarters {
    ($token:ident, $table:expr) => {{
        let parts: [__m512i; 4] = core::array::from_fn(|part| {
            u8x64::from_slice($token, &$table[part * LANES..][..LANES]).into()
        });
        parts
    }};
}

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

/// How 64 symbols can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// As the units that are wanted.
    Units,
    /// As octets.
    Octets,
    /// One by one.
    Symbols,
}

/// Joins the codes of 64 symbols to units, and to octets if a unit of 16 symbols is too long.
macro_rules! few_units {
    ($token:ident, $symbols:expr, $tables:ident, $units:ident, $octets:ident, $joined:literal) => {{
        let [low, high, len] = $tables;
        let byte = _mm512_set1_epi16(0xff);
        let symbols = $symbols;
        let len = _mm512_permutexvar_epi8(symbols, len);
        let low = _mm512_permutexvar_epi8(symbols, low);
        let high = _mm512_permutexvar_epi8(symbols, high);
        // Codes of even and of odd symbols, as words of 16 bits.
        let even = _mm512_ternarylogic_epi32::<0xf8>(_mm512_slli_epi16::<8>(high), low, byte);
        let odd = _mm512_or_si512(_mm512_srli_epi16::<8>(low), _mm512_andnot_si512(byte, high));
        let zero = _mm512_setzero_si512();
        let shifted = _mm512_shldv_epi16(even, zero, _mm512_srli_epi16::<8>(len));
        let pairs = _mm512_or_si512(shifted, odd);
        let pair_len = _mm512_maddubs_epi16(len, _mm512_set1_epi8(1));
        let low_word = _mm512_set1_epi32(0xffff);
        let first = _mm512_and_si512(pairs, low_word);
        let shifted = _mm512_rolv_epi32(first, _mm512_srli_epi32::<16>(pair_len));
        let quads = _mm512_or_si512(shifted, _mm512_srli_epi32::<16>(pairs));
        let quad_len = _mm512_madd_epi16(pair_len, _mm512_set1_epi16(1));
        let low_half = _mm512_set1_epi64(0xffff_ffff);
        let second_len = _mm512_srli_epi64::<32>(quad_len);
        let shifted = _mm512_rolv_epi64(_mm512_and_si512(quads, low_half), second_len);
        let octets = _mm512_or_si512(shifted, _mm512_srli_epi64::<32>(quads));
        let octet_len = _mm512_add_epi64(_mm512_and_si512(quad_len, low_half), second_len);
        let longest = _mm512_set1_epi64(LONGEST_UNIT);
        let long_pairs = _mm512_cmpgt_epi16_mask(pair_len, _mm512_set1_epi16(LONGEST_PAIR));
        let long_octets = _mm512_cmpgt_epi64_mask(octet_len, longest);
        let has_octets = long_pairs == 0 && long_octets == 0;
        let long_units = if $joined {
            let second = _mm512_unpackhi_epi64(octets, octets);
            let second_len = _mm512_unpackhi_epi64(octet_len, octet_len);
            let joined = _mm512_or_si512(_mm512_rolv_epi64(octets, second_len), second);
            let joined_len = _mm512_add_epi64(octet_len, second_len);
            store_units!($token, joined, joined_len, $units);
            _mm512_mask_cmpgt_epi64_mask(0x55, joined_len, longest)
        } else {
            store_units!($token, octets, octet_len, $units);
            0
        };
        if has_octets && long_units == 0 {
            Fit::Units
        } else if has_octets {
            store_units!($token, octets, octet_len, $octets);
            Fit::Octets
        } else {
            Fit::Symbols
        }
    }};
}

/// Writes units from the last one on.
///
/// One stream after the other: the state of both does not fit in registers.
macro_rules! write_units {
    ($writer:ident, $units:ident, $positions:expr) => {
        for position in $positions {
            $writer.write_bits($units.bits[position], $units.len[position]);
        }
    };
}

/// Defines how two streams of at most 64 different symbols are coded: in units of 16 symbols if
/// `$joined`, otherwise of 8. Only every `$step`-th unit of a vector counts. If `$ranked`, symbols
/// are replaced by their ranks first.
macro_rules! few {
    ($name:ident, $ranked:literal, $joined:literal, $step:literal) => {
        fearless_simd::kernel!(
            #[inline(never)]
            fn $name(
                token: Avx512,
                streams: [&[u8]; 2],
                tables: &Tables,
                codes: &[Codeword; SYMBOLS],
                writers: [StreamWriter<'_>; 2],
            ) {
                let vectors = tables
                    .folded()
                    .map(|table| -> __m512i { u8x64::from_slice(token, &table).into() });
                let ranks = quarters!(token, tables.ranks);
                let load = |symbols: &[u8; LANES]| -> __m512i {
                    let symbols: __m512i = u8x64::from_slice(token, symbols).into();
                    if $ranked { look_up!(symbols, ranks) } else { symbols }
                };
                let [mut first, mut second] = writers;
                let [(head0, groups0), (head1, groups1)] =
                    streams.map(|stream| stream.as_rchunks::<LANES>());
                let common = groups0.len().min(groups1.len());
                let (rest0, both0) = groups0.split_at(groups0.len() - common);
                let (rest1, both1) = groups1.split_at(groups1.len() - common);
                let [mut units0, mut units1, mut octets0, mut octets1] = [Units::EMPTY; 4];
                for (group0, group1) in both0.iter().zip(both1).rev() {
                    let symbols = load(group0);
                    let fit0 = few_units!(token, symbols, vectors, units0, octets0, $joined);
                    let symbols = load(group1);
                    let fit1 = few_units!(token, symbols, vectors, units1, octets1, $joined);
                    if (fit0, fit1) == (Fit::Units, Fit::Units) {
                        // In memory, or the compiler would move units from vectors one by one.
                        let (units0, units1) = (black_box(&units0), black_box(&units1));
                        write_units!(first, units0, (0..8).step_by($step).rev());
                        write_units!(second, units1, (0..8).step_by($step).rev());
                        continue;
                    }
                    match fit0 {
                        Fit::Units => write_units!(first, units0, (0..8).step_by($step).rev()),
                        Fit::Octets => write_units!(first, octets0, (0..8).rev()),
                        Fit::Symbols => first = write_scalar(group0, codes, first),
                    }
                    match fit1 {
                        Fit::Units => write_units!(second, units1, (0..8).step_by($step).rev()),
                        Fit::Octets => write_units!(second, octets1, (0..8).rev()),
                        Fit::Symbols => second = write_scalar(group1, codes, second),
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
few!(encode_narrow16, false, true, 2);
few!(encode_narrow8, false, false, 1);
few!(encode_few16, true, true, 2);
few!(encode_few8, true, false, 1);

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
        let shifted = _mm512_rolv_epi64(_mm512_and_si512(pairs, low_half), second_len);
        let quads = _mm512_or_si512(shifted, _mm512_srli_epi64::<32>(pairs));
        (quads, _mm512_and_si512(_mm512_add_epi64(pair_len, second_len), low_half))
    }};
}

/// Writes octets from the last one on, or the two quads of each that is too long.
macro_rules! write_octets {
    ($writer:ident, $octets:ident, $quads:ident, $joined:literal) => {
        for at in (0..8).rev() {
            if $joined && $octets.len[at] <= MAX_UNIT_BITS {
                $writer.write_bits($octets.bits[at], $octets.len[at]);
            } else {
                $writer.write_bits($quads[1].bits[at], $quads[1].len[at]);
                $writer.write_bits($quads[0].bits[at], $quads[0].len[at]);
            }
        }
    };
}

/// Defines a function that codes two streams of any symbols: in quads, or in octets if `$joined`.
/// Octets that are too long are coded as two quads.
macro_rules! wide {
    ($name:ident, $joined:literal) => {
        fearless_simd::kernel!(
            #[inline(never)]
            fn $name(
                token: Avx512,
                streams: [&[u8]; 2],
                tables: &Tables,
                codes: &[Codeword; SYMBOLS],
                writers: [StreamWriter<'_>; 2],
            ) {
                let low = quarters!(token, tables.low);
                let high = quarters!(token, tables.high);
                let len = quarters!(token, tables.len);
                let zero = _mm512_setzero_si512();
                // The first vector holds the quads with even numbers, the second the quads with odd numbers.
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
                    if $joined {
                        let joined = _mm512_or_si512(_mm512_rolv_epi64(even, odd_len), odd);
                        store_units!(token, joined, octet_len, octets);
                    }
                    store_units!(token, even, even_len, quads[0]);
                    store_units!(token, odd, odd_len, quads[1]);
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
                    join(group0, &mut octets0, &mut quads0);
                    join(group1, &mut octets1, &mut quads1);
                    // In memory, or the compiler would move units from vectors one by one.
                    let (octets0, octets1) = (black_box(&octets0), black_box(&octets1));
                    let (quads0, quads1) = (black_box(&quads0), black_box(&quads1));
                    write_octets!(first, octets0, quads0, $joined);
                    write_octets!(second, octets1, quads1, $joined);
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
