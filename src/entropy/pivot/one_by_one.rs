//! Decodes planes symbol by symbol, for readers with little memory.
//!
//! Each symbol follows its path through the tree and takes a bit from each element on it. This
//! needs no memory but a position for each element, and takes many times as long as merging arrays.
//! All other kernels are tested against it.

use crate::entropy::pivot::layout::{Layout, StoredBits};
use crate::entropy::pivot::tree::{Element, MAX_ELEMENTS, Tree};

/// Decodes the stored bits of a plane into `dst`.
pub(crate) fn decode(tree: &Tree, layout: &Layout, stored: &[u8], dst: &mut [u8]) {
    let mut positions = [0_u32; MAX_ELEMENTS];
    for to in dst {
        let mut number = 0;
        *to = loop {
            let position = &mut positions[number % MAX_ELEMENTS];
            let at = *position as usize;
            *position += 1;
            let start = layout.start(number);
            let element = tree.element(number);
            match element {
                Element::Node { left } => number = usize::from(left) + bit(stored, start, at),
                Element::Leaf { bits: 0, first } => break tree.symbols(first)[0],
                Element::Leaf { first, .. } => {
                    let bits = StoredBits::new(element, layout.population(number));
                    break tree.symbols(first)[index(stored, start, bits, at)];
                }
            }
        };
    }
}

/// Returns the bit at a position after the start of bits.
fn bit(stored: &[u8], start: usize, at: usize) -> usize {
    usize::from(stored.get(start + at / 8).copied().unwrap_or_default() >> (at % 8) & 1)
}

/// Returns the index, in its leaf, of the symbol at a position.
fn index(stored: &[u8], start: usize, bits: StoredBits, at: usize) -> usize {
    let mut index = 0;
    let mut shift = 0;
    if !bits.nibbles().is_empty() {
        let pair = stored.get(start + at / 2).copied().unwrap_or_default();
        index = usize::from(pair >> (4 * (at % 2)) & 15);
        shift = 4;
    }
    for plane in bits.planes() {
        index |= bit(stored, start + plane.start, at) << shift;
        shift += 1;
    }
    index
}
