//! Floats as integers.

use crate::dtype::DType;

/// The format of a float: a sign, an exponent, and a mantissa in the lowest bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    dtype: DType,
    /// Length of an element in bytes.
    pub(crate) len: usize,
    /// Number of bits of the mantissa.
    pub(crate) mantissa: u32,
}

impl Format {
    /// Returns the format of a type.
    pub(crate) const fn of(dtype: DType) -> Self {
        let mantissa = match dtype {
            DType::F32 => 23,
            DType::BF16 => 7,
            DType::F16 => 10,
            DType::F8E4M3 => 3,
            DType::F8E5M2 => 2,
        };
        Self { dtype, len: dtype.size(), mantissa }
    }

    /// Returns the type.
    pub(crate) const fn dtype(self) -> DType {
        self.dtype
    }

    /// Returns the number of bits of an element.
    pub(crate) const fn bits(self) -> u32 {
        self.len as u32 * 8
    }

    /// Returns the mask of an exponent that has been shifted to the lowest bits.
    pub(crate) const fn exponent_mask(self) -> u32 {
        (1 << (self.bits() - 1 - self.mantissa)) - 1
    }

    /// Returns the exponent field of 1.0.
    pub(crate) const fn bias(self) -> i32 {
        (self.exponent_mask() >> 1) as i32
    }

    /// Returns the value of an element with these bits, times two to the power of `octaves`.
    ///
    /// Subnormal numbers and special values become similar ones, which is close enough to choose
    /// between ways of encoding.
    #[inline(always)]
    pub(crate) fn value(self, bits: u32, octaves: i32) -> f32 {
        let bits = bits << (u32::BITS - self.bits());
        // The fields of a float with more exponent bits are this much lower.
        let field_shift = 8 - (self.bits() - 1 - self.mantissa);
        let exponents = (127 - self.bias() + octaves) << (f32::MANTISSA_DIGITS - 1);
        // Overflow makes the sum negative, as underflow does.
        let magnitude = (((bits & 0x7fff_ffff) >> field_shift) as i32).wrapping_add(exponents);
        let magnitude = if magnitude < 0x7f80_0000 { magnitude.max(0) as u32 } else { 0 };
        f32::from_bits(bits & 0x8000_0000 | magnitude)
    }
}

/// The bits of an element.
pub(crate) trait Word: Copy + 'static {
    /// The bytes of an element, little-endian.
    type Bytes: Copy + 'static;
    /// Number of bits of an element.
    const BITS: u32;

    /// Returns the complete elements in bytes.
    fn split(bytes: &[u8]) -> &[Self::Bytes];
    /// Returns whether all elements are equal.
    fn are_equal(left: &[Self::Bytes], right: &[Self::Bytes]) -> bool;
    /// Returns the complete elements in bytes.
    fn split_mut(bytes: &mut [u8]) -> &mut [Self::Bytes];
    fn load(bytes: Self::Bytes) -> Self;
    fn store(self) -> Self::Bytes;
    /// Returns the bits as a number.
    fn bits(self) -> u32;
    /// Returns the element whose bits are the lowest bits of a number.
    fn from_bits(bits: u32) -> Self;
    /// Returns a number that is the larger the larger the float; -0 comes right before 0.
    fn order(self) -> i32;
    /// Returns the element whose order is `delta` higher, modulo the number of elements.
    fn plus(self, delta: i32) -> Self;
    /// Returns `other.order() - self.order()`, modulo the number of elements.
    fn distance(self, other: Self) -> i32;
}

macro_rules! word {
    ($unsigned:ty, $signed:ty) => {
        impl Word for $unsigned {
            type Bytes = [u8; size_of::<$unsigned>()];
            const BITS: u32 = <$unsigned>::BITS;

            fn split(bytes: &[u8]) -> &[Self::Bytes] {
                bytes.as_chunks().0
            }

            fn are_equal(left: &[Self::Bytes], right: &[Self::Bytes]) -> bool {
                left == right
            }

            fn split_mut(bytes: &mut [u8]) -> &mut [Self::Bytes] {
                bytes.as_chunks_mut().0
            }

            #[inline(always)]
            fn load(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }

            #[inline(always)]
            fn store(self) -> Self::Bytes {
                self.to_le_bytes()
            }

            #[inline(always)]
            fn bits(self) -> u32 {
                self.into()
            }

            #[inline(always)]
            fn from_bits(bits: u32) -> Self {
                bits as Self
            }

            #[inline(always)]
            fn order(self) -> i32 {
                let signed = self as $signed;
                (signed ^ ((signed >> (Self::BITS - 1)) & <$signed>::MAX)).into()
            }

            #[inline(always)]
            fn plus(self, delta: i32) -> Self {
                let order = (self.order() as $signed).wrapping_add(delta as $signed);
                (order ^ ((order >> (Self::BITS - 1)) & <$signed>::MAX)) as Self
            }

            #[inline(always)]
            fn distance(self, other: Self) -> i32 {
                (other.order() as $signed).wrapping_sub(self.order() as $signed).into()
            }
        }
    };
}

word!(u8, i8);
word!(u16, i16);
word!(u32, i32);

/// Returns the base-2 logarithm of a number in half octaves, rounded.
pub(crate) fn half_octaves(number: f32) -> i32 {
    let bits = number.clamp(f32::MIN_POSITIVE, f32::MAX).to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let fraction = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    // 2^(1/4) and 2^(3/4).
    2 * exponent + i32::from(fraction >= 1.189_207) + i32::from(fraction >= 1.681_793)
}

/// Returns the base-2 logarithm of a positive number, with an error below 0.01.
pub(crate) fn log2(number: f32) -> f32 {
    let bits = number.to_bits();
    let exponent = (bits >> 23) as f32 - 127.0;
    let fraction = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000) - 1.0;
    exponent + fraction * (1.3465 - 0.3465 * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_close() {
        for (number, expected) in [(1.0, 0.0), (2.0, 1.0), (0.125, -3.0), (3.0, 1.585)] {
            assert!((log2(number) - expected).abs() < 0.01, "{number}");
        }
    }

    #[test]
    fn order_is_that_of_the_values() {
        let bits = |float: f32| float.to_bits();
        let floats = [f32::NEG_INFINITY, -1.5, -1e-40, -0.0, 0.0, 1e-40, 1.0, f32::INFINITY];
        for pair in floats.windows(2) {
            assert!(bits(pair[0]).order() < bits(pair[1]).order(), "{pair:?}");
        }
        assert_eq!(bits(-0.0).distance(bits(0.0)), 1);
    }

    #[test]
    fn distance_and_plus_are_inverse() {
        for from in (0..=u16::MAX).step_by(251) {
            for to in (0..=u16::MAX).step_by(257) {
                assert_eq!(from.plus(from.distance(to)), to);
            }
        }
        for from in 0..=u8::MAX {
            for to in 0..=u8::MAX {
                assert_eq!(from.plus(from.distance(to)), to);
            }
        }
        for (from, to) in [(0, u32::MAX), (u32::MAX, 0), (1 << 31, 5), (i32::MAX as u32, 1 << 31)] {
            assert_eq!(u32::plus(from, from.distance(to)), to);
        }
    }

    #[test]
    fn formats_have_their_fields() {
        let one = |dtype| Format::of(dtype).bias() << Format::of(dtype).mantissa;
        assert_eq!(one(DType::F32), 1_f32.to_bits() as i32);
        assert_eq!(one(DType::BF16), i32::from(half::bf16::ONE.to_bits()));
        assert_eq!(one(DType::F16), i32::from(half::f16::ONE.to_bits()));
        assert_eq!(one(DType::F8E4M3), 0x38);
        assert_eq!(one(DType::F8E5M2), 0x3c);
    }
}
