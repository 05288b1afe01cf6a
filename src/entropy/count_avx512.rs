//! Counts planes with AVX-512.
//!
//! Symbols that are frequent in a sample have ranks. All others are brought together and counted one
//! by one.
//!
//! Ranks are counted eight at a time: a byte permute turns them into one of eight bits, and
//! carry-save adders count these bits over four vectors (Muła, Kurz and Lemire, "Faster Population
//! Counts Using AVX2 Instructions", 2018). Then an 8×8 bit matrix is transposed in each lane, so
//! that the ones in a byte are those of one rank.

use core::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::u8x64;
use fearless_simd::x86::Avx512;

use crate::entropy::histogram::StreamCounts;
use crate::entropy::sample::{self, Frequent, MAX_FREQUENT};
use crate::entropy::{STREAMS, SYMBOLS};

/// Bytes of a vector.
const LANES: usize = 64;
/// Ranks that a vector of bits counts.
const GROUP: usize = 8;
/// Ranks that are counted in one pass.
const PASS: usize = 2 * GROUP;
const _: () = assert!(PASS == sample::PASS);
/// Rank of all other symbols: of its lower six bits, which permutes use, no other rank has all set.
/// The highest bit makes it a mask.
const OTHER: u8 = 0xbf;
const _: () = assert!(MAX_FREQUENT == OTHER as usize % LANES);
/// Vectors that the carry-save adders add up.
const ADDED: usize = 4;
/// Bytes of a block, after which no byte that counts eight bits of [`ADDED`] vectors overflows.
const BLOCK: usize = u8::MAX as usize / GROUP * ADDED * LANES;

/// The bit of each rank of a group, by rank.
const BITS: [[u8; LANES]; LANES / GROUP] = {
    let mut bits = [[0; LANES]; LANES / GROUP];
    let mut rank = 0;
    while rank < MAX_FREQUENT {
        bits[rank / GROUP][rank] = 1 << (rank % GROUP);
        rank += 1;
    }
    bits
};

/// Bytes of a matrix of 8×8 bytes in the order of its columns.
const TRANSPOSED: [u8; LANES] = {
    let mut order = [0; LANES];
    let mut at = 0;
    while at < LANES {
        order[at] = (at % 8 * 8 + at / 8) as u8;
        at += 1;
    }
    order
};

/// Memory for counting.
pub(crate) struct Space {
    /// The ranks of the symbols of a block.
    found: [u8; BLOCK],
    /// The symbols of a block that have no ranks, and a vector that may follow them.
    others: [u8; BLOCK + LANES],
}

impl Default for Space {
    fn default() -> Self {
        Self { found: [0; BLOCK], others: [0; BLOCK + LANES] }
    }
}

/// Counts the symbols of a plane, stream by stream.
pub(crate) fn count(
    token: Avx512,
    plane: &[u8],
    frequent: &Frequent,
    Space { found, others }: &mut Space,
    counts: &mut StreamCounts,
) {
    let ranks = frequent.ranks(OTHER);
    *counts = [[0; SYMBOLS]; STREAMS];
    for (stream, counts) in plane.chunks(plane.len().div_ceil(STREAMS)).zip(counts) {
        let (vectors, rest) = stream.as_chunks::<LANES>();
        add(rest, counts);
        let mut totals = [0; LANES];
        for block in vectors.chunks(BLOCK / LANES) {
            let others_len = find_ranks(token, block, &ranks, found, others);
            add(&others[..others_len], counts);
            let len = block.as_flattened().len().next_multiple_of(ADDED * LANES);
            let found = found[..len].as_chunks().0;
            let passes = totals.as_chunks_mut().0.iter_mut().zip(BITS.as_chunks().0);
            for (totals, bits) in passes.take(frequent.symbols().len().div_ceil(PASS)) {
                count_pass(token, found, bits, totals);
            }
        }
        for (&symbol, total) in frequent.symbols().iter().zip(totals) {
            counts[usize::from(symbol)] += total as u32;
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

fearless_simd::kernel!(
    /// Writes the ranks of symbols to `found`, and the symbols without ranks to `others`.
    ///
    /// Returns the number of symbols without ranks.
    #[inline(never)]
    fn find_ranks(
        token: Avx512,
        symbols: &[[u8; LANES]],
        ranks: &[u8; SYMBOLS],
        found: &mut [u8; BLOCK],
        others: &mut [u8; BLOCK + LANES],
    ) -> usize {
        let table: [__m512i; 4] = core::array::from_fn(|part| {
            u8x64::from_slice(token, &ranks[part * LANES..][..LANES]).into()
        });
        let mut others_len = 0;
        let mut found = found.as_chunks_mut::<LANES>().0.iter_mut();
        for (symbols, found) in symbols.iter().zip(&mut found) {
            let symbols: __m512i = u8x64::from_slice(token, symbols).into();
            let lower = _mm512_permutex2var_epi8(table[0], symbols, table[1]);
            let upper = _mm512_permutex2var_epi8(table[2], symbols, table[3]);
            let ranks = _mm512_mask_blend_epi8(_mm512_movepi8_mask(symbols), lower, upper);
            let other = _mm512_movepi8_mask(ranks);
            // The form that keeps the destination does not wait for it.
            let together = _mm512_mask_compress_epi8(symbols, other, symbols);
            let [ranks, together]: [u8x64<Avx512>; 2] =
                [ranks.simd_into(token), together.simd_into(token)];
            ranks.store_slice(found);
            together.store_slice(&mut others[others_len..others_len + LANES]);
            others_len += other.count_ones() as usize;
        }
        // The last vectors to be added up may be incomplete.
        found.take(ADDED - 1).for_each(|found| *found = [OTHER; LANES]);
        others_len
    }
);

/// Adds bits: returns the carries and the sums.
macro_rules! add_bits {
    ($a:expr, $b:expr, $c:expr) => {{
        let (a, b, c) = ($a, $b, $c);
        (_mm512_ternarylogic_epi64::<0xe8>(a, b, c), _mm512_ternarylogic_epi64::<0x96>(a, b, c))
    }};
}

fearless_simd::kernel!(
    /// Adds the number of occurrences of each rank with a bit to `totals`.
    #[inline(never)]
    fn count_pass(
        token: Avx512,
        ranks: &[[u8; ADDED * LANES]],
        bits: &[[u8; LANES]; 2],
        totals: &mut [u64; PASS],
    ) {
        let tables = bits.map(|bits| -> __m512i { u8x64::from_slice(token, &bits).into() });
        let transposed: __m512i = u8x64::from_slice(token, &TRANSPOSED).into();
        let units = _mm512_set1_epi64(0x8040_2010_0804_0201_u64 as i64);
        // The number of ones in each byte of the transposed matrices.
        let count =
            |bits: __m512i| _mm512_popcnt_epi8(_mm512_gf2p8affine_epi64_epi8::<0>(units, bits));
        let [mut ones, mut twos, mut fours] = [[_mm512_setzero_si512(); 2]; 3];
        for added in ranks {
            let ranks = [0, 1, 2, 3].map(|vector| -> __m512i {
                u8x64::from_slice(token, &added[vector * LANES..][..LANES]).into()
            });
            for group in 0..2 {
                let [a, b, c, d] = ranks.map(|ranks| _mm512_permutexvar_epi8(ranks, tables[group]));
                let (first, sum) = add_bits!(ones[group], a, b);
                let (second, sum) = add_bits!(sum, c, d);
                ones[group] = sum;
                let (carry, sum) = add_bits!(twos[group], first, second);
                twos[group] = sum;
                fours[group] = _mm512_add_epi8(fours[group], count(carry));
            }
        }
        for (group, totals) in totals.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
            let add_up = |counts: __m512i| {
                let counts = _mm512_permutexvar_epi8(transposed, counts);
                _mm512_sad_epu8(counts, _mm512_setzero_si512())
            };
            let twos = count(twos[group]);
            let rest = _mm512_add_epi8(count(ones[group]), _mm512_add_epi8(twos, twos));
            let fours = _mm512_slli_epi64::<2>(add_up(fours[group]));
            let sums: u8x64<Avx512> = _mm512_add_epi64(fours, add_up(rest)).simd_into(token);
            let mut counts = [0_u64; GROUP];
            sums.store_slice(bytemuck::cast_slice_mut(&mut counts));
            for (total, count) in totals.iter_mut().zip(counts) {
                *total += count;
            }
        }
    }
);

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::entropy::histogram;
    use crate::entropy::sample::Sample;
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
        let mut space = Space::default();
        let lengths = [1023, 1024, 4097, 16_384, 31_743, 31_745, 32_513, 131_072];
        for len in (1..300).chain(lengths) {
            for (lowest, span) in [
                (0, 1),
                (100, 9),
                (7, 20),
                (192, 40),
                (250, 30),
                (0, 60),
                (0, 64),
                (3, 120),
                (90, 180),
                (0, 200),
            ] {
                let plane = symbols(len, lowest, span);
                let Some(frequent) = Frequent::of(&Sample::new(&symbols(131_072, lowest, span)))
                else {
                    panic!("{span} values are few");
                };
                let [mut found, mut expected] = [[[9; SYMBOLS]; STREAMS]; 2];
                count(token, &plane, &frequent, &mut space, &mut found);
                histogram::count(&plane, &mut expected);
                assert!(found == expected, "{len} symbols from {lowest}, {span} values");
            }
        }
    }
}
