//! Divides a chunk and its planes into blocks, and prefetches each block while a kernel processes
//! the block before it.
//!
//! Kernels are faster than the memory that they read and write, unless it is in the second level
//! of cache. Processors prefetch what a kernel reads, but not enough of what it writes.

use crate::prefetch::prefetch_start;

/// A slice, shared or mutable.
pub(super) trait Slice: Default {
    fn bytes(&self) -> &[u8];

    fn split_at(self, at: usize) -> (Self, Self);
}

impl Slice for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl Slice for &mut [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }
}

/// An iterator over the blocks of a chunk, each with its parts of the planes.
pub(super) struct Blocks<C, P, const K: usize> {
    chunk: C,
    planes: [P; K],
    /// Length of a block in bytes.
    len: usize,
}

impl<C: Slice, P: Slice, const K: usize> Blocks<C, P, K> {
    /// Divides a chunk into blocks of `len` bytes. `len` and the length of the chunk are multiples of
    /// `K`.
    pub(super) fn new(chunk: C, planes: [P; K], len: usize) -> Self {
        Self { chunk, planes, len }
    }
}

impl<C: Slice, P: Slice, const K: usize> Iterator for Blocks<C, P, K> {
    type Item = (C, [P; K]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let chunk = core::mem::take(&mut self.chunk);
        let len = self.len.min(chunk.bytes().len());
        if len == 0 {
            return None;
        }
        let (block, rest) = chunk.split_at(len);
        self.chunk = rest;
        let parts = self.planes.each_mut().map(|plane| {
            let (part, rest) = core::mem::take(plane).split_at(len / K);
            *plane = rest;
            part
        });
        prefetch(self.chunk.bytes(), &self.planes.each_ref().map(Slice::bytes), self.len);
        Some((block, parts))
    }
}

/// Prefetches the first `len` bytes of a chunk, and its parts of the planes.
#[inline]
pub(super) fn prefetch(chunk: &[u8], planes: &[&[u8]], len: usize) {
    prefetch_start(chunk, len);
    for plane in planes {
        prefetch_start(plane, len / planes.len());
    }
}
