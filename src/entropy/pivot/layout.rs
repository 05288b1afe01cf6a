//! Where the bits of each element are stored.

use core::ops::Range;

use crate::entropy::pivot::tree::{Element, MAX_ELEMENTS, Tree};
use crate::error::DecodeErrorKind;

/// Number of bits of a symbol in a leaf from which four of them are stored together.
const NIBBLE: u8 = 4;
/// Maximum number of planes of one bit that a leaf has.
pub(crate) const MAX_LEAF_PLANES: usize = NIBBLE as usize - 1;

/// The populations of a tree, and where the bits of each element are stored.
#[derive(Clone)]
pub(crate) struct Layout {
    populations: [u32; MAX_ELEMENTS],
    /// The offset of each element's bits, after the description.
    starts: [u32; MAX_ELEMENTS],
}

impl Layout {
    /// Determines the layout of the stored bits of a plane, and checks its length and padding.
    ///
    /// `count_ones` returns the number of ones in the bits of a node.
    pub(crate) fn read(
        tree: &Tree,
        stored: &[u8],
        plane_len: usize,
        count_ones: impl Fn(&[u8]) -> usize,
    ) -> Result<Self, DecodeErrorKind> {
        let corrupt = DecodeErrorKind::CorruptStream;
        let mut layout = Self { populations: [0; MAX_ELEMENTS], starts: [0; MAX_ELEMENTS] };
        layout.populations[0] = plane_len as u32;
        let mut start = 0;
        for (number, &element) in tree.elements().iter().enumerate() {
            let population = layout.population(number);
            let bits = StoredBits::new(element, population);
            let range = start..start + bits.len();
            let stored = stored.get(range.clone()).ok_or(corrupt)?;
            if !bits.is_padded_with_zeros(stored) {
                return Err(corrupt);
            }
            if let Element::Node { left } = element {
                let ones = count_ones(stored).min(population);
                layout.set_children(left, population - ones, ones);
            }
            layout.starts[number] = start as u32;
            start = range.end;
        }
        if start == stored.len() { Ok(layout) } else { Err(corrupt) }
    }

    /// Returns the layout for a plane with these counts of symbols, and its length in bytes.
    #[cfg(feature = "alloc")]
    pub(crate) fn of_counts(tree: &Tree, counts: &[u32; crate::entropy::SYMBOLS]) -> (Self, usize) {
        let mut layout = Self { populations: [0; MAX_ELEMENTS], starts: [0; MAX_ELEMENTS] };
        for (number, &element) in tree.elements().iter().enumerate().rev() {
            layout.populations[number] = match element {
                Element::Leaf { bits, first } => tree.symbols(first)[..1 << bits]
                    .iter()
                    .map(|&symbol| counts[usize::from(symbol)])
                    .sum(),
                Element::Node { left } => {
                    let left = usize::from(left);
                    layout.populations[left] + layout.populations[left + 1]
                }
            };
        }
        let mut start = 0;
        for (number, &element) in tree.elements().iter().enumerate() {
            layout.starts[number] = start as u32;
            start += StoredBits::new(element, layout.population(number)).len();
        }
        (layout, start)
    }

    fn set_children(&mut self, left: u8, zeros: usize, ones: usize) {
        let left = usize::from(left);
        self.populations[left % MAX_ELEMENTS] = zeros as u32;
        self.populations[(left + 1) % MAX_ELEMENTS] = ones as u32;
    }

    /// Returns the number of symbols that reach an element.
    pub(crate) fn population(&self, element: usize) -> usize {
        self.populations[element % MAX_ELEMENTS] as usize
    }

    /// Returns the offset of an element's bits, after the description.
    pub(crate) fn start(&self, element: usize) -> usize {
        self.starts[element % MAX_ELEMENTS] as usize
    }
}

/// How the bits of an element are stored: nibbles of four bits, then planes of one bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredBits {
    /// Length of the nibbles in bytes, 0 if there are none.
    nibbles: usize,
    planes: usize,
    plane_len: usize,
    population: usize,
}

impl StoredBits {
    /// Returns how an element with this population is stored.
    pub(crate) fn new(element: Element, population: usize) -> Self {
        let bits = match element {
            Element::Leaf { bits, .. } => bits,
            Element::Node { .. } => 1,
        };
        let nibbles = if bits < NIBBLE { 0 } else { population.div_ceil(2) };
        Self {
            nibbles,
            planes: usize::from(bits % NIBBLE),
            plane_len: population.div_ceil(8),
            population,
        }
    }

    /// Returns the length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.nibbles + self.planes * self.plane_len
    }

    /// Returns the range of the nibbles, in the bits of the element.
    pub(crate) fn nibbles(&self) -> Range<usize> {
        0..self.nibbles
    }

    /// Returns the range of each plane, in the bits of the element.
    pub(crate) fn planes(self) -> impl ExactSizeIterator<Item = Range<usize>> {
        (0..self.planes).map(move |plane| {
            let start = self.nibbles + plane * self.plane_len;
            start..start + self.plane_len
        })
    }

    /// Returns whether the bits after those of the last symbol are zeros.
    fn is_padded_with_zeros(self, stored: &[u8]) -> bool {
        let last_of = |range: Range<usize>| stored[range].last().copied().unwrap_or_default();
        let used_in_plane = self.population % 8;
        (self.population.is_multiple_of(2) || last_of(self.nibbles()) >> 4 == 0)
            && (used_in_plane == 0
                || self.planes().all(|plane| last_of(plane) >> used_in_plane == 0))
    }
}
