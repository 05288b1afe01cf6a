//! The values of elements of any type, to compare them.

/// A type of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// A float: its length in bytes, and the number of bits of its mantissa.
    Float(usize, u32),
    Signed(usize),
    Unsigned(usize),
}

impl Number {
    /// Returns the type that a `.safetensors` file names; `None` for types without simple values.
    pub fn of(dtype: &str) -> Option<Self> {
        Some(match dtype {
            "F64" => Self::Float(8, 52),
            "F32" => Self::Float(4, 23),
            "F16" => Self::Float(2, 10),
            "BF16" => Self::Float(2, 7),
            "F8_E4M3" => Self::Float(1, 3),
            "F8_E5M2" => Self::Float(1, 2),
            "I8" => Self::Signed(1),
            "I16" => Self::Signed(2),
            "I32" => Self::Signed(4),
            "I64" => Self::Signed(8),
            "BOOL" | "U8" => Self::Unsigned(1),
            "U16" => Self::Unsigned(2),
            "U32" => Self::Unsigned(4),
            "U64" => Self::Unsigned(8),
            _ => return None,
        })
    }

    /// Returns the length of an element in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Float(len, _) | Self::Signed(len) | Self::Unsigned(len) => len,
        }
    }

    /// Returns the value of an element.
    pub fn value(self, element: &[u8]) -> f64 {
        let mut bytes = [0; 8];
        bytes[..element.len()].copy_from_slice(element);
        let bits = u64::from_le_bytes(bytes);
        let unused = 64 - 8 * element.len() as u32;
        match self {
            Self::Float(8, _) => f64::from_bits(bits),
            Self::Float(_, mantissa) => float(bits << unused, unused, mantissa),
            Self::Signed(_) => ((bits << unused) as i64 >> unused) as f64,
            Self::Unsigned(_) => bits as f64,
        }
    }
}

/// Returns the value of a short float, whose sign is the highest bit of `bits`.
fn float(bits: u64, unused: u32, mantissa: u32) -> f64 {
    let is_negative = bits >> 63 == 1;
    let fields = (bits & !(1 << 63)) >> unused;
    let exponent_bits = 63 - unused - mantissa;
    let (exponent, fraction) = (fields >> mantissa, fields & ((1 << mantissa) - 1));
    let bias = (1 << (exponent_bits - 1)) - 1;
    let unit = |exponent: u64| 2_f64.powi(exponent as i32 - bias - mantissa as i32);
    // The type with three bits has no infinity, and one code for NaN.
    let is_special = match mantissa {
        3 => fields == 0x7f,
        _ => exponent == (1 << exponent_bits) - 1,
    };
    let magnitude = match exponent {
        _ if is_special && fraction != 0 => f64::NAN,
        _ if is_special => f64::INFINITY,
        0 => fraction as f64 * unit(1),
        _ => (fraction | 1 << mantissa) as f64 * unit(exponent),
    };
    if is_negative { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_right() {
        let value = |dtype, bytes: &[u8]| Number::of(dtype).unwrap().value(bytes);
        assert_eq!(value("F32", &(-1.5_f32).to_le_bytes()), -1.5);
        assert_eq!(value("F32", &1e-40_f32.to_le_bytes()), f64::from(1e-40_f32));
        assert_eq!(value("F64", &0.1_f64.to_le_bytes()), 0.1);
        assert_eq!(value("BF16", &0x3fc0_u16.to_le_bytes()), 1.5);
        assert_eq!(value("F16", &0x3e00_u16.to_le_bytes()), 1.5);
        assert_eq!(value("F16", &0x0001_u16.to_le_bytes()), 2_f64.powi(-24));
        assert_eq!(value("F16", &0x7c00_u16.to_le_bytes()), f64::INFINITY);
        assert_eq!(value("F8_E4M3", &[0x38]), 1.0);
        assert_eq!(value("F8_E4M3", &[0x7e]), 448.0);
        assert!(value("F8_E4M3", &[0x7f]).is_nan());
        assert_eq!(value("F8_E5M2", &[0xbc]), -1.0);
        assert_eq!(value("I16", &(-3_i16).to_le_bytes()), -3.0);
        assert_eq!(value("U16", &65_000_u16.to_le_bytes()), 65_000.0);
        assert_eq!(Number::of("F4"), None);
    }
}
