//! Locates rows of a tensor: its slices along the first dimension.

use core::fmt;
use core::ops::Range;

use crate::tensor::info::TensorInfo;

const BITS_PER_BYTE: u128 = 8;

impl TensorInfo {
    /// Returns the bytes of the file that hold `rows`, slices along the first dimension.
    ///
    /// Rows of elements narrower than a byte can begin or end within a byte. If the format does not
    /// define the element type, the length of a row is the tensor's length divided by the number of
    /// rows.
    ///
    /// ```
    /// use zipnn::tensor::{RowsError, TensorInfo};
    ///
    /// let tensor = TensorInfo::new("w", "F4", [4, 3], 100..106);
    /// assert_eq!(tensor.rows(2..4), Ok(103..106));
    /// assert_eq!(tensor.rows(0..1), Err(RowsError::PartialBytes { multiple: 2 }));
    /// assert_eq!(tensor.rows(4..5), Err(RowsError::NoSuchRows { count: Some(4) }));
    /// ```
    ///
    /// # Errors
    ///
    /// - `NoSuchRows` if the tensor has fewer rows or is a scalar,
    /// - `PartialBytes` if the rows begin or end within a byte,
    /// - `UnknownLength` if the length of a row is unknown.
    pub fn rows(&self, rows: Range<u64>) -> Result<Range<u64>, RowsError> {
        let count = self.shape.first().copied();
        let Some(count) = count.filter(|&count| rows.start <= rows.end && rows.end <= count) else {
            return Err(RowsError::NoSuchRows { count });
        };
        let row_bits = self.row_bits(count)?;
        let start = self.byte_of(rows.start, row_bits);
        if rows.is_empty() {
            return Ok(start..start);
        }
        let is_whole = |row: u64| (u128::from(row) * row_bits).is_multiple_of(BITS_PER_BYTE);
        if !is_whole(rows.start) || !is_whole(rows.end) {
            // The number of bits in a row is then odd, or twice or four times an odd number.
            let multiple = 8 >> row_bits.trailing_zeros();
            return Err(RowsError::PartialBytes { multiple });
        }
        Ok(start..self.byte_of(rows.end, row_bits))
    }

    /// Returns the length of each of `count` rows in bits.
    fn row_bits(&self, count: u64) -> Result<u128, RowsError> {
        let unknown = RowsError::UnknownLength { len: self.len(), count };
        if count == 0 {
            return Ok(0);
        }
        // Tensors of an unknown type may end with padding, so that only whole bytes count.
        let unit = if self.element_bits().is_some() { 1 } else { BITS_PER_BYTE };
        let (len, rows) = (u128::from(self.len()) * BITS_PER_BYTE, u128::from(count) * unit);
        match self.fits() && len.is_multiple_of(rows) {
            true => Ok(len / u128::from(count)),
            false => Err(unknown),
        }
    }

    /// Returns the offset in the file of the byte in which a row begins.
    fn byte_of(&self, row: u64, row_bits: u128) -> u64 {
        // The row lies within the tensor, so that the offset fits.
        self.range.start + (u128::from(row) * row_bits / BITS_PER_BYTE) as u64
    }
}

/// Reports why rows of a tensor cannot be located.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowsError {
    /// The tensor does not have these rows.
    NoSuchRows {
        /// Number of rows; `None` for a scalar.
        count: Option<u64>,
    },
    /// The rows begin or end within a byte.
    PartialBytes {
        /// Rows whose numbers are multiples of this begin at a whole byte.
        multiple: u64,
    },
    /// The length of a row is unknown: the format does not define the element type, and the
    /// tensor's length is not a multiple of the number of rows.
    UnknownLength {
        /// Length of the tensor in bytes.
        len: u64,
        /// Number of rows.
        count: u64,
    },
}

impl fmt::Display for RowsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchRows { count: Some(1) } => {
                f.write_str("there are no such rows: the tensor has one row")
            }
            Self::NoSuchRows { count: Some(count) } => {
                write!(f, "there are no such rows: the tensor has {count} rows")
            }
            Self::NoSuchRows { count: None } => f.write_str("a scalar has no rows"),
            Self::PartialBytes { multiple } => write!(
                f,
                "the rows begin or end within a byte: begin and end at a multiple of {multiple}"
            ),
            Self::UnknownLength { len, count } => write!(
                f,
                "the length of a row is not known: the element type is unknown, and {len} bytes do \
                 not divide into {count} rows: read the whole tensor"
            ),
        }
    }
}

impl core::error::Error for RowsError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn tensor(dtype: &str, shape: &[u64], len: u64) -> TensorInfo {
        let range = 1000..1000 + len;
        TensorInfo::new("t", dtype, shape, range)
    }

    #[test]
    fn rows_are_located_by_bits() {
        for (dtype, shape, len, rows, bytes) in [
            ("F4", &[8][..], 4, 0..8, 0..4),
            ("F4", &[8], 4, 2..4, 1..2),
            ("F4", &[4, 3], 6, 0..4, 0..6),
            ("F4", &[4, 3], 6, 2..4, 3..6),
            ("F4", &[4, 3], 6, 1..1, 1..1),
            ("F6_E2M3", &[4, 2], 6, 0..4, 0..6),
            ("F6_E3M2", &[8, 3], 18, 4..8, 9..18),
            ("BF16", &[5, 7], 70, 1..3, 14..42),
            ("BF16", &[5, 0], 0, 1..3, 0..0),
            ("BF16", &[0, u64::MAX, 7], 0, 0..0, 0..0),
            ("F32", &[3, u64::MAX, 0], 0, 1..2, 0..0),
            ("X9", &[3, 5], 12, 1..2, 4..8),
        ] {
            let expected = 1000 + bytes.start..1000 + bytes.end;
            let found = tensor(dtype, shape, len).rows(rows.clone());
            assert_eq!(found, Ok(expected), "{dtype} {shape:?} {rows:?}");
        }
    }

    #[test]
    fn rows_that_share_a_byte_are_rejected() {
        for (dtype, shape, len, rows, multiple) in [
            ("F4", &[8][..], 4, 0..1, 2),
            ("F4", &[8], 4, 1..2, 2),
            ("F4", &[8], 4, 1..3, 2),
            ("F4", &[4, 3], 6, 1..4, 2),
            ("F6_E2M3", &[4, 2], 6, 0..1, 2),
            ("F6_E2M3", &[4, 3], 9, 2..4, 4),
            ("F6_E2M3", &[4], 3, 1..4, 4),
        ] {
            let found = tensor(dtype, shape, len).rows(rows.clone());
            assert_eq!(found, Err(RowsError::PartialBytes { multiple }), "{dtype} {shape:?}");
        }
    }

    #[test]
    fn rows_beyond_the_tensor_are_rejected() {
        let backwards = Range { start: 2, end: 1 };
        for rows in [0..5, 4..5, u64::MAX..u64::MAX, backwards] {
            let error = tensor("F4", &[4, 3], 6).rows(rows).unwrap_err();
            assert_eq!(error, RowsError::NoSuchRows { count: Some(4) });
        }
        let error = tensor("F32", &[], 4).rows(0..0).unwrap_err();
        assert_eq!(error, RowsError::NoSuchRows { count: None });
        assert!(error.to_string().contains("scalar"));
    }

    #[test]
    fn rows_of_unknown_length_are_rejected() {
        for (dtype, shape, len) in [
            ("X9", &[3][..], 4),
            ("X9", &[8], 4),
            ("X9", &[u64::MAX], u64::MAX - 1000),
            // Parsing a file never returns such a tensor.
            ("BF16", &[2, u64::MAX], 16),
            ("BF16", &[2, 4], 18),
        ] {
            let found = tensor(dtype, shape, len).rows(0..1);
            let expected = RowsError::UnknownLength { len, count: shape[0] };
            assert_eq!(found, Err(expected), "{dtype} {shape:?}");
        }
    }
}
