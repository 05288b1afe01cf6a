//! Byte planes: plane *k* holds byte *k* of every element.
//!
//! [`split()`] can first rotate each element, which moves the sign below the exponent, so that the
//! exponent fills the highest plane. Rotation works on whole words of four bytes. The one to three
//! bytes after the last word are not rotated, even if they contain a whole `bfloat16`.
//!
//! The kernels in [`scalar`] are the reference against which all others are tested. `wide` contains
//! the kernels for the compiler's baseline. Each level that is detected at run time has a file.

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
mod avx2;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
mod avx512;
mod blocks;
mod kernels;
mod merge;
pub(crate) mod scalar;
mod split;
#[cfg(all(feature = "simd", target_endian = "little"))]
mod wide;

pub(crate) use merge::{is_far, merge, merge_part, prefetch};
pub(crate) use split::split;

/// Maximum number of planes of a layout.
pub(crate) const MAX_PLANES: usize = 4;
/// Length in bytes of a word, the unit of rotation.
const WORD: usize = 4;

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::plane_layout::PlaneLayout;
    use crate::simd::{Kernels, Level};

    /// Returns bytes without a pattern.
    fn bytes(len: usize) -> Vec<u8> {
        (0..len as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 23) as u8).collect()
    }

    const LAYOUTS: [PlaneLayout; 5] = [
        PlaneLayout { planes: 1, rotated: true },
        PlaneLayout { planes: 2, rotated: false },
        PlaneLayout { planes: 2, rotated: true },
        PlaneLayout { planes: 4, rotated: false },
        PlaneLayout { planes: 4, rotated: true },
    ];

    /// Splits as specified: rotates whole words, then moves byte b to plane b mod K.
    fn split_as_specified(layout: PlaneLayout, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut chunk = chunk.to_vec();
        for word in chunk.as_chunks_mut::<WORD>().0 {
            let value = u32::from_le_bytes(*word);
            let (exponent, sign, rest) = match (layout.rotated, layout.planes) {
                (true, 4) => ((value >> 23) & 0xff, value >> 31, value & 0x7f_ffff),
                (true, 2) => {
                    let rotate =
                        |half: u32| ((half >> 7) & 0xff) << 8 | (half >> 15 & 1) << 7 | half & 0x7f;
                    let halves = rotate(value & 0xffff) | rotate(value >> 16) << 16;
                    *word = halves.to_le_bytes();
                    continue;
                }
                _ => continue,
            };
            *word = (exponent << 24 | sign << 23 | rest).to_le_bytes();
        }
        (0..layout.planes)
            .map(|plane| chunk.iter().skip(plane).step_by(layout.planes).copied().collect())
            .collect()
    }

    fn split_into_vectors(layout: PlaneLayout, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut planes: Vec<Vec<u8>> = (0..layout.planes)
            .map(|plane| vec![0; layout.plane_len(chunk.len() as u64, plane) as usize])
            .collect();
        let mut parts = planes.iter_mut();
        let parts = core::array::from_fn(|_| parts.next().map_or(&mut [][..], |part| part));
        split(layout, chunk, parts);
        planes
    }

    #[test]
    fn split_is_as_specified_and_merge_is_its_inverse() {
        for layout in LAYOUTS {
            for len in (0..=300).chain(4093..=4100).chain(70_000..=70_004) {
                let chunk = bytes(len);
                let planes = split_into_vectors(layout, &chunk);
                assert_eq!(planes, split_as_specified(layout, &chunk), "{layout:?}, {len} bytes");
                let mut parts = planes.iter();
                let parts = core::array::from_fn(|_| parts.next().map_or(&[][..], |part| part));
                let mut merged = vec![0x5a; len];
                merge(layout, parts, &mut merged);
                assert_eq!(merged, chunk, "{layout:?}, {len} bytes");
            }
        }
    }

    /// Compares every kernel with its scalar form, at lengths that leave every possible remainder.
    #[test]
    fn kernels_agree_with_the_scalar_kernels() {
        for (level, kernels) in Kernels::all() {
            compare(level, kernels);
        }
    }

    fn compare(level: Level, kernels: Kernels) {
        type Split2 = fn(Kernels, &[u8], &mut [u8], &mut [u8]);
        type Merge2 = fn(Kernels, &[u8], &[u8], &mut [u8]);
        type Split4 = fn(Kernels, &[u8], [&mut [u8]; 4]);
        type Merge4 = fn(Kernels, [&[u8]; 4], &mut [u8]);
        let splits2: [Split2; 2] = [Kernels::split2, Kernels::split2_rotated];
        let merges2: [Merge2; 2] = [Kernels::merge2, Kernels::merge2_rotated];
        let splits4: [Split4; 2] = [Kernels::split4, Kernels::split4_rotated];
        let merges4: [Merge4; 2] = [Kernels::merge4, Kernels::merge4_rotated];
        let both = [kernels, Kernels::Scalar];
        for elements in (0..=200).chain([511, 512]) {
            let words = bytes(elements * 4);
            for split in splits2 {
                let [found, expected] = both.map(|kernels| {
                    let mut planes = vec![0; words.len()];
                    let (low, high) = planes.split_at_mut(words.len() / 2);
                    split(kernels, &words, low, high);
                    planes
                });
                assert_eq!(found, expected, "{level}, {elements} words");
            }
            for merge in merges2 {
                let (low, high) = words.split_at(words.len() / 2);
                let [found, expected] = both.map(|kernels| {
                    let mut merged = vec![0; words.len()];
                    merge(kernels, low, high, &mut merged);
                    merged
                });
                assert_eq!(found, expected, "{level}, {elements} words");
            }
            let quarters: Vec<&[u8]> =
                (0..4).map(|plane| &words[plane * elements..][..elements]).collect();
            for split in splits4 {
                let [found, expected] = both.map(|kernels| {
                    let mut planes = [(); 4].map(|()| vec![0; elements]);
                    split(kernels, &words, planes.each_mut().map(Vec::as_mut_slice));
                    planes
                });
                assert_eq!(found, expected, "{level}, {elements} words");
            }
            for merge in merges4 {
                let [found, expected] = both.map(|kernels| {
                    let mut merged = vec![0; words.len()];
                    merge(kernels, core::array::from_fn(|plane| quarters[plane]), &mut merged);
                    merged
                });
                assert_eq!(found, expected, "{level}, {elements} words");
            }
        }
    }
}
