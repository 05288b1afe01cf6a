//! Computes the lengths of codewords from counts, limited where Huffman's lengths are too long.

use crate::entropy::SYMBOLS;
use crate::entropy::huffman::weights::CodeLengths;
use crate::entropy::huffman::{MAX_WRITTEN_BITS, MAX_WRITTEN_PLANE};

/// The symbols that occur, most frequent first, then by symbol.
pub(crate) struct Ranking {
    symbols: [u8; SYMBOLS],
    counts: [u32; SYMBOLS],
    len: usize,
}

impl Ranking {
    pub(crate) fn new(counts: &[u32; SYMBOLS]) -> Self {
        /// More than any count.
        const MANY: u32 = 1 << 24;
        const _: () = assert!(MAX_WRITTEN_PLANE < MANY as usize);
        let mut keys = [0_u32; SYMBOLS];
        let mut len = 0;
        for (symbol, &count) in (0..).zip(counts) {
            keys[len % SYMBOLS] = (MANY - 1 - count) << 8 | symbol;
            len += usize::from(count > 0);
        }
        keys[..len].sort_unstable();
        Self {
            symbols: keys.map(|key| key as u8),
            counts: keys.map(|key| MANY - 1 - (key >> 8)),
            len,
        }
    }

    fn counts(&self) -> &[u32] {
        &self.counts[..self.len]
    }

    /// Converts lengths by rank to lengths by symbol.
    fn by_symbol(&self, ranked: &[u8; SYMBOLS]) -> CodeLengths {
        let mut bits = [0; SYMBOLS];
        for (&symbol, &length) in self.symbols[..self.len].iter().zip(ranked) {
            bits[usize::from(symbol)] = length;
        }
        let longest = ranked[..self.len].iter().copied().max().unwrap_or_default();
        CodeLengths { bits, longest: longest.into() }
    }
}

/// The codes to try for a plane in which at least two different symbols occur.
pub(crate) struct Candidates {
    /// The code of the original: Huffman's lengths, or shortened lengths where these are too long.
    pub(crate) original: CodeLengths,
    /// The optimal code of at most 11 bits, if it differs from `original`.
    pub(crate) optimal: Option<CodeLengths>,
}

/// Returns the codes to try for a plane of `plane_len` bytes.
pub(crate) fn candidates(ranking: &Ranking, plane_len: usize) -> Candidates {
    let huffman = huffman(ranking.counts());
    let limit = original_limit(ranking, plane_len);
    let deepest = u32::from(huffman[ranking.len - 1]);
    if deepest <= limit {
        return Candidates { original: ranking.by_symbol(&huffman), optimal: None };
    }
    let mut limited = huffman;
    limit_as_original(&mut limited[..ranking.len], ranking.counts(), limit);
    let optimal =
        if deepest <= MAX_WRITTEN_BITS { huffman } else { package_merge(ranking.counts()) };
    Candidates {
        original: ranking.by_symbol(&limited),
        optimal: (optimal != limited).then(|| ranking.by_symbol(&optimal)),
    }
}

/// Returns the maximum codeword length, in bits, of the original for a plane of this length.
fn original_limit(ranking: &Ranking, plane_len: usize) -> u32 {
    let highest = ranking.symbols[..ranking.len].iter().copied().max().unwrap_or_default();
    let for_length = (plane_len - 1).ilog2().saturating_sub(1).min(MAX_WRITTEN_BITS);
    let needed = (plane_len.ilog2() + 1).min(highest.checked_ilog2().unwrap_or_default() + 2);
    for_length.max(needed).max(5)
}

/// Computes the lengths of Huffman's algorithm by rank.
///
/// It uses two queues: the leaves, rarest first, and the inner nodes in the order of their
/// creation. If counts are equal, the inner node comes first, which keeps the longest codeword
/// short.
fn huffman(counts: &[u32]) -> [u8; SYMBOLS] {
    let inner_count = counts.len() - 1;
    let mut inner = [0_u32; SYMBOLS];
    let mut parent_of_leaf = [0_u8; SYMBOLS];
    let mut parent_of_inner = [0_u8; SYMBOLS];
    let mut leaves = counts.len();
    let mut front = 0;
    for made in 0..inner_count {
        let mut sum = 0;
        for _ in 0..2 {
            let take_leaf = leaves > 0 && (front == made || counts[leaves - 1] < inner[front]);
            if take_leaf {
                leaves -= 1;
                parent_of_leaf[leaves] = made as u8;
                sum += counts[leaves];
            } else {
                parent_of_inner[front] = made as u8;
                sum += inner[front];
                front += 1;
            }
        }
        inner[made] = sum;
    }
    let mut depth = [0_u8; SYMBOLS];
    for node in (0..inner_count.saturating_sub(1)).rev() {
        depth[node] = depth[usize::from(parent_of_inner[node])] + 1;
    }
    let mut bits = [0; SYMBOLS];
    for (bits, &parent) in bits.iter_mut().zip(&parent_of_leaf[..counts.len()]) {
        *bits = depth[usize::from(parent)] + 1;
    }
    bits
}

/// Shortens codewords of more than `limit` bits exactly as `huff0` does.
///
/// It shortens all of them to `limit`, then regains the cells that this takes by lengthening the
/// codewords for which this costs least. The result is not optimal, but the description of optimal
/// lengths may be longer.
fn limit_as_original(bits: &mut [u8], counts: &[u32], limit: u32) {
    const LENGTHS: usize = 14;
    let deepest = u32::from(bits[bits.len() - 1]);
    let mut debt = 0_i64;
    for bits in bits.iter_mut().filter(|bits| u32::from(**bits) > limit) {
        debt += (1 << (deepest - limit)) - (1 << (deepest - u32::from(*bits)));
        *bits = limit as u8;
    }
    debt >>= deepest - limit;
    let limit = limit as u8;
    let Some(mut shorter) = bits.iter().rposition(|&bits| bits < limit) else { return };
    // The last position whose codeword is shorter than the limit by each number of bits.
    let mut last = [None; LENGTHS];
    for (position, &bits) in bits[..=shorter].iter().enumerate() {
        last[usize::from(limit - bits)] = Some(position);
    }
    while debt > 0 {
        let mut by = debt.ilog2() as usize + 1;
        while by > 1 {
            if let Some(long) = last[by] {
                let Some(short) = last[by - 1] else { break };
                if counts[long] <= 2 * counts[short] {
                    break;
                }
            }
            by -= 1;
        }
        while by < LENGTHS - 1 && last[by].is_none() {
            by += 1;
        }
        let Some(position) = last[by] else { return };
        debt -= 1 << (by - 1);
        last[by - 1].get_or_insert(position);
        bits[position] += 1;
        last[by] =
            position.checked_sub(1).filter(|&before| usize::from(limit - bits[before]) == by);
    }
    while debt < 0 {
        let position = match last[1] {
            Some(position) => position + 1,
            None => {
                while bits[shorter] == limit {
                    shorter -= 1;
                }
                shorter + 1
            }
        };
        bits[position] -= 1;
        last[1] = Some(position);
        debt += 1;
    }
}

/// Maximum number of items of a level of package-merge.
const ITEMS: usize = 2 * SYMBOLS;

/// Costs in increasing order.
struct Costs {
    /// The costs from position 1 on, after a cost that is less and before a cost that is greater
    /// than any.
    framed: [u32; ITEMS],
    len: usize,
}

impl Costs {
    const EMPTY: Self = Self { framed: [0; ITEMS], len: 0 };

    fn fill(&mut self, costs: impl ExactSizeIterator<Item = u32>) {
        self.len = costs.len();
        for (framed, cost) in self.framed[1..].iter_mut().zip(costs) {
            *framed = cost;
        }
        self.framed[self.len + 1] = u32::MAX;
    }

    /// Returns the cost at a framed position.
    fn at(&self, position: usize) -> u32 {
        self.framed[position % ITEMS]
    }
}

/// Computes the optimal lengths of at most 11 bits, by rank, with the package-merge algorithm.
///
/// See Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", J. ACM
/// 37(3), 1990. Every level merges the symbols with pairs of the level below, the cheapest first.
/// The 2·(symbols − 1) cheapest items of the top level, followed down to the bottom, give the
/// lengths. These items include all symbols, so that the top level need not be merged.
fn package_merge(counts: &[u32]) -> [u8; SYMBOLS] {
    const LEVELS: usize = MAX_WRITTEN_BITS as usize;
    let [mut symbols, mut pairs] = [Costs::EMPTY; 2];
    symbols.fill(counts.iter().rev().copied());
    pairs.fill([].into_iter());
    let mut merged = [0; ITEMS];
    let mut is_symbol = [[false; ITEMS]; LEVELS - 1];
    for is_symbol in &mut is_symbol {
        let items = symbols.len + pairs.len;
        merge(&symbols, &pairs, &mut merged[..items], &mut is_symbol[..items]);
        let merged = merged[..items].as_chunks().0;
        pairs.fill(merged.iter().map(|[first, second]| first + second));
    }
    let mut bits = [0; SYMBOLS];
    bits[..symbols.len].fill(1);
    let mut taken = 2 * (symbols.len - 2);
    for is_symbol in is_symbol.iter().rev() {
        let chosen = is_symbol[..taken].iter().filter(|&&is_symbol| is_symbol).count();
        for bits in &mut bits[symbols.len - chosen..symbols.len] {
            *bits += 1;
        }
        taken = 2 * (taken - chosen);
    }
    bits
}

/// Merges costs in increasing order, symbols before pairs of equal cost.
///
/// It proceeds from both ends at once, because each step waits for the step before.
fn merge(symbols: &Costs, pairs: &Costs, merged: &mut [u32], is_symbol: &mut [bool]) {
    let half = merged.len() / 2;
    let (cheap, dear) = merged.split_at_mut(half);
    let (cheap_symbol, dear_symbol) = is_symbol.split_at_mut(half);
    let (mut first_symbol, mut first_pair) = (1, 1);
    let (mut last_symbol, mut last_pair) = (symbols.len, pairs.len);
    let fronts = cheap.iter_mut().zip(cheap_symbol);
    let mut backs = dear.iter_mut().zip(dear_symbol).rev();
    for ((front, front_symbol), (back, back_symbol)) in fronts.zip(&mut backs) {
        let (symbol, pair) = (symbols.at(first_symbol), pairs.at(first_pair));
        *front = symbol.min(pair);
        *front_symbol = symbol <= pair;
        first_symbol += usize::from(symbol <= pair);
        first_pair += usize::from(symbol > pair);
        let (symbol, pair) = (symbols.at(last_symbol), pairs.at(last_pair));
        *back = symbol.max(pair);
        *back_symbol = symbol > pair;
        last_symbol -= usize::from(symbol > pair);
        last_pair -= usize::from(symbol <= pair);
    }
    // An odd number of items leaves one in the middle.
    for (back, back_symbol) in backs {
        let (symbol, pair) = (symbols.at(last_symbol), pairs.at(last_pair));
        (*back, *back_symbol) = (symbol.max(pair), symbol > pair);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Merges in the plain way: sorts symbols before pairs of equal cost, for each level.
    fn package_merge_by_sorting(counts: &[u32]) -> Vec<u8> {
        let symbols =
            counts.iter().enumerate().map(|(rank, &count)| (count, false, Vec::from([rank])));
        let symbols: Vec<_> = symbols.rev().collect();
        let mut items = symbols.clone();
        for _ in 1..MAX_WRITTEN_BITS {
            let pairs = items.chunks_exact(2).map(|pair| {
                let ranks = pair.iter().flat_map(|(_, _, ranks)| ranks.iter().copied()).collect();
                (pair[0].0 + pair[1].0, true, ranks)
            });
            let mut merged: Vec<_> = symbols.iter().cloned().chain(pairs).collect();
            merged.sort_by_key(|&(cost, is_pair, _)| (cost, is_pair));
            items = merged;
        }
        let mut bits = Vec::from([0; SYMBOLS]);
        for rank in items[..2 * (counts.len() - 1)].iter().flat_map(|(_, _, ranks)| ranks) {
            bits[*rank] += 1;
        }
        bits
    }

    #[test]
    fn lengths_are_those_of_sorting() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for symbols in (2..60).chain([100, 135, 255, 256]) {
            for skew in [1, 3, 8, 14] {
                let mut counts: Vec<u32> = (0..symbols)
                    .map(|_| (random() >> (random() % (skew + 1) + 5)).max(1))
                    .collect();
                counts.sort_unstable_by(|a, b| b.cmp(a));
                let found = package_merge(&counts);
                assert_eq!(found[..], package_merge_by_sorting(&counts)[..], "{counts:?}");
                let cells: u32 = found[..symbols].iter().map(|&bits| 2048 >> bits).sum();
                assert_eq!(cells, 2048, "the code is complete");
            }
        }
    }
}
