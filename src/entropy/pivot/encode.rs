//! Encodes planes with the kernels of a level.

use alloc::vec::Vec;

use crate::entropy::SYMBOLS;
use crate::entropy::histogram::StreamCounts;
use crate::entropy::huffman::weights::CodeLengths;
use crate::entropy::pivot::arrays::Arrays;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::pivot::avx512::Avx512Kernels;
use crate::entropy::pivot::layout::Layout;
use crate::entropy::pivot::scalar::Scalar;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::pivot::shuffle::X86;
#[cfg(all(feature = "simd", target_endian = "little"))]
use crate::entropy::pivot::shuffle::{HAS_PORTABLE_SHUFFLE, Portable, Shuffled};
use crate::entropy::pivot::split::{self, Splitter};
use crate::entropy::pivot::tree::Tree;
use crate::simd::Kernels;

/// A pivot code for a plane, and the lengths of all parts of the coded plane.
pub(crate) struct Plan<'a> {
    description: &'a [u8],
    tree: Tree,
    layout: Layout,
    stored_len: usize,
}

impl<'a> Plan<'a> {
    /// Creates a plan for a plane with these symbol counts, from a code and its description.
    pub(crate) fn new(code: &CodeLengths, description: &'a [u8], counts: &StreamCounts) -> Self {
        let mut total = [0; SYMBOLS];
        for stream in counts {
            for (total, &count) in total.iter_mut().zip(stream) {
                *total += count;
            }
        }
        let tree = Tree::new(code);
        let (layout, stored_len) = Layout::of_counts(&tree, &total);
        Self { description, tree, layout, stored_len }
    }

    /// Returns the length of the coded plane in bytes.
    pub(crate) fn size(&self) -> usize {
        self.description.len() + self.stored_len
    }

    /// Encodes the counted plane into `dst`, which has the length [`Self::size`].
    ///
    /// `memory` is kept from call to call.
    pub(crate) fn encode(&self, plane: &[u8], dst: &mut [u8], memory: &mut Vec<u8>) {
        self.encode_with(Kernels::new(), plane, dst, memory);
    }

    /// Encodes the plane with kernels of a given level, to the same bytes as [`Self::encode`].
    pub(crate) fn encode_with(
        &self,
        kernels: Kernels,
        plane: &[u8],
        dst: &mut [u8],
        memory: &mut Vec<u8>,
    ) {
        match kernels {
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Kernels::Avx512(token, _) => {
                self.encode_arrays(Avx512Kernels(token), plane, dst, memory)
            }
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Kernels::Avx2(token) => self.encode_arrays(Shuffled(X86(token)), plane, dst, memory),
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Kernels::Sse4_2(token) => self.encode_arrays(Shuffled(X86(token)), plane, dst, memory),
            #[cfg(all(feature = "simd", target_endian = "little"))]
            Kernels::Portable if HAS_PORTABLE_SHUFFLE => {
                self.encode_arrays(Shuffled(Portable), plane, dst, memory);
            }
            _ => self.encode_arrays(Scalar, plane, dst, memory),
        }
    }

    fn encode_arrays(
        &self,
        splitter: impl Splitter,
        plane: &[u8],
        dst: &mut [u8],
        memory: &mut Vec<u8>,
    ) {
        let (description, stored) = dst.split_at_mut(self.description.len());
        description.copy_from_slice(self.description);
        let arrays = Arrays::new(&self.tree, &self.layout);
        let needed = arrays.memory_len();
        if memory.len() < needed {
            memory.resize(needed, 0);
        }
        split::encode(splitter, &arrays, plane, stored, memory);
    }
}
