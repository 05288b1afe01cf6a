//! Splits chunks into planes.

use crate::plane::{MAX_PLANES, WORD, scalar};
use crate::plane_layout::PlaneLayout;
use crate::simd::Kernels;

/// Splits a chunk into its planes.
///
/// Each slice of `planes` has exactly the length of its plane.
pub(crate) fn split(layout: PlaneLayout, chunk: &[u8], planes: [&mut [u8]; MAX_PLANES]) {
    let kernels = Kernels::new();
    let [p0, p1, p2, p3] = planes;
    let words = chunk.len() / WORD * WORD;
    let (words, rest) = chunk.split_at(words);
    match (layout.planes, layout.rotated) {
        (1, _) => p0.copy_from_slice(chunk),
        (2, rotated) => {
            let elements = words.len() / 2;
            if rotated {
                kernels.split2_rotated(words, &mut p0[..elements], &mut p1[..elements]);
            } else {
                kernels.split2(words, &mut p0[..elements], &mut p1[..elements]);
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
                kernels.split4_rotated(words, heads);
            } else {
                kernels.split4(words, heads);
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
