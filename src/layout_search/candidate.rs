//! The layouts that a search compares.

use crate::layout_search::entropy::RAW;
use crate::plane_layout::PlaneLayout;

/// Length in bytes of a word, the longest element of any layout.
pub(super) const WORD: usize = 4;
/// A layout that was not declared must save one part in this many, or the saving may be chance.
pub(super) const WORTHWHILE_PART: u64 = 128;

/// A layout, and the offset of its elements from the words of the data.
///
/// The offset matters only with rotation. Without rotation, an offset only exchanges planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Candidate {
    pub(super) layout: PlaneLayout,
    /// Bytes from the beginning of a word to the beginning of an element.
    pub(super) phase: usize,
}

impl Candidate {
    /// All candidates whose costs can differ.
    pub(super) const ALL: [Self; 9] = [
        Self { layout: PlaneLayout::ONE, phase: 0 },
        Self { layout: PlaneLayout::TWO, phase: 0 },
        Self { layout: PlaneLayout::FOUR, phase: 0 },
        Self { layout: PlaneLayout::TWO_ROTATED, phase: 0 },
        Self { layout: PlaneLayout::TWO_ROTATED, phase: 1 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 0 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 1 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 2 },
        Self { layout: PlaneLayout::FOUR_ROTATED, phase: 3 },
    ];

    /// Returns the first offset, at or after `offset`, at which the first element of a word begins.
    pub(super) fn align(self, offset: usize) -> usize {
        let past = (offset + WORD - self.phase) % WORD;
        offset + (WORD - past) % WORD
    }
}

/// Converts a cost per word to the size in bytes of `len` bytes of data.
pub(super) fn size(word_cost: u32, len: usize) -> u64 {
    u64::from(word_cost) * len as u64 / u64::from(RAW * WORD as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_offsets_are_the_next_with_the_phase() {
        for candidate in Candidate::ALL {
            for offset in 0..20 {
                let aligned = candidate.align(offset);
                assert!((offset..offset + WORD).contains(&aligned));
                assert_eq!(aligned % WORD, candidate.phase, "{offset}");
            }
        }
    }

    #[test]
    fn rotated_layouts_have_every_phase() {
        for layout in PlaneLayout::ALL {
            let phases = Candidate::ALL.iter().filter(|candidate| candidate.layout == layout);
            let expected = if layout.rotated { layout.planes } else { 1 };
            assert_eq!(phases.count(), expected, "{layout:?}");
        }
    }

    #[test]
    fn raw_data_keeps_its_size() {
        assert_eq!(size(WORD as u32 * RAW, 12_345), 12_345);
        assert_eq!(size(WORD as u32 * RAW / 2, 1000), 500);
        assert_eq!(size(0, 1000), 0);
    }
}
