//! The places of arrays in memory.
//!
//! The arrays of a level together have at most the length of the plane, so that two memories
//! suffice: the arrays of one level are in one, those of the next level in the other.

use core::ops::Range;

use crate::entropy::pivot::layout::Layout;
use crate::entropy::pivot::tree::{Element, MAX_ELEMENTS, Tree};

/// Number of symbols that kernels handle at a time.
pub(crate) const GROUP: usize = 64;
/// Number of bytes after the symbols of an array that kernels may read or overwrite.
pub(crate) const SLACK: usize = 72;
/// Alignment of arrays in bytes, so that no vector crosses a cache line.
const ALIGNMENT: usize = 64;

/// The places of the arrays of a plane.
pub(crate) struct Arrays<'a> {
    tree: &'a Tree,
    layout: &'a Layout,
    starts: [u32; MAX_ELEMENTS],
    /// The length of each memory in bytes.
    len: usize,
}

impl<'a> Arrays<'a> {
    /// Places the arrays of all elements. Those of a single symbol need no place.
    pub(crate) fn new(tree: &'a Tree, layout: &'a Layout) -> Self {
        let mut arrays = Self { tree, layout, starts: [0; MAX_ELEMENTS], len: 0 };
        for level in tree.levels() {
            let mut start = 0;
            for number in level {
                arrays.starts[number % MAX_ELEMENTS] = start as u32;
                start += arrays.room(number);
            }
            arrays.len = arrays.len.max(start);
        }
        arrays
    }

    /// Returns the length of the memory of an element's array in bytes.
    fn room(&self, number: usize) -> usize {
        match self.tree.element(number) {
            Element::Leaf { bits: 0, .. } => 0,
            _ => (self.population(number) + SLACK).next_multiple_of(ALIGNMENT),
        }
    }

    /// Returns the length of the memory that all arrays need, in bytes.
    pub(crate) fn memory_len(&self) -> usize {
        2 * self.len + ALIGNMENT
    }

    /// Splits the memory into that for the levels of even and of odd numbers.
    pub(crate) fn split_memory<'m>(&self, memory: &'m mut [u8]) -> (&'m mut [u8], &'m mut [u8]) {
        let skipped = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        memory[skipped..].split_at_mut(self.len)
    }

    /// Returns the range of an element's array in the memory of its level.
    pub(crate) fn range(&self, number: usize) -> Range<usize> {
        let start = self.starts[number % MAX_ELEMENTS] as usize;
        start..start + self.room(number)
    }

    /// Returns the tree.
    pub(crate) fn tree(&self) -> &'a Tree {
        self.tree
    }

    /// Returns the number of symbols that reach an element.
    pub(crate) fn population(&self, number: usize) -> usize {
        self.layout.population(number)
    }

    /// Returns the offset of an element's bits, after the description.
    pub(crate) fn stored_at(&self, number: usize) -> usize {
        self.layout.start(number)
    }
}
