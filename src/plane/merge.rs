//! Merges planes into chunks.

use crate::plane::{MAX_PLANES, WORD, scalar};
use crate::plane_layout::PlaneLayout;
use crate::simd::Kernels;

/// Merges planes into a chunk.
///
/// Each slice of `planes` has exactly the length of its plane.
pub(crate) fn merge(layout: PlaneLayout, planes: [&[u8]; MAX_PLANES], chunk: &mut [u8]) {
    let kernels = Kernels::new();
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
                kernels.merge2_rotated(h0, h1, words);
            } else {
                kernels.merge2(h0, h1, words);
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
                kernels.merge4_rotated([h0, h1, h2, h3], words);
            } else {
                kernels.merge4([h0, h1, h2, h3], words);
            }
            scalar::merge(&[t0, t1, t2, t3], rest);
        }
    }
}
