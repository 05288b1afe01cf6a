//! Decodes planes with the kernels of a level.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::ops::Range;

use crate::entropy::huffman::weights;
use crate::entropy::pivot::arrays::Arrays;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::pivot::avx512::Avx512Kernels;
use crate::entropy::pivot::layout::Layout;
use crate::entropy::pivot::merge::{self, Merger};
use crate::entropy::pivot::one_by_one;
use crate::entropy::pivot::scalar::Scalar;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::pivot::shuffle::X86;
#[cfg(all(feature = "simd", target_endian = "little"))]
use crate::entropy::pivot::shuffle::{HAS_PORTABLE_SHUFFLE, Portable, Shuffled};
use crate::entropy::pivot::tree::Tree;
use crate::error::DecodeErrorKind;
use crate::simd::Kernels;
#[cfg(feature = "alloc")]
use crate::try_alloc::at_least;

/// Memory for the arrays that vector kernels merge, up to 320 KiB.
#[derive(Debug, Default)]
pub(crate) struct ArrayMemory {
    #[cfg(feature = "alloc")]
    memory: Vec<u8>,
}

impl ArrayMemory {
    /// Returns memory of this length; `None` if the build has no allocator.
    #[cfg(feature = "alloc")]
    fn at_least(&mut self, len: usize) -> Result<Option<&mut [u8]>, DecodeErrorKind> {
        at_least(&mut self.memory, len as u64).map(Some).map_err(|error| error.kind())
    }

    #[cfg(not(feature = "alloc"))]
    fn at_least(&mut self, _: usize) -> Result<Option<&mut [u8]>, DecodeErrorKind> {
        Ok(None)
    }
}

/// Decodes a plane into `dst`, which is as long as the plane.
pub(crate) fn decode(
    src: &[u8],
    dst: &mut [u8],
    memory: Option<&mut ArrayMemory>,
) -> Result<(), DecodeErrorKind> {
    decode_with(Kernels::new(), src, dst, memory, true, |_, _| {})
}

/// Decodes a plane, and calls `use_part` for its parts. `space` is as long as the plane.
///
/// `use_part` gets each range of the plane and its symbols, in order, while they are in the cache.
/// The lengths of parts are multiples of 64, except the last.
pub(crate) fn decode_in_parts(
    src: &[u8],
    space: &mut [u8],
    memory: Option<&mut ArrayMemory>,
    use_part: impl FnMut(Range<usize>, &[u8]),
) -> Result<(), DecodeErrorKind> {
    decode_with(Kernels::new(), src, space, memory, false, use_part)
}

/// Decodes a plane with kernels of a given level, to the same bytes as [`decode`], or
/// [`decode_in_parts`] unless `keep` is set.
#[inline(never)]
pub(crate) fn decode_with(
    kernels: Kernels,
    src: &[u8],
    dst: &mut [u8],
    memory: Option<&mut ArrayMemory>,
    keep: bool,
    use_part: impl FnMut(Range<usize>, &[u8]),
) -> Result<(), DecodeErrorKind> {
    let (code, description_len) = weights::read(src)?;
    let tree = Tree::new(&code);
    let stored = &src[description_len..];
    match kernels {
        #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
        Kernels::Avx512(token, _) => {
            decode_arrays(Avx512Kernels(token), &tree, stored, dst, memory, keep, use_part)
        }
        #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
        Kernels::Avx2(token) => {
            decode_arrays(Shuffled(X86(token)), &tree, stored, dst, memory, keep, use_part)
        }
        #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
        Kernels::Sse4_2(token) => {
            decode_arrays(Shuffled(X86(token)), &tree, stored, dst, memory, keep, use_part)
        }
        #[cfg(all(feature = "simd", target_endian = "little"))]
        Kernels::Portable if HAS_PORTABLE_SHUFFLE => {
            decode_arrays(Shuffled(Portable), &tree, stored, dst, memory, keep, use_part)
        }
        _ => decode_arrays(Scalar, &tree, stored, dst, memory, keep, use_part),
    }
}

/// Decodes a plane by merging arrays, or symbol by symbol if there is no memory for arrays.
fn decode_arrays(
    merger: impl Merger,
    tree: &Tree,
    stored: &[u8],
    dst: &mut [u8],
    memory: Option<&mut ArrayMemory>,
    keep: bool,
    mut use_part: impl FnMut(Range<usize>, &[u8]),
) -> Result<(), DecodeErrorKind> {
    let layout = Layout::read(tree, stored, dst.len(), |bits| merger.count_ones(bits))?;
    let arrays = Arrays::new(tree, &layout);
    match memory.map(|memory| memory.at_least(arrays.memory_len())).transpose()?.flatten() {
        Some(memory) => merge::decode(merger, &arrays, stored, dst, memory, keep, use_part),
        None => {
            one_by_one::decode(tree, &layout, stored, dst);
            use_part(0..dst.len(), dst);
        }
    }
    Ok(())
}
