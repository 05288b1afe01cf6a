//! Counts planes with AVX-512 where a few symbols are nearly all.
//!
//! In the exponents of weights 16 symbols are. A byte permute turns each of them into
//! one of eight bits, twice, and carry-save adders count these bits over 16 vectors before anything
//! is added up (Muła, Kurz and Lemire, "Faster Population Counts Using AVX2 Instructions", 2018).
//! The few other symbols are brought together and counted one by one.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
use fearless_simd::x86::Avx512;

use crate::entropy::histogram::{self, StreamCounts};
use crate::entropy::{STREAMS, SYMBOLS};

/// Bytes of a vector.
const LANES: usize = 64;
/// Symbols that a vector of bits counts.
const GROUP: usize = 8;
/// Symbols that are counted in vectors.
const FREQUENT: usize = 2 * GROUP;

fearless_simd::kernel!(
    /// Returns the lowest and the highest symbol of a plane that is not empty.
    #[inline(never)]
    pub(crate) fn range(token: Avx512, plane: &[u8]) -> (u8, u8) {
        let (vectors, rest) = plane.as_chunks::<LANES>();
        let (lowest, highest) = histogram::range(if rest.is_empty() { plane } else { rest });
        let mut lowest = _mm512_set1_epi8(lowest as i8);
        let mut highest = _mm512_set1_epi8(highest as i8);
        for vector in vectors {
            let vector: __m512i = u8x64::from_slice(token, vector).into();
            lowest = _mm512_min_epu8(lowest, vector);
            highest = _mm512_max_epu8(highest, vector);
        }
        let (mut low, mut high) = ([0; LANES], [0; LANES]);
        let [lowest, highest]: [u8x64<Avx512>; 2] =
            [lowest.simd_into(token), highest.simd_into(token)];
        lowest.store_slice(&mut low);
        highest.store_slice(&mut high);
        (histogram::range(&low).0, histogram::range(&high).1)
    }
);

/// Counts the symbols of a plane, stream by stream. `narrow` says that they span at most 64 values.
pub(crate) fn count(token: Avx512, plane: &[u8], narrow: bool, counts: &mut StreamCounts) {
    let Some(frequent) = Frequent::of(plane) else { return histogram::count(plane, counts) };
    *counts = [[0; SYMBOLS]; STREAMS];
    for (stream, counts) in plane.chunks(plane.len().div_ceil(STREAMS)).zip(counts) {
        let (vectors, rest) = stream.as_chunks::<LANES>();
        let count = if narrow { count_narrow } else { count_wide };
        let totals = count(token, vectors, &frequent, counts);
        add(rest, counts);
        for (&symbol, total) in frequent.symbols[..frequent.len].iter().zip(totals) {
            counts[usize::from(symbol)] += total;
        }
    }
}

/// Counts symbols one by one.
///
/// Never inlined, so that the compiler keeps it scalar.
#[inline(never)]
fn add(symbols: &[u8], counts: &mut [u32; SYMBOLS]) {
    for &symbol in symbols {
        counts[usize::from(symbol)] += 1;
    }
}

/// The most frequent symbols of a sample.
struct Frequent {
    symbols: [u8; FREQUENT],
    len: usize,
}

impl Frequent {
    /// Returns none if other symbols are too many to be counted one by one.
    fn of(plane: &[u8]) -> Option<Self> {
        /// Bytes from one run of the sample to the next.
        const DISTANCE: usize = 2048;
        const RUN: usize = 32;
        let mut sample = [0_u32; SYMBOLS];
        let mut total = 0;
        for part in plane.chunks(DISTANCE) {
            let run = &part[..part.len().min(RUN)];
            add(run, &mut sample);
            total += run.len();
        }
        let mut keys = [0; SYMBOLS];
        let mut len = 0;
        for (symbol, &count) in sample.iter().enumerate().filter(|&(_, &count)| count > 0) {
            keys[len] = count << 8 | symbol as u32;
            len += 1;
        }
        let keys = &mut keys[..len];
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let keys = &keys[..len.min(FREQUENT)];
        let covered: u32 = keys.iter().map(|key| key >> 8).sum();
        let mut symbols = [0; FREQUENT];
        for (symbol, &key) in symbols.iter_mut().zip(keys) {
            *symbol = key as u8;
        }
        (covered as usize * 8 >= total * 7).then_some(Self { symbols, len: keys.len() })
    }

    /// Returns the bit of each symbol of a group, indexed by the symbol modulo `LEN`.
    fn bits<const LEN: usize>(&self, group: usize) -> [u8; LEN] {
        let symbols = self.symbols[..self.len].chunks(GROUP).nth(group).unwrap_or_default();
        let mut bits = [0; LEN];
        for (number, &symbol) in symbols.iter().enumerate() {
            bits[usize::from(symbol) % LEN] = 1 << number;
        }
        bits
    }
}

/// Vectors that are added up at once.
const BLOCK: usize = 16;
/// Other symbols that are brought together before they are counted.
const OTHERS: usize = 1024;

/// A vector for each group of symbols.
type Pair = [__m512i; 2];

/// Adds bits: returns the carries and the sums.
macro_rules! add_bits {
    ($a:expr, $b:expr, $c:expr) => {{
        let (a, b, c): (Pair, Pair, Pair) = ($a, $b, $c);
        (
            [
                _mm512_ternarylogic_epi64::<0xe8>(a[0], b[0], c[0]),
                _mm512_ternarylogic_epi64::<0xe8>(a[1], b[1], c[1]),
            ],
            [
                _mm512_ternarylogic_epi64::<0x96>(a[0], b[0], c[0]),
                _mm512_ternarylogic_epi64::<0x96>(a[1], b[1], c[1]),
            ],
        )
    }};
}

/// Defines how the frequent symbols are counted, and all others added to `counts`, with look-ups in
/// a table of `$len` symbols.
macro_rules! count_vectors {
    ($name:ident, $len:expr) => {
        fearless_simd::kernel!(
            #[inline(never)]
            fn $name(
                token: Avx512,
                vectors: &[[u8; LANES]],
                frequent: &Frequent,
                counts: &mut [u32; SYMBOLS],
            ) -> [u32; FREQUENT] {
                let tables: [[__m512i; 4]; 2] = core::array::from_fn(|group| {
                    let bits = frequent.bits::<{ $len }>(group);
                    core::array::from_fn(|part| {
                        u8x64::from_slice(token, &bits[part * LANES % $len..][..LANES]).into()
                    })
                });
                let mut others = [0; OTHERS + LANES];
                let mut others_len = 0;
                let mut load = |vector: &[u8; LANES]| -> Pair {
                    let symbols: __m512i = u8x64::from_slice(token, vector).into();
                    let bits = tables.map(|table| {
                        if $len == LANES {
                            return _mm512_permutexvar_epi8(symbols, table[0]);
                        }
                        let lower = _mm512_permutex2var_epi8(table[0], symbols, table[1]);
                        let upper = _mm512_permutex2var_epi8(table[2], symbols, table[3]);
                        _mm512_mask_blend_epi8(_mm512_movepi8_mask(symbols), lower, upper)
                    });
                    let any = _mm512_or_si512(bits[0], bits[1]);
                    let other = _mm512_testn_epi8_mask(any, any);
                    if other != 0 {
                        // The form that keeps the destination does not wait for it.
                        let together = _mm512_mask_compress_epi8(symbols, other, symbols);
                        let together: u8x64<Avx512> = together.simd_into(token);
                        together.store_slice(&mut others[others_len..others_len + LANES]);
                        others_len += other.count_ones() as usize;
                        if others_len > OTHERS {
                            add(&others[..others_len], counts);
                            others_len = 0;
                        }
                    }
                    bits
                };
                let mut totals = [0; FREQUENT];
                let mut add_up = |bits: Pair, weight: u32| {
                    for (totals, bits) in totals.as_chunks_mut::<GROUP>().0.iter_mut().zip(bits) {
                        for (number, total) in totals.iter_mut().enumerate() {
                            let set = _mm512_test_epi8_mask(bits, _mm512_set1_epi8(1 << number));
                            *total += weight * set.count_ones();
                        }
                    }
                };
                let zero = [_mm512_setzero_si512(); 2];
                let [mut ones, mut twos, mut fours, mut eights] = [zero; 4];
                let (blocks, rest) = vectors.as_chunks::<BLOCK>();
                for block in blocks {
                    let mut carried8 = [zero; 2];
                    for (half, carried8) in block.as_chunks::<8>().0.iter().zip(&mut carried8) {
                        let mut carried4 = [zero; 2];
                        for (four, carried4) in half.as_chunks::<4>().0.iter().zip(&mut carried4) {
                            let (first, sum) = add_bits!(ones, load(&four[0]), load(&four[1]));
                            let (second, sum) = add_bits!(sum, load(&four[2]), load(&four[3]));
                            ones = sum;
                            (*carried4, twos) = add_bits!(twos, first, second);
                        }
                        (*carried8, fours) = add_bits!(fours, carried4[0], carried4[1]);
                    }
                    let (sixteens, sum) = add_bits!(eights, carried8[0], carried8[1]);
                    eights = sum;
                    add_up(sixteens, 16);
                }
                for vector in rest {
                    add_up(load(vector), 1);
                }
                for (bits, weight) in [(ones, 1), (twos, 2), (fours, 4), (eights, 8)] {
                    add_up(bits, weight);
                }
                add(&others[..others_len], counts);
                totals
            }
        );
    };
}
count_vectors!(count_narrow, LANES);
count_vectors!(count_wide, SYMBOLS);

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::simd::Kernels;

    fn token() -> Option<Avx512> {
        Kernels::all().find_map(|(_, kernels)| match kernels {
            Kernels::Avx512(token, _) => Some(token),
            _ => None,
        })
    }

    /// Returns symbols from `lowest` on, the first of which are the more frequent.
    fn symbols(len: u32, lowest: u8, span: u32) -> Vec<u8> {
        let hash = |i: u32| (i ^ i >> 15).wrapping_mul(0x9e37_79b9) >> 8;
        let symbol = |i| (hash(i) % span).min(hash(i + 1) % span).min(hash(i + 7) % span);
        (0..len).map(|i| lowest.wrapping_add(symbol(i) as u8)).collect()
    }

    #[test]
    fn counts_agree_with_the_scalar_form() {
        let Some(token) = token() else { return };
        for len in (1..300).chain([1023, 1024, 4097, 16_384, 131_072]) {
            for (lowest, span, narrow) in [
                (0, 1, true),
                (100, 9, true),
                (7, 20, true),
                (192, 40, true),
                (250, 30, false),
                (0, 60, false),
                (0, 64, true),
            ] {
                let plane = symbols(len, lowest, span);
                let [mut found, mut expected] = [[[9; SYMBOLS]; STREAMS]; 2];
                count(token, &plane, narrow, &mut found);
                histogram::count(&plane, &mut expected);
                assert!(found == expected, "{len} symbols from {lowest}, {span} values");
                assert_eq!(range(token, &plane), histogram::range(&plane));
            }
        }
    }
}
