//! Finds the best layout for data whose type is declared.

use crate::layout_search::candidate::{Candidate, WORD, WORTHWHILE_PART, size};
use crate::layout_search::entropy::RAW;
use crate::layout_search::sample::{RUNS, Sample};
use crate::layout_search::windows::{WINDOW, windows};
use crate::plane_layout::PlaneLayout;

/// Number of bytes that another layout must save in addition to [`WORTHWHILE_PART`].
const WORTHWHILE: u64 = 256;

/// Returns the layout with which a frame of `data` is smallest, estimated from samples.
///
/// It is `declared` unless another layout saves about one per cent. With a `base`, which must be as
/// long as `data`, the search examines the difference between the two.
///
/// ```
/// use zipnn::layout_search;
/// use zipnn::frame::PlaneLayout;
///
/// // Integers of 16 bits in a tensor that is declared as bytes.
/// let number = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 16) as u16 % 300;
/// let ids: Vec<u8> = (0..100_000).flat_map(|i| number(i).to_le_bytes()).collect();
/// assert_eq!(layout_search::layout(&ids, None, PlaneLayout::ONE).planes(), 2);
/// ```
pub fn layout(data: &[u8], base: Option<&[u8]>, declared: PlaneLayout) -> PlaneLayout {
    match choose(data, base, declared, &mut Sample::default()) {
        chosen if chosen == declared => chosen,
        // Before it overrules the declaration, the search takes a thorough sample.
        _ => choose(data, base, declared, &mut Sample::thorough()),
    }
}

/// Returns the cheapest layout, or `declared` where the others save too little.
fn choose(
    data: &[u8],
    base: Option<&[u8]>,
    declared: PlaneLayout,
    sample: &mut Sample,
) -> PlaneLayout {
    /// The first search samples one window out of this many.
    const STEP: usize = 4;
    let mut sizes = [0; PlaneLayout::ALL.len()];
    let step = if sample.is_thorough() { 1 } else { STEP };
    for window in windows(0..data.len(), WINDOW).step_by(step) {
        let len = window.len();
        if !sample.take(data, base, window, RUNS) {
            return declared;
        }
        for (total, layout) in sizes.iter_mut().zip(PlaneLayout::ALL) {
            let word_cost = match sample.is_noise() {
                true => RAW * WORD as u32,
                false => sample.cost(Candidate { layout, phase: 0 }),
            };
            *total += size(word_cost, len);
        }
    }
    let sizes = || PlaneLayout::ALL.into_iter().zip(sizes);
    let declared_size = sizes().find(|&(layout, _)| layout == declared).map_or(0, |(_, size)| size);
    let worthwhile = declared_size / WORTHWHILE_PART + WORTHWHILE;
    sizes()
        .filter(|(_, size)| size + worthwhile <= declared_size)
        .min_by_key(|&(_, size)| size)
        .map_or(declared, |(layout, _)| layout)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::layout_search::sample::tests::{floats, noise};

    #[test]
    fn the_declared_layout_stays_where_it_is_best_or_nothing_is_gained() {
        for declared in PlaneLayout::ALL {
            assert_eq!(layout(&noise(600_000), None, declared), declared);
            assert_eq!(layout(&[], None, declared), declared);
            assert_eq!(layout(&floats(60), None, declared), declared, "too short for a sample");
        }
        assert_eq!(
            layout(&floats(50_000), None, PlaneLayout::FOUR_ROTATED),
            PlaneLayout::FOUR_ROTATED
        );
    }

    #[test]
    fn a_wrong_declaration_is_overruled() {
        for declared in [PlaneLayout::ONE, PlaneLayout::TWO, PlaneLayout::FOUR] {
            let found = layout(&floats(200_000), None, declared);
            assert_eq!(found, PlaneLayout::FOUR_ROTATED, "{declared:?}");
        }
    }

    #[test]
    fn a_base_makes_the_difference_count() {
        let data = floats(100_000);
        let base = &noise(data.len() + 1)[1..];
        let difference: Vec<u8> = data.iter().zip(base).map(|(a, b)| a ^ b).collect();
        assert_eq!(layout(&difference, None, PlaneLayout::ONE), PlaneLayout::ONE);
        assert_eq!(layout(&difference, Some(base), PlaneLayout::ONE), PlaneLayout::FOUR_ROTATED);
    }
}
