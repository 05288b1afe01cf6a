//! How the elements of a frame are taken apart.

use crate::dtype::DType;

/// How the bytes of a frame are spread over planes.
///
/// A [`DType`] stands for one of these, which [`Options`](crate::Options) takes unless it is told
/// another. Any data can have any layout: it decides how small the frame becomes, nothing else.
///
/// ```
/// use zipnn::DType;
/// use zipnn::frame::PlaneLayout;
///
/// assert_eq!(PlaneLayout::of(DType::BF16), PlaneLayout::TWO_ROTATED);
/// assert_eq!(PlaneLayout::of(DType::F32).planes(), 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlaneLayout {
    /// 1, 2 or 4.
    pub(crate) planes: usize,
    /// Whether the sign is moved below the exponent; without effect for one plane.
    pub(crate) rotated: bool,
}

impl PlaneLayout {
    /// The bytes as they are: text, bytes of any kind, and elements of one byte.
    pub const ONE: Self = Self { planes: 1, rotated: false };
    /// Every other byte in a plane of its own: `float16`, integers of two bytes.
    pub const TWO: Self = Self { planes: 2, rotated: false };
    /// Two planes, once the sign of every two bytes is moved below an exponent of eight bits:
    /// `bfloat16`.
    pub const TWO_ROTATED: Self = Self { planes: 2, rotated: true };
    /// Every fourth byte in a plane of its own: integers of four bytes and more.
    pub const FOUR: Self = Self { planes: 4, rotated: false };
    /// Four planes, once the sign of every four bytes is moved below an exponent of eight bits:
    /// `float32`.
    pub const FOUR_ROTATED: Self = Self { planes: 4, rotated: true };

    /// All that the format has.
    pub const ALL: [Self; 5] =
        [Self::ONE, Self::TWO, Self::TWO_ROTATED, Self::FOUR, Self::FOUR_ROTATED];

    /// That of elements of this type.
    pub const fn of(dtype: DType) -> Self {
        Self { planes: dtype.size(), rotated: dtype.is_rotated() }
    }

    /// Into how many planes elements are split: 1, 2 or 4.
    pub const fn planes(self) -> usize {
        self.planes
    }

    /// Whether the sign is moved below the exponent before the split.
    pub const fn is_rotated(self) -> bool {
        self.rotated
    }

    /// The type that the header of such a frame names, as it has to name one.
    pub const fn dtype(self) -> DType {
        match (self.planes, self.rotated) {
            (1, _) => DType::F8E4M3,
            (2, true) => DType::BF16,
            (2, false) => DType::F16,
            _ => DType::F32,
        }
    }

    /// Length of a plane of a chunk.
    pub(crate) fn plane_len(self, chunk_len: u64, plane: usize) -> u64 {
        let planes = self.planes as u64;
        chunk_len / planes + u64::from((plane as u64) < chunk_len % planes)
    }
}

impl Default for PlaneLayout {
    /// [`Self::ONE`], which goes with anything.
    fn default() -> Self {
        Self::ONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_in_the_header_has_the_planes() {
        for layout in PlaneLayout::ALL {
            assert_eq!(layout.dtype().size(), layout.planes());
        }
        for dtype in DType::ALL {
            let layout = PlaneLayout::of(dtype);
            assert!(PlaneLayout::ALL.contains(&layout));
            assert_eq!(PlaneLayout::of(layout.dtype()), layout);
        }
    }
}
