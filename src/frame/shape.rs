//! The shape of a tensor or array, which is stored between header and index.

use crate::error::DecodeErrorKind;
use crate::format::HEADER_LEN;
use crate::frame::header::Form;

/// The dimensions of a tensor or array, outermost first.
///
/// The original reads dimensions of 2^32 and more from the wrong offset. This crate reads and
/// writes them at the offset that the format specifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape<'a> {
    /// The tag and value of each dimension.
    dimensions: &'a [u8],
    count: u8,
}

impl<'a> Shape<'a> {
    /// Returns the number of dimensions, 0 for a scalar.
    #[expect(clippy::len_without_is_empty, reason = "a scalar is not an empty shape")]
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Returns the dimensions, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = u64> + 'a {
        let mut rest = self.dimensions;
        core::iter::from_fn(move || {
            let (&tag, behind) = rest.split_first()?;
            let (value, behind) = behind.split_at(value_len(tag));
            rest = behind;
            let mut bytes = [0; 8];
            bytes[..value.len()].copy_from_slice(value);
            Some(u64::from_le_bytes(bytes))
        })
    }

    /// Returns the shape between the header and the end of `prefix`, which has been checked before.
    pub(crate) fn from_checked(prefix: &'a [u8]) -> Option<Self> {
        let (&count, dimensions) = prefix.get(HEADER_LEN..)?.split_first()?;
        Some(Self { dimensions, count })
    }

    /// Parses the shape, if the frame has one; returns it with the offset of the index.
    ///
    /// `frame` may end after the shape.
    pub(crate) fn parse(
        frame: &'a [u8],
        form: Form,
    ) -> Result<(Option<Self>, usize), DecodeErrorKind> {
        if form == Form::Bytes {
            return Ok((None, HEADER_LEN));
        }
        let (shape, end) = Self::parse_at(frame, HEADER_LEN)?;
        Ok((Some(shape), end))
    }

    /// Parses the shape at offset `at`; returns it with the offset of its end.
    pub(crate) fn parse_at(frame: &'a [u8], at: usize) -> Result<(Self, usize), DecodeErrorKind> {
        let byte_at = |at: usize| {
            frame.get(at).copied().ok_or(DecodeErrorKind::Truncated {
                needed: at as u64 + 1,
                have: frame.len() as u64,
            })
        };
        let count = byte_at(at)?;
        let start = at + 1;
        let mut end = start;
        for _ in 0..count {
            let len = value_len(byte_at(end)?);
            end += 1 + len;
            byte_at(end - 1)?;
        }
        Ok((Self { dimensions: &frame[start..end], count }, end))
    }
}

/// Returns the length of the value after a tag. As in the original, unknown tags mean 8.
fn value_len(tag: u8) -> usize {
    match tag {
        1 | 2 | 4 => tag.into(),
        _ => 8,
    }
}

/// Returns the stored length of `dimensions` in bytes.
pub(crate) fn encoded_len(dimensions: &[u64]) -> usize {
    1 + dimensions.iter().map(|&dimension| 1 + usize::from(tag(dimension))).sum::<usize>()
}

/// Writes `dimensions`, at most 255, into `dst`, which must have exactly their stored length.
pub(crate) fn write(dimensions: &[u64], dst: &mut [u8]) {
    let (count, mut rest) = dst.split_at_mut(1);
    count[0] = dimensions.len() as u8;
    for &dimension in dimensions {
        let tag = tag(dimension);
        let (entry, behind) = rest.split_at_mut(1 + usize::from(tag));
        entry[0] = tag;
        entry[1..].copy_from_slice(&dimension.to_le_bytes()[..usize::from(tag)]);
        rest = behind;
    }
}

fn tag(dimension: u64) -> u8 {
    match dimension {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// Returns the length of a tensor, in the unit of `element_len`; `None` on overflow.
///
/// It is 0 if any dimension is 0.
pub(crate) fn checked_len(shape: &[u64], element_len: u64) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(element_len, |len, &dimension| len.checked_mul(dimension))
}
