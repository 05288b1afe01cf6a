//! The tree of a code, which the lengths of its codewords determine.

use crate::entropy::huffman::MAX_READ_BITS;
use crate::entropy::huffman::weights::CodeLengths;
use crate::entropy::{SYMBOLS, occurrences};

/// Maximum number of bits that a symbol takes in a leaf.
pub(crate) const MAX_LEAF_BITS: u8 = 6;
/// Number of symbols of the largest leaf.
pub(crate) const MAX_LEAF: usize = 1 << MAX_LEAF_BITS;
/// Length of the longest codeword in bits.
const MAX_DEPTH: usize = MAX_READ_BITS as usize;
/// Number of levels of the deepest tree.
pub(crate) const MAX_LEVELS: usize = MAX_DEPTH + 1;
/// Upper bound of the number of elements, a power of two.
///
/// A code has at most 64 leaves: each full leaf takes 64 of 256 symbols, and *p* smaller ones of
/// the same length at least 2^*p* − 1. Twelve lengths with four or five leaves exhaust the symbols.
pub(crate) const MAX_ELEMENTS: usize = 128;

/// An element of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// 2^`bits` symbols of the same codeword length, `first` the rank of the first one.
    Leaf { bits: u8, first: u8 },
    /// A node, whose children are the elements `left` and `left + 1`.
    Node { left: u8 },
}

/// The tree of a code.
#[derive(Clone)]
pub(crate) struct Tree {
    elements: [Element; MAX_ELEMENTS],
    len: usize,
    /// The number of the first element of each level, then the number of elements.
    levels: [u8; MAX_LEVELS + 1],
    level_count: usize,
    /// The symbols by rank, their order in the leaves. Zeros follow, so that every leaf can be read
    /// as if it were one of the largest.
    symbols: [u8; SYMBOLS + MAX_LEAF],
}

impl Tree {
    /// Builds the tree of a complete code.
    pub(crate) fn new(code: &CodeLengths) -> Self {
        let mut tree = Self {
            elements: [Element::Leaf { bits: 0, first: 0 }; MAX_ELEMENTS],
            len: 0,
            levels: [0; MAX_LEVELS + 1],
            level_count: 0,
            symbols: [0; SYMBOLS + MAX_LEAF],
        };
        let mut sorted = SortedSymbols::new(code);
        let mut rank = 0;
        let mut next_child = 1;
        let mut width = 1;
        for depth in 0..MAX_LEVELS {
            let end_of_level = tree.len + width;
            for bits in (0..=MAX_LEAF_BITS).rev() {
                while let Some(symbols) = sorted.take(depth + usize::from(bits), 1 << bits) {
                    tree.symbols[rank..rank + symbols.len()].copy_from_slice(symbols);
                    tree.push(Element::Leaf { bits, first: rank as u8 });
                    rank += symbols.len();
                }
            }
            let nodes = end_of_level.saturating_sub(tree.len);
            for _ in 0..nodes {
                tree.push(Element::Node { left: next_child });
                next_child += 2;
            }
            tree.level_count = depth + 1;
            tree.levels[depth + 1] = tree.len as u8;
            width = 2 * nodes;
            if width == 0 {
                break;
            }
        }
        tree
    }

    fn push(&mut self, element: Element) {
        self.elements[self.len % MAX_ELEMENTS] = element;
        self.len += 1;
    }

    /// Returns all elements.
    pub(crate) fn elements(&self) -> &[Element] {
        &self.elements[..self.len]
    }

    /// Returns the element with this number.
    pub(crate) fn element(&self, number: usize) -> Element {
        self.elements[number % MAX_ELEMENTS]
    }

    /// Returns the numbers of the elements of each level, from the root on.
    pub(crate) fn levels(
        &self,
    ) -> impl DoubleEndedIterator<Item = core::ops::Range<usize>> + ExactSizeIterator {
        self.levels[..=self.level_count]
            .windows(2)
            .map(|level| usize::from(level[0])..usize::from(level[1]))
    }

    /// Returns the symbols from a rank on, as many as the largest leaf has.
    pub(crate) fn symbols(&self, first: u8) -> &[u8; MAX_LEAF] {
        self.symbols[usize::from(first)..].first_chunk().expect("zeros follow the symbols")
    }
}

/// The symbols of a code, sorted by the length of their codewords, then by symbol.
struct SortedSymbols {
    symbols: [u8; SYMBOLS],
    /// For each length, the range of symbols that are left.
    left: [(u16, u16); MAX_LEVELS],
}

impl SortedSymbols {
    fn new(code: &CodeLengths) -> Self {
        let counts: [u16; MAX_LEVELS] =
            core::array::from_fn(|bits| occurrences(&code.bits, bits as u8));
        let mut left = [(0, 0); MAX_LEVELS];
        let mut end = 0;
        for (left, &count) in left.iter_mut().zip(&counts).skip(1) {
            *left = (end, end);
            end += count;
        }
        let mut symbols = [0; SYMBOLS];
        for (symbol, &bits) in code.bits.iter().enumerate().filter(|&(_, &bits)| bits > 0) {
            let (_, end) = &mut left[usize::from(bits)];
            symbols[usize::from(*end)] = symbol as u8;
            *end += 1;
        }
        Self { symbols, left }
    }

    /// Takes symbols with codewords of this length; returns `None` if fewer are left.
    fn take(&mut self, bits: usize, count: u16) -> Option<&[u8]> {
        let (start, end) = self.left.get_mut(bits)?;
        if *end - *start < count {
            return None;
        }
        let first = usize::from(*start);
        *start += count;
        Some(&self.symbols[first..first + usize::from(count)])
    }
}
