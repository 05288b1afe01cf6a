//! The encoding of fields.

/// The beginning of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) value: Value,
    /// Length of what precedes the bytes of the value.
    pub(super) head_len: usize,
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    /// Bytes of this length follow.
    Bytes(u64),
}

impl Value {
    /// Returns the number of bytes that follow the beginning of the field.
    pub(super) fn len(self) -> u64 {
        match self {
            Self::Number(_) => 0,
            Self::Bytes(len) => len,
        }
    }
}

/// Why a field cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireError {
    /// The bytes end within the beginning of the field.
    Cut,
    Malformed,
}

/// Length of the longest beginning of a field: two numbers.
pub(super) const MAX_HEAD_LEN: u64 = 2 * MAX_NUMBER_LEN as u64;
/// Length of the longest number.
const MAX_NUMBER_LEN: usize = 10;

/// Reads the beginning of a field.
pub(super) fn field(bytes: &[u8]) -> Result<Field, WireError> {
    let (tag, tag_len) = number(bytes)?;
    let (value, value_len) = match tag & 7 {
        0 => number(&bytes[tag_len..]).map(|(value, len)| (Value::Number(value), len))?,
        1 => (Value::Bytes(8), 0),
        2 => number(&bytes[tag_len..]).map(|(len, head_len)| (Value::Bytes(len), head_len))?,
        5 => (Value::Bytes(4), 0),
        _ => return Err(WireError::Malformed),
    };
    Ok(Field { number: tag >> 3, value, head_len: tag_len + value_len })
}

/// Reads a number of variable length, and returns it with its length.
pub(super) fn number(bytes: &[u8]) -> Result<(u64, usize), WireError> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().enumerate().take(MAX_NUMBER_LEN) {
        number |= u64::from(byte & 0x7f).unbounded_shl(7 * at as u32);
        if byte & 0x80 == 0 {
            return Ok((number, at + 1));
        }
    }
    match bytes.len() {
        ..MAX_NUMBER_LEN => Err(WireError::Cut),
        _ => Err(WireError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_cuts_reported() {
        let bytes = [0x3a, 0x96, 0x01];
        let expected = Field { number: 7, value: Value::Bytes(150), head_len: 3 };
        assert_eq!(field(&bytes), Ok(expected));
        for cut in 0..3 {
            assert_eq!(field(&bytes[..cut]), Err(WireError::Cut));
        }
        let expected = Field { number: 2, value: Value::Number(1), head_len: 2 };
        assert_eq!(field(&[0x10, 1]), Ok(expected));
        assert_eq!(field(&[0x0d]).unwrap().value.len(), 4);
        assert_eq!(field(&[0x09]).unwrap().value.len(), 8);
        assert_eq!(field(&[0x0b, 0]), Err(WireError::Malformed));
        assert_eq!(number(&[0xff; 10]), Err(WireError::Malformed));
    }
}
