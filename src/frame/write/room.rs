//! Memory for the coded planes of a frame while it is written.

use alloc::vec::Vec;

use crate::error::EncodeError;
use crate::plane::MAX_PLANES;
use crate::try_alloc::grow;

/// A number for each plane.
pub(super) type PerPlane = [usize; MAX_PLANES];

/// Memory for the planes of a frame, one chunk after another.
pub(super) trait Room {
    /// Returns memory for the planes of a chunk.
    ///
    /// The memory of each plane begins after its `filled` bytes and has its length in `lens`.
    fn after(
        &mut self,
        filled: PerPlane,
        lens: PerPlane,
    ) -> Result<[Place<'_>; MAX_PLANES], EncodeError>;
}

/// Memory for a plane of a chunk, and the memory after it, as far as there is some.
pub(super) type Place<'a> = (&'a mut [u8], &'a mut [u8]);

/// Memory that is long enough for raw planes.
pub(super) struct Regions<'d>(pub(super) [&'d mut [u8]; MAX_PLANES]);

impl Room for Regions<'_> {
    fn after(
        &mut self,
        filled: PerPlane,
        lens: PerPlane,
    ) -> Result<[Place<'_>; MAX_PLANES], EncodeError> {
        let mut places = filled.into_iter().zip(lens);
        Ok(self.0.each_mut().map(|region| {
            let (start, len) = places.next().unwrap_or_default();
            region[start..].split_at_mut(len)
        }))
    }
}

/// Memory that grows as needed.
pub(super) struct Growing<'d> {
    pub(super) planes: &'d mut [Vec<u8>; MAX_PLANES],
    /// Offset of each plane in its memory.
    pub(super) starts: PerPlane,
}

impl Room for Growing<'_> {
    fn after(
        &mut self,
        filled: PerPlane,
        lens: PerPlane,
    ) -> Result<[Place<'_>; MAX_PLANES], EncodeError> {
        let mut rooms = <[Place<'_>; MAX_PLANES]>::default();
        let mut places = self.starts.into_iter().zip(filled).zip(lens);
        for (room, plane) in rooms.iter_mut().zip(&mut *self.planes) {
            let ((start, filled), len) = places.next().unwrap_or_default();
            let start = start + filled;
            grow(plane, start + len)?;
            *room = plane[start..].split_at_mut(len);
        }
        Ok(rooms)
    }
}
