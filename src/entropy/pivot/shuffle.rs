//! Kernels for processors that move bytes within vectors of 16: SSE4.2, AVX2, NEON and `simd128`.
//!
//! A shuffle merges eight symbols: it takes the next eight of each child, and a byte of a node's
//! bits selects, by a table, the order in which they leave.

use core::ops::{BitAnd, BitOr, BitXor};

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use fearless_simd::{mask8x16, prelude::*, u8x16, u8x32, u16x8, u64x2};

#[cfg(feature = "alloc")]
use crate::entropy::SYMBOLS;
use crate::entropy::pivot::arrays::GROUP;
use crate::entropy::pivot::merge::{
    Child, Merger, StoredLeaf, WINDOW, count_ones, for_each_group, for_each_word, nibbles_at,
    word_at,
};
#[cfg(feature = "alloc")]
use crate::entropy::pivot::split::{ArrayOf, Splitter, rank_one_by_one};
use crate::entropy::pivot::tree::MAX_LEAF;

/// Length of a vector in bytes.
const LANES: usize = 16;
/// Length of two vectors in bytes.
const LONG: usize = 2 * LANES;
/// Number of symbols that a shuffle merges.
const MERGED: usize = 8;

/// For each byte of a node's bits, the shuffle of eight symbols of each child.
///
/// The symbols of the left child are bytes 0 to 7, those of the right child bytes 8 to 15.
static SELECTIONS: [[u8; MERGED]; 256] = {
    let mut selections = [[0; MERGED]; 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut left, mut right) = (0, MERGED as u8);
        let mut at = 0;
        while at < MERGED {
            let next = if bits >> at & 1 == 1 { &mut right } else { &mut left };
            selections[bits][at] = *next;
            *next += 1;
            at += 1;
        }
        bits += 1;
    }
    selections
};

/// For each byte of a node's bits, the shuffle that gathers the zeros' symbols, then the others.
#[cfg(feature = "alloc")]
static PARTITIONS: [[u8; MERGED]; 256] = {
    let mut partitions = [[0; MERGED]; 256];
    let mut bits = 0;
    while bits < 256 {
        let mut next = 0;
        let mut at = 0;
        while at < 2 * MERGED {
            let wanted = at / MERGED;
            if bits >> (at % MERGED) & 1 == wanted {
                partitions[bits][next] = (at % MERGED) as u8;
                next += 1;
            }
            at += 1;
        }
        bits += 1;
    }
    partitions
};

/// The vector instructions that the kernels need.
pub(crate) trait Shuffle: Copy {
    type Vector: Copy
        + BitAnd<Output = Self::Vector>
        + BitOr<Output = Self::Vector>
        + BitXor<Output = Self::Vector>;

    /// Two vectors.
    type Long: Copy;

    /// Runs a kernel with the instructions enabled. Kernels must be inlined.
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R;

    fn load(self, bytes: [u8; LANES]) -> Self::Vector;

    fn store(self, vector: Self::Vector) -> [u8; LANES];

    #[inline(always)]
    fn splat(self, byte: u8) -> Self::Vector {
        self.load([byte; LANES])
    }

    /// Returns a vector of all ones in the bytes whose bits are set, and of zeros in the others.
    fn mask(self, bits: u16) -> Self::Vector;

    /// Returns `one` where `mask` has ones, otherwise `zero`.
    #[inline(always)]
    fn blend(self, mask: Self::Vector, zero: Self::Vector, one: Self::Vector) -> Self::Vector {
        zero ^ (mask & (zero ^ one))
    }

    /// Returns the high four bits of each byte.
    fn high_nibbles(self, vector: Self::Vector) -> Self::Vector;

    /// Interleaves the bytes of two vectors.
    fn interleave(self, even: Self::Vector, odd: Self::Vector) -> [Self::Vector; 2];

    /// Returns the bytes of `table` that `indices` select, all of which are below 16.
    fn shuffle(self, table: Self::Vector, indices: Self::Vector) -> Self::Vector;

    /// Returns a bit for each byte, set if the byte is at least that of `limit`.
    fn at_least(self, vector: Self::Vector, limit: Self::Vector) -> u16;

    /// Selects eight bytes out of 16.
    fn select(self, left: u64, right: u64, selection: u64) -> u64;

    /// Subtracts bytes, modulo 256.
    fn subtract(self, vector: Self::Vector, other: Self::Vector) -> Self::Vector;

    fn load_long(self, bytes: [u8; LONG]) -> Self::Long;

    fn store_long(self, long: Self::Long) -> [u8; LONG];

    /// Returns the bytes of `table` for the symbols with these high four bits, and the bytes of
    /// `others` for all other symbols. `others` must be zero for the former. Both halves of `table`
    /// are the same.
    fn add_block(
        self,
        others: Self::Long,
        symbols: Self::Long,
        table: Self::Long,
        high: u8,
    ) -> Self::Long;

    /// Returns the low four bits of each byte.
    fn low_nibbles(self, vector: Self::Vector) -> u64;
}

/// Instructions that are detected at run time.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
#[derive(Clone, Copy)]
pub(crate) struct X86<S>(pub(crate) S);

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
impl<S: Simd> Shuffle for X86<S> {
    type Vector = u8x16<S>;
    type Long = u8x32<S>;

    #[inline(always)]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        self.0.vectorize(kernel)
    }

    #[inline(always)]
    fn load(self, bytes: [u8; LANES]) -> u8x16<S> {
        bytes.simd_into(self.0)
    }

    #[inline(always)]
    fn store(self, vector: u8x16<S>) -> [u8; LANES] {
        vector.into()
    }

    #[inline(always)]
    fn mask(self, bits: u16) -> u8x16<S> {
        let zeros = u8x16::splat(self.0, 0);
        mask8x16::from_bitmask(self.0, bits.into()).select(!zeros, zeros)
    }

    #[inline(always)]
    fn high_nibbles(self, vector: u8x16<S>) -> u8x16<S> {
        vector >> 4
    }

    #[inline(always)]
    fn interleave(self, even: u8x16<S>, odd: u8x16<S>) -> [u8x16<S>; 2] {
        let (lower, upper) = even.interleave(odd);
        [lower, upper]
    }

    #[inline(always)]
    fn shuffle(self, table: u8x16<S>, indices: u8x16<S>) -> u8x16<S> {
        table.swizzle_dyn_within_blocks(indices)
    }

    #[inline(always)]
    fn at_least(self, vector: u8x16<S>, limit: u8x16<S>) -> u16 {
        vector.simd_ge(limit).to_bitmask() as u16
    }

    #[inline(always)]
    fn select(self, left: u64, right: u64, selection: u64) -> u64 {
        let symbols: u64x2<S> = [left, right].simd_into(self.0);
        let selection: u64x2<S> = [selection, 0].simd_into(self.0);
        let selection: u8x16<S> = selection.bitcast();
        let selected: u64x2<S> = symbols.swizzle_dyn_within_blocks(selection);
        selected[0]
    }

    #[inline(always)]
    fn subtract(self, vector: u8x16<S>, other: u8x16<S>) -> u8x16<S> {
        vector - other
    }

    #[inline(always)]
    fn load_long(self, bytes: [u8; LONG]) -> u8x32<S> {
        bytes.simd_into(self.0)
    }

    #[inline(always)]
    fn store_long(self, long: u8x32<S>) -> [u8; LONG] {
        long.into()
    }

    #[inline(always)]
    fn add_block(self, others: u8x32<S>, symbols: u8x32<S>, table: u8x32<S>, high: u8) -> u8x32<S> {
        // Sets the highest bit of the index of other symbols, for which x86 returns zero.
        let index = (symbols ^ u8x32::splat(self.0, high << 4)).saturating_add(0x70);
        others | table.swizzle_dyn_within_blocks(index)
    }

    #[inline(always)]
    fn low_nibbles(self, vector: u8x16<S>) -> u64 {
        let lanes: u16x8<S> = (vector & 15).bitcast();
        let pairs: u8x16<S> = (lanes | lanes >> 4).bitcast();
        let even: u64x2<S> =
            pairs.swizzle_dyn_within_blocks(u8x16::simd_from(self.0, EVEN)).bitcast();
        even[0]
    }
}

/// The even bytes of a vector.
#[cfg(feature = "alloc")]
const EVEN: [u8; LANES] = [0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14];

/// Instructions that the compiler may use everywhere.
#[cfg(all(feature = "simd", target_endian = "little"))]
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// Whether the compiler may use byte shuffles everywhere. Without them, they would be slow.
#[cfg(all(feature = "simd", target_endian = "little"))]
pub(crate) const HAS_PORTABLE_SHUFFLE: bool = cfg!(any(
    target_feature = "ssse3",
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_family = "wasm", target_feature = "simd128")
));

#[cfg(all(feature = "simd", target_endian = "little"))]
impl Shuffle for Portable {
    type Vector = wide::u8x16;
    type Long = [wide::u8x16; 2];

    #[inline(always)]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        kernel()
    }

    #[inline(always)]
    fn load(self, bytes: [u8; LANES]) -> wide::u8x16 {
        wide::u8x16::new(bytes)
    }

    #[inline(always)]
    fn store(self, vector: wide::u8x16) -> [u8; LANES] {
        vector.to_array()
    }

    #[inline(always)]
    fn mask(self, bits: u16) -> wide::u8x16 {
        const BITS: [u8; LANES] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        const BYTES: [u8; LANES] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
        let bits: wide::u8x16 = bytemuck::cast([u64::from(bits), 0]);
        let one = wide::u8x16::new(BITS);
        let bits = bits.shuffle(wide::u8x16::new(BYTES)) & one;
        bits.simd_eq(one)
    }

    #[inline(always)]
    fn high_nibbles(self, vector: wide::u8x16) -> wide::u8x16 {
        let lanes: wide::u16x8 = bytemuck::cast(vector);
        let shifted: wide::u8x16 = bytemuck::cast(lanes >> 4);
        shifted & wide::u8x16::splat(15)
    }

    #[inline(always)]
    fn interleave(self, even: wide::u8x16, odd: wide::u8x16) -> [wide::u8x16; 2] {
        [wide::u8x16::unpack_low(even, odd), wide::u8x16::unpack_high(even, odd)]
    }

    #[inline(always)]
    fn shuffle(self, table: wide::u8x16, indices: wide::u8x16) -> wide::u8x16 {
        table.shuffle(indices)
    }

    #[inline(always)]
    fn at_least(self, vector: wide::u8x16, limit: wide::u8x16) -> u16 {
        vector.max(limit).simd_eq(vector).to_bitmask() as u16
    }

    #[inline(always)]
    fn select(self, left: u64, right: u64, selection: u64) -> u64 {
        let symbols: wide::u8x16 = bytemuck::cast([left, right]);
        let selected = symbols.shuffle(bytemuck::cast([selection, 0]));
        let [selected, _]: [u64; 2] = bytemuck::cast(selected);
        selected
    }

    #[inline(always)]
    fn subtract(self, vector: wide::u8x16, other: wide::u8x16) -> wide::u8x16 {
        vector - other
    }

    #[inline(always)]
    fn load_long(self, bytes: [u8; LONG]) -> [wide::u8x16; 2] {
        bytemuck::cast(bytes)
    }

    #[inline(always)]
    fn store_long(self, long: [wide::u8x16; 2]) -> [u8; LONG] {
        bytemuck::cast(long)
    }

    #[inline(always)]
    fn add_block(
        self,
        others: [wide::u8x16; 2],
        symbols: [wide::u8x16; 2],
        table: [wide::u8x16; 2],
        high: u8,
    ) -> [wide::u8x16; 2] {
        let high = wide::u8x16::splat(high << 4);
        [
            others[0] | table[0].shuffle_zeroing(symbols[0] ^ high),
            others[1] | table[1].shuffle_zeroing(symbols[1] ^ high),
        ]
    }

    #[inline(always)]
    fn low_nibbles(self, vector: wide::u8x16) -> u64 {
        let lanes: wide::u16x8 = bytemuck::cast(vector & wide::u8x16::splat(15));
        let pairs: wide::u8x16 = bytemuck::cast(lanes | lanes >> 4);
        let [even, _]: [u64; 2] = bytemuck::cast(pairs.shuffle(wide::u8x16::new(EVEN)));
        even
    }
}

/// The kernels on shuffles.
#[derive(Clone, Copy)]
pub(crate) struct Shuffled<S>(pub(crate) S);

impl<S: Shuffle> Merger for Shuffled<S> {
    #[inline(never)]
    fn count_ones(self, bits: &[u8]) -> usize {
        self.0.run(
            #[inline(always)]
            || count_ones(bits),
        )
    }

    #[inline(never)]
    fn look_up(self, leaf: StoredLeaf<'_>, dst: &mut [u8]) {
        match leaf.bits {
            1 => look_up::<S, 1>(self.0, leaf, dst),
            2 => look_up::<S, 2>(self.0, leaf, dst),
            3 => look_up::<S, 3>(self.0, leaf, dst),
            4 => look_up::<S, 4>(self.0, leaf, dst),
            5 => look_up::<S, 5>(self.0, leaf, dst),
            _ => look_up::<S, 6>(self.0, leaf, dst),
        }
    }

    #[inline(never)]
    fn merge(self, bits: &[u8], left: Child<'_>, right: Child<'_>, dst: &mut [u8]) {
        match (left, right) {
            // Two symbols whose codewords have the same length and differ in one bit are a leaf.
            (Child::One(_), Child::One(_)) => {}
            (Child::One(left), Child::Many(right)) => {
                merge(self.0, bits, Constant::new(left), Array::new(right), dst);
            }
            (Child::Many(left), Child::One(right)) => {
                merge(self.0, bits, Array::new(left), Constant::new(right), dst);
            }
            (Child::Many(left), Child::Many(right)) => {
                merge(self.0, bits, Array::new(left), Array::new(right), dst);
            }
        }
    }
}

/// Looks up the symbols of a leaf with `BITS` bits.
#[inline(never)]
fn look_up<S: Shuffle, const BITS: u8>(simd: S, leaf: StoredLeaf<'_>, dst: &mut [u8]) {
    simd.run(
        #[inline(always)]
        || {
            let kernel = LookUp::<S, BITS>::new(simd, &leaf);
            for_each_group(
                dst,
                #[inline(always)]
                |number, group| kernel.group(number, group),
            );
        },
    );
}

/// A leaf whose symbols are looked up.
struct LookUp<'a, S: Shuffle, const BITS: u8> {
    simd: S,
    leaf: &'a StoredLeaf<'a>,
    /// The symbols, 16 in each vector.
    tables: [S::Vector; MAX_LEAF / LANES],
    /// The first two symbols, one in each vector.
    zero: S::Vector,
    one: S::Vector,
}

impl<'a, S: Shuffle, const BITS: u8> LookUp<'a, S, BITS> {
    #[inline(always)]
    fn new(simd: S, leaf: &'a StoredLeaf<'a>) -> Self {
        let [a, b, c, d] = *leaf.symbols.as_chunks::<LANES>().0 else {
            unreachable!("four vectors hold 64 symbols")
        };
        Self {
            simd,
            leaf,
            tables: [simd.load(a), simd.load(b), simd.load(c), simd.load(d)],
            zero: simd.splat(leaf.symbols[0]),
            one: simd.splat(leaf.symbols[1]),
        }
    }

    #[inline(always)]
    fn group(&self, number: usize, group: &mut [u8; GROUP]) {
        let word = |plane: usize| word_at(self.leaf.planes[plane], number);
        let words = match BITS {
            4 => [0; 3],
            1 | 5 => [word(0), 0, 0],
            2 | 6 => [word(0), word(1), 0],
            _ => [word(0), word(1), word(2)],
        };
        let nibbles = if BITS >= 4 { nibbles_at(self.leaf.nibbles, number) } else { [0; 32] };
        let (pairs, _) = nibbles.as_chunks::<LANES>();
        let (halves, _) = group.as_chunks_mut::<{ 2 * LANES }>();
        for (half, (to, pairs)) in halves.iter_mut().zip(pairs).enumerate() {
            let pairs = self.simd.load(*pairs);
            let [first, second] = match BITS {
                4.. => {
                    let even = pairs & self.simd.splat(15);
                    self.simd.interleave(even, self.simd.high_nibbles(pairs))
                }
                _ => [pairs; 2],
            };
            let (lower, upper) = to.split_at_mut(LANES);
            lower.copy_from_slice(&self.vector(words, 2 * half, first));
            upper.copy_from_slice(&self.vector(words, 2 * half + 1, second));
        }
    }

    /// Returns the symbols of one vector, given the planes of the group and the nibbles.
    #[inline(always)]
    fn vector(&self, words: [u64; 3], at: usize, nibbles: S::Vector) -> [u8; LANES] {
        let simd = self.simd;
        let [t0, t1, t2, t3] = self.tables;
        let [m0, m1, m2] = [
            simd.mask((words[0] >> (LANES * at)) as u16),
            simd.mask((words[1] >> (LANES * at)) as u16),
            simd.mask((words[2] >> (LANES * at)) as u16),
        ];
        let [b0, b1, b2] = [m0 & simd.splat(1), m1 & simd.splat(2), m2 & simd.splat(4)];
        let in_half = simd.blend(m0, simd.shuffle(t0, nibbles), simd.shuffle(t1, nibbles));
        let symbols = match BITS {
            1 => simd.blend(m0, self.zero, self.one),
            2 => simd.shuffle(t0, b0 | b1),
            3 => simd.shuffle(t0, b0 | b1 | b2),
            4 => simd.shuffle(t0, nibbles),
            5 => in_half,
            _ => {
                let in_other = simd.blend(m0, simd.shuffle(t2, nibbles), simd.shuffle(t3, nibbles));
                simd.blend(m1, in_half, in_other)
            }
        };
        simd.store(symbols)
    }
}

/// The symbols of a child, in order.
trait Source<'a>: Copy {
    /// Returns the symbols of a group, and others after them.
    fn window(&self) -> Option<Window<'a>>;

    /// Skips symbols.
    fn skip(&mut self, count: usize);
}

/// At least 72 symbols.
#[derive(Clone, Copy)]
enum Window<'a> {
    Constant(u64),
    Symbols(&'a [u8; WINDOW]),
}

impl Window<'_> {
    /// Returns eight symbols from an index on.
    #[inline(always)]
    fn at(self, index: usize) -> u64 {
        match self {
            Self::Constant(symbols) => symbols,
            Self::Symbols(symbols) => {
                let symbols = &symbols[index % GROUP..];
                u64::from_le_bytes(*symbols.first_chunk().expect("a window is longer by eight"))
            }
        }
    }
}

/// One symbol again and again.
#[derive(Clone, Copy)]
struct Constant(u64);

impl Constant {
    fn new(symbol: u8) -> Self {
        Self(u64::from_le_bytes([symbol; 8]))
    }
}

impl<'a> Source<'a> for Constant {
    #[inline(always)]
    fn window(&self) -> Option<Window<'a>> {
        Some(Window::Constant(self.0))
    }

    #[inline(always)]
    fn skip(&mut self, _: usize) {}
}

/// An array of symbols.
#[derive(Clone, Copy)]
struct Array<'a> {
    symbols: &'a [u8],
    next: usize,
}

impl<'a> Array<'a> {
    fn new(symbols: &'a [u8]) -> Self {
        Self { symbols, next: 0 }
    }
}

impl<'a> Source<'a> for Array<'a> {
    #[inline(always)]
    fn window(&self) -> Option<Window<'a>> {
        self.symbols.get(self.next..)?.first_chunk().map(Window::Symbols)
    }

    #[inline(always)]
    fn skip(&mut self, count: usize) {
        self.next += count;
    }
}

/// Merges two children by the bits of their node.
#[inline(never)]
fn merge<'a, S: Shuffle>(
    simd: S,
    bits: &[u8],
    mut left: impl Source<'a>,
    mut right: impl Source<'a>,
    dst: &mut [u8],
) {
    simd.run(
        #[inline(always)]
        || {
            for_each_word(
                bits,
                dst,
                #[inline(always)]
                |word, group| {
                    let (Some(lefts), Some(rights)) = (left.window(), right.window()) else {
                        return;
                    };
                    let mut ones = 0_usize;
                    let parts = group.as_chunks_mut::<MERGED>().0;
                    for ((part, byte), done) in
                        parts.iter_mut().zip(word.to_le_bytes()).zip((0_usize..).step_by(MERGED))
                    {
                        let selection = u64::from_le_bytes(SELECTIONS[usize::from(byte)]);
                        let zeros = done.wrapping_sub(ones);
                        *part =
                            simd.select(lefts.at(zeros), rights.at(ones), selection).to_le_bytes();
                        ones += byte.count_ones() as usize;
                    }
                    right.skip(ones);
                    left.skip(GROUP - ones);
                },
            );
        },
    );
}

#[cfg(feature = "alloc")]
impl<S: Shuffle> Splitter for Shuffled<S> {
    fn rank(self, plane: &[u8], ranks: &[u8; SYMBOLS], array: &mut [u8]) {
        let blocks = ranks.as_chunks::<LANES>().0;
        let used = |high: &usize| blocks[*high].iter().any(|&rank| rank > 0);
        let mut highs = [0; SYMBOLS / LANES];
        let mut len = 0;
        for high in (0..blocks.len()).filter(used) {
            highs[len] = high as u8;
            len += 1;
        }
        match len {
            0..=2 => rank::<S, 2>(self.0, plane, ranks, &highs, array),
            3..=4 => rank::<S, 4>(self.0, plane, ranks, &highs, array),
            5..=6 => rank::<S, 6>(self.0, plane, ranks, &highs, array),
            7..=8 => rank::<S, 8>(self.0, plane, ranks, &highs, array),
            _ => rank_one_by_one(plane, ranks, array),
        }
    }

    #[inline(never)]
    fn write_nibbles(self, leaf: ArrayOf<'_>, first: u8, nibbles: &mut [u8]) {
        let simd = self.0;
        simd.run(
            #[inline(always)]
            || {
                let first = simd.splat(first);
                for ((ranks, present), to) in leaf.vectors().zip(nibbles.chunks_mut(LANES / 2)) {
                    let indices = simd.subtract(simd.load(*ranks), first);
                    let indices = indices & simd.mask(present);
                    let bytes = simd.low_nibbles(indices).to_le_bytes();
                    match to.first_chunk_mut() {
                        Some(to) => *to = bytes,
                        None => to.copy_from_slice(&bytes[..to.len()]),
                    }
                }
            },
        );
    }

    #[inline(never)]
    fn write_plane(self, leaf: ArrayOf<'_>, first: u8, bit: u32, plane: &mut [u8]) {
        let simd = self.0;
        simd.run(
            #[inline(always)]
            || {
                let first = simd.splat(first);
                let bit = simd.splat(1 << bit);
                for ((ranks, present), to) in leaf.vectors().zip(plane.chunks_mut(LANES / 8)) {
                    let indices = simd.subtract(simd.load(*ranks), first);
                    let bits = simd.at_least(indices & bit, bit) & present;
                    match to.first_chunk_mut() {
                        Some(to) => *to = bits.to_le_bytes(),
                        None => to.copy_from_slice(&bits.to_le_bytes()[..to.len()]),
                    }
                }
            },
        );
    }

    fn split(self, node: ArrayOf<'_>, pivot: u8, bits: &mut [u8], children: [&mut [u8]; 2]) {
        match children {
            [left, right] if left.is_empty() => {
                split::<S, false, true>(self.0, node, pivot, bits, left, right);
            }
            [left, right] if right.is_empty() => {
                split::<S, true, false>(self.0, node, pivot, bits, left, right);
            }
            [left, right] => split::<S, true, true>(self.0, node, pivot, bits, left, right),
        }
    }
}

/// Replaces symbols by their ranks, which are zeros in blocks other than `COUNT`.
///
/// `highs` are the high four bits of the symbols in each block, then zeros.
#[cfg(feature = "alloc")]
#[inline(never)]
fn rank<S: Shuffle, const COUNT: usize>(
    simd: S,
    plane: &[u8],
    ranks: &[u8; SYMBOLS],
    highs: &[u8; SYMBOLS / LANES],
    array: &mut [u8],
) {
    let (vectors, rest) = plane.as_chunks::<LONG>();
    let (found, rest_found) = array.as_chunks_mut::<LONG>();
    rank_one_by_one(rest, ranks, rest_found);
    simd.run(
        #[inline(always)]
        || {
            let zero = simd.load_long([0; LONG]);
            let mut tables = [zero; COUNT];
            for (table, &high) in tables.iter_mut().zip(highs) {
                let mut twice = [0; LONG];
                let (first, second) = twice.split_at_mut(LANES);
                first.copy_from_slice(&ranks.as_chunks::<LANES>().0[usize::from(high)]);
                second.copy_from_slice(first);
                *table = simd.load_long(twice);
            }
            for (vector, to) in vectors.iter().zip(found) {
                let symbols = simd.load_long(*vector);
                let mut found = zero;
                for number in 0..COUNT {
                    found = simd.add_block(found, symbols, tables[number], highs[number]);
                }
                *to = simd.store_long(found);
            }
        },
    );
}

/// Splits an array into those of its children, of which those of single symbols are not kept.
#[cfg(feature = "alloc")]
#[inline(never)]
fn split<S: Shuffle, const LEFT: bool, const RIGHT: bool>(
    simd: S,
    node: ArrayOf<'_>,
    pivot: u8,
    bits: &mut [u8],
    left: &mut [u8],
    right: &mut [u8],
) {
    simd.run(
        #[inline(always)]
        || {
            let pivot = simd.splat(pivot);
            let (mut next_left, mut next_right) = (0, 0);
            for ((ranks, present), to) in node.groups().zip(bits.chunks_mut(8)) {
                let mut word = 0;
                for (at, ranks) in ranks.as_chunks::<LANES>().0.iter().enumerate() {
                    let bits = simd.at_least(simd.load(*ranks), pivot);
                    word |= u64::from(bits) << (LANES * at);
                }
                let word = word & present;
                let word_bytes = word.to_le_bytes();
                match to.first_chunk_mut() {
                    Some(to) => *to = word_bytes,
                    None => to.copy_from_slice(&word_bytes[..to.len()]),
                }
                let lefts = left.get_mut(next_left..).and_then(|rest| rest.first_chunk_mut());
                let rights = right.get_mut(next_right..).and_then(|rest| rest.first_chunk_mut());
                let (mut unused_left, mut unused_right) = ([0; WINDOW], [0; WINDOW]);
                let lefts: &mut [u8; WINDOW] =
                    if LEFT { lefts.unwrap_or(&mut unused_left) } else { &mut unused_left };
                let rights: &mut [u8; WINDOW] =
                    if RIGHT { rights.unwrap_or(&mut unused_right) } else { &mut unused_right };
                let mut ones = 0_usize;
                for (at, (ranks, byte)) in
                    ranks.as_chunks::<MERGED>().0.iter().zip(word_bytes).enumerate()
                {
                    let ranks = u64::from_le_bytes(*ranks);
                    let partition = u64::from_le_bytes(PARTITIONS[usize::from(byte)]);
                    let sorted = simd.select(ranks, 0, partition);
                    let count = byte.count_ones();
                    if LEFT {
                        let at = (MERGED * at).wrapping_sub(ones) % GROUP;
                        lefts[at..at + MERGED].copy_from_slice(&sorted.to_le_bytes());
                    }
                    if RIGHT {
                        // The right child's symbols are the last ones.
                        let sorted = sorted.rotate_left(8 * count);
                        rights[ones % GROUP..][..MERGED].copy_from_slice(&sorted.to_le_bytes());
                    }
                    ones += count as usize;
                }
                next_left += GROUP - ones;
                next_right += ones;
            }
        },
    );
}
