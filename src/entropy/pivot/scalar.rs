//! Decodes planes symbol by symbol. All other kernels are tested against this.
//!
//! Each symbol follows its path through the tree, and takes a bit from each element on it. This
//! needs no memory but a position for each element, and takes many times as long as merging arrays.

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
            let element = tree.element(number);
            let bits = stored.get(layout.start(number)..).unwrap_or_default();
            match element {
                Element::Node { left } => number = usize::from(left) + bit(bits, at),
                Element::Leaf { first, .. } => {
                    let stored = StoredBits::new(element, layout.population(number));
                    break tree.symbols(first)[read_index(stored, bits, at)];
                }
            }
        };
    }
}

/// Returns the bit at a position.
fn bit(bits: &[u8], at: usize) -> usize {
    usize::from(bits.get(at / 8).copied().unwrap_or_default() >> (at % 8) & 1)
}

/// Returns the index, in its leaf, of the symbol at a position.
fn read_index(stored: StoredBits, bits: &[u8], at: usize) -> usize {
    let mut index = 0;
    let mut shift = 0;
    if !stored.nibbles().is_empty() {
        let pair = bits.get(at / 2).copied().unwrap_or_default();
        index = usize::from(pair >> (4 * (at % 2)) & 15);
        shift = 4;
    }
    for plane in stored.planes() {
        index |= bit(&bits[plane], at) << shift;
        shift += 1;
    }
    index
}
