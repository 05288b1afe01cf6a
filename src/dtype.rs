//! Element types, their codes and their names.

use core::fmt;
use core::str::FromStr;

/// The type of the elements of a tensor.
///
/// The type determines the number of byte planes and whether elements are rotated before the split.
/// This affects only how well the data compresses: every type works for any bytes of any length.
/// For data of any other type, use [`Options::bytes`](crate::Options::bytes) or
/// [`Options::auto`](crate::Options::auto).
///
/// [`Display`](fmt::Display) writes the name that PyTorch uses. [`FromStr`] also parses the names
/// of safetensors, and ignores case:
///
/// ```
/// use zipnn::DType;
///
/// assert_eq!(DType::BF16.to_string(), "bfloat16");
/// for name in ["bfloat16", "torch.bfloat16", "BF16", "bf16"] {
///     assert_eq!(name.parse(), Ok(DType::BF16));
/// }
/// assert!("int8".parse::<DType>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 single precision: four planes, rotated.
    F32,
    /// bfloat16: two planes, rotated.
    BF16,
    /// IEEE 754 half precision: two planes.
    F16,
    /// `float8_e4m3fn`: one plane.
    F8E4M3,
    /// `float8_e5m2`: one plane.
    F8E5M2,
}

impl DType {
    /// All types, in the order of their codes.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::BF16, Self::F8E4M3, Self::F8E5M2];

    /// Returns the code of the type in the header of a frame.
    pub const fn code(self) -> u8 {
        match self {
            Self::F32 => 1,
            Self::F16 => 4,
            Self::BF16 => 6,
            Self::F8E4M3 => 29,
            Self::F8E5M2 => 30,
        }
    }

    /// Returns the type with this code in the header of a frame; `None` if the code is unknown.
    ///
    /// Codes 2 and 5 are aliases of `F32` and `F16`, which readers accept and this crate does not
    /// write.
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

    /// Returns the size of an element in bytes, which is also the number of planes.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::BF16 | Self::F16 => 2,
            Self::F8E4M3 | Self::F8E5M2 => 1,
        }
    }

    /// Returns whether the sign is moved below the exponent before the split.
    pub const fn is_rotated(self) -> bool {
        matches!(self, Self::F32 | Self::BF16)
    }

    /// Returns the name that PyTorch and the original use, such as `bfloat16`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::BF16 => "bfloat16",
            Self::F16 => "float16",
            Self::F8E4M3 => "float8_e4m3fn",
            Self::F8E5M2 => "float8_e5m2",
        }
    }

    /// Returns the name that the headers of safetensors files use, such as `BF16`.
    pub const fn safetensors_name(self) -> &'static str {
        match self {
            Self::BF16 => "BF16",
            Self::F16 => "F16",
            Self::F32 => "F32",
            Self::F8E4M3 => "F8_E4M3",
            Self::F8E5M2 => "F8_E5M2",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DType {
    type Err = ParseDTypeError;

    fn from_str(name: &str) -> Result<Self, ParseDTypeError> {
        let name = name.strip_prefix("torch.").unwrap_or(name);
        let is_named = |dtype: &Self| {
            [dtype.name(), dtype.safetensors_name()].iter().any(|n| n.eq_ignore_ascii_case(name))
        };
        Self::ALL.into_iter().find(is_named).ok_or(ParseDTypeError(()))
    }
}

/// The error returned when the name of a [`DType`] cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseDTypeError(());

impl fmt::Display for ParseDTypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown element type; the types are ")?;
        for (number, dtype) in DType::ALL.into_iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{} ({dtype})", dtype.safetensors_name())?;
        }
        Ok(())
    }
}

impl core::error::Error for ParseDTypeError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_parse_back() {
        for dtype in DType::ALL {
            for name in [dtype.name(), dtype.safetensors_name()] {
                assert_eq!(name.parse(), Ok(dtype));
                assert_eq!(name.to_ascii_lowercase().parse(), Ok(dtype));
                assert_eq!(name.to_ascii_uppercase().parse(), Ok(dtype));
            }
            assert_eq!(dtype.to_string().parse(), Ok(dtype));
            assert_eq!(alloc::format!("{dtype:>14}").trim_start(), dtype.name());
        }
    }

    #[test]
    fn other_names_are_an_error_that_lists_the_types() {
        for name in ["", "F64", "F8", "float", " bf16", "torch.", "bf16 "] {
            assert_eq!(name.parse::<DType>(), Err(ParseDTypeError(())), "{name:?}");
        }
        assert_eq!(
            ParseDTypeError(()).to_string(),
            "unknown element type; the types are F32 (float32), F16 (float16), BF16 (bfloat16), \
             F8_E4M3 (float8_e4m3fn), F8_E5M2 (float8_e5m2)"
        );
    }

    #[test]
    fn codes_lead_back() {
        for dtype in DType::ALL {
            assert_eq!(DType::from_code(dtype.code()), Some(dtype));
        }
    }
}
