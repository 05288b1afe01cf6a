//! Converts elements of a file to the type of the base that is assembled from them.

use half::{bf16, f16};

/// How elements of a source become elements of a base.
///
/// Conversions use integer arithmetic, so that every processor has the same result. Narrower types
/// are rounded to the nearest value, and to the even one of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Conversion {
    /// Bytes are copied.
    #[default]
    None,
    /// float32 to bfloat16.
    F32ToBf16,
    /// float32 to float16.
    F32ToF16,
    /// bfloat16 to float32.
    Bf16ToF32,
    /// float16 to float32.
    F16ToF32,
}

impl Conversion {
    const ALL: [Self; 5] =
        [Self::None, Self::F32ToBf16, Self::F32ToF16, Self::Bf16ToF32, Self::F16ToF32];

    /// Returns the code of the conversion in a file.
    pub(super) fn code(self) -> u8 {
        self as u8
    }

    /// Returns the conversion with a code; `None` if there is none.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|conversion| conversion.code() == code)
    }

    /// Returns the lengths of elements of the source and of the base, in bytes.
    pub(crate) const fn sizes(self) -> (usize, usize) {
        match self {
            Self::None => (1, 1),
            Self::F32ToBf16 | Self::F32ToF16 => (4, 2),
            Self::Bf16ToF32 | Self::F16ToF32 => (2, 4),
        }
    }

    /// Returns how many bytes of the source become `len` bytes of the base; `None` if they are not
    /// whole elements, or too many.
    pub(super) fn source_len(self, len: u64) -> Option<u64> {
        let (from, to) = self.sizes();
        let elements = len / to as u64;
        let is_whole = len.is_multiple_of(to as u64);
        elements.checked_mul(from as u64).filter(|_| is_whole)
    }

    /// Converts whole elements of the source.
    pub(crate) fn convert(self, source: &[u8], base: &mut [u8]) {
        match self {
            Self::None => base.copy_from_slice(source),
            Self::F32ToBf16 => {
                each(source, base, |bytes| bf16::from_f32(f32::from_le_bytes(bytes)).to_le_bytes());
            }
            // The other function uses instructions that treat NaN in their own way.
            Self::F32ToF16 => each(source, base, |bytes| {
                f16::from_f32_const(f32::from_le_bytes(bytes)).to_le_bytes()
            }),
            Self::Bf16ToF32 => {
                each(source, base, |[low, high]| [0, 0, low, high]);
            }
            Self::F16ToF32 => each(source, base, |bytes| {
                f16::from_le_bytes(bytes).to_f32_const().to_bits().to_le_bytes()
            }),
        }
    }
}

fn each<const FROM: usize, const TO: usize>(
    source: &[u8],
    base: &mut [u8],
    convert: impl Fn([u8; FROM]) -> [u8; TO],
) {
    for (source, base) in source.as_chunks().0.iter().zip(base.as_chunks_mut().0) {
        *base = convert(*source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_their_positions() {
        for (code, conversion) in (0..).zip(Conversion::ALL) {
            assert_eq!(conversion.code(), code);
            assert_eq!(Conversion::from_code(code), Some(conversion));
        }
        assert_eq!(Conversion::from_code(5), None);
    }

    #[test]
    fn values_are_rounded_to_even() {
        let converted = |conversion: Conversion, bits: u32| {
            let mut base = [0; 2];
            conversion.convert(&bits.to_le_bytes(), &mut base);
            u16::from_le_bytes(base)
        };
        let bf16 = |bits| converted(Conversion::F32ToBf16, bits);
        assert_eq!([0x3f80_7fff, 0x3f80_8000, 0x3f81_8000].map(bf16), [0x3f80, 0x3f80, 0x3f82]);
        assert_eq!([0x7f80_0001, 0x7f80_0000, 0x7f7f_ffff].map(bf16), [0x7fc0, 0x7f80, 0x7f80]);
        let f16 = |bits| converted(Conversion::F32ToF16, bits);
        assert_eq!([0x3f80_1000, 0x3f80_3000, 0x3380_0000].map(f16), [0x3c00, 0x3c02, 0x0001]);
        assert_eq!([0x7f80_0000, 0x4780_0000].map(f16), [0x7c00, 0x7c00]);
    }

    #[test]
    fn widening_and_narrowing_restores_every_number() {
        for bits in 0..=u16::MAX {
            for (widen, narrow, is_nan) in [
                (Conversion::Bf16ToF32, Conversion::F32ToBf16, bf16::from_bits(bits).is_nan()),
                (Conversion::F16ToF32, Conversion::F32ToF16, f16::from_bits(bits).is_nan()),
            ] {
                let (mut wide, mut back) = ([0; 4], [0; 2]);
                widen.convert(&bits.to_le_bytes(), &mut wide);
                narrow.convert(&wide, &mut back);
                assert!(is_nan || u16::from_le_bytes(back) == bits, "{bits:#x}");
            }
        }
    }
}
