//! Byte planes: plane *k* holds byte *k* of every element.
//!
//! Splitting optionally rotates each element first, which moves the sign below the exponent so
//! that the exponent fills the highest plane. Rotation works on whole words of four bytes: the
//! one to three bytes behind the last word keep their bits, even a lone bfloat16.

pub(crate) mod scalar;
#[cfg(all(feature = "simd", target_endian = "little"))]
mod wide;

#[cfg(all(feature = "simd", target_endian = "little"))]
use self::wide as kernels;
#[cfg(not(all(feature = "simd", target_endian = "little")))]
use scalar as kernels;

/// Most planes that an element is split in.
pub(crate) const MAX_PLANES: usize = 4;
/// Rotation works on words of so many bytes.
const WORD: usize = 4;

/// How the bytes of a chunk are spread over planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// 1, 2 or 4.
    pub(crate) planes: usize,
    /// Whether the sign is moved below the exponent; without effect for one plane.
    pub(crate) rotated: bool,
}

impl Layout {
    /// Length of a plane of a chunk.
    pub(crate) fn plane_len(self, chunk_len: u64, plane: usize) -> u64 {
        let planes = self.planes as u64;
        chunk_len / planes + u64::from((plane as u64) < chunk_len % planes)
    }
}

/// Splits `chunk` into its planes, each of exactly its length.
#[cfg(feature = "alloc")]
pub(crate) fn split(layout: Layout, chunk: &[u8], planes: [&mut [u8]; MAX_PLANES]) {
    let [p0, p1, p2, p3] = planes;
    let words = chunk.len() / WORD * WORD;
    let (words, rest) = chunk.split_at(words);
    match (layout.planes, layout.rotated) {
        (1, _) => p0.copy_from_slice(chunk),
        (2, rotated) => {
            let elements = words.len() / 2;
            if rotated {
                kernels::split2_rotated(words, &mut p0[..elements], &mut p1[..elements]);
            } else {
                kernels::split2(words, &mut p0[..elements], &mut p1[..elements]);
            }
            scalar::split(rest, &mut [&mut p0[elements..], &mut p1[elements..]]);
        }
        (_, rotated) => {
            let elements = words.len() / 4;
            let heads = [
                &mut p0[..elements],
                &mut p1[..elements],
                &mut p2[..elements],
                &mut p3[..elements],
            ];
            if rotated {
                kernels::split4_rotated(words, heads);
            } else {
                kernels::split4(words, heads);
            }
            let tails = [
                &mut p0[elements..],
                &mut p1[elements..],
                &mut p2[elements..],
                &mut p3[elements..],
            ];
            scalar::split(rest, &mut { tails });
        }
    }
}

/// Merges planes, each of exactly its length, into `chunk`.
pub(crate) fn merge(layout: Layout, planes: [&[u8]; MAX_PLANES], chunk: &mut [u8]) {
    let [p0, p1, p2, p3] = planes;
    let words = chunk.len() / WORD * WORD;
    let (words, rest) = chunk.split_at_mut(words);
    match (layout.planes, layout.rotated) {
        (1, _) => chunk.copy_from_slice(p0),
        (2, rotated) => {
            let elements = words.len() / 2;
            let (h0, t0) = p0.split_at(elements);
            let (h1, t1) = p1.split_at(elements);
            if rotated {
                kernels::merge2_rotated(h0, h1, words);
            } else {
                kernels::merge2(h0, h1, words);
            }
            scalar::merge(&[t0, t1], rest);
        }
        (_, rotated) => {
            let elements = words.len() / 4;
            let (h0, t0) = p0.split_at(elements);
            let (h1, t1) = p1.split_at(elements);
            let (h2, t2) = p2.split_at(elements);
            let (h3, t3) = p3.split_at(elements);
            if rotated {
                kernels::merge4_rotated([h0, h1, h2, h3], words);
            } else {
                kernels::merge4([h0, h1, h2, h3], words);
            }
            scalar::merge(&[t0, t1, t2, t3], rest);
        }
    }
}
