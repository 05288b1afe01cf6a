//! Undoes the rotation of elements that are not split into planes.

use std::vec::Vec;

use crate::error::DecodeError;
use crate::plane::{self, MAX_PLANES};
use crate::plane_layout::PlaneLayout;
use crate::try_alloc::zeroed;

/// Undoes the rotation of elements of `planes` bytes by splitting and merging them.
pub(crate) fn unrotate(planes: usize, data: &mut [u8]) -> Result<(), DecodeError> {
    let mut layout = PlaneLayout { planes, rotated: false };
    let mut split: [Vec<u8>; MAX_PLANES] = Default::default();
    for (index, plane) in split.iter_mut().enumerate().take(planes) {
        *plane = zeroed(layout.plane_len(data.len() as u64, index))?;
    }
    plane::split(layout, data, split.each_mut().map(Vec::as_mut_slice));
    layout.rotated = true;
    plane::merge(layout, split.each_ref().map(Vec::as_slice), data);
    Ok(())
}
