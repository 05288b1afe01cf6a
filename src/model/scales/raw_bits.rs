//! The bits of elements that are stored as they are.
//!
//! Eight elements with `8 * FULL + PART` raw bits each are stored together: first the lowest
//! `8 * FULL` bits of each element as bytes, then the other bits as a number with `PART` bits for
//! each element, the first element in its lowest bits.

use crate::model::scales::GROUP;

/// Returns the length in bytes of the raw bits of `elements` elements with `bits` raw bits each.
pub(crate) fn len(elements: usize, bits: u32) -> usize {
    elements.div_ceil(GROUP) * bits as usize
}

/// Returns the raw bits of eight elements.
///
/// `bytes` has the length `8 * FULL + PART`.
#[inline(always)]
pub(crate) fn get<const FULL: usize, const PART: usize>(bytes: &[u8]) -> [u32; GROUP] {
    let (full, part) = bytes.split_at(GROUP * FULL);
    let mut packed = [0; 8];
    packed[..PART].copy_from_slice(&part[..PART]);
    let packed = u64::from_le_bytes(packed);
    core::array::from_fn(|element| {
        let high = (packed >> (PART * element)) as u32 & ((1 << PART) - 1);
        let low = match FULL {
            0 => 0,
            1 => full[element].into(),
            _ => u16::from_le_bytes([full[2 * element], full[2 * element + 1]]).into(),
        };
        high << (8 * FULL) | low
    })
}

/// Stores the raw bits of eight elements. It reverses [`get`].
#[inline(always)]
pub(crate) fn put<const FULL: usize, const PART: usize>(raw: [u32; GROUP], bytes: &mut [u8]) {
    let (full, part) = bytes.split_at_mut(GROUP * FULL);
    let mut packed = 0;
    for (element, &raw) in raw.iter().enumerate() {
        match FULL {
            0 => {}
            1 => full[element] = raw as u8,
            _ => full[2 * element..2 * element + 2].copy_from_slice(&(raw as u16).to_le_bytes()),
        }
        packed |= u64::from(raw >> (8 * FULL)) << (PART * element);
    }
    part[..PART].copy_from_slice(&packed.to_le_bytes()[..PART]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const FULL: usize, const PART: usize>() {
        let mask = ((1_u64 << (8 * FULL + PART)) - 1) as u32;
        for seed in 0..50_u32 {
            let raw = core::array::from_fn(|element| {
                (seed * 8 + element as u32).wrapping_mul(0x9e37_79b9) & mask
            });
            let mut bytes = [0xaa; 32];
            let bytes = &mut bytes[..8 * FULL + PART];
            put::<FULL, PART>(raw, bytes);
            assert_eq!(get::<FULL, PART>(bytes), raw);
        }
    }

    #[test]
    fn raw_bits_are_restored() {
        check::<0, 1>();
        check::<0, 4>();
        check::<0, 5>();
        check::<0, 7>();
        check::<1, 0>();
        check::<2, 4>();
        check::<2, 5>();
    }
}
