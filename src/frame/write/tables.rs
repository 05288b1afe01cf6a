//! Writes the index of a frame.

use crate::chunk::plane_encoder::Stored;
use crate::frame::write::geometry::Geometry;
use crate::plane::MAX_PLANES;

/// The index of a frame while it is written, chunk by chunk in order.
pub(crate) struct Tables<'d> {
    methods: &'d mut [u8],
    ends: &'d mut [[u8; 8]],
    chunks: usize,
    /// Length of each plane so far, in bytes.
    pub(super) filled: [u64; MAX_PLANES],
    planes: usize,
}

impl<'d> Tables<'d> {
    /// Creates an empty index at the end of `prefix`, which consists of header, shape and index.
    pub(crate) fn new(prefix: &'d mut [u8], geometry: &Geometry) -> Self {
        let tables = &mut prefix[geometry.tables_at..];
        let (methods, ends) = tables.split_at_mut(geometry.layout.planes * geometry.chunks);
        Self {
            methods,
            ends: ends.as_chunks_mut().0,
            chunks: geometry.chunks,
            filled: [0; MAX_PLANES],
            planes: geometry.layout.planes,
        }
    }

    /// Adds the planes of chunk number `chunk`, which is the next chunk.
    pub(crate) fn set(&mut self, chunk: usize, stored: &[Stored; MAX_PLANES]) {
        for (plane, stored) in stored[..self.planes].iter().enumerate() {
            self.filled[plane] += stored.len as u64;
            self.methods[plane * self.chunks + chunk] = stored.method;
            self.ends[plane * self.chunks + chunk] = self.filled[plane].to_le_bytes();
        }
    }
}
