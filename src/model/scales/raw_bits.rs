//! The bits of elements that are stored as they are.
//!
//! Eight elements with `8 * FULL + PART` raw bits each are stored together: first the lowest
//! `8 * FULL` bits of each element as bytes, then the other bits as a number with `PART` bits for
//! each element, the first element in its lowest bits.

use crate::format::scales::GROUP;
use crate::model::scales::shape::Shape;

/// Returns the length in bytes of the raw bits of `elements` elements with `bits` raw bits each.
pub(crate) fn len(elements: usize, bits: u32) -> usize {
    elements.div_ceil(GROUP) * bits as usize
}

/// Returns the raw bits of eight elements.
///
/// `bytes` has the length [`Shape::GROUP_LEN`].
#[inline(always)]
pub(crate) fn get<S: Shape>(bytes: &[u8]) -> [u32; GROUP] {
    let (full, part) = bytes.split_at(GROUP * S::FULL);
    let mut packed = [0; 8];
    packed[..S::PART].copy_from_slice(&part[..S::PART]);
    let packed = u64::from_le_bytes(packed);
    let mut raw = [0; GROUP];
    if S::PART > 0 {
        let shifted: [u64; GROUP] = core::array::from_fn(|lane| packed >> (S::PART * lane));
        raw = shifted.map(|part| (part as u32 & ((1 << S::PART) - 1)) << (8 * S::FULL));
    }
    match S::FULL {
        0 => {}
        1 => raw.iter_mut().zip(full).for_each(|(raw, &low)| *raw |= u32::from(low)),
        _ => {
            let lows = full.as_chunks().0;
            raw.iter_mut()
                .zip(lows)
                .for_each(|(raw, low)| *raw |= u32::from(u16::from_le_bytes(*low)));
        }
    }
    raw
}

/// Stores the raw bits of eight elements. It reverses [`get`].
#[inline(always)]
pub(crate) fn put<S: Shape>(raw: [u32; GROUP], bytes: &mut [u8]) {
    let (full, part) = bytes.split_at_mut(GROUP * S::FULL);
    match S::FULL {
        0 => {}
        1 => full.iter_mut().zip(raw).for_each(|(low, raw)| *low = raw as u8),
        _ => {
            let lows = full.as_chunks_mut().0;
            lows.iter_mut().zip(raw).for_each(|(low, raw)| *low = (raw as u16).to_le_bytes());
        }
    }
    if S::PART > 0 {
        let parts: [u64; GROUP] =
            core::array::from_fn(|lane| u64::from(raw[lane] >> (8 * S::FULL)) << (S::PART * lane));
        let packed = parts.into_iter().fold(0, |packed, part| packed | part);
        part[..S::PART].copy_from_slice(&packed.to_le_bytes()[..S::PART]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scales::shape::{BF16, F8, F16, F32};

    fn check<S: Shape>() {
        let mask = ((1_u64 << S::RAW) - 1) as u32;
        for seed in 0..50_u32 {
            let raw = core::array::from_fn(|element| {
                (seed * 8 + element as u32).wrapping_mul(0x9e37_79b9) & mask
            });
            let mut bytes = [0xaa; 32];
            let bytes = &mut bytes[..S::GROUP_LEN];
            put::<S>(raw, bytes);
            assert_eq!(get::<S>(bytes), raw);
        }
    }

    #[test]
    fn raw_bits_are_restored() {
        check::<F8>();
        check::<BF16<false>>();
        check::<BF16<true>>();
        check::<F16<false>>();
        check::<F16<true>>();
        check::<F32<false>>();
        check::<F32<true>>();
    }
}
