//! The types of elements, and what they mean for the layout of a frame.

/// Type of the elements of a tensor.
///
/// It decides into how many byte planes the data is split and whether the bits are rotated first.
/// It never decides whether data can be compressed: any bytes of any length go with any type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 single precision: four planes, rotated.
    F32,
    /// bfloat16: two planes, rotated.
    BF16,
    /// IEEE 754 half precision: two planes.
    F16,
    /// `float8_e4m3fn`: one plane. Also the type for bytes of any other kind.
    F8E4M3,
    /// `float8_e5m2`: one plane.
    F8E5M2,
}

impl DType {
    /// All types, in the order of their codes.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::BF16, Self::F8E4M3, Self::F8E5M2];

    /// The code in a frame's header.
    pub const fn code(self) -> u8 {
        match self {
            Self::F32 => 1,
            Self::F16 => 4,
            Self::BF16 => 6,
            Self::F8E4M3 => 29,
            Self::F8E5M2 => 30,
        }
    }

    /// The type with this code. 2 and 5 are other names of `F32` and `F16`, which readers accept.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 | 2 => Some(Self::F32),
            4 | 5 => Some(Self::F16),
            6 => Some(Self::BF16),
            29 => Some(Self::F8E4M3),
            30 => Some(Self::F8E5M2),
            _ => None,
        }
    }

    /// Size of an element in bytes, which is also the number of planes.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::BF16 | Self::F16 => 2,
            Self::F8E4M3 | Self::F8E5M2 => 1,
        }
    }

    /// Whether the sign is moved below the exponent before the split.
    pub const fn is_rotated(self) -> bool {
        matches!(self, Self::F32 | Self::BF16)
    }

    /// The name that PyTorch and the original use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::BF16 => "bfloat16",
            Self::F16 => "float16",
            Self::F8E4M3 => "float8_e4m3fn",
            Self::F8E5M2 => "float8_e5m2",
        }
    }
}
