//! Decodes planes that are Zstandard frames.

use alloc::vec::Vec;

use zrip::DecompressContext;

use crate::chunk::zstd::frame;
use crate::error::DecodeErrorKind;

/// A decoder that keeps its memory from plane to plane. It allocates on first use.
#[derive(Default)]
pub(crate) struct Decoder {
    context: Option<DecompressContext>,
    /// The decoded plane. `zrip` requires spare capacity after it, which the output lacks.
    plane: Vec<u8>,
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// Spare capacity after a plane, in bytes.
    const MARGIN: usize = 64;

    /// Decodes a frame into `dst`, which has the length of the plane.
    pub(crate) fn decode(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind> {
        let corrupt = DecodeErrorKind::CorruptStream;
        frame::check(src, dst.len() as u64).ok_or(corrupt)?;
        self.plane.clear();
        let room = dst.len().saturating_add(Self::MARGIN);
        let out_of_memory = DecodeErrorKind::OutOfMemory { requested: room as u64 };
        self.plane.try_reserve_exact(room).map_err(|_| out_of_memory)?;
        let context = self.context.get_or_insert_default();
        context.decompress_into_with_limit(src, &mut self.plane, dst.len()).map_err(|_| corrupt)?;
        if self.plane.len() != dst.len() {
            return Err(corrupt);
        }
        dst.copy_from_slice(&self.plane);
        Ok(())
    }
}
