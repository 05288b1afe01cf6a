//! Layouts: how elements are split into byte planes.

use crate::dtype::DType;

/// How the bytes of a frame are split into planes.
///
/// Each [`DType`] has a layout, which [`Options::new`](crate::Options::new) selects. Any layout
/// works for any data: it affects only the size of the frame.
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
    /// The number of planes: 1, 2 or 4.
    pub(crate) planes: usize,
    /// Whether elements are rotated before the split. It has no effect with one plane.
    pub(crate) rotated: bool,
}

impl PlaneLayout {
    /// One plane, for text, elements of one byte, and other bytes.
    pub const ONE: Self = Self { planes: 1, rotated: false };
    /// Two planes, for `float16` and 16-bit integers.
    pub const TWO: Self = Self { planes: 2, rotated: false };
    /// Two planes of rotated elements, for `bfloat16`.
    ///
    /// Rotation moves the sign of an element below its exponent of eight bits.
    pub const TWO_ROTATED: Self = Self { planes: 2, rotated: true };
    /// Four planes, for integers of 32 and 64 bits.
    pub const FOUR: Self = Self { planes: 4, rotated: false };
    /// Four planes of rotated elements, for `float32`.
    pub const FOUR_ROTATED: Self = Self { planes: 4, rotated: true };

    /// All layouts of the format.
    pub const ALL: [Self; 5] =
        [Self::ONE, Self::TWO, Self::TWO_ROTATED, Self::FOUR, Self::FOUR_ROTATED];

    /// Returns the layout for elements of this type.
    pub const fn of(dtype: DType) -> Self {
        Self { planes: dtype.size(), rotated: dtype.is_rotated() }
    }

    /// Returns the number of planes: 1, 2 or 4.
    pub const fn planes(self) -> usize {
        self.planes
    }

    /// Returns whether the sign is moved below the exponent before the split.
    pub const fn is_rotated(self) -> bool {
        self.rotated
    }

    /// Returns the type that a header names if the data has this layout and no type.
    ///
    /// Every header must name a type. For [`Self::FOUR`], that is [`DType::F32`]: the type
    /// determines only the number of planes, and a flag in the header determines rotation.
    pub const fn dtype(self) -> DType {
        match (self.planes, self.rotated) {
            (1, _) => DType::F8E4M3,
            (2, true) => DType::BF16,
            (2, false) => DType::F16,
            _ => DType::F32,
        }
    }

    /// Returns the length in bytes of plane number `plane` of a chunk of `chunk_len` bytes.
    pub(crate) fn plane_len(self, chunk_len: u64, plane: usize) -> u64 {
        let planes = self.planes as u64;
        chunk_len / planes + u64::from((plane as u64) < chunk_len % planes)
    }
}

impl Default for PlaneLayout {
    /// Returns [`Self::ONE`].
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
