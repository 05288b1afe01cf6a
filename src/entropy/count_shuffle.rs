//! Counts planes with instructions that shuffle bytes, where nearly all symbols are among few values.
//!
//! If 16 neighbouring values suffice, a shuffle turns each symbol into one of eight bits, and
//! carry-save adders count these bits over 16 vectors (Muła, Kurz and Lemire, "Faster Population
//! Counts Using AVX2 Instructions", 2018). If eight blocks of 16 values suffice, symbols have seven
//! bits, and two of them are counted together.
//!
//! Other symbols are first counted as if they were one of those, and corrected one by one.

use fearless_simd::prelude::*;
use fearless_simd::{u8x32, u16x16};

use crate::entropy::histogram::{self, StreamCounts};
use crate::entropy::huffman::MAX_WRITTEN_PLANE;
use crate::entropy::huffman::pairs::PairCounts;
use crate::entropy::sample::Sample;
use crate::entropy::{STREAMS, SYMBOLS};
use crate::simd::Kernels;

/// Bytes of a vector.
const LANES: usize = 32;
/// Number of values that one shuffle distinguishes.
const BLOCK: usize = 16;
/// Number of blocks whose symbols are counted in pairs.
const MAX_BLOCKS: usize = 8;
/// Number of symbols in those blocks.
const FEW: usize = BLOCK * MAX_BLOCKS;
/// Vectors that the carry-save adders add up.
const ADDED: usize = 16;
/// Vectors that are turned into pairs at a time.
const PACKED: usize = 64;
/// A byte counts the multiples of 16 of a stream's vectors.
const _: () = assert!(MAX_WRITTEN_PLANE / STREAMS / LANES / ADDED <= u8::MAX as usize);
/// The highest bit of the number of a block marks blocks that are not among [`MAX_BLOCKS`].
const OTHER: u8 = 1 << 7;

/// Shortest plane, in bytes, for which counting in pairs saves more time than adding pairs up costs.
const SHORTEST_IN_PAIRS: usize = 64 * 1024;

/// How to count a plane.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// Nearly all symbols are among the 16 values from this one on.
    Window(u8),
    /// Nearly all symbols are in blocks.
    Blocks(Blocks),
}

/// Blocks of symbols with the same high four bits.
#[derive(Clone, Copy)]
pub(crate) struct Blocks {
    /// The high four bits of each block.
    blocks: [u8; MAX_BLOCKS],
    len: usize,
}

impl Way {
    /// Returns the fastest way to count a plane of `len` bytes.
    ///
    /// Returns `None` if that is counting symbols one by one.
    pub(crate) fn of(sample: &Sample, len: usize) -> Option<Self> {
        /// The share of other symbols at which correcting them costs what a way saves.
        const FEW: u32 = 512;
        let counts = sample.counts();
        let most_others = sample.total() / FEW;
        let mut inside: u32 = counts[..BLOCK].iter().map(|&count| u32::from(count)).sum();
        let (mut most, mut first) = (inside, 0);
        for (start, pair) in (1..).zip(counts.windows(BLOCK + 1)) {
            inside = inside + u32::from(pair[BLOCK]) - u32::from(pair[0]);
            if inside > most {
                (most, first) = (inside, start);
            }
        }
        if sample.total() - most <= most_others {
            return Some(Self::Window(first));
        }
        if len < SHORTEST_IN_PAIRS {
            return None;
        }
        let blocks = Blocks::of(counts);
        (sample.total() - blocks.1 <= most_others).then_some(Self::Blocks(blocks.0))
    }
}

impl Blocks {
    /// Returns the most frequent blocks, and the number of symbols in them.
    fn of(counts: &[u16; SYMBOLS]) -> (Self, u32) {
        let mut keys: [u32; SYMBOLS / BLOCK] = core::array::from_fn(|block| {
            let counts = &counts[block * BLOCK..][..BLOCK];
            let sum: u32 = counts.iter().map(|&count| u32::from(count)).sum();
            sum << 4 | block as u32
        });
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let keys = &keys[..MAX_BLOCKS];
        let blocks = core::array::from_fn(|number| (keys[number] & 15) as u8);
        let len = keys.iter().filter(|&&key| key >> 4 > 0).count();
        (Self { blocks, len }, keys.iter().map(|key| key >> 4).sum())
    }

    /// Returns the number of each block times 16, or [`OTHER`].
    fn numbers(&self) -> [u8; BLOCK] {
        let mut numbers = [OTHER; BLOCK];
        for (number, &block) in self.blocks[..self.len].iter().enumerate() {
            numbers[usize::from(block)] = (number * BLOCK) as u8;
        }
        numbers
    }
}

/// Counts the symbols of a plane, stream by stream.
///
/// It overwrites `pairs`, which avoids a large allocation.
pub(crate) fn count(
    kernels: Kernels,
    plane: &[u8],
    way: &Way,
    pairs: &mut PairCounts,
    counts: &mut StreamCounts,
) {
    match kernels {
        Kernels::Sse4_2(simd) => count_with(simd, plane, way, pairs, counts),
        Kernels::Avx2(simd) | Kernels::Avx512(_, simd) => {
            count_with(simd, plane, way, pairs, counts);
        }
        Kernels::Scalar | Kernels::Portable => histogram::count(plane, counts),
    }
}

fn count_with<S: Simd>(
    simd: S,
    plane: &[u8],
    way: &Way,
    pairs: &mut PairCounts,
    counts: &mut StreamCounts,
) {
    *counts = [[0; SYMBOLS]; STREAMS];
    for (stream, counts) in plane.chunks(plane.len().div_ceil(STREAMS)).zip(counts) {
        let rest = match way {
            Way::Window(first) => count_window(simd, stream, *first, counts),
            Way::Blocks(blocks) => count_pairs(simd, stream, blocks, pairs, counts),
        };
        add(rest, counts);
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

/// Moves the counts of symbols that were counted as others to their own.
///
/// `counted_as` returns the symbol as which another was counted.
#[inline(never)]
fn correct(vector: &[u8; LANES], counts: &mut [u32; SYMBOLS], counted_as: impl Fn(u8) -> u8) {
    for &symbol in vector {
        let count = &mut counts[usize::from(counted_as(symbol))];
        *count = count.wrapping_sub(1);
        counts[usize::from(symbol)] = counts[usize::from(symbol)].wrapping_add(1);
    }
}

/// Corrects the counts after counting vectors of which some have symbols outside of the window.
#[cold]
#[inline(never)]
fn correct_window(vectors: &[[u8; LANES]], counts: &mut [u32; SYMBOLS], first: u8) {
    for vector in vectors {
        if vector.iter().any(|symbol| symbol.wrapping_sub(first) >= BLOCK as u8) {
            correct(vector, counts, |symbol| first + symbol.wrapping_sub(first) % BLOCK as u8);
        }
    }
}

/// The bit of each of the first and of the last eight values, by value.
const BITS: [[u8; LANES]; 2] = {
    let mut bits = [[0; LANES]; 2];
    let mut at = 0;
    while at < LANES {
        bits[at % BLOCK / 8][at] = 1 << (at % 8);
        at += 1;
    }
    bits
};

/// Counts of the bits of each byte, as binary numbers of one bit each.
#[derive(Clone, Copy)]
struct BitCounts<S: Simd> {
    ones: u8x32<S>,
    twos: u8x32<S>,
    fours: u8x32<S>,
    eights: u8x32<S>,
    /// Multiples of 16 in bytes of their own, by bit.
    sixteens: [u8x32<S>; 8],
}

impl<S: Simd> BitCounts<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let zero = u8x32::splat(simd, 0);
        Self { ones: zero, twos: zero, fours: zero, eights: zero, sixteens: [zero; 8] }
    }

    /// Adds four vectors, and returns what is to be added to the fours.
    #[inline(always)]
    fn add_four(&mut self, vectors: [u8x32<S>; 4]) -> u8x32<S> {
        let [a, b, c, d] = vectors;
        let (first, ones) = add_bits(self.ones, a, b);
        let (second, ones) = add_bits(ones, c, d);
        let (fours, twos) = add_bits(self.twos, first, second);
        (self.ones, self.twos) = (ones, twos);
        fours
    }

    /// Adds to the fours, and returns what is to be added to the eights.
    #[inline(always)]
    fn add_fours(&mut self, first: u8x32<S>, second: u8x32<S>) -> u8x32<S> {
        let (eights, fours) = add_bits(self.fours, first, second);
        self.fours = fours;
        eights
    }

    #[inline(always)]
    fn add_eights(&mut self, simd: S, first: u8x32<S>, second: u8x32<S>) {
        let one = u8x32::splat(simd, 1);
        let (sixteens, eights) = add_bits(self.eights, first, second);
        self.eights = eights;
        for (bit, count) in (0_u32..).zip(&mut self.sixteens) {
            *count += sixteens >> bit & one;
        }
    }

    /// Returns the count of a bit.
    #[inline(always)]
    fn total(&self, simd: S, bit: u32) -> u32 {
        let one = u8x32::splat(simd, 1);
        let rest = (self.ones >> bit & one)
            + ((self.twos >> bit & one) << 1_u32)
            + ((self.fours >> bit & one) << 2_u32)
            + ((self.eights >> bit & one) << 3_u32);
        sum(rest) + 16 * sum(self.sixteens[bit as usize])
    }
}

/// Returns the sum of the bytes.
#[inline(always)]
fn sum<S: Simd>(vector: u8x32<S>) -> u32 {
    let bytes: [u8; LANES] = vector.into();
    bytes.iter().map(|&byte| u32::from(byte)).sum()
}

/// Adds bits: returns the carries and the sums.
#[inline(always)]
fn add_bits<S: Simd>(a: u8x32<S>, b: u8x32<S>, c: u8x32<S>) -> (u8x32<S>, u8x32<S>) {
    let either = a ^ b;
    (a & b | either & c, either ^ c)
}

/// Counts symbols, nearly all of which are among the 16 from `first` on, and returns the rest.
#[inline(never)]
fn count_window<'s, S: Simd>(
    simd: S,
    stream: &'s [u8],
    first: u8,
    counts: &mut [u32; SYMBOLS],
) -> &'s [u8] {
    let (blocks, rest) = stream.as_chunks::<{ ADDED * LANES }>();
    simd.vectorize(
        #[inline(always)]
        || {
            let lowest = u8x32::splat(simd, first);
            let nibble = u8x32::splat(simd, BLOCK as u8 - 1);
            let tables = [u8x32::from_slice(simd, &BITS[0]), u8x32::from_slice(simd, &BITS[1])];
            let mut bits = [BitCounts::new(simd); 2];
            for block in blocks {
                let vectors = block.as_chunks::<LANES>().0;
                let zero = u8x32::splat(simd, 0);
                let mut indices = zero;
                let [mut eights_low, mut eights_high] = [[zero; 2]; 2];
                for half in 0..2 {
                    let [mut fours_low, mut fours_high] = [[zero; 2]; 2];
                    for quarter in 0..2 {
                        let [mut low, mut high] = [[zero; 4]; 2];
                        for at in 0..4 {
                            let vector = &vectors[half * 8 + quarter * 4 + at];
                            let index = u8x32::from_slice(simd, vector) - lowest;
                            indices |= index;
                            let index = index & nibble;
                            low[at] = tables[0].swizzle_dyn_within_blocks(index);
                            high[at] = tables[1].swizzle_dyn_within_blocks(index);
                        }
                        fours_low[quarter] = bits[0].add_four(low);
                        fours_high[quarter] = bits[1].add_four(high);
                    }
                    eights_low[half] = bits[0].add_fours(fours_low[0], fours_low[1]);
                    eights_high[half] = bits[1].add_fours(fours_high[0], fours_high[1]);
                }
                bits[0].add_eights(simd, eights_low[0], eights_low[1]);
                bits[1].add_eights(simd, eights_high[0], eights_high[1]);
                if (indices & !nibble).simd_eq(zero).any_false() {
                    correct_window(vectors, counts, first);
                }
            }
            for (number, bits) in bits.iter().enumerate() {
                for bit in 0..8 {
                    let count = &mut counts[usize::from(first) + number * 8 + bit as usize];
                    *count = count.wrapping_add(bits.total(simd, bit));
                }
            }
        },
    );
    rest
}

/// Counts symbols, nearly all of which are in blocks, two at a time, and returns the rest.
fn count_pairs<'s, S: Simd>(
    simd: S,
    stream: &'s [u8],
    blocks: &Blocks,
    pairs: &mut PairCounts,
    counts: &mut [u32; SYMBOLS],
) -> &'s [u8] {
    let pairs: &mut [u16] = pairs.as_flattened_mut();
    let Some(pairs) = pairs.first_chunk_mut::<{ FEW * FEW }>() else { return stream };
    *pairs = [0; FEW * FEW];
    let numbers = blocks.numbers();
    let mut packed = [[0; LANES]; PACKED];
    let mut others = [0; PACKED];
    let (vectors, rest) = stream.as_chunks::<LANES>();
    for vectors in vectors.chunks(PACKED) {
        let packed = &mut packed[..vectors.len()];
        let found = pack(simd, vectors, &numbers, packed, &mut others);
        for &at in &others[..found] {
            let vector = &vectors[usize::from(at)];
            correct(vector, counts, |symbol| match numbers[usize::from(symbol >> 4)] {
                OTHER => blocks.blocks[0] << 4 | symbol & 15,
                _ => symbol,
            });
        }
        add_pairs(packed.as_flattened(), pairs);
    }
    add_up(pairs, blocks, counts);
    rest
}

/// Replaces every two symbols with the number of their pair, in little-endian order.
///
/// Writes the numbers of vectors with symbols of other blocks to `others`, and returns how many there
/// are.
#[inline(never)]
fn pack<S: Simd>(
    simd: S,
    vectors: &[[u8; LANES]],
    numbers: &[u8; BLOCK],
    packed: &mut [[u8; LANES]],
    others: &mut [u8; PACKED],
) -> usize {
    simd.vectorize(
        #[inline(always)]
        || {
            let mut table = [0; LANES];
            table[..BLOCK].copy_from_slice(numbers);
            table[BLOCK..].copy_from_slice(numbers);
            let table = u8x32::from_slice(simd, &table);
            let nibble = u8x32::splat(simd, 15);
            let other = u8x32::splat(simd, OTHER);
            let mut found = 0;
            let first = u16x16::splat(simd, FEW as u16 - 1);
            let second = u16x16::splat(simd, (FEW as u16 - 1) << 7);
            for (at, (vector, packed)) in vectors.iter().zip(packed).enumerate() {
                let symbols = u8x32::from_slice(simd, vector);
                let number = table.swizzle_dyn_within_blocks(symbols >> 4);
                let index = number | symbols & nibble;
                others[found % PACKED] = at as u8;
                found += usize::from((index & other).simd_eq(other).any_true());
                let pair: u16x16<S> = index.bitcast();
                let pair = pair & first | pair >> 1 & second;
                let pair: u8x32<S> = pair.bitcast();
                pair.store_slice(packed);
            }
            found
        },
    )
}

/// Counts pairs.
///
/// Never inlined, so that the compiler keeps it scalar.
#[inline(never)]
fn add_pairs(packed: &[u8], pairs: &mut [u16; FEW * FEW]) {
    for pair in packed.as_chunks::<2>().0 {
        pairs[usize::from(u16::from_le_bytes(*pair)) % (FEW * FEW)] += 1;
    }
}

/// Computes counts of symbols from counts of pairs.
fn add_up(pairs: &[u16; FEW * FEW], blocks: &Blocks, counts: &mut [u32; SYMBOLS]) {
    let used = blocks.len.max(1) * BLOCK;
    let mut firsts = [0_u16; FEW];
    let mut seconds = [0_u16; FEW];
    for (second, row) in seconds.iter_mut().zip(pairs.as_chunks::<FEW>().0).take(used) {
        for (first, count) in firsts.iter_mut().zip(row) {
            *first += count;
        }
        *second = row.iter().sum();
    }
    for (number, block) in blocks.blocks[..used / BLOCK].iter().enumerate() {
        let counts = &mut counts[usize::from(*block) * BLOCK..][..BLOCK];
        let [firsts, seconds] =
            [&firsts, &seconds].map(|counts| &counts[number * BLOCK..][..BLOCK]);
        for ((count, &first), &second) in counts.iter_mut().zip(firsts).zip(seconds) {
            *count = count.wrapping_add(u32::from(first) + u32::from(second));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    use super::*;
    use crate::entropy::huffman::pairs::PAIRS;

    /// Returns symbols from `lowest` on, the first of which are the more frequent, and a few of any
    /// value.
    fn symbols(len: u32, lowest: u8, span: u32, others_of_1024: u32) -> Vec<u8> {
        let hash = |i: u32| (i ^ i >> 15).wrapping_mul(0x9e37_79b9) >> 8;
        let symbol = |i| match hash(i + 3) % 1024 {
            other if other < others_of_1024 => hash(i + 5),
            _ => (hash(i) % span).min(hash(i + 1) % span) + u32::from(lowest),
        };
        (0..len).map(|i| symbol(i) as u8).collect()
    }

    /// Compares every way of every level with the scalar form, at lengths that leave every rest.
    #[test]
    fn counts_agree_with_the_scalar_form() {
        let mut pairs = Box::new([[7; PAIRS]; STREAMS]);
        let blocks = Blocks { blocks: [7, 6, 15, 0, 1, 8, 9, 2], len: 5 };
        let ways = [Way::Window(0), Way::Window(240), Way::Window(99), Way::Blocks(blocks)];
        for (level, kernels) in Kernels::all() {
            for len in (1..200).chain([1023, 2048, 4097, 16_384, 65_537, 131_072]) {
                for (lowest, span, others) in [(99, 16, 2), (240, 16, 0), (0, 16, 0), (3, 120, 9)] {
                    let plane = symbols(len, lowest, span, others);
                    let mut expected = [[9; SYMBOLS]; STREAMS];
                    histogram::count(&plane, &mut expected);
                    for (number, way) in ways.iter().enumerate() {
                        let mut found = [[9; SYMBOLS]; STREAMS];
                        count(kernels, &plane, way, &mut pairs, &mut found);
                        assert!(found == expected, "{level}: {len} symbols, way {number}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_way_depends_on_the_symbols() {
        let way = |plane: &[u8]| Way::of(&Sample::new(plane), plane.len());
        let window = way(&symbols(131_072, 100, 16, 0));
        assert!(matches!(window, Some(Way::Window(100))));
        let blocks = way(&symbols(131_072, 0x30, 120, 0));
        assert!(matches!(blocks, Some(Way::Blocks(Blocks { len: 8, .. }))));
        assert!(way(&symbols(32_768, 0x30, 120, 0)).is_none(), "a short plane");
        assert!(way(&symbols(131_072, 0, 256, 0)).is_none(), "all values");
    }
}
